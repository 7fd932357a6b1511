"""The desk: going about in a case, its filters, and what it has a face draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from desk_checks import Recorder, drag, drawn, end_drag, highlighted, move_end, start_drag

from SpineMeasureLib.review.case.state import status_of
from SpineMeasureLib.review.mrml.slices import aim_at
from SpineMeasureLib.review.panel import ALL_LEVELS, SHORTCUTS

KEY = ("L4-L5", "disc_height_middle", "chord50")
CANAL = ("L4-L5", "canal_ap", "disc_level")


@pytest.fixture
def view(session: Any) -> Iterator[Recorder]:
    """A desk with the phantom, at its middle level."""
    made = Recorder()
    made.desk.open(session)
    made.desk.go_to_middle()
    made.calls.clear()
    yield made
    made.desk.open(None)


def test_without_a_case_nothing_happens_and_the_reason_is_known() -> None:
    view = Recorder()
    for action in ("accept", "undo", "rename", "next_flagged", "next_level", "remeasure"):
        view.desk.act(action)
        assert view.desk.reason(action) == "There is no case yet."
    view.desk.go_to(KEY)
    view.desk.go_to_level("L4")
    view.desk.go_to_middle()
    assert view.desk.current is None and view.desk.levels == [] and view.message == ""
    assert view.desk.counts == {} and view.desk.level_note == ""


def test_a_case_is_listed_and_goes_to_no_place_until_it_is_told(session: Any) -> None:
    view = Recorder()
    view.desk.open(session)
    desk = view.desk
    assert desk.keys and {key[1] for key in desk.keys} >= {"disc_height_middle", "canal_ap"}
    assert desk.current is None and desk.level == "" and view.aims == []
    assert desk.levels == session.levels and desk.counts["values"] == len(session.rows)
    assert view.calls.count("drawn") == 1 and view.calls.count("fill") == 1
    desk.go_to_middle()
    assert desk.level == session.levels[len(session.levels) // 2] == desk.current[0] and len(view.aims) == 1


def test_another_case_or_none_ends_the_filters_and_the_old_one_is_not_followed(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(group="Disc", level="L4-L5", statuses=["automatic"], only_level=True)
    desk.open(None)
    assert desk.keys == [] and desk.current is None and desk.selection == []
    view.calls.clear()
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert view.calls == []
    desk.open(session)
    assert (desk.filter.level, desk.filter.statuses) == (ALL_LEVELS, ())
    assert (desk.filter.group, desk.filter.only_level) == ("Disc", True)


def test_rows_and_lines_are_filtered_by_group_and_level(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(group="All values")
    assert desk.keys == [m.key for m in session.rows]
    desk.show_only(group="Canal and cord")
    assert {key[1].partition("_")[0] for key in desk.keys} <= {"canal", "cord", "torg"}
    assert KEY not in drawn(session) and CANAL in drawn(session)
    desk.show_only(group="Disc", level="L4-L5")
    assert {key[0] for key in desk.keys} == {"L4-L5"} and KEY in desk.keys
    assert KEY in drawn(session) and ("L3-L4", *KEY[1:]) not in drawn(session)


def test_the_same_filter_again_draws_nothing_and_another_one_draws_once(view: Recorder) -> None:
    view.desk.show_only(group="Lines", level=ALL_LEVELS, statuses=(), labels=True, only_level=False)
    assert view.calls == []
    view.desk.show_only(group="Vertebra")
    assert view.calls.count("fill") == view.calls.count("drawn") == 1


def test_an_unknown_filter_or_scope_stands_for_no_restriction(view: Recorder) -> None:
    desk, before = view.desk, list(view.desk.keys)
    desk.show_only(group="Disc", level="L4-L5", statuses=["automatic"])
    desk.show_only(group="None", level="L9-S7", statuses=["none"])
    assert desk.keys == before and desk.filter.statuses == ()
    desk.set_scope("case")
    desk.set_scope("everything")
    assert desk.scope == "selected values"


def test_a_value_stays_listed_under_a_status_until_the_filter_is_applied_again(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.go_to(KEY)
    desk.show_only(statuses=["automatic"])
    listed = list(desk.keys)
    assert listed and all(status_of(session.row(key)) == "automatic" for key in listed)
    desk.act("accept")
    assert desk.keys == listed and KEY in listed
    desk.fill()
    assert desk.keys == [key for key in listed if key != KEY] and desk.selection == []
    desk.show_only(statuses=["accepted"])
    assert desk.keys == [KEY]


def test_a_row_that_is_gone_to_turns_the_views_and_its_line_stands_out(view: Recorder, session: Any) -> None:
    key = ("L4-L5", "disc_height_posterior", "chord90")
    view.desk.go_to(key)
    aim = aim_at(session, key)
    assert aim is not None
    np.testing.assert_allclose(view.aims[-1].centre, aim.centre)
    np.testing.assert_allclose(view.aims[-1].normals["Axial"], aim.normals["Axial"])
    assert highlighted(session) == [key] and view.desk.selected == [key]
    assert (view.desk.current, view.desk.level, view.desk.new_name) == (key, "L4-L5", "L4-L5")
    assert view.calls.count("drawn") == 1 and "fill" not in view.calls
    view.desk.go_to(("L4", "canal_ap", "mid_vertebral"))
    assert (view.desk.level, view.desk.new_name) == ("L4", "")


def test_a_value_without_a_plane_leaves_the_views(view: Recorder, session: Any) -> None:
    key = next(m.key for m in session.rows if m.plane is None)
    before = len(view.aims)
    view.desk.go_to(key)
    assert view.desk.current == key and len(view.aims) == before
    with pytest.raises(KeyError):
        view.desk.go_to(("L9", *KEY[1:]))


def test_a_row_outside_the_filter_is_listed_as_such_while_it_is_current(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(group="Vertebra")
    assert highlighted(session) != [KEY] and KEY not in desk.keys
    inside = list(desk.keys)
    desk.go_to(KEY)
    assert {*desk.keys} == {*inside, KEY} and desk.selected == [KEY] and highlighted(session) == [KEY]
    assert [desk.key_of(row) for row, pinned in desk.rows.items() if pinned] == [KEY]
    desk.fill()
    assert KEY in desk.keys
    desk.go_to(inside[0])
    assert desk.keys == inside and not any(desk.rows.values())
    desk.go_to(KEY)
    desk.show_only(group="Alignment")
    assert KEY not in desk.keys and desk.current == KEY
    desk.show_only(group="Disc")
    assert KEY in desk.keys and not any(desk.rows.values()) and desk.selected == [KEY]


def test_clicks_select_one_row_or_several(view: Recorder) -> None:
    desk = view.desk
    first, second, third = list(desk.rows)[:3]
    desk.click(first)
    desk.click(second, add=True)
    assert desk.selection == [first, second] and desk.row == second
    desk.click(first, add=True)
    assert desk.selection == [second] and desk.row == first
    desk.click(third)
    assert desk.selection == [third]
    desk.click(999_999)
    assert desk.row == third
    desk.select([first, second, 999_999])
    assert desk.selection == [first, second] and desk.row == third
    desk.go_to(desk.key_of(first), [first, second])
    assert desk.selection == [first, second] and desk.row == first


def test_levels_are_stepped_through_from_head_to_sacrum_and_stop_at_the_ends(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.go_to_level(session.levels[0])
    assert desk.reason("previous_level") == "There is no level above."
    seen = [desk.level]
    while not desk.reason("next_level"):
        desk.act("next_level")
        seen.append(desk.level)
    assert seen == session.levels
    desk.act("next_level")
    assert desk.level == session.levels[-1] and "no level below" in view.message
    desk.act("previous_level")
    assert desk.level == session.levels[-2] and view.message == ""
    desk.go_to_level("L9")
    assert desk.level == session.levels[-2]


def test_a_filter_by_level_goes_along_and_a_listed_row_stands_for_a_level(view: Recorder) -> None:
    desk = view.desk
    desk.show_only(level="L4-L5")
    desk.go_to_level("L3-L4")
    assert desk.filter.level == "L3-L4" and {key[0] for key in desk.keys} == {"L3-L4"}
    desk.show_only(level=ALL_LEVELS, group="Canal and cord")
    desk.go_to_level("L4-L5")
    assert desk.current in desk.keys and desk.current[1].startswith(("canal", "cord")) and not any(desk.rows.values())
    desk.show_only(group="Vertebra")
    desk.go_to_level("L4-L5")
    assert desk.current == KEY and list(desk.rows.values()).count(True) == 1


def test_next_flagged_goes_to_each_in_turn_and_leaves_the_filters_alone(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(group="Vertebra", level="L4")
    listed = list(desk.keys)
    visited = []
    for _ in session.flagged:
        desk.act("next_flagged")
        visited.append(desk.current)
        assert desk.selected == [desk.current] and {*desk.keys} == {*listed, desk.current}
        line = session.line(desk.current)
        assert line is None or line.GetDisplayVisibility()
    assert sorted(visited) == sorted(session.flagged) and visited
    assert (desk.filter.group, desk.filter.level) == ("Vertebra", "L4")
    desk.show_only(level="L5")
    assert {key[0] for key in desk.keys} == {"L5"}


def test_lines_of_the_current_level_alone_can_be_drawn(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.go_to_level("L4-L5")
    assert len({key[0] for key in drawn(session)}) > 4
    desk.show_only(only_level=True)
    assert {key[0] for key in drawn(session)} == {"L4-L5"}
    desk.act("next_level")
    assert {key[0] for key in drawn(session)} == {desk.level} != {"L4-L5"}
    desk.show_only(only_level=False)
    assert len({key[0] for key in drawn(session)}) > 4


def test_a_drag_draws_its_rows_only_and_the_rest_when_the_mouse_is_released(view: Recorder, session: Any) -> None:
    view.desk.go_to(KEY)
    view.calls.clear()
    line = session.line(KEY)
    start_drag(line)
    for _ in range(5):
        drag(line, (0.0, 0.0, 0.5))
        assert KEY in view.updated[-1] and len(view.updated[-1]) < 20
    assert view.calls == ["update_rows"] * 5
    end_drag(line)
    assert view.calls[5:] == ["update_rows", "show_state"] and KEY in view.updated[-1]


def test_a_dragged_line_is_the_one_that_keys_act_on(view: Recorder, session: Any) -> None:
    desk, other = view.desk, ("L3-L4", *KEY[1:])
    desk.go_to(other)
    view.aims.clear()
    line = session.line(KEY)
    start_drag(line)
    drag(line, (0.0, 0.0, 2.0))
    drag(line, (0.0, 0.0, 1.0))
    assert desk.selected == [KEY] and desk.level == desk.new_name == "L4-L5" and highlighted(session) == [KEY]
    assert view.aims == [] and view.calls.count("show_place") == 2
    end_drag(line)
    desk.act("reset")
    assert status_of(session.row(KEY)) == "automatic"
    desk.act("accept")
    assert status_of(session.row(KEY)) == "accepted" and status_of(session.row(other)) != "accepted"


def test_a_dragged_line_whose_row_the_filter_hides_is_listed(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(statuses=["accepted"])
    assert desk.keys == []
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert desk.keys == desk.selected == [KEY] == highlighted(session)
    desk.act("reset")
    assert status_of(session.row(KEY)) == "automatic"


def test_a_line_that_a_script_moves_is_drawn_too(view: Recorder, session: Any) -> None:
    row = session.row(KEY)
    session.set_line(KEY, row.p1, tuple(np.array(row.p2) + (0, 0, -2)))
    assert KEY in view.updated[-1] and view.calls[-1] == "show_state" and "fill" not in view.calls


def test_every_key_of_a_face_is_an_action() -> None:
    from SpineMeasureLib.review.actions import ACTIONS

    assert {action for action, _ in SHORTCUTS.values()} <= set(ACTIONS)
    assert {"accept", "reset", "undo", "redo", "next_flagged"} <= {action for action, _ in SHORTCUTS.values()}


@pytest.mark.parametrize("action", ["export", "__init__", "attempt", "go_to", ""])
def test_what_is_not_an_action_is_ignored(view: Recorder, action: str) -> None:
    view.desk.act(action)
    assert view.calls == []
