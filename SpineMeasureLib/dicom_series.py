"""DICOM headers: which stacks of parallel slices a folder holds, and which of them to measure."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DicomSeriesError, ModalityError
from .volume import FEWEST_SLICES

#: Direction cosines that differ by more than this belong to different stacks (localisers, mixed planes).
_SAME_DIRECTION = 0.01
#: Slices nearer than this lie at the same place.
SAME_PLACE_MM = 0.01
#: Files of these endings may lack the DICOM preamble.
_ENDINGS = (".dcm", ".ima")
_LOCALISER = ("localiz", "localis", "scout", "survey", "loc")
_FAT_SUPPRESSED = ("stir", "tirm", "fs", "fat", "spair", "spir")
#: What is kept of a header: no patient identity.
_KEPT = (
    "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber",
    "MagneticFieldStrength", "RepetitionTime", "EchoTime", "InversionTime",
)  # fmt: skip
#: What tells images at the same place apart: (name for the user, group of an enhanced frame, tag).
_CONTRAST = (
    ("TE", "MREchoSequence", ("EffectiveEchoTime", "EchoTime")),
    ("type", "MRImageFrameTypeSequence", ("FrameType", "ImageType")),
    ("time point", "FrameContentSequence", ("TemporalPositionIndex", "TemporalPositionIdentifier")),
)


@dataclass(frozen=True)
class Frame:
    """One 2D image and where it lies (DICOM patient coordinates, LPS mm).

    :ivar index: place among the frames of its file.
    :ivar orientation: direction of rows (along columns), then of columns.
    :ivar pixel_spacing: mm between rows, between columns.
    :ivar size: rows, columns.
    :ivar contrast: echo time, image type and time point, as text.
    """

    file: Path
    index: int
    sop_uid: str
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing: tuple[float, float]
    size: tuple[int, int]
    contrast: tuple[str, ...]

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal of the image plane."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def place(self) -> float:
        """Position along the normal in mm."""
        return float(self.position @ self.normal)

    def is_parallel(self, other: Frame) -> bool:
        """Whether both can be slices of one stack."""
        return (
            self.size == other.size
            and np.allclose(self.pixel_spacing, other.pixel_spacing, rtol=1e-3)
            and np.allclose(self.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION)
        )


@dataclass(frozen=True)
class Series:
    """One stack of parallel images of one DICOM series.

    :ivar number: series number; ``"5.2"`` is the second stack of series 5.
    :ivar plane: ``"sagittal"``, ``"coronal"`` or ``"axial"``, whichever is nearest.
    :ivar header: what else the header says, no patient identity.
    """

    uid: str
    number: str
    description: str
    modality: str
    plane: str
    localiser: bool
    frames: tuple[Frame, ...]
    header: dict[str, str]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Mm between columns, between rows, and (median) between slices."""
        places = sorted(frame.place for frame in self.frames)
        rows, columns = self.frames[0].pixel_spacing
        steps = [step for step in np.diff(places) if step > SAME_PLACE_MM]
        return columns, rows, float(np.median(steps)) if steps else 0.0

    def __str__(self) -> str:
        size = " x ".join(f"{s:.2f}" for s in self.spacing)
        description = self.description or "no description"
        return f"{self.number or '?'}: {description} ({self.plane}, {len(self.frames)} slices, {size} mm)"


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its preamble or its ending."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in _ENDINGS


def list_series(folder: Path) -> list[Series]:
    """Every stack of images in a DICOM folder, sub-folders included; stacks of too few slices left out.

    :param folder: or one DICOM file, or a DICOMDIR.
    :raises DicomSeriesError: there is no DICOM image.
    """
    import pydicom

    groups: dict[str, list[Any]] = defaultdict(list)
    files = _files(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom remarks on values that are not used here
        for file in files:
            try:
                dataset = pydicom.dcmread(file, stop_before_pixels=True, force=file.suffix.lower() in _ENDINGS)
            except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError):
                continue
            if "Rows" in dataset and "SeriesInstanceUID" in dataset:
                dataset.filename = str(file)
                groups[str(dataset.SeriesInstanceUID)].append(dataset)
        if not groups:
            raise DicomSeriesError(
                f"{folder.name} holds no DICOM image.", "Name a folder with an MR series, or an image file itself."
            )
        found = [stack for datasets in groups.values() for stack in _stacks(datasets)]
    return sorted(found, key=lambda s: ([int(n) for n in re.findall(r"\d+", s.number)], s.uid))


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    if path.name.upper() == "DICOMDIR":
        from .dicom_listing import files_of_dicomdir

        return files_of_dicomdir(path)
    return [path]


def _stacks(datasets: Sequence[Any]) -> list[Series]:
    parallel: list[list[Frame]] = []
    for frame in (frame for dataset in datasets for frame in _frames(dataset)):
        for stack in parallel:
            if frame.is_parallel(stack[0]):
                stack.append(frame)
                break
        else:
            parallel.append([frame])
    stacks = [part for stack in parallel for part in _contrasts(stack) if len(part) >= FEWEST_SLICES]
    first = datasets[0]
    number = str(first.get("SeriesNumber", "") or "")
    description = str(first.get("SeriesDescription", "") or "")
    words = re.split(r"[^a-z0-9]+", description.lower())
    is_localiser = "LOCALIZER" in (first.get("ImageType") or []) or any(w.startswith(_LOCALISER) for w in words)
    return [
        Series(
            uid=str(first.SeriesInstanceUID),
            number=f"{number}.{n + 1}" if len(stacks) > 1 else number,
            description=", ".join(filter(None, (description, _what_differs(stack, stacks)))),
            modality=str(first.get("Modality", "") or ""),
            plane=("sagittal", "coronal", "axial")[int(np.argmax(np.abs(stack[0].normal)))],
            localiser=is_localiser,
            frames=tuple(stack),
            header={tag: str(first.get(tag)) for tag in _KEPT if first.get(tag) is not None},
        )
        for n, stack in enumerate(stacks)
    ]


def _contrasts(stack: list[Frame]) -> list[list[Frame]]:
    """One stack per echo, image type and time point, where several images lie at the same places."""
    if len({round(frame.place / SAME_PLACE_MM) for frame in stack}) == len(stack):
        return [stack]
    parts: dict[tuple[str, ...], list[Frame]] = defaultdict(list)
    for frame in stack:
        parts[frame.contrast].append(frame)
    return list(parts.values())


def _what_differs(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> str:
    differing = [n for n in range(len(_CONTRAST)) if len({s[0].contrast[n] for s in stacks}) > 1]
    return ", ".join(f"{_CONTRAST[n][0]} {stack[0].contrast[n]}" for n in differing)


def _frames(dataset: Any) -> list[Frame]:
    """Frames of one file; none where it is coloured or does not say where they lie."""
    if int(dataset.get("SamplesPerPixel") or 1) > 1:
        return []
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or [{}]
    frames = []
    for index, group in enumerate(groups):

        def value(sequence: str, *tags: str, places: tuple[Any, ...] = (group, shared)) -> Any:
            held = [place[sequence][0] for place in places if sequence in place and len(place[sequence].value)]
            return next((one[tag].value for one in (*held, dataset) for tag in tags if tag in one), None)

        position = value("PlanePositionSequence", "ImagePositionPatient")
        orientation = value("PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = value("PixelMeasuresSequence", "PixelSpacing")
        if position is None or orientation is None or spacing is None:
            return []
        if (len(position), len(orientation), len(spacing)) != (3, 6, 2):
            return []
        frames.append(
            Frame(
                file=Path(dataset.filename),
                index=index,
                sop_uid=str(dataset.get("SOPInstanceUID", "")),
                position=np.array(position, dtype=float),
                orientation=np.array(orientation, dtype=float),
                pixel_spacing=(float(spacing[0]), float(spacing[1])),
                size=(int(dataset.Rows), int(dataset.Columns)),
                contrast=tuple(_text(value(sequence, *tags)) for _, sequence, tags in _CONTRAST),
            )
        )
    return frames


def _text(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value or "")


def choose_series(series: Sequence[Series], wanted: str | None = None) -> tuple[Series, str, list[str]]:
    """The series to measure, why, and warnings.

    :param wanted: UID, number or (part of the) description; None for the best sagittal one.
    :raises DicomSeriesError: nothing fits, or several fit equally well.
    :raises ModalityError: none of several series is an MRI.
    """
    if not series:
        raise DicomSeriesError(
            f"There is no series of at least {FEWEST_SLICES} parallel slices.", "Name the folder of a whole series."
        )
    listing = "; ".join(str(s) for s in series)
    if wanted is not None:
        fits = _asked_for(series, wanted)
        if not fits:
            raise DicomSeriesError(f"There is no series '{wanted}'.", f"Choose by number with --series: {listing}.")
        return _best(fits, listing), "chosen by the user", []
    if len(series) == 1:
        return series[0], "the only series", []
    if not any(s.modality in ("MR", "") for s in series):
        raise ModalityError(f"The images are of modality {series[0].modality}, not MRI.", "Choose an MR series.")
    candidates = [s for s in series if s.plane == "sagittal" and s.modality in ("MR", "") and not s.localiser]
    if not candidates:
        raise DicomSeriesError("None of the series is a sagittal MRI.", f"Choose one with --series: {listing}.")
    best = _best(candidates, listing)
    rivals = [str(s) for s in candidates if s is not best and _is_t2(s) == _is_t2(best)]
    remark = f"Series {best} was taken; the folder also holds {'; '.join(rivals)} (choose with --series)."
    return best, f"best sagittal MR series of {len(series)}: T2 first, then the most slices", [remark] if rivals else []


def _asked_for(series: Sequence[Series], wanted: str) -> list[Series]:
    for fits in (
        [s for s in series if wanted in (s.uid, s.number)],
        [s for s in series if s.number.split(".")[0] == wanted],
        [s for s in series if wanted.lower() in s.description.lower()],
    ):
        if fits:
            return fits
    return []


def _best(series: Sequence[Series], listing: str) -> Series:
    ranked = sorted(series, key=_preference, reverse=True)
    if len(ranked) > 1 and _preference(ranked[0]) == _preference(ranked[1]):
        raise DicomSeriesError("Several series fit equally well.", f"Choose one with --series: {listing}.")
    return ranked[0]


def _preference(series: Series) -> tuple[bool, bool, int]:
    return series.plane == "sagittal", _is_t2(series), len(series.frames)


def _is_t2(series: Series) -> bool:
    """T2 without fat suppression, by its description."""
    words = re.split(r"[^a-z0-9]+", series.description.lower())
    return any("t2" in word for word in words) and not any(word.startswith(_FAT_SUPPRESSED) for word in words)
