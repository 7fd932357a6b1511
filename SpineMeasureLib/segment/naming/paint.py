"""Writing named structures into a map of label values.

Arrays are in network order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import CANAL_VALUE, CORD_VALUE, DISC_OFFSET, POSTERIOR_OFFSET, Tissue, vertebra_value
from .chain import Slot
from .column import Column
from .curve import Array, arc_positions, pieces_of

_SMALLEST_CANAL = 0.05
_SMALLEST_CANAL_MM3 = 50.0
_SHORTEST_CORD_MM = 20.0
_SMALLEST_POSTERIOR_MM3 = 60.0
#: Posterior elements are lower than their body by about this part of the step between levels.
_POSTERIOR_DROP = 0.35
_USUAL_STEP_MM = 30.0
#: A piece of posterior elements longer than this many steps belongs to several vertebrae.
_ONE_LEVEL = 1.3
_FARTHEST_MM = 80.0
#: Maximum number of voxels of a piece that are sampled.
_SAMPLE = 400


def first_levels(slots: Sequence[Slot]) -> Iterator[tuple[Slot, int]]:
    """Each slot with the number of its first vertebra in the names of the chain."""
    level = 0
    for slot in slots:
        yield slot, level
        level += slot.levels


def paint_chain(
    labels: NDArray[np.uint8], column: Column, slots: Sequence[Slot], names: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """Write bodies and discs; return flags by label value.

    :param names: of the vertebrae, from head to sacrum.
    """
    flags: dict[int, tuple[str, ...]] = {}
    of_body = np.zeros(column.body_labels.max() + 1, np.uint8)
    of_disc = np.zeros(column.disc_labels.max() + 1, np.uint8)
    for slot, level in first_levels(slots):
        value = vertebra_value(names[level])
        if slot.body:
            of_body[slot.body.label] = value
            if slot.levels > 1 or (slot.disc is None and slot is not slots[-1]):
                flags[value] = ("fused_or_absent_disc",)
        if slot.disc:
            of_disc[slot.disc.label] = DISC_OFFSET + vertebra_value(names[level + slot.levels - 1])
    for values in (of_body[column.body_labels], of_disc[column.disc_labels]):
        labels[values > 0] = values[values > 0]
    return flags


def paint_posterior(
    labels: NDArray[np.uint8],
    tissue: NDArray[np.uint8],
    column: Column,
    slots: Sequence[Slot],
    names: Sequence[str],
    mm: Array,
) -> None:
    """Write posterior elements: each piece belongs to the vertebra at its height.

    A piece longer than a level (arches joined by the network) is divided voxel by voxel.

    :param mm: spacing of slices, rows and columns.
    """
    pieces, kept = pieces_of(tissue == Tissue.POSTERIOR, float(mm.prod()), _SMALLEST_POSTERIOR_MM3)
    there = [(vertebra_value(names[n]), slot.body.position) for slot, n in first_levels(slots) if slot.body]
    if not there or not len(kept):
        return
    values = np.array([value for value, _ in there]) + POSTERIOR_OFFSET
    places = np.array([place for _, place in there])
    step = float(np.median(-np.diff(places))) if len(places) > 1 else _USUAL_STEP_MM
    homes = places - _POSTERIOR_DROP * step
    boxes = ndimage.find_objects(pieces)
    for number in kept:
        box = boxes[number - 1]
        voxels = np.argwhere(pieces[box] == number) + [s.start for s in box]
        owners = _owners(voxels, column.curve, homes, step, mm)
        if owners is not None:
            labels[tuple(voxels.T)] = values[owners]


def _owners(
    voxels: NDArray[np.int64], curve: Array, homes: Array, step: float, mm: Array
) -> NDArray[np.int64] | int | None:
    """Number of the vertebra that a piece, or each of its voxels, belongs to; None if it belongs to none."""
    sample = voxels[:: max(1, len(voxels) // _SAMPLE)]
    position, distance = arc_positions(curve, sample * mm)
    _, row, forward = sample.mean(axis=0) * mm
    if distance.min() > _FARTHEST_MM or forward > np.interp(row, curve[:, 1], curve[:, 2]):
        return None  # far away, or in front of the middle of the bodies
    if np.ptp(position) < _ONE_LEVEL * step:
        nearest = int(np.abs(homes - position.mean()).argmin())
        return nearest if abs(homes[nearest] - position.mean()) < step else None
    # Position along the spine varies smoothly: it is found for the sample, and the other voxels follow the nearest one.
    from scipy.spatial import cKDTree

    owner = np.abs(homes[None, :] - position[:, None]).argmin(axis=1)
    _, nearest_sample = cKDTree(sample * mm).query(voxels * mm)
    owners: NDArray[np.int64] = owner[nearest_sample]
    return owners


def paint_canal(labels: NDArray[np.uint8], tissue: NDArray[np.uint8], mm: Array, verified: bool) -> None:
    """Write canal and cord without specks.

    A stretch of cord that is too short counts as canal, and so does everything below the top of L3 if the levels are
    known: the cord ends between T12 and the upper third of L3 (Saifuddin et al., Spine 1998).

    :param mm: spacing of slices, rows and columns.
    :param verified: whether the levels are known.
    """
    voxel = float(mm.prod())
    lumen = np.isin(tissue, (Tissue.CANAL, Tissue.CORD))
    pieces, kept = pieces_of(lumen, voxel, _SMALLEST_CANAL_MM3)
    if not len(kept):
        return
    sizes = np.bincount(pieces[lumen])
    kept = kept[sizes[kept] > _SMALLEST_CANAL * sizes[1:].max()]
    lumen = np.isin(pieces, kept) & (labels == 0)
    cord = lumen & (tissue == Tissue.CORD)
    third_lumbar = np.flatnonzero((labels == vertebra_value("L3")).any(axis=(0, 2)))
    if verified and len(third_lumbar):
        cord[:, : third_lumbar[-1] + 1] = False
    labels[lumen] = CANAL_VALUE
    stretches, _ = pieces_of(cord, voxel, 0.0)
    for number, box in enumerate(ndimage.find_objects(stretches), start=1):
        if (box[1].stop - box[1].start) * mm[1] >= _SHORTEST_CORD_MM:
            labels[box][stretches[box] == number] = CORD_VALUE
