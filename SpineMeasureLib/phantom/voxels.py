"""The label map of a spine of closed-form shape on any grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..anatomy import CANAL_VALUE, CORD_VALUE, DISC_OFFSET, Kind, vertebra_value
from ..orientation import apply_affine, from_matvec
from ..segmentation import SpineSegmentation, Structure
from .elements import Canal, Element, Spine
from .geometry import Array


@dataclass(frozen=True)
class Grid:
    """Geometry of the label map.

    :ivar spacing: mm along the array axes, whose directions are the columns of `axes`.
    :ivar axes: 3x3, direction of each array axis in RAS; may be left-handed.
    :ivar half_extent: half the field of view in mm along each array axis; None for the spine with a margin.
    """

    spacing: tuple[float, float, float] = (4.0, 0.5, 0.5)
    axes: Array = field(default_factory=lambda: np.eye(3))
    half_extent: tuple[float | None, float | None, float | None] = (None, None, None)


@dataclass(frozen=True)
class Habit:
    """How an annotator draws, in mm by which boundaries are moved outward (negative: inward).

    Discs are drawn over bodies, the canal over both; what nobody covers stays without label.

    :ivar disc: the ends of discs, at the endplates.
    :ivar body: the ends of bodies, at the endplates.
    :ivar everything: all boundaries of discs, bodies, canal and cord, in addition.
    """

    disc: float = 0.0
    body: float = 0.0
    everything: float = 0.0


SAGITTAL_2D = Grid()
SPACE = Grid((0.9, 0.47, 0.47))
ISOTROPIC = Grid((1.0, 1.0, 1.0))
_EXACT = Habit()


def voxelise(
    spine: Spine, grid: Grid = SAGITTAL_2D, *, flags: tuple[str, ...] = (), habit: Habit = _EXACT
) -> SpineSegmentation:
    """Make the label map of a spine: each voxel gets the label of the structure at its centre.

    :param habit: moves the boundaries; by default the discs reach from body to body, including the bony endplates.

    >>> from SpineMeasureLib.phantom import lumbar
    >>> found = voxelise(lumbar("L5", "L4"))
    >>> [structure.name for structure in found.structures]
    ['L4', 'L4-L5', 'L5', 'Spinal canal']

    :raises ValueError: a structure contains no voxel centre.
    """
    frames = spine.frames()
    corners = np.concatenate([apply_affine(f, _box(e, spine.canal)) for e, f in _zip(spine, frames)])
    directions = grid.axes / np.linalg.norm(grid.axes, axis=0)
    local = corners @ np.linalg.inv(directions).T
    low, high = local.min(axis=0) - 5, local.max(axis=0) + 5
    middle = (low + high) / 2
    half = [(h - m) if e is None else e for e, h, m in zip(grid.half_extent, high, middle, strict=True)]
    spacing = np.array(grid.spacing)
    shape = np.ceil(2 * np.array(half) / spacing).astype(int) + 1
    affine = from_matvec(directions * spacing, directions @ (middle - (shape - 1) / 2 * spacing))
    labels = np.zeros(shape, np.uint8)
    painted = _zip(spine, frames)
    if habit != _EXACT:
        painted.sort(key=lambda pair: pair[0].kind is Kind.DISC)
    for element, frame in painted:
        _paint(labels, affine, element, frame, spine.canal, habit)
    return SpineSegmentation(labels, affine, _structures(spine, flags), True, "labels")


def _zip(spine: Spine, frames: list[Array]) -> list[tuple[Element, Array]]:
    return list(zip(spine.elements, frames, strict=True))


def _box(element: Element, canal: Canal) -> Array:
    back = max(element.half_depth, canal.behind + canal.half_ap)
    rise = element.height / 2 + abs(element.slope) * max(back, element.half_width)
    return np.array([[v, u, s] for v in (-1, 1) for u in (-back, element.half_depth) for s in (-rise, rise)]) * (
        max(element.half_width, canal.half_width), 1, 1
    )  # fmt: skip


def _paint(
    labels: NDArray[np.uint8], affine: Array, element: Element, frame: Array, canal: Canal, habit: Habit
) -> None:
    grown = habit.everything
    ends = grown + (habit.disc if element.kind is Kind.DISC else habit.body)
    to_index = np.linalg.inv(affine) @ frame
    corners = _box(element, canal)
    box = apply_affine(to_index, corners + max(0.0, ends, grown) * np.sign(corners))
    start = np.maximum(np.floor(box.min(axis=0)).astype(int), 0)
    stop = np.minimum(np.ceil(box.max(axis=0)).astype(int) + 1, labels.shape)
    if (stop <= start).any():
        return
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(start, stop, strict=True)), indexing="ij"), -1)
    v, u, s = np.moveaxis(apply_affine(np.linalg.inv(to_index), index), -1, 0)
    between = element.between(v, u, s)
    part = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    inside = element.within(v, u) >= -grown if grown else element.footprint(v, u) <= 0
    part[(between >= -ends) & inside] = _value(element)
    v, u = swept(element, v, u, s)
    u = u + canal.behind
    inside = canal.within(u, v) >= -grown if grown else canal.inside(u, v)
    part[(between >= 0) & inside] = CANAL_VALUE
    ap, across = (half + grown for half in canal.cord)
    if canal.cord[0] > 0 and min(ap, across) > 0:
        part[(between >= 0) & ((u / ap) ** 2 + (v / across) ** 2 <= 1)] = CORD_VALUE


def swept(element: Element, v: Array, u: Array, s: Array) -> tuple[Array, Array]:
    """Return the place of a point in the cross-section swept from the lower to the upper plane about their hinge."""
    if not element.bend:
        return v, u
    right, front = element.opening.tolist()
    q, along = right * v + front * u, -front * v + right * u
    hinge = -element.height / (2 * element.slope)
    q = hinge + np.sign(-hinge) * np.hypot(q - hinge, s)
    return right * q - front * along, front * q + right * along


def _value(element: Element) -> int:
    if element.kind is Kind.DISC:
        return DISC_OFFSET + vertebra_value(element.name.partition("-")[0])
    return vertebra_value(element.name)


def _structures(spine: Spine, flags: tuple[str, ...]) -> tuple[Structure, ...]:
    found = []
    for e in reversed(spine.elements):
        name = "Sacrum" if e.kind is Kind.SACRUM else e.name
        found.append(Structure(_value(e), name, e.kind, e.name, None, flags))
    found.append(Structure(CANAL_VALUE, "Spinal canal", Kind.CANAL, ""))
    if spine.canal.cord[0] > 0:
        found.append(Structure(CORD_VALUE, "Spinal cord", Kind.CORD, ""))
    return tuple(found)
