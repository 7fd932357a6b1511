"""Names of levels beside the spine: "L4-L5 8.0" in front of a disc, "L4 canal 13.3" in front of a vertebra. RAS mm.

Lines carry no text: it would cover what they measure. Points of locked nodes carry it instead: of disc heights, of
canal diameters, and of the line that is looked at, in the sagittal view and, if the axial view shows that line, in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import dist
from typing import Any

from ...measure.definitions import CANAL_AT_BODY, DISC_HEIGHT, definition
from ...measure.types import Measurement, Point
from ...measure.units import number
from .links import ATTRIBUTE, link, linked

_DISCS, _VERTEBRAE, _CURRENT, _AXIAL = "discLabels", "vertebraLabels", "currentLabel", "axialLabel"
_WHITE = (1.0, 1.0, 1.0)
_COLOURS = {_DISCS: (1.0, 0.88, 0.35), _VERTEBRAE: (1.0, 0.65, 0.97), _CURRENT: _WHITE, _AXIAL: _WHITE}
_NAMES = {_DISCS: "disc labels", _VERTEBRAE: "vertebra labels", _CURRENT: "current label", _AXIAL: "axial label"}
_SAGITTAL_VIEW, _AXIAL_VIEW = "vtkMRMLSliceNodeYellow", "vtkMRMLSliceNodeRed"
#: What a level's label says: quantity and method, and the words between name and value.
_MAIN = {_DISCS: (DISC_HEIGHT, ""), _VERTEBRAE: (CANAL_AT_BODY, "canal ")}
_DEPTHS = frozenset({("disc_depth", "depth50"), ("body_depth", "depth50")})
#: Between the front of the spine and the end of the text.
_GAP_MM = 7.0
#: From the front of the canal to the front of the spine if no depth was measured: a deep lumbar body.
_DEEP_MM = 40.0
#: VTK_TEXT_CENTERED and VTK_TEXT_RIGHT, which VTK's Python modules do not name.
_CENTRED, _RIGHT = 1, 2
#: Per cent of the height of the view.
_TEXT_SCALE = 2.6
_BACKGROUND_OPACITY = 0.55
#: A line that runs less upwards than this (cosine) is in the axial plane, too.
_LEVEL_LINE = 0.7


@dataclass(frozen=True)
class Filter:
    """What is shown of a case.

    :ivar levels: None for all.
    :ivar quantities: those whose lines are shown, None for all; other levels are named without a value.
    :ivar names: whether levels are labelled.
    :ivar current: whether the line that is looked at is labelled.
    :ivar only_level: whether lines of the current level alone are shown.
    """

    levels: Collection[str] | None = None
    quantities: Collection[str] | None = None
    names: bool = True
    current: bool = True
    only_level: bool = False

    def has_level(self, level: str) -> bool:
        """True if a level is shown."""
        return self.levels is None or level in self.levels

    def has_quantity(self, quantity: str) -> bool:
        """True if the lines of a quantity are shown."""
        return self.quantities is None or quantity in self.quantities


@dataclass(frozen=True)
class _Label:
    text: str
    place: Point


def update_labels(
    scene: Any, case: Any, values: Iterable[Measurement], shown: Filter, looked_at: Measurement | None = None
) -> None:
    """Bring the labels of a case up to date; nodes that are missing are made.

    :param values: all values of the case as the reader sees them.
    :param looked_at: the value whose line stands out, or None.
    """
    by_level: dict[str, dict[tuple[str, str], Measurement]] = {}
    for m in values:
        by_level.setdefault(m.level, {})[m.quantity, m.method] = m
    labelled = looked_at is not None and shown.current and shown.has_level(looked_at.level)
    current = _current(by_level, looked_at) if labelled else []
    axial = current if looked_at is not None and _is_level(looked_at) else []
    found: dict[str, list[_Label]] = {_DISCS: [], _VERTEBRAE: [], _CURRENT: current, _AXIAL: axial}
    for level, rows in by_level.items():
        role = _role(level)
        place = _place(rows)
        if place is None or _MAIN[role][0] not in rows or not shown.names or not shown.has_level(level):
            continue
        if not (current and looked_at is not None and looked_at.level == level):
            found[role].append(_Label(_text(rows[_MAIN[role][0]], _MAIN[role][1], shown), place))
    for role, labels in found.items():
        _fill(_node(scene, case, role), labels)


def remove_labels(scene: Any, case: Any) -> None:
    """Take the labels of a case out of the scene."""
    for role in _NAMES:
        node = linked(case, role)
        if node is not None:
            scene.RemoveNode(node.GetDisplayNode())
            scene.RemoveNode(node)


def _role(level: str) -> str:
    return _DISCS if "-" in level else _VERTEBRAE


def _text(m: Measurement, words: str, shown: Filter) -> str:
    if m.value is None or not shown.has_quantity(m.quantity):
        return m.level
    return f"{m.level} {words}{number(m.value, m.unit)}"


def _current(
    by_level: Mapping[str, Mapping[tuple[str, str], Measurement]], looked_at: Measurement | None
) -> list[_Label]:
    if looked_at is None or looked_at.p1 is None or looked_at.value is None:
        return []
    place = _place(by_level.get(looked_at.level, {}))
    key, words = _MAIN[_role(looked_at.level)]
    if (looked_at.quantity, looked_at.method) != key:
        phrase = definition(looked_at.quantity, looked_at.method).phrase.replace(",", "")
        phrase = phrase.removeprefix("disc ").removeprefix("body ")
        words = f"{phrase} "
    return (
        [] if place is None else [_Label(f"{looked_at.level} {words}{number(looked_at.value, looked_at.unit)}", place)]
    )


def _place(rows: Mapping[tuple[str, str], Measurement]) -> Point | None:
    """In front of the spine at a level, in its measuring plane."""
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
    """The point on the line of an AP distance that lies in front of its anterior end."""
    if m.p1 is None or m.p2 is None or dist(m.p1, m.p2) == 0:
        return None
    share = by_mm / dist(m.p1, m.p2)
    x, y, z = (a + share * (a - b) for a, b in zip(m.p1, m.p2, strict=True))
    return x, y, z


def _is_level(m: Measurement) -> bool:
    """True for a line that the axial view shows."""
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
    """Scene files do not keep this.

    The patient's front is at the left of a sagittal view: the text ends in front of the spine.
    """
    wanted = _CENTRED if role == _AXIAL else _RIGHT
    if text.GetJustification() != wanted:
        text.SetJustification(wanted)
        text.SetVerticalJustificationToCentered()


def _fill(node: Any, labels: list[_Label]) -> None:
    count = node.GetNumberOfControlPoints()
    changing = node.StartModify()
    if count != len(labels):
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
    # Text alone, without a glyph; readable over any grey; on every slice, not only on the one that the point is on.
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
