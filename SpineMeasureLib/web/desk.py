"""What lies on the reader's desk: one case, its table, the place that the views show. The page follows its state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ..review.panel import (
    ALL_LEVELS,
    GROUPS,
    STATUSES,
    level_note,
    main_key,
    next_flagged,
    quantities_shown,
    step,
    summary,
)
from ..review.session import Key, Session
from .chart import in_chart, strip_chart
from .corner import corner_text
from .table import id_of, key_of, page_row, page_rows, texts
from .viewer import Viewer

#: Seconds after the last change until the table is sorted and filtered anew.
_FOLD_AFTER = 0.6
#: Least seconds between two charts while a line is dragged.
_CHART_EVERY = 0.15

#: State of the page while no case is open.
NOTHING: dict[str, Any] = {
    "has_case": False,
    "title": "",
    "device_text": "",
    "rows": [],
    "live": {},
    "selected": [],
    "current": "",
    "corner_red": "",
    "corner_yellow": "",
    "cannot": {},
    "level": "",
    "levels": [],
    "chart": "",
    "summary": "",
    "level_note": "",
    "new_name": "",
    "can_undo": False,
    "can_redo": False,
}


class Desk:
    """The case that all tabs show.

    The current row is known by its identity, never by its name: after a renaming that is another disc's.

    :ivar session: None before a case is open.
    :ivar level: the name that the level of the views has now, empty for none.
    """

    def __init__(self, server: Any, viewer: Viewer, changed: Callable[[], None]) -> None:
        """:param changed: called after every change of the case."""
        self.session: Session | None = None
        self.level = ""
        self._row = ""
        #: A row that the reader went to though the filter leaves it out.
        self._pinned = ""
        self._filter: tuple[str, str, tuple[str, ...]] | None = None
        #: Rows that are shown -> whether pinned, and those that changed since the last filling.
        self._shown: dict[str, bool] = {}
        self._live: dict[str, dict[str, Any]] = {}
        #: A row of every level, at the last filling of the table: it tells what the level is called later.
        self._row_of_level: dict[str, str] = {}
        self.state = server.state
        self.viewer = viewer
        self._on_change = changed
        self._keys: list[Key] = []
        self._fold_timer: asyncio.TimerHandle | None = None
        self._chart_drawn = 0.0
        for names, react in (
            (("group", "level_filter", "status_filter", "labels", "only_level"), self._filter_changed),
            (("level",), self._level_chosen),
            (("snap",), self._snap_changed),
            (("opacity", "segments_as"), self._look_changed),
        ):
            server.state.change(*names)(react)
        viewer.on_turn(self._turned)

    @property
    def current(self) -> Key | None:
        """The row that the views show."""
        return self.known(self._row)

    # -- a case comes and goes

    def take(self, session: Session, title: str, told: str, cannot: dict[str, str]) -> None:
        """Show a case.

        :param told: which model measured it, on which device.
        :param cannot: downloads that are not possible -> the reason.
        """
        self.session = session
        session.snap_to_plane = bool(self.state.snap)
        session.observe(self._changed)
        self.viewer.show(session)
        self._look_changed()
        with self.state as state:
            state.update({**NOTHING, "has_case": True, "title": title, "device_text": told, "cannot": cannot})
            state.update({"level_filter": ALL_LEVELS, "status_filter": []})
            self.fill()
        if session.levels:
            self.go_to_level(session.levels[len(session.levels) // 2])

    def leave(self) -> None:
        """Let the case go; the scene stays."""
        self._stop_folding()
        if self.session is not None:
            self.session.close()
        self.session, self._keys, self._row_of_level, self._shown, self._live = None, [], {}, {}, {}
        self._row = self._pinned = self.level = ""

    def show_nothing(self) -> None:
        """Empty the scene and the page."""
        self.viewer.clear()
        with self.state as state:
            state.update(NOTHING)

    def tell(self, message: str, hint: str = "", error: bool = True) -> None:
        """Show a sentence above the table; none where it is empty."""
        with self.state as state:
            state.message, state.message_hint, state.message_error = message, hint, error

    # -- the page follows

    def _changed(self, keys: frozenset[Key]) -> None:
        """Bring the page up to date; called while a line is dragged, when only what changed is sent."""
        session = self.session
        if session is None:
            return
        with self.state as state:
            if not keys or [m.key for m in session.rows] != self._keys:
                self._follow_names(session)
                self.fill()
            else:
                if session.dragged is not None and session.dragged != self.current:
                    self._take_up(session.dragged)
                for key in keys:
                    row = id_of(session, key)
                    if row in self._shown:
                        self._live[row] = page_row(session, key, self._shown[row])
                state.live = dict(self._live)
                if any(in_chart(quantity, method) for _, quantity, method in keys):
                    self._draw_chart()
                self._show_corners()
                self.show_counts()
                self._fold_later()
        self._on_change()

    def _follow_names(self, session: Session) -> None:
        """Where levels got other names, also by undo, the filter and the current level stay where they were."""
        rows, levels = self._row_of_level, list(self._row_of_level)
        filtered = self._filter_now()[1]
        if filtered in rows:
            key = self.known(rows[filtered])
            self.state.level_filter = key[0] if key is not None else ALL_LEVELS
        key = self.current or self.known(rows.get(self.level))
        if key is not None:
            self._set_level(key[0])
        elif session.levels:
            place = levels.index(self.level) if self.level in rows else 0
            self.go_to_level(session.levels[min(place, len(session.levels) - 1)])

    def fill(self) -> None:
        """The whole table, and the lines that its filter leaves."""
        session, state = self.session, self.state
        if session is None:
            return
        self._filter = group, level, statuses = self._filter_now()
        self._keys = [m.key for m in session.rows]
        row_of_level = {m.level: id_of(session, m.key) for m in session.rows}
        self._row_of_level = {name: row_of_level[name] for name in session.levels}
        rows = page_rows(session, group, level, statuses, self.known(self._pinned))
        self._shown, self._live = {row["id"]: row["pinned"] for row in rows}, {}
        state.level_filter, state.rows, state.live, state.levels = level, rows, {}, list(session.levels)
        state.selected = [row for row in texts(state.selected) if row in self._shown]
        state.level_note = level_note(session)
        state.chart = strip_chart(session)
        levels = None if level == ALL_LEVELS else [level]
        session.show(
            levels,
            quantities_shown(group),
            labels=bool(state.labels),
            label_highlighted=False,
            only_level=bool(state.only_level),
        )
        self._show_corners()
        self.show_counts()
        self.viewer.render()

    def _draw_chart(self) -> None:
        # The table is filled anew after the last change, the chart with it: one that is left out here is made up for.
        if self.session is not None and time.monotonic() - self._chart_drawn > _CHART_EVERY:
            self.state.chart = strip_chart(self.session)
            self._chart_drawn = time.monotonic()

    def _show_corners(self) -> None:
        """What each slice view shows, told in its corner: a label on a line would hide what is measured."""
        for name, node in self.viewer.slice_nodes().items():
            text = "" if self.session is None else corner_text(self.session, node, self.current)
            self.state[f"corner_{name.lower()}"] = text

    def _turned(self) -> None:
        """A view shows another slice."""
        with self.state:
            self._show_corners()

    def show_counts(self) -> None:
        """How many values there are, and whether there is something to undo."""
        session = self.session
        if session is not None:
            self.state.summary = summary(session)
            self.state.can_undo, self.state.can_redo = session.can_undo, session.can_redo

    def _fold_later(self) -> None:
        self._stop_folding()
        self._fold_timer = asyncio.get_running_loop().call_later(_FOLD_AFTER, self._fold)

    def _fold(self) -> None:
        with self.state:
            self.fill()

    def _stop_folding(self) -> None:
        if self._fold_timer is not None:
            self._fold_timer.cancel()

    # -- the page asks

    def _filter_changed(self, **_: object) -> None:
        if self._filter_now() != self._filter:
            self._pinned = ""
        self.fill()

    def _filter_now(self) -> tuple[str, str, tuple[str, ...]]:
        """Group, level and statuses; what is none of them stands for all. A page may send anything."""
        group, level, statuses = self.state.group, self.state.level_filter, texts(self.state.status_filter)
        known = self.session.levels if self.session is not None else []
        return (
            group if isinstance(group, str) and group in GROUPS else "Lines",
            level if level in known or level in list(self._row_of_level) else ALL_LEVELS,
            tuple(status for status in STATUSES if status in statuses),
        )

    def _level_chosen(self, level: object = "", **_: object) -> None:
        if self.session is not None and level != self.level and level in self.session.levels:
            self.go_to_level(str(level))

    def _snap_changed(self, snap: object = True, **_: object) -> None:
        if self.session is not None:
            self.session.snap_to_plane = bool(snap)

    def _look_changed(self, **_: object) -> None:
        opacity = self.state.opacity
        if self.session is not None and isinstance(opacity, (int, float)):
            drawn = texts(self.state.segments_as)
            self.viewer.draw_segments(
                self.session, "outline" in drawn, "fill" in drawn, min(1.0, max(0.0, float(opacity)))
            )

    def reset_window(self) -> None:
        """Set window and level as they were when the case was opened."""
        if self.session is not None:
            self.viewer.reset_window(self.session)

    # -- going about

    def go_to_level(self, level: str) -> None:
        """Show a level in all views."""
        if self.session is not None:
            self._set_level(level)
            if self._filter_now()[1] != ALL_LEVELS:
                self.state.level_filter = level
            self.go_to(main_key(self.session, level))

    def go_to(self, key: Key | None, add: bool = False) -> None:
        """Turn the views to a value's plane, highlight its line, select its row.

        :param add: keep the rows that are selected, and take this one out where it is.
        """
        if self.session is None or key is None:
            return
        row = id_of(self.session, key)
        with self.state as state:
            self._row = row
            self._set_level(key[0])
            state.current = row
            selected = texts(state.selected)
            others = [i for i in selected if i != row] if add else []
            state.selected = others if add and row in selected else [*others, row]
            self.viewer.go_to(self.session, key)
            hidden = self._shown.get(row, True)
            if self._pinned != (row if hidden else ""):
                self._pinned = row if hidden else ""
                self.fill()
            self._show_corners()

    def _take_up(self, key: Key) -> None:
        """The mouse took another line: its row is the current one, the views stay as they are."""
        if self.session is not None:
            self._row = id_of(self.session, key)
            self._set_level(key[0])
            self.state.current, self.state.selected = self._row, [self._row]
            self.session.highlight(key)

    def _set_level(self, level: str) -> None:
        self.level = level
        self.state.level = level
        self.state.new_name = level if self.session is not None and level in self.session.discs else ""

    def click_row(self, row_id: object, add: object = False) -> None:
        """A row of the table was clicked."""
        key = self.known(row_id)
        if key is not None:
            self.go_to(key, bool(add))

    def known(self, row_id: object) -> Key | None:
        """The row of an id; None where it is not there any more."""
        return None if self.session is None else key_of(self.session, row_id)

    def previous_level(self) -> None:
        """One level towards the head."""
        self._step_level(-1)

    def next_level(self) -> None:
        """One level towards the feet."""
        self._step_level(1)

    def _step_level(self, by: int) -> None:
        if self.session is not None and self.session.levels:
            self.go_to_level(step(self.session.levels, self.level, by))

    def next_flagged(self) -> None:
        """Go to the next doubtful value. The filter stays; a value outside it is shown beside what it leaves."""
        if self.session is not None:
            self.go_to(next_flagged(self.session, self.current))
