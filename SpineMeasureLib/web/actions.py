"""Edits that the buttons and keys of the page ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import SpineMeasureError
from ..measure.types import Measurement
from ..review.panel import ended_by
from ..review.session import Key, Session
from .desk import Desk
from .table import texts

#: What accept, withdraw and reset apply to.
SCOPES = ("selected values", "level", "case")

#: Keys with Alt -> action, as in the Slicer module. Ctrl+Z, Ctrl+Shift+Z and Ctrl+Y also undo and redo.
SHORTCUTS = {
    "ArrowUp": "previous_level",
    "ArrowDown": "next_level",
    "KeyN": "next_flagged",
    "KeyA": "accept",
    "KeyR": "reset",
    "KeyZ": "undo",
    "KeyY": "redo",
}
_OF_DESK = ("previous_level", "next_level", "next_flagged")


class Actions:
    """Edits of the case on a desk. Without a case nothing happens; the page says why one is refused."""

    def __init__(self, desk: Desk) -> None:
        """:param desk: where the case lies."""
        self._desk = desk

    def act(self, name: object) -> None:
        """What a key of the keyboard does."""
        if isinstance(name, str) and name in SHORTCUTS.values():
            getattr(self._desk if name in _OF_DESK else self, name)()

    def accept(self) -> None:
        """Accept what the scope says."""
        keys, reviewer = self._chosen(), str(self._desk.state.reviewer or "")[:200]
        self._change(lambda session: session.accept(keys, reviewer))

    def withdraw(self) -> None:
        """Take the acceptance of what the scope says back."""
        keys = self._chosen()
        self._change(lambda session: session.withdraw(keys))

    def reset(self) -> None:
        """Bring the automatic lines of what the scope says back."""
        keys = self._chosen()
        self._change(lambda session: session.reset(keys))

    def undo(self) -> None:
        """Undo one step."""
        self._change(lambda session: session.undo())

    def redo(self) -> None:
        """Redo one step."""
        self._change(lambda session: session.redo())

    def rename(self) -> None:
        """The disc of the current level gets the chosen name, and every other level follows."""
        level, name = self._desk.level, str(self._desk.state.new_name)
        self._rename(lambda session: session.rename_disc(level, name))

    def shift_up(self) -> None:
        """Every level is the one above."""
        self._rename(lambda session: session.shift_levels(-1))

    def shift_down(self) -> None:
        """Every level is the one below."""
        self._rename(lambda session: session.shift_levels(1))

    def _rename(self, action: Callable[[Session], object]) -> None:
        """Rename levels, and report the values that do not exist under the new names."""
        ended: list[str] = []
        self._change(lambda session: ended.extend(ended_by(session, lambda: action(session))))
        if ended:
            text = f"Not available under the new level names: {', '.join(ended)}."
            self._desk.tell(text, "Undo brings it back.", False)

    def _change(self, action: Callable[[Session], object]) -> None:
        session = self._desk.session
        if session is None:
            return
        self._desk.tell("")  # what was said of an earlier action
        try:
            action(session)
        except SpineMeasureError as error:
            self._desk.tell(error.message, error.hint)
        with self._desk.state:
            self._desk.show_counts()
        self._desk.viewer.render()

    def _chosen(self) -> list[Key]:
        session, state = self._desk.session, self._desk.state
        if session is None:
            return []
        if state.scope == "case":
            return _keys(session.rows)
        if state.scope == "level":
            return _keys(m for m in session.rows if m.level == self._desk.level)
        return [key for row in texts(state.selected) if (key := self._desk.known(row)) is not None]


def _keys(rows: Iterable[Measurement]) -> list[Key]:
    return [m.key for m in rows]
