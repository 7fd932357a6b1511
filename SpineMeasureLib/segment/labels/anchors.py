"""Known names of single structures: the name of the lowest disc that agrees with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...anatomy import USUAL_ORDER, VERTEBRA_ORDER, Kind, disc_name
from ...errors import LevelNameError
from ...segmentation import SpineSegmentation
from ..naming.levels import neighbours
from ..naming.rename import names_by_lowest


@dataclass(frozen=True)
class Anchor:
    """The known name of one structure.

    :ivar kind: vertebral body or disc.
    :ivar level: its name in a segmentation, possibly wrong.
    :ivar name: its correct name.
    """

    kind: Kind
    level: str
    name: str


def lowest_disc_of(segmentation: SpineSegmentation, anchors: Sequence[Anchor], what: str) -> str:
    """Name of the lowest disc with which every anchor gets its correct name; of several, that of the most usual spine.

    :param what: the source of the anchors, for the message: ``"Disc points"``.
    :raises LevelNameError: there is none: the anchors contradict each other, or the number of levels between them.
    """
    if not segmentation.of_kind(Kind.DISC):
        raise LevelNameError("There is no disc to name.", "Check that the label map has discs.")
    sacrum = bool(segmentation.of_kind(Kind.SACRUM))
    fitting = []
    for upper, lower in sorted(neighbours(), key=lambda pair: [VERTEBRA_ORDER.index(name) for name in pair]):
        try:
            names = names_by_lowest(segmentation, disc_name(upper, lower))
        except LevelNameError:
            continue
        if all(_renamed(anchor, names) == anchor.name for anchor in anchors):
            last = list(names.values())[-1]
            fitting.append((_variants(tuple(names.values())), (last == "S1") != sacrum, disc_name(upper, lower)))
    if fitting:
        return min(fitting)[2]
    said = ", ".join(dict.fromkeys(anchor.name for anchor in anchors))
    raise LevelNameError(
        f"{what} name levels in an order that does not fit the image: {said}.",
        "Check their names, and that they belong to this image.",
    )


def _renamed(anchor: Anchor, names: dict[str, str]) -> str:
    return "-".join(names[vertebra] for vertebra in anchor.level.split("-"))


def _variants(names: Sequence[str]) -> int:
    """Number of vertebrae that most spines do not have, or that are missing between the others."""
    usual = [name for name in names if name in USUAL_ORDER]
    span = USUAL_ORDER[USUAL_ORDER.index(usual[0]) : USUAL_ORDER.index(usual[-1]) + 1] if usual else ()
    return len(names) - len(usual) + len(set(span) - set(usual))
