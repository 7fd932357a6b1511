"""What makes an image usable: its limits, and the errors and warnings about images beyond them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..background import unpadded, without_gaps
from ..errors import EmptyVolumeError, ModalityError, SpacingError
from ..orientation import rectangular, shear, voxel_sizes
from ..volume import Volume

#: Beyond these no distance of a spine can be measured; voxels below the last are an error of the header.
MAXIMUM_SLICE_SPACING_MM, MAXIMUM_IN_PLANE_SPACING_MM, MINIMUM_SPACING_MM = 12.0, 3.0, 0.05
#: Beyond this the image does not fit into the memory of a user's computer.
MAXIMUM_VOXELS = 1_000_000_000
MINIMUM_SLICES = 3
#: Cosine between two array axes above which a grid of any format is refused (0.6 degrees, 1 mm over 100 mm); below it
#: the grid is made rectangular.
MAXIMUM_SHEAR = 0.01
#: Cosine below which a grid is rectangular except for the rounding of its numbers.
ROUNDING_SHEAR = 1e-6
#: Voxels that are longer (mm) from head to foot or from front to back hide the height of a disc.
_THICK_MM = 2.0
_LENGTHWISE = {1: "from front to back, as in coronal slices", 2: "from head to foot, as in axial slices"}
#: Air is about -1000 Hounsfield units and fills much of any CT; magnitude MRI has no negative values.
_AIR, _AIR_HU = -1000, (-1100, -900)
_MINIMUM_AIR = 0.03


def made_rectangular(volume: Volume, maximum_shear: float = MAXIMUM_SHEAR) -> Volume:
    """Return the volume with axes at right angles.

    :param maximum_shear: largest cosine between two axes that is corrected.
    :raises SpacingError: the voxels are too coarse to measure in, the spacing cannot be right, or the axes are oblique.
    """
    fine, middle, coarse = sorted(volume.spacing)
    if not np.isfinite(volume.affine).all() or fine < MINIMUM_SPACING_MM:
        raise SpacingError(
            f"A voxel spacing of {fine:.3g} mm is not plausible.", "Export the image again with the correct spacing."
        )
    if coarse > MAXIMUM_SLICE_SPACING_MM or middle > MAXIMUM_IN_PLANE_SPACING_MM:
        raise SpacingError(
            f"The voxels are too coarse for measurements: {fine:.1f} x {middle:.1f} x {coarse:.1f} mm.",
            f"Use images of at most {MAXIMUM_IN_PLANE_SPACING_MM:g} mm in plane and "
            f"{MAXIMUM_SLICE_SPACING_MM:g} mm between slices.",
        )
    sheared = shear(volume.affine)
    if not sheared <= maximum_shear:
        raise SpacingError("The image's axes are not at right angles.", "Export it again from the scanner's images.")
    return volume if sheared <= ROUNDING_SHEAR else replace(volume, affine=rectangular(volume.affine))


def thick_slices(affine: NDArray[np.float64]) -> list[str]:
    """Return a warning if axial or coronal slices are too thick to measure discs in.

    :param affine: to RAS or LPS mm.
    """
    lengths, along = voxel_sizes(affine).round(2), np.abs(affine[:3, :3]).argmax(axis=0)
    thick = [
        (length, axis)
        for length, axis in zip(lengths, along, strict=True)
        if axis in _LENGTHWISE and length > _THICK_MM
    ]
    if not thick:
        return []
    length, axis = max(thick)
    return [
        f"The voxels are {length:.1f} mm long {_LENGTHWISE[axis]}: disc heights are unreliable. "
        "Use a sagittal or a 3D series."
    ]


def check_mri(volume: Volume) -> None:
    """Refuse an image that is not a usable MRI. NaN around the image is allowed, as readers fill it.

    :raises EmptyVolumeError: no or constant content.
    :raises NonFiniteVolumeError: NaN or infinite values within the image.
    :raises ModalityError: a CT.
    """
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
        raise ModalityError("The image looks like a CT: many values are near -1000.", "Choose an MR series.")


def _shows_air(array: NDArray[Any], values: NDArray[Any]) -> bool:
    """Return whether much of the image is air in Hounsfield units.

    :param values: values of `array` without padding, which is not air unless it has the value of air.
    """
    air = np.count_nonzero((values > _AIR_HU[0]) & (values < _AIR_HU[1]))
    if values.size < array.size:
        air = max(air, np.count_nonzero(array == _AIR))
    return bool(air > _MINIMUM_AIR * array.size)
