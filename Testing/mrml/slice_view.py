"""An offscreen slice view on slicer-core, with Slicer's own slice logic and displayable managers: for tests only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# Else VTK looks for an X server first and complains that there is none.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager")


class SliceView:
    """One slice view; `slice_view` makes and closes it."""

    def __init__(self, scene: Any, application_logic: Any, layout_name: str, size: tuple[int, int]) -> None:
        import slicer
        from vtkmodules import vtkInteractionStyle, vtkRenderingOpenGL2  # noqa: F401  registers the implementations
        from vtkmodules.vtkInteractionStyle import vtkInteractorStyleUser
        from vtkmodules.vtkRenderingCore import (
            vtkActor2D,
            vtkImageMapper,
            vtkRenderer,
            vtkRenderWindow,
            vtkRenderWindowInteractor,
        )

        self.window = vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetNumberOfLayers(2)
        self.window.SetSize(*size)
        renderer, overlay = vtkRenderer(), vtkRenderer()
        overlay.SetLayer(1)
        for each in (renderer, overlay):
            each.GetActiveCamera().ParallelProjectionOn()
            self.window.AddRenderer(each)
        self.interactor = vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        # The image is drawn by CTK in Slicer. It must be the first prop, else it hides the segments.
        self._mapper = vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        image = vtkActor2D()
        image.SetMapper(self._mapper)
        image.GetProperty().SetDisplayLocationToBackground()
        renderer.AddViewProp(image)

        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(application_logic)
        for manager in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(renderer)
        self._group.Initialize(factory, renderer)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application_logic)
        application_logic.GetSliceLogics().AddItem(self.logic)
        self._logics = application_logic.GetSliceLogics()
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self.logic)
        self._style.SetDisplayableManagers(self._group)
        self.logic.SetMRMLScene(scene)
        # A slice node outlives the clearing of the scene that it came with.
        self.node = scene.GetSingletonNode(layout_name, "vtkMRMLSliceNode")
        if self.node is None:
            self.node = self.logic.AddSliceNode(layout_name)
        else:
            self.logic.SetSliceNode(self.node)
        self.node.SetOrientation("Sagittal")
        self._group.SetMRMLDisplayableNode(self.node)
        self.interactor.SetInteractorStyle(vtkInteractorStyleUser())
        self._style.SetInteractor(self.interactor)

    def show(self, volume: Any, point_ras: tuple[float, float, float]) -> None:
        """Show the acquired slice of a volume that holds a point, fitted to the view."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.node.RotateToVolumePlane(volume)
        self.logic.FitSliceToBackground()
        self.node.JumpSliceByOffsetting(*point_ras)

    def picture(self, path: str = "") -> np.ndarray:
        """What the view shows: uint8 array[row, column, rgb], first row on top; also written to `path`."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkIOImage import vtkPNGWriter
        from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

        self.window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        if path:
            writer = vtkPNGWriter()
            writer.SetFileName(path)
            writer.SetInputConnection(grab.GetOutputPort())
            writer.Write()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]

    def pixel(self, point_ras: tuple[float, float, float]) -> tuple[int, int]:
        """Display position (x to the right, y up) of a point."""
        from vtkmodules.vtkCommonMath import vtkMatrix4x4

        inverse = vtkMatrix4x4()
        vtkMatrix4x4.Invert(self.node.GetXYToRAS(), inverse)
        x, y, *_ = inverse.MultiplyPoint((*point_ras, 1))
        return round(x), round(y)

    def mouse(self, event: str, x: int, y: int, key: str = "") -> None:
        """A mouse event at a display position; `key` (alt, ctrl, shift) is held meanwhile."""
        self.interactor.SetEventInformation(x, y, int(key == "ctrl"), int(key == "shift"))
        self.interactor.SetAltKey(int(key == "alt"))
        self.interactor.InvokeEvent(event)

    def drag(self, start: tuple[int, int], by: tuple[int, int], key: str = "", button: str = "Left") -> None:
        """Press a button at a display position, move in five steps, release."""
        self.mouse("EnterEvent", *start, key)
        self.mouse("MouseMoveEvent", *start, key)
        self.mouse(f"{button}ButtonPressEvent", *start, key)
        for n in range(1, 6):
            self.mouse("MouseMoveEvent", start[0] + by[0] * n // 5, start[1] + by[1] * n // 5, key)
        self.mouse(f"{button}ButtonReleaseEvent", start[0] + by[0], start[1] + by[1], key)

    def close(self) -> None:
        """Take the view out of the application; without this VTK may call into objects that are gone."""
        self._style.SetInteractor(None)
        self.interactor.SetInteractorStyle(None)
        self._group.SetMRMLDisplayableNode(None)
        self._logics.RemoveItem(self.logic)
        scene, composite = self.logic.GetMRMLScene(), self.logic.GetSliceCompositeNode()
        self.logic.SetMRMLScene(None)
        for node in (composite, self.node):
            if node is not None and node.GetScene() is scene:
                scene.RemoveNode(node)
        self.window.Finalize()


@contextmanager
def slice_view(
    scene: Any, application_logic: Any, layout_name: str = "Test", size: tuple[int, int] = (500, 500)
) -> Iterator[SliceView]:
    """A slice view that is closed at the end."""
    view = SliceView(scene, application_logic, layout_name, size)
    try:
        yield view
    finally:
        view.close()
