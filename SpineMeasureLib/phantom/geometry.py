"""Geometry that the generators of spines share: rigid motions, frames, superellipses. RAS mm throughout."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from ..orientation import apply_affine, from_matvec

Array = NDArray[np.float64]


def rotation(axis: Array | tuple[float, float, float], degrees: float) -> Array:
    """Return the 3x3 rotation about an axis.

    >>> rotation((0, 0, 1), 90.0).round(6).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Array = np.eye(3) + np.sin(radians(degrees)) * k + (1 - np.cos(radians(degrees))) * k @ k
    return turned


def pose(degrees: tuple[float, float, float] = (0, 0, 0), shift: tuple[float, float, float] = (0, 0, 0)) -> Array:
    """Return a rigid motion (4x4): rotations about R, A and S in that order, then a shift in mm."""
    return from_matvec(
        rotation((0, 0, 1), degrees[2]) @ rotation((0, 1, 0), degrees[1]) @ rotation((1, 0, 0), degrees[0]), shift
    )


def superellipse(x: Array, y: Array, half_x: Array | float, half_y: Array | float, power: float) -> Array:
    """Return |x / half_x|^power + |y / half_y|^power: less than 1 inside the superellipse, 1 on it.

    >>> float(superellipse(np.array(3.0), np.array(0.0), 3.0, 2.0, 2.5))
    1.0
    """
    value: Array = np.abs(x / half_x) ** power + np.abs(y / half_y) ** power
    return value


def distance_within(x: Array, y: Array, half_x: float, half_y: float, power: float) -> Array:
    """Return the distance inside a superellipse in mm, negative outside: exact on its curve, first order near it.

    >>> [round(float(d), 6) for d in distance_within(np.array([2.5, 3.5]), np.zeros(2), 3.0, 2.0, 2.5)]
    [0.5, -0.5]
    """
    x, y = np.abs(x) / half_x, np.abs(y) / half_y
    a, b = x ** (power - 1), y ** (power - 1)
    size = np.maximum(x * a + y * b, 1e-12)
    root = size ** (1 / power)
    distance: Array = (1 - root) * size / (root * np.hypot(a / half_x, b / half_y) + 1e-30)
    return distance


@dataclass(frozen=True)
class Frame:
    """A place and two perpendicular unit vectors, RAS."""

    origin: Array
    anterior: Array
    superior: Array

    @property
    def right(self) -> Array:
        """Unit vector to the right."""
        return np.cross(self.anterior, self.superior)

    def local(self, points: Array) -> Array:
        """Convert RAS points [..., 3] to this frame: mm anterior, right, superior of the origin."""
        offset = points - self.origin
        return np.stack([offset @ self.anterior, offset @ self.right, offset @ self.superior], axis=-1)


def slice_points(affine: Array, k: float, shape: tuple[int, int, int]) -> Array:
    """Return the RAS points [rows, columns, 3] of the pixels of slice `k`, which may be between two slices."""
    rows, columns = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    index = np.stack([np.full(rows.shape, k), rows, columns], axis=-1).astype(float)
    return apply_affine(affine, index)
