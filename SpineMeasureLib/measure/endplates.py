"""Endplates and walls of bodies as edges of the image: where a radiologist's callipers go.

The marrow is bright and its bony endplate and cortex are dark on T1 and T2; the edge between them is searched from the
disc outward. Where the marrow is as dark as bone (STIR, water images) the edge of the disc itself is all that the image
shows: `rising` is False then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .chords import BAND, depth_line
from .edges import Search, Trace, trace
from .fields import Field, intervals
from .frames import Endplate, Frame, unit
from .image_slices import ImageSlices
from .rows import Ends

Array = NDArray[np.float64]

#: Distance between profiles along an endplate, mm.
_ALONG_MM = 0.5
#: An endplate is searched from this far inside the disc mask (at most this part of its height) to this far beyond.
_INWARD_MM, _INWARD_PART, _OUTWARD_MM = 3.0, 0.45, 7.0
_FREE = (-3.0, 5.0)
#: The walls of a body are searched at these distances from its endplate, mm, and their end is the mean of the first.
_DEPTHS_MM = np.arange(2.0, 7.01, 0.5)
_CORNER_ROWS = 6
_WALL = Search(-7.0, 5.0, -4.0, 4.0, gap=1.0)
#: The mask of a body is used no farther inward than this from the line of its endplate, mm.
_INTO_BODY_MM = 2.0
#: The endplates of a body are searched from inside its mask.
_BODY = Search(-4.0, 3.0, -2.5, 2.0, gap=0.3)
#: A valley at the endplate is at most this part of the marrow's signal.
_VALLEY = 0.75
#: An endplate line needs this many trusted profiles and this length in mm.
_FEWEST, _SHORTEST_MM = 10, 15.0


@dataclass(frozen=True)
class EdgePair:
    """The two facing edges of a disc (or body) in its sagittal measuring plane.

    :ivar frame: places below are mm along its anterior and superior axes, from its origin.
    :ivar along: [n] places along anterior.
    :ivar upper, lower: [n] places along superior.
    :ivar upper_trace, lower_trace: what they were found from.
    :ivar front, back: places along anterior between which fractions of the depth count.
    :ivar ends_found: whether the image shows the walls that `front` and `back` are the mean of.
    :ivar corners: (front, back) of the structure above, then of the one below.
    """

    frame: Frame
    along: Array
    upper: Array
    lower: Array
    upper_trace: Trace
    lower_trace: Trace
    front: float
    back: float
    ends_found: bool
    corners: tuple[tuple[float, float], tuple[float, float]]

    def band(self, place: float, width: float = BAND) -> NDArray[np.bool_]:
        """Return which profiles are within a band around a fraction of the depth from anterior."""
        depth = self.front - self.back
        return np.abs(self.along - (self.front - place * depth)) <= max(width / 2 * depth, _ALONG_MM)

    def height(self, place: float) -> float:
        """Return the mean height in mm over the band at a fraction of the depth."""
        band = self.band(place)
        return float((self.upper - self.lower)[band].mean())

    def spread(self, place: float) -> float | None:
        """Return the standard deviation (mm) of that height over the slices; None for a single slice."""
        band = self.band(place)
        both = self.upper_trace.spread[band] ** 2 + self.lower_trace.spread[band] ** 2
        found = float(np.sqrt(both.mean()))
        return found if np.isfinite(found) else None

    def strength(self, place: float) -> float:
        """Return the strength (0..1) of the weaker of its two edges there."""
        band = self.band(place)
        return min(float(t.strength[band].mean()) for t in (self.upper_trace, self.lower_trace))

    def ends(self, place: float) -> Ends:
        """Return the superior and inferior end of that height, RAS mm."""
        band = self.band(place)
        foot = self.frame.origin + (self.front - place * (self.front - self.back)) * self.frame.anterior
        return (
            foot + float(self.upper[band].mean()) * self.frame.superior,
            foot + float(self.lower[band].mean()) * self.frame.superior,
        )


Neighbours = tuple[Field | None, Field | None]


def disc_edges(
    image: ImageSlices,
    field: Field,
    frame: Frame,
    rising: bool,
    bodies: Neighbours = (None, None),
    dark: float | None = None,
) -> EdgePair | None:
    """Find the bony endplates of a disc; None if the mask or the image does not reach them.

    :param field: of the disc mask.
    :param rising: whether the signal rises from the disc outward into the marrow.
    :param bodies: masks of the bodies above and below, whose walls start the search for the ends of the endplates.
    :param dark: signal of bone.
    """
    of_bodies = [_body_extent(body, field, frame, sign) for body, sign in zip(bodies, (1, -1), strict=True)]
    near = [extent for extent in of_bodies if extent]
    extent = _mean_extent(near) if near else _mask_extent(field, frame)
    if extent is None:
        return None
    front, back = extent
    along = np.arange(back, front + _ALONG_MM / 2, _ALONG_MM)
    surfaces = mask_surfaces(field, frame, along)
    if surfaces is None:
        return None
    pair = _traced(image, frame, along, surfaces, _around_disc(surfaces), rising)
    if pair is None:
        return None
    starts = [own or extent for own in of_bodies]
    corners = tuple(_walls(image, pair, sign, start, rising) for sign, start in zip((1.0, -1.0), starts, strict=True))
    fronts = [c[0] for c in corners if c[0] is not None]
    backs = [c[1] for c in corners if c[1] is not None]
    found = bool(fronts and backs)
    new_front = float(np.mean(fronts)) if fronts else front
    new_back = float(np.mean(backs)) if backs else back
    if new_front - new_back < 0.5 * (front - back):
        new_front, new_back, found = front, back, False
    again = np.arange(new_back, new_front + _ALONG_MM / 2, _ALONG_MM)
    begun = tuple(np.interp(again, along, edge) for edge in (pair.lower, pair.upper))
    start = tuple(np.interp(again, along, surface) for surface in surfaces)
    # Where the mask has no disc, start from the edge found at its end.
    outside = (again < along[0]) | (again > along[-1])
    start = tuple(np.where(outside, b + side, s) for b, s, side in zip(begun, start, (1.3, -1.3), strict=True))
    final = _traced(image, frame, again, start, _around_disc(start), rising, dark if rising else None)
    if final is None:
        return None
    above, below = ((new_front if f is None else f, new_back if b is None else b) for f, b in corners)
    return replace(final, front=new_front, back=new_back, ends_found=found, corners=(above, below))


def lower_endplate(pair: EdgePair) -> Endplate | None:
    """Return the lower edge of a disc as an endplate line between its walls; None if it cannot be trusted.

    For S1: a model's sacrum ends where its training labels were derived to end, not at its endplate.
    """
    front, back = pair.corners[1]
    inside = (pair.along >= back) & (pair.along <= front) & pair.lower_trace.trusted
    if not pair.ends_found or inside.sum() < _FEWEST or front - back < _SHORTEST_MM:
        return None
    central = inside & (np.abs(pair.along - (front + back) / 2) <= 0.4 * (front - back))
    if central.sum() < _FEWEST:
        return None
    slope, level = np.polyfit(pair.along[central], pair.lower[central], 1)
    anterior, posterior = (
        pair.frame.origin + at * pair.frame.anterior + (level + slope * at) * pair.frame.superior
        for at in (front, back)
    )
    return Endplate(unit(pair.frame.superior - slope * pair.frame.anterior), anterior, posterior, True)


def body_edges(
    image: ImageSlices, field: Field, frame: Frame, bright: bool, dark: float | None = None
) -> EdgePair | None:
    """Find the edges of a body's marrow at its two endplates, and its walls.

    :param field: of the mask of the body.
    :param bright: whether the marrow is brighter than its endplates.
    :param dark: signal of bone.
    """
    dark = dark if bright else None
    extent = _mask_extent(field, frame)
    if extent is None:
        return None
    height = np.arange(-3.0, 3.1, 0.5)
    ends = []
    for start, outward in zip(extent, (1.0, -1.0), strict=True):
        base = frame.origin + start * frame.anterior + height[:, None] * frame.superior
        wall = trace(image, base, outward * frame.anterior, frame.right, _WALL, not bright)
        if wall is not None and wall.trusted.mean() >= 0.5:
            start += outward * float(np.median(wall.offset))
        ends.append(start)
    front, back = ends
    along = np.arange(back + 1.0, front - 1.0 + _ALONG_MM / 2, _ALONG_MM)
    surfaces = mask_surfaces(field, frame, along) if len(along) > 10 else None
    if surfaces is None:
        return None
    pair = _traced(image, frame, along, _from_endplates(along, *surfaces), _BODY, not bright, dark)
    walls = (front, back)
    return pair and replace(pair, front=front, back=back, ends_found=True, corners=(walls, walls))


def marrow_is_bright(image: ImageSlices, field: Field, frame: Frame) -> bool | None:
    """Return whether the signal has a valley between a disc and the marrow around it; None if it is not seen."""
    half = np.abs(intervals(field, frame.origin[None], frame.superior, 30.0)).max()
    if not np.isfinite(half):
        return None
    along = np.arange(-6.0, 6.1, 1.0)
    t = np.arange(0.0, half + 8.0, 0.4)
    lowest, marrow = [], []
    for sign in (1.0, -1.0):
        points = frame.origin + along[:, None, None] * frame.anterior + sign * t[:, None] * frame.superior
        for k, where in image.in_slices(points, frame.right, 1.0, 1).items():
            signal = np.median(image.at(k, where.points), axis=0)  # NaN where a profile leaves the image
            if np.isfinite(signal).all():
                lowest.append(signal[(t > half - 2.0) & (t < half + 3.0)].min())
                marrow.append(np.median(signal[t > half + 4.0]))
    if not marrow:
        return None
    return bool(np.mean(lowest) < _VALLEY * np.mean(marrow))


def _mean_extent(extents: Sequence[tuple[float, float]]) -> tuple[float, float]:
    front, back = np.mean(extents, axis=0)
    return float(front), float(back)


def _mask_extent(field: Field, frame: Frame) -> tuple[float, float] | None:
    """Return where a mask ends in front and behind at mid-height, mm along anterior."""
    depth = depth_line(field, frame)
    if depth is None:
        return None
    front, back = (float((end - frame.origin) @ frame.anterior) for end in depth)
    return front, back


def _body_extent(body: Field | None, field: Field, frame: Frame, sign: int) -> tuple[float, float] | None:
    """Return where a body's mask ends in front and behind, a few mm from the disc."""
    if body is None:
        return None
    half = np.abs(intervals(field, frame.origin[None], frame.superior, 30.0)).max()
    start = (float(half) if np.isfinite(half) else 4.0) + _DEPTHS_MM
    found = intervals(body, frame.origin + sign * start[:, None] * frame.superior, frame.anterior, 40.0)
    found = found[np.isfinite(found).all(axis=1)]
    if len(found) < len(start) / 2:
        return None
    back, front = np.median(found, axis=0)
    return (float(front), float(back)) if front > back else None


def mask_surfaces(field: Field, frame: Frame, along: Array) -> tuple[Array, Array] | None:
    """Return the lower and upper surface of a mask at places along its depth, smoothed; None if it has too little."""
    stretch = intervals(field, frame.origin + along[:, None] * frame.anterior, frame.superior, 30.0)
    known = np.isfinite(stretch).all(axis=1)
    if known.sum() < 5:
        return None
    lower, upper = (_smooth(np.interp(along, along[known], stretch[known, n])) for n in (0, 1))
    return lower, upper


def _from_endplates(along: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the surfaces of a body's mask without its walls: in front and behind it may be far from the endplate.

    There a wall that leans, or the basivertebral vein, cuts the mask: no farther inward than `_INTO_BODY_MM` from the
    line of its central part.
    """
    central = np.abs(along - along.mean()) <= 0.3 * np.ptp(along)
    low, high = (np.polyval(np.polyfit(along[central], surface[central], 1), along) for surface in (lower, upper))
    return np.minimum(lower, low + _INTO_BODY_MM), np.maximum(upper, high - _INTO_BODY_MM)


def _smooth(places: Array) -> Array:
    smooth: Array = ndimage.gaussian_filter1d(ndimage.median_filter(places, 9, mode="nearest"), 3, mode="nearest")
    return smooth


def _traced(
    image: ImageSlices,
    frame: Frame,
    along: Array,
    surfaces: tuple[Array, ...],
    search: Search,
    rising: bool,
    dark: float | None = None,
) -> EdgePair | None:
    """Trace the edges near the lower and upper surface of a mask; the depth is that of `along`."""
    lower, upper = surfaces
    foot = frame.origin + along[:, None] * frame.anterior
    above = trace(image, foot + upper[:, None] * frame.superior, frame.superior, frame.right, search, rising, dark)
    below = trace(image, foot + lower[:, None] * frame.superior, -frame.superior, frame.right, search, rising, dark)
    if above is None or below is None:
        return None
    front, back = float(along[-1]), float(along[0])
    return EdgePair(
        frame, along, upper + above.offset, lower - below.offset, above, below, front, back, False,
        ((front, back), (front, back)),
    )  # fmt: skip


def _around_disc(surfaces: tuple[Array, ...]) -> Search:
    """Return where the endplates of a disc are searched: in a thin one not as far as the other endplate."""
    lower, upper = surfaces
    return Search(-min(_INWARD_MM, _INWARD_PART * float(np.median(upper - lower))), _OUTWARD_MM, *_FREE)


def _walls(
    image: ImageSlices, pair: EdgePair, sign: float, start: tuple[float, float], bright: bool
) -> tuple[float | None, float | None]:
    """Return where the marrow above (`sign` 1) or below an endplate ends in front and behind; None if not seen."""
    edge = pair.upper if sign > 0 else pair.lower
    middle = np.abs(pair.along - (start[0] + start[1]) / 2) < 0.3 * (start[0] - start[1])
    if middle.sum() < _FEWEST:
        return None, None
    slope, level = np.polyfit(pair.along[middle], edge[middle], 1)
    found: list[float | None] = []
    for end, outward in zip(start, (1.0, -1.0), strict=True):
        height = level + slope * end + sign * _DEPTHS_MM
        base = pair.frame.origin + end * pair.frame.anterior + height[:, None] * pair.frame.superior
        wall = trace(image, base, outward * pair.frame.anterior, pair.frame.right, _WALL, not bright)
        rows = slice(0, _CORNER_ROWS)
        if wall is None or wall.trusted[rows].sum() < _CORNER_ROWS / 2:
            found.append(None)
            continue
        good = wall.trusted[rows]
        found.append(end + outward * float(np.median(wall.offset[rows][good])))
    return found[0], found[1]
