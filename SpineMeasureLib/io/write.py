"""Writing a volume, and its exchange with SimpleITK (LPS mm)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..files import atomic_path
from ..orientation import LPS_TO_RAS, directions, from_matvec
from ..volume import Volume

if TYPE_CHECKING:
    import SimpleITK


def write_volume(volume: Volume, path: Path) -> None:
    """Write NIfTI, NRRD or MetaImage, by the ending of `path`; geometry is kept exactly.

    :raises OutputError: the file cannot be written.
    """
    import SimpleITK as sitk

    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(to_sitk(volume), str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OutputError(
                f"{path.name} could not be written.",
                "Check the file extension (.nii.gz, .nrrd), the folder and the disk.",
            ) from error


def to_sitk(volume: Volume) -> SimpleITK.Image:
    """Convert a volume to a SimpleITK image."""
    import SimpleITK as sitk

    array = volume.array.astype(np.uint8) if volume.array.dtype == np.bool_ else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine = LPS_TO_RAS @ volume.affine
    image.SetSpacing(volume.spacing)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection(directions(affine).ravel().tolist())
    return image


def from_sitk(image: SimpleITK.Image) -> Volume:
    """Convert a 3D SimpleITK image to a volume."""
    import SimpleITK as sitk

    axes = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return Volume(sitk.GetArrayFromImage(image).transpose(2, 1, 0), LPS_TO_RAS @ from_matvec(axes, image.GetOrigin()))
