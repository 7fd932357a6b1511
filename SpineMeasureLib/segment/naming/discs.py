"""The discs of a tissue map: pieces of one disc joined, discs that touch separated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .curve import Array, Labels, arc_positions, tangent_at

#: A piece farther than this from the curve through the column is not part of the spine.
OFF_COLUMN_MM = 30.0
#: A disc smaller than this part of the median disc is a speck.
_SPECK = 0.12
#: Disc pieces closer than this along the spine are parts of one disc (the closest discs, cervical, are 14 mm apart).
_SAME_DISC_MM = 6.0
#: Touching discs are separated where their piece contains less than this part of either disc's voxels per mm along the
#: spine; the smaller one has at least the second part of the larger one's, or is a herniation that migrated.
_BRIDGE, _LESSER_DISC = 0.5, 0.25
_BRIDGE_SMOOTHING_MM = 2.0
#: A piece with its longest axis in the sagittal plane this close to the spine (cosine) is longer than a disc is thick.
_ALONG = 0.75


@dataclass(frozen=True, eq=False)
class Disc:
    """One disc: its label in `Column.disc_labels`, centre, normal of its mid-plane (towards the head), arc length."""

    label: int
    centre: Array
    normal: Array
    position: float


def find_discs(pieces: Labels, kept: NDArray[np.int64], curve: Array, mm: Array) -> tuple[tuple[Disc, ...], Labels]:
    """The discs from head to sacrum, and their labels [slice, row, column].

    :param pieces: connected pieces of disc.
    :param kept: numbers of the pieces that belong to the column.
    :param mm: spacing of slices, rows and columns.
    """
    labels, kept = _separated(pieces, kept, curve, mm)
    boxes = ndimage.find_objects(labels)
    found = []
    for number in kept:
        box = boxes[number - 1]
        points = (np.argwhere(labels[box] == number) + [s.start for s in box]) * mm
        found.append((int(number), points))
    if not found:
        return (), np.zeros(labels.shape, np.int32)
    positions, distances = arc_positions(curve, np.array([p.mean(axis=0) for _, p in found]))
    near = [n for n in range(len(found)) if distances[n] < OFF_COLUMN_MM]
    groups: list[list[int]] = []
    for n in sorted(near, key=lambda n: -positions[n]):
        if groups and positions[groups[-1][0]] - positions[n] < _SAME_DISC_MM:
            groups[-1].append(n)
        else:
            groups.append([n])
    sizes = [sum(len(found[n][1]) for n in group) for group in groups]
    discs: list[Disc] = []
    label_of = np.zeros(labels.max() + 1, np.int32)
    for group, size in zip(groups, sizes, strict=True):
        if size < _SPECK * np.median(sizes):
            continue
        points = np.concatenate([found[n][1] for n in group])
        centre = points.mean(axis=0)
        position = float(np.average([positions[n] for n in group], weights=[len(found[n][1]) for n in group]))
        normal = _disc_normal(points, tangent_at(curve, position))
        discs.append(Disc(len(discs) + 1, centre, normal, position))
        label_of[[found[n][0] for n in group]] = len(discs)
    return tuple(discs), label_of[labels]


def _separated(pieces: Labels, kept: NDArray[np.int64], curve: Array, mm: Array) -> tuple[Labels, NDArray[np.int64]]:
    """Separate discs that are joined by a bridge, such as a herniation: new labels, and numbers of all pieces kept."""
    labels = pieces.copy()
    boxes = ndimage.find_objects(labels)
    todo = [(int(n), np.argwhere(labels[boxes[n - 1]] == n) + [s.start for s in boxes[n - 1]]) for n in kept]
    count, done = len(boxes), []
    while todo:
        number, voxels = todo.pop()
        above = _above_bridge(voxels * mm, curve)
        if above is None:
            done.append(number)
            continue
        count += 1
        labels[tuple(voxels[above].T)] = count
        todo += [(count, voxels[above]), (number, voxels[~above])]
    return labels, np.array(sorted(done), np.int64)


def _above_bridge(points: Array, curve: Array) -> NDArray[np.bool_] | None:
    """Which points of a piece are above the middle of a bridge between two discs; None if it is one disc."""
    centre = points.mean(axis=0)
    tangent = tangent_at(curve, float(arc_positions(curve, centre[None])[0][0]))
    flat = points[:, 1:] - centre[1:]
    axis = np.linalg.eigh(flat.T @ flat)[1][:, 1]
    if abs(axis @ tangent[1:]) < _ALONG:
        return None
    height = flat @ (axis * np.sign(axis @ tangent[1:]))
    bins = np.rint(height - height.min()).astype(int)
    profile = ndimage.gaussian_filter1d(np.bincount(bins).astype(float), _BRIDGE_SMOOTHING_MM, mode="constant")
    lesser = np.minimum(np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1])
    thin = (profile < _BRIDGE * lesser) & (lesser > _LESSER_DISC * profile.max())
    if not thin.any():
        return None
    bridges, _ = ndimage.label(thin)
    bridge = np.flatnonzero(bridges == bridges[np.where(thin, profile / lesser, 1.0).argmin()])
    if len(bridge) < _SAME_DISC_MM:
        return None
    above: NDArray[np.bool_] = bins > bridge.mean()
    return above


def _disc_normal(points: Array, tangent: Array) -> Array:
    """Normal of the disc's mid-plane: its thin principal axis in the sagittal plane, or the tangent."""
    flat = points[:, 1:] - points[:, 1:].mean(axis=0)
    values, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    normal = np.array([0.0, *axes[:, 0]])
    if normal @ tangent < 0:
        normal = -normal
    if normal @ tangent < 0.75 or values[1] < 2 * values[0]:
        return tangent
    return normal
