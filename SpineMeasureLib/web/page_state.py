"""The face of the desk in the browser: it draws the desk into the page's state, and forwards what the page asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ..measure.definitions import PREFERRED
from ..review.actions import NO_CASE
from ..review.desk import Desk
from ..review.face import Message
from ..review.mrml.slices import Aim
from ..review.panel import ALL_LEVELS, GROUPS, SCOPES, STATUSES, disc_names, summary
from ..review.session import Key, Session
from .chart import in_chart, strip_chart
from .corner import corner_text
from .table import HEADERS, page_row
from .viewer import Viewer

#: Seconds after the last change until the table is sorted and filtered again.
_FOLD_AFTER = 0.6
#: Minimum seconds between two charts during a drag.
_CHART_EVERY = 0.15

DEFAULTS: dict[str, Any] = {
    "theme": "dark",
    "message": "",
    "message_hint": "",
    "message_error": False,
    "running": False,
    "cancellable": False,
    "run_name": "",
    "progress": 0.0,
    "stage": "",
    "exporting": False,
    "opening": False,
    "helping": False,
    "path": "",
    "has_case": False,
    "title": "",
    "device_text": "",
    "cannot": {},
    "headers": HEADERS,
    "rows": [],
    "live": {},
    "selected": [],
    "current": -1,
    "corner_red": "",
    "corner_yellow": "",
    "level": "",
    "levels": [],
    "level_filter": ALL_LEVELS,
    "group": "Lines",
    "groups": list(GROUPS),
    "status_filter": [],
    "statuses": list(STATUSES),
    "scope": SCOPES[0],
    "scopes": list(SCOPES),
    "reviewer": "",
    "new_name": "",
    "disc_names": disc_names(),
    "snap": True,
    "snap_to_edges": True,
    "labels": True,
    "only_level": False,
    "ends": PREFERRED,
    "ends_cannot": NO_CASE,
    "segments_as": ["outline", "fill"],
    "opacity": 0.2,
    "chart": "",
    "summary": "",
    "level_note": "",
    "can_undo": False,
    "can_redo": False,
}


class PageState:
    """The state of the page, which all tabs share; a `review.face.View`.

    A page may send anything for any variable, so everything that comes from it is checked here.

    :ivar desk: the controller.
    """

    def __init__(self, server: Any, viewer: Viewer, changed: Callable[[], None]) -> None:
        """:param changed: called after every change of the case."""
        self.desk = Desk(self, label_highlighted=False)
        self._state = server.state
        self._viewer = viewer
        self._changed = changed
        #: The listed rows that changed since the table was filled.
        self._live: dict[str, dict[str, Any]] = {}
        self._fold_timer: asyncio.TimerHandle | None = None
        self._chart_drawn = 0.0
        server.state.update(DEFAULTS)
        for names, react in (
            (("group", "level_filter", "status_filter", "labels", "only_level"), self._filter_changed),
            (("level",), self._level_chosen),
            (("snap", "snap_to_edges"), self._snap_changed),
            (("ends",), self._ends_chosen),
            (("opacity", "segments_as"), self._draw_segments),
            (("message",), self._message_changed),
        ):
            server.state.change(*names)(react)
        server.controller.trigger("act")(self._act)
        server.controller.trigger("click")(self._click)
        server.controller.trigger("reset_window")(self._reset_window)
        viewer.on_turn(self._turned)

    # -- a case is opened and closed

    def open(self, session: Session, title: str, measured_with: str, cannot: dict[str, str]) -> None:
        """Show a case.

        :param measured_with: the model and its device, or the label map.
        :param cannot: downloads that are not possible -> the reason.
        """
        self._snap(session)
        self._viewer.show(session)
        self._state.update({"title": title, "device_text": measured_with, "cannot": cannot})
        self.desk.open(session)
        session.observe(lambda _: self._changed())
        self._draw_segments()
        self.desk.go_to_middle()

    def close(self) -> None:
        """Close the case; the scene stays."""
        session = self.desk.session
        self.desk.open(None)
        self._stop_folding()
        if session is not None:
            session.close()

    def show_nothing(self) -> None:
        """Empty the scene and the page."""
        self._viewer.clear()
        with self._state as state:
            state.update({"title": "", "device_text": "", "cannot": {}})

    # -- the desk is drawn

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Render the views and send the state once, at the end of the context."""
        with self._state, self._viewer.quietly():
            yield

    def fill(self) -> None:
        """Draw the table, its filter, the levels and the chart."""
        self._stop_folding()
        desk, session, shown = self.desk, self.desk.session, self.desk.filter
        self._live = {}
        rows = [] if session is None else [page_row(session, row, pinned) for row, pinned in desk.rows.items()]
        self._state.update({
            "rows": rows, "live": {}, "levels": desk.levels, "level_filter": shown.level, "level_note": desk.level_note,
            "status_filter": list(shown.statuses), "chart": "" if session is None else strip_chart(session),
        })  # fmt: skip

    def update_rows(self, keys: Collection[Key]) -> None:
        """Draw changed rows; called during a drag, when only what changed is sent."""
        session = self.desk.session
        if session is None:
            return
        with self._state as state:
            for key in keys:
                row = session.id_of(key)
                if row in self.desk.rows:
                    self._live[str(row)] = page_row(session, row, self.desk.rows[row])
            state.live = dict(self._live)
            # A chart that is left out is drawn with the table after the last change.
            if any(in_chart(key) for key in keys) and time.monotonic() - self._chart_drawn > _CHART_EVERY:
                state.chart = strip_chart(session)
                self._chart_drawn = time.monotonic()
            self._show_corners()
            self._show_counts()
        self._stop_folding()
        self._fold_timer = asyncio.get_running_loop().call_later(_FOLD_AFTER, self.desk.fill)

    def show_place(self) -> None:
        """Draw the current row and level, the selection and the new name."""
        desk = self.desk
        with self._state as state:
            state.current = -1 if desk.row is None else desk.row
            state.level, state.new_name, state.selected = desk.level, desk.new_name, list(desk.selection)
            self._show_corners()

    def look(self, aim: Aim) -> None:
        """Turn the slice views."""
        self._viewer.look(aim)

    def show_message(self) -> None:
        """Draw the newest message above the table, except notes."""
        message = next((each for each in self.desk.messages if each.kind != "note"), Message(""))
        with self._state as state:
            state.message, state.message_hint = message.sentence(), message.hint
            state.message_error = message.kind == "error"

    def show_state(self) -> None:
        """Draw the counts, what heights are between, and whether there is something to undo."""
        with self._state as state:
            state.has_case = self.desk.session is not None
            state.ends, state.ends_cannot = self.desk.ends, self.desk.reason("ends")
            self._show_counts()

    def _show_counts(self) -> None:
        session, state = self.desk.session, self._state
        state.summary = "" if session is None else summary(session)
        state.can_undo = session is not None and session.can_undo
        state.can_redo = session is not None and session.can_redo

    def _show_corners(self) -> None:
        # In the corner, because a label on a line would hide what is measured.
        session = self.desk.session
        for name, node in self._viewer.slice_nodes().items():
            text = "" if session is None else corner_text(session, node, self.desk.current)
            self._state[f"corner_{name.lower()}"] = text

    def _turned(self) -> None:
        with self._state:
            self._show_corners()

    def _stop_folding(self) -> None:
        if self._fold_timer is not None:
            self._fold_timer.cancel()

    # -- the page asks

    def _act(self, action: object) -> None:
        desk, state = self.desk, self._state
        desk.reviewer, desk.new_name = str(state.reviewer or "")[:200], str(state.new_name)
        desk.scope = state.scope if state.scope in SCOPES else SCOPES[0]
        desk.act(str(action))

    def _click(self, row: object, add: object = False) -> None:
        if isinstance(row, int):
            self.desk.click(row, bool(add))

    def _filter_changed(self, **_: object) -> None:
        state = self._state
        self.desk.show_only(
            str(state.group), str(state.level_filter), texts(state.status_filter),
            bool(state.labels), bool(state.only_level),
        )  # fmt: skip

    def _level_chosen(self, level: object = "", **_: object) -> None:
        if level != self.desk.level:
            self.desk.go_to_level(str(level))

    def _snap_changed(self, **_: object) -> None:
        if self.desk.session is not None:
            self._snap(self.desk.session)

    def _snap(self, session: Session) -> None:
        session.snap_to_plane, session.snap_to_edges = bool(self._state.snap), bool(self._state.snap_to_edges)

    def _ends_chosen(self, ends: object = "", **_: object) -> None:
        if ends != self.desk.ends:
            self.desk.show_ends(str(ends))

    def _draw_segments(self, **_: object) -> None:
        opacity, shown = self._state.opacity, texts(self._state.segments_as)
        if self.desk.session is not None and isinstance(opacity, (int, float)):
            opacity = min(1.0, max(0.0, float(opacity)))
            self._viewer.draw_segments(self.desk.session, "outline" in shown, "fill" in shown, opacity)

    def _reset_window(self) -> None:
        if self.desk.session is not None:
            self._viewer.reset_window(self.desk.session)

    def _message_changed(self, message: object = "", message_hint: object = "", **_: object) -> None:
        """Follow a message that the reader closed or that the page showed itself."""
        said = self.desk.said
        if not message:
            self.desk.dismiss()
        elif said is None or said.sentence() != message:
            self.desk.say(str(message), str(message_hint), "error" if self._state.message_error else "result")


def texts(value: object) -> list[str]:
    """Return the texts of a list that a page sent, which may be anything."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []
