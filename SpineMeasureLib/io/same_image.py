"""Whether two images are the same one, in whatever format, data type and order their voxels are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryMismatchError
from ..grid import on_grid_of
from ..volume import Volume

#: Voxels whose order of brightness is compared, at most.
_ORDERED = 1_000_000
#: Key in run.json of the hash that versions up to 0.1 stored alone, which holds for one format and storage order.
_EARLIER = "sha256"


def statement(image: Volume) -> dict[str, object]:
    """What run.json states of an image so that it is recognised: ``shape``, ``affine`` to RAS mm and `voxel_hashes`."""
    return {"shape": list(image.array.shape), "affine": image.affine.tolist(), **voxel_hashes(image.array)}


def voxel_hashes(array: NDArray[np.generic]) -> dict[str, str]:
    """SHA-256 of voxels in the storage order of `array`, the same for every data type that holds the values.

    :return: ``voxels_sha256`` of the values in single precision; ``order_sha256`` of their ranks, which stays where
        values are rescaled: a NIfTI copy of DICOM images need not have their rescale slope and intercept.
    """
    values = np.nan_to_num(np.ascontiguousarray(array, dtype="<f4").ravel(), nan=-np.inf) + np.float32(0)
    some = values[:: max(1, values.size // _ORDERED)]
    ranks = np.unique(some, return_inverse=True)[1].astype("<u4")
    return {
        "voxels_sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "order_sha256": hashlib.sha256(ranks.tobytes()).hexdigest(),
    }


def stated_grid(stated: Mapping[str, Any]) -> Volume | None:
    """Where the voxels of the stated image are, in its storage order; the values are 0. None where that is not stated.

    Slicer stores the image of a scene in another order than the file from which it came.
    """
    if "affine" not in stated:
        return None
    return Volume(np.broadcast_to(np.uint8(0), stated["shape"]), np.array(stated["affine"], float))


def is_stated_image(stated: Mapping[str, Any], image: Volume) -> bool:
    """Whether an image is the one of `statement`; True where too little is stated to know.

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
    """Refuse two volumes that are not copies of one image, rescaled at most.

    :raises GeometryMismatchError: they are not.
    """
    first, second = (voxel_hashes(array) for array in (image.array, on_grid_of(image, other).array))
    if first["order_sha256"] != second["order_sha256"]:
        raise GeometryMismatchError(
            "The images on disk are not those that the case was measured on.", "Open the case with its own images."
        )


def _is_dicom(kind: object) -> bool:
    return str(kind).lower() == "dicom"
