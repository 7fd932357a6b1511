"""A segmentation in the label values of another program."""

from __future__ import annotations

import numpy as np

from ...anatomy import CANAL_VALUE, DISC_OFFSET, POSTERIOR_OFFSET, USUAL_ORDER, Kind, vertebra_value
from ...segmentation import SpineSegmentation, Structure
from ...volume import Volume
from .conventions import named

#: Conventions that label maps can be written in.
WRITTEN = ("totalspineseg", "spineps", "spider", "totalsegmentator")


def written_name(convention: str) -> str:
    """File name of a segmentation in another program's values."""
    return f"labels_{convention}.nii.gz"


def written_in(segmentation: SpineSegmentation, name: str) -> tuple[Volume, list[str]]:
    """A segmentation in the values of another program, and a warning about structures that it has no values for.

    Vertebrae include their arches; if a convention has no cord, the cord is part of the canal. Vertebrae cut by the
    border of the image get the values for partly visible vertebrae if the convention has them.

    :param name: one of `WRITTEN`.
    :raises OptionError: there is no such convention.
    """
    theirs = named(name).own
    values: dict[int, list[int]] = {}
    for their, our in theirs.items():
        values.setdefault(our, []).append(their)
    table = np.zeros(256, np.uint8)
    missing = []
    for structure in segmentation.structures:
        our = structure.value - (POSTERIOR_OFFSET if structure.kind is Kind.POSTERIOR else 0)
        if structure.kind is Kind.CORD and our not in values:
            our = CANAL_VALUE
        if our not in values or not _is_named_alike(structure, values):
            missing.append(structure.name)
            continue
        is_cut = "cut_by_field_of_view" in _flags_of(segmentation, our)
        table[structure.value] = values[our][-1 if is_cut else 0]
    return Volume(table[segmentation.labels], segmentation.affine), _missing_in_words(name, missing)


def _missing_in_words(name: str, missing: list[str]) -> list[str]:
    if not missing:
        return []
    they_were = "it was" if len(missing) == 1 else "they were"
    what = ", ".join(missing)
    return [f"{named(name).program} has no label for {what}; {they_were} not written to {written_name(name)}."]


def _flags_of(segmentation: SpineSegmentation, value: int) -> tuple[str, ...]:
    return next((s.flags for s in segmentation.structures if s.value == value), ())


def _is_named_alike(structure: Structure, values: dict[int, list[int]]) -> bool:
    """Whether a disc's value means the same lower vertebra: conventions without L6 call the disc below L5 L5-S1."""
    upper, _, lower = structure.level.partition("-")
    if structure.kind is not Kind.DISC or DISC_OFFSET + vertebra_value("L6") in values:
        return True
    return upper in USUAL_ORDER and lower == USUAL_ORDER[USUAL_ORDER.index(upper) + 1]
