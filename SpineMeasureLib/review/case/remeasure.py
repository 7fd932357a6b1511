"""Re-measuring without losing edits and acceptances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import dist

from ...measure.definitions import shown_ends, shown_first
from ...measure.derived import Key
from ...measure.types import Measurement
from .state import Edit, Row, State
from .steps import with_ends

#: Smaller differences of values and points come from rounding, not from another segmentation.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class RemeasureResult:
    """What re-measuring changed.

    :ivar changed: rows with a new automatic value.
    :ivar kept_edited: edited or accepted rows that were kept although the automatic value changed.
    :ivar vanished: rows that can no longer be measured on the segmentation.
    :ivar appeared: new rows.
    """

    changed: tuple[Key, ...] = ()
    kept_edited: tuple[Key, ...] = ()
    vanished: tuple[Key, ...] = ()
    appeared: tuple[Key, ...] = ()


def remeasured(
    state: State, shown: Mapping[int, Measurement], measurements: Iterable[Measurement]
) -> tuple[State, RemeasureResult]:
    """Return the case with new automatic values; lines stay between what they were between.

    :param shown: what the reader sees now, by row number.
    """
    measurements = shown_first(measurements, shown_ends(row.automatic for row in state.rows.values()))
    number_of = state.number_of()
    rows: dict[int, Row] = {}
    following = state.following
    found: dict[str, list[Key]] = {"changed": [], "kept_edited": [], "vanished": [], "appeared": []}
    for measurement in measurements:
        number = number_of.pop(measurement.key, None)
        if number is None:
            rows[following] = Row(measurement)
            following += 1
            found["appeared"].append(measurement.key)
            continue
        old = state.rows[number]
        rows[number] = row = _renewed(old, measurement, shown[number])
        if _differ(old.automatic.value, measurement.value):
            found["kept_edited" if row.edit else "changed"].append(measurement.key)
    for key, number in number_of.items():
        old = state.rows[number]
        if old.edit is None and old.accepted is None:
            found["vanished"].append(key)
            continue
        nothing = replace(old.automatic.without_certainty(), value=None, p1=None, p2=None).flagged("not_measurable")
        rows[number] = _renewed(old, nothing, shown[number])
        if old.automatic.value is not None:
            found["kept_edited"].append(key)
    result = RemeasureResult(**{name: tuple(keys) for name, keys in found.items()})
    # Rows that stay as they were are marked like the new ones.
    return with_ends(replace(state, rows=rows, following=following), shown_ends(measurements)), result


def _renewed(old: Row, automatic: Measurement, shown: Measurement) -> Row:
    """Return a row with a new automatic value; edits and acceptances are kept."""
    if _is(automatic, old.automatic) and (automatic.flags, automatic.note) == (old.automatic.flags, old.automatic.note):
        return old
    edit = old.edit
    if edit is None and old.accepted is not None and not _is(automatic, shown):
        edit = Edit(shown.value, shown.p1, shown.p2, old.accepted.time, old.automatic.value, by_hand=False)
    elif edit is not None and not edit.by_hand and _is(automatic, edit):
        edit = None
    return Row(automatic, edit, old.accepted)


def _is(automatic: Measurement, kept: Measurement | Edit) -> bool:
    """Return whether value and ends are the same, except for rounding."""
    ends = ((automatic.p1, kept.p1), (automatic.p2, kept.p2))
    same_ends = all(a == b or (a is not None and b is not None and dist(a, b) < _ROUNDING) for a, b in ends)
    return same_ends and not _differ(automatic.value, kept.value)


def _differ(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is not b
    return abs(a - b) > _ROUNDING
