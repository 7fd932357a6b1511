"""Reading DICOM: series of a folder, the right one chosen, slices sorted by position, gaps and duplicates noticed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DicomSeriesError, DimensionError
from .volume import FEWEST_SLICES, LPS_TO_RAS, Volume

#: Slices whose normals differ by more than this (cosine) belong to different stacks (localisers, mixed planes).
_SAME_NORMAL = 0.99
#: A step between slices may differ from the usual one by this part of it.
_EVEN_STEP = 0.2
_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "ImageType",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
    "FrameOfReferenceUID", "StudyInstanceUID", "EchoTime", "RepetitionTime", "InversionTime", "MagneticFieldStrength",
    "InstanceNumber", "SamplesPerPixel",
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One 2D image and where it lies (DICOM patient coordinates, LPS mm)."""

    file: Path
    index: int
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing: tuple[float, float]

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal of the image plane."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclass(frozen=True)
class Series:
    """One stack of parallel images of one DICOM series."""

    uid: str
    number: str
    description: str
    modality: str
    plane: str
    frames: tuple[Frame, ...]
    header: dict[str, str]

    def __str__(self) -> str:
        return f"{self.number or '?'}: {self.description or 'no description'} ({self.plane}, {len(self.frames)} slices)"


def list_series(folder: Path) -> list[Series]:
    """Every stack of images in a DICOM folder, sub-folders included; stacks of too few slices (localisers) left out.

    :raises DicomSeriesError: the folder holds no DICOM image.
    """
    import pydicom

    groups: dict[str, list[Any]] = defaultdict(list)
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else [folder]
    for file in files:
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError):
            continue
        if "Rows" in dataset and "SeriesInstanceUID" in dataset:
            dataset.filename = str(file)
            groups[str(dataset.SeriesInstanceUID)].append(dataset)
    if not groups:
        raise DicomSeriesError(f"{folder.name} holds no DICOM image.", "Name a folder with an MR series.")
    found = [stack for datasets in groups.values() for stack in _stacks(datasets)]
    return sorted(found, key=lambda s: (s.number.zfill(6), s.uid))


def _stacks(datasets: Sequence[Any]) -> list[Series]:
    frames = [frame for dataset in datasets for frame in _frames(dataset)]
    stacks: list[list[Frame]] = []
    for frame in frames:
        for stack in stacks:
            same_grid = np.allclose(frame.pixel_spacing, stack[0].pixel_spacing, rtol=1e-3)
            if abs(frame.normal @ stack[0].normal) > _SAME_NORMAL and same_grid:
                stack.append(frame)
                break
        else:
            stacks.append([frame])
    first = datasets[0]
    kept = [s for s in stacks if len(s) >= FEWEST_SLICES]
    return [
        Series(
            uid=str(first.SeriesInstanceUID),
            number=str(first.get("SeriesNumber", "") or ""),
            description=str(first.get("SeriesDescription", "") or ""),
            modality=str(first.get("Modality", "") or ""),
            plane=_plane(stack[0].normal),
            frames=tuple(stack),
            header={tag: str(first.get(tag)) for tag in _TAGS[:6] + _TAGS[13:19] if first.get(tag) is not None},
        )
        for stack in kept
    ]


def _frames(dataset: Any) -> list[Frame]:
    file = Path(dataset.filename)
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        return []
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if any(tag not in dataset for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")):
            return []
        return [_frame(file, 0, dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing)]
    shared = dataset.get("SharedFunctionalGroupsSequence", [None])[0]
    frames = []
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        parts = []
        for name, tag in (
            ("PlanePositionSequence", "ImagePositionPatient"),
            ("PlaneOrientationSequence", "ImageOrientationPatient"),
            ("PixelMeasuresSequence", "PixelSpacing"),
        ):
            holder = group if name in group else shared
            if holder is None or name not in holder:
                return []
            parts.append(getattr(holder[name][0], tag))
        frames.append(_frame(file, index, *parts))
    return frames


def _frame(file: Path, index: int, position: Any, orientation: Any, spacing: Any) -> Frame:
    return Frame(
        file,
        index,
        np.array([float(x) for x in position]),
        np.array([float(x) for x in orientation]),
        (float(spacing[0]), float(spacing[1])),
    )


def _plane(normal: NDArray[np.float64]) -> str:
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal)))]


def choose_series(series: Sequence[Series], wanted: str | None) -> tuple[Series, str]:
    """The series to measure and why.

    :param wanted: UID, number or (part of the) description; None for the best sagittal one.
    :raises DicomSeriesError: nothing fits, or several fit equally well.
    """
    listing = "; ".join(str(s) for s in series)
    if wanted is not None:
        fits = [s for s in series if wanted in (s.uid, s.number)] or [
            s for s in series if wanted.lower() in s.description.lower()
        ]
        if len(fits) != 1:
            count = "no" if not fits else "more than one"
            raise DicomSeriesError(
                f"There is {count} series '{wanted}'.", f"Choose by number with --series: {listing}."
            )
        return fits[0], "chosen by the user"
    if not series:
        raise DicomSeriesError("The DICOM folder holds no series of parallel slices.", "Name a folder with a series.")
    if len(series) == 1:
        return series[0], "the only series"
    candidates = [s for s in series if s.plane == "sagittal" and s.modality in ("MR", "")]
    if not candidates:
        raise DicomSeriesError("None of the series is a sagittal MRI.", f"Choose one with --series: {listing}.")
    ranked = sorted(candidates, key=_preference, reverse=True)
    if len(ranked) > 1 and _preference(ranked[0]) == _preference(ranked[1]):
        raise DicomSeriesError("Several series fit equally well.", f"Choose one with --series: {listing}.")
    return ranked[0], f"best sagittal MR series of {len(series)}: T2 first, then the most slices"


def _preference(series: Series) -> tuple[bool, int]:
    text = series.description.lower()
    fat_suppressed = any(word in text for word in ("stir", "tirm", "fs", "fat"))
    return ("t2" in text and not fat_suppressed, len(series.frames))


def read_dicom(path: Path, series: str | None = None) -> Volume:
    """Read one series of a DICOM folder or file as a volume.

    :raises DicomSeriesError: no usable series, missing slices, or a choice is needed.
    """
    chosen, reason = choose_series(list_series(path), series)
    frames, warnings = sort_frames(chosen.frames)
    step = _step(frames)
    first = frames[0]
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * first.pixel_spacing[1]
    affine[:3, 1] = first.orientation[3:] * first.pixel_spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    meta: dict[str, object] = {
        "format": "dicom",
        "modality": chosen.modality or "MR",
        "series": chosen.description,
        "series_chosen": reason,
        "dicom": chosen.header,
        "warnings": warnings,
    }
    return Volume(_pixels(frames), LPS_TO_RAS @ affine, meta)


def sort_frames(frames: Sequence[Frame]) -> tuple[list[Frame], list[str]]:
    """Frames by position along their normal, duplicates dropped.

    :return: (sorted frames, warnings).
    :raises DicomSeriesError: slices are missing.
    """
    normal = frames[0].normal
    ordered = sorted(frames, key=lambda f: float(f.position @ normal))
    kept, warnings = [ordered[0]], []
    for frame in ordered[1:]:
        if (frame.position - kept[-1].position) @ normal > 0.01:
            kept.append(frame)
    if len(kept) < len(ordered):
        warnings.append(f"{len(ordered) - len(kept)} slice(s) lie at the position of another and were left out.")
    if len(kept) < FEWEST_SLICES:
        raise DimensionError(f"The series has only {len(kept)} slice position(s).", "Use the whole series.")
    places = np.array([float(f.position @ normal) for f in kept])
    steps = np.diff(places)
    usual = float(np.median(steps))
    gaps = [n for n in range(len(steps)) if abs(steps[n] - usual) > _EVEN_STEP * usual]
    if gaps:
        where = ", ".join(f"{places[n]:.1f} and {places[n + 1]:.1f} mm" for n in gaps[:3])
        raise DicomSeriesError(
            f"Slices are missing or unevenly spaced: between {where} the step is not the usual {usual:.2f} mm.",
            "Transfer the whole series again.",
        )
    return kept, warnings


def _step(frames: Sequence[Frame]) -> NDArray[np.float64]:
    step: NDArray[np.float64] = (frames[-1].position - frames[0].position) / (len(frames) - 1)
    normal = frames[0].normal
    if abs(step @ normal) < 0.99 * np.linalg.norm(step):
        raise DicomSeriesError("The slices are shifted against each other (a sheared stack).", "Use another series.")
    return normal * float(step @ normal)


def _pixels(frames: Sequence[Frame]) -> NDArray[Any]:
    """Array[i,j,k] of the frames; SimpleITK decodes, so compressed transfer syntaxes work as far as GDCM knows them."""
    import SimpleITK as sitk

    slices: list[NDArray[Any]] = []
    cache: dict[Path, NDArray[Any]] = {}
    for frame in frames:
        if frame.file not in cache:
            cache.clear()
            try:
                image = sitk.ReadImage(str(frame.file))
            except RuntimeError as error:
                raise DicomSeriesError(
                    f"The pixels of {frame.file.name} cannot be decoded.", "Export the series uncompressed."
                ) from error
            cache[frame.file] = sitk.GetArrayFromImage(image)
        pixels = cache[frame.file]
        slices.append(pixels[frame.index] if pixels.ndim == 3 else pixels)
    if len({s.shape for s in slices}) > 1:
        raise DicomSeriesError("The slices of the series differ in size.", "Use another series.")
    return np.stack([s.T for s in slices], axis=2)
