"""Removing voxels that a model predicted as body far beyond the extent of the neighbouring bodies.

Networks trained on narrow slabs extend the lowest lumbar body into the ala of the sacrum. Arrays are in network
order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .bodies import Body
from .column import Column
from .curve import Array, forward_of, tangent_at

#: Maximum extent of a body sideways and in depth, as multiples of the span of 9 of 10 voxels of its neighbours; between
#: the two the border is a superellipse. Neighbours differ by a tenth; spurs extend forward more than sideways.
_ASIDE, _AHEAD = 1.25, 1.5
_EXPONENT = 4
_NEIGHBOURS = 2
#: A body is cut laterally if the first or last slice contains more than this part of the area of its largest slice.
_CUT = 0.1


@dataclass(frozen=True)
class _Extent:
    """A body's voxels [n, 3], their distances (mm) sideways and forward, and half the span of 9 of 10."""

    voxels: NDArray[np.int64]
    aside: Array
    ahead: Array
    half_width: float
    half_depth: float
    cut: bool


def trim_bodies(column: Column, mm: Array) -> Column:
    """The column without voxels far beside their body; a body with too few complete neighbours is unchanged.

    :param mm: spacing of slices, rows, columns.
    """
    labels, bodies = column.body_labels.copy(), list(column.bodies)
    boxes = ndimage.find_objects(column.body_labels)
    extents = [_extent(column, body, boxes[body.label - 1], mm) for body in column.bodies]
    for index, extent in enumerate(extents):
        near = [e for k, e in enumerate(extents) if 0 < abs(k - index) <= _NEIGHBOURS]
        whole = [e.half_width for e in near if not e.cut]
        if len(whole) < 2:
            continue
        width, depth = float(np.median(whole)), float(np.median([e.half_depth for e in near]))
        aside = extent.aside - np.median(extent.aside)
        core = np.abs(aside) < 0.6 * width
        ahead = extent.ahead - (np.median(extent.ahead[core]) if core.any() else 0.0)
        beyond = (np.abs(aside) / (_ASIDE * width)) ** _EXPONENT + (np.abs(ahead) / (_AHEAD * depth)) ** _EXPONENT > 1
        if beyond.all():
            continue
        labels[tuple(extent.voxels[beyond].T)] = 0
        depth_left = float(np.subtract(*np.percentile(extent.ahead[~beyond], [97, 3])))
        bodies[index] = replace(bodies[index], depth=depth_left)
    return replace(column, bodies=tuple(bodies), body_labels=labels)


def _extent(column: Column, body: Body, box: tuple[slice, ...], mm: Array) -> _Extent:
    voxels = np.argwhere(column.body_labels[box] == body.label) + [part.start for part in box]
    up = tangent_at(column.curve, body.position)
    forward = forward_of(up)
    points = voxels * mm - body.centre
    aside, ahead = points @ np.cross(up, forward), points @ forward
    areas = np.bincount(voxels[:, 0], minlength=column.body_labels.shape[0])
    span_aside, span_ahead = (float(np.subtract(*np.percentile(d, [95, 5]))) for d in (aside, ahead))
    half_width, half_depth = (span_aside + mm[0]) / 2, (span_ahead + mm[2]) / 2  # from side to side of the voxels
    return _Extent(voxels, aside, ahead, half_width, half_depth, bool(max(areas[0], areas[-1]) > _CUT * areas.max()))
