"""The desk: what its actions do to the case, what they say, and why one cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from desk_checks import Recorder, half_of, highlighted, move_end

from SpineMeasureLib.errors import OutputError
from SpineMeasureLib.review.case.state import status_of
from SpineMeasureLib.review.session import Session

KEY = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture
def view(session: Any) -> Iterator[Recorder]:
    """A desk with the phantom, at the middle height of L4-L5."""
    made = Recorder()
    made.desk.open(session)
    made.desk.go_to(KEY)
    yield made
    made.desk.open(None)


@pytest.fixture
def long_spine(scene: Any) -> Iterator[Recorder]:
    """A desk with a spine from L1 to the sacrum, which has a lordosis."""
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.phantom import Grid, lumbar, voxelise

    segmentation = voxelise(lumbar(upper="L1"), Grid((4.0, 1.0, 1.0)))
    made = Recorder()
    session = Session.build(scene, None, segmentation, measure(segmentation), "Case")
    made.desk.open(session)
    made.desk.go_to_middle()
    yield made
    session.close()


def accepted(session: Any) -> set[Any]:
    return {m.key for m in session.rows if m.accepted is not None}


@pytest.mark.parametrize("scope", ["selected values", "level", "case"])
def test_accept_withdraw_and_reset_apply_to_what_was_chosen(view: Recorder, session: Any, scope: str) -> None:
    desk = view.desk
    desk.set_scope(scope)
    desk.reviewer = " AB "
    desk.act("accept")
    everything = {m.key for m in session.rows if m.value is not None}
    at_level = {key for key in everything if key[0] == "L4-L5"}
    assert accepted(session) == {"selected values": {KEY}, "level": at_level, "case": everything}[scope]
    assert session.row(KEY).accepted.reviewer == "AB" and view.message == ""
    desk.act("withdraw")
    assert accepted(session) == set()
    others = [("L4-L5", "disc_height_posterior", "chord90"), ("L3-L4", *KEY[1:])]
    for key in (KEY, *others):
        move_end(session.line(key), (0.0, 0.0, 2.0))
    desk.go_to(KEY)
    desk.act("reset")
    assert status_of(session.row(KEY)) != "edited"
    left = [key for key in others if status_of(session.row(key)) == "edited"]
    assert left == {"selected values": others, "level": others[1:], "case": []}[scope]


def test_accepting_without_initials_is_told(view: Recorder, session: Any) -> None:
    view.desk.act("accept")
    assert status_of(session.row(KEY)) == "accepted" and "without initials" in view.message
    assert view.desk.said is not None and view.desk.said.kind == "note"


def test_an_edit_is_undone_done_again_and_reset(view: Recorder, session: Any) -> None:
    before = session.row(KEY).value
    assert view.desk.reason("undo") == "There is nothing to undo."
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    after = session.row(KEY).value
    assert not view.desk.reason("undo") and view.desk.reason("redo") == "There is nothing to redo."
    view.desk.act("undo")
    assert session.row(KEY).value == before and not view.desk.reason("redo")
    view.desk.act("redo")
    assert session.row(KEY).value == after
    view.desk.act("reset")
    assert session.row(KEY).value == before


def test_an_action_is_drawn_once(view: Recorder) -> None:
    for action in ("accept", "undo", "redo", "shift_up", "undo", "next_level", "next_flagged", "remeasure"):
        view.calls.clear()
        view.desk.act(action)
        assert view.calls.count("drawn") == 1, action


def test_what_has_no_effect_says_why(view: Recorder, session: Any) -> None:
    desk = view.desk
    empty = next(m.key for m in session.rows if m.value is None)
    desk.go_to(empty)
    for action, reason in (("accept", "no value"), ("withdraw", "is accepted"), ("reset", "was edited")):
        assert reason in desk.reason(action)
        desk.act(action)
        assert view.message == desk.reason(action) and not session.can_undo
        assert desk.said is not None and desk.said.kind == "note"
    desk.select([])
    assert desk.reason("accept") == "Select a value in the table first."
    desk.go_to(KEY)
    assert not desk.reason("accept")
    desk.act("accept")
    assert not desk.reason("withdraw") and desk.reason("reset")
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert not desk.reason("reset") and not desk.reason("export")


def test_every_message_goes_with_the_next_action(view: Recorder, session: Any) -> None:
    desk = view.desk

    def fail() -> None:
        raise OutputError("The table could not be written.", "Choose another folder.")

    desk.act("accept")
    assert "without initials" in view.message
    desk.act("undo")
    assert view.message == ""
    assert desk.attempt(lambda: None)
    desk.say("Written: {path}", kind="result", path="/somewhere/{odd}")
    assert view.message == "Written: /somewhere/{odd}"
    assert not desk.attempt(fail)
    assert view.message == "The table could not be written. Choose another folder."
    assert desk.said is not None and desk.said.kind == "error"
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert view.message == "", "a drag is the next action"
    desk.say("The file {is} here.")
    assert view.message == "The file {is} here." and desk.said.sentence(str.upper) == "THE FILE {IS} HERE."
    desk.dismiss()
    assert view.message == ""


def test_an_error_that_is_not_for_the_user_goes_up_and_the_views_are_drawn(view: Recorder) -> None:
    with pytest.raises(ZeroDivisionError):
        view.desk.attempt(lambda: 1 / 0)
    assert view.calls[-2:] == ["show_state", "drawn"]


# Level names


def shows_one_structure(view: Recorder, session: Any, row: int) -> None:
    """Level, selected row, current value and highlighted line are all of one row, whatever its level is called."""
    desk, key = view.desk, session.key_of_id(row)
    assert desk.row == row and desk.current == key and desk.selected == [key] and highlighted(session) == [key]
    assert desk.level == desk.new_name == key[0]


@pytest.mark.parametrize("how", ["up", "down", "L5-S1 is L4-L5", "twice"])
def test_after_the_levels_are_renamed_everything_shows_the_same_disc(view: Recorder, session: Any, how: str) -> None:
    desk = view.desk
    level = "L5-S1" if how.startswith("L5") else "L3-L4" if how == "down" else "L4-L5"
    desk.go_to_level(level)
    row = desk.row
    line, value = session.line(desk.current), session.row(desk.current).value
    shows_one_structure(view, session, row)
    steps = 2 if how == "twice" else 1
    if how == "L5-S1 is L4-L5":
        desk.new_name = "L4-L5"
        desk.act("rename")
    else:
        for _ in range(steps):
            desk.act("shift_down" if how == "down" else "shift_up")
    assert desk.current[0] != level
    for action in ("undo", "redo"):
        shows_one_structure(view, session, row)
        for _ in range(steps):
            desk.act(action)
            shows_one_structure(view, session, row)
    assert session.line(desk.current) is line
    desk.act("accept")
    assert [session.id_of(key) for key in accepted(session)] == [row] and session.row(desk.current).value == value


def test_selected_rows_and_the_level_filter_follow_their_structures(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(level="L4-L5")
    rows = [row for n, row in enumerate(desk.rows) if n in (0, 2)]
    desk.select(rows)
    desk.act("shift_up")
    assert desk.filter.level == "L3-L4" and {key[0] for key in desk.keys} == {"L3-L4"} and desk.selection == rows
    desk.act("undo")
    assert desk.filter.level == "L4-L5" and desk.selection == rows


def test_a_name_that_does_not_fit_is_refused_and_changes_nothing(view: Recorder, session: Any) -> None:
    value = session.row(KEY).value
    view.desk.new_name = "C2-C3"
    view.desk.act("rename")
    assert view.message and session.row(KEY).value == value and view.desk.current == KEY
    view.desk.go_to_level("L4")
    assert view.desk.reason("rename") == "Choose the level of a disc first."


def test_values_that_the_new_names_do_not_have_are_told_and_undo_restores_them(long_spine: Recorder) -> None:
    desk, session = long_spine.desk, long_spine.desk.session
    assert session is not None
    desk.show_only(group="All values")
    key = next(m.key for m in session.rows if m.quantity == "lordosis")
    desk.go_to(key)
    desk.act("shift_up")
    assert key not in [m.key for m in session.rows]
    assert "Not available under the new level names: L1-S1 Lordosis" in long_spine.message
    assert desk.row is not None
    shows_one_structure(long_spine, session, desk.row)
    assert desk.level == desk.levels[-1], "the level at the same place"
    desk.act("undo")
    assert long_spine.message == "" and key in desk.keys


def test_a_level_whose_value_is_gone_stays_current(view: Recorder, session: Any) -> None:
    desk = view.desk
    desk.show_only(group="All values")
    key = next(m.key for m in session.rows if m.key[0] == "L4-L5" and session.line(m.key) is None)
    desk.go_to(key)
    for name in ("L4-L5", "L5"):
        segmentation = session.nodes.segmentation.GetSegmentation()
        segmentation.RemoveSegment(segmentation.GetSegmentIdBySegmentName(name))
    desk.act("remeasure")
    assert desk.current is not None and desk.level in desk.levels and desk.selected == [desk.current]
    desk.act("undo")
    assert key in desk.keys


# Segments


def test_values_of_painted_segments_are_not_accepted_or_exported_before_they_are_measured_again(
    view: Recorder, session: Any
) -> None:
    desk = view.desk
    volume = next(m.key for m in session.rows if m.key[:2] == ("L4-L5", "disc_volume"))
    before, left = session.row(volume).value, half_of(session, "L4-L5")
    desk.say("Something else.")
    desk.check_segments()
    assert desk.stale and "Re-measure first" in view.message and "Something" not in view.message
    assert "Re-measure" in desk.reason("export") == desk.reason("accept")
    desk.act("accept")
    assert accepted(session) == set() and view.message.count("Re-measure first") == 1
    desk.act("remeasure")
    assert not desk.stale and "values changed" in view.message and "Re-measure first" not in view.message
    assert session.row(volume).value == pytest.approx(left * before, rel=0.02)
    assert not desk.reason("export")
    desk.act("undo")
    assert desk.stale and "values changed" not in view.message and "Re-measure first" in view.message


def test_a_key_notices_painting_that_sent_no_event(view: Recorder, session: Any) -> None:
    half_of(session, "L4-L5")
    view.desk.act("accept")
    assert view.desk.stale and accepted(session) == set() and "Re-measure first" in view.message


def test_measuring_again_keeps_edits(view: Recorder, session: Any) -> None:
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    edited = session.row(KEY).value
    half_of(session, "L4-L5")
    view.desk.act("remeasure")
    assert session.row(KEY).value == edited and "1 lines that you edited" in view.message


def test_without_its_segmentation_a_case_cannot_be_measured_again(view: Recorder, session: Any, scene: Any) -> None:
    assert not view.desk.reason("remeasure")
    scene.RemoveNode(session.nodes.segmentation)
    assert "was deleted" in view.desk.reason("remeasure") and view.desk.keys
    view.desk.act("remeasure")
    assert "was deleted" in view.message
