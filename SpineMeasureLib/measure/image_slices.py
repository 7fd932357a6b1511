"""The image as its own slices: sampled within them, never between them, so that thick slices blur no edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..orientation import across_slices, apply_affine, voxel_sizes
from ..volume import Volume

Array = NDArray[np.float64]

#: A direction that crosses the slices less steeply than this leads to no neighbouring slice.
_ACROSS = 0.35
#: A block of the lowest value is padding if it covers this part of a slice.
_PADDING = 0.01

#: A wall moves at most this far (mm) from a point between slices to the slices.
_MOST_MM = 3.0


@dataclass(frozen=True)
class SlicePoints:
    """Where points of a measuring plane appear in one slice.

    :ivar points: [..., 3] RAS mm, all in the slice.
    :ivar aside: [...] mm from the measuring plane, to the right.
    """

    points: Array
    aside: Array


@dataclass
class ImageSlices:
    """An image, sampled slice by slice with cubic splines (in-plane only).

    :ivar axis: array axis across the slices.
    :ivar spacing: distance between slices in mm.
    """

    volume: Volume
    axis: int = field(init=False)
    spacing: float = field(init=False)
    _coefficients: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False)
    _unknown: dict[int, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.axis = across_slices(self.volume.affine)
        self.spacing = float(voxel_sizes(self.volume.affine)[self.axis])
        self._inverse = np.linalg.inv(self.volume.affine)
        self._lowest = float(np.nanmin(self.volume.array))

    @property
    def count(self) -> int:
        """Number of slices."""
        return int(self.volume.array.shape[self.axis])

    def in_slices(self, points: Array, right: Array, reach: float, most: int) -> Mapping[int, SlicePoints]:
        """Return where points appear in each near slice, moved along `right` only.

        :param points: RAS mm [n, m, 3] in a measuring plane.
        :param right: unit vector [3] or [n, 3] across it: the structure's own right, along which it changes least.
        :param reach: how far (mm) a slice may be away; the nearest two count in any case.
        :param most: largest number of slices.
        :return: by slice number; NaN where, and empty if, `right` is along the slices.
        """
        gradient = self._inverse[self.axis, :3]
        steps = np.broadcast_to(right, points[:, 0].shape) @ gradient  # slices per mm
        across = np.abs(steps) * self.spacing >= _ACROSS
        if not across.any():
            return {}
        step = float(np.mean(steps[across]))
        index = points @ gradient + self._inverse[self.axis, 3]
        middle = float(index[across].mean())
        near = sorted(range(self.count), key=lambda k: abs(k - middle))[:most]
        wanted = [k for n, k in enumerate(near) if abs(k - middle) / abs(step) <= max(reach, self.spacing * (n < 2))]
        found = {}
        for k in sorted(wanted):
            aside = (k - index) / np.where(across, steps, np.nan)[:, None]
            found[k] = SlicePoints(points + aside[..., None] * (right if right.ndim == 1 else right[:, None]), aside)
        return found

    def at(self, k: int, points: Array) -> Array:
        """Return the signal in slice `k` at RAS points [..., 3] of that slice; NaN where it shows nothing."""
        places = apply_affine(self._inverse, points.reshape(-1, 3))[:, [n for n in range(3) if n != self.axis]].T
        known = np.isfinite(places).all(axis=0)
        index = np.where(known, places, 0.0)
        coefficients = self._spline(k)
        values = ndimage.map_coordinates(coefficients, index, order=3, prefilter=False, mode="nearest", output=float)
        last = np.array(coefficients.shape)[:, None] - 1
        nearest = np.clip(np.rint(index), 0, last).astype(np.intp)
        values[~known | ((index < 0) | (index > last)).any(axis=0) | self._blank(k)[tuple(nearest)]] = np.nan
        return values.reshape(points.shape[:-1])

    def between(self, points: Array, outward: Array, depth: Callable[[Array], Array]) -> Array:
        """Return the signal at points of profiles through a wall; NaN where the image shows nothing.

        Linear between slices, at places in them that are as deep in the structure as the point: between thick slices
        the wall of a round lumen is not on the straight line from one slice to the next.

        :param points: RAS mm [..., 3].
        :param outward: unit vectors [..., 3], outward through the wall.
        :param depth: returns how deep RAS points [n, 3] are in the structure, mm, about.
        """
        flat, ways = points.reshape(-1, 3), outward.reshape(-1, 3)
        step = self.volume.affine[:3, self.axis]
        here = depth(flat)
        index = flat @ self._inverse[self.axis, :3] + self._inverse[self.axis, 3]
        inside = np.clip(index, 0, self.count - 1)
        first = inside.astype(int)
        part = inside - first
        values = np.zeros(len(flat))
        for number, weight in ((first, 1 - part), (first + 1, part)):
            moved = flat + (number - index)[:, None] * step
            moved += np.clip(depth(moved) - here, -_MOST_MM, _MOST_MM)[:, None] * ways
            for k in np.unique(number[weight > 0]):
                chosen = (number == k) & (weight > 0)
                values[chosen] += weight[chosen] * self.at(int(k), moved[chosen])
        values[(index < -0.5) | (index > self.count - 0.5)] = np.nan
        return values.reshape(points.shape[:-1])

    def _blank(self, k: int) -> NDArray[np.bool_]:
        """Return the pixels of slice `k` without a signal: filled ones, and padding.

        Padding is a large block of the lowest value at the border.
        """
        if k not in self._unknown:
            plane = np.take(self.volume.array, k, self.axis)
            pieces, count = ndimage.label(ndimage.binary_opening(plane <= self._lowest, np.ones((3, 3), bool)))
            border = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
            sizes = np.bincount(pieces.ravel(), minlength=count + 1)
            padding = [n for n in np.unique(border) if n and sizes[n] > _PADDING * plane.size]
            blank = np.isin(pieces, padding)
            if self.volume.outside is not None:
                blank |= np.take(self.volume.outside, k, self.axis)
            self._unknown[k] = blank
        return self._unknown[k]

    def _spline(self, k: int) -> NDArray[np.float32]:
        if k not in self._coefficients:
            plane = np.take(self.volume.array, k, self.axis)
            known = np.nan_to_num(plane.astype(np.float32))
            self._coefficients[k] = ndimage.spline_filter(known, order=3, output=np.float32)
        return self._coefficients[k]
