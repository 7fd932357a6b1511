"""What the flags of a measurement mean, in words for people, and their DICOM codes."""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    """A flag: its words beside a value, its meaning, and the value of its private DICOM code."""

    words: str
    meaning: str
    code: str


FLAGS: dict[str, Flag] = {
    "cut_by_field_of_view": Flag(
        "cut by the field of view",
        "the structure, or what bounds the line, reaches the border of the image",
        "SM-F-CUT",
    ),
    "few_slices": Flag(
        "few slices", "the structure is visible on so few slices that its shape between them is uncertain", "SM-F-FEW"
    ),
    "low_confidence": Flag(
        "low confidence",
        "the model is unsure of the boundaries, neighbouring planes disagree, or slices are too thick for the quantity",
        "SM-F-LOW",
    ),
    "edge_not_found": Flag(
        "edge not found",
        "an end of the line has no edge in the image that can be trusted: it stays on the segmentation, or follows the "
        "wall around it",
        "SM-F-EDGE",
    ),
    "level_unverified": Flag(
        "level name not verified",
        "the level names were not confirmed by the sacrum, the dens or the user",
        "SM-F-LEVEL",
    ),
    "fused_or_absent_disc": Flag(
        "fused or absent disc", "no disc was found between two vertebrae, or they are fused", "SM-F-FUSED"
    ),
    "frame_fallback": Flag(
        "measuring directions estimated",
        "the endplates did not define the measuring directions; the principal axis was used",
        "SM-F-FRAME",
    ),
    "obliterated": Flag(
        "no lumen left",
        "the dural sac has lumen above and below, but none (or less than one pixel) is left there or segmented",
        "SM-F-OBLIT",
    ),
    "edited": Flag("edited by hand", "a person moved the line, or one that the value is derived from", "SM-F-EDITED"),
    "not_measurable": Flag("not measurable", "there is no value; the note gives the reason", "SM-F-NONE"),
}


def in_words(name: str) -> str:
    """Return the words of a flag, or of another id.

    >>> in_words("level_unverified"), in_words("dural_sac")
    ('level name not verified', 'dural sac')
    """
    return FLAGS[name].words if name in FLAGS else name.replace("_", " ")
