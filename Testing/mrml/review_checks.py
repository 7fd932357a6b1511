"""What must hold of every reviewed case at any time: used by many tests."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.measure.derived import derive, inputs_of
from SpineMeasureLib.review.case.state import automatic_of, difference_of, status_of, statuses_of
from SpineMeasureLib.review.mrml.images import image_data, labels_of, matrix_of
from SpineMeasureLib.review.mrml.lines import editable
from SpineMeasureLib.review.mrml.segments import name_of, segments_of, tag

ATTRIBUTE = "SpineMeasure."


def ends(node: Any) -> np.ndarray:
    """Both ends of a line, RAS mm [2, 3]."""
    return np.array([node.GetNthControlPointPositionWorld(n) for n in (0, 1)])


def moved(session: Any, key: Any, mm: float = 2.0) -> tuple[Any, Any]:
    """The ends of a line made longer by some mm along itself."""
    row = session.row(key)
    p1, p2 = np.array(row.p1), np.array(row.p2)
    return tuple(p1), tuple(p2 + mm * (p2 - p1) / np.linalg.norm(p2 - p1))


def delete(node: Any) -> None:
    """Delete a node as Slicer does: its item in the tree goes with it, which a scene without windows leaves."""
    import slicer

    scene = node.GetScene()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert tree.RemoveItem(tree.GetItemByDataNode(node), False, False)
    scene.RemoveNode(node)


def cells(table: Any) -> dict[tuple[str, ...], dict[str, Any]]:
    """The MRML table as dictionaries by (level, quantity, method)."""
    columns = [table.GetTable().GetColumn(n) for n in range(table.GetNumberOfColumns())]
    rows = [{c.GetName(): c.GetValue(n) for c in columns} for n in range(table.GetNumberOfRows())]
    return {(r["level"], r["quantity"], r["method"]): r for r in rows}


def column(table: Any, name: str) -> Any:
    """One column of a MRML table."""
    return table.GetTable().GetColumnByName(name)


def check_case(session: Any) -> None:
    """Rows, lines, table, segments, folders and record say the same; nothing is lost and nothing is left over."""
    import slicer

    rows = {m.key: m for m in session.rows}
    assert len(rows) == len(session.rows)
    nodes = session.nodes
    scene = nodes.case.GetScene()
    lines = [
        node
        for n in range(scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode"))
        if (node := scene.GetNthNodeByClass(n, "vtkMRMLMarkupsLineNode")).GetNodeReference(f"{ATTRIBUTE}case")
        is nodes.case
    ]
    assert {id(line) for line in lines} == {id(line) for line in nodes.lines.values()}
    for key, row in rows.items():
        check_row(session, key, row)
        line = nodes.lines.get(key)
        assert session.line(key) is line
        if line is not None:
            check_line(session, line, row)
    table = cells(nodes.table)
    assert list(table) == list(rows)
    for key, row in rows.items():
        for name, value in (("value", row.value), ("p1_r", row.p1 and row.p1[0]), ("p2_s", row.p2 and row.p2[2])):
            assert table[key][name] == pytest.approx(np.nan if value is None else value, nan_ok=True)
        assert table[key]["status"] == ", ".join(statuses_of(row))
        assert table[key]["accepted"] == ("true" if row.accepted else "false")
        difference = difference_of(row)
        assert table[key]["difference"] == pytest.approx(np.nan if difference is None else difference, nan_ok=True)
    there = segments_of(nodes.segmentation)
    for segment, (kind, level) in session.state.segments.items():
        assert there[segment].GetName() == name_of(kind, level)
        assert tag(there[segment], "level") == level
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for key, line in nodes.lines.items():
        assert tree.GetItemName(tree.GetItemParent(tree.GetItemByDataNode(line))) == key[0]
    assert session._editor.case.record.read() == session.state


def check_row(session: Any, key: Any, row: Any) -> None:
    """A value agrees with its line, its flags and the values that it follows from."""
    automatic = automatic_of(row)
    assert automatic.automatic is None and automatic.source == "automatic" and automatic.key == key
    if row.automatic is None:
        assert (row.value, row.p1, row.p2) == (automatic.value, automatic.p1, automatic.p2)
    else:
        assert row.automatic == automatic
    if row.source == "edited":
        assert "edited" in row.flags
    if row.p1 is not None and row.automatic is not None and editable(row):
        assert row.value == pytest.approx(math.dist(row.p1, row.p2))
    bodies = [m.level for m in session.rows if m.quantity == "body_height_posterior"]
    sources = inputs_of(key, bodies)
    by_key = {m.key: m for m in session.rows}
    if sources and session.state.rows[session.id_of(key)].edit is None:
        if any(k in by_key and by_key[k].automatic is not None for k in sources):
            expected = derive(*key[1:], [by_key[k].value if k in by_key else None for k in sources])
            assert row.value == (None if expected is None else pytest.approx(expected))
        else:
            assert row.value == automatic.value


def check_line(session: Any, line: Any, row: Any) -> None:
    """A line lies where its row says, and says itself what it is."""
    np.testing.assert_allclose(ends(line), [row.p1, row.p2], atol=1e-9)
    assert line.GetNumberOfControlPoints() == 2 and line.GetFixedNumberOfControlPoints()
    facts = [line.GetAttribute(ATTRIBUTE + name) for name in ("level", "quantity", "method", "source")]
    assert facts == [*row.key, row.source]
    assert line.GetName().startswith(row.level + " ")
    automatic = automatic_of(row)
    assert json.loads(line.GetAttribute(f"{ATTRIBUTE}automaticValue").replace("None", "null")) == automatic.value


def facts(session: Any) -> list[Any]:
    """Everything of all rows, as JSON understands it."""
    found = []
    table = cells(session.nodes.table)
    for m in session.rows:
        automatic, difference, status = automatic_of(m), difference_of(m), status_of(m)
        reviewer = table[m.key]["reviewer"]
        found.append([m.key, m.value, m.p1, m.p2, m.flags, m.note, status, automatic.value, difference, reviewer])
    return json.loads(json.dumps(found))


def paint(node: Any, segment: str, change: Any) -> None:
    """Change the voxels of a segment as Segment Editor does: `change` gets bool array[i,j,k] and returns another."""
    import slicer

    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment, image)
    labels = labels_of(image)
    painted = image_data(change(labels.array > 0).astype(np.uint8), slicer.vtkOrientedImageData)
    painted.SetGeometryFromImageToWorldMatrix(matrix_of(labels.affine))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(painted, node, segment)


def thinner(mask: np.ndarray) -> np.ndarray:
    """The uppermost voxel of every column less (k runs upwards)."""
    return mask & np.roll(mask, -1, axis=2)


def add_segment(node: Any, name: str, mask: np.ndarray, affine: np.ndarray, label: int = 1) -> None:
    """A segment of its own, as other programs write them."""
    import slicer

    labelmap = image_data(mask.astype(np.uint8) * label, slicer.vtkOrientedImageData)
    labelmap.SetGeometryFromImageToWorldMatrix(matrix_of(affine))
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetLabelValue(label)
    segment.AddRepresentation("Binary labelmap", labelmap)
    node.GetSegmentation().AddSegment(segment)
