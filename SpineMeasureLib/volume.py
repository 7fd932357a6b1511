"""`Volume`: an array[i,j,k] with its affine to RAS mm, read from and written to common formats."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import (
    DimensionError,
    EmptyVolumeError,
    InputNotFoundError,
    ModalityError,
    NonFiniteVolumeError,
    SpacingError,
    TooLargeError,
    UnreadableInputError,
)
from .files import atomic_path

if TYPE_CHECKING:
    import SimpleITK

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Limits beyond which no distance of a spine can be measured, or no computer of a user holds the image.
COARSEST_SLICE_MM = 12.0
COARSEST_IN_PLANE_MM = 3.0
MOST_VOXELS = 1_000_000_000
FEWEST_SLICES = 3

_FORMATS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha, .mhd) or a DICOM folder"


@dataclass(frozen=True)
class Volume:
    """A 3D image and where it lies.

    :ivar array: array[i,j,k].
    :ivar affine: 4x4 float64, voxel index (i, j, k, 1) to RAS mm.
    :ivar meta: what the source said of itself (format, modality, series description ...), no patient identity.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    meta: dict[str, object] = field(default_factory=dict)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k in mm."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a 3D image: NIfTI, NRRD, MetaImage, a DICOM folder or an enhanced DICOM file.

    :param series: which DICOM series, by UID, number or description, where the folder holds several.
    :raises SpineMeasureError: one of its subclasses, saying what is wrong with the input.
    """
    path = Path(path)
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
    if path.is_dir() or _is_dicom(path):
        from .dicom_series import read_dicom

        volume = read_dicom(path, series)
    else:
        volume = _read_file(path)
    _check_grid(volume)
    return volume


def check_mri(volume: Volume) -> None:
    """Refuse what is no usable MRI.

    :raises EmptyVolumeError: no or constant content.
    :raises NonFiniteVolumeError: NaN or infinite values.
    :raises ModalityError: a CT.
    """
    array = volume.array
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise NonFiniteVolumeError("The image holds values that are not numbers (NaN or infinite).", "Export it again.")
    low, high = array.min(), array.max()
    if low == high:
        raise EmptyVolumeError(f"Every voxel of the image has the same value ({low}).", "Choose another series.")
    modality = str(volume.meta.get("modality", "MR"))
    if modality != "MR":
        raise ModalityError(f"The image is of modality {modality}, not an MRI.", "Choose an MR series.")
    # Air is about -1000 Hounsfield units and fills much of any CT; magnitude MRI has no negative values.
    if low < -500 and np.mean(array < -500) > 0.03:
        raise ModalityError("The image looks like a CT: many values lie near -1000.", "Choose an MR series.")


def write_volume(volume: Volume, path: Path) -> None:
    """Write as NIfTI, NRRD or MetaImage, by the ending of `path`; geometry is kept exactly.

    :raises OutputError: the file cannot be written.
    """
    import SimpleITK as sitk

    with atomic_path(path) as temporary:
        sitk.WriteImage(to_sitk(volume), str(temporary), useCompression=True)


def to_sitk(volume: Volume) -> SimpleITK.Image:
    """The volume as a SimpleITK image (LPS)."""
    import SimpleITK as sitk

    array = volume.array.astype(np.uint8) if volume.array.dtype == np.bool_ else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine = LPS_TO_RAS @ volume.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image


def from_sitk(image: SimpleITK.Image, meta: dict[str, object] | None = None) -> Volume:
    """A 3D SimpleITK image (LPS) as a volume."""
    import SimpleITK as sitk

    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image).transpose(2, 1, 0), LPS_TO_RAS @ affine, meta or {})


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _read_file(path: Path) -> Volume:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    unreadable = UnreadableInputError(f"{path.name} is no image that can be read.", f"Use {_FORMATS}.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise SpacingError(
                f"The axes of {path.name} are not at right angles.", "Export it again from the scanner's images."
            ) from error
        raise unreadable from error
    size = reader.GetSize()
    _check_header(path, size, reader.GetNumberOfComponents())
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_nifti_data(path)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise UnreadableInputError(f"{path.name} is damaged or cut off.", "Copy or export it again.") from error
    if image.GetDimension() == 4:
        image = sitk.Extract(image, [*size[:3], 0], [0, 0, 0, 0])
    return from_sitk(image, {"format": "".join(path.suffixes[-2:]).lstrip(".")})


def _check_header(path: Path, size: tuple[int, ...], components: int) -> None:
    if components > 1:
        raise DimensionError(f"{path.name} has {components} values per voxel (colour or vectors).", "Use a grey image.")
    if any(n > 1 for n in size[3:]):
        raise DimensionError(f"{path.name} holds {size[3]} volumes (4D).", "Save one of them on its own.")
    if len(size) < 3 or min(size[:3]) < FEWEST_SLICES:
        count = size[2] if len(size) > 2 else 1
        raise DimensionError(f"{path.name} is no 3D image: it has {count} slice(s).", "Use the whole series.")
    if np.prod(size[:3], dtype=float) > MOST_VOXELS:
        raise TooLargeError(f"{path.name} has {np.prod(size[:3], dtype=float):.2g} voxels.", "Crop it to the spine.")
    if _spacing_is_missing(path):
        raise SpacingError(f"{path.name} does not say how large its voxels are.", "Export it with its voxel spacing.")


def _spacing_is_missing(path: Path) -> bool:
    """Readers put 1 mm where a header says nothing; look at the header itself."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            header = file.read(348)
        for order in "<>":
            if struct.unpack(f"{order}i", header[:4])[0] == 348:
                return min(abs(x) for x in struct.unpack(f"{order}3f", header[80:92])) == 0
        return False
    if name.endswith((".nrrd", ".nhdr", ".mha", ".mhd")):
        with path.open("rb") as file:
            text = file.read(8192).split(b"\n\n")[0].lower()
        return not any(key in text for key in (b"space directions:", b"spacings:", b"elementspacing", b"elementsize"))
    return False


def _check_nifti_data(path: Path) -> None:
    """Refuse missing bytes and values that are not numbers: the reader would put zeros in their place."""
    damaged = UnreadableInputError(f"{path.name} is damaged or cut off.", "Copy or export it again.")
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            content = file.read()
    except (EOFError, OSError, zlib.error) as error:
        raise damaged from error
    order = "<" if struct.unpack("<i", content[:4])[0] == 348 else ">"
    if struct.unpack(f"{order}i", content[:4])[0] != 348:
        return
    dim = struct.unpack(f"{order}8h", content[40:56])
    kind, bits = struct.unpack(f"{order}2h", content[70:74])
    start = int(struct.unpack(f"{order}f", content[108:112])[0])
    count = int(np.prod(dim[1 : dim[0] + 1], dtype=np.int64))
    if len(content) < start + count * bits // 8:
        raise damaged
    floats = {16: "f4", 64: "f8"}.get(kind)
    if floats and not np.isfinite(np.frombuffer(content, order + floats, count, start)).all():
        raise NonFiniteVolumeError(
            f"{path.name} holds values that are not numbers (NaN or infinite).", "Export it again."
        )


def _check_grid(volume: Volume) -> None:
    if abs(np.linalg.det(volume.affine[:3, :3])) < 1e-6 or not np.isfinite(volume.affine).all():
        raise SpacingError("The image's geometry is not valid (its axes lie in one plane).", "Export it again.")
    fine, middle, coarse = sorted(volume.spacing)
    if coarse > COARSEST_SLICE_MM or middle > COARSEST_IN_PLANE_MM:
        raise SpacingError(
            f"The voxels are too coarse to measure in: {fine:.1f} x {middle:.1f} x {coarse:.1f} mm.",
            f"Use images of at most {COARSEST_IN_PLANE_MM:g} mm in plane and {COARSEST_SLICE_MM:g} mm between slices.",
        )
    if fine < 0.05:
        raise SpacingError(f"A voxel spacing of {fine:.3g} mm cannot be right.", "Export it again with its spacing.")
