"""The header that objects derived from images inherit: valid attributes of patient and study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .values import corrected

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Groups of patient and clinical trial, which are inherited completely.
_GROUPS = (0x0010, 0x0012)
#: Further inherited attributes, of the modules General Study and Patient Study, and of the scanner.
_OTHERS = (
    "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName",
    "ConsultingPhysicianName", "StudyDescription", "ProcedureCodeSequence", "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy", "ReferencedStudySequence", "ReferencedPatientSequence", "StudyID",
    "RequestingService", "ReasonForVisit", "AdmittingDiagnosesDescription", "AdmissionID", "ServiceEpisodeID",
    "ServiceEpisodeDescription", "PatientState", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "DeviceSerialNumber", "InstitutionName", "InstitutionalDepartmentName", "InstitutionAddress", "StationName",
    "PositionReferenceIndicator", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
#: Attributes of type 2, which derived objects must have, empty if the images lack them.
REQUIRED = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
#: Required attributes of a clinical trial (type 1).
_OF_TRIAL = ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")
#: Texts in which a backslash is an ordinary character.
_ONE_TEXT = ("ST", "LT", "UT")
#: Enumerated numbers.
_NUMBERS = {"PregnancyStatus": (1, 2, 3, 4)}
_CODE = ("CodeValue", "LongCodeValue", "URNCodeValue")
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")


@dataclass
class Changes:
    """Keywords of attributes that did not conform to the standard, without values, which may identify the patient."""

    emptied: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """Warnings for the user."""
        texts = (
            ("Values that DICOM does not allow were omitted from SEG and SR: {}.", self.emptied),
            ("Values that DICOM does not allow were corrected in SEG and SR: {}.", self.corrected),
            ("These attributes are missing and are empty in SEG and SR: {}.", self.missing),
            ("{} is missing; the slice spacing is used in SEG.", self.measured),
            (
                "Missing or invalid UIDs were replaced in SEG and SR, so other programs may not find the images: {}.",
                self.uids,
            ),
            ("The images have different values; SEG and SR contain the value of the first slice: {}.", self.several),
        )
        return [sentence.format(", ".join(dict.fromkeys(keywords))) for sentence, keywords in texts if keywords]


def inherited(image: Dataset, changes: Changes) -> Dataset:
    """A dataset of the attributes that derived objects inherit from an image, in valid form and Unicode.

    :param changes: receives the keywords of changed attributes.
    """
    from pydicom.datadict import keyword_for_tag
    from pydicom.dataset import Dataset

    clean = Dataset()
    for tag in tuple(image.keys()):  # iterating the dataset itself parses values, which may fail
        keyword = keyword_for_tag(tag)
        if keyword and (tag.group in _GROUPS or keyword in _OTHERS):
            _inherit(image, tag, keyword, clean, changes)
    for keyword in REQUIRED:
        if keyword not in clean:
            if keyword not in image:
                changes.missing.append(keyword)
            setattr(clean, keyword, None)
    _complete(clean, changes)
    return clean


def _inherit(image: Dataset, tag: Any, keyword: str, clean: Dataset, changes: Changes) -> None:
    from pydicom.datadict import dictionary_VR

    vr = dictionary_VR(tag)
    if vr == "SQ":
        items = _items(image, tag)
        if items and all(_is_sound(item, keyword) for item in items):
            clean[tag] = image[tag]
        elif items is None or items:
            changes.emptied.append(keyword)
        return
    if vr in ("US", "UL", "SS", "SL", "FD", "FL"):
        _inherit_number(image, tag, keyword, clean, changes)
        return
    values = list(_texts(image, tag, vr))
    found = [corrected(keyword, vr, text) for text in values]
    written = [text for text in found if text]
    if _is_single(tag):
        written = written[:1]
    setattr(clean, keyword, (written[0] if len(written) == 1 else written) if written else None)
    if any(text is None for text in found):
        changes.emptied.append(keyword)
    elif written != [text.strip(" \0") for text in values if text.strip(" \0")]:
        changes.corrected.append(keyword)


def _inherit_number(image: Dataset, tag: Any, keyword: str, clean: Dataset, changes: Changes) -> None:
    try:
        value = image[tag].value
    except Exception:  # as in `_texts`
        value = ""
    if isinstance(value, (int, float)) and value in _NUMBERS.get(keyword, (value,)):
        clean[tag] = image[tag]
    elif value is not None:
        changes.emptied.append(keyword)


def _texts(image: Dataset, tag: Any, vr: str) -> Iterator[str]:
    """The values of an attribute as text, unparsed if they cannot be parsed."""
    try:
        value = image[tag].value
    except Exception:  # values are parsed here, which raises many kinds of exceptions
        raw = image.get_item(tag).value
        value = raw.decode("latin-1") if isinstance(raw, bytes) else str(raw or "")
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        parts = [str(one) for one in value]
    else:
        text = "" if value is None else str(value)
        parts = [text] if vr in _ONE_TEXT else text.split("\\")
    yield from parts


def _is_single(tag: Any) -> bool:
    from pydicom.datadict import dictionary_VM

    return bool(dictionary_VM(tag) == "1")


def _items(image: Dataset, tag: Any) -> list[Dataset] | None:
    """Items of a sequence; None if it cannot be parsed."""
    try:
        return list(image[tag].value or [])
    except Exception:  # as above
        return None


def _is_sound(item: Dataset, keyword: str) -> bool:
    """Whether an item of a sequence, and all below it, conforms to the standard; items are not corrected."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    if keyword.endswith("CodeSequence") and not (any(item.get(k) for k in _CODE) and item.get("CodeMeaning")):
        return False
    if keyword in ("ReferencedStudySequence", "ReferencedPatientSequence") and not all(item.get(k) for k in _REFERENCE):
        return False
    for tag in tuple(item.keys()):  # as above
        name = keyword_for_tag(tag)
        if not name:
            return False
        vr = dictionary_VR(tag)
        if vr == "SQ":
            items = _items(item, tag)
            if items is None or not all(_is_sound(one, name) for one in items):
                return False
        elif any(corrected(name, vr, text) != text.strip(" \0") for text in _texts(item, tag, vr)):
            return False
    return True


def _complete(clean: Dataset, changes: Changes) -> None:
    """Add or remove attributes that depend on others."""
    trial = [element.keyword for element in clean if element.keyword.startswith("ClinicalTrial")]
    if trial and not all(clean.get(keyword) for keyword in _OF_TRIAL):
        changes.emptied += trial
        for keyword in trial:
            delattr(clean, keyword)
    is_removed = clean.get("PatientIdentityRemoved") == "YES"
    if is_removed and not clean.get("DeidentificationMethod") and "DeidentificationMethodCodeSequence" not in clean:
        clean.DeidentificationMethod = "Not stated in the images"
    for keyword in [e.keyword for e in clean if e.is_empty and e.keyword not in REQUIRED]:
        delattr(clean, keyword)
