"""Edited and accepted are two things, in a review, in the tables it writes and in files of earlier versions."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.export.tables import write_csv
from SpineMeasureLib.measure.types import Acceptance, Measurement, measurement_from_dict
from SpineMeasureLib.review.case.derived import Live, new_state
from SpineMeasureLib.review.case.record import head_text, read_state, row_text
from SpineMeasureLib.review.case.remeasure import remeasured
from SpineMeasureLib.review.case.state import Edit, Row, State, status_of, status_text, statuses_of
from SpineMeasureLib.review.case.steps import accepted, edited_rows, reset, withdrawn

LINE = Measurement("L4-L5", "disc_height_middle", "chord50", 8.0, "mm", (0.0, 0.0, 8.0), (0.0, 0.0, 0.0))
EDIT = Edit(9.0, (0.0, 0.0, 9.0), (0.0, 0.0, 0.0), "2026-03-01T10:00:00+00:00", 8.0)


def case() -> State:
    return new_state([LINE], {}, True, "sacrum")


def shown(state: State) -> Measurement:
    return Live(state.rows).values[0]


def edited(state: State) -> State:
    return state.with_rows(edited_rows(state, Live(state.rows), 0, EDIT))


def accepted_by(state: State, reviewer: str) -> State:
    return accepted(state, Live(state.rows), [0], reviewer)


def test_an_edit_is_not_an_acceptance_and_an_acceptance_is_not_an_edit() -> None:
    assert (shown(case()).source, shown(case()).accepted) == ("automatic", None)
    moved = shown(edited(case()))
    assert (moved.source, moved.accepted, moved.automatic) == ("edited", None, LINE)
    taken = shown(accepted_by(case(), "AB"))
    assert taken.source == "automatic" and taken.accepted and taken.accepted.reviewer == "AB"
    both = shown(accepted_by(edited(case()), "AB"))
    assert (both.source, both.value) == ("edited", 9.0) and both.accepted
    again = shown(edited(accepted_by(case(), "AB")))
    assert (again.source, again.accepted) == ("edited", None)  # another value, which nobody accepted
    assert shown(withdrawn(accepted_by(edited(case()), "AB"), [0])) == moved


@pytest.mark.parametrize(
    ("measurement", "told"),
    [
        (LINE, ("automatic",)),
        (LINE.flagged("low_confidence"), ("flagged",)),
        (replace(LINE, source="edited"), ("edited",)),
        (replace(LINE, accepted=Acceptance("", "")), ("accepted",)),
        (replace(LINE, source="edited", accepted=Acceptance("", "")), ("edited", "accepted")),
        (replace(LINE.flagged("low_confidence"), accepted=Acceptance("", "")), ("accepted",)),
    ],
)
def test_the_status_tells_both(measurement: Measurement, told: tuple[str, ...]) -> None:
    assert statuses_of(measurement) == told
    assert (status_of(measurement), status_text(measurement)) == (told[-1], ", ".join(told))


def test_a_value_that_was_accepted_before_the_segmentation_changed_is_no_edit() -> None:
    state = accepted_by(case(), "AB")
    state, _ = remeasured(state, Live(state.rows).values, [replace(LINE, value=7.0, p1=(0.0, 0.0, 7.0))])
    kept = shown(state)
    assert (kept.value, kept.source) == (8.0, "automatic") and kept.accepted and kept.automatic
    assert kept.automatic.value == 7.0
    reopened = shown(new_state([kept], {}, True, "sacrum"))
    assert (reopened.value, reopened.source, reopened.accepted) == (8.0, "automatic", kept.accepted)


def test_values_that_are_handed_on_stay_edited_and_accepted() -> None:
    both = shown(accepted_by(edited(case()), "AB"))
    again = shown(new_state([both], {}, True, "sacrum"))
    assert (again.source, again.value, again.accepted) == ("edited", 9.0, both.accepted)
    state = accepted_by(edited(case()), "AB")
    assert read_state(head_text(state), f"[{row_text(0, state.rows[0])}]") == state


def test_values_that_follow_from_an_edited_one_follow_it_after_the_case_was_read_again() -> None:
    heights = [replace(LINE, quantity=f"disc_height_{at}", method=how)
               for at, how in (("anterior", "chord10"), ("middle", "chord50"), ("posterior", "chord90"))]  # fmt: skip
    mean = Measurement("L4-L5", "disc_height_mean", "mean3", 8.0, "mm")
    state = new_state([*heights, mean], {}, True, "sacrum")
    state = edited(state)
    values = Live(state.rows).values
    assert values[3].value == pytest.approx(25 / 3) and values[3].source == "edited"
    again = new_state(values.values(), {}, True, "sacrum")
    assert list(Live(again.rows).values.values()) == list(values.values())
    assert again.rows[0].edit and again.rows[3].edit is None
    back = reset(again, Live(again.rows), [0])
    assert [m.value for m in Live(back.rows).values.values()] == [8.0] * 4
    # Alone, without the values that it follows from, an edited value stays what it was.
    (alone,) = Live(new_state([values[3]], {}, True, "sacrum").rows).values.values()
    assert (alone.value, alone.source) == (values[3].value, "edited")


def test_a_scene_of_version_0_1_opens() -> None:
    """Its record as that version wrote it."""
    head = '{"version":1,"segments":{},"verified":true,"anchor":"sacrum","following":1}'
    row = (
        '{"number":0,"automatic":{"level":"L4-L5","quantity":"disc_height_middle","method":"chord50","value":8.0,'
        '"unit":"mm","p1":[0.0,0.0,8.0],"p2":[0.0,0.0,0.0]},"edit":{"value":9.0,"p1":[0.0,0.0,9.0],"p2":[0.0,0.0,0.0],'
        '"time":"2026-03-01T10:00:00+00:00","base":8.0},'
        '"accepted":{"reviewer":"AB","time":"2026-03-01T10:05:00+00:00"}}'
    )
    state = read_state(head, f"[{row}]")
    assert state.rows[0] == Row(LINE, EDIT, Acceptance("AB", "2026-03-01T10:05:00+00:00"))
    assert shown(state).source == "edited" and shown(state).accepted


def test_measurements_of_version_0_1_open() -> None:
    """There acceptance replaced "edited" as the source, with neither name nor time."""
    plain = {"level": "L4-L5", "quantity": "disc_height_middle", "method": "chord50", "value": 8.0, "unit": "mm"}
    old: dict[str, Any] = {**plain, "source": "accepted", "flags": []}
    assert (measurement_from_dict(old).source, measurement_from_dict(old).accepted) == ("automatic", Acceptance("", ""))
    ancestor = {**plain, "source": "automatic", "flags": []}
    both = measurement_from_dict({**old, "flags": ["edited"], "value": 9.0, "automatic": ancestor})
    assert both.source == "edited" and both.accepted == Acceptance("", "")
    untouched = measurement_from_dict({**plain, "source": "edited", "flags": ["edited"], "automatic": ancestor})
    assert untouched.source == "edited" and untouched.accepted is None


def test_the_table_tells_both(tmp_path: Path) -> None:
    time = "2026-03-01T10:05:00+00:00"
    both = replace(LINE, value=9.0, source="edited", automatic=LINE, accepted=Acceptance("AB", time))
    write_csv([LINE, replace(both, accepted=None), both], tmp_path / "measurements.csv", "case1")
    with (tmp_path / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("value", "automatic_value", "source", "accepted", "reviewer", "accepted_time")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("8", "8", "automatic", "false", "", ""),
        ("9", "8", "edited", "false", "", ""),
        ("9", "8", "edited", "true", "AB", time),
    ]
