"""The upper end of the column: is its topmost body C2?

Points are mm in network order [slice, row, column].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...anatomy import Region, Tissue
from .bodies import Body
from .column import Column
from .curve import Array, forward_of, tangent_at
from .levels import DENS_LIKELY, DENS_SEEN, RegionShares

#: AP depth (mm) below which the bodies under C2 are cervical; depth of the dens over that of the body of C2 (about 11
#: over 16 mm; Panjabi et al., Spine 1991).
_DEEPEST_BELOW_DENS_MM = 21.0
_TAPER_OF_DENS = 0.85
#: Minimum length of the body of C2 with its dens / length of the bodies below: with, and without a visible taper.
_TALL, _TALLER = 1.35, 1.7
#: Part of the topmost body that the model must predict as C2.
_SURELY_AXIS = 0.75
#: Cervical discs are 5 mm high; this much space above a body without a disc is the end of the column.
_FREE_ABOVE_C2_MM = 4.0


def regions_seen(column: Column, predicted: NDArray[np.uint8]) -> dict[int, RegionShares]:
    """Part of each body, by its label, that the model predicted as each region."""
    inside, bodies, count = column.body_labels > 0, int(column.body_labels.max()) + 1, len(Region) + 1
    voxels = np.bincount(column.body_labels[inside] * count + predicted[inside], minlength=bodies * count)
    votes = voxels.reshape(bodies, count)[:, 1:]
    return {body.label: tuple((votes[body.label] / max(votes[body.label].sum(), 1)).tolist()) for body in column.bodies}


def is_axis(shares: RegionShares | None) -> bool:
    """Whether a body was predicted as C2, not only a part of it, as when C3 is joined to it."""
    return shares is not None and shares[0] > _SURELY_AXIS


def without_above_axis(column: Column, seen: Mapping[int, RegionShares]) -> Column:
    """The column without bodies and discs above C2, such as false ones in the base of the skull.

    C2 is a body predicted as such with a cervical one below it.
    """
    for place, (body, below) in enumerate(zip(column.bodies, column.bodies[1:], strict=False)):
        cervical = seen[below.label][Region.CERVICAL - Region.AXIS] > 0.5
        if place and cervical and is_axis(seen[body.label]):
            discs = tuple(disc for disc in column.discs if disc.position <= body.position)
            return replace(column, bodies=column.bodies[place:], discs=discs)
    return column


def dens_seen(column: Column, tissue: NDArray[np.uint8], mm: Array) -> float:
    """Likelihood ratio that the topmost body is C2; 1 if the image gives no evidence.

    C2 is a small, tall top body, not cut, with canal behind all of it. It tapers towards its dens; if the arch of C1
    was segmented with it, it does not, but there is no bone between it and the border of the image.

    :param mm: spacing of slices, rows and columns.
    """
    if len(column.bodies) < 4:
        return 1.0
    top, others = column.bodies[0], column.bodies[1:4]
    rows = np.flatnonzero(np.isin(tissue, (Tissue.CANAL, Tissue.CORD)).any(axis=(0, 2)))
    tip = top.centre[1] + top.length / 2
    beyond = tissue.shape[1] * mm[1] - tip
    canal_behind = len(rows) > 0 and rows[-1] * mm[1] > tip - 2
    tall = top.length / float(np.median([b.length for b in others]))
    small = float(np.median([b.depth for b in others])) < _DEEPEST_BELOW_DENS_MM
    if not (canal_behind and tall > _TALL and small and beyond > 2):
        return 1.0
    if _taper(column, top, mm) < _TAPER_OF_DENS:
        return DENS_SEEN
    return DENS_LIKELY if tall > _TALLER and beyond > _FREE_ABOVE_C2_MM else 1.0


def _taper(column: Column, body: Body, mm: Array) -> float:
    """AP depth of the upper third of a body / AP depth of its lower third; about 1 for two fused bodies."""
    points = np.argwhere(column.body_labels == body.label) * mm
    up = tangent_at(column.curve, body.position)
    height = (points - body.centre) @ up
    low, high = np.percentile(height, [2, 98])
    third = (high - low) / 3
    ahead = (points - body.centre) @ forward_of(up)
    upper, lower = ahead[height > high - third], ahead[height < low + third]
    depths = [float(np.subtract(*np.percentile(part, [95, 5]))) for part in (upper, lower) if len(part)]
    return depths[0] / depths[1] if len(depths) == 2 and depths[1] else 1.0
