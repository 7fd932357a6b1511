"""A view that records what a desk asks it to draw, and what a mouse and a brush do to the nodes of a case."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from SpineMeasureLib.review.desk import Desk


class Recorder:
    """A face without widgets.

    :ivar calls: names of the methods that were called, in order; "drawn" at the end of an outermost quiet context.
    :ivar updated: the keys of every `update_rows`.
    :ivar aims: what `look` was given.
    :ivar told: the messages after every `show_message`.
    """

    def __init__(self) -> None:
        self.desk = Desk(self)
        self.calls: list[str] = []
        self.updated: list[frozenset[Any]] = []
        self.aims: list[Any] = []
        self.told: list[list[str]] = []
        self._depth = 0

    @contextmanager
    def quietly(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.calls.append("drawn")

    def fill(self) -> None:
        self.calls.append("fill")

    def update_rows(self, keys: Collection[Any]) -> None:
        self.calls.append("update_rows")
        self.updated.append(frozenset(keys))

    def show_place(self) -> None:
        self.calls.append("show_place")

    def look(self, aim: Any) -> None:
        self.calls.append("look")
        self.aims.append(aim)

    def show_message(self) -> None:
        self.calls.append("show_message")
        self.told.append([f"{m.sentence()} {m.hint}".strip() for m in self.desk.messages])

    def show_state(self) -> None:
        self.calls.append("show_state")

    @property
    def message(self) -> str:
        """What is shown now; it must be what the desk holds now."""
        held = [f"{m.sentence()} {m.hint}".strip() for m in self.desk.messages]
        assert held == (self.told[-1] if self.told else [])
        return " ".join(held)


def start_drag(line: Any) -> None:
    """Press the mouse on the first end point of a line."""
    line.InvokeEvent(line.PointStartInteractionEvent)


def drag(line: Any, by: tuple[float, float, float]) -> None:
    """Move the first end point, the button still pressed."""
    position = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPositionWorld(0, [position[n] + by[n] for n in range(3)])


def end_drag(line: Any) -> None:
    """Release the mouse."""
    line.InvokeEvent(line.PointEndInteractionEvent)


def move_end(line: Any, by: tuple[float, float, float]) -> None:
    """What a drag of the first end point does to the node."""
    start_drag(line)
    drag(line, by)
    end_drag(line)


def half_of(session: Any, name: str) -> float:
    """Erase about half of a segment, as painting does; returns what was left of it."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    segmentation = session.nodes.segmentation.GetSegmentation()
    segment = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(name))
    labelmap = segment.GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    own = np.flatnonzero(voxels == segment.GetLabelValue())
    voxels[own[: len(own) // 2]] = 0
    labelmap.GetPointData().GetScalars().Modified()
    labelmap.Modified()
    return 1 - (len(own) // 2) / len(own)


def highlighted(session: Any) -> list[Any]:
    """Keys of the lines that are drawn thickest; all of them if none stands out."""
    lines = session.nodes.lines
    thick = {key: line.GetDisplayNode().GetLineThickness() for key, line in lines.items()}
    return [key for key, each in thick.items() if each == max(thick.values())]


def drawn(session: Any) -> set[Any]:
    """Keys of the lines that are visible."""
    return {key for key, line in session.nodes.lines.items() if line.GetDisplayVisibility()}
