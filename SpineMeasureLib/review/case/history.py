"""Unlimited undo and redo over immutable states."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """The states of a case, one per step, and the position of the present one."""

    def __init__(self, first: T) -> None:
        self._states = [first]
        self._place = 0

    @property
    def present(self) -> T:
        """The present state."""
        return self._states[self._place]

    @property
    def can_undo(self) -> bool:
        """True if there is an earlier state."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """True if there is an undone state."""
        return self._place + 1 < len(self._states)

    def push(self, state: T) -> None:
        """Add a step; undone states are dropped."""
        del self._states[self._place + 1 :]
        self._states.append(state)
        self._place += 1

    def undo(self) -> T:
        """Go one step back. :raises IndexError: there is none."""
        if not self.can_undo:
            raise IndexError("nothing to undo")
        self._place -= 1
        return self.present

    def redo(self) -> T:
        """Go one step forward. :raises IndexError: there is none."""
        if not self.can_redo:
            raise IndexError("nothing to redo")
        self._place += 1
        return self.present
