"""Geometry of voxel arrays: small pure functions on affines and arrays, in the manner of nibabel.

An affine is a 4x4 float matrix that takes a voxel index (i, j, k, 1) to RAS mm: x right, y anterior, z superior. Its
columns are the steps along the array axes; the length of a step is the voxel size, its direction a unit vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
#: Array axes and, for each, +1 or -1: in which order and direction an array is to be stored.
Order = tuple[tuple[int, int, int], tuple[int, int, int]]

#: DICOM, NRRD and MetaImage state positions in LPS mm: x left, y posterior, z superior.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Voxels this many times larger along one axis than along another are slices.
_THICKER = 1.2


def from_matvec(matrix: ArrayLike, vector: ArrayLike = (0, 0, 0)) -> Array:
    """Make an affine from a 3x3 matrix (one step in each column) and the position of the first voxel.

    >>> from_matvec(np.diag([2, 3, 4]), [9, 10, 11])
    array([[ 2.,  0.,  0.,  9.],
           [ 0.,  3.,  0., 10.],
           [ 0.,  0.,  4., 11.],
           [ 0.,  0.,  0.,  1.]])
    """
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = vector
    return affine


def apply_affine(affine: NDArray[np.floating], points: ArrayLike) -> Array:
    """Apply an affine to points [..., 3]: indices to mm.

    >>> apply_affine(from_matvec(np.diag([2, 3, 4]), [9, 10, 11]), [[0, 0, 0], [1, 1, 1]])
    array([[ 9., 10., 11.],
           [11., 13., 15.]])
    """
    moved: Array = apply_to_vectors(affine, points) + affine[:3, 3]
    return moved


def apply_inverse(affine: Array, points: ArrayLike) -> Array:
    """Apply the inverse of an affine to points [..., 3]: mm to indices, which need not be whole numbers.

    >>> apply_inverse(from_matvec(np.diag([2, 3, 4]), [9, 10, 11]), [11, 13, 13])
    array([1. , 1. , 0.5])
    """
    return apply_affine(np.linalg.inv(affine), points)


def apply_to_vectors(affine: NDArray[np.floating], vectors: ArrayLike) -> Array:
    """Apply an affine to differences [..., 3] between points, which its origin does not move.

    >>> apply_to_vectors(from_matvec(np.diag([2, 3, 4]), [9, 10, 11]), [1, 1, 1])
    array([2., 3., 4.])
    """
    turned: Array = np.asarray(vectors) @ affine[:3, :3].T
    return turned


def cropped_affine(affine: Array, first: ArrayLike) -> Array:
    """Return the affine of a part of an array whose first voxel has the index `first` in the whole.

    >>> cropped_affine(np.diag([2.0, 3, 4, 1]), [1, 1, 1])[:3, 3]
    array([2., 3., 4.])
    """
    return from_matvec(affine[:3, :3], apply_affine(affine, first))


def corners(affine: Array, shape: Sequence[int]) -> Array:
    """Return the eight outermost voxel centres [8, 3] of an array of this shape.

    >>> corners(np.diag([2.0, 3, 4, 1]), (2, 3, 4)).max(axis=0)
    array([ 2.,  6., 12.])
    """
    return apply_affine(affine, np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(shape[:3]) - 1))


def voxel_sizes(affine: Array) -> Array:
    """Return the distance between voxel centres along each array axis in mm.

    >>> voxel_sizes(np.array([[0.0, 0, 4, 7], [2, 0, 0, 7], [0, -3, 0, 7], [0, 0, 0, 1]]))
    array([2., 3., 4.])
    """
    sizes: Array = np.linalg.norm(affine[:3, :3], axis=0)
    return sizes


def directions(affine: Array) -> Array:
    """Return the unit vectors along the array axes, one in each column of a 3x3.

    >>> directions(np.diag([-2.0, 3, 4, 1]))
    array([[-1.,  0.,  0.],
           [ 0.,  1.,  0.],
           [ 0.,  0.,  1.]])
    """
    axes: Array = affine[:3, :3] / voxel_sizes(affine)
    return axes


def shear(affine: Array) -> float:
    """Return how far the array axes are from right angles: the largest cosine between two of them.

    >>> shear(np.diag([2.0, 3, 4, 1]))
    0.0
    >>> shear(np.array([[1.0, 0.6, 0, 0], [0, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    0.6
    """
    axes = directions(affine)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def rectangular(affine: Array) -> Array:
    """Return the nearest affine with axes at right angles, with the same voxel sizes and first voxel.

    >>> sheared = np.array([[2.0, 0.02, 0, 5], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> shear(rectangular(sheared)) < 1e-12
    True
    >>> np.allclose(voxel_sizes(rectangular(sheared)), voxel_sizes(sheared))
    True
    """
    left, _, right = np.linalg.svd(directions(affine))
    return from_matvec(left @ right * voxel_sizes(affine), affine[:3, 3])


def anatomical_axes(affine: Array) -> Order:
    """Return the array axes nearest to right, anterior and superior, and +1 or -1 if they point there or away.

    >>> anatomical_axes(np.array([[0.0, 0, 4, 0], [2, 0, 0, 0], [0, -3, 0, 0], [0, 0, 0, 1]]))
    ((2, 0, 1), (1, 1, -1))
    """
    axes = directions(affine)
    best = max(
        ((a, b, c) for a in range(3) for b in range(3) for c in range(3) if len({a, b, c}) == 3),
        key=lambda p: sum(abs(axes[row, column]) for row, column in enumerate(p)),
    )
    first, second, third = (1 if axes[row, column] > 0 else -1 for row, column in enumerate(best))
    return best, (first, second, third)


def slice_axes(affine: Array) -> Order:
    """Return the array axes of slices, rows and columns: `anatomical_axes` to the right, superior and anterior.

    >>> slice_axes(np.diag([2.0, -3, 4, 1]))
    ((0, 2, 1), (1, 1, -1))
    """
    (right, anterior, superior), (to_right, to_anterior, to_superior) = anatomical_axes(affine)
    return (right, superior, anterior), (to_right, to_superior, to_anterior)


def across_slices(affine: Array) -> int:
    """Return the array axis across the slices of an image: the one with thicker voxels, else the right-left one.

    >>> across_slices(np.diag([1.0, 4, 1, 1])), across_slices(np.diag([1.0, 1, 1, 1]))
    (1, 0)
    """
    sizes = voxel_sizes(affine)
    return int(np.argmax(sizes)) if sizes.max() > _THICKER * sizes.min() else anatomical_axes(affine)[0][0]


def reorder(array: NDArray, order: tuple[Sequence[int], Sequence[int]]) -> NDArray:
    """Return a view of an array with its first three axes permuted, then reversed where the sign is -1.

    >>> reorder(np.arange(6).reshape(1, 2, 3), ((2, 0, 1), (-1, 1, 1)))[:, 0, 0]
    array([2, 1, 0])
    """
    axes, signs = order
    return array.transpose(*axes, *range(3, array.ndim))[tuple(slice(None, None, sign) for sign in signs)]


def reordered_affine(affine: Array, shape: Sequence[int], order: tuple[Sequence[int], Sequence[int]]) -> Array:
    """Return the affine of `reorder(array, order)`, for an array of this shape and affine.

    >>> reordered_affine(np.diag([2.0, 3, 4, 1]), (5, 6, 7), ((2, 0, 1), (-1, 1, 1)))[:3, 3]
    array([ 0.,  0., 24.])
    """
    axes, signs = (list(part) for part in order)
    first = np.zeros(3)
    first[axes] = [shape[axis] - 1 if sign < 0 else 0 for axis, sign in zip(axes, signs, strict=True)]
    return from_matvec(affine[:3, axes] * signs, apply_affine(affine, first))


def ras_order(array: NDArray, affine: Array) -> NDArray:
    """Return a view of array[i,j,k] as array[r,a,s]: its axes point right, anterior, superior.

    >>> ras_order(np.arange(3).reshape(1, 3, 1), np.diag([1.0, -1, 1, 1]))[0, :, 0]
    array([2, 1, 0])
    """
    return reorder(array, anatomical_axes(affine))


def slice_order(array: NDArray, affine: Array) -> NDArray:
    """Return a view of array[i,j,k] as array[slice, row, column]: to the right, superior and anterior.

    >>> slice_order(np.zeros((20, 300, 400)), np.diag([4.0, 1, 1, 1])).shape
    (20, 400, 300)
    """
    return reorder(array, slice_axes(affine))


def from_slice_order(array: NDArray, affine: Array) -> NDArray:
    """Return a view of array[slice, row, column] as array[i,j,k]: the inverse of `slice_order`.

    >>> affine = np.array([[0.0, 0, 4, 0], [2, 0, 0, 0], [0, -3, 0, 0], [0, 0, 0, 1]])
    >>> stored = np.arange(24).reshape(2, 3, 4)
    >>> bool((from_slice_order(slice_order(stored, affine), affine) == stored).all())
    True
    """
    axes, signs = slice_axes(affine)
    return array[tuple(slice(None, None, sign) for sign in signs)].transpose(np.argsort(axes))


def slice_spacing(affine: Array) -> tuple[float, float, float]:
    """Return the voxel sizes in mm between slices, rows and columns.

    >>> slice_spacing(np.diag([4.0, 1, 2, 1]))
    (4.0, 2.0, 1.0)
    """
    slices, rows, columns = voxel_sizes(affine)[list(slice_axes(affine)[0])]
    return float(slices), float(rows), float(columns)
