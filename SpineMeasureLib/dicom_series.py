"""DICOM headers: which stacks of parallel slices a study holds."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_files import read_headers
from .dicom_frames import CONTRAST, Frame, as_text, frames_of, values_of
from .errors import DicomSeriesError
from .volume import FEWEST_SLICES

#: Slices nearer than this lie at the same place.
SAME_PLACE_MM = 0.01
_LOCALISER = ("loc", "scout", "survey")
#: What is kept of the header of a stack: no patient identity.
_KEPT = (
    "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber",
    "MagneticFieldStrength",
)  # fmt: skip
#: What is kept of its first image: name, group of an enhanced frame that holds it, tags.
_KEPT_OF_FRAME = (
    ("RepetitionTime", "MRTimingAndRelatedParametersSequence", ("RepetitionTime",)),
    ("EchoTime", "MREchoSequence", ("EffectiveEchoTime", "EchoTime")),
    ("InversionTime", "MRModifierSequence", ("InversionTimes", "InversionTime")),
    ("AcquisitionContrast", "MRImageFrameTypeSequence", ("AcquisitionContrast",)),
)
#: Identity that may have found its way into a description.
_NAMING = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs")
_SHORTEST_NAME = 3


@dataclass(frozen=True)
class Series:
    """One stack of parallel images of one DICOM series.

    :ivar number: series number; ``"5.2"`` is the second stack of series 5.
    :ivar protocol: what the scanner calls the DICOM series.
    :ivar description: the same, and what tells the stack from others of its series.
    :ivar plane: ``"sagittal"``, ``"coronal"`` or ``"axial"``, whichever is nearest.
    :ivar header: what else the header says, no patient identity.
    :ivar unplaced: number of images of the DICOM series that do not say where they lie, left out.
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

    @property
    def study(self) -> str:
        """UID of the study: of one examination of one patient."""
        return self.header.get("StudyInstanceUID", "")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Mm between columns, between rows, and (median) between slices."""
        rows, columns = self.frames[0].pixel_spacing
        steps = [step for step in np.diff(np.sort(places(self.frames))) if step > SAME_PLACE_MM]
        return columns, rows, float(np.median(steps)) if steps else 0.0

    @property
    def axes(self) -> NDArray[np.float64]:
        """3x3: steps between columns, rows and slices in LPS mm, one in each column."""
        first = self.frames[0]
        return np.stack([first.orientation[:3], first.orientation[3:], first.normal], axis=1) * self.spacing

    def __str__(self) -> str:
        size = " x ".join(f"{s:.2f}" for s in self.spacing)
        description = self.description or "no description"
        return f"{self.number or '?'}: {description} ({self.plane}, {len(self.frames)} slices, {size} mm)"


@dataclass(frozen=True)
class Study:
    """What a folder, DICOMDIR or file holds: as a rule of one study.

    :ivar series: stacks of at least `FEWEST_SLICES` images, by number.
    :ivar damaged: number of DICOM files that cannot be read.
    :ivar unplaced: number of images that do not say where they lie.
    """

    series: tuple[Series, ...]
    damaged: int
    unplaced: int


def places(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Positions in mm along the normal of the first frame."""
    return np.array([frame.position for frame in frames]) @ frames[0].normal


def read_study(path: Path) -> Study:
    """Every stack of images in a DICOM folder, sub-folders included, in a DICOMDIR, or in one file.

    :raises DicomSeriesError: there is no DICOM image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom remarks on values that are not used here
        return _read_study(path)


def _read_study(path: Path) -> Study:
    headers = read_headers(path)
    frames: dict[str, list[Frame]] = defaultdict(list)
    facts: dict[str, _Facts] = {}
    unplaced: dict[str, int] = defaultdict(int)
    damaged = headers.damaged
    for image in headers.images:
        try:
            uid = str(image.get("SeriesInstanceUID", ""))
            made, missing = frames_of(image)
            if made and uid not in facts:
                facts[uid] = _facts(image, made[0].index)
        except Exception:  # damaged values end in any exception of the parser
            damaged += 1
        else:
            frames[uid] += made
            unplaced[uid] += missing
    if not frames:
        told = f": {damaged} DICOM file(s) in it are damaged" if damaged else ""
        raise DicomSeriesError(
            f"{path.name} holds no DICOM image{told}.", "Name a folder with an MR series, or an image file itself."
        )
    found = [stack for uid, one in facts.items() for stack in _stacks(one, frames[uid], unplaced[uid])]
    found.sort(key=lambda s: ([int(n) for n in re.findall(r"\d+", s.number)], s.uid))
    return Study(tuple(found), damaged, sum(unplaced.values()))


@dataclass(frozen=True)
class _Facts:
    """What one image says of its DICOM series."""

    uid: str
    number: str
    protocol: str
    modality: str
    header: dict[str, str]


def _stacks(facts: _Facts, frames: Sequence[Frame], unplaced: int) -> list[Series]:
    """The stacks of one DICOM series."""
    stacks = [
        part
        for parallel in _grouped(frames, Frame.is_parallel)
        for part in _told_apart(parallel)
        if len(part) >= FEWEST_SLICES
    ]
    words = re.split(r"[^a-z0-9]+", facts.protocol.lower())
    is_named_localiser = any(word.startswith(_LOCALISER) for word in words)
    return [
        Series(
            uid=facts.uid,
            number=f"{facts.number}.{n + 1}" if len(stacks) > 1 else facts.number,
            protocol=facts.protocol,
            description=", ".join(filter(None, (facts.protocol, _what_differs(stack, stacks)))),
            modality=facts.modality,
            plane=("sagittal", "coronal", "axial")[int(np.argmax(np.abs(stack[0].normal)))],
            localiser=is_named_localiser or "LOCALIZER" in stack[0].kind,
            frames=tuple(stack),
            header={**facts.header, "EchoTime": stack[0].contrast[0]},
            unplaced=unplaced,
        )
        for n, stack in enumerate(stacks)
    ]


def _protocol(image: Any) -> str:
    """Series description, else the protocol's name, without words of the patient's identity."""
    text = str(image.get("SeriesDescription", "") or image.get("ProtocolName", "") or "").strip()
    for tag in _NAMING:
        for word in re.split(r"[\s^=,\\]+", str(image.get(tag, "") or "")):
            if len(word) >= _SHORTEST_NAME:
                text = re.sub(rf"(?<![^\W_]){_spelled(word)}(?![^\W_])", "", text, flags=re.IGNORECASE)
    return text.strip(" _-^,")


def _spelled(word: str) -> str:
    """Pattern of a word; of a date (YYYYMMDD) in the usual spellings."""
    if not re.fullmatch(r"\d{8}", word):
        return re.escape(word)
    year, month, day = word[:4], word[4:6], word[6:]
    orders = ((year, month, day), (day, month, year), (month, day, year))
    return f"(?:{'|'.join('[-./_ ]?'.join(order) for order in orders)})"


def _grouped(frames: Sequence[Frame], belongs: Callable[[Frame, Frame], bool]) -> list[list[Frame]]:
    """Frames in groups, each of those that belong to its first one."""
    groups: list[list[Frame]] = []
    for frame in frames:
        home = next((group for group in groups if belongs(frame, group[0])), None)
        if home is None:
            groups.append([frame])
        else:
            home.append(frame)
    return groups


def _told_apart(stack: list[Frame]) -> list[list[Frame]]:
    """Where several images lie at the same places: one stack per station, echo, image type, time point and b-value."""
    parts = [stack]
    if _is_repeated(stack):
        parts = _grouped(stack, lambda frame, first: not frame.is_beside(first))
    return [
        one
        for part in parts
        for one in (_grouped(part, lambda a, b: a.contrast == b.contrast) if _is_repeated(part) else [part])
    ]


def _is_repeated(stack: Sequence[Frame]) -> bool:
    return len(np.unique(np.round(places(stack) / SAME_PLACE_MM))) < len(stack)


def _what_differs(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> str:
    """What tells a stack of a series from the others, in words."""
    found = []
    for n, (name, _, _) in enumerate(CONTRAST):
        values = [s[0].contrast[n].split("/") for s in stacks]
        if len(set(map(tuple, values))) > 1:
            own = stack[0].contrast[n].split("/")
            others = [word for word in own if not all(word in value for value in values)]
            found.append(f"{name} {'/'.join(others or own)}")
    if not found and len({s[0].orientation.tobytes() for s in stacks}) == 1 and len(stacks) > 1:
        found.append(f"at {', '.join(f'{x:.0f}' for x in stack[0].position)} mm")
    return ", ".join(found)


def _facts(image: Any, index: int) -> _Facts:
    """What an image and one of its frames say of their series."""
    value = values_of(image, index)
    header = {tag: str(image[tag].value) for tag in _KEPT if tag in image}
    header |= {name: as_text(value(sequence, tags)) for name, sequence, tags in _KEPT_OF_FRAME}
    return _Facts(
        uid=str(image.get("SeriesInstanceUID", "")),
        number=str(image.get("SeriesNumber", "") or ""),
        protocol=_protocol(image),
        modality=str(image.get("Modality", "") or ""),
        header=header,
    )
