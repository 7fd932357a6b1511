"""Values derived from other values: one formula each, used when measuring and while a line is dragged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

Key = tuple[str, str, str]

#: Where an input is: at the same level, at the vertebra above a disc, at the bodies next to a body.
_HERE, _ABOVE, _NEIGHBOURS = "here", "above", "neighbours"
_PLACES = ("anterior", "middle", "posterior")
_DEPTH = (_HERE, "disc_depth", "depth50")
_BODY_DEPTH = ("body_depth", "depth50")


@dataclass(frozen=True)
class Rule:
    """How one value is derived from others.

    :ivar inputs: (place, quantity, method) of each, neighbours last.
    :ivar formula: takes the inputs' values in this order; unknown neighbours are left out.
    """

    quantity: str
    method: str
    inputs: tuple[tuple[str, str, str], ...]
    formula: Callable[..., float]

    @property
    def needed(self) -> int:
        """How many inputs must be known."""
        return sum(place != _NEIGHBOURS for place, _, _ in self.inputs)


def _ratio(a: float, b: float) -> float:
    return a / b


def _mean(*values: float) -> float:
    return sum(values) / len(values)


def _of_disc(mean: str, index: str, farfan: str, heights: Sequence[str]) -> tuple[Rule, ...]:
    """Return the values that follow from the heights of a disc: methods of its anterior, middle and posterior one."""
    anterior, middle, posterior = (
        (_HERE, f"disc_height_{place}", m) for place, m in zip(_PLACES, heights, strict=True)
    )
    return (
        Rule("disc_height_mean", mean, (anterior, middle, posterior), _mean),
        Rule("disc_height_index", index, ((_HERE, "disc_height_mean", mean), (_ABOVE, *_BODY_DEPTH)), _ratio),
        Rule("farfan_index", farfan, (anterior, posterior, _DEPTH), lambda a, p, depth: (a + p) / depth),
    )


def _of_body(wedge: str, biconcavity: str, crush: str, heights: Sequence[str]) -> tuple[Rule, ...]:
    """Return the ratios that follow from the heights of a body: methods of its anterior, middle and posterior one."""
    anterior, middle, posterior = (
        (_HERE, f"body_height_{place}", m) for place, m in zip(_PLACES, heights, strict=True)
    )
    return (
        Rule("body_wedge_ratio", wedge, (anterior, posterior), _ratio),
        Rule("body_biconcavity_ratio", biconcavity, (middle, posterior), _ratio),
        Rule(
            "body_crush_ratio", crush, (posterior, (_NEIGHBOURS, *posterior[1:])), lambda own, *near: own / _mean(*near)
        ),
    )


#: A value that is an input of another one comes before it.
RULES = (
    Rule("disc_height_mean", "area_depth", ((_HERE, "disc_area", "area"), _DEPTH), _ratio),
    *_of_disc("endplate_mean3", "dhi_endplate_mean3", "farfan_endplate", ("endplate10", "endplate50", "endplate90")),
    *_of_disc("mean3", "dhi_mean3", "farfan", ("chord10", "chord50", "chord90")),
    *_of_body("cortex", "cortex", "cortex", ("cortex", "cortex", "cortex")),
    *_of_body("anterior_posterior", "middle_posterior", "posterior_neighbours", ("corner", "chord50", "corner")),
    Rule(
        "torg_pavlov_ratio", "canal_body",
        ((_HERE, "canal_ap", "mid_vertebral"), (_HERE, *_BODY_DEPTH)), _ratio,
    ),
    Rule("torg_pavlov_ratio", "wall", ((_HERE, "canal_ap", "wall"), (_HERE, *_BODY_DEPTH)), _ratio),
)  # fmt: skip


@lru_cache
def _rules() -> dict[tuple[str, str], Rule]:
    return {(r.quantity, r.method): r for r in RULES}


def derive(quantity: str, method: str, inputs: Sequence[float | None]) -> float | None:
    """Derive a value from its inputs; None if a required one is unknown.

    >>> derive("disc_height_mean", "mean3", (6.0, 9.0, 6.0))
    7.0

    :param inputs: in the order of the rule.
    :raises KeyError: the value is not derived from others.
    """
    rule = _rules()[quantity, method]
    needed, near = inputs[: rule.needed], [v for v in inputs[rule.needed :] if v is not None]
    if len(needed) < rule.needed or None in needed or (rule.needed < len(rule.inputs) and not near):
        return None
    try:
        return rule.formula(*needed, *near)
    except ZeroDivisionError:
        return None


def inputs_of(key: Key, bodies: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys from which a value is derived, in the order of its rule; empty if it is measured directly.

    :param bodies: names of the bodies from head to sacrum.
    """
    level, quantity, method = key
    rule = _rules().get((quantity, method))
    if rule is None:
        return ()
    found: list[Key] = []
    for place, input_quantity, input_method in rule.inputs:
        if place == _HERE:
            levels = [level]
        elif place == _ABOVE:
            levels = [level.partition("-")[0]]
        else:
            at = bodies.index(level) if level in bodies else 0
            levels = [name for name in bodies[max(0, at - 1) : at + 2] if name != level]
        found += [(name, input_quantity, input_method) for name in levels]
    return tuple(found)
