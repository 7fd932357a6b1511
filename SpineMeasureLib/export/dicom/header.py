"""The header that objects derived from images inherit: attributes of patient and study, each allowed or left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .values import corrected

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Groups of patient and clinical trial, of which everything is inherited.
_GROUPS = (0x0010, 0x0012)
#: What else is inherited of the modules General Study and Patient Study, and of the scanner.
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
#: What a clinical trial must state (type 1).
_OF_TRIAL = ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")
#: Texts in which a backslash is a letter.
_ONE_TEXT = ("ST", "LT", "UT")
#: Enumerated numbers.
_NUMBERS = {"PregnancyStatus": (1, 2, 3, 4)}
_CODE = ("CodeValue", "LongCodeValue", "URNCodeValue")
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")


@dataclass
class Changes:
    """Keywords of what was not as the standard wants it; without values, which may name the patient."""

    emptied: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """What to tell the user."""
        told = (
            ("Values that DICOM does not allow were left out of SEG and SR: {}.", self.emptied),
            ("Values that DICOM does not allow were corrected in SEG and SR: {}.", self.corrected),
            ("These attributes are missing and left empty in SEG and SR: {}.", self.missing),
            ("{} is missing; the slice spacing is used in SEG.", self.measured),
            (
                "Missing or invalid UIDs were replaced in SEG and SR, so other programs may not find the images: {}.",
                self.uids,
            ),
            ("The images name several values, of which SEG and SR have that of the first slice: {}.", self.several),
        )
        return [sentence.format(", ".join(dict.fromkeys(keywords))) for sentence, keywords in told if keywords]


def inherited(image: Dataset, changes: Changes) -> Dataset:
    """A dataset with what derived objects inherit of an image, as the standard allows it, in Unicode.

    :param changes: takes the keywords of what had to be changed.
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
    """The values of an attribute as text; as they stand in the file if they cannot be parsed."""
    try:
        value = image[tag].value
    except Exception:  # values are parsed here, each kind with exceptions of its own
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
    """Whether an item of a sequence, and all below it, is as the standard wants it; items are not corrected."""
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
    """Add or remove what goes with other attributes."""
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
