"""What a slice view of the scene shows, and what the mouse can do to a line: Slicer's own drawing and widgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slice_view import SliceView, slice_view

from SpineMeasureLib.anatomy import Kind, colour_of
from SpineMeasureLib.review.mrml.build import CaseNodes, build_case

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture
def nodes(scene: Any, case: Any) -> CaseNodes:
    return build_case(scene, case.volume, case.segmentation, case.measurements)


@pytest.fixture
def view(can_render: None, application: Any, scene: Any, nodes: CaseNodes, case: Any) -> Any:
    """The slice that holds the lines, i = 4."""
    with slice_view(scene, application.logic) as view:
        view.show(nodes.volume, case.ras((4, 25, 30)))
        yield view


def colour_at(view: SliceView, picture: np.ndarray, point_ras: tuple[float, float, float]) -> np.ndarray:
    x, y = view.pixel(point_ras)
    return picture[picture.shape[0] - 1 - y, x].astype(int)


def hide_lines(nodes: CaseNodes) -> None:
    for line in nodes.lines.values():
        line.GetDisplayNode().SetVisibility(False)


def test_segments_lie_on_the_image_in_their_colours(view: SliceView, nodes: CaseNodes, case: Any) -> None:
    hide_lines(nodes)
    shown = view.picture()
    nodes.segmentation.GetDisplayNode().SetVisibility(False)
    plain = view.picture()
    inside = {
        (Kind.DISC, "L4-L5"): (4, 20, 30), (Kind.BODY, "L4"): (4, 20, 44), (Kind.BODY, "L5"): (4, 20, 15),
        (Kind.CANAL, ""): (4, 10, 15), (Kind.CORD, ""): (4, 9, 45), (Kind.POSTERIOR, "L4"): (4, 2.5, 43),
    }  # fmt: skip
    for (kind, level), index in inside.items():
        grey, blended = colour_at(view, plain, case.ras(index)), colour_at(view, shown, case.ras(index))
        assert np.ptp(grey) <= 1
        # A quarter of the segment's colour over three quarters of the image.
        np.testing.assert_allclose(blended, 0.75 * grey + 0.25 * np.array(colour_of(kind, level)), atol=4)
    outside = case.ras((4, 38, 30))
    assert np.array_equal(colour_at(view, plain, outside), colour_at(view, shown, outside))


def test_image_lies_where_its_voxels_are(view: SliceView, nodes: CaseNodes, case: Any) -> None:
    hide_lines(nodes)
    nodes.segmentation.GetDisplayNode().SetVisibility(False)
    picture = view.picture()
    index = [(4, j, k) for j in range(5, 36, 5) for k in range(5, 56, 5)]
    shown = [colour_at(view, picture, case.ras(i))[0] for i in index]
    true = [case.volume.array[i] for i in index]
    assert np.corrcoef(shown, true)[0, 1] > 0.995


def test_lines_are_drawn_between_their_ends(view: SliceView, nodes: CaseNodes, case: Any) -> None:
    nodes.segmentation.GetDisplayNode().SetVisibility(False)
    for m in case.lines:
        hide_lines(nodes)
        before = view.picture().astype(int)
        nodes.lines[m.key].GetDisplayNode().SetVisibility(True)
        nodes.lines[m.key].GetDisplayNode().SetPropertiesLabelVisibility(False)
        drawn = np.argwhere(np.abs(view.picture().astype(int) - before).max(axis=2) > 40)
        ends = np.array([view.pixel(m.p1), view.pixel(m.p2)])
        rows = before.shape[0] - 1 - ends[:, 1]
        # The end points are crosses of 2 mm: 1 mm beyond the ends.
        beyond = 1.5 / view.node.GetFieldOfView()[0] * before.shape[1]
        assert drawn[:, 0].min() == pytest.approx(rows.min(), abs=beyond)
        assert drawn[:, 0].max() == pytest.approx(rows.max(), abs=beyond)
        assert drawn[:, 1].min() == pytest.approx(ends[:, 0].min(), abs=beyond)
        assert drawn[:, 1].max() == pytest.approx(ends[:, 0].max(), abs=beyond)


def test_lines_are_not_drawn_on_the_neighbouring_slices(view: SliceView, nodes: CaseNodes, case: Any) -> None:
    def drawn() -> float:
        nodes.lines[MIDDLE].GetDisplayNode().SetVisibility(False)
        before = view.picture().astype(int)
        nodes.lines[MIDDLE].GetDisplayNode().SetVisibility(True)
        return float(np.abs(view.picture().astype(int) - before).max())

    assert drawn() > 100
    for i in (3, 5):
        view.node.JumpSliceByOffsetting(*case.ras((i, 25, 30)))
        assert drawn() == 0


def test_an_end_point_follows_the_mouse_and_the_other_stays(view: SliceView, nodes: CaseNodes) -> None:
    line = nodes.lines[MIDDLE]
    view.window.Render()
    moved, stays = (np.array(line.GetNthControlPointPositionWorld(n)) for n in (1, 0))
    x, y = view.pixel(tuple(moved))
    view.drag((x, y), (25, -40))
    np.testing.assert_allclose(line.GetNthControlPointPositionWorld(0), stays, atol=1e-9)
    assert view.pixel(line.GetNthControlPointPositionWorld(1)) == pytest.approx((x + 25, y - 40), abs=1)


@pytest.mark.parametrize("key", ["", "alt", "ctrl", "shift"])
def test_the_left_button_cannot_drag_a_line_whole(view: SliceView, nodes: CaseNodes, key: str) -> None:
    # Slicer's middle button still can, where it begins on the line: no node property stops that.
    line = nodes.lines[MIDDLE]
    for other in nodes.lines.values():
        other.GetDisplayNode().SetVisibility(other is line)
    view.window.Render()
    ends = np.array([line.GetNthControlPointPositionWorld(n) for n in (0, 1)])
    view.drag(view.pixel(tuple(ends.mean(axis=0))), (40, 10), key)
    found = [line.GetNthControlPointPositionWorld(n) for n in (0, 1)]
    np.testing.assert_allclose(found, ends, atol=1e-9)
