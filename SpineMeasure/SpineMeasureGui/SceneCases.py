"""The cases of the scene in the panel: which one is shown, and what happens when nodes are added or removed."""

import qt
import slicer
import vtk

from SpineMeasureLib.errors import SpineMeasureError
from SpineMeasureLib.review.open_cases import OpenCases


class SceneCases:
    """Opens the cases of the scene and shows one of them.

    :param panel: the `Panel`.
    :ivar open: the `OpenCases`.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.desk = panel.desk
        self.open = OpenCases(slicer.mrmlScene, panel.logic.quietly)

    def observed(self) -> tuple:
        """Return the events of the scene and what reacts to each."""
        scene = slicer.mrmlScene
        return (
            (scene.StartCloseEvent, self.onStartClose),
            (scene.EndCloseEvent, self.onEndClose),
            (scene.EndImportEvent, self.onEndImport),
            (scene.NodeAddedEvent, self.onNodeAdded),
            (scene.NodeRemovedEvent, self.onNodeRemoved),
        )

    # Showing

    def find(self) -> None:
        """Open the cases of the scene that are not open, and show the one of the chosen volume."""
        try:
            found = self.open.find()
        except SpineMeasureError as error:
            self.desk.say(error.message, error.hint)
            return
        if found:
            self.show(self.open.of_volume(self.panel.parameters.volume) or found[-1])

    def add(self, session) -> None:
        """Show a new case; an earlier one of the same segmentation is closed."""
        self.open.add(session)
        self._leaveClosed()
        self.show(session)

    def showCaseOf(self, volume) -> None:
        """Show the newest case of a volume; of a volume without a case show no values."""
        session, shown = self.open.of_volume(volume), self.desk.session
        if session is not None and session is not shown:
            self.show(session)
        elif session is None and volume is not None and shown is not None and shown.nodes.volume is not None:
            self.show(None)  # values of one image beside another would be taken for its own
            if self.panel.entered:
                slicer.util.setSliceViewerLayers(background=volume, fit=True)

    def show(self, session) -> None:
        """Show another case, or none."""
        panel, before = self.panel, self.desk.session
        with panel.logic.quietly():
            if before in self.open.sessions:
                panel.logic.setShown(before, False)
            if session is not None:
                panel.link.adopt(session)
                session.free_while(panel.shortcuts.controlHeld)
                panel.logic.setShown(session, True)
            panel.segments.watch(session.nodes.segmentation if session is not None else None)
            self.desk.open(session)
            if session is not None and panel.entered:
                self.showInViews()
            panel.segmentEditor.forget()
            panel.segments.open()

    def showInViews(self) -> None:
        """Show the case in the views, at a level in its middle."""
        with self.panel.logic.quietly():
            self.panel.logic.showCase(self.desk.session)
            self.desk.go_to_middle()

    def close(self) -> None:
        """Close all cases."""
        self.open.close()
        self._leaveClosed()

    def removeEmptied(self) -> None:
        """Remove what is left of cases whose image, segments and table were deleted."""
        self.open.remove_emptied()
        self._leaveClosed()

    def _leaveClosed(self) -> None:
        if self.desk.session is not None and self.desk.session not in self.open.sessions:
            self.show(None)

    # The scene

    def onStartClose(self, caller=None, event=None) -> None:
        """Release the nodes before they are removed."""
        if self.panel.case.run is not None:
            self.panel.case.run.cancel()
        self.close()
        self.panel.segmentEditor.forget()

    def onEndClose(self, caller=None, event=None) -> None:
        """Start again, empty."""
        self.desk.dismiss()
        self.panel.reviewLayout.forget()
        if self.panel.entered:
            self.panel.link.initialize()

    def onEndImport(self, caller=None, event=None) -> None:
        """Look for cases in the loaded scene once views and selectors have noticed it, too."""
        self.panel.reviewLayout.forget()
        qt.QTimer.singleShot(0, self.takeUp)

    def takeUp(self) -> None:
        """Show the choices and cases of a scene that was imported."""
        if self.panel.entered:
            self.panel.link.initialize(again=True)
            self.find()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller=None, event=None, node=None) -> None:
        """Choose a volume that is added while none is chosen, once it has its image."""
        isVolume = node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode"
        if isVolume and self.panel.entered and not slicer.mrmlScene.IsBatchProcessing():
            qt.QTimer.singleShot(0, self.chooseVolume)

    def chooseVolume(self) -> None:
        """Choose a volume if none is chosen."""
        if self.panel.entered and self.panel.parameters.volume is None:
            self.panel.link.initialize()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller=None, event=None, node=None) -> None:
        """Close a case whose record was deleted; release a segmentation that was deleted."""
        kinds = ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLVolumeNode")
        if node is None or not any(node.IsA(kind) for kind in kinds):
            return
        if self.open.emptied:
            qt.QTimer.singleShot(0, self.removeEmptied)  # the scene is being changed just now
        self.open.forget_removed(node)
        self._leaveClosed()
        if self.desk.session is not None and self.desk.session.nodes.segmentation in (None, node):
            self.panel.segmentEditor.forget()
        self.panel.updateButtons()
