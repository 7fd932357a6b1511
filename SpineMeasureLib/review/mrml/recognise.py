"""What the segments of a segmentation that others made are: by our tags, their name or their terminology code."""

from __future__ import annotations

from typing import Any

from ...anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Kind
from ...io.seg_nrrd import code_of_entry
from ...segment.labels.names import meaning_of_name, structure_of_code, structure_of_name
from .segments import segments_of, tag

_TISSUES = {Kind.BODY: SEMANTIC_VERTEBRA, Kind.DISC: SEMANTIC_DISC, Kind.CANAL: SEMANTIC_CANAL}


def recognised(node: Any) -> dict[str, tuple[Kind, str]]:
    """Kind and level of the segments that name one structure of the spine, by segment id; of doubles the first."""
    found: dict[str, tuple[Kind, str]] = {}
    for segment, each in segments_of(node).items():
        what = _by_tags(each) or structure_of_name(each.GetName() or "") or _by_code(each)
        if what is not None and what not in found.values():
            found[segment] = what
    return found


def tissues(node: Any) -> dict[str, int]:
    """Values 1 vertebra, 2 disc, 3 canal by segment id, of a segmentation with one segment for each."""
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
