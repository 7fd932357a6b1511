"""The review of one case in a MRML scene: lines that can be dragged, rows that follow, undo, acceptance, level names.

Points are RAS mm, values in the unit of their definition. The scene is passed in; there is no Qt here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from ..anatomy import VERTEBRA_ORDER
from ..errors import LevelNameError, NothingFoundError
from ..measure import measure_spine
from ..measure.derived import Key
from ..measure.spine import Spine
from ..measure.types import Acceptance, Measurement, Plane, Point
from ..segmentation import SpineSegmentation
from .case.drag import in_plane, same
from .case.remeasure import RemeasureResult, remeasured
from .case.rename import discs_of, is_regional, named_disc, renamed, shifted
from .case.state import State, Status, difference_of, status_of, statuses_of
from .case.steps import accepted, reset, withdrawn
from .mrml.build import CaseNodes, add_case, state_of
from .mrml.editor import Callback, Editor, Quietly, ends_of
from .mrml.existing import case_of_segmentation_node
from .mrml.frame_cache import FrameCache
from .mrml.labels import Filter
from .mrml.lines import editable
from .mrml.links import case_nodes, linked
from .mrml.recognise import recognised
from .mrml.segments import add_segmentation, segmentation_of
from .mrml.stamps import Stamp, Stamps
from .mrml.volume_node import refuse_elsewhere, refuse_transforms

__all__ = ["Key", "RemeasureResult", "Session"]


class Session:
    """The review of one case; one session per case at a time.

    :ivar written: files and folders that were written for the user; `output` replaces no others.
    """

    def __init__(self, scene: Any, case: Any, quietly: Quietly = nullcontext) -> None:
        """Use `build`, `from_segmentation_node` or `find`.

        :param case: the case's hidden node.
        :param quietly: makes a context within which no view is drawn; every change of many nodes is made in one.
        :raises UnreadableInputError: its record cannot be read.
        """
        self._editor = Editor(scene, case, quietly)
        self._stamps = Stamps()
        self._frames = FrameCache(self._stamps)
        #: The segments as they were when they were measured last.
        self._measured: object = None
        #: The same of the segments alone, also where steps were undone; None where the values are older than they are.
        self._drawn: Stamp | None = self._drawn_now()
        self.written: set[Path] = set()

    @property
    def snap_to_plane(self) -> bool:
        """False where a dragged end may leave its measuring plane."""
        return self._editor.snap_to_plane

    @snap_to_plane.setter
    def snap_to_plane(self, snap: bool) -> None:
        self._editor.snap_to_plane = snap

    def free_while(self, held: Callable[[], bool]) -> None:
        """Let a dragged end leave its measuring plane also while `held()` is true: while the user holds a key."""
        self._editor.freed = held

    # -- making and ending

    @classmethod
    def build(
        cls,
        scene: Any,
        volume_node: Any,
        segmentation: SpineSegmentation,
        measurements: Sequence[Measurement],
        name: str = "Spine",
        quietly: Quietly = nullcontext,
    ) -> Session:
        """Add a case to the scene: segments, lines, table and folders.

        :param volume_node: the image's node, which stays as it is, or None.
        :param quietly: see `Session`.
        :raises GeometryMismatchError: it lies under a transform.
        """
        refuse_transforms(volume_node)
        with quietly():
            segmentation_node = add_segmentation(scene, segmentation, volume_node, f"{name} segmentation")
            nodes = add_case(scene, volume_node, segmentation_node, state_of(segmentation, measurements), name)
            session = cls(scene, nodes.case, quietly)
        session._measured = session._drawn, session._state.segments
        return session

    @classmethod
    def from_segmentation_node(
        cls,
        scene: Any,
        segmentation_node: Any,
        volume_node: Any = None,
        lowest_disc: str | None = None,
        quietly: Quietly = nullcontext,
    ) -> Session:
        """Measure a segmentation that is there and make a case of it.

        Segments are known by their names (``"L4"``, ``"L4-L5"``, ``"Spinal canal"``) or terminology. A segmentation of
        vertebra, disc and canal only is separated and named in a new segmentation node.

        :param volume_node: the image, by default the one that the segmentation refers to.
        :param lowest_disc: name of the lowest disc in view.
        :param quietly: see `Session`.
        :raises GeometryMismatchError: volume or segmentation lies under a transform, or they lie in different places.
        :raises NothingFoundError: no disc and no vertebra is recognised.
        :raises LevelNameError: `lowest_disc` is unknown or does not fit.
        """
        if volume_node is None:
            role = segmentation_node.GetReferenceImageGeometryReferenceRole()
            volume_node = segmentation_node.GetNodeReference(role)
        refuse_transforms(volume_node, segmentation_node)
        refuse_elsewhere(volume_node, segmentation_node)
        name = volume_node.GetName() if volume_node is not None else segmentation_node.GetName()
        with quietly():
            node, segments, spine = case_of_segmentation_node(scene, segmentation_node, volume_node, lowest_disc)
            state = replace(state_of(spine.segmentation, measure_spine(spine)), segments=segments)
            session = cls(scene, add_case(scene, volume_node, node, state, name).case, quietly)
        session._frames.keep(node, segments, spine)
        session._measured = session._drawn, session._state.segments
        return session

    @classmethod
    def find(cls, scene: Any, quietly: Quietly = nullcontext) -> list[Session]:
        """The cases of a scene that was opened, with every line linked to its row again.

        :param quietly: see `Session`.
        """
        return [cls(scene, node, quietly) for node in case_nodes(scene)]

    def close(self) -> None:
        """Stop watching the scene. All nodes stay."""
        self._editor.close()

    def remove(self) -> None:
        """Close the case and take its lines, table, folder and record out of the scene; image and segments stay."""
        self.close()
        with self._editor.own_changes():
            self._editor.case.remove()

    # -- what there is

    @property
    def nodes(self) -> CaseNodes:
        """The nodes of the case as they are now."""
        return self._editor.case.nodes(self._editor.live)

    @property
    def rows(self) -> list[Measurement]:
        """All values as the reader sees them, in the order of the table."""
        return list(self._values.values())

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
        return self._values[self._numbers[key]]

    def line(self, key: Key) -> Any:
        """The line of a row; None where it has none."""
        return self._editor.case.lines.get(self._numbers[key])

    @property
    def dragged(self) -> Key | None:
        """The row whose line the mouse holds, or None."""
        number = self._editor.dragged
        return None if number is None else self._editor.live.values[number].key

    def key_of(self, line_node: Any) -> Key | None:
        """The row of a line; None where it is no line of this case."""
        number = next((n for n, line in self._editor.case.lines.items() if line is line_node), None)
        return None if number is None else self._values[number].key

    def id_of(self, key: Key) -> int:
        """Identity of a row: it stays when levels are renamed, and through undo, while the key changes with the name.

        :raises KeyError: there is no such row.
        """
        return self._numbers[key]

    def key_of_id(self, row_id: int) -> Key | None:
        """The key that a row has now, by what `id_of` gave; None if the case no longer has that row."""
        value = self._values.get(row_id)
        return None if value is None else value.key

    def status(self, key: Key) -> Status:
        """Whether a value is automatic, edited, flagged or accepted; "accepted" for one that is edited and accepted."""
        return status_of(self.row(key))

    def statuses(self, key: Key) -> tuple[Status, ...]:
        """Everything that holds of a value: ``("edited", "accepted")`` for one that is both."""
        return statuses_of(self.row(key))

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

    def segment_of(self, key: Key) -> str | None:
        """Id of the segment on which a value is measured; None if it was not found."""
        return self._state.segment_of(self.row(key))

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

    @property
    def segments_changed(self) -> bool:
        """True where segments were painted, added or removed after the values were measured."""
        drawn = self._drawn_now()
        return drawn is not None and drawn != self._drawn

    def segmentation(self) -> SpineSegmentation:
        """The structures as segmented and named now, for export.

        :raises NothingFoundError: the segmentation was deleted or is empty.
        :raises GeometryMismatchError: it lies under a transform.
        """
        state, node = self._state, self._editor.case.segmentation()
        refuse_transforms(node)
        return segmentation_of(node, state.segments, state.verified, state.anchor)

    # -- being told of changes

    def observe(self, callback: Callback) -> int:
        """Have `callback(keys)` called after every change; an empty set means that everything changed.

        :return: a token for `unobserve`.
        """
        return self._editor.observe(callback)

    def unobserve(self, token: int) -> None:
        """End what `observe` began."""
        self._editor.unobserve(token)

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
        self._editor.finish_drag()
        if not same(ends_of(self._values[number]), ends):
            self._editor.step(lambda state, live: state.with_rows(self._editor.edited(number, ends)))

    def reset(self, key: Key) -> None:
        """Bring the automatic value of a row back, and its line where it was deleted."""
        self._editor.step(partial(reset, numbers=[self._numbers[key]]))

    def reset_level(self, level: str) -> None:
        """Bring all automatic values of a level back; one step."""
        self._editor.step(partial(reset, numbers=self._at(level)))

    def reset_all(self) -> None:
        """Bring all automatic values back; one step."""
        self._editor.step(partial(reset, numbers=self._state.rows))

    def accept(self, keys: Iterable[Key], reviewer: str = "") -> None:
        """Accept values; one step. What has no value cannot be accepted."""
        self._editor.step(partial(accepted, numbers=[self._numbers[k] for k in keys], reviewer=reviewer))

    def can_accept(self, keys: Iterable[Key]) -> bool:
        """True if any of these rows has a value."""
        return any(self.row(key).value is not None for key in keys)

    def can_withdraw(self, keys: Iterable[Key]) -> bool:
        """True if any of these values is accepted."""
        return any(self.acceptance(key) is not None for key in keys)

    def can_reset(self, keys: Iterable[Key]) -> bool:
        """True if something stands in place of the automatic value of any of these rows."""
        return any(self._state.rows[self._numbers[key]].edit is not None for key in keys)

    def accept_level(self, level: str, reviewer: str = "") -> None:
        """Accept all values of a level; one step."""
        self._editor.step(partial(accepted, numbers=self._at(level), reviewer=reviewer))

    def accept_all(self, reviewer: str = "") -> None:
        """Accept all values of the case; one step."""
        self._editor.step(partial(accepted, numbers=self._state.rows, reviewer=reviewer))

    def withdraw(self, keys: Iterable[Key]) -> None:
        """Take acceptance back; one step."""
        numbers = [self._numbers[k] for k in keys]
        self._editor.step(lambda state, live: withdrawn(state, numbers))

    @property
    def dragging(self) -> bool:
        """True while the mouse has moved a line and its button is down: the step is still to come."""
        return self._editor.dragging

    @property
    def can_undo(self) -> bool:
        """True where there is a step to undo."""
        return self._editor.can_undo

    @property
    def can_redo(self) -> bool:
        """True where there is an undone step."""
        return self._editor.can_redo

    def undo(self) -> bool:
        """Undo one step; a drag that is under way is one. :return: False where there is none."""
        return self._go(self._editor.undo)

    def redo(self) -> bool:
        """Do an undone step again. :return: False where there is none."""
        return self._go(self._editor.redo)

    def _go(self, move: Callable[[], bool]) -> bool:
        """Undo or redo; where that brings other automatic values, they are not those of the segments as they are."""
        before, self._measured = self._measured_values(), None
        done = move()
        if self._measured_values() != before:
            self._drawn = None
        return done

    def _measured_values(self) -> dict[int, float | None]:
        """Of what the names of the levels do not decide."""
        rows = self._state.rows.items()
        return {number: row.automatic.value for number, row in rows if not is_regional(row.automatic)}

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

        Where it is refused, nothing changes.

        :raises NothingFoundError: the segmentation was deleted or is empty.
        :raises GeometryMismatchError: volume or segmentation lies under a transform.
        """
        self._editor.finish_drag()
        node = self._editor.case.segmentation()
        refuse_transforms(self.nodes.volume, node)
        found = recognised(node)
        segments = {segment: self._state.segments.get(segment, what) for segment, what in found.items()}
        drawn = self._drawn_now()
        if self._measured == (drawn, segments):
            self._drawn = drawn
            return RemeasureResult()
        segmentation = segmentation_of(node, segments, self._state.verified, self._state.anchor)
        spine = Spine(segmentation)
        state, result = remeasured(self._state, self._values, measure_spine(spine))
        self._frames.keep(node, segments, spine)
        if state.rows != self._state.rows or segments != self._state.segments:
            self._editor.step(lambda *_: replace(state, segments=segments))
        self._drawn = drawn
        self._measured = drawn, segments
        return result

    # -- looking

    def show(
        self,
        levels: Iterable[str] | None = None,
        quantities: Iterable[str] | None = None,
        labels: bool = True,
        label_highlighted: bool = True,
        only_level: bool = False,
    ) -> None:
        """Show the lines of these levels and quantities only; None means all of them.

        :param labels: whether discs and vertebrae are labelled beside the spine.
        :param label_highlighted: whether the label of the highlighted line says what it is.
        :param only_level: whether only lines at the level of the highlighted line are shown.
        """
        shown = Filter(
            None if levels is None else frozenset(levels),
            None if quantities is None else frozenset(quantities),
            labels,
            label_highlighted,
            only_level,
        )
        with self._editor.own_changes():
            self._editor.case.show(self._editor.live, shown)

    def highlight(self, key: Key | None) -> None:
        """Make one line stand out, or none."""
        with self._editor.own_changes():
            self._editor.case.highlight(self._editor.live, None if key is None else self._numbers[key])

    def _rename(self, names: dict[str, str]) -> None:
        state = self._state
        if state.verified and all(old == new for old, new in names.items()):
            return
        try:
            regional = self._frames.regional_angles(self._editor.case.segmentation(), state.segments, names)
        except NothingFoundError:
            regional = []
        self._measured = None
        self._editor.step(lambda state, live: renamed(state, names, regional))

    def _drawn_now(self) -> Stamp | None:
        node = linked(self._editor.case.case, "segmentation")
        return None if node is None else self._stamps.of(node)

    def _at(self, level: str) -> list[int]:
        return [number for number, value in self._values.items() if value.level == level]

    @property
    def _state(self) -> State:
        return self._editor.state

    @property
    def _values(self) -> dict[int, Measurement]:
        return self._editor.live.values

    @property
    def _numbers(self) -> dict[Key, int]:
        return self._editor.numbers


def _plain(point: Sequence[float]) -> Point:
    return float(point[0]), float(point[1]), float(point[2])


def _place_of_level(level: str) -> tuple[int, bool]:
    upper, dash, _ = level.partition("-")
    return VERTEBRA_ORDER.index(upper), bool(dash)
