"""Dragged ends snap to edges of the image: the mouse in a slice view, the modifier, undo, saved scenes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import cells, check_case, ends, moved, paint, thinner
from slice_view import SliceView, slice_view

from SpineMeasureLib.measure import measure
from SpineMeasureLib.phantom import Grid, lumbar, voxelise
from SpineMeasureLib.phantom.signal import T2, Scan, render
from SpineMeasureLib.review.case.state import difference_of, status_of
from SpineMeasureLib.review.mrml import snapping
from SpineMeasureLib.review.mrml.images import add_volume, matrix_of
from SpineMeasureLib.review.panel import row_of
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

EDGE = ("L4-L5", "disc_height_middle", "endplate50")
MEAN3 = ("L4-L5", "disc_height_mean", "endplate_mean3")
#: The view shows 60 mm in 500 pixels.
MM = 500 / 60


@pytest.fixture(scope="module")
def made() -> tuple[SpineSegmentation, Volume, list[Any]]:
    """A phantom with its MR image and values."""
    case = voxelise(lumbar(upper="L4"), Grid((4.0, 0.6, 0.6)))
    image = render(lumbar(upper="L4"), case, T2, Scan(snr=30))
    return case, image, measure(case, image)


@pytest.fixture
def session(scene: Any, made: tuple[SpineSegmentation, Volume, list[Any]]) -> Iterator[Session]:
    case, image, values = made
    session = Session.build(scene, add_volume(scene, image, "Image"), case, values, "Phantom")
    yield session
    session.close()


@pytest.fixture
def view(can_render: None, application: Any, scene: Any, session: Session) -> Iterator[SliceView]:
    """A slice view in the measuring plane of the middle disc height, with that line only."""
    with slice_view(scene, application.logic) as view:
        session.show(levels=["L4-L5"], quantities=["disc_height_middle"])
        row = session.row(EDGE)
        view.show(session.nodes.volume, row.p1)
        x, y = np.array(row.plane.x_axis), np.array(row.plane.y_axis)
        view.node.SetSliceToRASByNTP(*np.cross(x, y), *x, *ends(session.line(EDGE)).mean(axis=0), 0)
        view.node.SetFieldOfView(60, 60, 1)
        view.node.UpdateMatrices()
        view.window.Render()
        yield view


def end(session: Session, number: int) -> tuple[float, float, float]:
    """One end of the line, RAS mm."""
    r, a, s = ends(session.line(EDGE))[number]
    return float(r), float(a), float(s)


def drag(view: SliceView, session: Session, number: int, mm: float, key: str = "") -> tuple[int, int]:
    """Drag an end away from the other one by some mm (negative: towards it).

    :param key: pressed once the drag has begun.
    :return: where the mouse let go.
    """
    x, y = view.pixel(end(session, number))
    other = view.pixel(end(session, 1 - number))
    away = np.subtract((x, y), other) / math.dist((x, y), other) * mm * MM
    to = x + round(away[0]), y + round(away[1])
    for event, place, held in (
        ("MouseMoveEvent", (x, y), ""),
        ("LeftButtonPressEvent", (x, y), ""),
        *(("MouseMoveEvent", (x + (to[0] - x) * n // 5, y + (to[1] - y) * n // 5), key) for n in range(1, 6)),
        ("LeftButtonReleaseEvent", to, key),
    ):
        view.mouse(event, *place, held)
    return to


def test_an_end_dropped_near_its_edge_snaps_to_it(view: SliceView, session: Session) -> None:
    before = session.row(EDGE)
    dropped = drag(view, session, 1, 0.8)
    row = session.row(EDGE)
    assert row.snapped == ("p2",) and status_of(row) == "edited"
    assert math.dist(row.p2, before.p2) < 0.15 and row.p1 == before.p1
    assert math.dist(view.pixel(end(session, 1)), dropped) > 3
    assert "Lower end snapped to an edge of the image." in row_of(session, EDGE).tooltip
    assert cells(session.nodes.table)[EDGE]["snapped"] == "p2"
    assert session.line(EDGE).GetAttribute("SpineMeasure.snapped") == "p2"
    assert session.row(MEAN3).source == "edited" and session.row(MEAN3).snapped == ()
    check_case(session)
    drag(view, session, 0, -0.8)
    assert session.row(EDGE).snapped == ("p1", "p2")
    assert "Both ends snapped to edges of the image." in row_of(session, EDGE).tooltip
    for expected in (("p2",), ()):
        session.undo()
        assert session.row(EDGE).snapped == expected
        check_case(session)
    assert session.row(EDGE) == before and not session.can_undo
    session.redo()
    session.redo()
    assert session.row(EDGE).snapped == ("p1", "p2")


def test_an_end_dropped_elsewhere_stays_under_the_mouse(view: SliceView, session: Session) -> None:
    dropped = drag(view, session, 1, 4.0)
    assert view.pixel(end(session, 1)) == pytest.approx(dropped, abs=1)
    assert session.row(EDGE).snapped == () and difference_of(session.row(EDGE)) == pytest.approx(4.0, abs=0.2)
    assert "Lower end placed freely." in row_of(session, EDGE).tooltip
    check_case(session)


def test_an_end_leaves_its_edge_although_the_mouse_moves_in_small_steps(view: SliceView, session: Session) -> None:
    x, y = view.pixel(end(session, 1))
    before, snapped = session.row(EDGE).p2, []
    view.mouse("MouseMoveEvent", x, y)
    view.mouse("LeftButtonPressEvent", x, y)
    for n in range(1, 12):
        view.mouse("MouseMoveEvent", x, y - 3 * n)
        snapped.append(session.row(EDGE).snapped == ("p2",))
        assert not snapped[-1] or math.dist(end(session, 1), before) < 0.15
    view.mouse("LeftButtonReleaseEvent", x, y - 33)
    # On the edge up to 1.5 mm from it, then under the mouse.
    assert snapped == [True] * sum(snapped) + [False] * (11 - sum(snapped)) and 2 <= sum(snapped) <= 5
    assert view.pixel(end(session, 1)) == pytest.approx((x, y - 33), abs=1)
    check_case(session)


@pytest.mark.parametrize("how", ["key", "switch"])
def test_a_key_or_the_switch_releases_the_edge(view: SliceView, session: Session, how: str) -> None:
    if how == "key":
        session.free_while(lambda: bool(view.interactor.GetControlKey()))
    else:
        session.snap_to_edges = False
    dropped = drag(view, session, 1, 0.8, key="ctrl" if how == "key" else "")
    assert view.pixel(end(session, 1)) == pytest.approx(dropped, abs=1)
    assert session.row(EDGE).snapped == () and difference_of(session.row(EDGE)) == pytest.approx(0.8, abs=0.1)
    session.snap_to_edges = True
    drag(view, session, 1, 0.1)
    assert session.row(EDGE).snapped == ("p2",) and abs(difference_of(session.row(EDGE))) < 0.15
    check_case(session)


def test_a_script_does_not_snap_and_leaves_the_other_end_on_its_edge(view: SliceView, session: Session) -> None:
    drag(view, session, 0, 0.8)
    placed = moved(session, EDGE, 0.8)
    session.set_line(EDGE, *placed)
    row = session.row(EDGE)
    assert row.snapped == ("p1",) and row.p2 == pytest.approx(placed[1], abs=1e-9)
    assert "Upper end snapped to an edge of the image, lower end placed freely." in row_of(session, EDGE).tooltip
    session.line(EDGE).SetNthControlPointPosition(0, np.add(placed[0], (0.0, 0.0, 0.8)))
    assert session.row(EDGE).snapped == ()
    check_case(session)


def test_the_image_is_read_once_and_again_when_it_changes(
    view: SliceView, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def reading(node: Any) -> Any:
        read.append(node)
        return image_from_node(node)

    image_from_node = snapping.image_from_node
    monkeypatch.setattr(snapping, "image_from_node", reading)
    for mm in (0.5, -0.5, 0.5):
        drag(view, session, 1, mm)
        assert session.row(EDGE).snapped == ("p2",)
    assert len(read) == 1
    from vtkmodules.util.numpy_support import vtk_to_numpy

    voxels = session.nodes.volume.GetImageData().GetPointData().GetScalars()
    vtk_to_numpy(voxels)[:] = np.linspace(100, 101, voxels.GetNumberOfTuples())
    voxels.Modified()
    drag(view, session, 1, 0.5)
    assert len(read) == 2 and session.row(EDGE).snapped == ()


def test_under_a_transform_nothing_snaps(view: SliceView, session: Session, scene: Any) -> None:
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    affine = np.eye(4)
    affine[2, 3] = 2.0
    transform.SetMatrixTransformToParent(matrix_of(affine))
    session.nodes.volume.SetAndObserveTransformNodeID(transform.GetID())
    drag(view, session, 1, 0.8)
    assert session.row(EDGE).snapped == () and difference_of(session.row(EDGE)) == pytest.approx(0.8, abs=0.1)


def test_measuring_again_and_saving_keep_which_ends_snapped(
    view: SliceView, session: Session, scene: Any, tmp_path: Path
) -> None:
    drag(view, session, 1, 0.8)
    before = session.row(EDGE)
    segment = next(s for s, (_, level) in session.state.segments.items() if level == "L4-L5")
    paint(session.nodes.segmentation, segment, thinner)
    session.remeasure()
    assert session.row(EDGE).snapped == ("p2",) and session.row(EDGE).p2 == before.p2
    check_case(session)
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert again.row(EDGE).snapped == ("p2",) and again.row(EDGE).value == pytest.approx(before.value, abs=1e-6)
