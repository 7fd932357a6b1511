"""One stack of DICOM slices as a volume, sorted by position, checked for gaps and duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DicomSeriesError, DimensionError, TooLargeError
from ...orientation import LPS_TO_RAS
from ...volume import Volume
from ..checks import MAXIMUM_SHEAR, MAXIMUM_VOXELS, MINIMUM_SLICES
from .choice import choose_series
from .frames import Frame
from .pixels import PixelFiles
from .series import read_study
from .stacks import SAME_PLACE_MM, places

#: A step between slices may differ from the usual one by this fraction of it.
_EVEN_STEP = 0.1
#: A slice may be off the line through the first and last by this fraction of a pixel; `MAXIMUM_SHEAR` is for that line.
_ASIDE_PIXELS = 0.5


def read_dicom(path: Path, series: str | None = None) -> Volume:
    """Read one series of a DICOM folder or file as a volume.

    :param series: as `choose_series` takes it; None for the best sagittal one.
    :return: slices along k; `meta` contains ``format``, ``modality``, ``series`` (description), ``series_chosen``
        (why), ``warnings`` and ``dicom`` (UIDs and sequence parameters, ``SOPInstanceUIDs`` in the order of k);
        `frames` names the image of each k.
    :raises DicomSeriesError: no usable series, missing slices, damaged pixels, or a choice is needed.
    :raises TooLargeError: more than `MAXIMUM_VOXELS`.
    :raises UnreadableInputError: the name of a file is not UTF-8.
    """
    chosen, reason, warnings = choose_series(read_study(path), series)
    frames, repeated = sort_frames(chosen.frames)
    affine = stack_affine(frames)
    if len(frames) * np.prod(frames[0].size, dtype=float) > MAXIMUM_VOXELS:
        raise TooLargeError(f"The series has more than {MAXIMUM_VOXELS:.0e} voxels.", "Crop it to the spine.")
    files = PixelFiles(frames)
    for frame, twin in repeated:
        if not np.array_equal(files.pixels(frame), files.pixels(twin)):
            raise DicomSeriesError(
                "Different images of the series are at the same position (several echoes, b-values or time points).",
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
    """Return the frames by position along their normal.

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
    if len(kept) < MINIMUM_SLICES:
        raise DimensionError(f"The series has only {len(kept)} slice position(s).", "Use the complete series.")
    steps = np.diff([place for place, _ in kept])
    usual = float(np.median(steps))
    gaps = [n for n in range(len(steps)) if abs(steps[n] - usual) > _EVEN_STEP * usual]
    if gaps:
        where = ", ".join(f"between {kept[n][0]:.1f} and {kept[n + 1][0]:.1f} mm" for n in gaps[:3])
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        raise DicomSeriesError(
            f"Slices are missing or unevenly spaced: {where}{more} the step is not the usual {usual:.2f} mm.",
            "Transfer the complete series again.",
        )
    return [frame for _, frame in kept], repeated


def stack_affine(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Return the 4x4 affine, voxel index (column, row, slice) to LPS mm, of sorted frames.

    :raises DicomSeriesError: the slices are shifted relative to each other.
    """
    first, last = frames[0], frames[-1]
    offsets = np.array([frame.position - first.position for frame in frames])
    along = offsets @ first.normal
    whole = (last.position - first.position) / along[-1]
    aside = np.linalg.norm(offsets - np.outer(along, whole), axis=1).max()
    if aside > _ASIDE_PIXELS * min(first.pixel_spacing) or np.linalg.norm(whole - first.normal) > MAXIMUM_SHEAR:
        raise DicomSeriesError(
            "The slices are shifted relative to each other (a sheared stack).", "Use another series."
        )
    return first.affine(whole * along[-1] / (len(frames) - 1))
