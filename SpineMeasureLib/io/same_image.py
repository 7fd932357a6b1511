"""Whether two images are the same, regardless of format, data type and storage order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryMismatchError
from ..grid import on_grid_of
from ..volume import Volume

#: Maximum number of voxels whose order of brightness is compared.
_ORDERED = 1_000_000
#: Key in run.json of the only hash of versions up to 0.1, which is valid for one format and storage order.
_EARLIER = "sha256"


def statement(image: Volume) -> dict[str, object]:
    """Return what run.json states to recognise an image: ``shape``, ``affine`` to RAS mm and `voxel_hashes`."""
    return {"shape": list(image.array.shape), "affine": image.affine.tolist(), **voxel_hashes(image.array)}


def voxel_hashes(array: NDArray[np.generic]) -> dict[str, str]:
    """Return SHA-256 of voxels in the storage order of `array`, the same for every data type.

    :return: ``voxels_sha256`` of the values in single precision; ``order_sha256`` of their ranks, which rescaling does
        not change: a NIfTI copy of DICOM images may lack their rescale slope and intercept.
    """
    values = np.nan_to_num(np.ascontiguousarray(array, dtype="<f4").ravel(), nan=-np.inf) + np.float32(0)
    some = values[:: max(1, values.size // _ORDERED)]
    ranks = np.unique(some, return_inverse=True)[1].astype("<u4")
    return {
        "voxels_sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "order_sha256": hashlib.sha256(ranks.tobytes()).hexdigest(),
    }


def stated_grid(stated: Mapping[str, Any]) -> Volume | None:
    """Return the grid of the stated image in its storage order, with values of 0; None if it is not stated.

    Slicer stores the image of a scene in a different order from the file it came from.
    """
    if "affine" not in stated:
        return None
    return Volume(np.broadcast_to(np.uint8(0), stated["shape"]), np.array(stated["affine"], float))


def is_stated_image(stated: Mapping[str, Any], image: Volume) -> bool:
    """Return whether an image is the one of `statement`; True if too little is stated to decide.

    :param stated: with the ``format`` of the image then.
    :raises GeometryMismatchError: the image is not on the stated voxels.
    """
    grid = stated_grid(stated)
    if grid is not None:
        copied = _is_dicom(stated.get("format")) != _is_dicom(image.meta.get("format"))
        key = "order_sha256" if copied else "voxels_sha256"
        return voxel_hashes(on_grid_of(grid, image).array)[key] == stated.get(key)
    if _EARLIER in stated and stated.get("format") == image.meta.get("format"):
        return image.sha256 == stated[_EARLIER]
    return True


def require_same_image(image: Volume, other: Volume) -> None:
    """Refuse two volumes that are not copies of one image, apart from rescaling.

    :raises GeometryMismatchError: they are not.
    """
    first, second = (voxel_hashes(array) for array in (image.array, on_grid_of(image, other).array))
    if first["order_sha256"] != second["order_sha256"]:
        raise GeometryMismatchError(
            "The images on disk are not the images that the case was measured on.", "Open the case with its own images."
        )


def _is_dicom(kind: object) -> bool:
    return str(kind).lower() == "dicom"
