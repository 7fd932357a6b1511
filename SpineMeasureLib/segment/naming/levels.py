"""Naming the chain of vertebrae and discs: by the user, else by the most probable of all names that fit.

Evidence of sacrum and dens, the predicted region of each body and the sizes of the vertebrae are combined (Bayes) for
every place in the spine, and for spines with one vertebra more or less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...anatomy import USUAL_ORDER, VERTEBRA_ORDER, Region, disc_name, region_of
from ...errors import LevelNameError
from .sizes import Size, log_likelihood, without_outliers

#: Part of a body that the model predicted as each `anatomy.Region`, in their order.
RegionShares = tuple[float, ...]

#: Likelihood ratio of an apparent sacrum.
_SACRUM_SEEN = 1e5
#: Likelihood ratio of an apparent dens, and of a top body that may instead be two that the network joined.
DENS_SEEN, DENS_LIKELY = 1e5, 30.0
#: Prior odds that the chain ends at the sacrum if the masks have no sacrum: lumbar images usually show it.
_UNDRAWN_SACRUM = 100.0
#: Part of a body that the model predicts as a wrong region, so that one body does not decide the names.
_MISDRAWN = 0.1
#: By how many levels too low the model predicts the beginning of a region, and in which share of spines: as for T12-L1
#: in 141 patients not used for training (`Testing/benchmarks/level_names.py`).
_BORDER_SEEN = {0: 0.55, -1: 0.24, -2: 0.09, -3: 0.03, 1: 0.06, 2: 0.03}
#: Names less probable than this are not verified even with an anchor: the sizes contradict it.
_VERIFIED = 0.8
#: The same if the only anchor is a predicted change of region, which can be off by a level.
_VERIFIED_BY_LANDMARK = 0.95
#: Share of persons whose spine has one vertebra more or less (our estimate), by the vertebra that is there or missing.
_VARIANTS = {"L6": 0.04, "T13": 0.01, "-L5": 0.03, "-T12": 0.01}


@dataclass(frozen=True)
class Naming:
    """Names of a chain of vertebrae.

    :ivar vertebrae: names from head to sacrum, one per slot; the last slot is the vertebra below the lowest disc.
    :ivar anchor: ``"user"``, ``"sacrum"``, ``"dens"``, the disc at which the region of the spine changes
        (``"C7-T1"``, ``"T12-L1"``), or ``""`` if the names are a guess.
    :ivar probability: of these names among all that fit; 1 if the user gave them.
    :ivar runner_up: the second most likely names; empty if there are no others.
    """

    vertebrae: tuple[str, ...]
    anchor: str
    probability: float = 1.0
    runner_up: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """True if something anchors the names."""
        return bool(self.anchor)


def parse_disc(name: str) -> tuple[str, str]:
    """The two vertebrae of a disc name.

    >>> parse_disc("L5-S1"), parse_disc("l4/l5")
    (('L5', 'S1'), ('L4', 'L5'))

    :raises LevelNameError: there is no such disc.
    """
    upper, _, lower = name.upper().replace("/", "-").replace(" ", "").partition("-")
    if upper in VERTEBRA_ORDER and lower in VERTEBRA_ORDER and upper != "C1" and (upper, lower) in neighbours():
        return upper, lower
    raise LevelNameError(
        f"'{name}' is not a valid disc level.",
        "Name the lowest disc in view, for example L5-S1, L4-L5, L6-S1 or C7-T1.",
    )


def neighbours() -> set[tuple[str, str]]:
    """Every pair of vertebrae that can touch, with and without T13 and L6, and with L5 or T12 missing."""
    pairs = set(zip(USUAL_ORDER, USUAL_ORDER[1:], strict=False)) | set(
        zip(VERTEBRA_ORDER, VERTEBRA_ORDER[1:], strict=False)
    )
    return pairs | {("L4", "S1"), ("T11", "L1")}


def order_for(upper: str, lower: str) -> list[str]:
    """The vertebrae from C1 to `lower`, with T13 or L6 only if the named disc implies them."""
    order = list(USUAL_ORDER)
    if "T13" in (upper, lower):
        order.insert(order.index("L1"), "T13")
    if "L6" in (upper, lower):
        order.insert(order.index("S1"), "L6")
    above = order[: order.index(upper) + 1]
    return [*above, lower]


def name_from_below(slots: int, upper: str, lower: str, anchor: str, probability: float = 1.0) -> Naming:
    """Names of `slots` vertebrae whose lowest two are `upper` and `lower`.

    :raises LevelNameError: there are more slots than vertebrae above that disc.
    """
    order = order_for(upper, lower)
    if slots > len(order):
        raise LevelNameError(
            f"{slots} vertebrae cannot end in {disc_name(upper, lower)}: there are only {len(order)} above it.",
            "Name a lower disc.",
        )
    return Naming(tuple(order[len(order) - slots :]), anchor, probability)


def name_chain(
    chain: Sequence[Size],
    *,
    lowest_disc: str | None,
    sacrum: bool,
    dens: float = 1.0,
    sacrum_drawn: bool = True,
    regions: Sequence[RegionShares | None] = (),
) -> Naming:
    """Names of a chain of vertebrae.

    :param chain: vertebrae from the topmost in view to the one below the lowest disc, missing ones counted.
    :param lowest_disc: the user's name of the lowest disc; wins over everything else.
    :param sacrum: the last of the chain is the sacrum.
    :param dens: likelihood ratio that the first of the chain is C2, see `top.dens_seen`.
    :param regions: predicted region of each body of the chain; None if there is no body.
    :param sacrum_drawn: False if the masks have no sacrum, so that its absence is no evidence.
    :raises LevelNameError: the user's name is unknown or does not fit, or the chain is longer than any spine.
    """
    if lowest_disc is not None:
        return name_from_below(len(chain), *parse_disc(lowest_disc), "user")
    priors = _priors(len(chain))
    known = sacrum or dens > 1 or any(regions) or any(size.depth or size.step for size in chain)
    if not priors:
        raise LevelNameError(
            f"{len(chain)} vertebrae were found, more than any spine has.",
            "Check that the image or label map shows one spine, and nothing else labelled as vertebrae or discs.",
        )
    if not known:
        return name_from_below(len(chain), "L5", "S1", "", probability=0.0)
    sizes, drawn = without_outliers(chain), _log_drawn(regions, len(chain))
    scores: dict[tuple[str, ...], float] = {}
    for names, prior in priors.items():
        score = np.log(prior) + log_likelihood(sizes, names)
        score += np.log(_SACRUM_SEEN) * (sacrum and names[-1] == "S1") + np.log(dens) * (names[0] == "C2")
        score += _regions_fit(drawn, names)
        if not sacrum_drawn and names[-1] == "S1":
            score += np.log(_UNDRAWN_SACRUM)
        scores[names] = float(score)
    ranked = sorted(scores, key=lambda names: -scores[names])
    best = ranked[0]
    probability = float(np.exp(scores[best] - np.logaddexp.reduce(list(scores.values()))))
    if best[-1] == "S1" and sacrum:
        anchor, required = "sacrum", _VERIFIED
    elif best[0] == "C2" and dens > 1:
        anchor, required = "dens", _VERIFIED
    else:
        anchor, required = _landmark(best, regions), _VERIFIED_BY_LANDMARK
    return Naming(best, anchor if probability >= required else "", probability, ranked[1] if ranked[1:] else ())


def _priors(count: int) -> dict[tuple[str, ...], float]:
    """Prior probability of all names of a chain of vertebrae, up to a constant."""
    priors: dict[tuple[str, ...], float] = {}
    for order, share in _orders():
        for start in range(1, len(order) - count + 1):
            names = order[start : start + count]
            priors[names] = priors.get(names, 0.0) + share
    return priors


def _landmark(names: Sequence[str], regions: Sequence[RegionShares | None]) -> str:
    """``"dens"`` if the model predicted the top body as C2, else the disc at which the region changes, or nothing."""
    pairs = zip(names, regions, strict=False)
    seen = [shares is not None and shares[region_of(name) - Region.AXIS] > 0.5 for name, shares in pairs]
    if seen and seen[0] and names[0] == "C2":
        return "dens"
    for upper, lower, *both in zip(names, names[1:], seen, seen[1:], strict=False):
        if all(both) and region_of(upper) != region_of(lower):
            return disc_name(upper, lower)
    return ""


def _log_drawn(regions: Sequence[RegionShares | None], count: int) -> NDArray[np.float64]:
    """Array [vertebra, region]: log likelihood of the predicted region shares of each vertebra."""
    logs = np.zeros((count, len(Region)))
    for place, shares in enumerate(regions):
        if shares is not None:
            logs[place] = np.log(_MISDRAWN / len(shares) + (1 - _MISDRAWN) * np.array(shares))
    return logs


def _regions_fit(drawn: NDArray[np.float64], names: Sequence[str]) -> float:
    """Log likelihood of the predicted regions of bodies, given the names of their vertebrae.

    At the border of two regions the model is often wrong by a level or two; it does not confuse C2 with others.

    :param drawn: see `_log_drawn`.
    """
    places = np.arange(len(names))
    axis = np.array(names) == "C2"
    regions = np.array([Region.CERVICAL if name == "C2" else region_of(name) for name in names])
    terms = []
    for lower, share in _BORDER_SEEN.items():
        begun = regions[np.clip(places - lower, 0, len(names) - 1)]
        expected = np.where(axis, Region.AXIS, begun) - Region.AXIS
        terms.append(np.log(share) + drawn[places, expected].sum())
    return float(np.logaddexp.reduce(terms))


def _orders() -> list[tuple[tuple[str, ...], float]]:
    """Every order of vertebrae from C1 to S1, with the share of persons who have it."""
    orders = [(USUAL_ORDER, 1 - sum(_VARIANTS.values()))]
    for variant, share in _VARIANTS.items():
        names = [n for n in VERTEBRA_ORDER if n in USUAL_ORDER and n != variant.removeprefix("-") or n == variant]
        orders.append((tuple(names), share))
    return orders
