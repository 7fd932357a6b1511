"""Priority of rendering: while a mouse button is held in one view, the others wait, so that it follows the mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from trame_slicer.views import SliceView
from vtkmodules.vtkCommonCore import vtkCommand

#: Minimum seconds, and minimum mouse moves, between two renderings of another slice view.
_TURN, _MOVES = 0.4, 4
#: Turns without a mouse move until all views are rendered.
_REST = 3
#: Before the views' own observers, which may end an event.
_FIRST = 1000.0
_PRESSED = (vtkCommand.LeftButtonPressEvent, vtkCommand.MiddleButtonPressEvent, vtkCommand.RightButtonPressEvent)
_RELEASED = (vtkCommand.LeftButtonReleaseEvent, vtkCommand.MiddleButtonReleaseEvent, vtkCommand.RightButtonReleaseEvent)


class Pace:
    """Renders the view in which a mouse button is held at its full rate.

    Meanwhile other slice views are rendered a few times a second, and 3D, the slowest without a graphics card, not at
    all. When the button is released or the mouse rests, all views are rendered.
    """

    def __init__(self, views: Sequence[Any]) -> None:
        """:param views: all views of the page."""
        self._views = list(views)
        self._held: Any = None
        self._moves = self._still = 0
        self._timer: asyncio.TimerHandle | None = None
        for view in self._views:
            for events, react in ((_PRESSED, self._press), (_RELEASED, self._release)):
                for event in events:
                    view.interactor().AddObserver(event, lambda *_, view=view, react=react: react(view), _FIRST)
            view.interactor().AddObserver(vtkCommand.MouseMoveEvent, lambda *_: self._move(), _FIRST)

    def _press(self, view: Any) -> None:
        self._release(view)
        self._held, self._moves, self._still = view, 0, 0
        for other in self._others():
            other.set_render_blocked(True)
        self._timer = asyncio.get_running_loop().call_later(_TURN, self._turn)

    def _move(self) -> None:
        self._moves, self._still = self._moves + 1, 0

    def _release(self, _: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for other in self._others():
            other.set_render_blocked(False)
        self._held = self._timer = None

    def _turn(self) -> None:
        """Render other slice views while the mouse moves in a slice, and all views once it rests."""
        self._timer = asyncio.get_running_loop().call_later(_TURN, self._turn)
        self._still += 1
        rested, moved = self._still == _REST, self._moves >= _MOVES
        for other in self._others():
            if rested or (moved and isinstance(other, SliceView) and isinstance(self._held, SliceView)):
                other.set_render_blocked(False)  # renders it
                other.set_render_blocked(True)
        if moved:
            self._moves = 0

    def _others(self) -> list[Any]:
        return [] if self._held is None else [view for view in self._views if view is not self._held]
