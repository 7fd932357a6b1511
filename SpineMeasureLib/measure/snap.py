"""Dragged ends of lines snap to the edge of the image beside them, found by the same search as automatic ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..volume import Volume
from .case_edges import bone_signal
from .definitions import definition, has_edges
from .edges import Search, trace
from .frames import as_point, unit
from .image_slices import ImageSlices
from .types import ENDS, End, Measurement, Point

Array = NDArray[np.float64]

#: An end snaps to an edge at most this far away, mm along its line.
REACH_MM = 1.5
#: The signal up to 7 mm away tells an edge from texture; a path beyond the reach costs more than most edges are worth.
_SEARCH = Search(-7.0, 7.0, -REACH_MM, REACH_MM, far=0.5)
#: Places of the neighbouring profiles, mm across the line.
_ACROSS_MM = 0.8 * np.arange(-3, 4)
#: Weaker edges do not attract an end, as a part of the contrast; 95 % of the automatic ends have stronger ones.
_STRONG = 0.35
#: Cosine between a line and the second axis of its plane (superior, or anterior) below which it is turned away.
_STEEP = 0.5


@dataclass(frozen=True)
class EdgeSnap:
    """The image of a case, for dragging lines between its edges.

    :ivar bright_marrow: the marrow is brighter than the endplates.
    :ivar bone: signal of bone.
    """

    image: ImageSlices
    bright_marrow: bool
    bone: float

    def snapped(self, row: Measurement, ends: tuple[Point, Point], end: End) -> Point | None:
        """Return the place of the edge nearest to an end, along the line from its other end.

        :param row: the line's value; only ends of lines between edges snap.
        :param ends: superior or anterior, and inferior or posterior end as placed, RAS mm.
        :param end: which of them was moved.
        :return: RAS mm; None if there is no edge that can be trusted.
        """
        if row.plane is None or not has_edges(row):
            return None
        place, other = np.array(ends[ENDS.index(end)]), np.array(ends[1 - ENDS.index(end)])
        what = definition(row.quantity, row.method, row.level)
        x_axis, up = np.array(row.plane.x_axis), np.array(row.plane.y_axis)
        length, rise = float(np.linalg.norm(place - other)), float((place - other) @ up)
        if abs(rise) <= _STEEP * length:
            return None
        # Outward from the structure, also if the end was dragged past the other one.
        outward = unit(place - other) * (1.0 if (rise > 0) == (end == "p1") else -1.0)
        # Heights are measured in a sagittal plane, diameters of the canal in a plane across it.
        of_canal = what.quantity == "canal_ap"
        right = x_axis if of_canal else np.cross(x_axis, up)
        base = place + _ACROSS_MM[:, None] * unit(np.cross(outward, right))
        if of_canal:
            rising = row.boundary == "outer_dura"
            found = trace(self.image, base, outward, right, _SEARCH, rising, None if rising else self.bone)
        else:
            # From a disc the way leads into the marrow, from inside a body out of it.
            rising = self.bright_marrow == (what.at == "disc")
            found = trace(self.image, base, outward, right, _SEARCH, rising, self.bone if self.bright_marrow else None)
        middle = len(base) // 2
        if found is None or not found.trusted[middle] or found.strength[middle] < _STRONG:
            return None
        offset = found.offset[middle]
        return as_point(place + offset * outward) if abs(offset) <= REACH_MM else None


def edge_snap(image: Volume, rows: Iterable[Measurement]) -> EdgeSnap | None:
    """Prepare the image of a case; None if the case has no line between edges.

    :param rows: of the whole case, as measured.
    """
    lines = [row for row in rows if has_edges(row) and row.p1 and row.p2]
    if not lines:
        return None
    ends = np.array([end for row in lines for end in (row.p1, row.p2)])
    bright = not any(row.boundary == "disc_surface" for row in lines)
    return EdgeSnap(ImageSlices(image), bright, bone_signal(image, ends))
