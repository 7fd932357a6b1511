"""The table of a case: one row per value, the columns of measurements.csv and those of the review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...export.columns import COLUMNS, Cell
from ...export.tables import table_rows
from ...measure.types import Measurement
from ..case.state import Row, difference_of, status_text

_REVIEW_COLUMNS: tuple[tuple[str, bool], ...] = (
    ("status", False), ("difference", True), ("edited_time", False),
)  # fmt: skip
_ALL_COLUMNS = tuple((column.name, column.numeric) for column in COLUMNS) + _REVIEW_COLUMNS


def add_table(scene: Any, rows: Sequence[Row], values: Sequence[Measurement], name: str) -> Any:
    """Add a table node with every value of a case."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    fill_table(node, rows, values)
    node.SetLocked(True)
    return node


def fill_table(node: Any, rows: Sequence[Row], values: Sequence[Measurement]) -> None:
    """Write the whole table.

    :param values: the shown values of `rows`, in the same order.
    """
    from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkStringArray

    lines = [_cells(row, value) for row, value in zip(rows, values, strict=True)]
    changing = node.StartModify()
    node.RemoveAllColumns()
    for place, (column, numeric) in enumerate(_ALL_COLUMNS):
        array = vtkDoubleArray() if numeric else vtkStringArray()
        array.SetName(column)
        for cells in lines:
            array.InsertNextValue(_stored(cells[place], numeric))
        node.AddColumn(array)
    node.EndModify(changing)


def update_table(node: Any, changed: Mapping[int, tuple[Row, Measurement]]) -> None:
    """Write single rows by their index in the table; cells that do not change are not written."""
    table = node.GetTable()
    columns = [table.GetColumn(n) for n in range(len(_ALL_COLUMNS))]
    touched = False
    for place, (row, value) in changed.items():
        cells: Iterable[Cell] = _cells(row, value)
        for column, cell, (_, numeric) in zip(columns, cells, _ALL_COLUMNS, strict=True):
            stored = _stored(cell, numeric)
            if column.GetValue(place) != stored:
                column.SetValue(place, stored)
                touched = True
    if touched:
        table.Modified()


def _cells(row: Row, value: Measurement) -> list[Cell]:
    edited = row.edit.time if row.edit and row.edit.by_hand else ""
    review: list[Cell] = [status_text(value), difference_of(value), edited]
    return table_rows([value])[0] + review


def _stored(cell: Cell, numeric: bool) -> Any:
    if numeric:
        return float("nan") if cell is None else float(cell)
    return str(cell)
