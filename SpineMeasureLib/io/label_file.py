"""Reading a label map, or a file with named segments, onto the voxels of an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..errors import InputNotFoundError, NonFiniteVolumeError, UnreadableInputError
from ..files import require_utf8
from ..grid import padded_to
from ..volume import Volume
from .dicom.files import is_dicom
from .dicom.segments import find_segmentation, read_segmentation
from .image_file import read_file
from .label_segments import LabelFile, Segment
from .read import read_volume
from .seg_nrrd import segments_of_header

#: Endings of files that may describe their segments.
_NRRD = (".nrrd", ".nhdr")
#: By how much a label may differ from a whole number.
_WHOLE = 1e-3


def read_label_file(path: Path, image: Volume) -> LabelFile:
    """Read a NIfTI, NRRD (also .seg.nrrd with several layers), MetaImage or DICOM SEG file as labels of an image.

    A file that was cropped or padded on the lattice of the image is put back in place; labels outside are cut off.

    :raises GeometryMismatchError: its voxels are not the image's voxels.
    :raises UnreadableInputError: it is damaged, or does not contain labels.
    :raises NonFiniteVolumeError: infinite values.
    """
    require_utf8(path, UnreadableInputError)
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
    segments: tuple[Segment, ...] = ()
    if path.is_dir() or is_dicom(path):
        found = find_segmentation(path)
        if found:
            return read_segmentation(found, image)
        stored = read_volume(path)
    else:
        stored, segments = _read_file(path)
    warnings: list[str] = []
    array = stored.array if stored.array.ndim == 4 else stored.array[..., None]
    missing: np.ndarray | None = None
    if np.issubdtype(array.dtype, np.floating):
        missing = np.isnan(array).all(axis=3)
        array, warnings = _whole_numbers(array)
    placed, cut = padded_to(image, replace(stored, array=array, outside=missing if np.any(missing) else None))
    return LabelFile(placed, segments, (*warnings, *cut))


def _read_file(path: Path) -> tuple[Volume, tuple[Segment, ...]]:
    stored = read_file(path, as_labels=True)
    layers = stored.array.shape[3] if stored.array.ndim == 4 else 1
    segments = segments_of_header(path, layers) if path.name.lower().endswith(_NRRD) else ()
    if layers > 1 and not segments:
        raise UnreadableInputError(
            f"{path.name} has {layers} values per voxel and does not say what they are.",
            "Save one label map, or a segmentation of 3D Slicer (.seg.nrrd).",
        )
    return stored, segments


def _whole_numbers(array: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Convert labels stored as floating-point numbers; NaN around them counts as background, with a warning.

    :param array: array[i,j,k,layer].
    :raises NonFiniteVolumeError: infinite values, or NaN within a structure.
    :raises UnreadableInputError: values between whole numbers.
    """
    missing = np.isnan(array)
    filled = np.where(missing, 0, array)
    enclosed = any((ndimage.binary_fill_holes(~missing[..., n]) & missing[..., n]).any() for n in range(array.shape[3]))
    if enclosed or not np.isfinite(filled).all():
        raise NonFiniteVolumeError(
            "The label map contains values that are not numbers (NaN within it, or infinite).", "Export it again."
        )
    whole = np.rint(filled)
    if np.abs(filled - whole).max(initial=0) > _WHOLE:
        raise UnreadableInputError(
            "The label map contains values between whole numbers: it is a probability map or was interpolated.",
            "Export the labels themselves, resampled with nearest neighbour.",
        )
    if np.abs(whole).max(initial=0) > np.iinfo(np.int32).max:
        raise UnreadableInputError(
            "The label map contains values too large for labels.", "Check that the file is a label map."
        )
    warnings = ["The label map contains values that are not numbers (NaN); they were treated as background."]
    return whole.astype(np.int32), warnings if missing.any() else []
