"""What the flags of a measurement mean, in words for people."""

from __future__ import annotations

_WORDS = {
    "cut_by_field_of_view": "cut by the field of view",
    "few_slices": "few slices",
    "low_confidence": "low confidence",
    "level_unverified": "level name not verified",
    "fused_or_absent_disc": "fused or absent disc",
    "frame_fallback": "measuring directions are a fallback",
    "edited": "edited by hand",
    "sacralised_or_lumbarised": "sacralised or lumbarised",
    "not_measurable": "not measurable",
}


def known_flags() -> tuple[str, ...]:
    """Every flag that has words."""
    return tuple(_WORDS)


def in_words(flag: str) -> str:
    """``"low_confidence"`` -> ``"low confidence"``; an unknown flag keeps its name."""
    return _WORDS.get(flag, flag.replace("_", " "))
