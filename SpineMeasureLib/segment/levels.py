"""Naming the chain of vertebrae and discs, from what anchors it: the sacrum, the dens or the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..anatomy import USUAL_ORDER, VERTEBRA_ORDER, disc_name
from ..errors import LevelNameError
from .sizes import Likely, Size, most_likely


@dataclass(frozen=True)
class Naming:
    """Names of a chain of vertebrae.

    :ivar vertebrae: names from head to sacrum, one per slot; the last slot is the vertebra below the lowest disc.
    :ivar anchor: ``"user"``, ``"sacrum"``, ``"dens"`` or ``""`` where the names are a guess.
    :ivar likely: how sure the guess is; None where something anchors the names.
    """

    vertebrae: tuple[str, ...]
    anchor: str
    likely: Likely | None = None

    @property
    def verified(self) -> bool:
        """True where something anchors the names."""
        return bool(self.anchor)


def parse_disc(name: str) -> tuple[str, str]:
    """``"L5-S1"`` -> ``("L5", "S1")``; also ``"L5/S1"`` and lower case.

    :raises LevelNameError: no such disc.
    """
    upper, _, lower = name.upper().replace("/", "-").replace(" ", "").partition("-")
    if upper in VERTEBRA_ORDER and lower in VERTEBRA_ORDER and upper != "C1" and (upper, lower) in _neighbours():
        return upper, lower
    raise LevelNameError(
        f"'{name}' is no disc of the spine.",
        "Give the lowest disc in view as, for example, L5-S1, L4-L5, L6-S1 or C7-T1.",
    )


def _neighbours() -> set[tuple[str, str]]:
    """Every pair of vertebrae that can touch, with and without T13 and L6, and with L5 or T12 missing."""
    pairs = set(zip(USUAL_ORDER, USUAL_ORDER[1:], strict=False)) | set(
        zip(VERTEBRA_ORDER, VERTEBRA_ORDER[1:], strict=False)
    )
    return pairs | {("L4", "S1"), ("T11", "L1")}


def order_for(upper: str, lower: str) -> list[str]:
    """The vertebrae from C1 to `lower`, with T13 or L6 only where the named disc says that they exist."""
    order = list(USUAL_ORDER)
    if "T13" in (upper, lower):
        order.insert(order.index("L1"), "T13")
    if "L6" in (upper, lower):
        order.insert(order.index("S1"), "L6")
    above = order[: order.index(upper) + 1]
    return [*above, lower]


def name_from_below(slots: int, upper: str, lower: str, anchor: str) -> Naming:
    """Names of `slots` vertebrae whose lowest two are `upper` and `lower`.

    :raises LevelNameError: there are more slots than vertebrae above that disc.
    """
    order = order_for(upper, lower)
    if slots > len(order):
        raise LevelNameError(
            f"{slots} vertebrae cannot end in {disc_name(upper, lower)}: there are only {len(order)} above it.",
            "Name a lower disc.",
        )
    return Naming(tuple(order[len(order) - slots :]), anchor)


def name_from_above(slots: int, top: str, anchor: str) -> Naming:
    """Names of `slots` vertebrae that begin with `top`."""
    first = USUAL_ORDER.index(top)
    return Naming(USUAL_ORDER[first : first + slots], anchor)


def name_chain(
    chain: Sequence[Size], *, lowest_disc: str | None, sacrum: bool, dens: bool, sacrum_drawn: bool = True
) -> Naming:
    """Names of a chain of vertebrae by the best anchor there is, else by their sizes.

    :param chain: vertebrae from the topmost in view to the one below the lowest disc, missing ones counted.
    :param lowest_disc: the user's name of the lowest disc; wins over every other anchor.
    :param sacrum: the last of the chain is the sacrum.
    :param dens: the first of the chain has the dens.
    :param sacrum_drawn: False where the masks have no sacrum.
    :raises LevelNameError: the user's name is unknown or does not fit.
    """
    slots = len(chain)
    if lowest_disc is not None:
        return name_from_below(slots, *parse_disc(lowest_disc), "user")
    most = len(USUAL_ORDER)
    if sacrum and slots <= most:
        return name_from_below(slots, "L5", "S1", "sacrum")
    if dens and slots <= most - 1:
        return name_from_above(slots, "C2", "dens")
    likely = most_likely(chain, sacrum_drawn)
    if likely is None:
        return name_from_below(min(slots, most), "L5", "S1", "")
    return replace(name_from_above(slots, USUAL_ORDER[likely.top], ""), likely=likely)
