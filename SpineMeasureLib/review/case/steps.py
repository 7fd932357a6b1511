"""What a reader can do to a case: each step is a function from the state before to the state after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...measure.definitions import EndsOn, shown_first
from ...measure.types import Acceptance
from .derived import Live
from .state import Edit, Row, State, now


def edited_rows(state: State, live: Live, number: int, edit: Edit | None) -> dict[int, Row]:
    """Return the rows that change when one is edited (or, with None, reset).

    An acceptance applies to a value: it ends when the value changes, also for values derived from it.
    """
    changed = {number: replace(state.rows[number], edit=edit, accepted=None)}
    for follower in live.dependents(number):
        row = state.rows[follower]
        if row.accepted is not None:
            changed[follower] = _withdrawn(row)
    return changed


def reset(state: State, live: Live, numbers: Iterable[int]) -> State:
    """Restore automatic values."""
    changed: dict[int, Row] = {}
    for number in numbers:
        if state.rows[number].edit is not None:
            changed |= edited_rows(state, live, number, None)
    return state.with_rows(changed) if changed else state


def accepted(state: State, live: Live, numbers: Iterable[int], reviewer: str) -> State:
    """Accept values; rows without a value cannot be accepted."""
    time = now()
    changed = {}
    for number in numbers:
        row = state.rows[number]
        known = row.accepted is not None and row.accepted.reviewer == reviewer
        if live.values[number].value is not None and not known:
            changed[number] = replace(row, accepted=Acceptance(reviewer, time))
    return state.with_rows(changed) if changed else state


def withdrawn(state: State, numbers: Iterable[int]) -> State:
    """Withdraw acceptances; a value that was kept only because it was accepted becomes automatic again."""
    changed = {n: _withdrawn(state.rows[n]) for n in numbers if state.rows[n].accepted is not None}
    return state.with_rows(changed) if changed else state


def with_ends(state: State, ends: EndsOn) -> State:
    """Show lines between edges of the image, or between boundaries of masks, first.

    Edits and acceptances of rows that are no longer shown are kept.
    """
    marked = shown_first((row.automatic for row in state.rows.values()), ends)
    changed = {
        number: replace(row, automatic=automatic)
        for (number, row), automatic in zip(state.rows.items(), marked, strict=True)
        if automatic.second != row.automatic.second
    }
    return state.with_rows(changed) if changed else state


def _withdrawn(row: Row) -> Row:
    edit = row.edit if row.edit is not None and row.edit.by_hand else None
    return replace(row, edit=edit, accepted=None)
