"""The levels of a case in anatomical order."""

from __future__ import annotations

from collections.abc import Iterable

from ...anatomy import VERTEBRA_ORDER, Kind
from ...measure.types import Measurement
from .state import State

_REGIONAL = ("lordosis", "kyphosis")


def is_regional(measurement: Measurement) -> bool:
    """Return True for an angle over a named region, which exists or not depending on the level names."""
    return measurement.quantity in _REGIONAL


def levels_of(measurements: Iterable[Measurement]) -> list[str]:
    """Return levels from head to sacrum, discs between their vertebrae, regions last."""
    regional = {m.level: is_regional(m) for m in measurements}
    return sorted(regional, key=lambda level: (regional[level], _place(level), "-" in level))


def discs_of(state: State) -> list[str]:
    """Return the names of the discs from head to sacrum."""
    found = {level for kind, level in state.segments.values() if kind is Kind.DISC}
    found |= {r.automatic.level for r in state.rows.values() if r.automatic.quantity.startswith("disc_")}
    return sorted(found, key=_place)


def chain_of(state: State) -> list[str]:
    """Return the vertebrae that segments and rows mention, from head to sacrum, without gaps."""
    levels = [level for _, level in state.segments.values()]
    levels += [row.automatic.level for row in state.rows.values() if not is_regional(row.automatic)]
    return chain_of_levels(levels)


def chain_of_levels(levels: Iterable[str]) -> list[str]:
    """Return the vertebrae that levels mention, from head to sacrum, without gaps; empty names are skipped."""
    levels = [level for level in levels if level]
    named = {name for level in levels for name in level.split("-")}
    if not named:
        return []
    places = [VERTEBRA_ORDER.index(name) for name in named]
    span = VERTEBRA_ORDER[min(places) : max(places) + 1]
    # L5 is missing if L4 is on the sacrum.
    bridged = {"L5"} if "L4-S1" in levels else set()
    return [name for name in span if name in named or (name not in ("T13", "L6") and name not in bridged)]


def _place(level: str) -> int:
    return VERTEBRA_ORDER.index(level.partition("-")[0])
