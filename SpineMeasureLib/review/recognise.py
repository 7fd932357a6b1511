"""What the segments of a segmentation that others made are: by our tags, their name or their terminology code."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ..anatomy import (
    SEMANTIC_CANAL,
    SEMANTIC_DISC,
    SEMANTIC_VERTEBRA,
    VERTEBRA_ORDER,
    Kind,
    all_structures,
    disc_name,
)
from ..errors import LevelNameError
from ..segment.levels import parse_disc
from .segments import segments_of, tag

_VERTEBRA = r"([CTLS]\d{1,2})"
_DISC = re.compile(rf"(?<![A-Z0-9]){_VERTEBRA}\s*[-/ ]\s*{_VERTEBRA}(?![0-9])")
_BODY = re.compile(rf"(?<![A-Z0-9]){_VERTEBRA}(?![0-9])")
_BEHIND = re.compile(r"POSTERIOR|ARCH|SPINOUS|LAMINA")
_WORDS = (
    (re.compile(r"\bSPINAL[ _]CORD\b|^CORD$"), Kind.CORD, ""),
    (re.compile(r"CANAL\b|\b(DURAL|THECAL)[ _]SAC\b"), Kind.CANAL, ""),
    (re.compile(r"\bSACRUM\b"), Kind.SACRUM, "S1"),
)
_TISSUES = (
    (re.compile(r"\bDIS[CK]S?\b|\bIVDS?\b"), SEMANTIC_DISC),
    (re.compile(r"\bVERTEBRAE?\b"), SEMANTIC_VERTEBRA),
    (re.compile(r"CANAL\b|\bSAC\b"), SEMANTIC_CANAL),
)


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
        name = (each.GetName() or "").upper().replace("_", " ")
        value = next((v for words, v in _TISSUES if words.search(name)), None)
        if value is not None and value not in found.values():
            found[segment] = value
    return found


def structure_of_name(name: str) -> tuple[Kind, str] | None:
    """``"L4"``, ``"vertebrae_L4"``, ``"L4/L5 disc"``, ``"L4 posterior elements"``, ``"Spinal canal"`` ..."""
    text = name.upper().replace("_", " ")
    for words, kind, level in _WORDS:
        if words.search(text):
            return kind, level
    pair = _DISC.search(text)
    if pair:
        try:
            return Kind.DISC, disc_name(*parse_disc(f"{pair[1]}-{pair[2]}"))
        except LevelNameError:
            return None
    single = _BODY.search(text)
    if single and single[1] in VERTEBRA_ORDER:
        if _BEHIND.search(text):
            return Kind.POSTERIOR, single[1]
        return (Kind.SACRUM if single[1] == "S1" else Kind.BODY), single[1]
    return None


def _by_tags(segment: Any) -> tuple[Kind, str] | None:
    kind, level = tag(segment, "kind"), tag(segment, "level")
    return (Kind(kind), level or "") if kind else None


@lru_cache(maxsize=1)
def _structure_of_code() -> dict[str, tuple[Kind, str]]:
    """Structures whose code no other one has."""
    codes = [s.code.value for s in all_structures()]
    return {s.code.value: (s.kind, s.level) for s in all_structures() if codes.count(s.code.value) == 1}


def _by_code(segment: Any) -> tuple[Kind, str] | None:
    # context~category~scheme^code^meaning~...
    parts = (segment.GetTerminology() or "").split("~")
    code = parts[2].split("^")[1:2] if len(parts) > 2 else []
    return _structure_of_code().get(code[0]) if code else None
