"""The front and back wall of the canal (or cord) as edges of the image, traced along its whole length at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canal_line import Centreline
from .edges import Search, Trace, trace
from .fields import Field
from .frames import unit
from .image_slices import ImageSlices

Array = NDArray[np.float64]

#: How the walls are searched. Behind, roots, dura, fat and lamina compete within a few mm: one stiff path for all
#: slices is drawn to what they have in common.
_SEARCH = Search(-3.0, 3.5, -1.5, 1.5, bend=0.3, steepest=1, joint=True)
_STEP_MM, _REACH_MM = 0.25, 20.0
#: Smoothing of the mask's walls along the centreline, mm.
_SMOOTH_MM = 1.5
#: Less of the canal than this many mm is not traced.
_SHORTEST = 10


@dataclass(frozen=True)
class Walls:
    """Both walls of a lumen along its centreline, in the sagittal plane through its middle.

    :ivar front, back: [n] mm from the centreline point, anterior positive.
    :ivar anterior: [n, 3] unit vectors.
    :ivar lumen: [n] whether the mask has a lumen there.
    """

    front: Array
    back: Array
    anterior: Array
    lumen: NDArray[np.bool_]
    front_trace: Trace
    back_trace: Trace


def find_walls(image: ImageSlices, field: Field, line: Centreline, column: Array, rising: bool) -> Walls | None:
    """Trace both walls; None if the image does not show them.

    :param field: of the mask of the lumen.
    :param column: points [n, 3] of the column of bodies and discs from head to sacrum: in front of the lumen.
    :param rising: whether the signal rises from the lumen outward.
    """
    if len(line.points) < _SHORTEST:
        return None
    anterior = _anterior(line, column)
    right = np.cross(anterior, line.tangents)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    t = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    middle = len(line.points) // 2
    field = field.along(np.stack([right[middle], anterior[middle], line.tangents[middle]]))
    values = field.at(line.points[:, None] + t[:, None] * anterior[:, None])
    front, back = np.array([_stretch(t, row) for row in values]).T
    known = np.isfinite(front)
    if known.sum() < _SHORTEST:
        return None
    places = np.arange(len(front))
    starts = []
    for side in (front, back):
        filled = np.interp(places, places[known], side[known])
        starts.append(ndimage.gaussian_filter1d(ndimage.median_filter(filled, 5, mode="nearest"), _SMOOTH_MM))
    traces = [
        trace(image, line.points + start[:, None] * anterior, sign * anterior, right, _SEARCH, rising)
        for start, sign in zip(starts, (1.0, -1.0), strict=True)
    ]
    if traces[0] is None or traces[1] is None:
        return None
    return Walls(
        starts[0] + traces[0].offset, starts[1] - traces[1].offset, anterior, known, traces[0], traces[1]
    )  # fmt: skip


def _anterior(line: Centreline, column: Array) -> Array:
    """Return the direction from each centreline point to the column, perpendicular to the centreline."""
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(column, axis=0), axis=1))])
    fine = np.arange(0.0, steps[-1] + 0.5, 1.0)
    curve = np.stack([np.interp(fine, steps, column[:, axis]) for axis in range(3)], axis=1)
    nearest = np.argmin(np.linalg.norm(line.points[:, None] - curve[None], axis=2), axis=1)
    towards = curve[nearest] - line.points
    towards -= (towards * line.tangents).sum(axis=1, keepdims=True) * line.tangents
    smooth = ndimage.gaussian_filter1d(towards, 5.0, axis=0, mode="nearest")
    return np.array([unit(v) for v in smooth])


def _stretch(t: Array, values: Array) -> tuple[float, float]:
    """Return front and back end of the longest stretch of a line inside a mask; NaN for none."""
    inside = np.flatnonzero(values > 0)
    if not len(inside):
        return np.nan, np.nan
    pieces = np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1)
    piece = max(pieces, key=len)
    ends = []
    for n, step in ((piece[-1], 1), (piece[0], -1)):
        if not 0 <= n + step < len(t):
            return np.nan, np.nan
        part = values[n] / (values[n] - values[n + step])
        ends.append(float(t[n] + step * _STEP_MM * part))
    return ends[0], ends[1]
