"""Whether two images lie on the same voxels, in whatever order they store them and whatever part they cover."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryMismatchError
from .segmentation import SpineSegmentation
from .volume import Volume

#: How far (mm) the grid of a label map may lie from the image's.
_SAME_GRID_MM = 0.05
#: By how much (relative) voxel sizes must differ, by how much (degrees) axes, to be named as the reason.
_OTHER_SIZE, _OTHER_DIRECTION_DEG = 0.005, 0.1
_RESAMPLE = "Resample it to the image's geometry first (nearest neighbour)."


@dataclass(frozen=True)
class Placed:
    """The part of a label map that lies in the image.

    :ivar box: the voxels of the image that it covers, a slice for each axis.
    :ivar array: array[i,j,k] of that size, further axes as in the label map.
    """

    box: tuple[slice, slice, slice]
    array: NDArray[Any]


def on_grid_of(volume: Volume, labels: Volume) -> Volume:
    """The labels in the image's storage order, checked to cover exactly its voxels.

    Programs store the same voxels with axes in another order or direction; that is undone, nothing is resampled.

    :raises GeometryMismatchError: they lie elsewhere, or cover another part of the body.
    """
    placed = place(volume, labels)
    if placed.array.shape != volume.array.shape or labels.array.size != volume.array.size:
        raise _mismatch("it covers another part of the body", _RESAMPLE)
    return Volume(np.ascontiguousarray(placed.array), volume.affine, labels.meta)


def padded_to(volume: Volume, labels: Volume) -> tuple[Volume, list[str]]:
    """Labels that were cropped or padded on the image's lattice, on the voxels of the image; warnings.

    :param labels: array[i,j,k], further axes for further layers; `outside` may say which voxels it does not cover.
    :return: `outside` says which voxels of the image the labels do not cover.
    :raises GeometryMismatchError: they do not lie on the image's lattice, or entirely outside it.
    """
    placed = place(volume, labels)
    found = np.zeros((*volume.array.shape, *labels.array.shape[3:]), labels.array.dtype)
    found[placed.box] = placed.array
    outside = uncovered(volume, placed.box)
    if labels.outside is not None:
        outside = np.zeros(volume.array.shape, bool) if outside is None else outside
        outside[placed.box] = place(volume, replace(labels, array=labels.outside)).array
    warnings = cut_in_words(int(np.count_nonzero(labels.array)), int(np.count_nonzero(placed.array)))
    return Volume(found, volume.affine, labels.meta, outside=outside), warnings


def uncovered(volume: Volume, box: tuple[slice, ...]) -> NDArray[np.bool_] | None:
    """The voxels of an image outside of a box, array[i,j,k]; None if there are none."""
    outside = np.ones(volume.array.shape, bool)
    outside[box] = False
    return outside if outside.any() else None


def cut_in_words(labelled: int, inside: int) -> list[str]:
    """A warning if labelled voxels lie outside the image.

    :raises GeometryMismatchError: all of them do.
    """
    if labelled and not inside:
        raise _mismatch("it covers another part of the body", "Choose the label map of this image.")
    if inside < labelled:
        share = (labelled - inside) / labelled
        return [f"{share:.1%} of the label map lies outside the image and was cut off."]
    return []


def place(volume: Volume, labels: Volume) -> Placed:
    """Where in the image a label map lies that has voxels of the same lattice.

    :param labels: array[i,j,k], further axes for further layers; axes may be stored in another order or direction.
    :raises GeometryMismatchError: its voxels are not those of the image's lattice.
    """
    between = np.linalg.inv(volume.affine) @ labels.affine
    turn = np.rint(between[:3, :3])
    axes = np.abs(turn).argmax(axis=0)
    if sorted(axes) != [0, 1, 2] or np.abs(turn).sum() != 3:
        raise _elsewhere(volume, labels)
    exact = np.eye(4)
    exact[:3, :3], exact[:3, 3] = turn, np.rint(between[:3, 3])
    if _corner_distance(labels, volume.affine @ exact) > _SAME_GRID_MM:
        raise _elsewhere(volume, labels)
    order = np.argsort(axes)
    array = labels.array.transpose(*order, *range(3, labels.array.ndim))
    flipped = tuple(place for place, axis in enumerate(order) if turn[place, axis] < 0)
    array = np.flip(array, flipped)
    first = exact[:3, 3].astype(int) - [array.shape[p] - 1 if p in flipped else 0 for p in range(3)]
    inside, taken = [], []
    for start, size, limit in zip(first, array.shape[:3], volume.array.shape, strict=True):
        low = int(np.clip(start, 0, limit))
        high = int(np.clip(start + size, low, limit))
        inside.append(slice(low, high))
        taken.append(slice(low - int(start), high - int(start)) if high > low else slice(0, 0))
    return Placed((inside[0], inside[1], inside[2]), array[tuple(taken)])


def segmentation_on(volume: Volume, segmentation: SpineSegmentation) -> SpineSegmentation:
    """The segmentation in the image's storage order, checked to lie on its voxels.

    :raises GeometryMismatchError: it lies elsewhere.
    """
    labels = on_grid_of(volume, segmentation.as_volume())
    return replace(segmentation, labels=labels.array, affine=labels.affine)


def _elsewhere(volume: Volume, labels: Volume) -> GeometryMismatchError:
    """The reason why a label map is not on the image's lattice, as far as the headers tell."""
    theirs = labels.affine[:3, :3] / labels.spacing
    cosines = np.abs((volume.affine[:3, :3] / volume.spacing).T @ theirs)
    sizes = np.array(labels.spacing)
    own = np.array(volume.spacing)[cosines.argmax(axis=0)]
    angle = float(np.degrees(np.arccos(np.clip(cosines.max(axis=0).min(), -1, 1))))
    if angle > _OTHER_DIRECTION_DEG:
        return _mismatch(f"it is rotated by {angle:.1f} degrees relative to the image", _RESAMPLE)
    if np.abs(sizes / own - 1).max() > _OTHER_SIZE:
        return _mismatch(f"its voxels are {_sizes(sizes)} mm, those of the image {_sizes(own)} mm", _RESAMPLE)
    start = (np.linalg.inv(volume.affine) @ labels.affine[:, 3])[:3]
    shift = np.abs(start - np.rint(start)) * volume.spacing
    return _mismatch(f"it is shifted by {_sizes(shift)} mm relative to the image's voxels", _RESAMPLE)


def _sizes(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.2f}" for value in values)


def _mismatch(reason: str, hint: str) -> GeometryMismatchError:
    return GeometryMismatchError(f"The label map does not match the image grid: {reason}.", hint)


def _corner_distance(labels: Volume, affine: NDArray[np.float64]) -> float:
    """How far (mm) the voxels of a label map lie at most from where another affine puts them."""
    corners = np.array([[i, j, k, 1.0] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners[:, :3] *= np.array(labels.array.shape[:3]) - 1
    return float(np.abs(corners @ (affine - labels.affine).T).max())
