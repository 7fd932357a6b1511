"""DICOM pixels: one stack of slices as a volume, sorted by position, gaps and duplicates noticed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_choice import choose_series
from .dicom_frames import Frame
from .dicom_series import SAME_PLACE_MM, places, read_study
from .errors import DicomSeriesError, DimensionError, TooLargeError, UnreadableInputError
from .files import require_utf8
from .quiet import quiet_libraries
from .volume import FEWEST_SLICES, LPS_TO_RAS, MOST_SHEAR, MOST_VOXELS, Volume

#: A step between slices may differ from the usual one by this part of it.
_EVEN_STEP = 0.1
#: A slice may lie beside the line through the first and last by this part of a pixel; `MOST_SHEAR` is for that line.
_ASIDE_PIXELS = 0.5
#: Transfer syntaxes whose pixels take the bytes that they seem to: little and big endian; None where none is named.
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", None)
#: What the JPEG library prints of bytes that it cannot decode, when it goes on with others in their place.
_DAMAGED_JPEG = re.compile(r"Corrupt JPEG data: (?!\d+ extraneous)|Premature end of JPEG")


def read_dicom(path: Path, series: str | None = None) -> Volume:
    """Read one series of a DICOM folder or file as a volume.

    :param series: as `choose_series` takes it; None for the best sagittal one.
    :return: slices along k; `meta` holds ``format``, ``modality``, ``series`` (description), ``series_chosen`` (why),
        ``warnings`` and ``dicom`` (UIDs and sequence parameters, ``SOPInstanceUIDs`` in the order of k); `frames`
        says which image each k is.
    :raises DicomSeriesError: no usable series, missing slices, damaged pixels, or a choice is needed.
    :raises TooLargeError: more than `MOST_VOXELS`.
    :raises UnreadableInputError: the name of a file is not UTF-8.
    """
    chosen, reason, warnings = choose_series(read_study(path), series)
    frames, repeated = sort_frames(chosen.frames)
    affine = stack_affine(frames)
    if len(frames) * np.prod(frames[0].size, dtype=float) > MOST_VOXELS:
        raise TooLargeError(f"The series has more than {MOST_VOXELS:.0e} voxels.", "Crop it to the spine.")
    files = _Files(frames)
    for frame, twin in repeated:
        if not np.array_equal(files.pixels(frame), files.pixels(twin)):
            raise DicomSeriesError(
                "Different images of the series lie at the same place (several echoes, b-values or time points).",
                "Export them as separate series.",
            )
    if repeated:
        warnings = [*warnings, f"{len(repeated)} slice(s) are in the series twice; the copies were left out."]
    array = np.stack([files.pixels(frame).T for frame in frames], axis=2)
    meta: dict[str, object] = {
        "format": "dicom",
        "modality": chosen.modality or "MR",
        "series": chosen.description,
        "series_chosen": reason,
        "dicom": {**chosen.header, "SOPInstanceUIDs": [frame.sop_uid for frame in frames]},
        "warnings": warnings,
    }
    return Volume(array, LPS_TO_RAS @ affine, meta, tuple(frames))


def sort_frames(frames: Sequence[Frame]) -> tuple[list[Frame], list[tuple[Frame, Frame]]]:
    """Frames by position along their normal.

    :return: (one frame for each place, pairs of a kept frame and another at its place).
    :raises DicomSeriesError: slices are missing.
    :raises DimensionError: too few slices.
    """
    ordered = sorted(zip(places(frames), frames, strict=True), key=lambda p: (p[0], p[1].sop_uid, p[1].index))
    kept: list[tuple[float, Frame]] = []
    repeated: list[tuple[Frame, Frame]] = []
    for place, frame in ordered:
        if kept and place - kept[-1][0] <= SAME_PLACE_MM:
            repeated.append((kept[-1][1], frame))
        else:
            kept.append((place, frame))
    if len(kept) < FEWEST_SLICES:
        raise DimensionError(f"The series has only {len(kept)} slice position(s).", "Use the whole series.")
    steps = np.diff([place for place, _ in kept])
    usual = float(np.median(steps))
    gaps = [n for n in range(len(steps)) if abs(steps[n] - usual) > _EVEN_STEP * usual]
    if gaps:
        where = ", ".join(f"between {kept[n][0]:.1f} and {kept[n + 1][0]:.1f} mm" for n in gaps[:3])
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        raise DicomSeriesError(
            f"Slices are missing or unevenly spaced: {where}{more} the step is not the usual {usual:.2f} mm.",
            "Transfer the whole series again.",
        )
    return [frame for _, frame in kept], repeated


def stack_affine(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """4x4, voxel index (column, row, slice) to LPS mm, of sorted frames.

    :raises DicomSeriesError: the slices are shifted against each other.
    """
    first, last = frames[0], frames[-1]
    offsets = np.array([frame.position - first.position for frame in frames])
    along = offsets @ first.normal
    whole = (last.position - first.position) / along[-1]
    aside = np.linalg.norm(offsets - np.outer(along, whole), axis=1).max()
    if aside > _ASIDE_PIXELS * min(first.pixel_spacing) or np.linalg.norm(whole - first.normal) > MOST_SHEAR:
        raise DicomSeriesError("The slices are shifted against each other (a sheared stack).", "Use another series.")
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * first.pixel_spacing[1]
    affine[:3, 1] = first.orientation[3:] * first.pixel_spacing[0]
    affine[:3, 2] = whole * along[-1] / (len(frames) - 1)
    affine[:3, 3] = first.position
    return affine


class _Files:
    """Pixels of frames; the last file stays decoded, as its frames are usually wanted together.

    SimpleITK decodes, so compressed transfer syntaxes work as far as GDCM knows them. GDCM gives all frames of a file
    the slope and intercept of one: where they differ, stored values are decoded and scaled here.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._path: Path | None = None
        self._frames: NDArray[Any] = np.empty(0)
        rescales: dict[Path, set[tuple[float, float]]] = {}
        for frame in frames:
            rescales.setdefault(frame.file, set()).add(frame.rescale)
        self._scaled_here = {path for path, found in rescales.items() if len(found) > 1}

    def pixels(self, frame: Frame) -> NDArray[Any]:
        """Array [row, column] of one frame."""
        is_scaled_here = frame.file in self._scaled_here
        if frame.file != self._path:
            self._frames = _decode_stored(frame.file) if is_scaled_here else _decode(frame.file)
            self._path = frame.file
        if self._frames.shape[-2:] != frame.size or self._frames.size <= frame.index * np.prod(frame.size):
            raise DicomSeriesError(f"The pixels of {frame.file.name} do not fit its header.", "Export it again.")
        pixels = self._frames.reshape(-1, *frame.size)[frame.index]
        return pixels * frame.rescale[0] + frame.rescale[1] if is_scaled_here else pixels


def _decode(path: Path) -> NDArray[Any]:
    """Pixels [frame, row, column] of a file, scaled as it says."""
    import SimpleITK as sitk

    require_utf8(path, UnreadableInputError)
    damaged = DicomSeriesError(
        f"The pixels of {path.name} cannot be decoded.", "Export the series again, uncompressed."
    )
    if _is_cut_off(path):
        raise damaged
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with quiet_libraries() as printed:
            pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    except RuntimeError as error:
        raise damaged from error
    if any(_DAMAGED_JPEG.search(line) for line in printed):
        raise damaged
    return pixels


def _decode_stored(path: Path) -> NDArray[Any]:
    """Pixels of a multi-frame file as they are stored: those of a copy that says nothing of slopes."""
    import pydicom

    dataset = pydicom.dcmread(path)
    for group in (*dataset.get("SharedFunctionalGroupsSequence", ()), *dataset.PerFrameFunctionalGroupsSequence):
        group.pop("PixelValueTransformationSequence", None)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "image.dcm"
        dataset.save_as(copy)
        return _decode(copy)


def _is_cut_off(path: Path) -> bool:
    """Whether a file ends before its uncompressed pixels do: GDCM fills up what is missing."""
    import pydicom

    with path.open("rb") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        left = path.stat().st_size - file.tell()
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax not in _UNCOMPRESSED:
        return False
    frames = int(header.get("NumberOfFrames") or 1)
    return left < frames * header.Rows * header.Columns * header.BitsAllocated // 8
