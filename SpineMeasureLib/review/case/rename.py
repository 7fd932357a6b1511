"""Renaming all levels of a case together: one disc is named, or all levels shift by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ...anatomy import USUAL_ORDER, VERTEBRA_ORDER, Kind, disc_name
from ...errors import LevelNameError
from ...measure.reference import with_reference
from ...measure.types import Measurement
from ...segment.naming.levels import name_from_below, parse_disc
from .levels import chain_of, discs_of, is_regional
from .state import Row, State

#: Vertebrae on the sacrum. L4 is one only with T13, or if the user names L4-S1: no other name may skip L5.
_ABOVE_SACRUM = ("L5", "L6")


def named_disc(state: State, disc: str, name: str) -> dict[str, str]:
    """Return new vertebra names by old ones if `disc` is named `name`; all levels follow.

    A segmented sacrum stays the sacrum as long as L5 or L6 is on it, which allows for T13 and L6.

    :raises LevelNameError: there is no such disc, or `name` is unknown or does not fit.
    """
    if disc not in discs_of(state):
        raise LevelNameError(f"There is no disc {disc}.", "Choose one of the discs in view.")
    upper, lower = parse_disc(name)
    chain = chain_of(state)
    place = chain.index(disc.partition("-")[0])
    above = name_from_below(place + 2, upper, lower, "user").vertebrae
    sacrum = any(kind is Kind.SACRUM for kind, _ in state.segments.values())
    on_sacrum = (*_ABOVE_SACRUM, "L4") if "T13" in above else _ABOVE_SACRUM
    names = [*above, *_below(lower, len(chain) - place - 2, on_sacrum if sacrum else ())]
    return _fitting(state, dict(zip(chain, names, strict=True)))


def _below(lower: str, count: int, on_sacrum: Collection[str]) -> list[str]:
    """Return the names of the vertebrae below the named disc.

    :param on_sacrum: vertebrae that may be on the sacrum; empty if there is no sacrum.
    """
    if not count:
        return []
    order = [n for n in VERTEBRA_ORDER[VERTEBRA_ORDER.index(lower) + 1 :] if n != "T13"]
    if on_sacrum:
        names = order[: count - 1]
        last = names[-1] if names else lower
        if last in on_sacrum and len(names) == count - 1:
            return [*names, "S1"]
        raise LevelNameError(
            f"With this name the sacrum would be directly below {last}.", "Name the lowest disc instead."
        )
    order = [n for n in order if n != "L6"]
    if count > len(order):
        raise LevelNameError("With this name there would be vertebrae below the sacrum.", "Name a higher level.")
    return order[:count]


def shifted(state: State, by: int) -> dict[str, str]:
    """Return new vertebra names by old ones, all moved towards the sacrum (+1) or the head (-1).

    L6-S1 follows L5-S1. T13 is counted if there is one.

    :raises LevelNameError: there is no further level in that direction.
    """
    chain = chain_of(state)
    if not chain:
        raise LevelNameError("There is no level to rename.")
    names = list(chain)
    for _ in range(abs(by)):
        names = _shifted_once(names, 1 if by > 0 else -1)
    return _fitting(state, dict(zip(chain, names, strict=True)))


def _fitting(state: State, names: dict[str, str]) -> dict[str, str]:
    if any(names[level.partition("-")[0]] == "C1" for level in discs_of(state)):
        raise LevelNameError("There is no disc below C1.", "Name a lower level.")
    return names


def _shifted_once(chain: list[str], by: int) -> list[str]:
    order = [n for n in VERTEBRA_ORDER if n in USUAL_ORDER or n in chain]
    last, on_sacrum = chain[-1], chain[-2:-1]
    if last == "S1" and on_sacrum == ["L6"]:
        if by > 0:
            raise LevelNameError("There is no level below L6-S1.", "Shift the levels up instead.")
        order.remove("L6")
    elif last == "S1" and by > 0:
        if on_sacrum != ["L4"]:
            order.insert(order.index("S1"), "L6")
    else:
        place = order.index(last) + by
        last = order[place] if place >= 0 else ""
    end = order.index(last) + 1 if last else 0
    if len(chain) > end:
        raise LevelNameError(f"{len(chain)} vertebrae do not fit above {last or 'C1'}.", "Shift the levels down.")
    return order[end - len(chain) : end]


def renamed(state: State, names: Mapping[str, str], regional: Iterable[Measurement]) -> State:
    """Return the case with all levels renamed by the user.

    :param names: new vertebra names by old ones.
    :param regional: the angles over named regions under the new names.
    """
    rows = {
        number: replace(row, automatic=_renamed_value(row.automatic, names))
        for number, row in state.rows.items()
        if not is_regional(row.automatic)
    }
    following = state.following
    kept = {row.automatic.key: (number, row) for number, row in state.rows.items() if is_regional(row.automatic)}
    for measurement in regional:
        value = _verified(measurement)
        number, row = kept.get(value.key, (following, None))
        following = max(following, number + 1)
        rows[number] = row if row is not None and row.automatic.value == value.value else Row(value)
    segments = {
        segment: _renamed_structure(kind, renamed_level(level, names))
        for segment, (kind, level) in state.segments.items()
    }
    return State(rows, segments, True, "user", following)


def renamed_level(level: str, names: Mapping[str, str]) -> str:
    """Return the new name of a vertebra or disc."""
    upper, dash, lower = level.partition("-")
    return disc_name(names[upper], names[lower]) if dash else names.get(level, level)


def _renamed_structure(kind: Kind, level: str) -> tuple[Kind, str]:
    if kind in (Kind.BODY, Kind.SACRUM):
        kind = Kind.SACRUM if level == "S1" else Kind.BODY
    return kind, level


def _renamed_value(measurement: Measurement, names: Mapping[str, str]) -> Measurement:
    return with_reference(_verified(replace(measurement, level=renamed_level(measurement.level, names))))


def _verified(measurement: Measurement) -> Measurement:
    return replace(measurement, flags=tuple(f for f in measurement.flags if f != "level_unverified"))
