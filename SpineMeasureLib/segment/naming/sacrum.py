"""The upper end of the sacrum: S1 and the rudimentary disc S1-S2 are distinguished from L5 and its disc.

Everything here is in network order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import Tissue
from .column import Column, find_column
from .discs import Disc

_SMALLEST_SACRUM_MM3 = 500.0
#: Bone is considered this far below a disc and this far from its axis.
_NEAR_MM = 25.0
#: Minimum part of the bone below the lowest disc that is sacrum if there is one.
_SACRUM_SHARE = 2 / 3
#: Disc S1-S2 is rudimentary: less than this part of the median volume of the discs.
_SMALL_VOLUME = 0.5
#: Part of the bone above the lowest disc that must be sacrum for it to be S1-S2: if it is small, and otherwise.
_SHARE_ABOVE_SMALL, _SHARE_ABOVE_LARGE = 0.2, 0.9
#: Minimum part of a transitional vertebra predicted as sacrum; less is the rim of S1 beside the disc.
_SHARE_OF_TRANSITIONAL = 0.2
#: AP depth below which a body is not lumbar (L5: mean 34 mm, SD about 3; Panjabi et al., Spine 1992).
_SHALLOWEST_LUMBAR_MM = 21.0


class Settled(NamedTuple):
    """Tissue map and column with the sacrum beginning right below the lowest true disc.

    :ivar left_out: whether a disc S1-S2 was left out.
    """

    tissue: NDArray[np.uint8]
    column: Column
    left_out: bool


def settle_sacrum(column: Column, tissue: NDArray[np.uint8], mm: NDArray[np.float64]) -> Settled | None:
    """Find where the sacrum begins; None if no sacrum is in view.

    The network may segment a part of S1 as a vertebra, with the rudimentary disc S1-S2 below it, or a part of a
    transitional vertebra as sacrum.
    """
    sacrum, body = tissue == Tissue.SACRUM, tissue == Tissue.BODY
    if not column.discs or sacrum.sum() * mm.prod() < _SMALLEST_SACRUM_MM3:
        return None
    if column.bodies and max(b.depth for b in column.bodies[-3:]) < _SHALLOWEST_LUMBAR_MM:
        return None  # there is no sacrum below bodies this small
    settled = tissue.copy()
    *above, disc = column.discs
    left_out = bool(above) and _share_below(sacrum, body, above[-1], mm) > _share_for_s1_s2(column)
    if left_out:
        settled[column.disc_labels == disc.label] = Tissue.SACRUM
        *above, disc = above
    elif _share_below(sacrum, body, disc, mm) < _SACRUM_SHARE:
        return None
    below = _depth_below(tissue.shape, disc, mm) > 0
    settled[body & below] = Tissue.SACRUM
    is_transitional = bool(above) and _share_below(sacrum, body, above[-1], mm) > _SHARE_OF_TRANSITIONAL
    if is_transitional:
        settled[_near_below(sacrum, above[-1], mm, np.inf) & ~below] = Tissue.BODY
    if left_out or is_transitional:
        column = find_column(settled, (float(mm[0]), float(mm[1]), float(mm[2]))) or column
    disc = column.discs[-1]
    bodies = tuple(b for b in column.bodies if (b.centre - disc.centre) @ disc.normal > 0)
    return Settled(settled, replace(column, bodies=bodies), left_out)


def largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece of a mask that is not empty."""
    pieces, _ = ndimage.label(mask, ndimage.generate_binary_structure(3, 2))
    largest: NDArray[np.bool_] = pieces == np.bincount(pieces[mask]).argmax()
    return largest


def _share_for_s1_s2(column: Column) -> float:
    """Part of the bone above the lowest disc that must be sacrum for that disc to be S1-S2: little for a small one."""
    volumes = np.bincount(column.disc_labels[column.disc_labels > 0])[1:]
    return _SHARE_ABOVE_SMALL if volumes[-1] < _SMALL_VOLUME * np.median(volumes) else _SHARE_ABOVE_LARGE


def _depth_below(shape: tuple[int, ...], disc: Disc, mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth of every voxel below the mid-plane of a disc, mm; negative above it."""
    slices, rows, columns = (np.arange(n) * step - c for n, step, c in zip(shape, mm, disc.centre, strict=True))
    across, up, forward = disc.normal
    depth: NDArray[np.float64] = -(slices[:, None, None] * across + rows[:, None] * up + columns * forward)
    return depth


def _near_below(
    mask: NDArray[np.bool_], disc: Disc, mm: NDArray[np.float64], deepest: float = _NEAR_MM
) -> NDArray[np.bool_]:
    """Voxels of the mask below a disc and near its axis."""
    found = np.zeros_like(mask)
    voxels = np.argwhere(mask)
    points = voxels * mm - disc.centre
    depth = -(points @ disc.normal)
    aside = np.linalg.norm(points + depth[:, None] * disc.normal, axis=1)
    found[tuple(voxels[(depth > 0) & (depth < deepest) & (aside < _NEAR_MM)].T)] = True
    return found


def _share_below(sacrum: NDArray[np.bool_], body: NDArray[np.bool_], disc: Disc, mm: NDArray[np.float64]) -> float:
    """Part of the bone directly below a disc that is sacrum, 0..1."""
    of_sacrum, of_body = (int(_near_below(mask, disc, mm).sum()) for mask in (sacrum, body))
    return of_sacrum / max(of_sacrum + of_body, 1)
