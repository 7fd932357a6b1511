"""The scene and its three views: sagittal, axial of the current level, 3D. Nothing here knows of the panel."""

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
from ..review.mrml.slices import Aim, aim_at, look
from ..review.session import Key, Session
from ..volume import Volume
from .overlay import overlay
from .pace import Pace

_LAYOUT = "Review"
_AXIAL = "Red"
#: Of the axial view, mm: a vertebra with what is around it.
_AXIAL_FIELD_OF_VIEW = 120.0
#: Of the pictures, as JPEG, per cent: that of views at rest. With another one for views in motion trame-rca looks for
#: movements only every 33 ms, and draws every picture once more when they end.
_QUALITY = 90
#: Degrees by which 3D is seen from beside.
_FROM_THE_SIDE = 40.0


class Viewer:
    """One scene, shown."""

    def __init__(self, server: Any) -> None:
        """:param server: the trame server; its page is made afterwards."""
        self._app = SlicerApp()
        # Slicer's views complain of scenes with oblique slices; failures are told by return values.
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
            # Without a graphics card smoothing and sorting of what is transparent cost more than the whole picture.
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
        """The nodes of the slice views by their names, ``Red`` and ``Yellow``."""
        return {view.name: view.get_view_node() for view in self._views() if isinstance(view, SliceView)}

    def on_turn(self, react: Callable[[], None]) -> None:
        """Have `react` called when a slice view shows another slice."""
        for node in self.slice_nodes().values():
            node.AddObserver(vtkCommand.ModifiedEvent, lambda *_: react())

    def place(self, page: Any) -> None:
        """Put the views into the page, at the place where it is being made."""
        self._layouts.initialize_layout_grid(page)

    # -- cases

    def open_scene(self, path: Path, copy: Path, scene_hash: str) -> tuple[Session, bool]:
        """Open a scene bundle in place of the present scene.

        :param copy: its checked copy, which is read.
        :param scene_hash: SHA-256 of the bundle.
        :return: its case, and whether edits that were kept beside it were brought back.
        :raises UnreadableInputError: it could not be opened.
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
        """Make a scene of an image and the folder that it was measured into.

        :raises UnreadableInputError: a file of the folder is missing.
        """
        results = read_results(folder)
        self.clear()
        node = add_volume(self.scene, volume, name)
        # Before there are segments: a view draws what it was given first below.
        self._app.display_manager.show_volume_in_slice_background(node)
        return Session.build(self.scene, node, results.segmentation, results.measurements, name, self.quietly)

    def write(self, path: Path) -> None:
        """Write the scene as a bundle.

        :raises OutputError: it cannot be written.
        """
        write_bundle(self.scene, path)

    def clear(self) -> None:
        """Take everything out of the scene; the views stay."""
        self.scene.Clear(0)

    # -- looking

    def show(self, session: Session) -> None:
        """Show a case from the middle of its image."""
        nodes = session.nodes
        self._aim = None
        display = _display(nodes.volume)
        self._window = None if display is None else (display.GetWindow(), display.GetLevel())
        self._app.display_manager.show_volume_in_slice_background(nodes.volume)
        self._app.display_manager.show_volume_in_slice_foreground(None)
        if nodes.segmentation is not None:
            nodes.segmentation.CreateClosedSurfaceRepresentation()
        # As on other workstations: the left button takes a line by its end, and beside lines sets window and level.
        mode = self.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        mode.SetCurrentInteractionMode(mode.AdjustWindowLevel)
        for view in self._views():
            view.reset_view()
            self.fit(view)

    def go_to(self, session: Session, key: Key) -> None:
        """Turn the slice views to a value's plane and highlight its line."""
        session.highlight(key)
        self._aim = aim_at(session, key) or self._aim
        self._look()
        self.render()

    def _look(self) -> None:
        if self._aim is not None:
            look(self.scene, self._aim)

    def fit(self, view: Any) -> None:
        """Show all of a view's contents; of an axial slice what is around the canal."""
        view.fit_view_to_content()
        if isinstance(view, SliceView):
            self._look()
            if view.name == _AXIAL:
                node = view.get_view_node()
                wide, high, deep = node.GetFieldOfView()
                closer = _AXIAL_FIELD_OF_VIEW / min(wide, high)
                node.SetFieldOfView(wide * closer, high * closer, deep)
        else:
            view.get_camera_node().GetCamera().Azimuth(_FROM_THE_SIDE)
        view.schedule_render()

    def _resized(self, view: Any) -> None:
        """A browser gave a view another size: what was fitted before is not any more."""
        size = view.render_window().GetSize()
        if self._sizes.get(view.name) != size:
            self._sizes[view.name] = size
            self.fit(view)

    def _left(self) -> None:
        """The mouse left a view, which the views are not told: what it was over does not stand out any more."""
        for view in self._views():
            view.interactor().InvokeEvent(vtkCommand.LeaveEvent)

    def draw_segments(self, session: Session, outline: bool, fill: bool, opacity: float) -> None:
        """How the segments are drawn on the slices.

        :param opacity: of the fill, 0 to 1.
        """
        display = _display(session.nodes.segmentation)
        if display is not None:
            display.SetVisibility2DOutline(outline)
            display.SetVisibility2DFill(fill)
            display.SetOpacity2DFill(opacity)
            self.render()

    def reset_window(self, session: Session) -> None:
        """Set window and level as they were when the case was opened."""
        display = _display(session.nodes.volume)
        if display is not None and self._window is not None:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(*self._window)
            self.render()

    def render(self) -> None:
        """Draw all views soon."""
        for view in self._views():
            view.schedule_render()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Draw no view within, and each that does not wait for its turn (`Pace`) once at the end."""
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
