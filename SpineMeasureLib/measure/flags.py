"""What the flags of a measurement mean, in words for people."""

from __future__ import annotations

#: Flag -> (words beside a value, meaning).
_FLAGS = {
    "cut_by_field_of_view": (
        "cut by the field of view",
        "the structure, or what bounds the line, reaches the border of the image",
    ),
    "few_slices": ("few slices", "the structure is on so few slices that its shape between them is a guess"),
    "low_confidence": (
        "low confidence",
        "the model is unsure of the boundaries, neighbouring planes disagree, or slices are too thick for the quantity",
    ),
    "level_unverified": (
        "level name not verified",
        "neither sacrum nor dens nor the user fixed the names of the levels",
    ),
    "fused_or_absent_disc": ("fused or absent disc", "no disc was found between two vertebrae, or it is fused"),
    "frame_fallback": (
        "measuring directions are a fallback",
        "the endplates did not give the directions; the principal axis did",
    ),
    "edited": ("edited by hand", "a person moved the line, or one that the value follows from"),
    "not_measurable": ("not measurable", "there is no value; the note says why"),
}


def known_flags() -> tuple[str, ...]:
    """Every flag that has words."""
    return tuple(_FLAGS)


def in_words(flag: str) -> str:
    """``"low_confidence"`` -> ``"low confidence"``; an unknown flag keeps its name."""
    return _FLAGS[flag][0] if flag in _FLAGS else flag.replace("_", " ")


def meaning(flag: str) -> str:
    """What a known flag means, in a sentence.

    :raises KeyError: it is unknown.
    """
    return _FLAGS[flag][1]
