"""The discs and vertebral bodies of a tissue map, from head to sacrum.

Arrays are in network order [slice, row, column]; points are mm along those axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import Tissue
from ...segmentation import label_centres
from .bodies import Body, find_bodies
from .curve import CONNECTED, Array, Labels, arc_positions, fit_curve, pieces_of
from .discs import OFF_COLUMN_MM, Disc, find_discs

#: Smaller pieces are specks.
_SMALLEST_DISC_MM3 = 120.0
_SMALLEST_BODY_MM3 = 300.0
#: Something is not part of the spine if it is at least this far from a column that contains most of all voxels, and
#: itself contains less than this part of them.
_BY_ITSELF_MM, _STRAY = 16.0, 0.1


@dataclass(frozen=True, eq=False)
class Column:
    """Discs and bodies from head to sacrum.

    :ivar body_labels: int32 [slice, row, column], `Body.label` or 0.
    :ivar disc_labels: int32 [slice, row, column], `Disc.label` or 0.
    :ivar curve: through the column, see `curve.fit_curve`.
    """

    discs: tuple[Disc, ...]
    bodies: tuple[Body, ...]
    body_labels: Labels
    disc_labels: Labels
    curve: Array


def find_column(tissue: NDArray[np.uint8], spacing: tuple[float, float, float]) -> Column | None:
    """Discs and bodies of a tissue map, or None if there are none."""
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
    discs, disc_labels = find_discs(disc_pieces, np.intersect1d(discs_kept, disc_pieces[pillar]), curve, mm)
    bodies, body_labels = find_bodies(bone & pillar, discs, curve, mm)
    return Column(discs, bodies, body_labels, disc_labels, curve)


def _in_company(mask: NDArray[np.bool_], mm: Array) -> NDArray[np.bool_]:
    """The mask without small isolated parts, such as some in the pelvis; the whole mask if all parts are isolated."""
    reach = np.rint(_BY_ITSELF_MM / 2 / mm).astype(int)
    joined, count = ndimage.label(ndimage.maximum_filter(mask, 2 * reach + 1))
    sizes = np.bincount(joined[mask], minlength=count + 1)
    small = (sizes < _STRAY * sizes.sum()) & (sizes.max() > 0.5 * sizes.sum())
    kept: NDArray[np.bool_] = mask & ~small[joined]
    return kept


def _near_curve(mask: NDArray[np.bool_], curve: Array, mm: Array) -> NDArray[np.bool_]:
    """Pieces of the mask with their centre near the curve."""
    labels, count = ndimage.label(mask, CONNECTED)
    if not count:
        return mask
    _, distance = arc_positions(curve, label_centres(labels, count) * mm)
    keep = np.concatenate([[False], distance < OFF_COLUMN_MM])
    near: NDArray[np.bool_] = keep[labels]
    return near
