"""Recognising the segments of any segmentation by our tags, their names or their terminology codes."""

from __future__ import annotations

from typing import Any

from ...anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Kind
from ...io.seg_nrrd import code_of_entry
from ...segment.labels.names import meaning_of_name, structure_of_code, structure_of_name
from .segments import segments_of, tag

_TISSUES = {Kind.BODY: SEMANTIC_VERTEBRA, Kind.DISC: SEMANTIC_DISC, Kind.CANAL: SEMANTIC_CANAL}


def recognised(node: Any) -> dict[str, tuple[Kind, str]]:
    """Return kind and level, by segment id, of segments that are a structure of the spine; of duplicates the first."""
    found: dict[str, tuple[Kind, str]] = {}
    for segment, each in segments_of(node).items():
        what = _by_tags(each) or structure_of_name(each.GetName() or "") or _by_code(each)
        if what is not None and what not in found.values():
            found[segment] = what
    return found


def tissues(node: Any) -> dict[str, int]:
    """Return 1 (vertebra), 2 (disc) or 3 (canal) by segment id for a segmentation with one segment per tissue."""
    found: dict[str, int] = {}
    for segment, each in segments_of(node).items():
        what = meaning_of_name(each.GetName() or "")
        value = _TISSUES.get(what[0]) if isinstance(what, tuple) else None
        if value is not None and value not in found.values():
            found[segment] = value
    return found


def _by_tags(segment: Any) -> tuple[Kind, str] | None:
    kind, level = tag(segment, "kind"), tag(segment, "level")
    return (Kind(kind), level or "") if kind else None


def _by_code(segment: Any) -> tuple[Kind, str] | None:
    return structure_of_code(code_of_entry(segment.GetTerminology() or ""))
