"""How the ends of an edited line were placed, in words."""

from __future__ import annotations

from .definitions import has_edges
from .types import ENDS, Measurement


def placement(row: Measurement) -> str:
    """Say how the ends of an edited line between edges were placed; empty for other values.

    >>> height = Measurement("L4-L5", "disc_height_middle", "endplate50", 9.0, "mm", (0, 0, 9), (0, 0, 0))
    >>> placement(height)
    ''
    >>> from dataclasses import replace
    >>> placement(replace(height, p1=(0, 0, 10), value=10.0, source="edited", automatic=height, snapped=("p1",)))
    'upper end snapped to an edge of the image'
    """
    automatic = row.automatic
    if row.source != "edited" or automatic is None or row.p1 is None or not has_edges(row):
        return ""
    if row.snapped == ENDS:
        return "both ends snapped to edges of the image"
    parts = []
    for end, name in zip(ENDS, ("upper", "lower"), strict=True):
        if end in row.snapped:
            parts.append(f"{name} end snapped to an edge of the image")
        elif getattr(row, end) != getattr(automatic, end):
            parts.append(f"{name} end placed freely")
    return ", ".join(parts)
