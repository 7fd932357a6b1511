"""The scene and its three views: sagittal, axial of the current level, 3D. Nothing here knows of the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.rca_view import register_rca_factories
from trame_slicer.views import Layout, LayoutDirection, ViewLayoutDefinition
from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow

from ..errors import NothingFoundError, OutputError, UnreadableInputError
from ..files import atomic_path
from ..results import read_results
from ..review.images import add_volume
from ..review.keep import bring_back, file_hash
from ..review.links import case_nodes
from ..review.session import Key, Session
from ..review.slices import aim_at, look
from ..volume import Volume

_LAYOUT = "Review"


class Viewer:
    """One scene, shown."""

    def __init__(self, server: Any) -> None:
        """:param server: the trame server; its page is made afterwards."""
        self._app = SlicerApp()
        # Slicer's views complain of scenes with oblique slices; failures are told by return values.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
        vtkOutputWindow.GetInstance().SetDisplayModeToNever()
        register_rca_factories(self._app.view_manager, server)
        self._layouts = LayoutManager(self.scene, self._app.view_manager, server)
        side = Layout(LayoutDirection.Vertical, [ViewLayoutDefinition.axial_view(), ViewLayoutDefinition.threed_view()])
        views = Layout(LayoutDirection.Horizontal, [ViewLayoutDefinition.sagittal_view(), side])
        self._layouts.register_layout(_LAYOUT, views)
        self._layouts.set_layout(_LAYOUT)
        for view in self._app.view_manager.get_views():
            # Without a graphics card smoothing costs more than the whole picture.
            view.render_window().SetMultiSamples(0)

    @property
    def scene(self) -> Any:
        """The vtkMRMLScene."""
        return self._app.scene

    def place(self, page: Any) -> None:
        """Put the views into the page, at the place where it is being made."""
        self._layouts.initialize_layout_grid(page)

    # -- cases

    def open_scene(self, path: Path) -> tuple[Session, str, bool]:
        """Open a scene bundle in place of the present scene.

        :return: its case, the SHA-256 of the file, and whether edits that were kept beside it were brought back.
        :raises UnreadableInputError: it is damaged.
        :raises NothingFoundError: it holds no case.
        """
        scene_hash = file_hash(path)
        self.clear()
        if not self.scene.ReadFromMRB(str(path), False):
            raise UnreadableInputError(f"{path.name} is no scene of 3D Slicer, or damaged.", "Save it again as .mrb.")
        if not case_nodes(self.scene):
            self.clear()
            raise NothingFoundError(f"{path.name} holds no measured spine.", "Measure its image instead.")
        kept = bring_back(self.scene, path, scene_hash)
        first, *others = Session.find(self.scene)
        for session in others:
            session.close()
        return first, scene_hash, kept

    def build(self, volume: Volume, folder: Path, name: str) -> Session:
        """Make a scene of an image and the folder that it was measured into.

        :raises UnreadableInputError: a file of the folder is missing.
        """
        results = read_results(folder)
        self.clear()
        node = add_volume(self.scene, volume, name)
        return Session.build(self.scene, node, results.segmentation, results.measurements, name)

    def write(self, path: Path) -> None:
        """Write the scene as a bundle.

        :raises OutputError: it cannot be written.
        """
        with atomic_path(path) as temporary:
            if not self.scene.WriteToMRB(str(temporary)):
                raise OutputError(f"{path.name} could not be written.", "Check the folder and the disk.")

    def clear(self) -> None:
        """Take everything out of the scene; the views stay."""
        self.scene.Clear(0)

    # -- looking

    def show(self, session: Session) -> None:
        """Show a case from the middle of its image."""
        nodes = session.nodes
        self._app.display_manager.show_volume_in_slice_background(nodes.volume)
        self._app.display_manager.show_volume_in_slice_foreground(None)
        if nodes.segmentation is not None:
            nodes.segmentation.CreateClosedSurfaceRepresentation()
        self._app.display_manager.reset_views()
        self.render()

    def go_to(self, session: Session, key: Key) -> None:
        """Turn the slice views to a value's plane and highlight its line."""
        session.highlight(key)
        aim = aim_at(session, key)
        if aim is not None:
            look(self.scene, aim)
        self.render()

    def fill(self, session: Session, opacity: float) -> None:
        """How opaque the segments are in the slices, 0 (outlines only) to 1."""
        segmentation = session.nodes.segmentation
        display = segmentation.GetDisplayNode() if segmentation is not None else None
        if display is not None:
            display.SetOpacity2DFill(opacity)
            self.render()

    def render(self) -> None:
        """Draw all views soon."""
        for view in self._app.view_manager.get_views():
            view.schedule_render()
