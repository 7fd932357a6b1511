"""`Volume`: an array[i,j,k] with its affine to RAS mm, read from and written to common formats."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import (
    EmptyVolumeError,
    InputNotFoundError,
    ModalityError,
    OutputError,
    SpacingError,
    UnreadableInputError,
)
from .files import atomic_path, require_utf8

if TYPE_CHECKING:
    import SimpleITK

    from .io.dicom.frames import Frame

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Limits beyond which no distance of a spine can be measured, or no computer of a user holds the image.
COARSEST_SLICE_MM = 12.0
COARSEST_IN_PLANE_MM = 3.0
FINEST_MM = 0.05
MOST_VOXELS = 1_000_000_000
FEWEST_SLICES = 3
#: Cosine between two array axes above which no grid, of any format, is taken for rectangular (0.6 degrees).
MOST_SHEAR = 0.01
#: Below this a grid is rectangular but for the rounding of its numbers.
_ROUNDING = 1e-6
#: Voxels that are longer (mm) from head to foot or from front to back hide the height of a disc.
_THICK_MM = 2.0
_LENGTHWISE = {1: "from front to back, as in coronal slices", 2: "from head to foot, as in axial slices"}
#: Air is about -1000 Hounsfield units and fills much of any CT; magnitude MRI has no negative values.
_AIR, _AIR_HU = -1000, (-1100, -900)
_LEAST_AIR = 0.03


@dataclass(frozen=True)
class Volume:
    """A 3D image and where it lies.

    :ivar array: array[i,j,k].
    :ivar affine: 4x4 float64, voxel index (i, j, k, 1) to RAS mm.
    :ivar meta: what the source said of itself (format, modality, series description ...), no patient identity.
    :ivar frames: of DICOM, the image of each k. They name files, and file names may name patients: never written.
    :ivar outside: which voxels had no value (NaN) and were given one; None if there are none. See `background.py`.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    meta: dict[str, object] = field(default_factory=dict)
    frames: tuple[Frame, ...] = field(default=(), repr=False)
    outside: NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k in mm."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))

    @property
    def sha256(self) -> str:
        """SHA-256 of voxels and geometry: what tells one image from another, whether NaN around it is filled or not."""
        from .background import filled

        digest = hashlib.sha256(np.ascontiguousarray(filled(self.array)).tobytes())
        digest.update(np.round(self.affine, 4).tobytes())
        return digest.hexdigest()

    @property
    def case_id(self) -> str:
        """``"case"`` and the start of `sha256`: the same for the same image, and nothing of the patient."""
        return f"case{self.sha256[:10]}"


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a 3D image: NIfTI, ANALYZE, NRRD, MetaImage, a DICOM folder or an enhanced DICOM file.

    Axes that are nearly at right angles (`MOST_SHEAR`) are made so, and NaN around the image is given a value.

    :param series: of DICOM: UID, number or description of the series, or UID of the study, where there are several.
    :return: `meta` holds ``format``, ``warnings`` where there are any, and of DICOM what `read_dicom` names.
    :raises SpineMeasureError: one of its subclasses, saying what is wrong with the input.
    """
    path = Path(path)
    require_utf8(path, UnreadableInputError)
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
    from .background import without_gaps

    with np.errstate(all="ignore"):  # damaged headers state any numbers; what comes of them is checked
        volume = _rectangular(_read(path, series))
    volume = without_gaps(volume)
    found = [*thick_slices(volume.affine[:3, :3]), *ignored_series(path, series)]
    earlier = cast("list[str]", volume.meta.get("warnings", []))
    return replace(volume, meta={**volume.meta, "warnings": [*earlier, *found]}) if found else volume


def ignored_series(path: Path, series: str | None) -> list[str]:
    """A warning if a series is chosen of an image that is not DICOM."""
    if series is None or _is_dicom(path):
        return []
    return [f"{path.name} is not DICOM; the choice of a series ({series}) was ignored."]


def _is_dicom(path: Path) -> bool:
    from .io.dicom.files import is_dicom

    return path.is_dir() or is_dicom(path)


def _read(path: Path, series: str | None) -> Volume:
    try:
        if _is_dicom(path):
            from .io.dicom.volume import read_dicom

            return read_dicom(path, series)
        from .io.image_file import read_file

        return read_file(path)
    except PermissionError as error:
        raise UnreadableInputError(f"{path.name} may not be read.", "Check its permissions.") from error


def thick_slices(axes: NDArray[np.float64]) -> list[str]:
    """A warning where axial or coronal slices are too thick to measure discs in.

    :param axes: 3x3, the step along each array axis in mm in a column, in RAS or LPS.
    """
    lengths, along = np.linalg.norm(axes, axis=0).round(2), np.abs(axes).argmax(axis=0)
    thick = [
        (length, axis)
        for length, axis in zip(lengths, along, strict=True)
        if axis in _LENGTHWISE and length > _THICK_MM
    ]
    if not thick:
        return []
    length, axis = max(thick)
    return [
        f"The voxels are {length:.1f} mm long {_LENGTHWISE[axis]}: disc heights are not to be trusted. "
        "Use a sagittal or a 3D series."
    ]


def check_mri(volume: Volume) -> None:
    """Refuse what is not a usable MRI. NaN around the image may still be there: whoever reads it fills it.

    :raises EmptyVolumeError: no or constant content.
    :raises NonFiniteVolumeError: NaN or infinite values within the image.
    :raises ModalityError: a CT.
    """
    from .background import unpadded, without_gaps

    if volume.array.size == 0:
        raise EmptyVolumeError("The image contains no voxels.", "Choose another series.")
    array = without_gaps(volume).array
    low, high = array.min(), array.max()
    if low == high:
        raise EmptyVolumeError(f"Every voxel of the image has the same value ({low}).", "Choose another series.")
    modality = str(volume.meta.get("modality", "MR"))
    if modality != "MR":
        raise ModalityError(f"The image is of modality {modality}, not an MRI.", "Choose an MR series.")
    if low < _AIR_HU[1] and _shows_air(array, unpadded(array)):
        raise ModalityError("The image looks like a CT: many values lie near -1000.", "Choose an MR series.")


def _shows_air(array: NDArray[Any], values: NDArray[Any]) -> bool:
    """Whether much of the image is air in Hounsfield units.

    :param values: those of `array` that are not padding, which is not air unless it has air's own value.
    """
    air = np.count_nonzero((values > _AIR_HU[0]) & (values < _AIR_HU[1]))
    if values.size < array.size:
        air = max(air, np.count_nonzero(array == _AIR))
    return bool(air > _LEAST_AIR * array.size)


def write_volume(volume: Volume, path: Path) -> None:
    """Write as NIfTI, NRRD or MetaImage, by the ending of `path`; geometry is kept exactly.

    :raises OutputError: the file cannot be written.
    """
    import SimpleITK as sitk

    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(to_sitk(volume), str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OutputError(
                f"{path.name} could not be written.", "Check its ending (.nii.gz, .nrrd), the folder and the disk."
            ) from error


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


def shear(directions: NDArray[np.float64]) -> float:
    """How far the axes (unit vectors in the columns of a 3x3) are from right angles: the largest cosine between two."""
    return float(np.abs(directions.T @ directions - np.eye(3)).max())


def _rectangular(volume: Volume) -> Volume:
    """The volume on a grid of right angles; one that no spine can be measured on is refused."""
    fine, middle, coarse = sorted(volume.spacing)
    if not np.isfinite(volume.affine).all() or fine < FINEST_MM:
        raise SpacingError(f"A voxel spacing of {fine:.3g} mm cannot be right.", "Export it again with its spacing.")
    if coarse > COARSEST_SLICE_MM or middle > COARSEST_IN_PLANE_MM:
        raise SpacingError(
            f"The voxels are too coarse to measure in: {fine:.1f} x {middle:.1f} x {coarse:.1f} mm.",
            f"Use images of at most {COARSEST_IN_PLANE_MM:g} mm in plane and {COARSEST_SLICE_MM:g} mm between slices.",
        )
    directions = volume.affine[:3, :3] / volume.spacing
    sheared = shear(directions)
    if not sheared <= MOST_SHEAR:
        raise SpacingError("The image's axes are not at right angles.", "Export it again from the scanner's images.")
    if sheared <= _ROUNDING:
        return volume
    left, _, right = np.linalg.svd(directions)
    affine = volume.affine.copy()
    affine[:3, :3] = left @ right * volume.spacing  # the nearest grid of right angles
    return replace(volume, affine=affine)
