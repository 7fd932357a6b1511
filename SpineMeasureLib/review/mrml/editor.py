"""Steps of a case in the scene: the user's changes of nodes become steps, and steps change the nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from math import dist
from typing import Any

from ...errors import SpineMeasureError, UnreadableInputError
from ...measure.derived import Key
from ...measure.types import End, Measurement
from ..case.derived import Live
from ..case.drag import STILL_MM, Drag, Ends, edit_of, same
from ..case.history import History
from ..case.state import Edit, Row, State, now
from ..case.steps import edited_rows
from .folders import forget
from .lines import is_line, line_ends, set_line_ends
from .observers import Observers
from .scene_case import SceneCase, keys_of, statuses
from .snapping import Snapping

Callback = Callable[[frozenset[Key]], None]
#: Makes a context in which views are not rendered; they are rendered once at its end.
Quietly = Callable[[], AbstractContextManager[Any]]

#: A line at a larger distance from its recorded place was moved while no session watched it.
_MOVED_MM = 1e-3


class Editor:
    """The steps of one case, and drags between them.

    :ivar case: the nodes.
    :ivar live: all values as shown, by row number.
    :ivar numbers: row numbers by key.
    :ivar snapping: where dragged ends may go.
    """

    def __init__(self, scene: Any, case: Any, quietly: Quietly = nullcontext) -> None:
        """Link the nodes of a case to its record.

        :param quietly: entered around every change of many nodes.
        :raises UnreadableInputError: its record cannot be read.
        """
        self.snapping = Snapping(case)
        self.closed = False
        self.quietly = quietly
        self.case = SceneCase(scene, case)
        try:
            kept = self.case.record.read()
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableInputError(
                f"The measurements in '{case.GetName()}' cannot be read.", "Measure the segmentation again."
            ) from error
        self._history = History(_as_found(self.case, kept))
        self.live = Live(self.state.rows)
        self.numbers = self.state.number_of()
        self._drag: Drag | None = None
        self._writing = False
        self._callbacks: dict[int, Callback] = {}
        self._next_token = 0
        self.observers = Observers()
        with self.own_changes():
            for number in [n for n in self.case.lines if n not in self.live.values]:
                del self.case.lines[number]
            self.case.fill_table(self.state, self.live)
            if self.state is not kept:
                self.case.record.write(self.state)
                self.case.update_lines(self.state, self.live, self.state.rows)
            for number, line in self.case.lines.items():
                # Files may round coordinates, which must not look like an edit later.
                recorded = ends_of(self.live.values[number])
                if recorded is not None:
                    set_line_ends(line, *recorded)
                self.case.look(self.live, number)
            self.case.update_labels(self.live)
        self._watch()

    def close(self) -> None:
        """Stop watching the scene."""
        self.closed = True
        self._drag = None
        self.observers.clear()
        self._callbacks.clear()

    def observe(self, callback: Callback) -> int:
        """Call `callback(keys)` after every change. :return: a token for `unobserve`."""
        self._next_token += 1
        self._callbacks[self._next_token] = callback
        return self._next_token

    def unobserve(self, token: int) -> None:
        """End what `observe` began."""
        self._callbacks.pop(token, None)

    @property
    def state(self) -> State:
        """The present case; a drag is included once the mouse button is released."""
        return self._history.present

    def step(self, step: Callable[[State, Live], State]) -> None:
        """Make a step, unless it changes nothing."""
        self.finish_drag()
        if self.closed:
            raise SpineMeasureError("This case is closed.", "Open it again.")
        old = self.state
        state = step(old, self.live)
        if state is not old:
            self._history.push(state)
            self._enter(old)

    @property
    def dragging(self) -> bool:
        """True if the mouse has moved a line and its button is still pressed."""
        return self._drag is not None and bool(self._drag.rows)

    @property
    def can_undo(self) -> bool:
        """True if there is a step to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """True if there is an undone step."""
        return self._history.can_redo

    def undo(self) -> bool:
        """Undo one step. :return: False if there is none."""
        self.finish_drag()
        return self.can_undo and self._go(self._history.undo)

    def redo(self) -> bool:
        """Redo one step. :return: False if there is none."""
        self.finish_drag()
        return self.can_redo and self._go(self._history.redo)

    def _go(self, move: Callable[[], State]) -> bool:
        if self.closed:
            return False
        old = self.state
        move()
        self._enter(old)
        return True

    def _enter(self, old: State, also: Collection[int] = ()) -> None:
        """Update the nodes to the present state and notify observers; views are rendered once.

        :param also: rows that already changed while a line was dragged.
        """
        with self.quietly():
            self._notify(self._update_nodes(old, also))

    def _update_nodes(self, old: State, also: Collection[int]) -> frozenset[Key]:
        """Return the keys of the rows that changed; none if rows were added, removed, renamed or others are shown."""
        state, before = self.state, self.live.values
        self.live = live = Live(state.rows)
        self.numbers = state.number_of()
        changed = [
            n for n, value in live.values.items()
            if n in also or old.rows.get(n) is not state.rows[n] or before.get(n) != value
        ]  # fmt: skip
        others = list(before) != list(live.values)
        both = [(before[n], live.values[n]) for n in changed if n in before]
        renamed_rows = any(old_value.level != value.level for old_value, value in both)
        other_lines = any(old_value.second != value.second for old_value, value in both)
        with self.own_changes():
            for number in list(self.case.lines):
                if number not in live.values or not is_line(live.values[number]):
                    self._drop_line(number)
            made = self.case.update_lines(state, live, changed)
            for number in made:
                self._watch_line(number)
            if state.segments is not old.segments:
                self.case.name_segments(old, state)
            if others:
                self.case.fill_table(state, live)
            else:
                self.case.update_table(state, live, changed)
            if made or others or renamed_rows:
                self.case.arrange_lines(live)
            self.case.update_labels(live, None if others or renamed_rows else changed)
            self.case.record.write(state)
        return frozenset() if others or renamed_rows or other_lines else keys_of(live, changed)

    @property
    def dragged(self) -> int | None:
        """The number of the row whose line the mouse holds, or None."""
        return None if self._drag is None else self._drag.number

    def edited(self, number: int, ends: Ends, snapped: tuple[End, ...] = ()) -> dict[int, Row]:
        """Return the rows that change if a line gets these ends. :param snapped: those that just snapped to an edge."""
        edit = edit_of(self.state.rows[number], ends, snapped)
        return edited_rows(self.state, self.live, number, edit)

    def _notify(self, keys: frozenset[Key]) -> None:
        for callback in list(self._callbacks.values()):
            callback(keys)

    @contextmanager
    def own_changes(self, quietly: Quietly | None = None) -> Iterator[None]:
        """Mark changes of nodes as the session's own, not the user's; views are rendered once.

        :param quietly: `nullcontext` during a drag, which is rendered as the line moves.
        """
        before, self._writing = self._writing, True
        try:
            with (quietly or self.quietly)():
                yield
        finally:
            self._writing = before

    def _watch(self) -> None:
        import slicer

        scene_class = slicer.vtkMRMLScene
        self.observers.add(self.case.scene, scene_class.StartCloseEvent, lambda *_: self.close())
        self.observers.add(self.case.scene, scene_class.NodeRemovedEvent, self._on_removed, with_object=True)
        for number in self.case.lines:
            self._watch_line(number)

    def _watch_line(self, number: int) -> None:
        import slicer
        from vtkmodules.vtkCommonCore import vtkCommand

        line, markups = self.case.lines[number], slicer.vtkMRMLMarkupsNode
        for event, react in (
            (markups.PointStartInteractionEvent, self._on_start),
            (markups.PointModifiedEvent, self._on_moved),
            (markups.PointEndInteractionEvent, self._on_end),
        ):
            self.observers.add(line, event, partial(react, number))
        display = line.GetDisplayNode()
        if display is not None:
            self.observers.add(display, vtkCommand.ModifiedEvent, partial(self._on_look, number))

    def _drop_line(self, number: int) -> None:
        self._unwatch(self.case.lines[number])
        self.case.remove_line(number)
        if self._drag is not None and self._drag.number == number:
            self._drag = None

    def _unwatch(self, line: Any) -> None:
        self.observers.remove(line)
        self.observers.remove(line.GetDisplayNode())

    def _on_look(self, number: int, display: Any, event: str) -> None:
        """React to the mouse entering or leaving a line; only the display's active component shows that."""
        if self._writing or self.closed or number not in self.case.lines:
            return
        over = display.GetActiveComponentType() != display.ComponentNone
        with self.own_changes():
            self.case.hover(self.live, number, over)

    def _on_start(self, number: int, line: Any, event: str) -> None:
        start = line_ends(line)
        if start is not None and not self._writing:
            self._drag = Drag(number, start)

    def _on_moved(self, number: int, line: Any, event: str) -> None:
        if self._writing:
            return
        ends, known = line_ends(line), ends_of(self.live.values[number])
        if same(ends, known) or known is None:
            return
        row = self.state.rows[number].automatic
        snapped: tuple[End, ...] = ()
        if ends is None:
            wanted = known
        elif self._drag is not None and self._drag.number == number:
            automatic = [each.automatic for each in self.state.rows.values()]
            wanted, snapped = self.snapping.placed(line, row, self._drag.start, ends, automatic)
        elif all(dist(a, b) > STILL_MM for a, b in zip(known, ends, strict=True)):
            # The whole line moved, e.g. by a hardened transform: projection into its old plane would change its length.
            wanted = ends
        else:
            # Moved by a script or in the list of points of the Markups module.
            wanted, _ = self.snapping.placed(line, row, known, ends)
        with self.own_changes(nullcontext):
            set_line_ends(line, *wanted)
        if self._drag is not None and self._drag.number == number:
            self._follow(self._drag, wanted, snapped)
        elif not same(wanted, known):
            self.step(lambda state, live: state.with_rows(self.edited(number, wanted)))

    def _follow(self, drag: Drag, ends: Ends, snapped: tuple[End, ...]) -> None:
        """Update rows and colours while a line is dragged; the step is made when the drag ends."""
        state, live = self.state, self.live
        moved = not same(ends, drag.start)
        rows = self.edited(drag.number, ends, snapped) if moved else {n: state.rows[n] for n in drag.rows}
        affected = (drag.number, *live.dependents(drag.number))
        before = statuses(live, affected)
        changed = live.update(rows)
        drag.rows = rows if moved else {}
        with self.own_changes(nullcontext):
            self.case.update_table(state.with_rows(rows), live, changed)
            for number, status in statuses(live, affected).items():
                if status != before[number] and number in self.case.lines:
                    self.case.look(live, number)
            self.case.update_labels(live, changed)
        if changed:
            self._notify(keys_of(live, changed))

    def _on_end(self, number: int, line: Any, event: str) -> None:
        if not self._writing:
            self.finish_drag()
            self._drag = None

    def finish_drag(self) -> None:
        """Make a step of the drag so far; it may continue from there."""
        drag = self._drag
        if drag is None or not drag.rows:
            return
        ends = ends_of(self.live.values[drag.number])
        self._drag = Drag(drag.number, ends) if ends is not None else None
        old = self.state
        self._history.push(old.with_rows(drag.rows))
        self._enter(old, also=(drag.number, *self.live.dependents(drag.number)))

    def _on_removed(self, scene: Any, event: str, node: Any = None) -> None:
        if node is None or self._writing or self.closed:
            return
        if node is self.case.case:
            self.close()
            return
        number = next((n for n, line in self.case.lines.items() if line is node), None)
        if number is None:
            return
        self._unwatch(node)
        del self.case.lines[number]
        forget(self.case.scene, node)
        if self._drag is not None and self._drag.number == number:
            self._drag = None
        gone = Edit(None, None, None, now(), self.state.rows[number].automatic.value)
        self.step(lambda state, live: state.with_rows(edited_rows(state, live, number, gone)))


def _as_found(case: SceneCase, kept: State) -> State:
    """Return the record with the changes that were made to lines while no session watched."""
    live = Live(kept.rows)
    changed: dict[int, Row] = {}
    for number, value in live.values.items():
        recorded, row = ends_of(value), kept.rows[number]
        if recorded is None or not is_line(value):
            continue
        line = case.lines.get(number)
        ends = line_ends(line) if line is not None else None
        if ends is None:
            edit = Edit(None, None, None, now(), row.automatic.value)
        elif max(dist(a, b) for a, b in zip(ends, recorded, strict=True)) > _MOVED_MM:
            edit = edit_of(row, ends, still_mm=_MOVED_MM)
        else:
            continue
        changed |= edited_rows(kept, live, number, edit)
    return kept.with_rows(changed) if changed else kept


def ends_of(value: Measurement) -> Ends | None:
    """Return both ends of a value's line; None if it has none."""
    return None if value.p1 is None or value.p2 is None else (value.p1, value.p2)
