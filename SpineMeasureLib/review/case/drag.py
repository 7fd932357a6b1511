"""Where the ends of a line may be dragged: one end at a time, in the measuring plane. RAS mm."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import dist

from ...measure.types import ENDS, End, Plane, Point
from .state import Edit, Row, now

Ends = tuple[Point, Point]

#: Movements below this are rounding.
STILL_MM = 1e-6


@dataclass
class Drag:
    """A line that the mouse holds.

    :ivar start: its ends when the button was pressed.
    :ivar rows: the rows that have changed so far.
    """

    number: int
    start: Ends
    rows: dict[int, Row] = field(default_factory=dict)


def dragged(start: Ends, ends: Ends, plane: Plane | None) -> Ends:
    """Return the ends that a drag may give a line.

    If both ends moved, the whole line was dragged or turned, and is moved back. Otherwise the moved end is projected
    into the plane.

    :param plane: None if the end may leave it.
    """
    first, second = (dist(a, b) > STILL_MM for a, b in zip(start, ends, strict=True))
    if first and second:
        return start
    if first:
        return in_plane(ends[0], plane), start[1]
    if second:
        return start[0], in_plane(ends[1], plane)
    return start


def moved_end(start: Ends, ends: Ends) -> End | None:
    """Return which end of a line was moved; None if neither or both were."""
    moved = [end for end, a, b in zip(ENDS, start, ends, strict=True) if dist(a, b) > STILL_MM]
    return moved[0] if len(moved) == 1 else None


def edit_of(row: Row, ends: Ends, snapped: tuple[End, ...] = (), still_mm: float = STILL_MM) -> Edit:
    """Return the edit that moves a line. An end that stays where it was snapped to an edge remains snapped.

    :param snapped: ends that just snapped.
    :param still_mm: smaller movements are not movements.
    """
    before = row.edit
    earlier = {end: getattr(before, end) for end in before.snapped} if before is not None else {}
    marks = tuple(
        end for end, place in zip(ENDS, ends, strict=True)
        if end in snapped or (end in earlier and dist(earlier[end], place) <= still_mm)
    )  # fmt: skip
    return Edit(dist(*ends), *ends, now(), row.automatic.value, snapped=marks)


def in_plane(point: Point, plane: Plane | None) -> Point:
    """Project a point onto a plane; None leaves it where it is."""
    if plane is None:
        return point
    (ux, uy, uz), (vx, vy, vz) = plane.x_axis, plane.y_axis
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    (x, y, z), (ox, oy, oz) = point, plane.origin
    away = ((x - ox) * nx + (y - oy) * ny + (z - oz) * nz) / (nx * nx + ny * ny + nz * nz)
    return (x - away * nx, y - away * ny, z - away * nz)


def same(ends: Ends | None, others: Ends | None) -> bool:
    """Return whether two lines have the same ends."""
    if ends is None or others is None:
        return ends is others
    return dist(ends[0], others[0]) <= STILL_MM and dist(ends[1], others[1]) <= STILL_MM
