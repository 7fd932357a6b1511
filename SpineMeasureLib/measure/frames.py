"""Frames and endplates: the local superior, anterior and right directions of each disc and body, RAS mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..orientation import apply_to_vectors
from .fields import Field, first_entry, intervals
from .types import Plane

Array = NDArray[np.float64]

#: An endplate is fitted over this central part of the depth, so that rims and osteophytes do not tilt it.
_CENTRAL = 0.8
_GRID_MM = 1.5
_REACH_MM = 28.0
_MINIMUM_LIKENESS = 2 / 3
_FEWEST_POINTS = 10
#: A disc's thin axis gives its direction if the disc is this much longer than thick and tilted by less than 70 degrees.
_FLAT = 1.5
_STEEPEST = 0.34
#: The ends of an endplate are searched this far inside the body, or inside the disc if the body is not segmented.
_INSIDE_MM = np.linspace(1.5, 3.5, 5)
_INSIDE_DISC_MM = np.linspace(0.6, 1.4, 3)


@dataclass(frozen=True)
class Frame:
    """Right-handed local frame: `superior` x ... with `right` = `anterior` x `superior`.

    :ivar fallback: the normal comes from a principal axis, not from endplates.
    """

    origin: Array
    superior: Array
    anterior: Array
    fallback: bool = False

    @property
    def right(self) -> Array:
        """Unit vector to the patient's right."""
        return np.cross(self.anterior, self.superior)

    @property
    def axes(self) -> Array:
        """Right, anterior and superior as rows."""
        return np.stack([self.right, self.anterior, self.superior])

    @property
    def plane(self) -> Plane:
        """The sagittal measuring plane: origin, anterior, superior."""
        return Plane(as_point(self.origin), as_point(self.anterior), as_point(self.superior))

    def moved(self, right_mm: float) -> Frame:
        """The same frame shifted to the right."""
        return Frame(self.origin + right_mm * self.right, self.superior, self.anterior, self.fallback)


def as_point(vector: Array) -> tuple[float, float, float]:
    """A numpy vector as a plain tuple."""
    return (float(vector[0]), float(vector[1]), float(vector[2]))


def unit(vector: Array) -> Array:
    """The vector at length 1."""
    scaled: Array = vector / np.linalg.norm(vector)
    return scaled


def make_frame(origin: Array, superior: Array, towards_anterior: Array, fallback: bool = False) -> Frame:
    """A frame with the given normal, its anterior direction as near to `towards_anterior` as it can be."""
    s = unit(superior)
    return Frame(origin, s, unit(towards_anterior - (towards_anterior @ s) * s), fallback)


@dataclass(frozen=True)
class Endplate:
    """An endplate as a fitted plane and its line in the measuring plane.

    :ivar normal: unit normal, pointing to the head.
    :ivar anterior: anterior end of its line, RAS mm.
    :ivar posterior: posterior end of its line, RAS mm.
    :ivar own: fitted to the neighbouring body; False if it was fitted to the disc's own surface instead.
    """

    normal: Array
    anterior: Array
    posterior: Array
    own: bool = True

    @property
    def middle(self) -> Array:
        """Midpoint of its line."""
        middle: Array = (self.anterior + self.posterior) / 2
        return middle


def thin_axis(field: Field, up: Array, anterior: Array) -> Array:
    """Axis of minimum extent of a disc in its sagittal plane, pointing as `up` does; `up` if the disc is too round.

    Its right-left extent is ignored: a slab may contain only a few slices of the disc.

    :param up: rough direction along the spine, towards the head.
    :param anterior: rough anterior direction.
    """
    inside = np.argwhere(field.values > 0)
    if len(inside) < _FEWEST_POINTS:
        return unit(up)
    points = apply_to_vectors(np.linalg.inv(field.ras_to_index), inside)
    right = unit(np.cross(anterior, up))
    flat = points - points.mean(axis=0)
    flat -= (flat @ right)[:, None] * right
    _, spread, axes = np.linalg.svd(flat, full_matrices=False)
    axis: Array = axes[1] if axes[1] @ up > 0 else -axes[1]
    return axis if spread[0] > _FLAT * spread[1] and axis @ up > _STEEPEST else unit(up)


def footprint(frame: Frame, half_depth: float, half_width: float) -> Array:
    """Points [n, 3] of a grid in the plane of a disc or body, across the central part of its depth."""
    u = np.arange(-half_depth * _CENTRAL, half_depth * _CENTRAL + 0.01, _GRID_MM)
    v = np.arange(-half_width, half_width + 0.01, _GRID_MM)
    grid = np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2)
    points: Array = frame.origin + grid[:, :1] * frame.anterior + grid[:, 1:] * frame.right
    return points


def fit_plane(points: Array, superior: Array) -> tuple[Array, Array] | None:
    """Robust plane through points: (point, unit normal pointing as `superior` does), or None for too few points.

    Least squares, repeated with points beyond 2.5 robust standard deviations left out.
    """
    kept = points
    for _ in range(4):
        if len(kept) < _FEWEST_POINTS:
            return None
        centre = kept.mean(axis=0)
        values, axes = np.linalg.eigh(np.cov((kept - centre).T))
        normal = axes[:, 0]
        offset = (points - centre) @ normal
        spread = 1.4826 * float(np.median(np.abs(offset - np.median(offset))))
        kept = points[np.abs(offset) <= max(2.5 * spread, 1.0)]
    return centre, normal if normal @ superior > 0 else -normal


def endplate_points(
    frame: Frame, disc: Field, body: Field | None, up: bool, half_depth: float, half_width: float
) -> tuple[Array, bool]:
    """Surface points [n, 3] of the endplate above (`up`) or below a disc, and whether they are on the body itself."""
    origins = footprint(frame, half_depth, half_width)
    direction = frame.superior if up else -frame.superior
    if body is not None:
        distance = first_entry(body, origins, direction, _REACH_MM)
        hit = np.isfinite(distance)
        # The disc must be under the point: past its edge a ray meets the wall of the body, not its endplate.
        over = np.isfinite(intervals(disc, origins, frame.superior, 12.0)[:, 0])
        keep = hit & over
        if keep.sum() >= _FEWEST_POINTS:
            return origins[keep] + distance[keep, None] * direction, True
    stretch = intervals(disc, origins, direction, 15.0)[:, 1]
    keep = np.isfinite(stretch)
    return origins[keep] + stretch[keep, None] * direction, False


def endplate_line(
    frame: Frame, point: Array, normal: Array, bounded: Field, inwards: Array, own: bool
) -> Endplate | None:
    """The line of the endplate in the measuring plane, as long as the structure behind it.

    :param inwards: unit vector from the endplate into the structure that `bounded` describes.
    """
    along = np.cross(frame.right, normal)
    along = unit(along if along @ frame.anterior > 0 else -along)
    # The point of the fitted plane that is in the measuring plane, under the origin of the frame.
    slope = frame.superior @ normal
    start = frame.origin + ((point - frame.origin) @ normal) / slope * frame.superior
    inside = _INSIDE_MM if own else _INSIDE_DISC_MM
    found = intervals(bounded, start + inside[:, None] * inwards, along, 40.0, outermost=True)
    found = found[np.isfinite(found).all(axis=1)]
    if not len(found):
        return None
    ends = found.mean(axis=0)
    return Endplate(normal, start + ends[1] * along, start + ends[0] * along, own)


def alike(upper: Endplate, lower: Endplate) -> bool:
    """False if two facing endplates differ in depth by more than a third: one of them is only partly visible."""
    depths = [float(np.linalg.norm(e.anterior - e.posterior)) for e in (upper, lower)]
    return max(depths) < min(depths) / _MINIMUM_LIKENESS


def tilt(normal: Array, frame: Frame) -> float:
    """Angle in degrees by which a normal is tilted forward from superior, in the sagittal plane of a frame."""
    return float(np.degrees(np.arctan2(normal @ frame.anterior, normal @ frame.superior)))
