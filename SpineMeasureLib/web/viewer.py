"""The scene and its three views: sagittal, axial of the current level, 3D. Independent of the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.rca_view import register_rca_factories
from trame_slicer.views import Layout, LayoutDirection, SliceView, ViewLayoutDefinition
from vtkmodules.vtkCommonCore import vtkCommand, vtkLogger, vtkOutputWindow

from ..case_folder import read_results
from ..errors import NothingFoundError
from ..review.keep import restore
from ..review.mrml.bundle import read_checked, write_bundle
from ..review.mrml.images import add_volume
from ..review.mrml.links import case_nodes
from ..review.mrml.slices import Aim, look
from ..review.session import Session
from ..volume import Volume
from .overlay import overlay
from .pace import Pace

_LAYOUT = "Review"
_AXIAL = "Red"
#: Field of view of the axial view, mm: a vertebra and its surroundings.
_AXIAL_FIELD_OF_VIEW = 120.0
#: JPEG quality, per cent, the same in motion and at rest. With a different one in motion trame-rca handles mouse moves
#: only every 33 ms, and renders every picture once more when they end.
_QUALITY = 90
#: Degrees by which the 3D view is turned from the front.
_FROM_THE_SIDE = 40.0


class Viewer:
    """One scene and its views."""

    def __init__(self, server: Any) -> None:
        """:param server: the trame server; its page is built afterwards."""
        self._app = SlicerApp()
        # Slicer's views warn about oblique slices; failures are reported by return values.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
        vtkOutputWindow.GetInstance().SetDisplayModeToNever()
        register_rca_factories(
            self._app.view_manager,
            server,
            slice_view_ui_f=overlay(self.fit, slices=True),
            three_d_view_ui_f=overlay(self.fit, slices=False),
            interactive_quality=_QUALITY,
        )
        self._layouts = LayoutManager(self.scene, self._app.view_manager, server)
        side = Layout(LayoutDirection.Vertical, [ViewLayoutDefinition.axial_view(), ViewLayoutDefinition.threed_view()])
        views = Layout(LayoutDirection.Horizontal, [ViewLayoutDefinition.sagittal_view(), side], ["3", "2"])
        self._layouts.register_layout(_LAYOUT, views)
        self._layouts.set_layout(_LAYOUT)
        self._aim: Aim | None = None
        self._window: tuple[float, float] | None = None
        self._sizes: dict[str, tuple[int, int]] = {}
        for view in self._views():
            # Without a graphics card, antialiasing and depth peeling cost more than the rest of the rendering.
            view.render_window().SetMultiSamples(0)
            view.renderer().SetUseDepthPeeling(False)
            view.interactor().AddObserver(vtkCommand.WindowResizeEvent, lambda *_, view=view: self._resized(view))
        self._pace = Pace(self._views())
        server.controller.trigger("left")(self._left)

    @property
    def scene(self) -> Any:
        """The vtkMRMLScene."""
        return self._app.scene

    def slice_nodes(self) -> dict[str, Any]:
        """Return the nodes of the slice views by name, ``Red`` and ``Yellow``."""
        return {view.name: view.get_view_node() for view in self._views() if isinstance(view, SliceView)}

    def on_turn(self, react: Callable[[], None]) -> None:
        """Call `react` whenever a slice view shows another slice."""
        for node in self.slice_nodes().values():
            node.AddObserver(vtkCommand.ModifiedEvent, lambda *_: react())

    def place(self, page: Any) -> None:
        """Add the views to the page, at the place that is being built."""
        self._layouts.initialize_layout_grid(page)

    # -- cases

    def open_scene(self, path: Path, copy: Path, scene_hash: str) -> tuple[Session, bool]:
        """Open a scene bundle in place of the current scene.

        :param copy: its checked copy, which is read.
        :param scene_hash: SHA-256 of the bundle.
        :return: its case, and whether edits kept beside the bundle were restored.
        :raises UnreadableInputError: it cannot be opened.
        :raises NothingFoundError: it contains no case, or its image is missing.
        """
        self.clear()
        read_checked(self.scene, copy, path.name)
        if not case_nodes(self.scene):
            self.clear()
            raise NothingFoundError(f"{path.name} contains no measured spine.", "Measure its image instead.")
        kept = restore(self.scene, path, scene_hash)
        first, *others = Session.find(self.scene, self.quietly)
        for session in others:
            session.close()
        return first, kept

    def build(self, volume: Volume, folder: Path, name: str) -> Session:
        """Build a scene from an image and its folder of results.

        :raises UnreadableInputError: a file of the folder is missing.
        """
        results = read_results(folder)
        self.clear()
        node = add_volume(self.scene, volume, name)
        # Before the segments are added: a view draws in the order of addition, first at the bottom.
        self._app.display_manager.show_volume_in_slice_background(node)
        return Session.build(self.scene, node, results.segmentation, results.measurements, name, self.quietly)

    def write(self, path: Path) -> None:
        """Write the scene as a bundle.

        :raises OutputError: it cannot be written.
        """
        write_bundle(self.scene, path)

    def clear(self) -> None:
        """Remove everything from the scene; the views stay."""
        self.scene.Clear(0)

    # -- looking

    def show(self, session: Session) -> None:
        """Show a case, centred on its image."""
        nodes = session.nodes
        self._aim = None
        display = _display(nodes.volume)
        self._window = None if display is None else (display.GetWindow(), display.GetLevel())
        self._app.display_manager.show_volume_in_slice_background(nodes.volume)
        self._app.display_manager.show_volume_in_slice_foreground(None)
        if nodes.segmentation is not None:
            nodes.segmentation.CreateClosedSurfaceRepresentation()
        # As on other workstations: the left button drags an end of a line; elsewhere it sets window and level.
        mode = self.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        mode.SetCurrentInteractionMode(mode.AdjustWindowLevel)
        for view in self._views():
            view.reset_view()
            self.fit(view)

    def look(self, aim: Aim | None) -> None:
        """Turn the slice views to a value's plane, now and whenever they are fitted."""
        self._aim = aim
        if aim is not None:
            look(self.scene, aim)

    def fit(self, view: Any) -> None:
        """Fit a view to its contents, and an axial view to the surroundings of the canal."""
        view.fit_view_to_content()
        if isinstance(view, SliceView):
            self.look(self._aim)
            if view.name == _AXIAL:
                node = view.get_view_node()
                wide, high, deep = node.GetFieldOfView()
                closer = _AXIAL_FIELD_OF_VIEW / min(wide, high)
                node.SetFieldOfView(wide * closer, high * closer, deep)
        else:
            view.get_camera_node().GetCamera().Azimuth(_FROM_THE_SIDE)
        view.schedule_render()

    def _resized(self, view: Any) -> None:
        """Fit a view again after a browser changed its size."""
        size = view.render_window().GetSize()
        if self._sizes.get(view.name) != size:
            self._sizes[view.name] = size
            self.fit(view)

    def _left(self) -> None:
        """End the hover highlight: the mouse left a view, which trame-rca does not report to the views."""
        for view in self._views():
            view.interactor().InvokeEvent(vtkCommand.LeaveEvent)

    def draw_segments(self, session: Session, outline: bool, fill: bool, opacity: float) -> None:
        """Set how the slice views draw the segments.

        :param opacity: fill opacity, 0 to 1.
        """
        display = _display(session.nodes.segmentation)
        if display is not None:
            display.SetVisibility2DOutline(outline)
            display.SetVisibility2DFill(fill)
            display.SetOpacity2DFill(opacity)
            self.render()

    def reset_window(self, session: Session) -> None:
        """Restore the initial window and level."""
        display = _display(session.nodes.volume)
        if display is not None and self._window is not None:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(*self._window)
            self.render()

    def render(self) -> None:
        """Render all views soon."""
        for view in self._views():
            view.schedule_render()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Block rendering; at the end of the context render once each view that does not wait for its turn (`Pace`)."""
        before = [(view, view.set_render_blocked(True)) for view in self._views()]
        try:
            yield
        finally:
            for view, was_blocked in before:
                view.set_render_blocked(was_blocked)

    def _views(self) -> list[Any]:
        return list(self._app.view_manager.get_views())


def _display(node: Any) -> Any:
    return None if node is None else node.GetDisplayNode()
