"""The nodes of a case, kept up to date with its state: lines, table, segments, folders, record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...errors import NothingFoundError
from ...measure.derived import Key
from ...measure.types import Measurement
from ..case.derived import Live
from ..case.state import State, status_of
from .build import CaseNodes
from .folders import arrange_lines, case_folder, forget, remove_folder
from .labels import Filter, Labels
from .lines import add_line, describe_line, is_line, set_line_ends, show_line
from .links import Record, lines_of, link, link_line, linked
from .segments import name_segment, segments_of
from .table import add_table, fill_table, update_table


class SceneCase:
    """The nodes of one case. It only writes them; the editor reads what the user changed.

    :ivar lines: line nodes by row number.
    """

    def __init__(self, scene: Any, case: Any) -> None:
        self.scene = scene
        self.case = case
        self.record = Record(case)
        self.lines: dict[int, Any] = lines_of(scene, case)
        self._labels = Labels(scene, case)
        self._filter = Filter()
        self._highlighted: int | None = None
        self._hovered: int | None = None
        self._places: dict[int, int] = {}

    def nodes(self, live: Live) -> CaseNodes:
        """Return all nodes, lines by the key of their row."""
        volume, segmentation, table = (linked(self.case, role) for role in ("volume", "segmentation", "table"))
        folder = case_folder(self.scene, (table, segmentation, *self.lines.values()))
        lines = {live.values[number].key: node for number, node in self._in_order(live)}
        return CaseNodes(volume, segmentation, lines, table, folder, self.case)

    def segmentation(self) -> Any:
        """Return the segmentation node.

        :raises NothingFoundError: it was deleted.
        """
        node = linked(self.case, "segmentation")
        if node is None:
            raise NothingFoundError("The segmentation of this case was deleted.", "Segment the image again.")
        return node

    def fill_table(self, state: State, live: Live) -> None:
        """Write the whole table; add a new one if the user deleted it."""
        rows, values = list(state.rows.values()), list(live.values.values())
        self._places = {number: place for place, number in enumerate(state.rows)}
        table = linked(self.case, "table")
        if table is not None:
            fill_table(table, rows, values)
            return
        table = add_table(self.scene, rows, values, self.case.GetName().removesuffix(" case") + " measurements")
        link(self.case, "table", table)
        for line in self.lines.values():
            link(line, "table", table)

    def update_table(self, state: State, live: Live, numbers: Iterable[int]) -> None:
        """Write single rows of the table, unless the user deleted it."""
        table = linked(self.case, "table")
        if table is not None:
            update_table(table, {self._places[n]: (state.rows[n], live.values[n]) for n in numbers})

    def update_lines(self, state: State, live: Live, numbers: Iterable[int]) -> list[int]:
        """Add, move and describe the lines of rows.

        :return: row numbers of new lines.
        """
        made = []
        for number in numbers:
            value, row = live.values[number], state.rows[number]
            line = self.lines.get(number)
            if not is_line(value):
                continue
            if line is None:
                self.lines[number] = line = add_line(self.scene, value, row)
                link_line(line, number, self.case, state.segment_of(value))
                made.append(number)
            else:
                assert value.p1 is not None and value.p2 is not None
                set_line_ends(line, value.p1, value.p2)
                describe_line(line, value, row)
            self.look(live, number)
        return made

    def remove_line(self, number: int) -> None:
        """Remove a line from the scene."""
        self._remove(self.lines.pop(number))

    def _remove(self, node: Any) -> None:
        """Remove a node, its display nodes and its storage nodes from the scene."""
        forget(self.scene, node)
        with_it = [node.GetNthDisplayNode(n) for n in range(getattr(node, "GetNumberOfDisplayNodes", int)())]
        with_it += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
        for each in (node, *with_it):
            if each is not None:
                self.scene.RemoveNode(each)

    def remove(self) -> None:
        """Remove the case from the scene, except its image and segments."""
        table = linked(self.case, "table")
        folder = case_folder(self.scene, (table, linked(self.case, "segmentation"), *self.lines.values()))
        for number in list(self.lines):
            self.remove_line(number)
        self._labels.remove()
        if table is not None:
            self._remove(table)
        remove_folder(self.scene, folder)
        if self.case.GetScene() is not None:
            self.scene.RemoveNode(self.case)

    def arrange_lines(self, live: Live) -> None:
        """Move lines into the folders of their levels."""
        folder = self.nodes(live).folder
        arrange_lines(self.scene, folder, [(live.values[n].level, line) for n, line in self._in_order(live)])

    def _in_order(self, live: Live) -> list[tuple[int, Any]]:
        return [(number, self.lines[number]) for number in live.values if number in self.lines]

    def name_segments(self, old: State, new: State) -> None:
        """Rename the segments whose level changed."""
        node = linked(self.case, "segmentation")
        if node is None:
            return
        there = segments_of(node)
        changing = node.StartModify()
        for segment, what in new.segments.items():
            if segment in there and old.segments.get(segment, what) != what:
                name_segment(there[segment], *what)
        node.EndModify(changing)

    def show(self, live: Live, shown: Filter) -> None:
        """Show some of the lines and labels."""
        self._filter = shown
        for number in self.lines:
            self.look(live, number)
        self.update_labels(live)

    def highlight(self, live: Live, number: int | None) -> None:
        """Highlight one line, or none, and show the ends of all lines at its level."""
        before, self._highlighted = self._highlighted, number
        levels = {live.values[n].level for n in (before, number) if n in live.values}
        for each in self.lines:
            if live.values[each].level in levels:
                self.look(live, each)
        self.update_labels(live)

    def hover(self, live: Live, number: int, over: bool) -> None:
        """Show the ends of a line while the mouse is over it."""
        before, now = self._hovered, number if over else None
        if over or before == number:
            self._hovered = now
            for each in {before, now} - {None}:
                if each in self.lines:
                    self.look(live, each)

    def update_labels(self, live: Live, numbers: Iterable[int] | None = None) -> None:
        """Update the labels beside the spine. :param numbers: the rows that changed; None for all."""
        self._labels.update(live.values, self._filter, self._looked_at(live), numbers)

    def _looked_at(self, live: Live) -> Measurement | None:
        """Return the value whose line is highlighted, or None."""
        return None if self._highlighted is None else live.values.get(self._highlighted)

    def look(self, live: Live, number: int) -> None:
        """Set colour, thickness, handles and visibility of a line by its status and the filter."""
        line, value = self.lines[number], live.values[number]
        looked_at = self._looked_at(live)
        at_level = looked_at is not None and looked_at.level == value.level
        show_line(line, value, number == self._highlighted, handles=at_level or number == self._hovered)
        included = self._filter.has_level(value.level) and self._filter.has_quantity(value.quantity)
        # The highlighted line is always shown: a reader may go to a value outside the filter.
        shown = number == self._highlighted or (included and (at_level or not self._filter.only_level))
        display = line.GetDisplayNode()
        if display is not None:
            display.SetVisibility(shown)


def statuses(live: Live, numbers: Iterable[int]) -> dict[int, str]:
    """Return status by row number."""
    return {number: status_of(live.values[number]) for number in numbers}


def keys_of(live: Live, numbers: Iterable[int]) -> frozenset[Key]:
    """Return the keys of rows."""
    return frozenset(live.values[number].key for number in numbers)
