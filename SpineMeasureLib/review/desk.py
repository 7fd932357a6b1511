"""The desk on which one case is reviewed: the controller behind every face, without Qt and without a browser.

A face (Slicer's panel, the browser's page) owns widgets only. It

1. makes one ``Desk(view)``, where its `face.View` draws what the desk holds,
2. shows a case with `open` and then goes somewhere (`go_to_middle`); None shows no case,
3. forwards what the reader does: a button or key as ``act("accept")`` (names: `actions.ACTIONS`, keys:
   `panel.SHORTCUTS`), a row as `go_to` or `click`, a level as `go_to_level`, a filter as `show_only`, what heights are
   between as `show_ends`, the scope as `set_scope`, a selection that its table made itself as `select`, and sets the
   attributes `new_name` and `reviewer`.

The desk follows the session (also undo, drags and scripts), keeps its own state, and calls the view for whatever has to
be drawn. The view reads the state from the desk; nothing is passed twice. Setting a value that is set already does
nothing, so a widget may report a change that the view itself made.

Rows are identified by `Session.id_of`, never by level name: a row keeps its id when levels are renamed. Texts are plain
English; a face in another language translates `Message.text` and the reasons before it shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from ..errors import SpineMeasureError
from ..measure.definitions import PREFERRED, EndsOn
from .actions import ACTIONS, NO_CASE, STALE, reason
from .case.state import statuses_of
from .face import Filter, Kind, Message, View
from .mrml.slices import aim_at
from .panel import (
    ALL_LEVELS,
    ENDS,
    GROUPS,
    SCOPES,
    STATUSES,
    counts,
    keys_shown,
    level_note,
    main_key,
    quantities_shown,
    shown_instead,
)
from .session import Key, Session


class Desk:
    """The review of one case.

    :ivar session: the case, or None. The face opens and closes sessions.
    :ivar row: id of the current row, which the views show; None at first. It may be outside the filter.
    :ivar level: the current level, empty at first.
    :ivar new_name: the name that "rename" gives to the disc of the current level; empty if the level is not a disc.
    :ivar rows: ids of the listed rows, in order -> True if the row is outside the filter and listed because it is
        current ("pinned").
    :ivar selection: ids of the selected rows, all of them listed.
    :ivar filter: what is listed and drawn.
    :ivar scope: what accept, withdraw and reset apply to, one of `panel.SCOPES`.
    :ivar reviewer: initials that are stored with accepted values.
    :ivar preferred_ends: what heights are shown between in a new case: the reader's last choice.
    :ivar said: the outcome of the last action, None once another one begins.
    :ivar stale: True while the segments differ from those that were measured.
    """

    def __init__(self, view: View, label_highlighted: bool = True) -> None:
        """Start without a case.

        :param label_highlighted: whether the highlighted line is labelled in the views.
        """
        self.session: Session | None = None
        self.row: int | None = None
        self.level: str = ""
        self.new_name: str = ""
        self.reviewer: str = ""
        self.rows: dict[int, bool] = {}
        self.selection: list[int] = []
        self.filter = Filter()
        self.scope = SCOPES[0]
        self.preferred_ends: EndsOn = PREFERRED
        self.said: Message | None = None
        self.stale = False
        self._view = view
        self._label_highlighted = label_highlighted
        self._pinned: int | None = None
        self._ends: EndsOn = PREFERRED
        self._token = 0
        #: As they were when the table was filled: all keys, and one row of every level, which tells its later name.
        self._keys: list[Key] = []
        self._row_of_level: dict[str, int] = {}

    # -- what the view reads

    @property
    def current(self) -> Key | None:
        """The key of the current row under the name that its level has now; None if the row is gone."""
        return self.key_of(self.row)

    @property
    def keys(self) -> list[Key]:
        """Keys of the listed rows, in order."""
        return [key for row in self.rows if (key := self.key_of(row)) is not None]

    @property
    def selected(self) -> list[Key]:
        """Keys of the selected rows."""
        return [key for row in self.selection if (key := self.key_of(row)) is not None]

    @property
    def levels(self) -> list[str]:
        """All levels from head to sacrum."""
        return self.session.levels if self.session is not None else []

    @property
    def level_note(self) -> str:
        """A warning about the level names, or empty."""
        return level_note(self.session) if self.session is not None else ""

    @property
    def ends(self) -> EndsOn:
        """What the heights that are shown first are between; without a case, what a new one starts with."""
        return self.session.ends if self.session is not None else self.preferred_ends

    @property
    def counts(self) -> dict[str, int]:
        """`panel.counts` of the case; empty without one."""
        return counts(self.session) if self.session is not None else {}

    @property
    def messages(self) -> list[Message]:
        """What the last action brought, then what is true until its cause is gone."""
        return [*filter(None, [self.said]), *([Message(STALE, kind="standing")] if self.stale else [])]

    def key_of(self, row: int | None) -> Key | None:
        """Return the present key of a row; None if there is no such row."""
        return self.session.key_of_id(row) if self.session is not None and row is not None else None

    def reason(self, action: str) -> str:
        """Return why an action (`actions.ACTIONS`), "export" or "ends" cannot be done now; empty if it can."""
        return reason(self, action)

    @property
    def in_scope(self) -> list[Key]:
        """The values that accept, withdraw and reset apply to."""
        if self.session is None or self.scope == "selected values":
            return self.selected
        return [m.key for m in self.session.rows if self.scope == "case" or m.level == self.level]

    # -- what the face forwards

    def open(self, session: Session | None) -> None:
        """Show another case, or none, at no place yet; the filter by level and status ends."""
        if self.session is not None:
            self.session.unobserve(self._token)
        self.session = session
        if session is not None:
            self._token = session.observe(self._changed)
            self._ends = session.ends
        self.row = self._pinned = None
        self.level = self.new_name = ""
        self.selection = []
        self.filter = replace(self.filter, level=ALL_LEVELS, statuses=())
        self.dismiss()
        with self._view.quietly():
            self.fill()
            self.check_segments()

    def act(self, action: str) -> None:
        """Do what a button or key asks for, or say why it cannot be done; ignore what is not one of `ACTIONS`."""
        if action not in ACTIONS:
            return
        self.dismiss()
        self.check_segments()
        against = self.reason(action)
        if not against and self.session is not None:
            ACTIONS[action].do(self, self.session)
        elif against not in (NO_CASE, STALE):  # the first is plain to see, the second is a standing message
            self.say(against, kind="note")

    def attempt(self, action: Callable[[], object]) -> bool:
        """Change or write the case, and draw the views once at the end.

        :return: False if it raised a `SpineMeasureError`, whose sentence is shown.
        """
        self.dismiss()
        done = False
        with self._view.quietly():
            try:
                action()
                done = True
            except SpineMeasureError as error:
                self.say(error.message, error.hint)
            finally:
                self.check_segments()
                self._view.show_state()
        return done

    def go_to(self, key: Key, selection: Iterable[int] | None = None) -> None:
        """Turn the views to a value's plane and highlight its line; a row outside the filter is listed while current.

        :param selection: the rows to select, by default this one.
        :raises KeyError: there is no such row.
        """
        session = self.session
        if session is None:
            return
        with self._view.quietly():
            self._make_current(session, key, selection)
            aim = aim_at(session, key)
            if aim is not None:
                self._view.look(aim)

    def click(self, row: int, add: bool = False) -> None:
        """Go to a row that was clicked.

        :param add: the control key was held: keep the selection, and take this row out if it is selected.
        """
        key = self.key_of(row)
        if key is not None:
            others = [each for each in self.selection if each != row] if add else []
            self.go_to(key, others if add and row in self.selection else [*others, row])

    def select(self, rows: Iterable[int]) -> None:
        """Note the rows that a table selected by itself; the views stay as they are."""
        self.selection = [row for row in rows if row in self.rows]
        self._view.show_state()

    def go_to_level(self, level: str) -> None:
        """Show a level in all views; a filter by level changes to it."""
        session = self.session
        if session is None or level not in session.levels:
            return
        with self._view.quietly():
            if self.filter.level != ALL_LEVELS:
                self.show_only(level=level)
            key = main_key(session, level)
            listed = [each for each in self.keys if each[0] == level and not self.rows[session.id_of(each)]]
            if key is not None:
                self.go_to(key if key in listed or not listed else listed[0])

    def go_to_middle(self) -> None:
        """Show the level in the middle of the case."""
        levels = self.levels
        if levels:
            self.go_to_level(levels[len(levels) // 2])

    def show_only(
        self,
        group: str | None = None,
        level: str | None = None,
        statuses: Collection[str] | None = None,
        labels: bool | None = None,
        only_level: bool | None = None,
    ) -> None:
        """Change some of the filter (see `Filter`); an unknown group, level or status means no restriction."""
        before = self.filter
        known = self.levels
        self.filter = Filter(
            before.group if group is None else group if group in GROUPS else Filter.group,
            before.level if level is None else level if level in known else ALL_LEVELS,
            before.statuses if statuses is None else tuple(s for s in STATUSES if s in statuses),
            before.labels if labels is None else labels,
            before.only_level if only_level is None else only_level,
        )
        if self.filter != before:
            if replace(self.filter, labels=before.labels, only_level=before.only_level) != before:
                self._pinned = None
            self.fill()

    def set_scope(self, scope: str) -> None:
        """Set what accept, withdraw and reset apply to; anything unknown means the selected values."""
        self.scope = scope if scope in SCOPES else SCOPES[0]
        self._view.show_state()

    def show_ends(self, ends: str) -> None:
        """Show lines between ``"edges"`` of the image or ``"masks"`` first, here and in new cases; ignore others."""
        chosen = next((each for each in ENDS if each == ends), None)
        if chosen is not None:
            self.preferred_ends = chosen
        session = self.session
        if chosen is None or session is None or chosen == session.ends or self.reason("ends"):
            self._view.show_state()
        else:
            self.attempt(lambda: session.show_ends(chosen))

    def fill(self) -> None:
        """List the rows of the filter again.

        A value that got another status stays listed until then, so that it does not vanish under the mouse: a face with
        a filter by status calls this a moment after the last change.
        """
        session = self.session
        with self._view.quietly():
            self._keys = [m.key for m in session.rows] if session is not None else []
            row_of_level = {key[0]: session.id_of(key) for key in self._keys} if session is not None else {}
            self._row_of_level = {level: row_of_level[level] for level in self.levels}
            self.rows = self._listed()
            self.selection = [row for row in self.selection if row in self.rows]
            if not self.selection and self.row in self.rows:
                self.selection = [self.row]
            if session is not None:
                session.show(
                    None if self.filter.level == ALL_LEVELS else [self.filter.level],
                    quantities_shown(self.filter.group),
                    self.filter.labels,
                    self._label_highlighted,
                    self.filter.only_level,
                )
                session.highlight(self.current if self.row in self.rows else None)
            self._view.fill()
            self._show_place()

    def check_segments(self) -> None:
        """Compare the segments with those that were measured; a face calls this when segments may have changed."""
        stale = self.session is not None and self.session.segments_changed
        if stale != self.stale:
            self.stale = stale
            if stale:
                self.said = None
            self._view.show_message()
            self._view.show_state()

    def say(self, text: str, hint: str = "", kind: Kind = "error", **values: object) -> None:
        """Show a message until the next action. :param values: for the fields of the text."""
        self.said = Message(text, hint, kind, values)
        self._view.show_message()

    def dismiss(self) -> None:
        """Remove what is shown of an earlier action."""
        if self.said is not None:
            self.said = None
            self._view.show_message()

    # -- the session changed

    def _changed(self, keys: frozenset[Key]) -> None:
        session = self.session
        if session is None:
            return
        self.dismiss()
        if not keys or [m.key for m in session.rows] != self._keys:
            with self._view.quietly():
                self._follow_rows(session)
            return
        dragged = session.dragged
        if dragged is not None and (dragged != self.current or self.row not in self.rows):
            self._make_current(session, dragged)  # the views stay as they are
        self._view.update_rows(keys)
        if not session.dragging:
            self.check_segments()
            self._view.show_state()

    def _follow_rows(self, session: Session) -> None:
        """Keep place and filter on their structures when rows came, went or have other level names, also by undo."""
        self._follow_ends(session)
        rows, levels = self._row_of_level, session.levels
        filtered = self.key_of(rows.get(self.filter.level))
        self.filter = replace(self.filter, level=filtered[0] if filtered is not None else ALL_LEVELS)
        here = self.current or self.key_of(rows.get(self.level))
        gone, place = self.row is not None and self.current is None, [*rows, self.level].index(self.level)
        if here is not None:
            self._set_level(here[0])
        self.fill()
        self.check_segments()
        if gone and levels:
            self.go_to_level(here[0] if here is not None else levels[min(place, len(levels) - 1)])

    def _follow_ends(self, session: Session) -> None:
        """Keep place and selection on their quantities when the other heights are shown, also by undo."""
        if session.ends == self._ends:
            return
        self._ends = session.ends

        def instead(row: int | None) -> int | None:
            key = self.key_of(row)
            return row if key is None else session.id_of(shown_instead(session, key))

        self.row, self._pinned = instead(self.row), instead(self._pinned)
        self.selection = [row for each in self.selection if (row := instead(each)) is not None]

    def _make_current(self, session: Session, key: Key, selection: Iterable[int] | None = None) -> None:
        self.row = session.id_of(key)
        self._set_level(key[0])
        self.selection = [self.row] if selection is None else list(selection)
        pinned = self.row if self.rows.get(self.row, True) else None
        if pinned != self._pinned:
            self._pinned = pinned
            self.fill()
        else:
            session.highlight(key)
            self._show_place()

    def _listed(self) -> dict[int, bool]:
        session, wanted = self.session, self.filter
        if session is None:
            return {}
        inside = {
            key
            for key in keys_shown(session, wanted.group, wanted.level)
            if not wanted.statuses or not set(wanted.statuses).isdisjoint(statuses_of(session.row(key)))
        }
        rows = {session.id_of(m.key): m.key not in inside for m in session.rows}
        return {row: outside for row, outside in rows.items() if not outside or row == self._pinned}

    def _set_level(self, level: str) -> None:
        self.level = level
        self.new_name = level if self.session is not None and level in self.session.discs else ""

    def _show_place(self) -> None:
        self._view.show_place()
        self._view.show_state()
