"""A case under a transform: its values stay, and nothing is measured until the transform is hardened or removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import check_case, moved

from SpineMeasureLib.errors import GeometryMismatchError
from SpineMeasureLib.review.case.state import difference_of, status_of
from SpineMeasureLib.review.mrml.volume_node import refuse_moved, volume_from_node
from SpineMeasureLib.volume import Volume

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture
def session(scene: Any, small: Any) -> Iterator[Any]:
    """The review of a small phantom, with its image."""
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.session import Session

    volume = add_volume(scene, Volume(small[0].labels.astype(np.int16), small[0].affine), "T2")
    made = Session.build(scene, volume, *small, "Case")
    yield made
    made.close()


def transform(scene: Any) -> Any:
    """A rotation and a shift."""
    from vtkmodules.vtkCommonTransforms import vtkTransform

    moving = vtkTransform()
    moving.RotateY(20)
    moving.Translate(10, 0, -20)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moving")
    node.SetMatrixTransformToParent(moving.GetMatrix())
    return node


def put_under(node: Any, *moving: Any) -> None:
    """Put nodes under a transform, as the subject hierarchy does with all nodes of a folder."""
    for each in moving:
        each.SetAndObserveTransformNodeID(node.GetID())


def put_case_under(node: Any, session: Any) -> None:
    nodes = session.nodes
    put_under(node, nodes.volume, nodes.segmentation, *nodes.lines.values())


def test_a_transform_and_its_movement_edit_no_line(session: Any, scene: Any) -> None:
    before = session.rows
    node = transform(scene)
    put_case_under(node, session)
    matrix = node.GetMatrixTransformToParent()
    matrix.SetElement(2, 3, -25)
    node.SetMatrixTransformToParent(matrix)
    assert session.rows == before and not session.can_undo


def test_a_drag_under_a_transform_changes_the_value_by_what_the_mouse_moved(session: Any, scene: Any) -> None:
    import slicer

    markups = slicer.vtkMRMLMarkupsNode
    put_case_under(transform(scene), session)
    line, before = session.line(MIDDLE), session.row(MIDDLE)
    p1, p2 = (np.array(line.GetNthControlPointPositionWorld(n)) for n in (0, 1))
    line.InvokeEvent(markups.PointStartInteractionEvent)
    line.SetNthControlPointPositionWorld(1, *(p2 + 0.5 * (p2 - p1) / np.linalg.norm(p2 - p1)))
    line.InvokeEvent(markups.PointEndInteractionEvent)
    assert difference_of(session.row(MIDDLE)) == pytest.approx(0.5, abs=1e-6)
    assert line.GetLineLengthWorld() == pytest.approx(before.value + 0.5, abs=1e-6)
    session.undo()
    assert session.row(MIDDLE) == before
    np.testing.assert_allclose(line.GetNthControlPointPositionWorld(1), p2, atol=1e-9)


def test_accepted_values_stay_accepted_when_a_case_under_a_transform_is_reopened(
    session: Any, scene: Any, tmp_path: Path
) -> None:
    from SpineMeasureLib.review.session import Session

    session.set_line(MIDDLE, *moved(session, MIDDLE))
    session.accept([m.key for m in session.rows], "AB")
    put_case_under(transform(scene), session)
    state = session.state
    session.close()
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    scene.Clear(0)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert again.line(MIDDLE).GetParentTransformNode() is not None
    assert again.state == state
    again.close()


@pytest.mark.parametrize("which", ["volume", "segmentation"])
def test_measuring_again_under_a_transform_is_refused_until_it_is_hardened(
    session: Any, scene: Any, which: str
) -> None:
    node = getattr(session.nodes, which)
    put_under(transform(scene), node)
    before = session.state
    session._measured.doubt(False)
    with pytest.raises(GeometryMismatchError, match="is under a transform. Harden"):
        session.remeasure()
    assert session.state is before
    node.HardenTransform()
    session.remeasure()


@pytest.mark.parametrize("which", ["volume", "segmentation"])
@pytest.mark.parametrize("named", [True, False])
def test_a_segmentation_under_a_transform_is_not_measured(session: Any, scene: Any, which: str, named: bool) -> None:
    from SpineMeasureLib.review.session import Session

    node = getattr(session.nodes, which)
    put_under(transform(scene), node)
    volume = session.nodes.volume if named else None
    count = scene.GetNumberOfNodes()
    with pytest.raises(GeometryMismatchError, match="is under a transform"):
        Session.from_segmentation_node(scene, session.nodes.segmentation, volume)
    assert scene.GetNumberOfNodes() == count


def test_lines_lie_in_their_segments_after_a_transform_was_hardened(session: Any, scene: Any) -> None:
    from SpineMeasureLib.review.session import Session

    nodes, before = session.nodes, session.row(MIDDLE).value
    put_under(transform(scene), nodes.volume, nodes.segmentation)
    nodes.volume.HardenTransform()
    nodes.segmentation.HardenTransform()
    again = Session.from_segmentation_node(scene, nodes.segmentation)
    segment = nodes.segmentation.GetSegmentation().GetSegmentIdBySegmentName("L4-L5")
    line = again.line((*MIDDLE[:2], "endplate50"))
    ends = [line.GetNthControlPointPositionWorld(n) for n in (0, 1)]
    away = np.linalg.norm(np.mean(ends, axis=0) - nodes.segmentation.GetSegmentCenterRAS(segment))
    assert away < 10 and again.row(MIDDLE).value == pytest.approx(before, abs=0.3)
    again.close()


def test_a_line_on_which_a_transform_was_hardened_is_an_edit_of_the_same_length(session: Any, scene: Any) -> None:
    line, before = session.line(MIDDLE), session.row(MIDDLE).value
    put_under(transform(scene), line)
    shown = [line.GetNthControlPointPositionWorld(n) for n in (0, 1)]
    line.HardenTransform()
    np.testing.assert_allclose([line.GetNthControlPointPositionWorld(n) for n in (0, 1)], shown, atol=1e-9)
    assert status_of(session.row(MIDDLE)) == "edited" and session.row(MIDDLE).value == pytest.approx(before)
    session.undo()
    assert status_of(session.row(MIDDLE)) == "automatic"
    check_case(session)


def test_segments_under_a_transform_are_not_exported(session: Any, scene: Any) -> None:
    put_under(transform(scene), session.nodes.segmentation)
    with pytest.raises(GeometryMismatchError, match="is under a transform"):
        session.segmentation()


def test_levels_can_be_renamed_under_a_transform(session: Any, scene: Any) -> None:
    session.rename_disc("L5-S1", "L4-L5")
    expected = session.rows
    session.undo()
    put_case_under(transform(scene), session)
    session.rename_disc("L5-S1", "L4-L5")
    assert session.rows == expected


def test_results_for_a_volume_that_was_put_under_a_transform_make_no_case(session: Any, scene: Any, small: Any) -> None:
    from SpineMeasureLib.review.session import Session

    volume = session.nodes.volume
    put_under(transform(scene), volume)
    count = scene.GetNumberOfNodes()
    with pytest.raises(GeometryMismatchError, match="is under a transform"):
        Session.build(scene, volume, *small)
    assert scene.GetNumberOfNodes() == count


def test_results_for_a_volume_that_was_moved_meanwhile_are_refused(session: Any, scene: Any) -> None:
    volume = session.nodes.volume
    affine = volume_from_node(volume).affine
    refuse_moved(volume, affine)
    put_under(transform(scene), volume)
    with pytest.raises(GeometryMismatchError, match="is under a transform"):
        refuse_moved(volume, affine)
    volume.HardenTransform()
    with pytest.raises(GeometryMismatchError, match="moved in the meantime"):
        refuse_moved(volume, affine)


def test_a_segmentation_is_not_measured_on_an_image_that_lies_elsewhere(session: Any, scene: Any, small: Any) -> None:
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.session import Session

    affine = small[0].affine.copy()
    affine[0, 3] += 300
    other = add_volume(scene, Volume(small[0].labels.astype(np.int16), affine), "another patient")
    cases = len(Session.find(scene))
    with pytest.raises(GeometryMismatchError, match="is not inside the volume"):
        Session.from_segmentation_node(scene, session.nodes.segmentation, other)
    assert len(Session.find(scene)) == cases
