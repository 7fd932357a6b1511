"""Labels beside the spine: "L4-L5 8.0" in front of a disc, "L4 canal 13.3" in front of a vertebra. RAS mm.

Text on the lines would cover what they measure. It is written by points of locked nodes instead: for disc heights,
canal diameters and the highlighted line, in the sagittal view and, if the axial view shows that line, there too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import dist
from typing import Any

from ...measure.types import Measurement, Point
from ...measure.units import number
from .lines import line_title
from .links import ATTRIBUTE, link, linked

_DISCS, _VERTEBRAE, _CURRENT, _AXIAL = "discLabels", "vertebraLabels", "currentLabel", "axialLabel"
_WHITE = (1.0, 1.0, 1.0)
_COLOURS = {_DISCS: (1.0, 0.88, 0.35), _VERTEBRAE: (1.0, 0.65, 0.97), _CURRENT: _WHITE, _AXIAL: _WHITE}
_NAMES = {_DISCS: "disc labels", _VERTEBRAE: "vertebra labels", _CURRENT: "current label", _AXIAL: "axial label"}
_SAGITTAL_VIEW, _AXIAL_VIEW = "vtkMRMLSliceNodeYellow", "vtkMRMLSliceNodeRed"
#: Quantity in the label of a level, and the words between name and value.
_MAIN = {_DISCS: ("disc_height_middle", ""), _VERTEBRAE: ("canal_ap", "canal ")}
_DEPTHS = frozenset({("disc_depth", "depth50"), ("body_depth", "depth50")})
#: Distance between the front of the spine and the end of the text.
_GAP_MM = 7.0
#: Distance from the front of the canal to the front of the spine if no depth was measured: a deep lumbar body.
_DEEP_MM = 40.0
#: VTK_TEXT_CENTERED and VTK_TEXT_RIGHT, which are missing in VTK's Python modules.
_CENTRED, _RIGHT = 1, 2
#: Percent of the height of the view.
_TEXT_SCALE = 2.6
_BACKGROUND_OPACITY = 0.55
#: Maximum cosine between a line and the S axis at which the axial view shows the line.
_LEVEL_LINE = 0.7


@dataclass(frozen=True)
class Filter:
    """What is shown of a case.

    :ivar levels: None for all.
    :ivar quantities: quantities whose lines are shown, None for all; labels of others have no value.
    :ivar names: whether levels are labelled.
    :ivar current: whether the highlighted line is labelled.
    :ivar only_level: whether only lines at the level of the highlighted line are shown.
    """

    levels: Collection[str] | None = None
    quantities: Collection[str] | None = None
    names: bool = True
    current: bool = True
    only_level: bool = False

    def has_level(self, level: str) -> bool:
        """Return whether a level is shown."""
        return self.levels is None or level in self.levels

    def has_quantity(self, quantity: str) -> bool:
        """Return whether the lines of a quantity are shown."""
        return self.quantities is None or quantity in self.quantities


@dataclass(frozen=True)
class _Label:
    text: str
    place: Point


#: Labels by role and level.
_Labels = dict[str, dict[str, _Label]]


class Labels:
    """The labels of one case."""

    def __init__(self, scene: Any, case: Any) -> None:
        """:param case: the case's hidden node."""
        self._scene, self._case = scene, case
        self._numbers: dict[str, list[int]] = {}
        self._written: _Labels = {}

    def update(
        self,
        values: Mapping[int, Measurement],
        shown: Filter,
        looked_at: Measurement | None = None,
        changed: Iterable[int] | None = None,
    ) -> None:
        """Write the labels; missing nodes are added.

        :param values: all values of the case as the reader sees them, by row number.
        :param looked_at: the value whose line is highlighted, or None.
        :param changed: the rows that changed since the last update, if nothing else did; None to write all labels.
        """
        if changed is None:
            self._written, self._numbers = {role: {} for role in _NAMES}, {}
            for row, m in values.items():
                self._numbers.setdefault(m.level, []).append(row)
        levels = self._numbers.keys() if changed is None else {values[row].level for row in changed}
        made = self._made(values, levels, shown, looked_at)
        for role, before in self._written.items():
            labels = before | made[role]
            labels = {level: label for level, label in labels.items() if level in made[role] or level not in levels}
            if changed is None or labels != before:
                self._written[role] = labels
                _fill(_node(self._scene, self._case, role), list(labels.values()))

    def remove(self) -> None:
        """Remove the labels from the scene."""
        for role in _NAMES:
            node = linked(self._case, role)
            if node is not None:
                self._scene.RemoveNode(node.GetDisplayNode())
                self._scene.RemoveNode(node)

    def _made(
        self,
        values: Mapping[int, Measurement],
        levels: Iterable[str],
        shown: Filter,
        looked_at: Measurement | None,
    ) -> _Labels:
        found: _Labels = {role: {} for role in _NAMES}
        for level in levels:
            rows = {(m.quantity, m.method): m for m in (values[number] for number in self._numbers[level])}
            place, role = _place(rows), _role(level)
            if place is None or not shown.has_level(level):
                continue
            if shown.current and looked_at is not None and looked_at.level == level and _has_line(looked_at):
                found[_CURRENT][level] = _Label(_current_text(looked_at), place)
                if _is_level(looked_at):
                    found[_AXIAL][level] = found[_CURRENT][level]
            elif shown.names and (main := _main(rows.values(), role)):
                found[role][level] = _Label(_text(main, _MAIN[role][1], shown), place)
        return found


def _role(level: str) -> str:
    return _DISCS if "-" in level else _VERTEBRAE


def _main(rows: Iterable[Measurement], role: str) -> Measurement | None:
    """Return the row that labels a level."""
    return next((m for m in rows if m.quantity == _MAIN[role][0] and not m.second), None)


def _text(m: Measurement, words: str, shown: Filter) -> str:
    if m.value is None or not shown.has_quantity(m.quantity):
        return m.level
    return f"{m.level} {words}{number(m.value, m.unit)}"


def _has_line(m: Measurement) -> bool:
    return m.p1 is not None and m.value is not None


def _current_text(m: Measurement) -> str:
    quantity, words = _MAIN[_role(m.level)]
    if m.quantity != quantity or m.second:
        words = f"{_short(line_title(m))} "
    return f"{m.level} {words}{number(m.value, m.unit)}"


def _short(title: str) -> str:
    """Return ``"disc AP depth"`` as ``"AP depth"``: the level says which."""
    return title.removeprefix("disc ").removeprefix("body ")


def _place(rows: Mapping[tuple[str, str], Measurement]) -> Point | None:
    """Return the place in front of the spine at a level, in its measuring plane."""
    for key in _DEPTHS & rows.keys():
        front = _ahead(rows[key], _GAP_MM)
        if front is not None:
            return front
    for (quantity, _), m in rows.items():
        if quantity == "canal_ap":
            front = _ahead(m, _DEEP_MM + _GAP_MM)
            if front is not None:
                return front
    return None


def _ahead(m: Measurement, by_mm: float) -> Point | None:
    """Return the point on the line of an AP distance in front of its anterior end."""
    if m.p1 is None or m.p2 is None or dist(m.p1, m.p2) == 0:
        return None
    share = by_mm / dist(m.p1, m.p2)
    x, y, z = (a + share * (a - b) for a, b in zip(m.p1, m.p2, strict=True))
    return x, y, z


def _is_level(m: Measurement) -> bool:
    """Return True for a line that the axial view shows."""
    if m.p1 is None or m.p2 is None or dist(m.p1, m.p2) == 0:
        return False
    return abs(m.p1[2] - m.p2[2]) / dist(m.p1, m.p2) < _LEVEL_LINE


def _node(scene: Any, case: Any, role: str) -> Any:
    node = linked(case, role)
    if node is None:
        name = case.GetName().removesuffix(" case")
        node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"{name} {_NAMES[role]}")
        node.SetAttribute(f"{ATTRIBUTE}labels", role)
        node.SetLocked(True)
        node.SetHideFromEditors(True)
        node.SetSelectable(False)
        node.CreateDefaultDisplayNodes()
        _fix_look(node.GetDisplayNode(), _COLOURS[role])
        node.GetDisplayNode().AddViewNodeID(_AXIAL_VIEW if role == _AXIAL else _SAGITTAL_VIEW)
        link(case, role, node)
    if node.GetDisplayNode() is not None:
        _justify(node.GetDisplayNode().GetTextProperty(), role)
    return node


def _justify(text: Any, role: str) -> None:
    """Set the alignment, which scene files do not store.

    The patient's front is at the left of a sagittal view: the text ends in front of the spine.
    """
    wanted = _CENTRED if role == _AXIAL else _RIGHT
    if text.GetJustification() != wanted:
        text.SetJustification(wanted)
        text.SetVerticalJustificationToCentered()


def _fill(node: Any, labels: list[_Label]) -> None:
    changing = node.StartModify()
    if node.GetNumberOfControlPoints() != len(labels):
        from vtkmodules.vtkCommonDataModel import vtkVector3d

        node.RemoveAllControlPoints()
        for label in labels:
            node.AddControlPoint(vtkVector3d(*label.place), label.text)
    else:
        for n, label in enumerate(labels):
            if node.GetNthControlPointLabel(n) != label.text:
                node.SetNthControlPointLabel(n, label.text)
            if dist(node.GetNthControlPointPosition(n), label.place) > 1e-6:
                node.SetNthControlPointPosition(n, label.place)
    node.EndModify(changing)


def _fix_look(display: Any, colour: tuple[float, float, float]) -> None:
    display.SetColor(*colour)
    display.SetSelectedColor(*colour)
    # Text without a glyph, readable on any grey value, on every slice and not only on that of the point.
    display.SetGlyphType(display.Dash2D)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(1e-3)
    display.SetPointLabelsVisibility(True)
    display.SetPropertiesLabelVisibility(False)
    display.SetSliceProjection(True)
    display.SetSliceProjectionOpacity(1.0)
    display.SetSliceProjectionUseFiducialColor(True)
    display.SetTextScale(_TEXT_SCALE)
    text = display.GetTextProperty()
    text.SetBackgroundColor(0, 0, 0)
    text.SetBackgroundOpacity(_BACKGROUND_OPACITY)
