"""The centreline of the canal and cross-sections perpendicular to it, RAS mm."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.linalg import solveh_banded
from scipy.spatial import cKDTree

from ..orientation import apply_affine, apply_inverse
from .canal_pieces import without_strays
from .fields import Field, intervals
from .frames import as_point, unit
from .types import Plane

Array = NDArray[np.float64]

_STEP_MM = 1.0
#: The smoothing halves what a Gaussian of this standard deviation halves.
_SMOOTHING_MM = 6.0
_SECOND = (1.0, -2.0, 1.0)
_LAYER_MM = 4.0
_SLAB_MM = 1.5
_RADIUS_MM = 22
_AREA_OVER_MM = 3
_CONTINUED_MM = 10
_END_DIRECTION_MM = 10
_SHORTEST_MM = 8
#: A section shows the lumen that comes this close to the centreline; other pieces in it are not of the canal.
_OF_CANAL_MM = 8.0
_REACH_MM = 20.0
#: Lumen is looked for on a coarse grid, and if there is none, on a fine one.
_GRIDS_MM = (1.0, 0.4)
#: Lumen farther than that from the centreline does not move it if it has less than this part of the canal's area.
_ASIDE_SHARE = 0.5
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
        """Return the index of the centreline point nearest to a RAS point."""
        return int(np.argmin(np.linalg.norm(self.points - point, axis=1)))

    def at(self, place: float) -> tuple[Array, Array]:
        """Return point and unit tangent at a place between 0 and the number of points - 1, or nearest to it."""
        places = np.arange(len(self.points))
        point, tangent = (
            np.array([np.interp(place, places, v[:, axis]) for axis in range(3)]) for v in (self.points, self.tangents)
        )
        return point, unit(tangent)

    def passage(self, point: Array, normal: Array) -> float | None:
        """Place where the centreline passes through a plane, the passage nearest to `point`; None if it does not."""
        side = (self.points - point) @ normal
        passages = np.flatnonzero(np.diff(np.sign(side)) != 0)
        if not len(passages):
            return None
        distance = np.linalg.norm(self.points[passages] - point, axis=1)
        best = int(passages[np.argmin(distance)])
        return best + float(side[best] / (side[best] - side[best + 1]))

    def crossing(self, point: Array, normal: Array) -> int | None:
        """Index of the centreline point nearest to a plane, see `passage`."""
        place = self.passage(point, normal)
        return None if place is None else round(place)


def centreline(mask: NDArray[np.bool_], affine: Array) -> Centreline | None:
    """Return the smoothed centreline of the canal mask[i,j,k], or None if it is too short.

    It runs from the upper to the lower end of the lumen, also across gaps in it. Pieces beside the canal are ignored.
    """
    if np.count_nonzero(mask) < 100:
        return None
    mask = without_strays(mask, affine)
    voxels = np.argwhere(mask)
    points = apply_affine(affine, voxels[:: max(1, len(voxels) // 60000)])
    curve = _by_height(points)
    if len(curve) < 2:
        return None
    for _ in range(4):
        curve = _evenly(_recentred(_continued(_evenly(curve)), points))
    curve = _within(curve, mask, affine)
    if len(curve) < _SHORTEST_MM:
        return None
    tangents = np.gradient(curve, axis=0)
    tangents = -tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    return Centreline(curve, tangents)


def _by_height(points: Array) -> Array:
    """Return the centroids of 4 mm layers along superior, from head to sacrum."""
    layer = np.floor(points[:, 2] / _LAYER_MM).astype(int)
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


def _continued(curve: Array) -> Array:
    """Return the curve with straight continuations of its ends, so that it gets longer than the lumen."""
    window = min(len(curve) - 1, _END_DIRECTION_MM)
    steps = np.arange(1, _CONTINUED_MM + 1)[:, None] * _STEP_MM
    head = curve[0] + steps[::-1] * unit(curve[0] - curve[window])
    tail = curve[-1] + steps * unit(curve[-1] - curve[-1 - window])
    return np.concatenate([head, curve, tail])


def _recentred(curve: Array, points: Array) -> Array:
    """Return the smooth curve through the centroids of the lumen near each point of the curve.

    A centroid counts by the area of its section, compared with the largest nearby, so that what is left in a stenosis
    at one side does not displace the curve. Sections without lumen do not count: the curve bridges them.
    """
    tangents = np.gradient(curve, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    distance, nearest = cKDTree(curve).query(points, distance_upper_bound=_RADIUS_MM)
    nearest, points = nearest[np.isfinite(distance)], points[np.isfinite(distance)]
    along = np.einsum("ij,ij->i", points - curve[nearest], tangents[nearest])
    nearest, points = nearest[np.abs(along) < _SLAB_MM], points[np.abs(along) < _SLAB_MM]
    count = np.bincount(nearest, minlength=len(curve)).astype(float)
    sums = np.stack([np.bincount(nearest, points[:, axis], len(curve)) for axis in range(3)], axis=1)
    offset = sums / np.maximum(count, 1)[:, None] - curve
    offset -= np.einsum("ij,ij->i", offset, tangents)[:, None] * tangents
    area = ndimage.uniform_filter1d(count, _AREA_OVER_MM, mode="constant")
    largest = ndimage.maximum_filter1d(area, 2 * _RADIUS_MM + 1)
    share = np.where(count > 0, area / np.maximum(largest, 1e-9), 0.0)
    aside = (np.linalg.norm(offset, axis=1) > _OF_CANAL_MM) & (share < _ASIDE_SHARE)
    weight = np.where(aside, 0.0, share**3)
    return _smooth(curve + np.where(count[:, None] > 0, offset, 0.0), weight)


def _smooth(curve: Array, weight: Array) -> Array:
    """Return the smoothest curve near weighted points (Whittaker's smoother with second differences).

    Where the weight is 0 it continues as a cubic between both sides, and straight beyond the ends.
    """
    n = len(curve)
    stiffness = (_SMOOTHING_MM / _STEP_MM) ** 4 / (2 * np.log(2)) ** 2
    bands = np.zeros((3, n))  # of D'D, D the second differences, in the form of solveh_banded (upper)
    for row, (i, j) in ((2, (0, 0)), (2, (1, 1)), (2, (2, 2)), (1, (0, 1)), (1, (1, 2)), (0, (0, 2))):
        bands[row, j : n - 2 + j] += _SECOND[i] * _SECOND[j]
    bands *= stiffness
    bands[2] += weight + 1e-9
    smooth: Array = solveh_banded(bands, weight[:, None] * curve + 1e-9 * curve)
    return smooth


def _within(curve: Array, mask: NDArray[np.bool_], affine: Array) -> Array:
    """Return the part of the curve from its first to its last point in a voxel of the mask."""
    index = np.rint(apply_inverse(affine, curve)).astype(int)
    known = ((index >= 0) & (index < mask.shape)).all(axis=1)
    inside = np.zeros(len(curve), bool)
    inside[known] = mask[tuple(index[known].T)]
    if not inside.any():
        return curve[:0]
    first, last = np.flatnonzero(inside)[[0, -1]]
    return curve[first : last + 1]


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
        return Plane(as_point(self.centre), as_point(self.across), as_point(self.anterior))


def cross_section(field: Field, line: Centreline, place: float, target: Array) -> CrossSection | None:
    """Return the cross-section at a place of the centreline, None if there is no lumen at the centreline or near it.

    :param place: index of a centreline point, or between two of them.
    :param target: a disc or body centroid, towards which the AP direction points.
    """
    point, tangent = line.at(place)
    anterior, across = _directions(line, place, target)
    field = field.along(np.stack([across, anterior, tangent]))
    found = _lumen(field, point, anterior, across)
    if found is None:
        return None
    centre, area = found
    band = np.linspace(-_BAND_MM / 2, _BAND_MM / 2, _BAND_LINES)[:, None] * tangent
    stretch = intervals(field, centre + band, anterior, _REACH_MM)
    here = stretch[_BAND_LINES // 2]
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    if len(stretch) < _BAND_LINES // 2 + 1:  # a thin remnant: what is in the plane itself
        stretch = here[None]
    if not np.isfinite(stretch).all():
        return None
    back, front = stretch.mean(axis=0)
    ends = (centre + front * anterior, centre + back * anterior)
    return CrossSection(centre, anterior, across, ends, area, _beyond(field, line, place, centre, ends))


def no_lumen(line: Centreline, place: float, target: Array) -> CrossSection:
    """Return the cross-section at a place where nothing is left of the lumen: its diameter and area are 0."""
    point, _ = line.at(place)
    return CrossSection(point, *_directions(line, place, target), (point, point), 0.0, np.empty((0, 3)))


def _directions(line: Centreline, place: float, target: Array) -> tuple[Array, Array]:
    """Return the anterior direction and the one across it, in the plane of a cross-section."""
    point, tangent = line.at(place)
    towards = target - point
    anterior = unit(towards - (towards @ tangent) * tangent)
    return anterior, np.cross(anterior, tangent)


def _lumen(field: Field, point: Array, anterior: Array, across: Array) -> tuple[Array, float] | None:
    """Return centroid and area of the lumen at a point of the centreline, or of the largest piece near it."""
    for step in _GRIDS_MM:
        t = np.arange(-_REACH_MM, _REACH_MM + step / 2, step)
        values = field.at(point + t[:, None, None] * anterior + t[None, :, None] * across)
        labels, count = ndimage.label(values > 0)
        middle = len(t) // 2
        of_canal = np.bincount(labels[np.hypot(t[:, None], t) < _OF_CANAL_MM], minlength=count + 1) > 0
        sizes = np.where(of_canal, np.bincount(labels.ravel(), minlength=count + 1), 0)[1:]
        if not sizes.any():
            continue
        here = labels[middle, middle] or int(np.argmax(sizes)) + 1
        # Each cell counts by the part of it that is inside, estimated from its signed distance.
        near = ndimage.binary_dilation(labels == here)
        weight = np.where(near, np.clip(values / step + 0.5, 0.0, 1.0), 0.0)
        total = float(weight.sum())
        offset = np.array([weight.sum(axis=1) @ t, weight.sum(axis=0) @ t]) / total
        return point + offset[0] * anterior + offset[1] * across, total * step**2
    return None


def _beyond(field: Field, line: Centreline, place: float, centre: Array, ends: tuple[Array, Array]) -> Array:
    """`CrossSection.beyond`: empty if the lumen continues, if need be after a gap, or is as wide closer to its end."""
    diameter = float(np.linalg.norm(ends[0] - ends[1]))
    found = [np.empty((0, 3))]
    point, tangent = line.at(place)
    for towards, way in (
        (tangent, line.points[: ceil(place)][::-1]),
        (-tangent, line.points[floor(place) + 1 :]),
    ):
        inside = field.at(way + centre - point) > 0
        unbroken = len(inside) if inside.all() else int(np.argmin(inside))
        if unbroken < _END_WITHIN_MM and not inside[unbroken:].any():
            step = _BEYOND_MM * towards
            back, front = intervals(field, (centre + step)[None], unit(ends[0] - ends[1]), _REACH_MM)[0]
            if not front - back > diameter - _NARROWER_MM:
                found.append(np.stack(ends) + step)
    return np.concatenate(found)


def transverse(field: Field, section: CrossSection) -> tuple[Array, Array] | None:
    """Return the right and left ends of the widest stretch across the section, through its centre."""
    stretch = intervals(field, section.centre[None], section.across, 20.0)[0]
    if not np.isfinite(stretch).all():
        return None
    return section.centre + stretch[1] * section.across, section.centre + stretch[0] * section.across
