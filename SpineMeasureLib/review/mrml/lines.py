"""Lines of a case: two movable points, their display, and what they measure as node attributes.

Coordinates are RAS mm of the node itself, like the coordinates of segments and rows: a transform above it does not
change values. Markups overwrite their description; attributes are stored in the scene.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ...measure.definitions import definition
from ...measure.types import Measurement, Point
from ..case.state import Row, status_of
from .links import ATTRIBUTE

#: By the start of the quantity; visible on the colours of the structures and on bright fluid.
_AUTOMATIC_COLOURS = {
    "disc_height": (1.0, 0.85, 0.2),
    "disc_depth": (0.95, 0.55, 0.15),
    "canal_ap": (0.95, 0.3, 0.85),
    "body_height": (1.0, 0.75, 0.6),
}
_STATUS_COLOURS = {"flagged": (1.0, 0.25, 0.2), "edited": (0.3, 0.75, 1.0), "accepted": (0.5, 1.0, 0.5)}
_GLYPH_MM = 2.0
_THICKNESS = {False: 0.2, True: 0.5}


def is_line(measurement: Measurement) -> bool:
    """Return True for a distance that has a line."""
    return editable(measurement) and None not in (measurement.value, measurement.p1, measurement.p2)


def editable(measurement: Measurement) -> bool:
    """Return True for a quantity that may have a line."""
    return definition(measurement.quantity, measurement.method, measurement.level).editable and not measurement.second


def line_name(measurement: Measurement) -> str:
    """Return ``"L4-L5 disc height middle"``; Slicer shows it before the value."""
    return f"{measurement.level} {line_title(measurement)}"


def line_title(measurement: Measurement) -> str:
    """Return the title of a quantity as part of a name: ``"disc height middle"``."""
    return definition(measurement.quantity, measurement.method, measurement.level).phrase.replace(",", "")


def add_line(scene: Any, measurement: Measurement, row: Row | None = None) -> Any:
    """Add a two-point line that is moved by its ends, with name and attributes."""
    from vtkmodules.vtkCommonDataModel import vtkVector3d

    assert measurement.p1 is not None and measurement.p2 is not None
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", line_name(measurement))
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(vtkVector3d(*measurement.p1), "1")
    node.AddControlPoint(vtkVector3d(*measurement.p2), "2")
    node.SetFixedNumberOfControlPoints(True)
    _fix_look(node.GetDisplayNode())
    describe_line(node, measurement, row)
    show_line(node, measurement)
    return node


def line_ends(node: Any) -> tuple[Point, Point] | None:
    """Return the present ends in RAS mm; None if one is not placed."""
    if node.GetNumberOfDefinedControlPoints() != 2 or node.GetNumberOfControlPoints() != 2:
        return None
    first, second = (node.GetNthControlPointPosition(n) for n in (0, 1))
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def set_line_ends(node: Any, p1: Point, p2: Point) -> None:
    """Move the ends (RAS mm) that differ."""
    for n, (found, wanted) in enumerate(zip(line_ends(node) or (None, None), (p1, p2), strict=True)):
        if found != wanted:
            node.SetNthControlPointPosition(n, wanted)


def describe_line(node: Any, measurement: Measurement, row: Row | None = None) -> None:
    """Write what a line measures, and the source of its value, into its attributes."""
    automatic = measurement.automatic or measurement
    facts = {
        "level": measurement.level,
        "quantity": measurement.quantity,
        "method": measurement.method,
        "unit": measurement.unit,
        "source": measurement.source,
        "flags": " ".join(measurement.flags),
        "boundary": measurement.boundary,
        "automaticValue": repr(automatic.value),
        "automaticPoints": json.dumps([automatic.p1, automatic.p2]),
        "plane": json.dumps(asdict(measurement.plane)) if measurement.plane else None,
        "confidence": None if measurement.confidence is None else f"{measurement.confidence:.3f}",
        "confidenceKind": measurement.confidence_kind or None,
        "snapped": " ".join(measurement.snapped) or None,
        "edited": row.edit.time if row and row.edit and row.edit.by_hand else None,
        "accepted": measurement.accepted.time if measurement.accepted else None,
        "reviewer": measurement.accepted.reviewer if measurement.accepted else None,
    }
    changing = node.StartModify()
    for name, text in facts.items():
        if text is None:
            node.RemoveAttribute(ATTRIBUTE + name)
        else:
            node.SetAttribute(ATTRIBUTE + name, text)
    node.SetName(line_name(measurement))
    node.EndModify(changing)


def show_line(node: Any, measurement: Measurement, highlighted: bool = False, handles: bool = True) -> None:
    """Set the colour by status; make the highlighted line thick.

    :param handles: whether its ends are shown as crosses; they can be dragged in any case.
    """
    display = node.GetDisplayNode()
    if display is None:
        return
    status = status_of(measurement)
    family = next((k for k in _AUTOMATIC_COLOURS if measurement.quantity.startswith(k)), "disc_height")
    colour = _STATUS_COLOURS.get(status, _AUTOMATIC_COLOURS[family])
    changing = display.StartModify()
    display.SetColor(*colour)
    display.SetSelectedColor(*colour)
    display.SetLineThickness(_THICKNESS[highlighted])
    display.SetGlyphType(display.CrossDot2D if handles else display.Vertex2D)
    display.EndModify(changing)


def _fix_look(display: Any) -> None:
    # Fine crosses of a fixed size show the exact end points.
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(_GLYPH_MM)
    # Text would cover what is measured: `labels` writes it beside the spine.
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    # A whole line that is dragged by accident is no longer where it was measured: there are no handles for that. The
    # middle button on the line still does it; the session reverts that.
    display.SetHandlesInteractive(False)
    display.SetTranslationHandleVisibility(False)
    display.SetRotationHandleVisibility(False)
    display.SetScaleHandleVisibility(False)
    # Shown on its own slice, not projected onto neighbouring slices.
    display.SetSliceProjection(False)
