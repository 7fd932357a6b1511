"""What a panel shows of a session, where the slice views look, and a volume node as an array."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.errors import DimensionError, EmptyVolumeError, GeometryMismatchError
from SpineMeasureLib.measure.types import Plane
from SpineMeasureLib.review.mrml.slices import aim_at, look, pose
from SpineMeasureLib.review.mrml.volume_node import volume_from_node
from SpineMeasureLib.review.panel import (
    COLUMNS,
    counts,
    keys_shown,
    main_key,
    methods_text,
    model_card,
    next_flagged,
    quantities_shown,
    row_of,
    step,
    summary,
    value_text,
)

KEY = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture
def session(scene: Any, case: Any) -> Any:
    """A session of the small oblique case."""
    from SpineMeasureLib.review.mrml.build import add_volume
    from SpineMeasureLib.review.session import Session

    volume = add_volume(scene, case.volume, "T2")
    made = Session.build(scene, volume, case.segmentation, case.measurements, "T2")
    yield made
    made.close()


def test_row_shows_the_value_with_its_unit_and_the_automatic_one_only_where_it_differs(session: Any) -> None:
    row = row_of(session, KEY)
    assert len(row.cells) == len(COLUMNS)
    assert row.cells[2] == value_text(session.row(KEY).value, "mm") and row.cells[3:5] == ("", "")
    line = session.line(KEY)
    p1, p2 = (np.array(line.GetNthControlPointPositionWorld(n)) for n in (0, 1))
    session.set_line(KEY, tuple(p1 + 0.5 * (p1 - p2)), tuple(p2))
    edited = row_of(session, KEY)
    assert edited.cells[3] == row.cells[2] and edited.cells[4].startswith("+") and edited.status == "edited"
    assert "chord50" in row.tooltip
    status, flags = COLUMNS.index("Status"), COLUMNS.index("Flags")
    assert edited.cells[status] == "edited" and "edited" not in edited.cells[flags]
    before = counts(session)
    session.accept([KEY], "AB")
    both = row_of(session, KEY)
    assert both.cells[status] == "edited, accepted" and both.status == "accepted"
    assert counts(session) == {**before, "accepted": 1} and before["edited"] > 0
    assert summary(session).endswith("1 accepted")


@pytest.mark.parametrize(
    ("value", "unit", "sign", "text"),
    [
        (8.25, "mm", False, "8.2 mm"),
        (0.314, "ratio", False, "0.31"),
        (None, "mm", False, "-"),
        (1.0, "mm", True, "+1.0"),
    ],
)
def test_values_are_written_as_precisely_as_they_are_known(value: Any, unit: str, sign: bool, text: str) -> None:
    assert value_text(value, unit, sign) == text


def test_groups_and_levels_filter_rows(session: Any) -> None:
    assert len(keys_shown(session, "All values")) == len(session.rows)
    assert {k[1] for k in keys_shown(session, "Lines", "L4")} <= set(quantities_shown("Lines"))
    assert all(k[1].startswith("canal") for k in keys_shown(session, "Canal and cord"))
    assert quantities_shown("Canal and cord") == ["canal_ap"]


def test_steps_stop_at_the_ends() -> None:
    assert [step("abc", c, n) for c, n in (("a", -1), ("a", 1), ("c", 1), ("x", 1), ("x", -1))] == list("abcac")
    assert step([], "a", 1) == ""


def test_flagged_rows_come_in_turn_and_every_level_has_a_main_row(session: Any) -> None:
    flagged = session.flagged
    assert flagged
    first = next_flagged(session, None)
    assert first == flagged[0] and next_flagged(session, flagged[-1]) == flagged[0]
    assert main_key(session, "L4-L5") == KEY
    assert main_key(session, "L9") is None
    assert f"{len(session.rows)} values" in summary(session)


def test_texts_name_every_method_and_the_model() -> None:
    assert "chord50" in methods_text() and "spine_mri" in model_card()


@pytest.mark.parametrize("x_axis", [(-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
@pytest.mark.parametrize("ends", [None, ((-10.0, 0.0, 0.0), (10.0, 0.0, 0.0)), ((0.0, 8.0, 0.0), (0.0, -8.0, 0.0))])
def test_sagittal_view_stays_sagittal_for_areas_and_widths(x_axis: Any, ends: Any) -> None:
    y_axis = tuple(np.cross((0.0, 0.0, 1.0), x_axis))
    line = ends and SimpleNamespace(
        GetNumberOfControlPoints=lambda: 2, GetNthControlPointPositionWorld=lambda n: ends[n]
    )
    plane = Plane((0.0, 0.0, 0.0), x_axis, y_axis)
    session = SimpleNamespace(row=lambda _: SimpleNamespace(plane=plane), line=lambda _: line)
    aim = aim_at(session, ("L4-L5", "canal_area", "disc_level"))  # type: ignore[arg-type]
    assert aim is not None
    np.testing.assert_allclose(aim.normals["Sagittal"], (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(aim.normals["Axial"], (0, 0, 1), atol=1e-9)


@pytest.mark.parametrize("key", [KEY, ("L4-L5", "canal_ap", "disc_level"), ("L4", "canal_ap", "mid_vertebral")])
def test_views_look_along_and_across_the_line(scene: Any, session: Any, key: Any) -> None:
    import slicer

    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    views = []
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        node = scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetSingletonTag(name)
        node.SetLayoutName(name)
        node.SetOrientation(orientation)
        views.append(node)
    aim = aim_at(session, key)
    assert aim is not None
    matrix = np.array(list(aim.normals.values()))
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-9)
    look(scene, aim)
    line = session.line(key)
    ends = [np.array(line.GetNthControlPointPositionWorld(n)) for n in (0, 1)]
    for name in ("Yellow", "Red"):
        slice_to_ras = scene.GetSingletonNode(name, "vtkMRMLSliceNode").GetSliceToRAS()
        pose_now = np.array([[slice_to_ras.GetElement(i, j) for j in range(4)] for i in range(4)])
        offsets = [(end - pose_now[:3, 3]) @ pose_now[:3, 2] for end in ends]
        if name == "Yellow":
            assert offsets == pytest.approx([0, 0], abs=0.5)
        else:
            assert sum(offsets) == pytest.approx(0, abs=1e-6)
    for node in views:  # singletons outlive the clearing of the scene
        scene.RemoveNode(node)


@pytest.mark.parametrize("orientation", ["Axial", "Sagittal", "Coronal"])
def test_straight_views_are_those_of_slicer(scene: Any, orientation: str) -> None:
    import slicer

    from SpineMeasureLib.review.mrml.slices import Aim

    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    node.SetOrientation(orientation)
    theirs = node.GetSliceToRAS()
    normals = dict(zip(("Sagittal", "Coronal", "Axial"), np.eye(3), strict=True))
    ours = pose(orientation, Aim(np.zeros(3), normals))
    assert ours[:3, :3] == pytest.approx(np.array([[theirs.GetElement(i, j) for j in range(3)] for i in range(3)]))


def test_a_value_without_a_plane_moves_no_view(session: Any) -> None:
    assert session.row(("L4-L5", "disc_area", "area")).plane is None or isinstance(
        session.row(("L4-L5", "disc_area", "area")).plane, Plane
    )
    assert aim_at(session, ("L5", "body_height_middle", "chord50")) is None


def test_a_volume_node_becomes_the_array_it_was_made_of(scene: Any, case: Any) -> None:
    from SpineMeasureLib.review.mrml.build import add_volume

    node = add_volume(scene, case.volume, "T2")
    volume = volume_from_node(node)
    assert np.array_equal(volume.array, case.volume.array)
    assert volume.affine == pytest.approx(case.volume.affine)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(GeometryMismatchError, match="transform"):
        volume_from_node(node)
    with pytest.raises(EmptyVolumeError):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    with pytest.raises(EmptyVolumeError):
        volume_from_node(None)


def test_a_colour_volume_is_refused(scene: Any) -> None:
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image = vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(3, 3)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.SetAndObserveImageData(image)
    with pytest.raises(DimensionError):
        volume_from_node(node)
