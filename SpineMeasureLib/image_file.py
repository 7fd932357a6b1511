"""Reading image files (NIfTI, NRRD, MetaImage), refusing what their readers would silently mend."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from .errors import DimensionError, NonFiniteVolumeError, SpacingError, TooLargeError, UnreadableInputError
from .volume import FEWEST_SLICES, MOST_VOXELS, Volume, from_sitk

_NIFTI = (".nii", ".nii.gz")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".iso")
_TEXT_HEADER = (".nrrd", ".nhdr", ".mha", ".mhd")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
_FORMATS = "NIfTI-1 (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) or a DICOM folder"
#: A text header is looked for in this many bytes.
_HEADER_BYTES = 65536
_CHUNK_BYTES = 1 << 24
#: By how much (relative) the two statements of voxel size in a NIfTI header may differ.
_SAME_SIZE = 0.02
#: By how much its two statements of direction may differ: what rounding a quaternion to four digits can do; and what
#: turns an axis over, or into another.
_SAME_DIRECTION_DEG, _TURNED_OVER_DEG = 3.0, 40.0
_GZIP = b"\x1f\x8b"
#: A zero or NaN among numbers.
_NOT_A_SIZE = re.compile(rb"(?:^| )(?:nan|none|0+\.?0*)(?: |$)")
_FROM_SCANNER = "Export it again from the scanner's images."
#: How the reader words a grid that it refuses.
_BAD_GRID = ("orthonormal", "determinant is 0", "Zero-valued spacing")


def read_file(path: Path) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file; all that its header tells by itself is checked before pixels are read.

    :raises UnreadableInputError: no image, another format, damaged or cut off.
    :raises DimensionError: 2D, 4D or several values per voxel.
    :raises SpacingError: voxel sizes are missing, voxel sizes or directions contradict each other, or axes are not at
        right angles.
    :raises TooLargeError: more than `MOST_VOXELS`.
    :raises NonFiniteVolumeError: NaN or infinite values in a NIfTI file.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    name = path.name.lower()
    if name.endswith(_PICTURES):
        raise DimensionError(f"{path.name} is a picture, no 3D image with voxel sizes.", f"Use {_FORMATS}.")
    if name.endswith(_ARCHIVES):
        raise UnreadableInputError(f"{path.name} is an archive.", "Unpack it and name the folder or the image in it.")
    unreadable = UnreadableInputError(f"{path.name} is no image that can be read.", f"Use {_FORMATS}.")
    if not name.endswith(_NIFTI + _TEXT_HEADER):
        raise unreadable
    if name.endswith(_TEXT_HEADER):
        _check_text_header(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if any(word in str(error) for word in _BAD_GRID):
            raise _bad_grid(path) from error
        raise unreadable from error
    size = reader.GetSize()
    _check_size(path, size, reader.GetNumberOfComponents())
    meta: dict[str, object] = {"format": next(e for e in _NIFTI + _TEXT_HEADER if name.endswith(e)).lstrip(".")}
    header = None
    warnings: list[str] = []
    if name.endswith(_NIFTI):
        header = _NiftiHeader.read(path)
        warnings += _check_nifti_header(path, header)
        _check_nifti_data(path, header)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        if any(word in str(error) for word in _BAD_GRID):
            raise _bad_grid(path) from error
        raise _damaged(path) from error
    if image.GetDimension() > 3:
        image = sitk.Extract(image, [*size[:3], *[0] * (len(size) - 3)], [0] * len(size))
    volume = from_sitk(image, meta)
    if header:
        meta["warnings"] = [*warnings, *_check_nifti_directions(path, header, volume.affine)]
    return volume


def _damaged(path: Path) -> UnreadableInputError:
    return UnreadableInputError(f"{path.name} is damaged or cut off.", "Copy or export it again.")


def _bad_grid(path: Path) -> SpacingError:
    return SpacingError(f"The axes of {path.name} are not at right angles or have no length.", _FROM_SCANNER)


def _no_spacing(path: Path) -> SpacingError:
    return SpacingError(f"{path.name} does not say how large its voxels are.", "Export it with its voxel spacing.")


def _check_size(path: Path, size: tuple[int, ...], components: int) -> None:
    if components > 1:
        raise DimensionError(f"{path.name} has {components} values per voxel (colour or vectors).", "Use a grey image.")
    volumes = int(np.prod(size[3:], dtype=float))
    if volumes > 1:
        raise DimensionError(f"{path.name} holds {volumes} volumes (4D).", "Save one of them on its own.")
    if len(size) < 3 or min(size[:3]) < FEWEST_SLICES:
        fewest = min(size[:3]) if len(size) > 2 else 1
        raise DimensionError(f"{path.name} is no 3D image: it has {fewest} slice(s).", "Use the whole series.")
    voxels = np.prod(size[:3], dtype=float)
    if voxels > MOST_VOXELS:
        raise TooLargeError(
            f"{path.name} has {voxels:.2g} voxels, more than the {MOST_VOXELS:.0e} handled.", "Crop it to the spine."
        )


def _check_text_header(path: Path) -> None:
    """Readers put 1 mm where a NRRD or MetaImage header says nothing or NaN."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES).lower().replace(b"\r", b"").split(b"\n\n")[0]
    dimension = re.search(rb"^(?:dimension:|ndims *=) *(\d+)", header, re.MULTILINE)
    if not dimension or int(dimension[1]) < 3:
        return
    stated = re.search(rb"^(space directions:|spacings:|elementspacing *=|elementsize *=)(.*)$", header, re.MULTILINE)
    if not stated or (stated[1] != b"space directions:" and _NOT_A_SIZE.search(stated[2])):
        raise _no_spacing(path)


@dataclass(frozen=True)
class _NiftiHeader:
    """What is needed of the 348 bytes of a NIfTI-1 header."""

    order: str
    dim: tuple[int, ...]
    datatype: int
    bits: int
    pixdim: tuple[float, ...]
    offset: int
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    srow: tuple[float, ...]

    @classmethod
    def read(cls, path: Path) -> _NiftiHeader:
        with _open(path) as file:
            raw = file.read(348)
        order = "<" if struct.unpack("<i", raw[:4])[0] == 348 else ">"

        def take(kind: str, at: int) -> tuple[Any, ...]:
            return struct.unpack_from(order + kind, raw, at)

        datatype, bits = take("2h", 70)
        qform_code, sform_code = take("2h", 252)
        return cls(
            order=order,
            dim=take("8h", 40),
            datatype=datatype,
            bits=bits,
            pixdim=take("8f", 76),
            offset=int(take("f", 108)[0]),
            qform_code=qform_code,
            sform_code=sform_code,
            quaternion=take("3f", 256),
            srow=take("12f", 280),
        )

    def stated_directions(self) -> list[NDArray[np.float64]]:
        """Directions of the axes, unit vectors in RAS in the columns of a 3x3, by every form that counts (code > 0)."""
        from scipy.spatial.transform import Rotation

        found = []
        if self.sform_code > 0:
            found.append(_directions(np.reshape(self.srow, (3, 4))))
        if self.qform_code > 0:
            vector = np.array(self.quaternion, float)
            vector /= max(1.0, float(np.linalg.norm(vector)))
            real = np.sqrt(max(0.0, 1.0 - float(vector @ vector)))
            handedness = -1 if self.pixdim[0] < 0 else 1
            found.append(Rotation.from_quat([*vector, real]).as_matrix() * [1, 1, handedness])
        return found


def _directions(form: NDArray[np.float64]) -> NDArray[np.float64]:
    axes = np.asarray(form, float)[:3, :3]
    directions: NDArray[np.float64] = axes / np.linalg.norm(axes, axis=0)
    return directions


def _open(path: Path) -> BinaryIO:
    """The uncompressed bytes; the ending does not tell: programs write plain files named .nii.gz."""
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _check_nifti_header(path: Path, header: _NiftiHeader) -> list[str]:
    """Refuse unusable voxel sizes; return warnings."""
    sizes = np.array(header.pixdim[1:4])
    if (sizes == 0).any() or not np.isfinite(sizes).all():
        raise _no_spacing(path)
    if sizes.min() < 0:
        raise SpacingError(f"{path.name} states a negative voxel size: it may be mirrored.", _FROM_SCANNER)
    if header.sform_code > 0:
        lengths = np.linalg.norm(np.reshape(header.srow, (3, 4))[:, :3], axis=0)
        if not np.allclose(lengths, sizes, rtol=_SAME_SIZE):
            raise SpacingError(f"{path.name} states two different voxel sizes (pixdim and sform).", "Export it again.")
    if header.sform_code <= 0 and header.qform_code <= 0:
        return ["The file does not say how the image lies in the body; directions may be wrong."]
    return []


def _check_nifti_directions(path: Path, header: _NiftiHeader, affine: NDArray[np.float64]) -> list[str]:
    """Refuse an image that its header turns over or mirrors by one of its forms: which is right, no program can tell.

    Registration leaves a form turned a little: every value measured is the same by both, and a warning says so.
    """
    turned = 0.0
    for stated in header.stated_directions():
        along = (stated * _directions(affine)).sum(axis=0)
        turned = max(turned, float(np.degrees(np.arccos(np.clip(along, -1, 1))).max()))
    if not turned <= _TURNED_OVER_DEG:
        raise SpacingError(
            f"{path.name} states two different directions of the image (qform and sform).", _FROM_SCANNER
        )
    if turned > _SAME_DIRECTION_DEG:
        return [f"The file states two directions of the image, {turned:.0f} degrees apart (qform and sform)."]
    return []


def _check_nifti_data(path: Path, header: _NiftiHeader) -> None:
    """Refuse missing bytes and values that are not numbers: the reader would put zeros in their place."""
    left = int(np.prod(header.dim[1 : header.dim[0] + 1], dtype=np.int64)) * header.bits // 8
    kind = {16: "f4", 64: "f8"}.get(header.datatype)
    try:
        with _open(path) as file:
            file.seek(header.offset)
            while left > 0:
                chunk = file.read(min(left, _CHUNK_BYTES))
                left -= len(chunk)
                if not chunk or len(chunk) % max(1, header.bits // 8):
                    raise _damaged(path)
                if kind and not np.isfinite(np.frombuffer(chunk, header.order + kind)).all():
                    raise NonFiniteVolumeError(
                        f"{path.name} holds values that are not numbers (NaN or infinite).", "Export it again."
                    )
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path) from error
