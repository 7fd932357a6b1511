"""The review of one case in a MRML scene: lines that can be dragged, rows that follow, undo, acceptance, level names.

Points are RAS mm, values in the unit of their definition. The scene is passed in; there is no Qt here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import dist, isfinite
from typing import Any

from ..anatomy import VERTEBRA_ORDER
from ..errors import LevelNameError, NothingFoundError, SpineMeasureError, UnreadableInputError
from ..measure import measure_spine
from ..measure.derived import Key
from ..measure.spine import Spine
from ..measure.types import Measurement, Plane, Point
from ..segmentation import SpineSegmentation
from .build import CaseNodes, add_case, state_of
from .drag import Drag, Ends, dragged, in_plane, same
from .existing import case_of_segmentation_node
from .folders import forget
from .frames import FrameCache
from .history import History
from .lines import editable, is_line, line_ends, set_line_ends
from .links import case_nodes
from .live import Live
from .merge import RemeasureResult, remeasured
from .naming import discs_of, is_regional, named_disc, renamed, shifted
from .observers import Observers
from .recognise import recognised
from .scene_case import SceneCase, keys_of, statuses
from .segments import add_segmentation, segmentation_of, stamp
from .state import Acceptance, Edit, Row, State, Status, difference_of, now, status_of
from .steps import accepted, edited_rows, reset, withdrawn

__all__ = ["Key", "RemeasureResult", "Session"]

Callback = Callable[[frozenset[Key]], None]

#: A line that lies further from where the record has it was moved while no session watched.
_MOVED_MM = 1e-3


class Session:
    """The review of one case; one session per case at a time.

    :ivar snap_to_plane: False while the user holds a modifier: a dragged end may then leave its measuring plane.
    """

    def __init__(self, scene: Any, case: Any) -> None:
        """Use `build`, `from_segmentation_node` or `find`.

        :param case: the case's hidden node.
        :raises UnreadableInputError: its record cannot be read.
        """
        self.snap_to_plane = True
        self._scene = scene
        self._case = SceneCase(scene, case)
        try:
            kept = self._case.record.read()
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableInputError(
                f"The measurements in '{case.GetName()}' cannot be read.", "Measure the segmentation again."
            ) from error
        self._history = History(self._as_found(kept))
        self._live = Live(self._state.rows)
        self._numbers = self._state.number_of()
        self._frames = FrameCache()
        self._measured: object = None
        self._drag: Drag | None = None
        self._writing = False
        self._closed = False
        self._callbacks: dict[int, Callback] = {}
        self._next_token = 0
        self._observers = Observers()
        with self._own_changes():
            for number in [n for n in self._case.lines if n not in self._live.values]:
                del self._case.lines[number]
            self._case.fill_table(self._state, self._live)
            if self._state is not kept:
                self._case.record.write(self._state)
                self._case.update_lines(self._state, self._live, self._state.rows)
            for number in self._case.lines:
                self._case.look(self._live, number)
        self._watch()

    # -- making and ending

    @classmethod
    def build(
        cls,
        scene: Any,
        volume_node: Any,
        segmentation: SpineSegmentation,
        measurements: Sequence[Measurement],
        name: str = "Spine",
    ) -> Session:
        """Add a case to the scene: segments, lines, table and folders.

        :param volume_node: the image's node, which stays as it is, or None.
        """
        segmentation_node = add_segmentation(scene, segmentation, volume_node, f"{name} segmentation")
        nodes = add_case(scene, volume_node, segmentation_node, state_of(segmentation, measurements), name)
        session = cls(scene, nodes.case)
        session._measured = stamp(segmentation_node), session._state.segments
        return session

    @classmethod
    def from_segmentation_node(
        cls, scene: Any, segmentation_node: Any, volume_node: Any = None, lowest_disc: str | None = None
    ) -> Session:
        """Measure a segmentation that is there and make a case of it.

        Segments are known by their names (``"L4"``, ``"L4-L5"``, ``"Spinal canal"``) or terminology. A segmentation of
        vertebra, disc and canal only is separated and named in a new segmentation node.

        :param lowest_disc: name of the lowest disc in view.
        :raises NothingFoundError: no disc and no vertebra is recognised.
        :raises LevelNameError: `lowest_disc` is unknown or does not fit.
        """
        node, segments, spine = case_of_segmentation_node(scene, segmentation_node, volume_node, lowest_disc)
        segmentation = spine.segmentation
        state = state_of(segmentation, measure_spine(spine))
        state = replace(state, segments=segments)
        if volume_node is None:
            volume_node = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        name = volume_node.GetName() if volume_node is not None else segmentation_node.GetName()
        session = cls(scene, add_case(scene, volume_node, node, state, name).case)
        session._frames.keep(node, segments, spine)
        session._measured = stamp(node), session._state.segments
        return session

    @classmethod
    def find(cls, scene: Any) -> list[Session]:
        """The cases of a scene that was opened, with every line linked to its row again."""
        return [cls(scene, node) for node in case_nodes(scene)]

    def close(self) -> None:
        """Stop watching the scene. All nodes stay."""
        self._closed = True
        self._drag = None
        self._observers.clear()
        self._callbacks.clear()

    # -- what there is

    @property
    def nodes(self) -> CaseNodes:
        """The nodes of the case as they are now."""
        return self._case.nodes(self._live)

    @property
    def rows(self) -> list[Measurement]:
        """All values as the reader sees them, in the order of the table."""
        return list(self._live.values.values())

    @property
    def levels(self) -> list[str]:
        """Levels from head to sacrum, discs between their vertebrae, regions last."""
        regions = {m.level for m in self.rows if is_regional(m)}
        found = dict.fromkeys(m.level for m in self.rows)
        return sorted(found, key=lambda level: (level in regions, *_place_of_level(level)))

    @property
    def quantities(self) -> list[str]:
        """Quantities in the order of the table."""
        return list(dict.fromkeys(m.quantity for m in self.rows))

    def row(self, key: Key) -> Measurement:
        """One value. :raises KeyError: there is no such row."""
        return self._live.values[self._numbers[key]]

    def line(self, key: Key) -> Any:
        """The line of a row; None where it has none."""
        return self._case.lines.get(self._numbers[key])

    def key_of(self, line_node: Any) -> Key | None:
        """The row of a line; None where it is no line of this case."""
        number = next((n for n, line in self._case.lines.items() if line is line_node), None)
        return None if number is None else self._live.values[number].key

    def status(self, key: Key) -> Status:
        """Whether a value is automatic, edited, flagged or accepted."""
        return status_of(self.row(key))

    def automatic(self, key: Key) -> Measurement:
        """The automatic value of a row."""
        return self._state.rows[self._numbers[key]].automatic

    def difference(self, key: Key) -> float | None:
        """Value minus automatic value; None where the automatic value stands, or there is none."""
        return difference_of(self.row(key))

    def acceptance(self, key: Key) -> Acceptance | None:
        """Who accepted a value, and when; None where nobody did."""
        return self._state.rows[self._numbers[key]].accepted

    def edit_time(self, key: Key) -> str:
        """When a line was last moved by hand, ISO 8601 UTC; empty where it was not."""
        edit = self._state.rows[self._numbers[key]].edit
        return edit.time if edit is not None and edit.by_hand else ""

    def plane(self, key: Key) -> Plane | None:
        """The measuring plane of a row, to look at it."""
        return self.row(key).plane

    @property
    def flagged(self) -> list[Key]:
        """Rows that ask for the reader's look, in the order of the table."""
        return [m.key for m in self.rows if status_of(m) == "flagged"]

    @property
    def discs(self) -> list[str]:
        """Names of the discs from head to sacrum."""
        return discs_of(self._state)

    @property
    def level_verified(self) -> bool:
        """True where an anchor or the user fixed the level names."""
        return self._state.verified

    def segmentation(self) -> SpineSegmentation:
        """The structures as segmented and named now, for export.

        :raises NothingFoundError: the segmentation was deleted or is empty.
        """
        state = self._state
        return segmentation_of(self._case.segmentation(), state.segments, state.verified, state.anchor)

    # -- being told of changes

    def observe(self, callback: Callback) -> int:
        """Have `callback(keys)` called after every change; an empty set means that everything changed.

        :return: a token for `unobserve`.
        """
        self._next_token += 1
        self._callbacks[self._next_token] = callback
        return self._next_token

    def unobserve(self, token: int) -> None:
        """End what `observe` began."""
        self._callbacks.pop(token, None)

    # -- editing

    def set_line(self, key: Key, p1: Point, p2: Point) -> None:
        """Put a line somewhere else, each end in the measuring plane; one step. Makes the line where there is none.

        :param p1: superior or anterior end, RAS mm.
        :param p2: inferior or posterior end, RAS mm.
        :raises KeyError: there is no such row.
        :raises ValueError: its value is no line, or a point is not finite.
        """
        number = self._numbers[key]
        row = self._state.rows[number]
        if not editable(row.automatic):
            raise ValueError(f"{key} has no line.")
        if not all(isfinite(x) for x in (*p1, *p2)):
            raise ValueError("A point of the line is not finite.")
        plane = row.automatic.plane
        ends = in_plane(_plain(p1), plane), in_plane(_plain(p2), plane)
        self._finish_drag()
        if not same(_ends_of(self._live.values[number]), ends):
            self._step(lambda state, live: state.with_rows(self._edited(number, ends)))

    def reset(self, key: Key) -> None:
        """Bring the automatic value of a row back, and its line where it was deleted."""
        self._step(partial(reset, numbers=[self._numbers[key]]))

    def reset_level(self, level: str) -> None:
        """Bring all automatic values of a level back; one step."""
        self._step(partial(reset, numbers=self._at(level)))

    def reset_all(self) -> None:
        """Bring all automatic values back; one step."""
        self._step(partial(reset, numbers=self._state.rows))

    def accept(self, keys: Iterable[Key], reviewer: str = "") -> None:
        """Accept values; one step. What has no value cannot be accepted."""
        self._step(partial(accepted, numbers=[self._numbers[k] for k in keys], reviewer=reviewer))

    def accept_level(self, level: str, reviewer: str = "") -> None:
        """Accept all values of a level; one step."""
        self._step(partial(accepted, numbers=self._at(level), reviewer=reviewer))

    def accept_all(self, reviewer: str = "") -> None:
        """Accept all values of the case; one step."""
        self._step(partial(accepted, numbers=self._state.rows, reviewer=reviewer))

    def withdraw(self, keys: Iterable[Key]) -> None:
        """Take acceptance back; one step."""
        numbers = [self._numbers[k] for k in keys]
        self._step(lambda state, live: withdrawn(state, numbers))

    @property
    def can_undo(self) -> bool:
        """True where there is a step to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """True where there is an undone step."""
        return self._history.can_redo

    def undo(self) -> bool:
        """Undo one step. :return: False where there is none."""
        self._finish_drag()
        return self._go(self._history.undo) if self.can_undo else False

    def redo(self) -> bool:
        """Do an undone step again. :return: False where there is none."""
        self._finish_drag()
        return self._go(self._history.redo) if self.can_redo else False

    # -- level names

    def name_lowest_disc(self, name: str) -> None:
        """Name the lowest disc; segments, lines and rows of all levels follow; one step.

        :raises LevelNameError: there is no disc, or the name is unknown or does not fit.
        """
        if not self.discs:
            raise LevelNameError("There is no disc to name.")
        self.rename_disc(self.discs[-1], name)

    def rename_disc(self, level: str, new_level: str) -> None:
        """Name one disc; all others follow; one step. See `naming.named_disc` for T13 and L6.

        :raises LevelNameError: there is no such disc, or the new name is unknown or does not fit.
        """
        self._rename(named_disc(self._state, level, new_level))

    def shift_levels(self, by: int) -> None:
        """Move all level names towards the sacrum (+1: L4-L5 becomes L5-S1) or the head (-1); one step.

        :raises LevelNameError: the spine does not go on that far.
        """
        self._rename(shifted(self._state, by))

    # -- measuring again

    def remeasure(self) -> RemeasureResult:
        """Measure the segments as they are now; edited and accepted values stay; one step where anything changed.

        :raises NothingFoundError: the segmentation was deleted or is empty; nothing changes then.
        """
        self._finish_drag()
        node = self._case.segmentation()
        found = recognised(node)
        segments = {segment: self._state.segments.get(segment, what) for segment, what in found.items()}
        if self._measured == (stamp(node), segments):
            return RemeasureResult()
        segmentation = segmentation_of(node, segments, self._state.verified, self._state.anchor)
        spine = Spine(segmentation)
        state, result = remeasured(self._state, self._live.values, measure_spine(spine))
        self._frames.keep(node, segments, spine)
        if state.rows != self._state.rows or segments != self._state.segments:
            self._step(lambda *_: replace(state, segments=segments))
        self._measured = stamp(node), segments
        return result

    # -- looking

    def show(self, levels: Iterable[str] | None = None, quantities: Iterable[str] | None = None) -> None:
        """Show the lines of these levels and quantities only; None means all of them."""
        with self._own_changes():
            self._case.show(self._live, levels, quantities)

    def highlight(self, key: Key | None) -> None:
        """Make one line stand out, or none."""
        with self._own_changes():
            self._case.highlight(self._live, None if key is None else self._numbers[key])

    # -- steps

    @property
    def _state(self) -> State:
        return self._history.present

    def _step(self, step: Callable[[State, Live], State]) -> None:
        """A new step, unless nothing is different after it."""
        self._finish_drag()
        if self._closed:
            raise SpineMeasureError("This case is closed.", "Open it again.")
        old = self._state
        state = step(old, self._live)
        if state is not old:
            self._history.push(state)
            self._enter(old)

    def _go(self, move: Callable[[], State]) -> bool:
        if self._closed:
            return False
        old = self._state
        self._measured = None
        move()
        self._enter(old)
        return True

    def _enter(self, old: State, also: Collection[int] = ()) -> None:
        """Bring the nodes to the present state.

        :param also: rows that changed before, while a line was dragged.
        """
        state, before = self._state, self._live.values
        self._live = live = Live(state.rows)
        self._numbers = state.number_of()
        changed = [
            n for n, value in live.values.items()
            if n in also or old.rows.get(n) is not state.rows[n] or before.get(n) != value
        ]  # fmt: skip
        others = list(before) != list(live.values)
        renamed_rows = any(n in before and before[n].level != live.values[n].level for n in changed)
        with self._own_changes():
            for number in list(self._case.lines):
                if number not in live.values or not is_line(live.values[number]):
                    self._drop_line(number)
            made = self._case.update_lines(state, live, changed)
            for number in made:
                self._watch_line(number)
            if state.segments is not old.segments:
                self._case.name_segments(old, state)
            if others:
                self._case.fill_table(state, live)
            else:
                self._case.update_table(state, live, changed)
            if made or others or renamed_rows:
                self._case.arrange_lines(live)
            self._case.record.write(state)
        self._tell(frozenset() if others or renamed_rows else keys_of(live, changed))

    def _rename(self, names: dict[str, str]) -> None:
        state = self._state
        if state.verified and all(old == new for old, new in names.items()):
            return
        try:
            regional = self._frames.regional_angles(self._case.segmentation(), state.segments, names)
        except NothingFoundError:
            regional = []
        self._measured = None
        self._step(lambda state, live: renamed(state, names, regional))

    def _edited(self, number: int, ends: Ends) -> dict[int, Row]:
        row = self._state.rows[number]
        edit = Edit(dist(*ends), *ends, now(), row.automatic.value)
        return edited_rows(self._state, self._live, number, edit)

    def _at(self, level: str) -> list[int]:
        return [number for number, value in self._live.values.items() if value.level == level]

    def _tell(self, keys: frozenset[Key]) -> None:
        for callback in list(self._callbacks.values()):
            callback(keys)

    def _as_found(self, kept: State) -> State:
        """The record, with what was done to the lines while no session watched."""
        values = Live(kept.rows).values
        changed = {}
        for number, value in values.items():
            recorded, row = _ends_of(value), kept.rows[number]
            if recorded is None or not is_line(value):
                continue
            line = self._case.lines.get(number)
            ends = line_ends(line) if line is not None else None
            if ends is None:
                changed[number] = Row(row.automatic, Edit(None, None, None, now(), row.automatic.value))
            elif max(dist(a, b) for a, b in zip(ends, recorded, strict=True)) > _MOVED_MM:
                changed[number] = Row(row.automatic, Edit(dist(*ends), *ends, now(), row.automatic.value))
        return kept.with_rows(changed) if changed else kept

    # -- watching the scene

    @contextmanager
    def _own_changes(self) -> Iterator[None]:
        """Changes of nodes within are the session's, not the user's."""
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before

    def _watch(self) -> None:
        import slicer

        scene_class = slicer.vtkMRMLScene
        self._observers.add(self._scene, scene_class.StartCloseEvent, lambda *_: self.close())
        self._observers.add(self._scene, scene_class.NodeRemovedEvent, self._on_removed, with_object=True)
        for number in self._case.lines:
            self._watch_line(number)

    def _watch_line(self, number: int) -> None:
        import slicer

        line, markups = self._case.lines[number], slicer.vtkMRMLMarkupsNode
        for event, react in (
            (markups.PointStartInteractionEvent, self._on_start),
            (markups.PointModifiedEvent, self._on_moved),
            (markups.PointEndInteractionEvent, self._on_end),
        ):
            self._observers.add(line, event, partial(react, number))

    def _drop_line(self, number: int) -> None:
        self._observers.remove(self._case.lines[number])
        self._case.remove_line(number)

    def _on_start(self, number: int, line: Any, event: str) -> None:
        start = line_ends(line)
        if start is not None and not self._writing:
            self._drag = Drag(number, start)

    def _on_moved(self, number: int, line: Any, event: str) -> None:
        if self._writing:
            return
        ends, known = line_ends(line), _ends_of(self._live.values[number])
        if same(ends, known) or known is None:
            return
        plane = self._state.rows[number].automatic.plane if self.snap_to_plane else None
        if ends is None:
            wanted = known
        elif self._drag is not None and self._drag.number == number:
            wanted = dragged(self._drag.start, ends, plane)
        else:
            # A script, or the points' list of the Markups module: both ends may move.
            wanted = dragged(known, (ends[0], known[1]), plane)[0], dragged(known, (known[0], ends[1]), plane)[1]
        with self._own_changes():
            set_line_ends(line, *wanted)
        if self._drag is not None and self._drag.number == number:
            self._follow(self._drag, wanted)
        elif not same(wanted, known):
            self._step(lambda state, live: state.with_rows(self._edited(number, wanted)))

    def _follow(self, drag: Drag, ends: Ends) -> None:
        """Rows and colours while a line is dragged; the step is made at its end."""
        state, live = self._state, self._live
        moved = not same(ends, drag.start)
        rows = self._edited(drag.number, ends) if moved else {n: state.rows[n] for n in drag.rows}
        affected = (drag.number, *live.dependents(drag.number))
        before = statuses(live, affected)
        changed = live.update(rows)
        drag.rows = rows if moved else {}
        with self._own_changes():
            self._case.update_table(state.with_rows(rows), live, changed)
            for number, status in statuses(live, affected).items():
                if status != before[number] and number in self._case.lines:
                    self._case.look(live, number)
        if changed:
            self._tell(keys_of(live, changed))

    def _on_end(self, number: int, line: Any, event: str) -> None:
        if not self._writing:
            self._finish_drag()
            self._drag = None

    def _finish_drag(self) -> None:
        """Make a step of what the mouse did so far; it may go on from there."""
        drag = self._drag
        if drag is None or not drag.rows:
            return
        ends = _ends_of(self._live.values[drag.number])
        self._drag = Drag(drag.number, ends) if ends is not None else None
        old = self._state
        self._history.push(old.with_rows(drag.rows))
        self._enter(old, also=(drag.number, *self._live.dependents(drag.number)))

    def _on_removed(self, scene: Any, event: str, node: Any = None) -> None:
        if node is None or self._writing or self._closed:
            return
        if node is self._case.case:
            self.close()
            return
        number = next((n for n, line in self._case.lines.items() if line is node), None)
        if number is None:
            return
        self._observers.remove(node)
        del self._case.lines[number]
        forget(self._scene, node)
        self._drag = None
        gone = Edit(None, None, None, now(), self._state.rows[number].automatic.value)
        self._step(lambda state, live: state.with_rows(edited_rows(state, live, number, gone)))


def _ends_of(value: Measurement) -> Ends | None:
    return None if value.p1 is None or value.p2 is None else (value.p1, value.p2)


def _plain(point: Sequence[float]) -> Point:
    return float(point[0]), float(point[1]), float(point[2])


def _place_of_level(level: str) -> tuple[int, bool]:
    upper, dash, _ = level.partition("-")
    return VERTEBRA_ORDER.index(upper), bool(dash)
