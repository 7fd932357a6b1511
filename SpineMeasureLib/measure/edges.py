"""Boundaries found in the image, started and bounded by the masks, at sub-voxel precision.

A boundary is traced along a curve of starting points on the mask. At each of them the signal is sampled along the
outward direction, in the image's own slices; one smooth path through all profiles is chosen at once (dynamic
programming), so that a single bad profile does not decide. This is the optimal surface of Li, Wu, Chen & Sonka (IEEE
Trans Pattern Anal Mach Intell 2006), one slice at a time with the slices drawn together. The position is then refined
with a model of the profile: three levels, blurred by the width of the image's point spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .image_slices import ImageSlices
from .profile_fit import PLACES_MM, refine

Array = NDArray[np.float64]

#: Steps along a profile, mm.
STEP_MM = 0.2
#: Means over this much of the profile on the dark and on the bright side of an edge are compared, mm: what is dark at
#: bone (endplate, cortex, ligament, dura) is thin.
_DARK_MM, _BRIGHT_MM = 1.0, 1.8
#: Smoothing along the curve, mm, of the signal before the edge is chosen.
_ALONG_MM = 0.8
#: Cost per mm2 of a distance from the path in the neighbouring slices.
_TOGETHER = 0.05
#: Slices up to this far (mm) from the measuring plane are used; their weight is a Gaussian of this width.
_REACH_MM, _WEIGHT_MM, _MOST_SLICES = 3.0, 1.2, 5
#: The bright side is taken to be at most this much brighter than its usual signal over this distance (mm) at the end of
#: the search: beyond bone, fat and CSF may be brighter than marrow.
_BRIGHTER, _END_MM = 1.1, 2.0
#: Profiles are averaged over this much of the curve (standard deviation, mm) before the position is refined.
_NEIGHBOURS_MM = 1.0
#: An edge is trusted if most profiles up to this far away have one, mm.
_MOST_OF_MM = 1.5
#: A profile counts if this part of it is in the image.
_SEEN = 0.6
#: An edge is trusted if the step across it is at least this part of the contrast.
_TRUSTED = 0.25
#: ... and the step is this many times the noise beside it.
_OVER_NOISE = 2.0


@dataclass(frozen=True)
class Search:
    """Where and how an edge is searched; distances are mm outward from the starting points.

    :ivar low, high: ends of the search.
    :ivar free_low, free_high: between them no place is preferred.
    :ivar gap: cost per mm of dark signal on the bright side, between the edge and the end of the search: the first edge
        seen from there is preferred to a stronger one beyond.
    :ivar bend: cost of a squared step (`STEP_MM`) between neighbouring profiles.
    :ivar steepest: largest number of steps between neighbouring profiles.
    :ivar joint: one path for all slices, so that what only some of them show does not attract it.
    :ivar far: cost per mm2 of leaving the free part.
    """

    low: float
    high: float
    free_low: float
    free_high: float
    gap: float = 0.0
    bend: float = 0.04
    steepest: int = 3
    joint: bool = False
    far: float = 0.05


@dataclass(frozen=True)
class Trace:
    """A traced boundary.

    :ivar offset: [n] mm outward from each starting point, in the measuring plane; 0 where no edge is trusted.
    :ivar strength: [n] step across the edge as a part of the contrast between the two sides, 0..1.
    :ivar spread: [n] standard deviation over the slices in mm; NaN for a single slice.
    :ivar trusted: [n] whether most profiles near it have an edge that can be told from noise.
    """

    offset: Array
    strength: Array
    spread: Array
    trusted: NDArray[np.bool_]


def trace(
    image: ImageSlices,
    base: Array,
    outward: Array,
    right: Array,
    search: Search,
    rising: bool,
    dark: float | None = None,
) -> Trace | None:
    """Trace one boundary; None if the image does not show it (no slice, or less than half of the curve in view).

    :param base: starting points [n, 3] along the boundary of the mask, RAS mm, about evenly spaced.
    :param outward: unit vectors [n, 3] or [3].
    :param right: unit vector [3] or [n, 3] across the measuring plane.
    :param rising: True if the signal rises outward.
    :param dark: signal of bone; with it, the position is refined for a dark layer thinner than the point spread.
    """
    margin = float(np.abs(PLACES_MM).max()) + 0.4
    t = np.arange(search.low - margin, search.high + margin + STEP_MM / 2, STEP_MM)
    outward = np.broadcast_to(outward, base.shape)
    points = base[:, None] + t[:, None] * outward[:, None]
    step_along = float(np.median(np.linalg.norm(np.diff(base, axis=0), axis=1))) if len(base) > 1 else 1.0
    profiles, asides = {}, {}
    for k, where in image.in_slices(points, right, _REACH_MM, _MOST_SLICES).items():
        signal = image.at(k, where.points)
        seen = np.isfinite(signal).mean(axis=1) > _SEEN
        if seen.sum() < len(base) / 2:
            continue
        signal = _filled(signal)
        smooth = ndimage.gaussian_filter1d(signal, _ALONG_MM / step_along, axis=0, mode="nearest")
        profiles[k] = np.minimum(smooth, _bright_level(smooth, t, search, rising) * _BRIGHTER)
        asides[k] = np.where(seen, where.aside[:, len(t) // 2], np.inf)
    if not profiles:
        return None
    chosen = np.flatnonzero((t >= search.low) & (t <= search.high))
    scores = {k: _scores(signal, chosen, rising) for k, signal in profiles.items()}
    places = t[chosen] - STEP_MM / 2
    away = np.maximum(np.maximum(search.free_low - places, places - search.free_high), 0.0)
    low, scale = _contrast(profiles, t, search)
    costs = {k: search.far * away**2 - score / scale for k, score in scores.items()}
    if search.gap:
        for k, signal in profiles.items():
            costs[k] += search.gap * _dark_before(signal, low + scale / 2, scale, chosen, rising)
    paths = _paths(costs, asides, places, search)
    positions = {k: _between_steps(places, path, scores[k]) for k, path in paths.items()}
    strengths = {k: scores[k][np.arange(len(path)), path] / scale for k, path in paths.items()}
    found = _combined(asides, positions, strengths)
    clear = found.strength * scale > _OVER_NOISE * _noise(profiles, t, search, rising)
    trusted = _mostly(found.trusted & clear, step_along)
    shift = refine(_mean_profiles(profiles, asides, positions, t[0], rising, step_along), dark)
    offset = found.offset + (shift if rising else -shift)
    return replace(found, offset=np.where(trusted, offset, 0.0), trusted=trusted)


def _mostly(trusted: NDArray[np.bool_], step_along: float) -> NDArray[np.bool_]:
    """Return where most of the profiles within a few mm are trusted."""
    share = ndimage.uniform_filter1d(trusted.astype(float), 2 * round(_MOST_OF_MM / step_along) + 1, mode="nearest")
    mostly: NDArray[np.bool_] = share >= 0.5
    return mostly


def _paths(
    costs: dict[int, Array], asides: dict[int, Array], places: Array, search: Search
) -> dict[int, NDArray[np.int_]]:
    """Return the path of each slice, drawn together with the others'."""
    if search.joint:
        weights = {k: np.exp(-0.5 * (asides[k] / _WEIGHT_MM) ** 2) + 1e-3 for k in costs}
        total = np.sum([weights[k][:, None] * cost for k, cost in costs.items()], axis=0)
        mean = total / np.sum(list(weights.values()), axis=0)[:, None]
        path = shortest_path(mean, search.bend, search.steepest)
        return dict.fromkeys(costs, path)
    paths = {k: shortest_path(cost, search.bend, search.steepest) for k, cost in costs.items()}
    if len(paths) > 1:
        found = {k: places[path] for k, path in paths.items()}
        for k, cost in costs.items():
            others = np.mean([found[other] for other in paths if other != k], axis=0)
            together = cost + _TOGETHER * (places - others[:, None]) ** 2
            paths[k] = shortest_path(together, search.bend, search.steepest)
    return paths


def _filled(signal: Array) -> Array:
    """Return profiles in which places beyond the image have the value of the nearest place in it."""
    unknown = ~np.isfinite(signal)
    if not unknown.any():
        return signal
    nearest = np.asarray(ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True))
    filled: Array = signal[nearest[0], nearest[1]]
    return filled


def _bright_level(signal: Array, t: Array, search: Search, rising: bool) -> float:
    """Return the usual signal at the end of the search on the bright side."""
    return float(np.median(signal[:, _bright_end(t, search, rising)]))


def _bright_end(t: Array, search: Search, rising: bool) -> NDArray[np.bool_]:
    return t > search.high - _END_MM if rising else t < search.low + _END_MM


def _noise(profiles: dict[int, Array], t: Array, search: Search, rising: bool) -> float:
    """Return the robust standard deviation of the signal on the bright side, noise and texture together."""
    end = _bright_end(t, search, rising)
    left = np.concatenate(
        [(p[:, end] - np.median(p[:, end], axis=1, keepdims=True)).ravel() for p in profiles.values()]
    )
    return 1.4826 * float(np.median(np.abs(left)))


def _contrast(profiles: dict[int, Array], t: Array, search: Search) -> tuple[float, float]:
    """Return the level of the dark side in the window and the contrast between both sides, signal units."""
    near = (t >= search.low - 1) & (t <= search.high + 1)
    values = np.concatenate([signal[:, near].ravel() for signal in profiles.values()])
    low, high = np.percentile(values, [5, 75])
    return float(low), max(float(high - low), 1e-6)


def _dark_before(signal: Array, level: float, scale: float, chosen: NDArray[np.int_], rising: bool) -> Array:
    """Return how much signal below `level` lies between each place and the end of the search on the bright side, mm."""
    missing = np.maximum(level - signal, 0.0) / scale * STEP_MM
    total = np.cumsum(np.pad(missing, ((0, 0), (1, 0))), axis=1)
    found: Array = total[:, chosen[-1:] + 1] - total[:, chosen] if rising else total[:, chosen] - total[:, chosen[:1]]
    return found


def _scores(signal: Array, chosen: NDArray[np.int_], rising: bool) -> Array:
    """Return the step of each profile at each chosen place: mean on the bright side less mean on the dark side."""
    dark, bright = round(_DARK_MM / STEP_MM), round(_BRIGHT_MM / STEP_MM)
    inside, outside = (dark, bright) if rising else (bright, dark)
    total = np.cumsum(np.pad(signal, ((0, 0), (1, 0))), axis=1)
    beyond: Array = (total[:, chosen + outside] - total[:, chosen]) / outside
    before = (total[:, chosen] - total[:, chosen - inside]) / inside
    return beyond - before if rising else before - beyond


def shortest_path(cost: Array, bend: float, steepest: int) -> NDArray[np.int_]:
    """Return the column of each row of `cost` [n, m] such that cost and bends add up to the minimum (Viterbi).

    >>> shortest_path(np.array([[1.0, 0, 1], [0, 1, 1], [1, 0, 1]]), bend=2.0, steepest=1).tolist()
    [1, 1, 1]

    :param bend: cost of the squared number of columns between neighbouring rows.
    :param steepest: largest number of columns between neighbouring rows.
    """
    rows, columns = cost.shape
    moves = np.arange(-steepest, steepest + 1)
    price = (bend * moves**2)[:, None]
    reach = np.clip(np.arange(columns) + moves[:, None], -1, columns)
    total = np.append(cost[0], np.inf)
    came = np.zeros((rows, columns), int)
    for row in range(1, rows):
        candidates = total[reach] + price
        best = candidates.argmin(axis=0)
        came[row] = reach[best, np.arange(columns)]
        total[:columns] = candidates[best, np.arange(columns)] + cost[row]
    path = [int(total[:columns].argmin())]
    for row in range(rows - 1, 0, -1):
        path.append(int(came[row, path[-1]]))
    return np.array(path[::-1])


def _mean_profiles(
    profiles: dict[int, Array],
    asides: dict[int, Array],
    positions: dict[int, Array],
    first: float,
    rising: bool,
    step_along: float,
) -> Array:
    """Return the signal [n, places] around the edge, bright side outward, averaged over slices and neighbours."""
    rows_and_places = (len(next(iter(positions.values()))), len(PLACES_MM))
    total, weights = np.zeros(rows_and_places), np.zeros((rows_and_places[0], 1))
    outward = PLACES_MM if rising else -PLACES_MM
    for k, position in positions.items():
        place = position[:, None] + outward
        rows = np.broadcast_to(np.arange(len(position))[:, None], place.shape)
        around = ndimage.map_coordinates(profiles[k], [rows, (place - first) / STEP_MM], order=1, mode="nearest")
        weight = (np.exp(-0.5 * (asides[k] / _WEIGHT_MM) ** 2) + 1e-4)[:, None]
        total, weights = total + weight * around, weights + weight
    mean: Array = ndimage.gaussian_filter1d(total / weights, _NEIGHBOURS_MM / step_along, axis=0, mode="nearest")
    return mean


def _between_steps(places: Array, path: NDArray[np.int_], score: Array) -> Array:
    """Return the places of the path's maxima between the steps: of the parabola through three scores."""
    rows, column = np.arange(len(path)), np.clip(path, 1, score.shape[1] - 2)
    before, here, after = (score[rows, column + n] for n in (-1, 0, 1))
    curve = before - 2 * here + after
    shift = np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, -1.0), 0.0)
    found: Array = places[column] + STEP_MM * np.clip(shift, -0.5, 0.5)
    return found


def _combined(asides: dict[int, Array], positions: dict[int, Array], strengths: dict[int, Array]) -> Trace:
    """Combine the slices at the measuring plane: a line through their positions."""
    weights = [np.exp(-0.5 * (asides[k] / _WEIGHT_MM) ** 2) + 1e-4 * np.isfinite(asides[k]) for k in positions]
    offsets = [np.where(np.isfinite(asides[k]), asides[k], 0.0) for k in positions]
    p, s = np.array(list(positions.values())), np.array([strengths[k] for k in positions])
    w, x = np.array(weights), np.array(offsets)
    total = w.sum(axis=0)
    seen = total > 0
    w = np.where(seen, w / np.where(seen, total, 1.0), 1.0 / len(w))
    centre, mean = (w * x).sum(axis=0), (w * p).sum(axis=0)
    across = (w * (x - centre) ** 2).sum(axis=0)
    slope = (w * (x - centre) * (p - mean)).sum(axis=0) / np.maximum(across, 1e-9)
    slope = np.clip(np.where(across > 0.05, slope, 0.0), -1.0, 1.0)
    offset = mean - slope * centre
    left = p - mean - slope * (x - centre)
    spread = np.sqrt((w * left**2).sum(axis=0)) if len(p) > 1 else np.full(len(offset), np.nan)
    strength = (w * s).sum(axis=0)
    return Trace(offset, np.clip(strength, 0.0, 1.0), spread, seen & (strength > _TRUSTED))
