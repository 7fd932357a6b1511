"""Alignment: angles between endplates, in the mean sagittal plane of the two levels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from .frames import Endplate, Frame, make_frame, tilt
from .rows import Shared, row
from .spine import Piece
from .types import Measurement


def angle_between(upper: Endplate, lower: Endplate, frames: tuple[Frame, Frame]) -> float:
    """Angle in degrees between two endplates, positive if they open anteriorly (lordosis)."""
    a, b = frames
    mean = make_frame((a.origin + b.origin) / 2, a.superior + b.superior, a.anterior + b.anterior)
    return tilt(lower.normal, mean) - tilt(upper.normal, mean)


Pieces = Mapping[str, Piece | None]


def measure_alignment(discs: Pieces, bodies: Pieces) -> list[Measurement]:
    """Segmental angles, and the regional ones whose levels are in view.

    :param discs: by level name, head to sacrum.
    :param bodies: by vertebra name.
    """
    rows = []
    for level, disc in discs.items():
        upper_name, _, lower_name = level.partition("-")
        upper, lower = bodies.get(upper_name), bodies.get(lower_name)
        if disc and upper and lower and upper.upper and lower.lower and not _cut(upper, lower):
            value = angle_between(upper.upper, lower.lower, (upper.frame, lower.frame))
            rows.append(_angle(level, "segmental_angle", "cobb", value, upper, lower))
    return rows + regional_angles(discs, bodies)


#: First and last level of every region.
_REGIONS = (("L1", "L5-S1"), ("L1", "L6-S1"), ("T4", "T12"), ("C2", "C7"))


def regional_levels(levels: Collection[str]) -> frozenset[str]:
    """The levels between which regional angles are measured."""
    return frozenset(level for region in _REGIONS if set(region) <= set(levels) for level in region)


def regional_angles(discs: Pieces, bodies: Pieces) -> list[Measurement]:
    """Lordosis and kyphosis, if their levels are in view."""
    rows = []
    top, sacral = bodies.get("L1"), discs.get("L5-S1") or discs.get("L6-S1")
    if top and top.upper and sacral and sacral.lower and not top.field.cut_in_slice:
        value = angle_between(top.upper, sacral.lower, (top.frame, sacral.frame))
        angle = _angle("L1-S1", "lordosis", "cobb", value, top, sacral)
        if not sacral.lower.own:
            note = "measured to the surface of the lowest disc, because the sacral endplate is not segmented"
            angle = replace(angle, note=note).flagged("low_confidence")
        rows.append(angle)
    for name, first, last, quantity, sign, from_lower in (
        ("T4-T12", "T4", "T12", "kyphosis", -1.0, False),
        ("C2-C7", "C2", "C7", "lordosis", 1.0, True),
    ):
        a, b = bodies.get(first), bodies.get(last)
        if not (a and b) or _cut(a, b):
            continue
        start = a.lower if from_lower else a.upper
        if start and b.lower:
            value = sign * angle_between(start, b.lower, (a.frame, b.frame))
            rows.append(_angle(name, quantity, "cobb", value, a, b))
    return rows


def _cut(*pieces: Piece) -> bool:
    return any(p.field.cut_in_slice for p in pieces)


def _angle(level: str, quantity: str, method: str, value: float, *pieces: Piece) -> Measurement:
    flags = tuple(dict.fromkeys(flag for p in pieces for flag in p.flags()))
    sure = [p.structure.confidence for p in pieces if p.structure.confidence is not None]
    return row(level, quantity, method, value, Shared(None, flags, float(np.min(sure)) if sure else None))
