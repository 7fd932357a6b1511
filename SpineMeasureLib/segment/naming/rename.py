"""Renaming all levels by the name of the lowest disc."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ...anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Kind,
    vertebra_value,
)
from ...errors import LevelNameError
from ...segmentation import SpineSegmentation
from .levels import name_from_below, parse_disc
from .structures import list_structures


def rename(segmentation: SpineSegmentation, lowest_disc: str) -> SpineSegmentation:
    """The same structures with the lowest disc named by the user; all other levels follow, also those below it.

    Vertebrae below the last one that a spine can have become sacrum.

    :raises LevelNameError: the name is unknown or does not fit.
    """
    names = names_by_lowest(segmentation, lowest_disc)
    table = np.zeros(256, np.uint8)
    for old, new in names.items():
        for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET):
            table[vertebra_value(old) + offset] = vertebra_value(new) + offset
    for value in (CANAL_VALUE, CORD_VALUE):
        table[value] = value
    labels = table[segmentation.labels]
    structures = list_structures(labels, segmentation.affine, tuple(dict.fromkeys(names.values())))
    return replace(segmentation, labels=labels, structures=structures, level_verified=True, anchor="user")


def names_by_lowest(segmentation: SpineSegmentation, lowest_disc: str) -> dict[str, str]:
    """New names of the vertebrae by their present names, from head to sacrum, given the name of the lowest disc.

    :raises LevelNameError: the name is unknown or does not fit.
    """
    discs = segmentation.of_kind(Kind.DISC)
    if not discs:
        raise LevelNameError("There is no disc to name.", "Leave out --lowest-disc.")
    upper, lower = parse_disc(lowest_disc)
    old_chain = _chain_of(segmentation)
    above = old_chain.index(discs[-1].level.split("-")[1]) + 1
    naming = name_from_below(above, upper, lower, "user")
    following = list(naming.vertebrae) + _order_below(lower, old_chain[above - 1 :])
    return dict(zip(old_chain, following, strict=True))


def _order_below(lower: str, old: Sequence[str]) -> list[str]:
    """Names of the vertebrae below the lowest disc.

    :param lower: the new name of the vertebra below that disc.
    :param old: its old name and the old names of the vertebrae below it.
    """
    if lower == old[0]:
        return list(old[1:])
    order = [n for n in VERTEBRA_ORDER[VERTEBRA_ORDER.index(lower) + 1 :] if n in USUAL_ORDER]
    return [*order, *["S1"] * len(old)][: len(old) - 1]


def _chain_of(segmentation: SpineSegmentation) -> list[str]:
    """Vertebra names from the topmost to the lowest that the structures mention, without gaps.

    A disc such as L4-S1 means that there is no vertebra between the two.
    """
    kinds = (Kind.BODY, Kind.DISC, Kind.SACRUM)
    levels = [s.level.split("-") for s in segmentation.structures if s.kind in kinds]
    left_out = {"T13", "L6"}
    for level in levels:
        left_out.update(_span(level)[1:-1])
    named = {name for level in levels for name in level}
    return [name for name in _span(named) if name in named or name not in left_out]


def _span(names: Collection[str]) -> tuple[str, ...]:
    """Every vertebra from the topmost to the lowest of `names`."""
    places = [VERTEBRA_ORDER.index(name) for name in names]
    return VERTEBRA_ORDER[min(places) : max(places) + 1]
