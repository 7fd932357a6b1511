"""The review of one case in a MRML scene: lines that can be dragged, rows that follow, undo, acceptance, level names.

Points are RAS mm, values in the unit of their definition. The scene is a parameter; nothing here needs Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from ..errors import NothingFoundError
from ..measure import measure_spine
from ..measure.definitions import PREFERRED, EndsOn, has_both_ends, has_edges, shown_ends
from ..measure.derived import Key
from ..measure.spine import Spine
from ..measure.types import Measurement, Point
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .case.drag import in_plane, same
from .case.levels import discs_of, is_regional, levels_of
from .case.remeasure import RemeasureResult, remeasured
from .case.rename import named_disc, renamed, shifted
from .case.state import State, status_of
from .case.steps import accepted, reset, with_ends, withdrawn
from .mrml.build import CaseNodes, add_segmented_case
from .mrml.editor import Callback, Editor, Quietly, ends_of
from .mrml.existing import add_existing_case
from .mrml.frame_cache import FrameCache
from .mrml.labels import Filter
from .mrml.lines import editable
from .mrml.links import case_nodes
from .mrml.recognise import recognised
from .mrml.segments import segmentation_of
from .mrml.stamps import Measured
from .mrml.volume_node import image_from_node, refuse_transforms

__all__ = ["Key", "RemeasureResult", "Session"]


class Session:
    """The review of one case; one session per case at a time.

    Rows are identified by key (level, quantity, method); methods raise KeyError if there is no such row.

    :ivar written: files and folders that were written for the user; `output` replaces no others.
    """

    def __init__(self, scene: Any, case: Any, quietly: Quietly = nullcontext) -> None:
        """Use `build`, `from_segmentation_node` or `find`.

        :param case: the case's hidden node.
        :param quietly: makes a context in which views are not rendered; every change of many nodes is made in one.
        :raises UnreadableInputError: its record cannot be read.
        """
        self._editor = Editor(scene, case, quietly)
        self._measured = Measured(case)
        self._frames = FrameCache(self._measured.stamps)
        self.written: set[Path] = set()

    @property
    def snap_to_plane(self) -> bool:
        """False if a dragged end may leave its measuring plane."""
        return self._editor.snapping.to_plane

    @snap_to_plane.setter
    def snap_to_plane(self, snap: bool) -> None:
        self._editor.snapping.to_plane = snap

    @property
    def snap_to_edges(self) -> bool:
        """False if a dragged end stays where it is dropped, instead of on the edge of the image beside it."""
        return self._editor.snapping.to_edges

    @snap_to_edges.setter
    def snap_to_edges(self, snap: bool) -> None:
        self._editor.snapping.to_edges = snap

    def free_while(self, held: Callable[[], bool]) -> None:
        """Let a dragged end leave its measuring plane and edges while `held()` is true, e.g. while a key is pressed."""
        self._editor.snapping.freed = held

    # -- opening and closing

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

        :param volume_node: the image's node, which is not changed, or None.
        :raises GeometryMismatchError: the image is under a transform.
        """
        with quietly():
            nodes = add_segmented_case(scene, volume_node, segmentation, measurements, name)
            session = cls(scene, nodes.case, quietly)
        session._measured.note(session.state.segments)
        return session

    @classmethod
    def from_segmentation_node(
        cls,
        scene: Any,
        segmentation_node: Any,
        volume_node: Any = None,
        lowest_disc: str | None = None,
        quietly: Quietly = nullcontext,
        ends: EndsOn = PREFERRED,
    ) -> Session:
        """Measure a segmentation of the scene and make a case of it; see `mrml.existing.add_existing_case`.

        :raises GeometryMismatchError: image or segmentation is under a transform, or they do not overlap.
        :raises NothingFoundError: no disc and no vertebra is recognised.
        :raises LevelNameError: `lowest_disc` is unknown or does not fit.
        """
        with quietly():
            nodes, spine = add_existing_case(scene, segmentation_node, volume_node, lowest_disc, ends)
            session = cls(scene, nodes.case, quietly)
        segments = session.state.segments
        session._frames.keep(nodes.segmentation, segments, spine)
        session._measured.note(segments)
        return session

    @classmethod
    def find(cls, scene: Any, quietly: Quietly = nullcontext) -> list[Session]:
        """Open the cases of a scene that was loaded; every line is linked to its row again."""
        return [cls(scene, node, quietly) for node in case_nodes(scene)]

    def close(self) -> None:
        """Stop watching the scene. All nodes stay."""
        self._editor.close()

    def remove(self) -> None:
        """Close the case and remove its lines, table, folder and record from the scene; image and segments stay."""
        self.close()
        with self._editor.own_changes():
            self._editor.case.remove()

    # -- contents

    @property
    def nodes(self) -> CaseNodes:
        """The nodes of the case as they are now."""
        return self._editor.case.nodes(self._editor.live)

    @property
    def state(self) -> State:
        """The case as plain data; a drag in progress is not in it yet."""
        return self._editor.state

    @property
    def rows(self) -> list[Measurement]:
        """All values as the reader sees them, in the order of the table."""
        return list(self._values.values())

    @property
    def levels(self) -> list[str]:
        """Levels from head to sacrum, discs between their vertebrae, regions last."""
        return levels_of(self.rows)

    @property
    def discs(self) -> list[str]:
        """Names of the discs from head to sacrum."""
        return discs_of(self.state)

    @property
    def flagged(self) -> list[Key]:
        """Rows that need the reader's attention, in the order of the table."""
        return [m.key for m in self.rows if status_of(m) == "flagged"]

    def row(self, key: Key) -> Measurement:
        """Return one value as the reader sees it."""
        return self._values[self._numbers[key]]

    def line(self, key: Key) -> Any:
        """Return the line node of a row; None if it has none."""
        return self._editor.case.lines.get(self._numbers[key])

    def segment_of(self, key: Key) -> str | None:
        """Return the id of the segment on which a value is measured; None if it was not found."""
        return self.state.segment_of(self.row(key))

    def id_of(self, key: Key) -> int:
        """Return the identity of a row. It is kept when levels are renamed, and through undo, while the key changes."""
        return self._numbers[key]

    def key_of_id(self, row_id: int) -> Key | None:
        """Return the present key of a row by its identity; None if the case no longer has that row."""
        value = self._values.get(row_id)
        return None if value is None else value.key

    @property
    def segments_changed(self) -> bool:
        """True if segments were painted on, added or removed after the values were measured."""
        return self._measured.changed

    def segmentation(self) -> SpineSegmentation:
        """Return the structures as segmented and named now, for export.

        :raises NothingFoundError: the segmentation was deleted or is empty.
        :raises GeometryMismatchError: it is under a transform.
        """
        state, node = self.state, self._editor.case.segmentation()
        refuse_transforms(node)
        return segmentation_of(node, state.segments, state.verified, state.anchor)

    def observe(self, callback: Callback) -> int:
        """Call `callback(keys)` after every change; an empty set means that everything changed.

        :return: a token for `unobserve`.
        """
        return self._editor.observe(callback)

    def unobserve(self, token: int) -> None:
        """End what `observe` began."""
        self._editor.unobserve(token)

    # -- editing; each call is one step

    def set_line(self, key: Key, p1: Point, p2: Point) -> None:
        """Move a line, each end within the measuring plane, or make it if there is none; ends do not snap to edges.

        :param p1: superior or anterior end, RAS mm.
        :param p2: inferior or posterior end, RAS mm.
        :raises ValueError: the value has no line, or a point is not finite.
        """
        number = self._numbers[key]
        automatic = self.state.rows[number].automatic
        if not editable(automatic):
            raise ValueError(f"{key} has no line.")
        if not all(isfinite(x) for x in (*p1, *p2)):
            raise ValueError("A point of the line is not finite.")
        ends = in_plane(_plain(p1), automatic.plane), in_plane(_plain(p2), automatic.plane)
        self._editor.finish_drag()
        if not same(ends_of(self._values[number]), ends):
            self._editor.step(lambda state, live: state.with_rows(self._editor.edited(number, ends)))

    def reset(self, keys: Iterable[Key]) -> None:
        """Restore automatic values, and lines that were deleted."""
        self._editor.step(partial(reset, numbers=self._numbers_of(keys)))

    def accept(self, keys: Iterable[Key], reviewer: str = "") -> None:
        """Accept values. A row without a value cannot be accepted."""
        self._editor.step(partial(accepted, numbers=self._numbers_of(keys), reviewer=reviewer))

    def withdraw(self, keys: Iterable[Key]) -> None:
        """Withdraw the acceptance of values."""
        numbers = self._numbers_of(keys)
        self._editor.step(lambda state, live: withdrawn(state, numbers))

    def can_accept(self, keys: Iterable[Key]) -> bool:
        """Return whether any of these rows has a value."""
        return any(self.row(key).value is not None for key in keys)

    def can_withdraw(self, keys: Iterable[Key]) -> bool:
        """Return whether any of these values is accepted."""
        return any(self.row(key).accepted is not None for key in keys)

    def can_reset(self, keys: Iterable[Key]) -> bool:
        """Return whether any of these rows has an edited or kept value instead of its automatic one."""
        return any(self.state.rows[number].edit is not None for number in self._numbers_of(keys))

    @property
    def ends(self) -> EndsOn:
        """What the heights that are shown first are between: edges of the image, or boundaries of masks."""
        return shown_ends(self.rows)

    @property
    def has_both_ends(self) -> bool:
        """False if all heights are between boundaries of masks, because edges of the image were not measured."""
        return has_both_ends(self.rows)

    def show_ends(self, ends: EndsOn) -> None:
        """Show lines between edges of the image, or between boundaries of masks, first; their lines are shown.

        Edits and acceptances of the other heights are kept. Nothing changes unless the case has both.
        """
        self._editor.step(lambda state, live: with_ends(state, ends))

    @property
    def dragged(self) -> Key | None:
        """The row whose line is under the pressed mouse button, or None."""
        number = self._editor.dragged
        return None if number is None else self._values[number].key

    @property
    def dragging(self) -> bool:
        """True if the mouse has moved a line and its button is still pressed: the step is made on release."""
        return self._editor.dragging

    @property
    def can_undo(self) -> bool:
        """True if there is a step to undo."""
        return self._editor.can_undo

    @property
    def can_redo(self) -> bool:
        """True if there is an undone step."""
        return self._editor.can_redo

    def undo(self) -> bool:
        """Undo one step; a drag in progress is one. :return: False if there is none."""
        return self._go(self._editor.undo)

    def redo(self) -> bool:
        """Redo one step. :return: False if there is none."""
        return self._go(self._editor.redo)

    def rename_disc(self, level: str, new_level: str) -> None:
        """Name one disc; segments, lines and rows of all levels follow. See `case.rename.named_disc` for T13 and L6.

        :raises LevelNameError: there is no such disc, or the new name is unknown or does not fit.
        """
        self._rename(named_disc(self.state, level, new_level))

    def shift_levels(self, by: int) -> None:
        """Move all level names towards the sacrum (+1: L4-L5 becomes L5-S1) or the head (-1).

        :raises LevelNameError: there is no further level in that direction.
        """
        self._rename(shifted(self.state, by))

    def remeasure(self) -> RemeasureResult:
        """Measure the segments as they are now; edited and accepted values are kept.

        :raises NothingFoundError: the segmentation was deleted or is empty; nothing changes.
        :raises GeometryMismatchError: image or segmentation is under a transform; nothing changes.
        """
        self._editor.finish_drag()
        old, node = self.state, self._editor.case.segmentation()
        refuse_transforms(self.nodes.volume, node)
        segments = {segment: old.segments.get(segment, what) for segment, what in recognised(node).items()}
        result = RemeasureResult()
        if not self._measured.on(segments):
            spine = Spine(segmentation_of(node, segments, old.verified, old.anchor), self._image())
            state, result = remeasured(old, self._values, measure_spine(spine))
            self._frames.keep(node, segments, spine)
            if state.rows != old.rows or segments != old.segments:
                self._editor.step(lambda *_: replace(state, segments=segments))
        self._measured.note(segments)
        return result

    def _image(self) -> Volume | None:
        """Return the image in which edges are found; None for a case that was measured without one.

        Lines of such a case would otherwise be replaced by lines of another definition when it is measured again.
        """
        measured = any(has_edges(row) for row in self.rows)
        return image_from_node(self.nodes.volume) if measured else None

    # -- display

    def show(
        self,
        levels: Iterable[str] | None = None,
        quantities: Iterable[str] | None = None,
        labels: bool = True,
        label_highlighted: bool = True,
        only_level: bool = False,
    ) -> None:
        """Show only the lines of these levels and quantities; None means all.

        :param labels: whether discs and vertebrae are labelled beside the spine.
        :param label_highlighted: whether the label of the highlighted line names its quantity.
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
        """Highlight one line, or none."""
        with self._editor.own_changes():
            self._editor.case.highlight(self._editor.live, None if key is None else self._numbers[key])

    def _go(self, move: Callable[[], bool]) -> bool:
        def measured_values() -> dict[int, float | None]:  # level names do not decide them
            automatic = ((number, row.automatic) for number, row in self.state.rows.items())
            return {number: m.value for number, m in automatic if not is_regional(m)}

        before = measured_values()
        done = move()
        self._measured.doubt(measured_values() != before)
        return done

    def _rename(self, names: dict[str, str]) -> None:
        if self.state.verified and all(old == new for old, new in names.items()):
            return
        try:
            regional = self._frames.regional_angles(
                self._editor.case.segmentation(), self.state.segments, names, self._image
            )
        except NothingFoundError:
            regional = []
        self._measured.doubt(False)
        self._editor.step(lambda state, live: renamed(state, names, regional))

    def _numbers_of(self, keys: Iterable[Key]) -> list[int]:
        return [self._numbers[key] for key in keys]

    @property
    def _values(self) -> dict[int, Measurement]:
        return self._editor.live.values

    @property
    def _numbers(self) -> dict[Key, int]:
        return self._editor.numbers


def _plain(point: Sequence[float]) -> Point:
    return float(point[0]), float(point[1]), float(point[2])
