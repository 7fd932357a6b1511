"""The vertebral bodies of a tissue map: bone cut at the mid-planes of the discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...segmentation import label_centres
from .curve import CONNECTED, Array, Labels, arc_positions, forward_of, tangent_at
from .discs import Disc

#: A piece smaller than this part of the median piece is a speck.
_SPECK = 0.12
#: A body longer than this many times the usual step contains two levels.
_TWO_LEVELS = 1.6
_USUAL_STEP_MM = 30.0


@dataclass(frozen=True, eq=False)
class Body:
    """One vertebral body: its label in `Column.body_labels`, centre, arc length, length along the spine, AP depth.

    :ivar levels: vertebrae that it contains: two if two bodies are fused.
    """

    label: int
    centre: Array
    position: float
    length: float
    depth: float
    levels: int = 1


def find_bodies(
    bone: NDArray[np.bool_], discs: Sequence[Disc], curve: Array, mm: Array
) -> tuple[tuple[Body, ...], Labels]:
    """The bodies from head to sacrum, and their labels [slice, row, column].

    Bone is cut at the mid-planes of the discs; pieces one above the other between two discs are separate bodies.

    :param mm: spacing of slices, rows and columns.
    """
    labels = np.zeros(bone.shape, np.int32)
    voxels = np.argwhere(bone)
    if not len(voxels):
        return (), labels
    points = voxels * mm
    interval = np.zeros(len(points), int)
    for disc in discs:
        interval += (points - disc.centre) @ disc.normal < 0  # head to sacrum: 0 is above every disc
    steps = -np.diff([d.position for d in discs])
    step = float(np.median(steps)) if len(steps) else _USUAL_STEP_MM
    smallest = _SPECK * np.median([n for n in np.bincount(interval) if n])
    bodies: list[Body] = []
    for index in np.unique(interval):
        mine = voxels[interval == index]
        low, high = mine.min(axis=0), mine.max(axis=0) + 1
        local = np.zeros(high - low, bool)
        local[tuple((mine - low).T)] = True
        for piece in _stacked_pieces(local, low, curve, mm, smallest, step):
            where = np.argwhere(piece) + low
            bodies.append(_describe(len(bodies) + 1, where * mm, curve, step))
            labels[tuple(where.T)] = len(bodies)
    return tuple(sorted(bodies, key=lambda b: -b.position)), labels


def _stacked_pieces(
    local: NDArray[np.bool_], low: NDArray[np.int64], curve: Array, mm: Array, smallest: float, step: float
) -> list[NDArray[np.bool_]]:
    """Pieces of one interval, joined if they are side by side, without specks."""
    labels, count = ndimage.label(local, CONNECTED)
    sizes = np.bincount(labels.ravel())[1:]
    kept = [n for n in range(count) if sizes[n] >= max(smallest, 0.05 * sizes.max())]
    if not kept:
        return []
    positions, _ = arc_positions(curve, (label_centres(labels, count)[kept] + low) * mm)
    groups: list[list[int]] = []
    for n in np.argsort(-positions):
        if groups and positions[groups[-1][0]] - positions[n] < 0.6 * step:
            groups[-1].append(int(n))
        else:
            groups.append([int(n)])
    return [np.isin(labels, [kept[n] + 1 for n in group]) for group in groups]


def _describe(number: int, points: Array, curve: Array, step: float) -> Body:
    centre = points.mean(axis=0)
    position = float(arc_positions(curve, centre[None])[0][0])
    tangent = tangent_at(curve, position)
    along = (points - centre) @ tangent
    length = float(np.percentile(along, 97) - np.percentile(along, 3))
    ahead = (points - centre) @ forward_of(tangent)
    depth = float(np.percentile(ahead, 97) - np.percentile(ahead, 3))
    return Body(number, centre, position, length, depth, 2 if length > _TWO_LEVELS * step else 1)
