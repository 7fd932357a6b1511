"""Dragging lines with the mouse in a slice view: Slicer's own markups widgets, synthetic events, real session."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from review_checks import cells, check_case, ends
from slice_view import SliceView, slice_view

from SpineMeasureLib.review.case.state import difference_of, status_of

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
MEAN3 = ("L4-L5", "disc_height_mean", "mean3")


@pytest.fixture
def view(can_render: None, application: Any, scene: Any, session: Any) -> Iterator[SliceView]:
    """A slice view in the measuring plane of the disc L4-L5, with the line of its middle height only."""
    with slice_view(scene, application.logic) as view:
        look_at(view, session)
        yield view


def look_at(view: SliceView, session: Any, turn: float = 0.0) -> None:
    """Put the view into the plane of the line, turned about the line by some degrees; show that line only."""
    session.show(levels=["L4-L5"], quantities=["disc_height_middle"])
    view.show(session.nodes.volume, session.row(MIDDLE).p1)
    plane = session.row(MIDDLE).plane
    x, y = np.array(plane.x_axis), np.array(plane.y_axis)
    normal = np.cross(x, y)
    x = np.cos(np.radians(turn)) * x + np.sin(np.radians(turn)) * normal
    middle = ends(session.line(MIDDLE)).mean(axis=0)
    view.node.SetSliceToRASByNTP(*np.cross(x, y), *x, *middle, 0)
    view.node.SetFieldOfView(60, 60, 1)
    view.node.UpdateMatrices()
    view.window.Render()


def off_plane(session: Any) -> np.ndarray:
    """Distance of both ends from the measuring plane, mm."""
    plane = session.row(MIDDLE).plane
    return np.abs((ends(session.line(MIDDLE)) - plane.origin) @ np.cross(plane.x_axis, plane.y_axis))


def test_the_row_follows_the_handle_while_it_moves(view: SliceView, session: Any) -> None:
    line, before = session.line(MIDDLE), session.row(MIDDLE)
    told: list[tuple[float, float, float]] = []

    def note(keys: frozenset[Any]) -> None:
        shown = cells(session.nodes.table)[MIDDLE]["value"]
        told.append((session.row(MIDDLE).value, shown, math.dist(*ends(line))))
        assert MIDDLE in keys and MEAN3 in keys

    session.observe(note)
    x, y = view.pixel(before.p2)
    view.drag((x, y), (12, -50))
    assert view.pixel(tuple(ends(line)[1])) == pytest.approx((x + 12, y - 50), abs=1)
    np.testing.assert_allclose(ends(line)[0], before.p1, atol=1e-9)
    # Five moves, and the step at the end.
    assert len(told) == 6
    for row, cell, length in told:
        assert row == pytest.approx(length, abs=1e-9) and cell == row
    assert difference_of(session.row(MIDDLE)) > 2
    assert difference_of(session.row(MEAN3)) == pytest.approx(difference_of(session.row(MIDDLE)) / 3)
    assert status_of(session.row(MIDDLE)) == status_of(session.row(MEAN3)) == "edited"
    check_case(session)


def test_one_drag_is_one_step(view: SliceView, session: Any) -> None:
    line, start = session.line(MIDDLE), ends(session.line(MIDDLE))
    for by in ((10, -40), (-15, -20), (4, 30)):
        view.drag(view.pixel(tuple(ends(line)[1])), by)
    for _ in range(3):
        assert session.can_undo
        session.undo()
        check_case(session)
    assert not session.can_undo
    np.testing.assert_allclose(ends(line), start, atol=1e-9)


def test_colour_says_edited_before_the_button_is_up(view: SliceView, session: Any) -> None:
    line = session.line(MIDDLE)
    colours = []
    session.observe(lambda keys: colours.append(line.GetDisplayNode().GetSelectedColor()))
    automatic = line.GetDisplayNode().GetSelectedColor()
    view.drag(view.pixel(session.row(MIDDLE).p2), (0, -50))
    assert automatic not in colours and len(set(colours)) == 1


@pytest.mark.parametrize("snap", [True, False])
def test_the_end_stays_in_its_plane_unless_that_is_switched_off(view: SliceView, session: Any, snap: bool) -> None:
    look_at(view, session, turn=25.0)
    session.snap_to_plane = snap
    largest = [0.0]
    session.observe(lambda keys: largest.append(off_plane(session).max()))
    view.drag(view.pixel(session.row(MIDDLE).p2), (60, -40))
    assert status_of(session.row(MIDDLE)) == "edited" and len(largest) > 5
    if snap:
        assert max(largest) < 1e-9
    else:
        assert max(largest) > 2
    check_case(session)


def test_the_end_leaves_its_plane_while_a_key_is_held_and_comes_back_after(view: SliceView, session: Any) -> None:
    look_at(view, session, turn=25.0)
    held = {"key": ""}
    session.free_while(lambda: held["key"] == "ctrl")
    x, y = view.pixel(session.row(MIDDLE).p2)
    away = []
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    for n, held["key"] in enumerate(["", "ctrl", "ctrl", ""], start=1):
        view.mouse("MouseMoveEvent", x + 15 * n, y - 10 * n, key=held["key"])
        away.append(off_plane(session).max())
    view.mouse("LeftButtonReleaseEvent", x + 60, y - 40)
    assert away[0] < 1e-9 and away[1] > 0.5 and away[2] > away[1] and away[3] < 1e-9
    assert status_of(session.row(MIDDLE)) == "edited" and not session.dragging
    check_case(session)


def test_a_drag_is_one_until_the_button_is_up(view: SliceView, session: Any) -> None:
    states = []
    session.observe(lambda keys: states.append(session.dragging))
    view.drag(view.pixel(session.row(MIDDLE).p2), (0, -50))
    assert len(states) > 3 and all(states[:-1]) and not states[-1] and not session.dragging


@pytest.mark.parametrize("place", ["body", "end"])
def test_a_line_dragged_whole_with_the_middle_button_is_taken_back(view: SliceView, session: Any, place: str) -> None:
    line, start = session.line(MIDDLE), ends(session.line(MIDDLE))
    seen = []
    session.observe(seen.append)
    at = start.mean(axis=0) if place == "body" else start[1]
    x, y = view.pixel(tuple(at))
    view.drag((x, y), (40, 25), button="Middle")
    np.testing.assert_allclose(ends(line), start, atol=1e-9)
    assert status_of(session.row(MIDDLE)) == "automatic" and not session.can_undo and not seen
    check_case(session)


def test_the_middle_button_would_move_an_unwatched_line(view: SliceView, session: Any) -> None:
    line, start = session.line(MIDDLE), ends(session.line(MIDDLE))
    session.close()
    view.drag(view.pixel(tuple(start.mean(axis=0))), (40, 25), button="Middle")
    assert np.linalg.norm(ends(line) - start, axis=1).min() > 2


def test_a_drag_back_to_the_start_is_no_edit(view: SliceView, session: Any) -> None:
    x, y = view.pixel(session.row(MIDDLE).p2)
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    view.mouse("MouseMoveEvent", x, y - 40)
    assert status_of(session.row(MIDDLE)) == "edited"
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonReleaseEvent", x, y)
    assert difference_of(session.row(MIDDLE)) in (None, pytest.approx(0, abs=0.05))
    check_case(session)


def test_a_click_on_an_end_is_no_edit(view: SliceView, session: Any) -> None:
    x, y = view.pixel(session.row(MIDDLE).p2)
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    view.mouse("LeftButtonReleaseEvent", x, y)
    assert status_of(session.row(MIDDLE)) == "automatic" and not session.can_undo
    check_case(session)


def test_acceptance_while_dragging_takes_the_value_as_it_is_then(view: SliceView, session: Any) -> None:
    x, y = view.pixel(session.row(MIDDLE).p2)
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    view.mouse("MouseMoveEvent", x, y - 40)
    session.accept([MIDDLE], "AB")
    value = session.row(MIDDLE).value
    assert status_of(session.row(MIDDLE)) == "accepted" and difference_of(session.row(MIDDLE)) > 1
    view.mouse("LeftButtonReleaseEvent", x, y - 40)
    assert session.row(MIDDLE).value == value
    check_case(session)
    session.undo()
    assert status_of(session.row(MIDDLE)) == "edited"
    session.undo()
    assert status_of(session.row(MIDDLE)) == "automatic"
    check_case(session)


def test_the_line_that_the_mouse_holds_is_known(view: SliceView, session: Any) -> None:
    held = []
    session.observe(lambda keys: held.append(session.dragged))
    assert session.dragged is None
    view.drag(view.pixel(session.row(MIDDLE).p2), (0, -50))
    assert held and set(held) == {MIDDLE} and session.dragged is None
    session.undo()
    assert held[-1] is None


def test_undo_while_dragging_undoes_the_drag(view: SliceView, session: Any) -> None:
    start = ends(session.line(MIDDLE))
    x, y = view.pixel(session.row(MIDDLE).p2)
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    view.mouse("MouseMoveEvent", x, y - 40)
    assert session.undo()
    np.testing.assert_allclose(ends(session.line(MIDDLE)), start, atol=1e-9)
    view.mouse("LeftButtonReleaseEvent", x, y - 40)
    check_case(session)


def test_the_delete_key_leaves_the_line(view: SliceView, session: Any, complaints: list[str]) -> None:
    view.mouse("MouseMoveEvent", *view.pixel(session.row(MIDDLE).p2))
    view.interactor.SetKeyEventInformation(0, 0, "\x7f", 0, "Delete")
    view.interactor.InvokeEvent("KeyPressEvent")
    view.interactor.InvokeEvent("KeyReleaseEvent")
    assert session.line(MIDDLE).GetNumberOfDefinedControlPoints() == 2
    # Slicer itself says that it refuses.
    assert [c for c in complaints if "control point number locked" not in c] == []
    complaints.clear()
    check_case(session)


def test_deleting_a_line_under_the_mouse_is_survived(view: SliceView, scene: Any, session: Any) -> None:
    x, y = view.pixel(session.row(MIDDLE).p2)
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    view.mouse("MouseMoveEvent", x, y - 40)
    scene.RemoveNode(session.line(MIDDLE))
    view.mouse("MouseMoveEvent", x, y - 60)
    view.mouse("LeftButtonReleaseEvent", x, y - 60)
    assert session.row(MIDDLE).note == "no line"
    check_case(session)
    session.reset([MIDDLE])
    view.window.Render()
    check_case(session)


def test_a_canal_line_is_dragged_in_the_axial_view_and_stays_across_the_canal(view: SliceView, session: Any) -> None:
    from SpineMeasureLib.review.mrml.slices import aim_at, pose

    key = ("L4-L5", "canal_ap", "disc_level")
    session.show(levels=["L4-L5"], quantities=["canal_ap"])
    aim = aim_at(session, key)
    assert aim is not None
    before, others = session.row(key), {m.key: m.value for m in session.rows if m.quantity.startswith("disc_height")}
    view.node.GetSliceToRAS().DeepCopy(pose("Axial", aim).ravel().tolist())
    view.node.SetFieldOfView(60, 60, 1)
    view.node.UpdateMatrices()
    view.window.Render()
    start = view.pixel(before.p2)
    view.drag(start, (20, -40))
    assert view.pixel(session.row(key).p2) == pytest.approx((start[0] + 20, start[1] - 40), abs=1)
    assert status_of(session.row(key)) == "edited" and abs(difference_of(session.row(key))) > 1
    normal = np.cross(before.plane.x_axis, before.plane.y_axis)
    assert abs((ends(session.line(key)) - before.plane.origin) @ normal).max() < 1e-9
    assert {m.key: m.value for m in session.rows if m.quantity.startswith("disc_height")} == others
    check_case(session)
    session.undo()
    assert session.row(key) == before
