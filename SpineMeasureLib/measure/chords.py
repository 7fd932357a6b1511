"""Lines across a mask in its frame: AP depth at mid-height, and chords along its normal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fields import Field, intervals
from .frames import Frame
from .rows import Ends, length

Array = NDArray[np.float64]

#: Heights are averaged over a band of this fraction of the depth around their place.
BAND = 0.10
_BAND_LINES = 9
#: The depth is averaged over a band of this fraction of the height, at most so many mm, to even out voxel steps.
_DEPTH_BAND = 0.3
_DEPTH_BAND_MM = 3.0
REACH_MM = 20.0
#: A disc is bent if a straight line at mid-height contains less than this fraction of its depth.
_STRAIGHT = 0.8
_BENT_MM = 8.0


def depth_line(field: Field, frame: Frame) -> Ends | None:
    """Find anterior and posterior end at mid-height, in the sagittal plane; each is the mean over a band of heights."""
    middle = intervals(field, frame.origin[None], frame.anterior, 40.0, outermost=True)[0]
    if not np.isfinite(middle).all():
        middle = np.zeros(2)
    # At the thinnest place: a band taller than the thin end of a wedge would cut that end off.
    places = (middle.mean() + np.linspace(-0.4, 0.4, 3) * (middle[1] - middle[0]))[:, None]
    height = intervals(field, frame.origin + places * frame.anterior, frame.superior, REACH_MM)
    thinnest = np.abs(height[np.isfinite(height).all(axis=1)]).min(initial=REACH_MM)
    half = min(_DEPTH_BAND_MM / 2, _DEPTH_BAND * thinnest)
    origins = frame.origin + np.linspace(-half, half, _BAND_LINES)[:, None] * frame.superior
    # From edge to edge: a cleft in a degenerate disc does not end it.
    stretch = intervals(field, origins, frame.anterior, 40.0, outermost=True)
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    back, front = stretch.mean(axis=0) if len(stretch) >= _BAND_LINES // 2 + 1 else (0.0, 0.0)
    bent = _bent_line(field, frame, 2.0)
    if bent is not None and front - back < _STRAIGHT * length(bent):
        return _bent_line(field, frame, 0.25)
    return (frame.origin + front * frame.anterior, frame.origin + back * frame.anterior) if front > back else None


def _bent_line(field: Field, frame: Frame, step: float) -> Ends | None:
    """Find both AP ends at mid-height in steps of `step` mm: a thin bent disc leaves any straight line."""
    places = np.arange(-40.0, 40.0, step)
    origins = frame.origin + places[:, None] * frame.anterior
    heights = intervals(field, origins, frame.superior, _BENT_MM)
    hit = np.flatnonzero(np.isfinite(heights).all(axis=1))
    if len(hit) < 2:
        return None
    back, front = (origins[n] + heights[n].mean() * frame.superior for n in (hit[0], hit[-1]))
    return front, back


def chord(field: Field, frame: Frame, depth: Ends, place: float) -> Ends | None:
    """Return the height at a fraction of the depth from anterior: (superior end, inferior end).

    The length is the mean over a band; the line is in the middle of the band.
    """
    fractions = place + np.linspace(-BAND / 2, BAND / 2, _BAND_LINES)
    origins = depth[0] + fractions[:, None] * (depth[1] - depth[0])
    stretch = intervals(field, origins, frame.superior, REACH_MM)
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    if len(stretch) < _BAND_LINES // 2 + 1:
        return None
    low, high = stretch.mean(axis=0)
    centre = depth[0] + place * (depth[1] - depth[0])
    return centre + high * frame.superior, centre + low * frame.superior
