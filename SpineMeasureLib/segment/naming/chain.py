"""The vertebrae from head to sacrum: the body and disc of each, including missing ones.

Positions are mm along the curve of the column, larger towards the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bodies import Body
from .column import Column
from .discs import Disc

#: Part of the step between levels that a body takes, and a disc.
_BODY, _DISC = 0.75, 0.25
#: An excess of this many steps between neighbours means that a vertebra was not found. Without one it is at most 0.2,
#: in maps of 175 patients and of 60 synthetic spines.
_ROOM = 0.7
#: The step at a place is the median of this many nearest measures; fewer than the second number are not enough.
_MEASURES, _FEWEST_MEASURES = 6, 3
#: Minimum length of an incompletely segmented body, as a part of a step.
_SHORTEST_BODY = 0.6


@dataclass(frozen=True)
class Slot:
    """One vertebra of the chain: its body and the disc below it, if they were found.

    :ivar counted: neither its body nor one of its discs was found; it is inferred from the gap.
    """

    body: Body | None
    disc: Disc | None
    counted: bool = False

    @property
    def levels(self) -> int:
        """Number of vertebrae that it represents: two if two bodies are fused."""
        return self.body.levels if self.body else 1


def find_chain(column: Column, sacrum: bool) -> list[Slot]:
    """Vertebrae from head to sacrum, each with the disc below it; the last slot is below the lowest disc."""
    bodies, discs = list(column.bodies), list(column.discs)
    slots: list[Slot] = []
    while bodies or discs:
        body = bodies[0] if bodies and (not discs or bodies[0].position > discs[0].position) else None
        if body:
            bodies.pop(0)
        below = discs[0] if discs else None
        if below and bodies and bodies[0].position > below.position:
            below = None  # the next body comes before the next disc: no disc between them
        if below:
            discs.pop(0)
        slots.append(Slot(body, below))
    slots = _with_missing(slots)
    if slots and slots[-1].disc is not None:
        slots.append(Slot(None, None))
    if sacrum and slots and slots[-1].body is not None:
        slots.append(Slot(None, None))
    return slots


def _with_missing(slots: list[Slot]) -> list[Slot]:
    """The chain with a slot for each vertebra that is missing together with a neighbouring disc."""
    measures = _measures_of_step(slots)
    whole: list[Slot] = []
    last: Body | Disc | None = None
    for slot in slots:
        for part in (slot.body, slot.disc):
            if part is None:
                continue
            missing = _missing_between(last, part, measures) if last else 0
            if missing and part is slot.disc and slot.body:
                whole[-1] = Slot(slot.body, None)  # the disc below this body is missing too: this one is another's
                whole += [Slot(None, None, True)] * (missing - 1) + [Slot(None, part, True)]
            else:
                whole += [Slot(None, None, True)] * missing
                if part is slot.body or not slot.body:
                    whole.append(slot)
            last = part
    return whole


@dataclass(frozen=True)
class _Measure:
    """An estimate of the step between levels (mm) from a pair of discs, or from a body, and its position."""

    upper: Body | Disc
    lower: Body | Disc
    step: float

    @property
    def position(self) -> float:
        return (self.upper.position + self.lower.position) / 2

    def spans(self, upper: Body | Disc, lower: Body | Disc) -> bool:
        """Whether it includes the space between two neighbours."""
        return self.upper.position >= upper.position and self.lower.position <= lower.position


def _measures_of_step(slots: list[Slot]) -> list[_Measure]:
    discs = [slot.disc for slot in slots if slot.disc]
    bodies = [slot.body for slot in slots if slot.body and slot.body.levels == 1]
    pairs = [_Measure(upper, lower, _apart(upper, lower)) for upper, lower in zip(discs, discs[1:], strict=False)]
    return pairs + [_Measure(body, body, body.length / _BODY) for body in bodies]


def _apart(upper: Body | Disc, lower: Body | Disc) -> float:
    """Distance along the spine, mm; at most the straight distance, because the curve oscillates in gaps."""
    return min(upper.position - lower.position, float(np.linalg.norm(upper.centre - lower.centre)))


def _missing_between(upper: Body | Disc, lower: Body | Disc, measures: list[_Measure]) -> int:
    """Number of vertebrae that fit into the gap between two neighbours in the chain."""
    middle = (upper.position + lower.position) / 2
    others = sorted((m for m in measures if not m.spans(upper, lower)), key=lambda m: abs(m.position - middle))
    if len(others) < _FEWEST_MEASURES:
        return 0
    step = float(np.median([m.step for m in others[:_MEASURES]]))
    space = _apart(upper, lower) - _half(upper, step) - _half(lower, step)
    if isinstance(upper, Body) == isinstance(lower, Body):
        space -= step * (_DISC if isinstance(upper, Body) else _BODY)
    return max(0, int(space / step + 1 - _ROOM))


def _half(part: Body | Disc, step: float) -> float:
    """Half the length of a part along the spine, mm."""
    return (max(part.length, _SHORTEST_BODY * step) if isinstance(part, Body) else _DISC * step) / 2
