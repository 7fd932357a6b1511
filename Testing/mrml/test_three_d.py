"""How 3D views open: from the patient's left, upright, the whole spine, without the scene's box."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.review.mrml.views import look_from_the_side


@pytest.fixture
def camera(scene: Any) -> Any:
    scene.AddNewNodeByClass("vtkMRMLViewNode")
    return scene.AddNewNodeByClass("vtkMRMLCameraNode")


def on_screen(camera: Any, point_ras: Any) -> np.ndarray:
    """Where a square view shows a point: x to the right, y up, both -1 to 1 if it is in sight."""
    matrix = camera.GetCamera().GetCompositeProjectionTransformMatrix(1.0, -1, 1)
    x, y, _, w = matrix.MultiplyPoint((*point_ras, 1.0))
    return np.array([x / w, y / w])


def test_3d_view_shows_the_whole_spine_from_the_side(scene: Any, session: Any, camera: Any) -> None:
    segmentation = session.nodes.segmentation
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    look_from_the_side(scene, segmentation)
    corners = np.array([on_screen(camera, p) for p in product(bounds[:2], bounds[2:4], bounds[4:])])
    assert np.abs(corners).max() < 1 and np.abs(corners).max() > 0.8
    middle = np.array([sum(bounds[n : n + 2]) / 2 for n in (0, 2, 4)])
    front = on_screen(camera, middle + [0, 20, 0])
    head = on_screen(camera, middle + [0, 0, 20])
    assert front[0] < 0 and front[1] == pytest.approx(0, abs=1e-6)
    assert head[1] > 0 and head[0] == pytest.approx(0, abs=1e-6)
    assert camera.GetPosition()[0] < bounds[0]


def test_3d_view_has_no_box_and_no_letters(scene: Any, session: Any, camera: Any) -> None:
    view = scene.GetFirstNodeByClass("vtkMRMLViewNode")
    assert view.GetBoxVisible() and view.GetAxisLabelsVisible()
    look_from_the_side(scene, session.nodes.segmentation)
    assert not view.GetBoxVisible() and not view.GetAxisLabelsVisible()


def test_an_empty_segmentation_leaves_the_camera_alone(scene: Any, camera: Any) -> None:
    before = camera.GetPosition()
    look_from_the_side(scene, scene.AddNewNodeByClass("vtkMRMLSegmentationNode"))
    assert camera.GetPosition() == before
