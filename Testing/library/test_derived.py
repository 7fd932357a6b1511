"""Values that follow from others: the same arithmetic when measuring and when a line is dragged."""

from __future__ import annotations

import pytest

from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.derived import RULES, derive, inputs_of
from SpineMeasureLib.phantom import lumbar, voxelise
from SpineMeasureLib.phantom.signal import T2, Scan, render
from SpineMeasureLib.review.case.derived import Live
from SpineMeasureLib.review.case.state import Edit, Row


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str, str], Measurement]:
    """Rows of a case with an image: between masks and between edges."""
    spine = lumbar(upper="L3")
    case = voxelise(spine)
    return {m.key: m for m in measure(case, render(spine, case, T2, Scan(snr=30)))}


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


def test_a_body_has_both_neighbours_however_many_ways_its_height_is_measured(
    rows: dict[tuple[str, str, str], Measurement],
) -> None:
    live = Live({n: Row(m) for n, m in enumerate(rows.values())})
    shown = {m.key: m.value for m in live.values.values()}
    number = next(n for n, m in live.values.items() if m.key == ("L5", "body_height_posterior", "corner"))
    height = rows["L5", "body_height_posterior", "corner"]
    live.update({number: Row(height, Edit(30.0, height.p1, height.p2, "", height.value))})
    own, above = (rows[level, "body_height_posterior", "corner"].value for level in ("L4", "L3"))
    after = {m.key: m.value for m in live.values.values()}
    assert own is not None and above is not None
    assert after["L4", "body_crush_ratio", "posterior_neighbours"] == pytest.approx(own / ((above + 30.0) / 2))
    assert after["L4", "body_crush_ratio", "cortex"] == shown["L4", "body_crush_ratio", "cortex"]


def test_nothing_follows_from_what_is_not_known() -> None:
    assert derive("disc_height_mean", "mean3", (8.0, None, 6.0)) is None
    assert derive("farfan_index", "farfan", (8.0, 6.0, 0.0)) is None


def test_a_body_is_compared_with_the_neighbours_that_are_known() -> None:
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, None, 25.0)) == pytest.approx(0.8)
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, 24.0, 26.0)) == pytest.approx(0.8)
    assert derive("body_crush_ratio", "posterior_neighbours", (20.0, None)) is None


def test_measured_values_follow_from_nothing() -> None:
    assert inputs_of(("L4-L5", "disc_height_middle", "chord50"), ["L4", "L5"]) == ()
