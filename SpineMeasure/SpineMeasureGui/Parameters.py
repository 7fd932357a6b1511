"""The parameters that the panel keeps with the scene, connected to its widgets."""

import slicer
import vtk
from slicer.util import VTKObservationMixin


class Parameters(VTKObservationMixin):
    """Connects the panel to the parameters of the scene.

    :param panel: the `Panel`.
    :ivar node: the `SpineMeasureParameterNode`, None before the start and after the end.
    """

    def __init__(self, panel) -> None:
        super().__init__()
        self.panel = panel
        self.node = None
        self._guiTag = None
        self._adopting = False

    def initialize(self, again=False) -> None:
        """Make sure that the parameters exist and that an image is chosen if there is one.

        :param again: show them again; a scene that was imported has changed them without an event.
        """
        if again:
            self.set(None)
        self.set(self.panel.logic.getParameterNode())
        if self.node.volume is None:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            # Not label maps, which are volumes of a class below.
            images = [node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
            if images:
                self.node.volume = images[0]

    def set(self, node) -> None:
        """Connect the widgets to parameters, or to None at the end."""
        if node is self.node:
            return
        if self.node is not None:
            self.node.disconnectGui(self._guiTag)
            self.removeObserver(self.node, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.node = node
        if node is not None:
            # Not `connectGui`: it returns no tag, so that nothing would ever be disconnected.
            named = {widget.property("SlicerParameterName"): widget for widget in vars(self.panel.ui).values()}
            self._guiTag = node.connectParametersToGui({name: widget for name, widget in named.items() if name})
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onModified)
            self.panel.measurements.translateGroups()
            # For new cases: an open case keeps its own.
            self.panel.desk.preferred_ends = node.ends
            self.onModified()

    def adopt(self, session) -> None:
        """Choose the nodes of a case that is shown from now on."""
        self._adopting = True
        try:
            self.node.volume = session.nodes.volume
            self.node.segmentation = session.nodes.segmentation
        finally:
            self._adopting = False
        self._obey(session)

    def _obey(self, session) -> None:
        session.snap_to_plane, session.snap_to_edges = self.node.snapToPlane, self.node.snapToEdges

    def onModified(self, caller=None, event=None) -> None:
        """Follow the parameters: another volume shows its case, the group filters the table."""
        if self._adopting:
            return
        panel, node = self.panel, self.node
        with panel.logic.quietly():
            panel.cases.showCaseOf(node.volume)
            if panel.session is not None:
                self._obey(panel.session)
            if node.ends != panel.desk.preferred_ends:
                panel.desk.show_ends(node.ends)
            panel.desk.show_only(group=node.group, only_level=node.onlyLevel)
            if panel.entered and panel.case.askedDevice not in ("", node.device):
                panel.case.askDevice()
            panel.updateButtons()
