"""Placing labels on the voxels of an image, in whatever order they are stored and whatever part they cover."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryMismatchError
from .orientation import (
    apply_inverse,
    corners,
    directions,
    from_matvec,
    reorder,
    reordered_affine,
    slice_axes,
    voxel_sizes,
)
from .volume import Volume

#: How far (mm) a voxel of a label map may be from the image's voxel: headers round positions. A tenth of a fine pixel.
SAME_GRID_MM = 0.05
#: By how much (relative) voxel sizes must differ, by how much (degrees) axes, to be named as the reason.
_OTHER_SIZE, _OTHER_DIRECTION_DEG = 0.005, 0.1
_RESAMPLE = "Resample it to the image's geometry first (nearest neighbour)."


@dataclass(frozen=True)
class Placed:
    """The part of a label map that is inside the image.

    :ivar box: the voxels of the image that it covers, a slice for each axis.
    :ivar array: array[i,j,k] of that size, further axes as in the label map.
    """

    box: tuple[slice, slice, slice]
    array: NDArray[Any]


def in_slice_order(volume: Volume) -> Volume:
    """Return the same voxels as array[slice, row, column], with their affine (see `orientation.slice_order`)."""
    order = slice_axes(volume.affine)
    affine = reordered_affine(volume.affine, volume.array.shape, order)
    return Volume(reorder(volume.array, order), affine, volume.meta)


def on_grid_of(volume: Volume, labels: Volume) -> Volume:
    """Return the labels in the image's storage order, after a check that they cover exactly its voxels.

    Programs store the same voxels with axes in another order or direction; that is undone, nothing is resampled.

    :raises GeometryMismatchError: they are elsewhere, or cover another part of the body.
    """
    placed = place(volume, labels)
    if placed.array.shape != volume.array.shape or labels.array.size != volume.array.size:
        raise _mismatch("it covers a different part of the body", _RESAMPLE)
    return Volume(np.ascontiguousarray(placed.array), volume.affine, labels.meta)


def padded_to(volume: Volume, labels: Volume) -> tuple[Volume, list[str]]:
    """Put labels that were cropped or padded on the image's lattice on the voxels of the image; also return warnings.

    :param labels: array[i,j,k], further axes for further layers; `outside` may mark voxels that it does not cover.
    :return: `outside` marks the voxels of the image that the labels do not cover.
    :raises GeometryMismatchError: they are not on the image's lattice, or entirely outside the image.
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
    """Return the voxels of an image outside a box, array[i,j,k]; None if there are none."""
    outside = np.ones(volume.array.shape, bool)
    outside[box] = False
    return outside if outside.any() else None


def cut_in_words(labelled: int, inside: int) -> list[str]:
    """Return a warning if labelled voxels are outside the image.

    :raises GeometryMismatchError: all of them are.
    """
    if labelled and not inside:
        raise _mismatch("it covers a different part of the body", "Choose the label map of this image.")
    if inside < labelled:
        share = (labelled - inside) / labelled
        return [f"{share:.1%} of the label map is outside the image and was cut off."]
    return []


def place(volume: Volume, labels: Volume, tolerance_mm: float = SAME_GRID_MM) -> Placed:
    """Find the part of an image that a label map with voxels of the same lattice covers.

    :param labels: array[i,j,k], further axes for further layers; axes may be stored in another order or direction.
    :param tolerance_mm: how far a voxel of the label map may be from the voxel of the image.
    :raises GeometryMismatchError: its voxels are not on the image's lattice.
    """
    between = np.linalg.inv(volume.affine) @ labels.affine
    turn = np.rint(between[:3, :3])
    axes = np.abs(turn).argmax(axis=0)
    if sorted(axes) != [0, 1, 2] or np.abs(turn).sum() != 3:
        raise _elsewhere(volume, labels)
    exact = from_matvec(turn, np.rint(between[:3, 3]))
    if _corner_distance(labels, volume.affine @ exact) > tolerance_mm:
        raise _elsewhere(volume, labels)
    order = np.argsort(axes).tolist()
    signs = [int(turn[place, axis]) for place, axis in enumerate(order)]
    array = reorder(labels.array, (order, signs))
    first = reordered_affine(exact, labels.array.shape, (order, signs))[:3, 3].astype(int)
    inside, taken = [], []
    for start, size, limit in zip(first, array.shape[:3], volume.array.shape, strict=True):
        low = int(np.clip(start, 0, limit))
        high = int(np.clip(start + size, low, limit))
        inside.append(slice(low, high))
        taken.append(slice(low - int(start), high - int(start)) if high > low else slice(0, 0))
    return Placed((inside[0], inside[1], inside[2]), array[tuple(taken)])


def _elsewhere(volume: Volume, labels: Volume) -> GeometryMismatchError:
    """Return the reason why a label map is not on the image's lattice, as far as the headers show it."""
    cosines = np.abs(directions(volume.affine).T @ directions(labels.affine))
    sizes, own = voxel_sizes(labels.affine), voxel_sizes(volume.affine)[cosines.argmax(axis=0)]
    angle = float(np.degrees(np.arccos(np.clip(cosines.max(axis=0).min(), -1, 1))))
    if angle > _OTHER_DIRECTION_DEG:
        return _mismatch(f"it is rotated by {angle:.1f} degrees relative to the image", _RESAMPLE)
    if np.abs(sizes / own - 1).max() > _OTHER_SIZE:
        return _mismatch(f"its voxels are {_sizes(sizes)} mm, the image's voxels {_sizes(own)} mm", _RESAMPLE)
    start = apply_inverse(volume.affine, labels.affine[:3, 3])
    shift = np.abs(start - np.rint(start)) * volume.spacing
    return _mismatch(f"it is shifted by {_sizes(shift)} mm relative to the image's voxels", _RESAMPLE)


def _sizes(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.2f}" for value in values)


def _mismatch(reason: str, hint: str) -> GeometryMismatchError:
    return GeometryMismatchError(f"The label map does not match the image grid: {reason}.", hint)


def _corner_distance(labels: Volume, affine: NDArray[np.float64]) -> float:
    """Return how far (mm) the voxels of a label map are at most from their position by another affine."""
    here, there = (corners(one, labels.array.shape) for one in (affine, labels.affine))
    return float(np.abs(here - there).max())
