"""The chain of discs and bodies in a tissue map: pieces cleaned, joined, separated and put in order.

Everything here is in network order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import Tissue
from ...segmentation import label_centres

Array = NDArray[np.float64]
Labels = NDArray[np.int32]

#: Pieces smaller than this, or than this part of the median piece, are specks.
_SMALLEST_DISC_MM3 = 120.0
_SMALLEST_BODY_MM3 = 300.0
_SPECK = 0.12
#: Disc pieces nearer than this along the spine are parts of one disc (the nearest discs, cervical, are 14 mm apart).
_SAME_DISC_MM = 6.0
#: Touching discs are parted where their piece holds less than this part of either's voxels per mm along the spine; the
#: lesser has at least that part of the other's, or is no disc but a herniation that migrated.
_BRIDGE, _LESSER_DISC = 0.5, 0.25
_BRIDGE_SMOOTHING_MM = 2.0
#: A piece whose longest axis in the sagittal plane lies this near to the spine (cosine) is longer than a disc is thick.
_ALONG = 0.75
#: A piece farther than this from the curve through the column is no part of the spine.
_OFF_COLUMN_MM = 30.0
#: What keeps this distance from a column that holds most of all voxels, and itself holds less than this part of them,
#: is no spine.
_BY_ITSELF_MM, _STRAY = 16.0, 0.1
#: A body longer than this many times the usual step holds two levels.
_TWO_LEVELS = 1.6


@dataclass(eq=False)
class Disc:
    """One disc: where it is, its mid-plane (normal towards the head), and its voxels."""

    centre: Array
    normal: Array
    pieces: list[int]
    position: float


@dataclass(eq=False)
class Body:
    """One vertebral body: centre and extent along the spine, voxel count."""

    label: int
    centre: Array
    position: float
    length: float
    depth: float
    levels: int = 1


@dataclass
class Column:
    """Discs and bodies from head to sacrum.

    :ivar body_labels: int32 [slice, row, column], label of the body or 0.
    :ivar disc_labels: int32 [slice, row, column], index of the disc + 1 or 0.
    """

    discs: list[Disc]
    bodies: list[Body]
    body_labels: Labels
    disc_labels: Labels
    curve: Array
    warnings: list[str] = field(default_factory=list)


def pieces_of(mask: NDArray[np.bool_], voxel_mm3: float, smallest_mm3: float) -> tuple[Labels, NDArray[np.int64]]:
    """Connected pieces of a mask that are large enough.

    :return: (labels, numbers of the pieces kept).
    """
    labels, count = ndimage.label(mask, ndimage.generate_binary_structure(3, 2))
    sizes = np.bincount(labels[mask], minlength=count + 1)[1:] * voxel_mm3
    return labels, np.flatnonzero(sizes >= smallest_mm3) + 1


def fit_curve(mask: NDArray[np.bool_], spacing: Array) -> Array:
    """Smooth curve through the column: points [n, 3] in mm from inferior to superior, about 1 mm apart."""
    weights = mask.sum(axis=(0, 2)).astype(float)
    rows = np.flatnonzero(weights)
    places = np.arange(mask.shape[1])
    sigma = 8.0 / spacing[1]
    curve = np.empty((len(places), 3))
    curve[:, 1] = places * spacing[1]
    for axis, other in ((0, 2), (2, 0)):
        profile = mask.sum(axis=other).astype(float)
        profile = profile if axis == 0 else profile.T
        moment = (np.arange(mask.shape[axis])[:, None] * profile).sum(axis=0)
        smooth = ndimage.gaussian_filter1d(moment, sigma) / np.maximum(ndimage.gaussian_filter1d(weights, sigma), 1e-9)
        good = ndimage.gaussian_filter1d(weights, sigma) > 1e-3 * weights.max()
        curve[:, axis] = np.interp(places, places[good], smooth[good]) * spacing[axis]
    margin = round(20 / spacing[1])
    return curve[max(0, rows[0] - margin) : rows[-1] + margin + 1]


def arc_positions(curve: Array, points: Array) -> tuple[Array, Array]:
    """Arc length (mm from the inferior end) and distance of each point [n, 3] from the curve."""
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    offsets = np.linalg.norm(points[:, None, :] - curve[None, :, :], axis=2)
    nearest = offsets.argmin(axis=1)
    return arc[nearest], offsets.min(axis=1)


def tangent_at(curve: Array, position: float) -> Array:
    """Unit tangent towards the head at an arc length."""
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    low, high = np.searchsorted(arc, [position - 6, position + 6])
    ends = curve[min(high, len(curve) - 1)] - curve[max(low - 1, 0)]
    tangent: Array = ends / max(np.linalg.norm(ends), 1e-9)
    return tangent


def forward_of(up: Array) -> Array:
    """Unit vector ahead, at a right angle to an axis of the spine in the sagittal plane."""
    ahead: Array = np.array([0.0, -up[2], up[1]]) / np.hypot(up[1], up[2])
    return ahead


def find_column(tissue: NDArray[np.uint8], spacing: tuple[float, float, float]) -> Column | None:
    """Discs and bodies of a tissue map, or None where there are none."""
    mm = np.array(spacing)
    voxel = float(mm.prod())
    disc_pieces, discs_kept = pieces_of(tissue == Tissue.DISC, voxel, _SMALLEST_DISC_MM3)
    body_pieces, bodies_kept = pieces_of(tissue == Tissue.BODY, voxel, _SMALLEST_BODY_MM3)
    if not len(discs_kept) and not len(bodies_kept):
        return None
    bone = np.isin(body_pieces, bodies_kept)
    pillar = bone | np.isin(disc_pieces, discs_kept)
    pillar &= _in_company(pillar, mm)
    curve = fit_curve(pillar, mm)
    pillar &= _near_curve(pillar, curve, mm)
    if not pillar.any():
        return None
    curve = fit_curve(pillar, mm)
    discs_kept = np.intersect1d(discs_kept, disc_pieces[pillar])
    discs = _find_discs(disc_pieces, _part_touching(disc_pieces, discs_kept, curve, mm), curve, mm)
    disc_labels = np.zeros(disc_pieces.max() + 1, np.int32)
    for number, disc in enumerate(discs):
        disc_labels[disc.pieces] = number + 1
    column = Column(discs, [], np.zeros(tissue.shape, np.int32), disc_labels[disc_pieces], curve)
    _find_bodies(column, bone & pillar, mm)
    return column


def _in_company(mask: NDArray[np.bool_], mm: Array) -> NDArray[np.bool_]:
    """The mask without small parts that lie by themselves, as drawn in the pelvis; all where all lie by themselves."""
    reach = np.rint(_BY_ITSELF_MM / 2 / mm).astype(int)
    joined, count = ndimage.label(ndimage.maximum_filter(mask, 2 * reach + 1))
    sizes = np.bincount(joined[mask], minlength=count + 1)
    small = (sizes < _STRAY * sizes.sum()) & (sizes.max() > 0.5 * sizes.sum())
    kept: NDArray[np.bool_] = mask & ~small[joined]
    return kept


def _near_curve(mask: NDArray[np.bool_], curve: Array, mm: Array) -> NDArray[np.bool_]:
    """Pieces of the mask whose centre lies near the curve."""
    labels, count = ndimage.label(mask, ndimage.generate_binary_structure(3, 2))
    if not count:
        return mask
    _, distance = arc_positions(curve, label_centres(labels, count) * mm)
    keep = np.concatenate([[False], distance < _OFF_COLUMN_MM])
    near: NDArray[np.bool_] = keep[labels]
    return near


def _part_touching(labels: Labels, kept: NDArray[np.int64], curve: Array, mm: Array) -> NDArray[np.int64]:
    """Part pieces that are several discs joined by a bridge, as of a herniation; changes `labels`.

    :return: numbers of the pieces kept and of those parted from them.
    """
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
    return np.array(sorted(done), np.int64)


def _above_bridge(points: Array, curve: Array) -> NDArray[np.bool_] | None:
    """Which points of a piece lie above the middle of a bridge between two discs; None where it is one disc."""
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


def _find_discs(labels: Labels, kept: NDArray[np.int64], curve: Array, mm: Array) -> list[Disc]:
    boxes = ndimage.find_objects(labels)
    found = []
    for number in kept:
        box = boxes[number - 1]
        points = (np.argwhere(labels[box] == number) + [s.start for s in box]) * mm
        found.append((int(number), points))
    if not found:
        return []
    positions, distances = arc_positions(curve, np.array([p.mean(axis=0) for _, p in found]))
    near = [n for n in range(len(found)) if distances[n] < _OFF_COLUMN_MM]
    groups: list[list[int]] = []
    for n in sorted(near, key=lambda n: -positions[n]):
        if groups and positions[groups[-1][0]] - positions[n] < _SAME_DISC_MM:
            groups[-1].append(n)
        else:
            groups.append([n])
    sizes = [sum(len(found[n][1]) for n in group) for group in groups]
    discs = []
    for group, size in zip(groups, sizes, strict=True):
        if size < _SPECK * np.median(sizes):
            continue
        points = np.concatenate([found[n][1] for n in group])
        centre = points.mean(axis=0)
        position = float(np.average([positions[n] for n in group], weights=[len(found[n][1]) for n in group]))
        normal = _disc_normal(points, tangent_at(curve, position))
        discs.append(Disc(centre, normal, [found[n][0] for n in group], position))
    return discs


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


def _find_bodies(column: Column, bone: NDArray[np.bool_], mm: Array) -> None:
    """Cut the bone at the discs' mid-planes; pieces of an interval one above the other are bodies of their own."""
    voxels = np.argwhere(bone)
    if not len(voxels):
        return
    points = voxels * mm
    interval = np.zeros(len(points), int)
    for disc in column.discs:
        interval += (points - disc.centre) @ disc.normal < 0  # head to sacrum: 0 lies above every disc
    steps = -np.diff([d.position for d in column.discs])
    step = float(np.median(steps)) if len(steps) else 30.0
    smallest = _SPECK * np.median([n for n in np.bincount(interval) if n])
    number = 0
    for index in np.unique(interval):
        mine = voxels[interval == index]
        low, high = mine.min(axis=0), mine.max(axis=0) + 1
        local = np.zeros(high - low, bool)
        local[tuple((mine - low).T)] = True
        for piece in _stacked_pieces(local, low, column.curve, mm, smallest, step):
            number += 1
            where = np.argwhere(piece) + low
            column.body_labels[tuple(where.T)] = number
            column.bodies.append(_describe(number, where * mm, column.curve, step))
    column.bodies.sort(key=lambda b: -b.position)


def _stacked_pieces(
    local: NDArray[np.bool_], low: NDArray[np.int64], curve: Array, mm: Array, smallest: float, step: float
) -> list[NDArray[np.bool_]]:
    """Pieces of one interval, those side by side joined, specks dropped."""
    labels, count = ndimage.label(local, ndimage.generate_binary_structure(3, 2))
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
