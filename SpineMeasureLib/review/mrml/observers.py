"""Observers that are all taken away again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class Observers:
    """Every observer that one owner has on VTK objects."""

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def add(self, subject: Any, event: int, callback: Callable[..., None], with_object: bool = False) -> None:
        """Call `callback(subject, event name)` at every event.

        :param with_object: call it with the VTK object that the event is about as a third argument, where there is one.
        """
        from vtkmodules.vtkCommonCore import VTK_OBJECT

        react = partial(callback)
        if with_object:
            react.CallDataType = VTK_OBJECT  # type: ignore[attr-defined]
        self._tags.append((subject, subject.AddObserver(event, react)))

    def remove(self, subject: Any) -> None:
        """Take away all observers of one object."""
        for other, tag in self._tags:
            if other is subject:
                other.RemoveObserver(tag)
        self._tags = [(other, tag) for other, tag in self._tags if other is not subject]

    def clear(self) -> None:
        """Take away all observers."""
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()

    def __len__(self) -> int:
        return len(self._tags)
