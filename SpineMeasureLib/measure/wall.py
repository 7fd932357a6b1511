"""The wall of the canal (or cord) as one closed, smooth surface of edges of the image, over its whole length at once.

Profiles run outward from the centreline all around it. The wall is found on all of them together, so that it is the
shape of the whole sac that decides where roots, dura, epidural fat and ligament compete behind it. The mask says where
to search; its own details are smoothed away, because they differ between those who drew it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .canal_line import Centreline
from .fields import Field
from .frames import unit
from .image_slices import ImageSlices
from .profile_fit import PLACES_MM, refine
from .surface import smooth_surface

Array = NDArray[np.float64]

#: Profiles around the lumen at each place of the centreline, and steps along them in mm.
_AROUND, _STEP_MM, _REACH_MM = 32, 0.25, 17.0
#: The search, mm outward from the smoothed wall of the mask, and where in it no place is preferred.
_LOW_MM, _HIGH_MM, _FREE_MM = -3.0, 3.5, 1.5
#: The search is repeated from starts so far (mm) inside and outside: the wall must not depend on who drew the mask.
_STARTS_MM = (-0.7, 0.0, 0.7)
#: The wall of the mask is smoothed so much along the canal (mm) and around it (profiles)...
_SMOOTH_MM, _SMOOTH_AROUND = 10.0, 1.0
#: ... but stays this close to it (mm): a stenosis is not smoothed away.
_CLOSE_MM = 2.0
#: Cost per mm2 of leaving the free part, and of a squared step between neighbouring profiles.
_FAR, _BEND, _STEEPEST = 0.05, 0.3, 2
#: The cost of a place that cannot be the wall.
_IMPOSSIBLE = 1e3
#: Means over this much of a profile inside and outside the wall are compared, mm: the dura and ligaments are thin.
_INSIDE_MM, _OUTSIDE_MM = 1.8, 1.0
#: Smoothing of the signal along the canal (mm) and around it (profiles) before the wall is chosen.
_ALONG, _BESIDE = 0.8, 0.5
#: The contrast of a place is taken over this much of the canal, mm.
_CONTRAST_MM = 10.0
#: A section has a lumen if the mask is this close to its middle, mm.
_OF_LUMEN_MM = 4.0
#: Less of the canal than this many mm is not traced.
_SHORTEST = 10


@dataclass(frozen=True)
class Wall:
    """The wall of a lumen around its centreline.

    :ivar centre, anterior, right: [n, 3] the middle of each cross-section, and its axes.
    :ivar tangents: [n, 3] towards the head.
    :ivar radius: [n, around] mm from the middle, the first one anterior, then to the right; negative without lumen.
    :ivar strength: [n, around] step across the edge as a part of the contrast, 0..1; 0 where no edge is seen.
    :ivar spread: [n, around] standard deviation over several starts of the search, mm.
    :ivar rising: whether the signal rises from the lumen outward.
    """

    centre: Array
    anterior: Array
    right: Array
    tangents: Array
    radius: Array
    strength: Array
    spread: Array
    rising: bool

    def certainty_at(self, point: Array) -> tuple[float, float]:
        """Return mean strength (0..1) and spread (mm) of the wall near a RAS point."""
        place, angle, _ = self._polar(point[None])
        near = np.clip(np.rint(place[0] + np.arange(-1, 2)), 0, len(self.radius) - 1).astype(int)
        beside = np.rint(angle[0] + np.arange(-1, 2)).astype(int) % self.radius.shape[1]
        return float(self.strength[np.ix_(near, beside)].mean()), float(self.spread[np.ix_(near, beside)].mean())

    def depth(self, points: Array) -> Array:
        """Return how far RAS points [n, 3] are inside the wall, in mm; negative outside."""
        place, angle, distance = self._polar(points)
        around = np.concatenate([self.radius, self.radius[:, :1]], axis=1)
        radius = ndimage.map_coordinates(around, [place, angle], order=1, mode="nearest")
        beyond = np.maximum(np.maximum(-place, place - (len(self.radius) - 1)) - 0.5, 0.0)
        depth: Array = np.where(beyond > 0, np.minimum(radius - distance, -beyond), radius - distance)
        return depth

    def _polar(self, points: Array) -> tuple[Array, Array, Array]:
        """Return place along the centreline, angle (in profiles) and distance in mm from the middle of the section."""
        _, nearest = cKDTree(self.centre).query(points)
        along = ((points - self.centre[nearest]) * self.tangents[nearest]).sum(axis=1)
        place = nearest - along  # places are 1 mm apart, from head to sacrum
        inside = np.clip(place, 0, len(self.centre) - 1)
        first = np.minimum(inside.astype(int), len(self.centre) - 2)
        part = (inside - first)[:, None]
        centre, anterior, right = (
            (1 - part) * of[first] + part * of[first + 1] for of in (self.centre, self.anterior, self.right)
        )
        ahead, beside = ((points - centre) * anterior).sum(axis=1), ((points - centre) * right).sum(axis=1)
        angle = np.arctan2(beside, ahead) / (2 * np.pi) * self.radius.shape[1] % self.radius.shape[1]
        return place, angle, np.hypot(ahead, beside)


@dataclass(frozen=True)
class WallField(Field):
    """The field of a mask with the wall found in the image as its boundary."""

    wall: Wall

    def at(self, points: Array) -> Array:
        """Return the depth inside the wall at RAS points [..., 3], mm."""
        return self.wall.depth(points.reshape(-1, 3)).reshape(points.shape[:-1])

    def along(self, axes: Array) -> WallField:
        """Return the field itself: it does not interpolate between slices."""
        return self


def find_wall(
    image: ImageSlices, field: Field, line: Centreline, column: Array, rising: bool, dark: float | None = None
) -> WallField | None:
    """Find the wall of a lumen; None if it is too short, or the image does not show it.

    :param field: of the mask of the lumen.
    :param column: points [n, 3] of the column of bodies and discs from head to sacrum: in front of the lumen.
    :param rising: whether the signal rises from the lumen outward.
    :param dark: signal of the thin dark layer around a bright lumen, for which the position is refined.
    """
    if len(line.points) < _SHORTEST:
        return None
    anterior = _anterior(line, column)
    right = np.cross(anterior, line.tangents)
    angles = 2 * np.pi * np.arange(_AROUND) / _AROUND
    outward = np.cos(angles)[:, None] * anterior[:, None] + np.sin(angles)[:, None] * right[:, None]
    middle = len(line.points) // 2
    field = field.along(np.stack([right[middle], anterior[middle], line.tangents[middle]]))
    centre = _middles(field, line, anterior)
    start, lumen = _start(field, centre, outward)
    if lumen.sum() < _SHORTEST:
        return None
    offset, strength, spread = _traced(image, field, centre, outward, start, rising, dark)
    if not (strength > 0).any():
        return None
    radius = np.where(lumen[:, None], np.maximum(start + offset, 0.0), -1.0)
    return WallField(**vars(field), wall=Wall(centre, anterior, right, line.tangents, radius, strength, spread, rising))


def _middles(field: Field, line: Centreline, anterior: Array) -> Array:
    """Return the smoothed middles [n, 3] of the mask's sections, on lines to its front and back."""
    t = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    inside = field.at(line.points[:, None] + t[:, None] * anterior[:, None]) > 0
    known = inside.any(axis=1)
    places = np.arange(len(t))
    count = np.maximum(inside.sum(axis=1), 1)
    middle = t[0] + _STEP_MM * (inside * places).sum(axis=1) / count
    rows = np.arange(len(middle))
    filled = np.interp(rows, rows[known], middle[known]) if known.any() else np.zeros(len(middle))
    found: Array = line.points + ndimage.gaussian_filter1d(filled, _SMOOTH_MM)[:, None] * anterior
    return found


def _start(field: Field, centre: Array, outward: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return where the search begins [n, around], mm from the middle, and [n] whether the mask has a lumen."""
    t = np.arange(0.0, _REACH_MM, _STEP_MM)
    values = field.at(centre[:, None, None] + t[:, None] * outward[:, :, None])
    inside = values > 0
    lumen = np.asarray(inside[..., : round(_OF_LUMEN_MM / _STEP_MM)].any(axis=(1, 2)))
    first = np.argmax(~inside, axis=-1)
    before, after = (np.take_along_axis(values, np.maximum(first + n, 0)[..., None], -1)[..., 0] for n in (-1, 0))
    part = np.clip(before / np.where(before - after > 0, before - after, 1.0), 0.0, 1.0)
    wall = np.where(first > 0, t[np.maximum(first - 1, 0)] + _STEP_MM * part, 0.0)
    wall[inside.all(axis=-1)] = t[-1]
    rows = np.arange(len(wall))
    if lumen.any():
        wall = np.stack([np.interp(rows, rows[lumen], side[lumen]) for side in wall.T], axis=1)
    smooth = ndimage.gaussian_filter(wall, (_SMOOTH_MM, _SMOOTH_AROUND), mode=("nearest", "wrap"))
    close = ndimage.gaussian_filter(wall, (1.0, _SMOOTH_AROUND), mode=("nearest", "wrap"))
    return np.clip(smooth, close - _CLOSE_MM, close + _CLOSE_MM), lumen


def _traced(
    image: ImageSlices, field: Field, centre: Array, outward: Array, start: Array, rising: bool, dark: float | None
) -> tuple[Array, Array, Array]:
    """Return mm outward from the start, strength and spread (mm) of the edge of each profile [n, around]."""
    inside, outside = round(_INSIDE_MM / _STEP_MM), round(_OUTSIDE_MM / _STEP_MM)
    low, high = _LOW_MM + min(_STARTS_MM), _HIGH_MM + max(_STARTS_MM)
    t = np.arange(low - inside * _STEP_MM, high + (outside + 1) * _STEP_MM + _STEP_MM / 2, _STEP_MM)
    distance = start[..., None] + t
    points = centre[:, None, None] + distance[..., None] * outward[:, :, None]
    signal = image.between(points, np.broadcast_to(outward[:, :, None], points.shape), field.at)
    seen = np.isfinite(signal)
    if not seen.any():
        return np.zeros(start.shape), np.zeros(start.shape), np.zeros(start.shape)
    smooth = ndimage.gaussian_filter(np.where(seen, signal, np.median(signal[seen])), (_ALONG, _BESIDE, 0),
                                     mode=("nearest", "wrap", "nearest"))  # fmt: skip
    chosen = np.arange(inside, len(t) - outside - 1)
    total = np.cumsum(np.pad(smooth, ((0, 0), (0, 0), (1, 0))), axis=-1)
    within = (total[..., chosen + 1] - total[..., chosen + 1 - inside]) / inside
    beyond = (total[..., chosen + 1 + outside] - total[..., chosen + 1]) / outside
    score = beyond - within if rising else within - beyond
    places = t[chosen] + _STEP_MM / 2
    contrast = _contrast(smooth)
    paths = []
    for first in _STARTS_MM:
        away = np.maximum(np.abs(places - first) - _FREE_MM, 0.0)
        cost = _FAR * away**2 - score / contrast[:, None, None]
        cost[distance[..., chosen] < 0] = _IMPOSSIBLE
        cost[..., (places < first + _LOW_MM) | (places > first + _HIGH_MM)] = _IMPOSSIBLE
        paths.append(smooth_surface(cost, _BEND, _STEEPEST))
    spread = _STEP_MM * np.std(paths, axis=0)
    path = np.median(paths, axis=0).astype(int)
    strength = np.take_along_axis(score, path[..., None], -1)[..., 0] / contrast[:, None]
    strength[seen.mean(axis=-1) < 1] = 0.0
    offset = _refined(smooth, t, _between_steps(places, path, score), rising, dark)
    return offset, np.clip(strength, 0.0, 1.0), spread


def _refined(signal: Array, t: Array, offset: Array, rising: bool, dark: float | None) -> Array:
    """Return where in its profile each edge is, from a model of the blurred step."""
    outward = PLACES_MM if rising else -PLACES_MM
    place = (offset[..., None] + outward - t[0]) / _STEP_MM
    rows = np.broadcast_to(np.arange(offset.size).reshape(*offset.shape, 1), place.shape)
    flat = signal.reshape(-1, len(t))
    around = ndimage.map_coordinates(flat, [rows, place], order=1, mode="nearest")
    mean = ndimage.gaussian_filter(around, (_ALONG, _BESIDE, 0), mode=("nearest", "wrap", "nearest"))
    shift = refine(mean.reshape(-1, len(PLACES_MM)), dark).reshape(offset.shape)
    found: Array = offset + (shift if rising else -shift)
    return found


def _contrast(signal: Array) -> Array:
    """Return the contrast of lumen and surroundings at each place [n], signal units."""
    low, high = np.percentile(signal.reshape(len(signal), -1), [5, 75], axis=1)
    smooth: Array = ndimage.gaussian_filter1d(np.maximum(high - low, 1e-6), _CONTRAST_MM)
    return smooth


def _between_steps(places: Array, path: NDArray[np.int_], score: Array) -> Array:
    """Return the places of the maxima between the steps: of the parabola through three scores."""
    column = np.clip(path, 1, len(places) - 2)
    before, here, after = (np.take_along_axis(score, (column + n)[..., None], -1)[..., 0] for n in (-1, 0, 1))
    curve = before - 2 * here + after
    shift = np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, -1.0), 0.0)
    found: Array = places[column] + _STEP_MM * np.clip(shift, -0.5, 0.5)
    return found


def _anterior(line: Centreline, column: Array) -> Array:
    """Return the direction from each centreline point to the column, perpendicular to the centreline."""
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(column, axis=0), axis=1))])
    fine = np.arange(0.0, steps[-1] + 0.5, 1.0)
    curve = np.stack([np.interp(fine, steps, column[:, axis]) for axis in range(3)], axis=1)
    nearest = np.argmin(np.linalg.norm(line.points[:, None] - curve[None], axis=2), axis=1)
    towards = curve[nearest] - line.points
    towards -= (towards * line.tangents).sum(axis=1, keepdims=True) * line.tangents
    smooth = ndimage.gaussian_filter1d(towards, 5.0, axis=0, mode="nearest")
    smooth -= (smooth * line.tangents).sum(axis=1, keepdims=True) * line.tangents
    return np.array([unit(v) for v in smooth])
