"""The views of a scene when it is opened: slice views along the acquired slices, 3D views from the side. RAS mm."""

from __future__ import annotations

from math import radians, tan
from typing import Any

import numpy as np

from .app import MrmlApplication
from .build import CaseNodes
from .links import nodes_of_class

#: Slicer's three slice views: name, orientation, letter and colour of its bar.
_SLICE_VIEWS = (
    ("Red", "Axial", "R", (0.953, 0.290, 0.200)),
    ("Green", "Coronal", "G", (0.431, 0.690, 0.294)),
    ("Yellow", "Sagittal", "Y", (0.929, 0.835, 0.298)),
)
#: Margin around the spine in a 3D view, as a fraction.
_MARGIN = 0.1


def look_from_the_side(scene: Any, segmentation: Any) -> None:
    """Show a whole segmentation upright in all 3D views, from the patient's left and without the scene's box.

    The patient's front is at the left, as in a sagittal slice.

    :param segmentation: vtkMRMLSegmentationNode.
    """
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    if bounds[0] > bounds[1]:
        return  # empty
    low, high = np.array(bounds[0::2]), np.array(bounds[1::2])
    centre = (low + high) / 2
    wide, deep, tall = high - low
    for view in nodes_of_class(scene, "vtkMRMLViewNode"):
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
    for camera in nodes_of_class(scene, "vtkMRMLCameraNode"):
        # A view may be narrower than high: the larger extent must fit its smaller side.
        half = max(deep, tall) / 2 * (1 + _MARGIN)
        away = half / tan(radians(camera.GetViewAngle()) / 2) + wide / 2
        camera.SetFocalPoint(*centre)
        camera.SetPosition(centre[0] - away, centre[1], centre[2])
        camera.SetViewUp(0, 0, 1)
        camera.ResetClippingRange()


def add_views(application: MrmlApplication, nodes: CaseNodes) -> None:
    """Show the image in the three slice views, at the middle of the lines; make volume and table active.

    This is for scene files; inside 3D Slicer, views belong to the layout manager.
    """
    import slicer

    scene = application.scene
    for layout_name, orientation, letter, colour in _SLICE_VIEWS:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application.logic)
        logic.SetMRMLScene(scene)
        # A slice view remains when the scene is cleared.
        node = scene.GetSingletonNode(layout_name, "vtkMRMLSliceNode")
        if node:
            logic.SetSliceNode(node)
        else:
            node = logic.AddSliceNode(layout_name)
        node.SetLayoutLabel(letter)
        node.SetLayoutColor(*colour)
        node.SetOrientation(orientation)
        node.RotateToVolumePlane(nodes.volume)
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(nodes.volume.GetID())
        logic.FitSliceToBackground()
        node.JumpSliceByOffsetting(*_middle(nodes))
        logic.SnapSliceOffsetToIJK()
        # The nodes stay; the logic must not outlive this function in the scene.
        logic.SetMRMLScene(None)
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    selection.SetActiveVolumeID(nodes.volume.GetID())
    selection.SetActiveTableID(nodes.table.GetID())
    # Adding lines made the last one active: the next point that the user places would be added to it.
    selection.SetActivePlaceNodeID(None)
    selection.SetActivePlaceNodeClassName(None)


def _middle(nodes: CaseNodes) -> tuple[float, float, float]:
    """Return the middle of all lines, or of the image if there are none, RAS mm."""
    points = [line.GetNthControlPointPositionWorld(n) for line in nodes.lines.values() for n in (0, 1)]
    if not points:
        bounds = [0.0] * 6
        nodes.volume.GetRASBounds(bounds)
        points = [bounds[0::2], bounds[1::2]]
    r, a, s = np.mean(points, axis=0)
    return float(r), float(a), float(s)
