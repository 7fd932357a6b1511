"""Reviewing a case: what the reader does, and what rows, lines and table show then."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from review_checks import ATTRIBUTE, cells, check_case, column, ends, moved

from SpineMeasureLib.errors import SpineMeasureError
from SpineMeasureLib.measure.definitions import definition
from SpineMeasureLib.review.case.state import automatic_of, difference_of, status_of, statuses_of

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
ANTERIOR = ("L4-L5", "disc_height_anterior", "chord10")
DEPTH = ("L4-L5", "disc_depth", "depth50")
MEAN3 = ("L4-L5", "disc_height_mean", "mean3")
INDEX = ("L4-L5", "disc_height_index", "dhi_mean3")
FARFAN = ("L4-L5", "farfan_index", "farfan")
CANAL = ("L4", "canal_ap", "mid_vertebral")
TORG = ("L4", "torg_pavlov_ratio", "canal_body")
POSTERIOR = ("L4", "body_height_posterior", "corner")
AREA = ("L4-L5", "disc_area", "area")


def test_every_editable_distance_has_a_line_of_two_fixed_points(session: Any) -> None:
    wanted = {m.key for m in session.rows if m.value is not None and definition(m.quantity, m.method).editable}
    assert set(session.nodes.lines) == wanted
    assert {q for _, q, _ in wanted} >= {"disc_height_posterior", "disc_depth", "canal_ap", "body_height_anterior"}
    check_case(session)


def test_nothing_is_edited_and_nothing_can_be_undone_at_first(session: Any, phantom: Any) -> None:
    assert session.rows == phantom[1]
    assert not session.can_undo and not session.can_redo
    assert not session.undo() and not session.redo()
    assert all(difference_of(m) is None for m in session.rows)


def test_levels_are_listed_from_head_to_sacrum(session: Any) -> None:
    assert session.levels == ["L3", "L3-L4", "L4", "L4-L5", "L5", "L5-S1"]
    assert session.rows[0].quantity == "disc_height_anterior"


def test_an_edit_keeps_the_automatic_value_and_the_difference(session: Any) -> None:
    before = session.row(MIDDLE)
    session.set_line(MIDDLE, *moved(session, MIDDLE, 1.5))
    row = session.row(MIDDLE)
    assert row.value == pytest.approx(before.value + 1.5)
    assert row.source == "edited" and "edited" in row.flags and status_of(session.row(MIDDLE)) == "edited"
    assert row.automatic == before == automatic_of(session.row(MIDDLE))
    assert difference_of(session.row(MIDDLE)) == pytest.approx(1.5)
    assert session.line(MIDDLE).GetAttribute(f"{ATTRIBUTE}edited").endswith("+00:00")
    check_case(session)


def test_values_that_follow_from_an_edited_one_follow(session: Any) -> None:
    before = {key: session.row(key).value for key in (MEAN3, INDEX, FARFAN)}
    session.set_line(ANTERIOR, *moved(session, ANTERIOR, 3.0))
    depth, body = session.row(DEPTH).value, session.row(("L4", "body_depth", "depth50")).value
    assert session.row(MEAN3).value == pytest.approx(before[MEAN3] + 1.0)
    assert session.row(INDEX).value == pytest.approx(before[INDEX] + 1.0 / body)
    assert session.row(FARFAN).value == pytest.approx(before[FARFAN] + 3.0 / depth)
    assert status_of(session.row(INDEX)) == "edited" and difference_of(session.row(MEAN3)) == pytest.approx(1.0)
    session.set_line(CANAL, *moved(session, CANAL, 2.0))
    assert difference_of(session.row(TORG)) == pytest.approx(2.0 / body)
    check_case(session)


def test_crush_ratios_of_the_neighbours_follow(session: Any) -> None:
    session.set_line(POSTERIOR, *moved(session, POSTERIOR, -5.0))
    third, fourth, fifth = (session.row((f"L{n}", *POSTERIOR[1:])).value for n in (3, 4, 5))
    ratios = [session.row((f"L{n}", "body_crush_ratio", "posterior_neighbours")).value for n in (3, 4, 5)]
    assert ratios == pytest.approx([third / fourth, 2 * fourth / (third + fifth), fifth / fourth])


def test_a_scripted_edit_lies_in_the_measuring_plane(session: Any) -> None:
    plane = session.row(MIDDLE).plane
    normal = np.cross(plane.x_axis, plane.y_axis)
    p1, p2 = session.row(MIDDLE).p1, tuple(np.array(session.row(MIDDLE).p2) + 7 * normal)
    session.set_line(MIDDLE, p1, p2)
    assert not session.can_undo
    session.set_line(MIDDLE, p1, tuple(np.array(p2) + plane.y_axis))
    assert (ends(session.line(MIDDLE)) - plane.origin) @ normal == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("point", [(math.nan, 0, 0), (0, math.inf, 0)])
def test_points_that_are_no_place_are_refused(session: Any, point: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        session.set_line(MIDDLE, session.row(MIDDLE).p1, point)
    with pytest.raises(ValueError, match="no line"):
        session.set_line(AREA, (0, 0, 0), (1, 1, 1))
    with pytest.raises(KeyError):
        session.set_line(("L9", "disc_area", "area"), (0, 0, 0), (1, 1, 1))
    check_case(session)


def test_a_value_that_could_not_be_measured_may_get_a_line(scene: Any, case: Any) -> None:
    from SpineMeasureLib.review.session import Session

    session = Session.build(scene, None, case.segmentation, case.measurements)
    key = ("L5", "body_height_middle", "chord50")
    assert session.row(key).value is None and session.line(key) is None
    session.set_line(key, (0, 0, -300), (0, 0, -325))
    assert session.row(key).value == 25 and "not_measurable" not in session.row(key).flags
    check_case(session)
    session.undo()
    assert session.line(key) is None
    check_case(session)
    session.close()


def test_reset_of_one_a_level_and_all(session: Any) -> None:
    other = ("L3-L4", *MIDDLE[1:])
    for key in (MIDDLE, ANTERIOR, other, CANAL):
        session.set_line(key, *moved(session, key))
    session.reset([MIDDLE])
    assert [status_of(session.row(k)) for k in (MIDDLE, ANTERIOR, other)] == ["automatic", "edited", "edited"]
    session.reset([m.key for m in session.rows if m.level == "L4-L5"])
    assert [status_of(session.row(k)) for k in (ANTERIOR, other)] == ["automatic", "edited"]
    assert status_of(session.row(MEAN3)) == "automatic"
    session.reset([m.key for m in session.rows])
    assert {status_of(m) for m in session.rows} <= {"automatic", "flagged"}
    check_case(session)
    for _ in range(3):
        session.undo()
    assert [status_of(session.row(k)) for k in (MIDDLE, ANTERIOR, other)] == ["edited"] * 3
    check_case(session)


def test_undo_has_no_limit(session: Any) -> None:
    start, seen = session.rows, []
    for n in range(150):
        key = (MIDDLE, ANTERIOR, DEPTH, CANAL)[n % 4]
        session.set_line(key, *moved(session, key, 0.1))
        seen.append(session.rows)
    for rows in reversed(seen):
        assert session.rows == rows
        assert session.undo()
    assert session.rows == start and not session.can_undo
    for rows in seen:
        assert session.redo()
        assert session.rows == rows
    check_case(session)


def test_an_edit_after_undo_drops_what_was_undone(session: Any) -> None:
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    session.undo()
    session.set_line(DEPTH, *moved(session, DEPTH))
    assert not session.can_redo and status_of(session.row(MIDDLE)) == "automatic"


def test_what_changes_nothing_is_no_step(session: Any) -> None:
    session.set_line(MIDDLE, session.row(MIDDLE).p1, session.row(MIDDLE).p2)
    session.reset([m.key for m in session.rows])
    session.withdraw([MIDDLE])
    session.rename_disc("L4-L5", "L4-L5")
    assert session.remeasure().changed == ()
    session.accept([])
    assert not session.can_undo


def test_acceptance_stores_reviewer_and_time(session: Any) -> None:
    session.accept([MIDDLE, AREA], "AB")
    assert status_of(session.row(MIDDLE)) == status_of(session.row(AREA)) == "accepted"
    line = session.line(MIDDLE)
    assert line.GetAttribute(f"{ATTRIBUTE}reviewer") == "AB" and line.GetAttribute(f"{ATTRIBUTE}accepted")
    assert cells(session.nodes.table)[AREA]["reviewer"] == "AB"
    check_case(session)
    session.withdraw([MIDDLE])
    assert status_of(session.row(MIDDLE)) == "automatic" and line.GetAttribute(f"{ATTRIBUTE}reviewer") is None
    session.undo()
    assert status_of(session.row(MIDDLE)) == "accepted"
    session.undo()
    assert status_of(session.row(AREA)) == "automatic"
    check_case(session)


def test_a_level_or_the_whole_case_is_accepted_in_one_step(session: Any) -> None:
    session.accept([m.key for m in session.rows if m.level == "L4-L5"], "AB")
    assert {status_of(m) for m in session.rows if m.level == "L4-L5" and m.value is not None} == {"accepted"}
    assert status_of(session.row(CANAL)) == "automatic"
    session.accept([m.key for m in session.rows], "CD")
    assert {m.accepted.reviewer for m in session.rows if m.value is not None} == {"CD"}
    assert not any(m.accepted for m in session.rows if m.value is None)
    assert {m.source for m in session.rows} == {"automatic"}
    check_case(session)
    session.undo()
    session.undo()
    assert not session.can_undo and not any(m.accepted for m in session.rows)


def test_acceptance_ends_where_the_value_becomes_another(session: Any) -> None:
    session.accept([m.key for m in session.rows], "AB")
    session.set_line(ANTERIOR, *moved(session, ANTERIOR))
    assert {status_of(session.row(k)) for k in (ANTERIOR, MEAN3, INDEX, FARFAN)} == {"edited"}
    assert status_of(session.row(MIDDLE)) == "accepted"
    session.accept([ANTERIOR], "CD")
    both = session.row(ANTERIOR)
    assert both.source == "edited" and both.accepted and both.accepted.reviewer == "CD"
    assert statuses_of(session.row(ANTERIOR)) == ("edited", "accepted") and session.row(MIDDLE).source == "automatic"
    row = cells(session.nodes.table)[ANTERIOR]
    assert (row["source"], row["accepted"], row["reviewer"]) == ("edited", "true", "CD")
    assert difference_of(session.row(ANTERIOR)) == pytest.approx(2.0)
    check_case(session)


def test_flagged_values_are_listed_until_someone_looked_at_them(scene: Any, case: Any) -> None:
    from SpineMeasureLib.review.session import Session

    session = Session.build(scene, None, case.segmentation, case.measurements)
    assert session.flagged == [DEPTH]
    session.accept([DEPTH])
    assert session.flagged == []
    session.undo()
    session.set_line(DEPTH, *moved(session, DEPTH))
    assert session.flagged == []
    session.close()


def test_lines_are_coloured_by_status(session: Any) -> None:
    def colour() -> tuple[float, ...]:
        return tuple(session.line(MIDDLE).GetDisplayNode().GetSelectedColor())

    automatic = colour()
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    edited = colour()
    session.accept([MIDDLE])
    accepted = colour()
    assert len({automatic, edited, accepted}) == 3
    session.undo()
    assert colour() == edited
    session.undo()
    assert colour() == automatic


def test_only_the_chosen_levels_and_quantities_are_shown(session: Any) -> None:
    def shown() -> set[Any]:
        return {key for key, line in session.nodes.lines.items() if line.GetDisplayNode().GetVisibility()}

    everything = shown()
    session.show(levels=["L4-L5"])
    assert {level for level, _, _ in shown()} == {"L4-L5"}
    session.show(quantities=["canal_ap"])
    assert {quantity for _, quantity, _ in shown()} == {"canal_ap"}
    session.show(levels=["L4"], quantities=["canal_ap"])
    assert shown() == {CANAL}
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    assert shown() == {CANAL}
    session.show()
    assert shown() == everything == set(session.nodes.lines)


def test_the_highlighted_line_is_the_thick_one(session: Any) -> None:
    def thick() -> set[Any]:
        return {key for key, line in session.nodes.lines.items() if line.GetDisplayNode().GetLineThickness() > 0.3}

    session.highlight(MIDDLE)
    assert thick() == {MIDDLE}
    session.highlight(DEPTH)
    assert thick() == {DEPTH}
    session.set_line(DEPTH, *moved(session, DEPTH))
    assert thick() == {DEPTH}
    session.highlight(AREA)
    assert thick() == set()
    session.highlight(None)
    assert thick() == set()


def test_observers_are_told_which_rows_changed(session: Any) -> None:
    told: list[Any] = []
    token = session.observe(told.append)
    session.set_line(ANTERIOR, *moved(session, ANTERIOR))
    assert told == [{ANTERIOR, MEAN3, INDEX, FARFAN}]
    session.accept([AREA])
    assert told[1:] == [{AREA}]
    session.shift_levels(-1)
    assert told[2:] == [frozenset()]
    session.unobserve(token)
    session.undo()
    assert len(told) == 3


def test_single_cells_of_the_table_are_written(session: Any) -> None:
    table = session.nodes.table
    columns = [table.GetTable().GetColumn(n) for n in range(table.GetNumberOfColumns())]
    before = cells(table)
    session.set_line(ANTERIOR, *moved(session, ANTERIOR))
    assert all(table.GetTable().GetColumn(n) is c for n, c in enumerate(columns))
    after = cells(table)
    assert {k for k in after if repr(after[k]) != repr(before[k])} == {ANTERIOR, MEAN3, INDEX, FARFAN}
    assert column(table, "value").GetDataTypeAsString() == "double"


def test_moving_a_point_by_script_is_an_edit_in_the_plane(session: Any) -> None:
    told: list[Any] = []
    line, plane = session.line(MIDDLE), session.row(MIDDLE).plane
    session.observe(lambda keys: told.append((session.row(MIDDLE).value, math.dist(*ends(line)))))
    normal = np.cross(plane.x_axis, plane.y_axis)
    aim = np.array(session.row(MIDDLE).p2) - 2 * np.array(plane.y_axis)
    line.SetNthControlPointPositionWorld(1, *(aim + 3 * normal))
    np.testing.assert_allclose(ends(line)[1], aim, atol=1e-9)
    # The value told is that of the moved point, not of the one before.
    assert told and all(value == pytest.approx(length) for value, length in told)
    assert session.can_undo and status_of(session.row(MIDDLE)) == "edited"
    check_case(session)
    session.undo()
    assert not session.can_undo
    check_case(session)


def test_a_closed_session_leaves_no_observer_and_changes_nothing(session: Any) -> None:
    line = session.line(MIDDLE)
    before = session.row(MIDDLE)
    session.close()
    assert len(session._editor.observers) == 0
    line.SetNthControlPointPositionWorld(1, 1, 2, 3)
    assert session.row(MIDDLE) == before
    with pytest.raises(SpineMeasureError, match="closed"):
        session.accept([MIDDLE])
    assert not session.undo()


def test_a_row_keeps_its_identity_through_renaming_and_undo(session: Any) -> None:
    row, value = session.id_of(MIDDLE), session.row(MIDDLE).value
    session.shift_levels(-1)
    moved_key = session.key_of_id(row)
    assert moved_key == ("L3-L4", *MIDDLE[1:]) and session.row(moved_key).value == value
    # The old name is another disc now.
    assert session.id_of(MIDDLE) != row and session.row(MIDDLE).value != value
    session.undo()
    assert session.key_of_id(row) == MIDDLE
    assert session.key_of_id(-1) is None
    with pytest.raises(KeyError):
        session.id_of(("L9", "none", "none"))
