"""Values that follow from others: the same arithmetic when measuring and when a line is dragged."""

from __future__ import annotations

import pytest

from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.derived import RULES, derive, inputs_of
from SpineMeasureLib.phantom import lumbar, voxelise


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str, str], Measurement]:
    return {m.key: m for m in measure(voxelise(lumbar(upper="L3")))}


def test_every_derived_value_follows_from_the_rows_named_as_its_inputs(
    rows: dict[tuple[str, str, str], Measurement],
) -> None:
    bodies = ["L3", "L4", "L5"]
    seen = set()
    for key, row in rows.items():
        inputs = inputs_of(key, bodies)
        if inputs:
            seen.add(key[1:])
            values = [rows[k].value if k in rows else None for k in inputs]
            assert derive(*key[1:], values) == pytest.approx(row.value, rel=1e-12), key
    assert seen == {(r.quantity, r.method) for r in RULES}


def test_nothing_follows_from_what_is_not_known() -> None:
    assert derive("disc_height_mean", "mean3", (8.0, None, 6.0)) is None
    assert derive("farfan_index", "farfan", (8.0, 6.0, 0.0)) is None


def test_a_body_is_compared_with_the_neighbours_that_are_known() -> None:
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, None, 25.0)) == pytest.approx(0.8)
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, 24.0, 26.0)) == pytest.approx(0.8)
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, None)) is None


def test_measured_values_follow_from_nothing() -> None:
    assert inputs_of(("L4-L5", "disc_height_middle", "chord50"), ["L4", "L5"]) == ()
