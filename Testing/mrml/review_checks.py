"""What must hold of every reviewed case at any time: used by many tests."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.measure.derived import derive, inputs_of
from SpineMeasureLib.review.lines import editable
from SpineMeasureLib.review.segments import name_of, segments_of, tag

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
    """Delete a node as the user does in Slicer's Data module, with its place in the tree."""
    import slicer

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    assert tree.RemoveItem(tree.GetItemByDataNode(node))


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
        assert table[key]["status"] == session.status(key)
        difference = session.difference(key)
        assert table[key]["difference"] == pytest.approx(np.nan if difference is None else difference, nan_ok=True)
    there = segments_of(nodes.segmentation)
    for segment, (kind, level) in session._state.segments.items():
        assert there[segment].GetName() == name_of(kind, level)
        assert tag(there[segment], "level") == level
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for key, line in nodes.lines.items():
        assert tree.GetItemName(tree.GetItemParent(tree.GetItemByDataNode(line))) == key[0]
    assert session._editor.case.record.read() == session._state


def check_row(session: Any, key: Any, row: Any) -> None:
    """A value agrees with its line, its flags and the values that it follows from."""
    automatic = session.automatic(key)
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
    if sources and session._state.rows[session._numbers[key]].edit is None:
        if any(k in by_key and by_key[k].automatic is not None for k in sources):
            expected = derive(*key[1:], [by_key[k].value if k in by_key else None for k in sources])
            assert row.value == (None if expected is None else pytest.approx(expected))
        else:
            assert row.value == automatic.value


def check_line(session: Any, line: Any, row: Any) -> None:
    """A line lies where its row says, and says itself what it is."""
    np.testing.assert_allclose(ends(line), [row.p1, row.p2], atol=1e-9)
    assert session.key_of(line) == row.key
    assert line.GetNumberOfControlPoints() == 2 and line.GetFixedNumberOfControlPoints()
    facts = [line.GetAttribute(ATTRIBUTE + name) for name in ("level", "quantity", "method", "source")]
    assert facts == [*row.key, row.source]
    assert line.GetName().startswith(row.level + " ")
    automatic = session.automatic(row.key)
    assert json.loads(line.GetAttribute(f"{ATTRIBUTE}automaticValue").replace("None", "null")) == automatic.value
