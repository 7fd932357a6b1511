"""DICOM headers: the stacks of parallel slices in a study."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DicomSeriesError
from ...quiet import quiet_dicom
from ..checks import MINIMUM_SLICES
from .files import read_headers
from .frames import Frame, as_text, frames_of, value_of, values_of
from .stacks import SAME_PLACE_MM, places, stacks_of, what_differs
from .words import read_description

#: What is kept from the header of a stack: no patient identity.
_KEPT = (
    "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber",
    "MagneticFieldStrength",
)  # fmt: skip
#: What is kept from its first image: name, functional group of an enhanced frame, tags.
_KEPT_OF_FRAME = (
    ("RepetitionTime", "MRTimingAndRelatedParametersSequence", ("RepetitionTime",)),
    ("EchoTime", "MREchoSequence", ("EffectiveEchoTime", "EchoTime")),
    ("InversionTime", "MRModifierSequence", ("InversionTimes", "InversionTime")),
    ("AcquisitionContrast", "MRImageFrameTypeSequence", ("AcquisitionContrast",)),
)
#: Identity that may occur in a description.
_NAMING = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs")
_SHORTEST_NAME = 3
_PLANES = ("sagittal", "coronal", "axial")
#: Other spellings of the modality, and the modality of SOP classes whose images do not state one.
_MAGNETIC_RESONANCE = ("MR", "MRI", "MRT", "NMR", "IRM")
_OF_CLASS = {"1.2.840.10008.5.1.4.1.1.2": "CT", "1.2.840.10008.5.1.4.1.1.2.1": "CT"}


@dataclass(frozen=True)
class Series:
    """One stack of parallel images of one DICOM series.

    :ivar number: series number; ``"5.2"`` is the second stack of series 5.
    :ivar protocol: what the scanner calls the DICOM series.
    :ivar description: the same, and what distinguishes the stack from others of its series.
    :ivar plane: ``"sagittal"``, ``"coronal"`` or ``"axial"``, whichever is nearest.
    :ivar header: further values of the header, no patient identity.
    :ivar unplaced: number of images of the DICOM series that do not state their position and were left out.
    :ivar uids: number of SeriesInstanceUIDs that its images name; more than one if each image names its own.
    """

    uid: str
    number: str
    protocol: str
    description: str
    modality: str
    plane: str
    localiser: bool
    frames: tuple[Frame, ...]
    header: dict[str, str]
    unplaced: int = 0
    uids: int = 1

    @property
    def study(self) -> str:
        """UID of the study: of one examination of one patient."""
        return self.header.get("StudyInstanceUID", "")

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Mm between columns, between rows, and (median) between slices."""
        rows, columns = self.frames[0].pixel_spacing
        steps = [step for step in np.diff(np.sort(places(self.frames))) if step > SAME_PLACE_MM]
        return columns, rows, float(np.median(steps)) if steps else 0.0

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """4x4, index (column, row, slice) to LPS mm."""
        return self.frames[0].affine(self.frames[0].normal * self.spacing[2])

    def __str__(self) -> str:
        size = " x ".join(f"{s:.2f}" for s in self.spacing)
        description = self.description or "no description"
        return f"{self.number or '?'}: {description} ({self.plane}, {len(self.frames)} slices, {size} mm)"


@dataclass(frozen=True)
class Study:
    """The images of a folder, DICOMDIR or file, usually of one study.

    :ivar series: stacks of at least `MINIMUM_SLICES` images, by number.
    :ivar damaged: number of DICOM files that cannot be read.
    :ivar unplaced: number of images that do not state their position.
    :ivar single: number of images that name a DICOM series of which there is no other image.
    """

    series: tuple[Series, ...]
    damaged: int
    unplaced: int
    single: int = 0


def read_study(path: Path) -> Study:
    """Return every stack of images in a DICOM folder, subfolders included, in a DICOMDIR, or in one file.

    :raises DicomSeriesError: there is no DICOM image.
    """
    with quiet_dicom():
        return _read_study(path)


def _read_study(path: Path) -> Study:
    headers = read_headers(path)
    found: dict[_Facts, list[Frame]] = defaultdict(list)
    known: dict[str, _Facts] = {}
    unplaced: dict[_Facts, int] = defaultdict(int)
    damaged = headers.damaged
    for image in headers.images:
        try:
            made, missing = frames_of(image)
            if not made and not missing:
                continue
            uid = as_text(value_of(image, "SeriesInstanceUID"))
            facts = known.get(uid) or _facts(image, made[0].index if made else 0)
        except Exception:  # damaged values end in any exception of the parser
            damaged += 1
            continue
        if uid and made:
            known[uid] = facts
        found[facts] += made
        unplaced[facts] += missing
    if not found:
        _refuse_results(path, headers.results)
        damage = f": {damaged} DICOM file(s) in it are damaged" if damaged else ""
        raise DicomSeriesError(
            f"{path.name} contains no DICOM image{damage}.", "Specify a folder with an MR series, or an image file."
        )
    single = sum(len(frames) == 1 for frames in found.values())
    whole, uids = _put_together(found)
    series = [one for facts, frames in whole.items() for one in _series_of(facts, frames, unplaced[facts], uids[facts])]
    series.sort(key=lambda s: ([int(n) for n in re.findall(r"\d+", s.number)], s.uid))
    return Study(tuple(series), damaged, sum(unplaced.values()), single)


def _refuse_results(path: Path, results: Collection[str]) -> None:
    """Raise an error that names what a file or folder contains instead of images.

    :raises DicomSeriesError: it is a segmentation or a report.
    """
    verb = "contains" if path.is_dir() else "is"
    if "SEG" in results:
        raise DicomSeriesError(
            f"{path.name} {verb} a DICOM SEG (a segmentation), not an image.",
            "Specify the MR series that it was made from, and give the SEG as --labels.",
        )
    if results:
        raise DicomSeriesError(
            f"{path.name} {verb} a DICOM SR (a report), not an image.", "Specify the MR series that it was made from."
        )


@dataclass(frozen=True)
class _Facts:
    """What one image states about its DICOM series.

    :ivar patient: identity and date, to keep examinations apart. Never shown.
    """

    uid: str
    study: str
    number: str
    protocol: str
    modality: str
    patient: tuple[str, ...] = field(repr=False)
    header: dict[str, str] = field(compare=False)


def _put_together(found: dict[_Facts, list[Frame]]) -> tuple[dict[_Facts, list[Frame]], dict[_Facts, int]]:
    """Merge the series of one number and name if each of their images states a different series; keep all others.

    Some workstations and programs that remove identities give every image a new SeriesInstanceUID, or even a new
    StudyInstanceUID.

    :return: (frames of each series, number of its UIDs).
    """
    alike: dict[tuple[object, ...], list[_Facts]] = defaultdict(list)
    for facts, frames in found.items():
        if len(frames) < MINIMUM_SLICES:
            alike[facts.number, facts.protocol, facts.modality, facts.patient].append(facts)
    whole, uids = dict(found), dict.fromkeys(found, 1)
    for members in alike.values():
        frames = [frame for facts in members for frame in found[facts]]
        studies = len({facts.study for facts in members})
        if len(members) > 1 and studies in (1, len(members)) and stacks_of(frames):
            for facts in members:
                del whole[facts]
            whole[members[0]], uids[members[0]] = frames, len(members)
    return whole, uids


def _series_of(facts: _Facts, frames: Sequence[Frame], unplaced: int, uids: int) -> list[Series]:
    """Return the stacks of one DICOM series."""
    stacks = stacks_of(frames)
    is_localiser = read_description(facts.protocol).localiser or len({_plane(frame) for frame in frames}) == len(
        _PLANES
    )
    return [
        Series(
            uid=facts.uid,
            number=f"{facts.number}.{n + 1}" if len(stacks) > 1 else facts.number,
            protocol=facts.protocol,
            description=", ".join(filter(None, (facts.protocol, what_differs(stack, stacks)))),
            modality=facts.modality,
            plane=_plane(stack[0]),
            localiser=is_localiser or "LOCALIZER" in stack[0].kind,
            frames=tuple(stack),
            header={**facts.header, "EchoTime": stack[0].contrast[0]},
            unplaced=unplaced,
            uids=uids,
        )
        for n, stack in enumerate(stacks)
    ]


def _plane(frame: Frame) -> str:
    return _PLANES[int(np.argmax(np.abs(frame.normal)))]


def _protocol(image: Any) -> str:
    """Return the series description, else the protocol's name, without words of the patient's identity."""
    text = _text(image, "SeriesDescription").strip() or _text(image, "ProtocolName").strip()
    for tag in _NAMING:
        for word in re.split(r"[\s^=,\\]+", _text(image, tag)):
            if len(word) >= _SHORTEST_NAME:
                text = re.sub(rf"(?<![^\W_]){_spelled(word)}(?![^\W_])", "", text, flags=re.IGNORECASE)
    return "".join(c for c in text if c.isprintable()).strip(" _-^,")


def _text(image: Any, tag: str) -> str:
    return as_text(value_of(image, tag))


def _spelled(word: str) -> str:
    """Return the pattern of a word; of a date (YYYYMMDD) in the usual spellings."""
    if not re.fullmatch(r"\d{8}", word):
        return re.escape(word)
    year, month, day = word[:4], word[4:6], word[6:]
    orders = ((year, month, day), (day, month, year), (month, day, year))
    return f"(?:{'|'.join('[-./_ ]?'.join(order) for order in orders)})"


def _facts(image: Any, index: int) -> _Facts:
    """Return what an image and one of its frames state about their series."""
    value = values_of(image, index)
    header = {tag: _text(image, tag) for tag in _KEPT if tag in image}
    header |= {name: as_text(value(sequence, tags)) for name, sequence, tags in _KEPT_OF_FRAME}
    return _Facts(
        uid=_text(image, "SeriesInstanceUID"),
        study=_text(image, "StudyInstanceUID"),
        number=_text(image, "SeriesNumber"),
        protocol=_protocol(image),
        modality=_modality(image),
        patient=(_text(image, "PatientID"), _text(image, "PatientName"), _text(image, "StudyDate")),
        header=header,
    )


def _modality(image: Any) -> str:
    """Return ``MR`` in any spelling; empty if neither modality nor SOP class is stated."""
    named = _text(image, "Modality").split("/")[0].strip().upper()
    if named in _MAGNETIC_RESONANCE:
        return "MR"
    return named or _OF_CLASS.get(_text(image, "SOPClassUID"), "")
