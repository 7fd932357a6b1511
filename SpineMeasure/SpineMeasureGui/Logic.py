"""What the panel and scripts call: runs, sessions, views and files, without a widget."""

import contextlib
import os
import shutil

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from SpineMeasureGui.ChildRun import ChildRun


class SpineMeasureLogic(ScriptedLoadableModuleLogic):
    """What the panel and scripts call. Nothing pops up except in `installNeeds`.

    Example::

        session = SpineMeasureLogic().process(volumeNode)
        for measurement in session.rows:
            print(measurement.level, measurement.quantity, measurement.value)
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._parameters = None
        #: What makes a `SpineMeasureLib.child.Runner`; tests put one without a process here.
        self.makeRunner = ChildRun

    def getParameterNode(self):
        """Return the module's parameters in the scene, the same object as long as the scene keeps its node.

        The wrapper never stops observing its node. If Python collected it, Slicer would crash at the next change of the
        node, so it is kept.
        """
        from SpineMeasure import SpineMeasureParameterNode

        node = super().getParameterNode()
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = SpineMeasureParameterNode(node)
        return self._parameters

    @staticmethod
    def plainError():
        """Return the error class whose text is for the user."""
        from SpineMeasureLib.errors import SpineMeasureError

        return SpineMeasureError

    @staticmethod
    def quietly():
        """Return a context in which no view is drawn; the views are drawn once, at its end."""
        hasViews = slicer.app.layoutManager() is not None
        return slicer.util.RenderBlocker() if hasViews else contextlib.nullcontext()

    @staticmethod
    def checkLowestDisc(name) -> None:
        """Refuse a name that is not a disc level, before the run; an empty name numbers the levels from the image.

        :raises SpineMeasureLib.errors.LevelNameError: the name is not a disc level.
        """
        from SpineMeasureLib.segment.naming.levels import parse_disc

        if name.strip():
            parse_disc(name)

    @staticmethod
    def loadTerminology() -> None:
        """Load the terminology of vertebrae and discs into Slicer, unless it is loaded."""
        from SpineMeasureLib.resources import data_path
        from SpineMeasureLib.review.mrml.segments import TERMINOLOGY

        terminologies = slicer.modules.terminologies.logic()
        names = vtk.vtkStringArray()
        terminologies.GetLoadedTerminologyNames(names)
        if TERMINOLOGY not in [names.GetValue(n) for n in range(names.GetNumberOfValues())]:
            terminologies.LoadTerminologyFromFile(str(data_path("Resources/SpineMeasure.term.json")))

    @staticmethod
    def registerLayout() -> None:
        """Register the layout of the review, so that a scene saved in it opens in it."""
        from SpineMeasureLib.review.mrml.layout import add_layout

        layoutManager = slicer.app.layoutManager()
        if layoutManager is not None:
            add_layout(layoutManager.layoutLogic().GetLayoutNode())

    # Running

    @staticmethod
    def pythonExecutable() -> str:
        """Return the interpreter of the child: PythonSlicer, which sets up the environment of Slicer's Python.

        Never `sys.executable`, which may be Slicer itself.
        """
        program = "PythonSlicer"
        inSlicer = os.path.join(slicer.app.slicerHome, "bin")
        return shutil.which(program) or shutil.which(program, path=inSlicer) or program

    @staticmethod
    def installNeeds(onLine=None) -> bool:
        """Install the packages that the segmentation needs, after asking. Return True if all are installed.

        :param onLine: called with every line of output of the installation.
        :raises SpineMeasureLib.errors.DependencyError: the PyTorch extension is not installed.
        """
        from SpineMeasureGui.Installation import installNeeds

        return installNeeds(onLine)

    def process(
        self,
        volumeNode,
        device="auto",
        lowestDisc="",
        onUpdate=None,
        onFinished=None,
        labels=None,
        blocking=None,
        onBuilding=None,
        ends="edges",
    ):
        """Segment and measure a volume in a child process, and build a review session of the result in the scene.

        :param volumeNode: vtkMRMLScalarVolumeNode, a spine MRI.
        :param device: ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
        :param lowestDisc: name of the lowest disc in view (``"L5-S1"``); empty to number the levels from the image.
        :param onUpdate: called with `SpineMeasureLib.child.Update` (stage, fraction of the stage, message).
        :param onFinished: called with (session, None) or (None, `SpineMeasureLib.child.Failure`).
        :param labels: path of a label map file to measure instead of running the model.
        :param blocking: wait for the result; by default if there is no `onFinished`.
        :param onBuilding: called when the child has finished, before its results are added to the scene.
        :param ends: what the heights that are shown first are between: ``"edges"`` of the image or ``"masks"``.
        :return: the `Session` when blocking, else the `SpineMeasureLib.child.Runner`, which can be cancelled.
        :raises SpineMeasureLib.errors.SpineMeasureError: bad input; when blocking, any failure.
        """
        from SpineMeasureLib import child
        from SpineMeasureLib.io.checks import check_mri
        from SpineMeasureLib.io.write import write_volume
        from SpineMeasureLib.review.mrml.volume_node import refuse_moved, volume_from_node

        self.checkLowestDisc(lowestDisc)
        volume = volume_from_node(volumeNode)
        affine = volume.affine
        check_mri(volume)
        outcome = []

        def finished(failure) -> None:
            session = None
            if failure is None and volumeNode.GetScene() is None:
                failure = child.Failure(
                    "input", "The volume was removed during the run.", "Load it again and measure it."
                )
            if failure is None:
                if onBuilding is not None:
                    onBuilding()
                try:
                    refuse_moved(volumeNode, affine)
                    with slicer.util.WaitCursor():
                        session = self._sessionFromResults(workspace.results, volumeNode)
                except self.plainError() as error:
                    failure = child.Failure("unexpected", error.message, error.hint)
            outcome.extend((session, failure))
            if onFinished is not None:
                onFinished(session, failure)

        workspace = child.Workspace()
        try:
            write_volume(volume, workspace.image)
            job = child.measure_job(
                workspace.image,
                workspace.results,
                device=device,
                lowest_disc=lowestDisc.strip(),
                labels=labels,
                ends=ends,
            )
            run = self.makeRunner(self.pythonExecutable(), job, workspace, onUpdate, finished).start()
        except BaseException:
            workspace.remove()
            raise
        if not (onFinished is None if blocking is None else blocking):
            return run
        run.wait()
        session, failure = outcome
        if failure is not None:
            raise self.plainError()(failure.message, failure.next_step)
        return session

    def _sessionFromResults(self, folder, volumeNode):
        from SpineMeasureLib.case_folder import read_results
        from SpineMeasureLib.review.session import Session

        results = read_results(folder)
        self.loadTerminology()
        return Session.build(
            slicer.mrmlScene,
            volumeNode,
            results.segmentation,
            results.measurements,
            volumeNode.GetName(),
            quietly=self.quietly,
        )

    def measureSegmentation(self, segmentationNode, volumeNode=None, lowestDisc="", ends="edges"):
        """Make a review session of a segmentation that is in the scene.

        :param ends: see `process`.
        :raises SpineMeasureLib.errors.SpineMeasureError: nothing could be measured.
        """
        from SpineMeasureLib.review.session import Session

        self.loadTerminology()
        return Session.from_segmentation_node(
            slicer.mrmlScene, segmentationNode, volumeNode, lowestDisc.strip() or None, self.quietly, ends
        )

    def measureLabelmap(self, labelmapNode, volumeNode=None, lowestDisc=""):
        """Make a review session of a label map node: 1 vertebra / 2 disc / 3 canal, or this program's own values.

        :raises SpineMeasureLib.errors.SpineMeasureError: nothing could be measured.
        """
        from SpineMeasureLib.measure import measure
        from SpineMeasureLib.review.mrml.volume_node import image_from_node, volume_from_node
        from SpineMeasureLib.review.session import Session
        from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
        from SpineMeasureLib.segment.labels.plausible import check_anatomy

        segmentation = segmentation_from_labels(volume_from_node(labelmapNode), lowest_disc=lowestDisc.strip() or None)
        check_anatomy(segmentation)
        self.loadTerminology()
        shown = volumeNode if volumeNode is not None else labelmapNode
        values = measure(segmentation, image_from_node(volumeNode))
        return Session.build(slicer.mrmlScene, shown, segmentation, values, labelmapNode.GetName(), self.quietly)

    def askDevice(self, device, onKnown):
        """Ask a child which device would be used; `onKnown` is called with one line for the user."""
        from SpineMeasureLib import child

        def finished(failure) -> None:
            result = run.conversation.result
            if failure is not None or result is None:
                onKnown(str(failure) if failure is not None else _("unknown"))
            else:
                onKnown(_("{name}: {why}.").format(name=result["name"], why=result["why"]))

        run = self.makeRunner(self.pythonExecutable(), child.device_job(device), child.Workspace(), None, finished)
        return run.start()

    # Showing

    @staticmethod
    def showCase(session) -> None:
        """Show the image in the slice views, and the segments from the side in the 3D views."""
        from SpineMeasureLib.review.mrml.views import look_from_the_side

        nodes = session.nodes
        volume, segmentation, table = nodes.volume, nodes.segmentation, nodes.table
        if slicer.app.layoutManager() is not None:
            slicer.util.setSliceViewerLayers(background=volume, fit=True)
            if segmentation is not None:
                segmentation.CreateClosedSurfaceRepresentation()
                look_from_the_side(slicer.mrmlScene, segmentation)
        applicationLogic = slicer.app.applicationLogic()
        if table is not None:
            applicationLogic.GetSelectionNode().SetActiveTableID(table.GetID())
            applicationLogic.PropagateTableSelection()

    @staticmethod
    def setShown(session, shown) -> None:
        """Show or hide the segments and lines of a case; the views show one case at a time."""
        segmentation = session.nodes.segmentation
        if segmentation is not None and segmentation.GetDisplayNode() is not None:
            segmentation.GetDisplayNode().SetVisibility(shown)
        if not shown:
            session.highlight(None)
        session.show(levels=None if shown else [])

    @staticmethod
    def show(session, key) -> None:
        """Turn all slice views to a value's plane and highlight its line."""
        from SpineMeasureLib.review.mrml.slices import aim_at, look

        session.highlight(key)
        aim = aim_at(session, key)
        if aim is not None:
            look(slicer.mrmlScene, aim)

    # Export

    @staticmethod
    def exportScene(session, folder):
        """Write the whole scene as a bundle and return its path.

        :raises SpineMeasureLib.errors.OutputError: the file cannot be written.
        """
        from SpineMeasureLib.review.mrml.bundle import write_bundle
        from SpineMeasureLib.review.output import output_path

        path = output_path(session, folder, ".mrb")
        # Not `slicer.util.saveScene`, which would leave the temporary name as the name of the scene.
        write_bundle(slicer.mrmlScene, path)
        session.written.add(path)
        return path

    @staticmethod
    def exportDicom(session, folder, onWarnings=None):
        """Write DICOM SEG and SR of a volume from the DICOM database, add them to it, and return their folder.

        :param onWarnings: called with a list of sentences for the user.
        :raises SpineMeasureLib.errors.DicomSeriesError: the volume did not come from the DICOM database.
        """
        from SpineMeasureGui.DicomDatabase import filesOf, insert
        from SpineMeasureLib.review.output import output_path, write_dicom_objects

        place = output_path(session, folder, "_dicom")
        files, warnings = write_dicom_objects(session, filesOf(session.nodes.volume), place)
        insert(files)
        if onWarnings is not None:
            onWarnings(warnings)
        return place
