"""The curve through the column and connected pieces of a mask.

Arrays are in network order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
Labels = NDArray[np.int32]

#: Voxels that share a face or an edge are connected.
CONNECTED = ndimage.generate_binary_structure(3, 2)


def pieces_of(mask: NDArray[np.bool_], voxel_mm3: float, smallest_mm3: float) -> tuple[Labels, NDArray[np.int64]]:
    """Connected pieces of a mask that are large enough.

    :return: (labels, numbers of the pieces kept).
    """
    labels, count = ndimage.label(mask, CONNECTED)
    sizes = np.bincount(labels[mask], minlength=count + 1)[1:] * voxel_mm3
    return labels, np.flatnonzero(sizes >= smallest_mm3) + 1


def fit_curve(mask: NDArray[np.bool_], spacing: Array) -> Array:
    """Smooth curve through the column: points [n, 3] in mm from inferior to superior, about 1 mm apart."""
    weights = mask.sum(axis=(0, 2)).astype(float)
    rows = np.flatnonzero(weights)
    places = np.arange(mask.shape[1])
    sigma = 8.0 / spacing[1]
    curve = np.empty((len(places), 3))
    curve[:, 1] = places * spacing[1]
    for axis, other in ((0, 2), (2, 0)):
        profile = mask.sum(axis=other).astype(float)
        profile = profile if axis == 0 else profile.T
        moment = (np.arange(mask.shape[axis])[:, None] * profile).sum(axis=0)
        smooth = ndimage.gaussian_filter1d(moment, sigma) / np.maximum(ndimage.gaussian_filter1d(weights, sigma), 1e-9)
        good = ndimage.gaussian_filter1d(weights, sigma) > 1e-3 * weights.max()
        curve[:, axis] = np.interp(places, places[good], smooth[good]) * spacing[axis]
    margin = round(20 / spacing[1])
    return curve[max(0, rows[0] - margin) : rows[-1] + margin + 1]


def _arc(curve: Array) -> Array:
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])


def arc_positions(curve: Array, points: Array) -> tuple[Array, Array]:
    """Arc length (mm from the inferior end) and distance of each point [n, 3] from the curve."""
    offsets = np.linalg.norm(points[:, None, :] - curve[None, :, :], axis=2)
    return _arc(curve)[offsets.argmin(axis=1)], offsets.min(axis=1)


def tangent_at(curve: Array, position: float) -> Array:
    """Unit tangent towards the head at an arc length."""
    low, high = np.searchsorted(_arc(curve), [position - 6, position + 6])
    ends = curve[min(high, len(curve) - 1)] - curve[max(low - 1, 0)]
    tangent: Array = ends / max(np.linalg.norm(ends), 1e-9)
    return tangent


def forward_of(up: Array) -> Array:
    """Anterior unit vector in the sagittal plane, perpendicular to an axis of the spine."""
    ahead: Array = np.array([0.0, -up[2], up[1]]) / np.hypot(up[1], up[2])
    return ahead
