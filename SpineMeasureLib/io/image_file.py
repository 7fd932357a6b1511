"""Image files by their ending, in any letter case.

They are read here and not by ITK, which does not verify checksums, pads truncated data, assumes 1 mm for a missing
voxel size, refuses grids that are a thousandth off a right angle, and prints messages to the terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DimensionError, UnreadableInputError
from ..volume import Volume
from .formats.header import RawImage
from .formats.metaimage import read_metaimage
from .formats.nifti import read_nifti
from .formats.nrrd import read_nrrd

_READERS: dict[str, Callable[[Path, bool], RawImage]] = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".hdr": read_nifti,
    ".hdr.gz": read_nifti,
    ".img": read_nifti,
    ".img.gz": read_nifti,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
}
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".iso")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
_DATA = (".raw", ".zraw", ".raw.gz", ".raw.bz2")
_FORMATS = "NIfTI (.nii, .nii.gz, .hdr with .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) or a DICOM folder"


def read_file(path: Path, as_labels: bool = False) -> Volume:
    """Read a NIfTI, ANALYZE, NRRD or MetaImage file.

    :param as_labels: accept one or two slices, and NRRD with several values per voxel (overlapping segments), which
        become a fourth axis of the array.
    :return: `meta` contains ``format`` (the ending) and ``warnings``.
    :raises UnreadableInputError: not an image, another format, damaged or cut off.
    :raises DimensionError: 2D, 4D or several values per voxel.
    :raises SpacingError: voxel sizes are missing, or voxel sizes or directions contradict each other.
    :raises TooLargeError: more than `MOST_VOXELS`.
    """
    name = path.name.lower()
    if name.endswith(_PICTURES):
        raise DimensionError(f"{path.name} is a picture, not a 3D image with voxel sizes.", f"Use {_FORMATS}.")
    if name.endswith(_ARCHIVES):
        raise UnreadableInputError(
            f"{path.name} is an archive.", "Unpack it and specify the folder or the image in it."
        )
    if name.endswith(_DATA):
        raise UnreadableInputError(
            f"{path.name} contains voxels without a header.", "Specify the header file beside it (.mhd or .nhdr)."
        )
    ending = next((e for e in sorted(_READERS, key=len, reverse=True) if name.endswith(e)), None)
    if ending is None:
        raise UnreadableInputError(f"{path.name} is not an image that can be read.", f"Use {_FORMATS}.")
    image = _READERS[ending](path, as_labels)
    return Volume(image.array, image.affine, {"format": ending.lstrip("."), "warnings": list(image.warnings)})
