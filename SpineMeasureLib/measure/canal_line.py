"""The centreline of the canal and cross-sections perpendicular to it, RAS mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..orientation import apply_affine
from .fields import Field, intervals
from .frames import unit
from .types import Plane

Array = NDArray[np.float64]

_STEP_MM = 1.0
_SMOOTHING_MM = 6.0
_SLAB_MM = 1.5
_RADIUS_MM = 22.0
#: The diameter is averaged over lines in a band of this height along the centreline, to even out voxel steps.
_BAND_MM = 3.0
_BAND_LINES = 5
#: If the lumen ends within 20 mm, a section that loses this much in the 3 mm towards the end is narrowed by it.
_END_WITHIN_MM = 20
_BEYOND_MM = 3.0
_NARROWER_MM = 1.25


@dataclass(frozen=True)
class Centreline:
    """Points [n, 3] from head to sacrum, 1 mm apart, and their unit tangents (towards the head)."""

    points: Array
    tangents: Array

    def nearest(self, point: Array) -> int:
        """Index of the centreline point nearest to a RAS point."""
        return int(np.argmin(np.linalg.norm(self.points - point, axis=1)))

    def crossing(self, point: Array, normal: Array) -> int | None:
        """Index where the centreline passes through a plane, the passage nearest to `point`; None if it does not."""
        side = (self.points - point) @ normal
        passages = np.flatnonzero(np.diff(np.sign(side)) != 0)
        if not len(passages):
            return None
        distance = np.linalg.norm(self.points[passages] - point, axis=1)
        best = int(passages[np.argmin(distance)])
        return best if abs(side[best]) < abs(side[best + 1]) else best + 1


def centreline(mask: NDArray[np.bool_], affine: Array) -> Centreline | None:
    """Smoothed centreline of the canal mask[i,j,k], or None if it is too short."""
    voxels = np.argwhere(mask)
    if len(voxels) < 100:
        return None
    voxels = voxels[:: max(1, len(voxels) // 60000)]
    points = apply_affine(affine, voxels)
    curve = _by_height(points)
    for _ in range(3):
        if len(curve) < 8:
            return None
        curve = _recentred(_evenly(curve), points)
    if len(curve) < 8:
        return None
    curve = _smooth(_evenly(curve))
    tangents = np.gradient(curve, axis=0)
    tangents = -tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    return Centreline(curve, tangents)


def _by_height(points: Array) -> Array:
    """Centroids of 4 mm layers along superior, from head to sacrum."""
    layer = np.floor(points[:, 2] / 4.0).astype(int)
    layer -= layer.min()
    count = np.bincount(layer)
    sums = np.stack([np.bincount(layer, points[:, axis]) for axis in range(3)], axis=1)
    good = count > 0.2 * np.median(count[count > 0])
    centres: Array = (sums[good] / count[good, None])[::-1]
    return centres


def _evenly(curve: Array) -> Array:
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    places = np.arange(0, arc[-1], _STEP_MM)
    return np.stack([np.interp(places, arc, curve[:, axis]) for axis in range(3)], axis=1)


def _smooth(curve: Array) -> Array:
    """Gaussian smoothing of the curve with its ends continued straight."""
    pad = int(3 * _SMOOTHING_MM)
    window = min(len(curve) - 1, 10)
    steps = np.arange(1, pad + 1)[:, None]
    head = curve[0] - steps[::-1] * (curve[window] - curve[0]) / window
    tail = curve[-1] + steps * (curve[-1] - curve[-1 - window]) / window
    padded = np.concatenate([head, curve, tail])
    smooth: Array = ndimage.gaussian_filter1d(padded, _SMOOTHING_MM / _STEP_MM, axis=0)[pad:-pad]
    return smooth


def _recentred(curve: Array, points: Array) -> Array:
    """Each point moved to the centroid of the slab perpendicular to the curve there; ends without a slab dropped."""
    curve = _smooth(curve)
    tangents = np.gradient(curve, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    points = points[np.argsort(points[:, 2])]
    low, high = (np.searchsorted(points[:, 2], curve[:, 2] + side) for side in (-_RADIUS_MM, _RADIUS_MM))
    moved = []
    for n in range(0, len(curve), 3):
        place, tangent, points_near = curve[n], tangents[n], points[low[n] : high[n]]
        offset = points_near - place
        along = offset @ tangent
        near = points_near[(np.abs(along) < _SLAB_MM) & (np.einsum("ij,ij->i", offset, offset) < _RADIUS_MM**2)]
        if len(near) >= 5:
            centroid = near.mean(axis=0)
            moved.append(centroid - ((centroid - place) @ tangent) * tangent)
    return np.array(moved).reshape(-1, 3)


@dataclass(frozen=True)
class CrossSection:
    """A cross-section perpendicular to the centreline.

    :ivar anterior: AP direction in the plane.
    :ivar ends: (anterior, posterior) ends of the diameter, RAS mm.
    :ivar beyond: if an end of the lumen narrows it, the ends of the diameter moved 3 mm towards that end [n, 3].
    """

    centre: Array
    anterior: Array
    across: Array
    ends: tuple[Array, Array]
    area: float
    beyond: Array

    @property
    def diameter(self) -> float:
        """AP diameter in mm."""
        return float(np.linalg.norm(self.ends[0] - self.ends[1]))

    @property
    def plane(self) -> Plane:
        """The plane of the cross-section: centre, across (to the right), anterior."""
        return Plane(*(tuple(float(x) for x in v) for v in (self.centre, self.across, self.anterior)))  # type: ignore[arg-type]


def cross_section(field: Field, line: Centreline, index: int, target: Array) -> CrossSection | None:
    """Cross-section at a centreline point, its AP direction towards `target` (a disc or body centroid)."""
    place, tangent = line.points[index], line.tangents[index]
    towards = target - place
    anterior = unit(towards - (towards @ tangent) * tangent)
    across = np.cross(anterior, tangent)
    field = field.along(np.stack([across, anterior, tangent]))
    reach, step = 20.0, 1.0
    t = np.arange(-reach, reach + step / 2, step)
    grid = place + t[:, None, None] * anterior + t[None, :, None] * across
    values = field.at(grid)
    labels, count = ndimage.label(values > 0)
    if not count:
        return None
    middle = len(t) // 2
    here = labels[middle, middle] or int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    # Each cell counts by the part of it that is inside, estimated from its signed distance.
    near = ndimage.binary_dilation(labels == here)
    weight = np.where(near, np.clip(values / step + 0.5, 0.0, 1.0), 0.0)
    total = float(weight.sum())
    offset = np.array([weight.sum(axis=1) @ t, weight.sum(axis=0) @ t]) / total
    centre = place + offset[0] * anterior + offset[1] * across
    band = np.linspace(-_BAND_MM / 2, _BAND_MM / 2, _BAND_LINES)[:, None] * tangent
    stretch = intervals(field, centre + band, anterior, reach)
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    if len(stretch) < _BAND_LINES // 2 + 1:
        return None
    back, front = stretch.mean(axis=0)
    ends = (centre + front * anterior, centre + back * anterior)
    return CrossSection(centre, anterior, across, ends, total * step**2, _beyond(field, line, index, centre, ends))


def _beyond(field: Field, line: Centreline, index: int, centre: Array, ends: tuple[Array, Array]) -> Array:
    """`CrossSection.beyond`: empty if the lumen continues, or is as wide closer to its end."""
    diameter = float(np.linalg.norm(ends[0] - ends[1]))
    found = [np.empty((0, 3))]
    for towards, way in (
        (line.tangents[index], line.points[max(index - _END_WITHIN_MM, 0) : index]),
        (-line.tangents[index], line.points[index + 1 : index + 1 + _END_WITHIN_MM]),
    ):
        goes_on = len(way) == _END_WITHIN_MM and (field.at(way + centre - line.points[index]) > 0).all()
        if not goes_on:
            step = _BEYOND_MM * towards
            back, front = intervals(field, (centre + step)[None], unit(ends[0] - ends[1]), 20.0)[0]
            if not front - back > diameter - _NARROWER_MM:
                found.append(np.stack(ends) + step)
    return np.concatenate(found)


def transverse(field: Field, section: CrossSection) -> tuple[Array, Array] | None:
    """Right and left ends of the widest stretch across the section, through its centre."""
    stretch = intervals(field, section.centre[None], section.across, 20.0)[0]
    if not np.isfinite(stretch).all():
        return None
    return section.centre + stretch[1] * section.across, section.centre + stretch[0] * section.across
