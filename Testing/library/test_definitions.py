"""The table of definitions, from which reports, tables, filters and DICOM codes follow."""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path

import pytest

from SpineMeasureLib.export import overview_table
from SpineMeasureLib.export.dicom.codes import code_table, write_tables
from SpineMeasureLib.export.report.text import report_text
from SpineMeasureLib.measure import definitions, disc, measure
from SpineMeasureLib.measure.definitions import (
    GROUPS,
    MAIN_QUANTITIES,
    columns,
    definition,
    listed,
    methods,
    shown_ends,
    shown_first,
)
from SpineMeasureLib.measure.derived import RULES
from SpineMeasureLib.measure.types import Measurement
from SpineMeasureLib.measure.units import UNITS, number
from SpineMeasureLib.phantom import lumbar, voxelise


def test_every_definition_belongs_to_a_group_a_unit_and_one_code() -> None:
    assert {d.group for d in methods()} == set(GROUPS) and {d.unit for d in methods()} <= set(UNITS)
    assert len({d.code for d in methods()}) == len(methods())
    assert len({(d.key, d.at) for d in methods()}) == len(methods())
    assert set(MAIN_QUANTITIES) <= {d.quantity for d in methods() if d.editable}


def test_every_line_and_every_column_of_a_level_is_in_the_report() -> None:
    for at in ("disc", "body"):
        shown = {d for on in ("edges", "masks") for d in listed(at, on)}  # type: ignore[arg-type]
        assert {d for d in methods() if d.at == at and (d.editable or d.heading)} <= shown
    assert all(d.heading and d.over for d in methods() if d.at == "disc" and d.editable)


def test_columns_with_one_heading_are_next_to_each_other() -> None:
    for at, on in (("disc", "edges"), ("disc", "masks"), ("body", "edges"), ("body", "masks")):
        over = [d.over for d in columns(at, on)]  # type: ignore[arg-type]
        assert [name for n, name in enumerate(over) if name not in over[:n]] == [
            name for n, name in enumerate(over) if n == 0 or name != over[n - 1]
        ]


def test_the_lines_of_the_overview_are_those_of_the_table_in_its_order() -> None:
    heights = [curve.what for curve in overview_table.curves([])[0]]
    assert heights == [d for d in columns("disc", "masks") if d.over.startswith("disc height")]
    assert len({curve.colour for curve in overview_table.curves([])[0]}) == len(heights)


def test_every_value_is_shown_first_by_one_definition_only() -> None:
    """What follows from the heights of one kind is never listed beside the heights of the other."""
    for at, on in product(("disc", "body"), ("edges", "masks")):
        quantities = [d.quantity for d in listed(at, on)]  # type: ignore[arg-type]
        assert len(quantities) == len(set(quantities))
        methods_of = {d.key for d in listed(at, on)}  # type: ignore[arg-type]
        for rule in RULES:
            inputs = {(q, m) for place, q, m in rule.inputs if place == "here" and definition(q, m).ends_on}
            if (rule.quantity, rule.method) in methods_of:
                assert {definition(*key).ends_on for key in inputs} <= {on}


def test_lines_between_edges_come_first_unless_masks_are_preferred() -> None:
    edge = Measurement("L4-L5", "disc_height_middle", "endplate50", 9.9, "mm")
    mask = Measurement("L4-L5", "disc_height_middle", "chord50", 7.3, "mm")
    wall = Measurement("L4-L5", "canal_ap", "wall", 12.0, "mm")
    assert [m.second for m in shown_first([edge, mask, wall])] == [False, True, False]
    assert [m.second for m in shown_first([edge, mask, wall], "masks")] == [True, False, False]
    assert [m.second for m in shown_first([mask])] == [False]
    assert shown_ends(shown_first([edge, mask])) == "edges" and shown_ends([mask]) == "masks"
    assert definition("canal_ap", "wall", "L4").at == "body" and definition("canal_ap", "wall", "L4-L5").at == "disc"


def test_a_new_quantity_needs_a_definition_and_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newcomer has to do: one row in each of two tables."""
    middle = definition("disc_height_middle", "chord50")
    new = dataclasses.replace(
        middle, quantity="disc_height_quarter", method="chord75", title="Disc height, quarter", heading="quarter"
    )
    table = [d for old in methods() for d in ((old, new) if old is middle else (old,))]
    monkeypatch.setattr(definitions, "_ALL", tuple(table))
    monkeypatch.setattr(disc, "_CHORDS", {**disc._CHORDS, new.key: 0.75})
    definitions._by_key.cache_clear()
    try:
        segmentation = voxelise(lumbar(upper="L5"))
        rows = measure(segmentation)
        value = next(m for m in rows if m.key == ("L5-S1", *new.key))
        assert value.p1 is not None and value.value is not None
        assert f"quarter {number(value.value, 'mm')}" in report_text(segmentation, rows)
        assert "SM-DH-CHORD50 | Disc height, quarter" in code_table()
    finally:
        definitions._by_key.cache_clear()


def test_the_tables_of_the_manual_are_replaced_and_nothing_else(tmp_path: Path) -> None:
    manual = tmp_path / "dicom.md"
    manual.write_text("# Codes\n\n" + code_table().replace("Farfan", "Other") + "\n## After\n\nText.\n")
    write_tables(manual)
    assert manual.read_text() == "# Codes\n\n" + code_table() + "\n## After\n\nText.\n"
