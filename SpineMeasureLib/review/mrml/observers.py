"""Observers that can all be removed together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class Observers:
    """The observers of one owner on VTK objects."""

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def add(self, subject: Any, event: int, callback: Callable[..., None], with_object: bool = False) -> None:
        """Call `callback(subject, event name)` at every event.

        :param with_object: pass the VTK object that the event concerns, if any, as a third argument.
        """
        from vtkmodules.vtkCommonCore import VTK_OBJECT

        react = partial(callback)
        if with_object:
            react.CallDataType = VTK_OBJECT  # type: ignore[attr-defined]
        self._tags.append((subject, subject.AddObserver(event, react)))

    def remove(self, subject: Any) -> None:
        """Remove all observers of one object."""
        for other, tag in self._tags:
            if other is subject:
                other.RemoveObserver(tag)
        self._tags = [(other, tag) for other, tag in self._tags if other is not subject]

    def clear(self) -> None:
        """Remove all observers."""
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()

    def __len__(self) -> int:
        return len(self._tags)
