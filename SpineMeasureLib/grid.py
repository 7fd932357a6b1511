"""Whether two images lie on the same voxels, whatever the order in which they store them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryMismatchError
from .segmentation import SpineSegmentation
from .volume import Volume

#: How far (mm) the grid of a label map may lie from the image's.
_SAME_GRID_MM = 0.05


def on_grid_of(volume: Volume, labels: Volume) -> Volume:
    """The labels in the image's storage order, checked to lie on its voxels.

    Programs store the same voxels with axes in another order or direction; that is undone, nothing is resampled.

    :raises GeometryMismatchError: they lie elsewhere.
    """
    between = np.linalg.inv(volume.affine) @ labels.affine
    turn = np.rint(between[:3, :3])
    axes = np.abs(turn).argmax(axis=0)
    if sorted(axes) == [0, 1, 2] and np.abs(turn).sum() == 3:
        order = np.argsort(axes)
        array = labels.array.transpose(order)
        flipped = tuple(place for place, axis in enumerate(order) if turn[place, axis] < 0)
        affine = labels.affine @ _reordering(order, flipped, array.shape)
        array = np.ascontiguousarray(np.flip(array, flipped))
        if array.shape == volume.array.shape and _corner_distance(volume, affine) < _SAME_GRID_MM:
            return Volume(array, volume.affine, labels.meta)
    raise GeometryMismatchError(
        "The label map does not lie on the voxels of the image.", "Resample it to the image's geometry first."
    )


def segmentation_on(volume: Volume, segmentation: SpineSegmentation) -> SpineSegmentation:
    """The segmentation in the image's storage order, checked to lie on its voxels.

    :raises GeometryMismatchError: it lies elsewhere.
    """
    labels = on_grid_of(volume, segmentation.as_volume())
    return replace(segmentation, labels=labels.array, affine=labels.affine)


def _reordering(order: NDArray[np.intp], flipped: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """4x4, index into the reordered array to index into the stored one."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for place, axis in enumerate(order):
        matrix[axis, place] = -1 if place in flipped else 1
        matrix[axis, 3] = shape[place] - 1 if place in flipped else 0
    return matrix


def _corner_distance(volume: Volume, affine: NDArray[np.float64]) -> float:
    """How far (mm) two grids of the volume's shape lie apart at most."""
    corners = np.array([[i, j, k, 1.0] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners[:, :3] *= np.array(volume.array.shape) - 1
    return float(np.abs(corners @ (affine - volume.affine).T).max())
