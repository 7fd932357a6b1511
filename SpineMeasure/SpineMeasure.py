"""SpineMeasure: the 3D Slicer module. Everything that is not a widget lives in SpineMeasureLib."""

import contextlib
import functools
import logging
import os
import shutil
import sys
import tempfile
import time
from typing import Annotated

import ctk
import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

HOMEPAGE = "https://github.com/SpineMeasure/SlicerSpineMeasure"


def importLibrary() -> None:
    """Make SpineMeasureGui and SpineMeasureLib importable: installed beside this file, or from a source checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder, package in ((here, "SpineMeasureGui"), (os.path.dirname(here), "SpineMeasureLib")):
        if os.path.isdir(os.path.join(folder, package)) and folder not in sys.path:
            sys.path.append(folder)


#
# SpineMeasure
#


class SpineMeasure(ScriptedLoadableModule):
    """Name, category and texts of the module; its sample data and its terms."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Spine Measure")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor", "Markups", "Tables", "Terminologies"]
        self.parent.contributors = ["SpineMeasure developers"]
        self.parent.helpText = _(
            "Finds vertebrae, discs and the canal in a spine MRI, names them, and measures disc heights and canal "
            "diameters with lines that can be dragged. Choose a volume and press Segment & Measure; the sample "
            "data set 'SpineMeasureLumbarT2' is one to try. <b>Not for diagnosis.</b> "
            "<a href='{0}#readme'>Manual</a>, <a href='{0}/issues'>questions and faults</a>."
        ).format(HOMEPAGE)
        self.parent.acknowledgementText = _(
            "The bundled model was trained on the SPIDER data (van der Graaf et al., Scientific Data 2024, CC BY 4.0) "
            "and other sets that its model card lists under Details."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self) -> None:
        """Offer the sample, the terms and the layout; a fault there must not keep Slicer from starting."""
        thumbnail = self.resourcePath("Icons/SpineMeasure.png")
        for offer in (
            lambda: registerSampleData(thumbnail),
            SpineMeasureLogic.loadTerminology,
            SpineMeasureLogic.registerLayout,
        ):
            try:
                offer()
            except Exception:
                logging.exception(
                    "SpineMeasure: the sample data, the terminology or the layout could not be registered"
                )


def registerSampleData(thumbnail: str) -> None:
    """Add the bundled synthetic case to the Sample Data module; nothing is downloaded."""
    import hashlib

    import SampleData

    importLibrary()
    from SpineMeasureLib.resources import data_path

    path = data_path("Resources/sample/lumbar_t2.nii.gz")
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="SpineMeasure",
        sampleName="SpineMeasureLumbarT2",
        thumbnailFileName=thumbnail,
        uris=path.as_uri(),
        fileNames="SpineMeasureLumbarT2.nii.gz",
        nodeNames="SpineMeasureLumbarT2",
        checksums="SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
    )


#
# SpineMeasureParameterNode
#


@parameterNodeWrapper
class SpineMeasureParameterNode:
    """What the panel remembers with the scene."""

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    device: Annotated[str, Choice(["auto", "cuda", "mps", "cpu"])] = "auto"
    lowestDisc: str = ""
    group: Annotated[str, Choice(["Lines", "All values", "Disc", "Canal and cord", "Vertebra", "Alignment"])] = "Lines"
    snapToPlane: bool = True
    onlyLevel: bool = False


#
# SpineMeasureWidget
#


def drawnOnce(method):
    """A method of the panel that changes many nodes: the views are drawn once, when it is done.

    While its event loop is busy, Slicer draws all views after nearly every change of a node.
    """

    @functools.wraps(method)
    def quiet(self, *arguments, **options):
        with self.logic.quietly():
            return method(self, *arguments, **options)

    return quiet


#: What accept, withdraw and reset apply to. Not remembered: nobody is to sign more than they meant to.
SCOPES = ("selected values", "level", "case")
#: Where the reader's initials are remembered: with the user, not with a scene, which others open.
REVIEWER_SETTING = "SpineMeasure/reviewer"
#: How often segments are compared with those that were measured, ms: not every change of them sends an event.
WATCH_MS = 1000


class SpineMeasureWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: calls the logic and the session, and shows what they say."""

    def __init__(self, parent=None) -> None:
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.ui = None
        self.session = None
        self.run = None
        self._sessions = []
        self._token = None
        self._allKeys = []
        # Rows are known by their ids: their keys change when levels are renamed.
        self._currentRow = None
        self._filterRow = None
        self._pinnedRow = None
        self._shownGroup = ""
        self._shownOnlyLevel = False
        self._filling = False
        self._acting = False
        self._stale = False
        self._parameterNode = None
        self._guiTag = None
        self._deviceRun = None
        self._askedDevice = ""
        self._started = 0.0
        self._preparing = False
        self._building = False
        self.entered = False
        # The last: without a parent it calls `setup`.
        ScriptedLoadableModuleWidget.__init__(self, parent)

    # Life

    def setup(self) -> None:
        """Load the panel and connect it."""
        ScriptedLoadableModuleWidget.setup(self)
        importLibrary()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineMeasure.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineMeasureLogic()
        self._setUpParts()
        self._setUpDetails()
        self._connectButtons()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)
        self.initializeParameterNode()

    def _setUpParts(self) -> None:
        from SpineMeasureGui.MeasurementTable import MeasurementTable
        from SpineMeasureGui.MessageBar import MessageBar
        from SpineMeasureGui.SegmentEditor import SegmentEditor
        from SpineMeasureGui.Surroundings import ReviewLayout, Shortcuts
        from SpineMeasureGui.Texts import shown

        from SpineMeasureLib.review.mrml.observers import Observers

        self._shown = shown
        self.table = MeasurementTable(self.ui.measurementTable, self.resourcePath("Icons/{}.png"))
        self.messages = MessageBar(self.ui.messageLabel)
        self.reviewLayout = ReviewLayout()
        self.shortcuts = Shortcuts(self._shortcutTable())
        self.segmentEditor = SegmentEditor(self.ui.segmentEditorHolder.layout(), self.shortcuts.yieldControl)
        # Not the mixin: that would keep every segmentation that was ever watched in memory, voxels and all.
        self._watched = Observers()
        self._watch = qt.QTimer(self.ui.scrollArea)  # goes with the panel
        self._watch.setInterval(WATCH_MS)
        self._watch.connect("timeout()", self.checkSegments)

    def _setUpDetails(self) -> None:
        from SpineMeasureLib.review.panel import disc_names, methods_text, model_card

        self.ui.modelBrowser.setMarkdown(model_card())
        self.ui.methodsBrowser.setMarkdown(methods_text())
        self.ui.renameSelector.addItems(disc_names())
        self.ui.scopeSelector.addItems([self._shown(scope) for scope in SCOPES])
        self.ui.reviewerEdit.text = slicer.app.userSettings().value(REVIEWER_SETTING, "")
        self.ui.exportPath.filters = ctk.ctkPathLineEdit.Dirs
        self.ui.shortcutsLabel.toolTip = self.shortcuts.tooltip()
        ui = self.ui
        self._guarded = [
            (what, button, button.toolTip)
            for what, button in (
                ("accept", ui.acceptButton),
                ("withdraw", ui.withdrawButton),
                ("reset", ui.resetButton),
                ("export", ui.csvButton),
                ("export", ui.jsonButton),
                ("export", ui.reportButton),
                ("export", ui.dicomButton),
            )
        ]

    def _connectButtons(self) -> None:
        ui = self.ui
        for button, slot in (
            (ui.runButton, self.onRun),
            (ui.cancelButton, self.onCancel),
            (ui.measureSegmentationButton, self.onMeasureSegmentation),
            (ui.previousLevelButton, self.onPreviousLevel),
            (ui.nextLevelButton, self.onNextLevel),
            (ui.nextFlaggedButton, self.onNextFlagged),
            (ui.renameButton, self.onRename),
            (ui.shiftUpButton, self.onShiftUp),
            (ui.shiftDownButton, self.onShiftDown),
            (ui.acceptButton, self.onAccept),
            (ui.withdrawButton, self.onWithdraw),
            (ui.resetButton, self.onReset),
            (ui.undoButton, self.onUndo),
            (ui.redoButton, self.onRedo),
            (ui.remeasureButton, self.onRemeasure),
            (ui.csvButton, self.onExportCsv),
            (ui.jsonButton, self.onExportJson),
            (ui.sceneButton, self.onExportScene),
            (ui.reportButton, self.onExportReport),
            (ui.dicomButton, self.onExportDicom),
            (ui.trainingButton, self.onExportTraining),
        ):
            button.connect("clicked(bool)", self._asAction(slot))
        ui.measurementTable.connect("cellClicked(int,int)", self.onCellClicked)
        ui.measurementTable.connect("currentCellChanged(int,int,int,int)", self.onCurrentCellChanged)
        ui.scopeSelector.connect("currentIndexChanged(int)", self.onScopeChosen)
        ui.reviewerEdit.connect("editingFinished()", self.onReviewerEntered)
        ui.measurementTable.connect("itemSelectionChanged()", self.updateButtons)
        ui.levelSelector.connect("currentTextChanged(QString)", self.onLevelChosen)
        ui.levelFilter.connect("currentTextChanged(QString)", self.onFilterChanged)
        ui.segmentsCollapsibleButton.connect("contentsCollapsed(bool)", self.onSegmentsCollapsed)

    def _asAction(self, slot):
        """A slot of a button or key: what the one before brought is no longer shown."""

        def act(checked=False) -> None:
            self.messages.dismiss()
            slot()

        return act

    def cleanup(self) -> None:
        """Leave nothing behind: no process, no observer, no session."""
        self.exit()
        for run in (self.run, self._deviceRun):
            if run is not None:
                run.abandon()
        self._closeSessions()
        self.setParameterNode(None)
        self.removeObservers()
        self.segmentEditor.cleanup()

    def enter(self) -> None:
        """Own layout and shortcuts; pick up a case that is in the scene."""
        if self.entered:
            return
        self.entered = True
        self.initializeParameterNode(again=True)
        self.shortcuts.install()
        self.reviewLayout.show()
        self._openSegmentEditor()
        self._findSessions()
        if self.session is not None and self._currentKey is None:
            self._showSession()  # it came while another module was shown
        self.checkSegments()
        self._watch.start()
        if self._askedDevice != self._parameterNode.device:
            self.askDevice()

    def exit(self) -> None:
        """Give layout, shortcuts and Segment Editor back."""
        if not self.entered:
            return
        self.entered = False
        self._watch.stop()
        self.shortcuts.remove()
        with self.logic.quietly():
            self.reviewLayout.restore()
        self.segmentEditor.close()

    def initializeParameterNode(self, again=False) -> None:
        """Make sure that the parameters exist and that something is chosen.

        :param again: show them anew; a scene that was imported has changed them without an event.
        """
        if again:
            self.setParameterNode(None)
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.volume is None:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            # Not label maps, which are volumes of a class below.
            images = [node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
            if images:
                self._parameterNode.volume = images[0]

    def setParameterNode(self, parameterNode) -> None:
        """Connect the panel to parameters, or to none at its end."""
        if parameterNode is self._parameterNode:
            return
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameterNode = parameterNode
        if self._parameterNode is not None:
            # Not `connectGui`: it returns no tag, so that nothing would ever be disconnected.
            self._guiTag = self._parameterNode.connectParametersToGui(self._parameterWidgets())
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            # The connection filled them with the values themselves.
            box = self.ui.quantityFilter
            for n in range(box.count):
                box.setItemText(n, self._shown(box.itemText(n)))
            self.onParametersModified()

    def _parameterWidgets(self) -> dict:
        """The widgets that show a parameter, by its name, as the .ui file says."""
        named = {widget.property("SlicerParameterName"): widget for widget in vars(self.ui).values()}
        return {name: widget for name, widget in named.items() if name}

    # Scene

    def onSceneStartClose(self, caller=None, event=None) -> None:
        """Let go of the nodes before they go."""
        if self.run is not None:
            self.run.cancel()
        self._closeSessions()
        self.segmentEditor.forget()

    def onSceneEndClose(self, caller=None, event=None) -> None:
        """Start again, empty."""
        self.messages.dismiss()
        self.reviewLayout.forget()
        if self.entered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller=None, event=None) -> None:
        """A loaded scene may hold cases: look when views and selectors have taken notice of it, too."""
        self.reviewLayout.forget()
        qt.QTimer.singleShot(0, self.takeUpScene)

    def takeUpScene(self) -> None:
        """Show the choices and cases of a scene that was imported."""
        if self.entered:
            self.initializeParameterNode(again=True)
            self._findSessions()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller=None, event=None, node=None) -> None:
        """Choose a volume that comes while none is chosen, once it has its image."""
        isVolume = node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode"
        if isVolume and self.entered and not slicer.mrmlScene.IsBatchProcessing():
            qt.QTimer.singleShot(0, self.chooseVolume)

    def chooseVolume(self) -> None:
        """Choose a volume if none is chosen."""
        if self.entered and self._parameterNode.volume is None:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller=None, event=None, node=None) -> None:
        """Close a case whose record was deleted; let the Segment Editor go of a segmentation that was deleted."""
        kinds = ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLVolumeNode")
        if node is None or not any(node.IsA(kind) for kind in kinds):
            return
        if any(not any(_leftOf(session)) for session in self._sessions):
            qt.QTimer.singleShot(0, self.removeEmptyCases)  # the scene is being changed just now
        for session in list(self._sessions):
            if session.nodes.case is None or session.nodes.case is node:
                self._forget(session)
        if self.session is not None and self.session.nodes.segmentation in (None, node):
            self.segmentEditor.forget()
        self.updateButtons()

    def removeEmptyCases(self) -> None:
        """Take away what is left of a case whose image, segments and table were deleted: values that nobody sees."""
        for session in [s for s in self._sessions if not any(_leftOf(s))]:
            self._forget(session)
            session.remove()

    @drawnOnce
    def onParametersModified(self, caller=None, event=None) -> None:
        """Follow the parameters: another volume shows its case, filters the table, the rest the buttons."""
        parameters = self._parameterNode
        if self._filling:
            return
        session = self._sessionOf(parameters.volume)
        if session is not None and session is not self.session:
            self.setSession(session)
        elif session is None and parameters.volume is not None and self._hasImage():
            self.setSession(None)  # values of one image beside another would be taken for its own
            if self.entered:
                slicer.util.setSliceViewerLayers(background=parameters.volume, fit=True)
        if self.session is not None:
            self.session.snap_to_plane = parameters.snapToPlane
        if self._shownGroup != parameters.group:
            self._pinnedRow = None
            self._fillTable()
        elif self._shownOnlyLevel != parameters.onlyLevel:
            self._fillTable()
        if self.entered and self._askedDevice not in ("", parameters.device):
            self.askDevice()
        self.updateButtons()

    # Session

    def _findSessions(self) -> None:
        from SpineMeasureLib.review.panel import unopened_cases

        try:
            found = unopened_cases(slicer.mrmlScene, self._sessions, self.logic.quietly)
        except self.logic.plainError() as error:
            self.showMessage(error.message, error.hint)
            return
        if not found:
            return
        self._sessions += found
        chosen = self._sessionOf(self._parameterNode.volume)
        self.setSession(chosen or self._sessions[-1])

    def _hasImage(self) -> bool:
        return self.session is not None and self.session.nodes.volume is not None

    def _sessionOf(self, volume):
        """The newest case of a volume."""
        return next((s for s in reversed(self._sessions) if volume is not None and s.nodes.volume is volume), None)

    def addSession(self, session) -> None:
        """Show a new case; an earlier one of the same segmentation is closed."""
        for old in [s for s in self._sessions if s.nodes.segmentation is session.nodes.segmentation]:
            self._forget(old)
        self._sessions.append(session)
        self.setSession(session)

    @property
    def _currentKey(self):
        """The value that the views show, under the name that its level has now; None if there is none."""
        return self.session.key_of_id(self._currentRow) if self.session is not None else None

    @drawnOnce
    def setSession(self, session) -> None:
        """Show another case, or none."""
        if self.session is not None and self._token is not None:
            self.session.unobserve(self._token)
            if self.session in self._sessions:
                self.logic.setShown(self.session, False)
        self._watchSegments(None)
        self.session, self._token = session, None
        self._currentRow = self._filterRow = self._pinnedRow = None
        self.messages.dismiss()
        if session is not None:
            self._token = session.observe(self.onSessionChanged)
            self._adoptSession(session)
            self._watchSegments(session.nodes.segmentation)
        self.table.forget()
        self._fillLevels()
        self._fillTable()
        self.checkSegments()
        if session is not None and self.entered:
            self._showSession()
        self.segmentEditor.forget()
        self._openSegmentEditor()

    @drawnOnce
    def _showSession(self) -> None:
        """Show the case in the views, at a level in its middle."""
        self.logic.showCase(self.session)
        self._goToMiddle()

    def _goToMiddle(self) -> None:
        levels = self.session.levels
        if levels:
            self.goToLevel(levels[len(levels) // 2])

    def _watchSegments(self, segmentation) -> None:
        """Be told when segments of this segmentation, and of no other, are changed."""
        self._watched.clear()
        kinds = slicer.vtkSegmentation
        events = (kinds.SourceRepresentationModified, kinds.SegmentModified, kinds.SegmentAdded, kinds.SegmentRemoved)
        for event in events if segmentation is not None else ():
            self._watched.add(segmentation, event, self.onSegmentsModified)

    def onSegmentsModified(self, caller=None, event=None) -> None:
        """Compare at the first stroke; after it the timer does, so that painting on a large image stays fluent."""
        if not self._stale:
            self.checkSegments()

    def checkSegments(self, caller=None, event=None) -> None:
        """Say that the values are those of the segments as they were, for as long as that is so."""
        stale = self.session is not None and self.session.segments_changed
        if stale == self._stale:
            return
        self._stale = stale
        if stale:
            self.messages.dismiss()
        self.messages.stand(self._staleText() if stale else "")
        self.updateButtons()

    @staticmethod
    def _staleText() -> str:
        return _("The segments were edited after they were measured: press Re-measure first.")

    def _adoptSession(self, session) -> None:
        parameters = self._parameterNode
        self._filling = True
        try:
            parameters.volume = session.nodes.volume
            parameters.segmentation = session.nodes.segmentation
        finally:
            self._filling = False
        session.snap_to_plane = parameters.snapToPlane
        session.free_while(self.shortcuts.controlHeld)
        self.logic.setShown(session, True)

    def _forget(self, session) -> None:
        self._sessions.remove(session)
        if session is self.session:
            self.setSession(None)
        session.close()

    def _closeSessions(self) -> None:
        for session in list(self._sessions):
            self._forget(session)

    def onSessionChanged(self, keys) -> None:
        """Bring rows, levels and buttons up to date; while a line is dragged only its rows, so that it keeps up."""
        if not self._acting:
            self.messages.dismiss()
        # An empty set means that everything changed.
        if not keys or [m.key for m in self.session.rows] != self._allKeys:
            self._followRows()
            return
        dragged = self.session.dragged
        if dragged is not None and dragged != self._currentKey:
            self._chooseKey(dragged)
            self.table.select(dragged)
        self.table.update(self.session, keys)
        if not self.session.dragging:
            self._showSummary()
            self.checkSegments()
            self.updateButtons()

    @drawnOnce
    def _followRows(self) -> None:
        """Rows came, went, or have other names: what was current stays so, under its new name."""
        gone = self._currentRow is not None and self._currentKey is None
        self._fillLevels()
        self._fillTable()
        self.checkSegments()
        if gone:
            self._goToMiddle()

    # Case

    def askDevice(self) -> None:
        """Ask a child process which device would be used and why; Slicer itself never loads PyTorch."""
        parameters = self._parameterNode
        if self._deviceRun is not None or slicer.app.testingEnabled():
            return
        from SpineMeasureLib import needs

        if needs.TORCH[0] in needs.missing():
            self._askedDevice = ""
            self.ui.deviceLabel.text = _("PyTorch is not installed; it will be offered at the first run.")
            return
        self._askedDevice = parameters.device
        self.ui.deviceLabel.text = _("asking ...")
        self._deviceRun = self.logic.askDevice(parameters.device, self.onDeviceTold)

    def onDeviceTold(self, text) -> None:
        """Show the device line."""
        self._deviceRun = None
        self.ui.deviceLabel.text = text
        if self._askedDevice != self._parameterNode.device:
            self.askDevice()

    def onRun(self, checked=False) -> None:
        """Segment and measure the chosen volume in a child process."""
        # Slicer answers clicks while packages are installed.
        self._preparing = True
        self.updateButtons()
        try:
            with slicer.util.tryWithErrorDisplay(_("The measuring could not be started."), waitCursor=False):
                self._start(self._parameterNode)
        finally:
            self._preparing = False
            self.updateButtons()

    def _start(self, parameters) -> None:
        volume = parameters.volume
        self._logLine(_("Segment & Measure: {name}").format(name=volume.GetName()))
        try:
            self.logic.checkLowestDisc(parameters.lowestDisc)
            if not self.logic.installNeeds(self.onInstallLine):
                self.showMessage(_("Packages are missing."), _("Agree to the installation to go on."))
                return
            if not self._askedDevice:
                self.askDevice()
            self._started = time.monotonic()
            self.run = self.logic.process(
                volume,
                device=parameters.device,
                lowestDisc=parameters.lowestDisc,
                onUpdate=self.onUpdate,
                onFinished=self.onRunFinished,
                onBuilding=self.onBuilding,
            )
        except self.logic.plainError() as error:
            self.showMessage(error.message, error.hint)

    def onInstallLine(self, line) -> None:
        """Show that the installation goes on; Slicer stays responsive between its lines."""
        self._tell(self.ui.stageLabel, line.strip()[:80])
        self._logLine("  " + line.rstrip())
        slicer.app.processEvents()

    def onUpdate(self, update) -> None:
        """Show how far the child is."""
        self.ui.progressBar.value = int(1000 * update.overall)
        seconds = int(time.monotonic() - self._started)
        self.ui.stageLabel.text = _("{stage}: {message} ({seconds} s)").format(
            stage=update.stage.capitalize(), message=update.message, seconds=seconds
        )

    def onBuilding(self) -> None:
        """Say that the case is being built: until that is done Slicer answers nothing, so nothing can be cancelled."""
        self._building = True
        self.ui.stageLabel.text = _("Building the scene ...")
        self.updateButtons()
        for widget in (self.ui.stageLabel, self.ui.cancelButton):
            widget.repaint()

    def onCancel(self, checked=False) -> None:
        """Stop the child."""
        if self.run is not None:
            self.ui.stageLabel.text = _("Cancelling ...")
            self.run.cancel()
        self.updateButtons()

    def onRunFinished(self, session, failure) -> None:
        """Show the case, or in plain words why there is none."""
        conversation = self.run.conversation if self.run is not None else None
        self.run = None
        self._building = False
        self.ui.stageLabel.text = ""
        if conversation is not None:
            for line in conversation.log:
                self._logLine("  " + line)
        if failure is not None:
            self.showMessage(failure.message, failure.next_step, isError=failure.kind != "cancelled")
        else:
            seconds = time.monotonic() - self._started
            self._logLine(_("Finished in {seconds:.1f} s.").format(seconds=seconds))
            self.addSession(session)
            warnings = conversation.result.get("warnings", []) if conversation is not None else []
            self.showMessage(
                _("Please check the levels and the flagged values."), " ".join(map(str, warnings)), isError=False
            )
        self.updateButtons()

    def onMeasureSegmentation(self, checked=False) -> None:
        """Make a case of the segmentation that was chosen, unless it has one."""
        parameters = self._parameterNode
        known = [s for s in self._sessions if s.nodes.segmentation is parameters.segmentation]
        if known:
            self.setSession(known[-1])
            self.showMessage(
                _("This segmentation is measured already."), _("Press Re-measure after editing it."), isError=False
            )
            return
        with slicer.util.tryWithErrorDisplay(_("The segmentation could not be measured."), waitCursor=True):
            try:
                self.logic.checkLowestDisc(parameters.lowestDisc)
                # Its own image, where it knows one; the chosen volume may be that of another patient.
                image = parameters.segmentation.GetNodeReference(
                    parameters.segmentation.GetReferenceImageGeometryReferenceRole()
                )
                session = self.logic.measureSegmentation(
                    parameters.segmentation, image or parameters.volume, parameters.lowestDisc
                )
            except self.logic.plainError() as error:
                self.showMessage(error.message, error.hint)
                return
            self._logLine(_("Measured: {name}").format(name=parameters.segmentation.GetName()))
            self.addSession(session)

    @staticmethod
    def _tell(label, text) -> None:
        """Show a line of text, or no line."""
        label.text = text
        label.visible = bool(text)

    def showMessage(self, message, nextStep="", isError=True) -> None:
        """Say below the panel what is wrong and what to do; nothing pops up."""
        message, nextStep = self._shown(message), self._shown(nextStep)
        self.messages.say(message, nextStep, isError)
        if message:
            self._logLine(f"{message} {nextStep}")

    def _logLine(self, text) -> None:
        self.ui.logEdit.appendPlainText(f"{time.strftime('%H:%M:%S')} {text}")
        logging.info("SpineMeasure: %s", text)

    # Levels

    def _fillLevels(self) -> None:
        """List the levels; the current one and that of the filter stay the same structures."""
        from SpineMeasureLib.review.panel import ALL_LEVELS, level_note

        session, current = self.session, self._currentKey
        levels = list(session.levels) if session is not None else []
        filtered = session.key_of_id(self._filterRow) if session is not None else None
        if filtered is None:
            self._filterRow = None
        self._filling = True
        try:
            for box, items, key in (
                (self.ui.levelSelector, levels, current),
                (self.ui.levelFilter, [self._shown(ALL_LEVELS), *levels], filtered),
            ):
                box.clear()
                box.addItems(items)
                if key is not None:
                    box.setCurrentText(key[0])
        finally:
            self._filling = False
        if current is not None:
            self._setLevel(current[0])
        self._tell(self.ui.levelNoteLabel, self._shown(level_note(session)) if session is not None else "")

    def onLevelChosen(self, level) -> None:
        """Go to the level that was chosen in the list."""
        if not self._filling and self.session is not None and level:
            self.goToLevel(level)

    @drawnOnce
    def goToLevel(self, level) -> None:
        """Show a level in all views, and its rows if the table is filtered by level."""
        from SpineMeasureLib.review.panel import main_key

        self._setLevel(level)
        if self.ui.levelFilter.currentIndex > 0:
            self.ui.levelFilter.setCurrentText(level)
        key = main_key(self.session, level)
        if key not in self.table.keys:
            key = next((other for other in self.table.keys if other[0] == level), key)
        self.goToKey(key)

    def _setLevel(self, level) -> None:
        self._filling = True
        try:
            self.ui.levelSelector.setCurrentText(level)
            if level in self.session.discs:
                self.ui.renameSelector.setCurrentText(level)
        finally:
            self._filling = False

    @drawnOnce
    def goToKey(self, key) -> None:
        """Turn all slice views to a value's plane, highlight its line and select its row."""
        self._aim(key)
        self.table.select(key)
        self.updateButtons()

    @drawnOnce
    def _aim(self, key) -> None:
        self._chooseKey(key)
        if key is None:
            self.session.highlight(None)
        else:
            self.logic.show(self.session, key)

    def _chooseKey(self, key) -> None:
        self._currentRow = self.session.id_of(key) if key is not None else None
        if key is not None:
            self._setLevel(key[0])

    def _stepLevel(self, by) -> None:
        from SpineMeasureLib.review.panel import step

        if self.session is not None:
            self.goToLevel(step(list(self.session.levels), self.ui.levelSelector.currentText, by))

    def onNextLevel(self, checked=False) -> None:
        """One level towards the feet."""
        self._stepLevel(1)

    def onPreviousLevel(self, checked=False) -> None:
        """One level towards the head."""
        self._stepLevel(-1)

    def onNextFlagged(self, checked=False) -> None:
        """Go to the next doubtful value. One that the filters hide is listed for as long as they stay as they are."""
        from SpineMeasureLib.review.panel import next_flagged

        key = next_flagged(self.session, self._currentKey) if self.session is not None else None
        if key is None:
            return
        if key not in self.table.keys:
            self._pinnedRow = self.session.id_of(key)
            self._fillTable()
        self.goToKey(key)

    def onRename(self, checked=False) -> None:
        """The disc of the current level gets the chosen name, and every other level follows."""
        level = self.ui.levelSelector.currentText
        self._rename(_("Rename"), lambda: self.session.rename_disc(level, self.ui.renameSelector.currentText))

    def onShiftUp(self, checked=False) -> None:
        """Every level is the one above."""
        self._rename(_("Shift up"), lambda: self.session.shift_levels(-1))

    def onShiftDown(self, checked=False) -> None:
        """Every level is the one below."""
        self._rename(_("Shift down"), lambda: self.session.shift_levels(1))

    def _rename(self, what, action) -> None:
        """Rename levels; say which values the new names do not have."""
        from SpineMeasureLib.review.panel import ended_by

        ended = []
        if self._change(what, lambda: ended.extend(ended_by(self.session, action))) and ended:
            text = _("Not available under the new level names: {names}.").format(names=", ".join(ended))
            self.showMessage(text, _("Undo brings it back."), isError=False)

    @drawnOnce
    def _change(self, what, action) -> bool:
        """Do something to the session, and draw the views once; a refusal is told in the panel."""
        if self.session is None:
            return False
        done = False
        self._acting = True
        try:
            with slicer.util.tryWithErrorDisplay(_("{what} failed.").format(what=what), waitCursor=True):
                try:
                    action()
                    done = True
                except self.logic.plainError() as error:
                    self.showMessage(error.message, error.hint)
        finally:
            self._acting = False
        self.checkSegments()
        self.updateButtons()
        return done

    # Measurements

    def _levelFilter(self) -> str:
        from SpineMeasureLib.review.panel import ALL_LEVELS

        return self.ui.levelFilter.currentText if self.ui.levelFilter.currentIndex > 0 else ALL_LEVELS

    @drawnOnce
    def _fillTable(self) -> None:
        """Fill the table anew, and show the lines that the filter leaves."""
        from SpineMeasureLib.review.panel import ALL_LEVELS, quantities_shown

        session, group, level = self.session, self._parameterNode.group, self._levelFilter()
        self._shownGroup, self._shownOnlyLevel = group, self._parameterNode.onlyLevel
        self._allKeys = [m.key for m in session.rows] if session is not None else []
        self.table.fill(session, self._keysShown(group, level))
        if session is not None:
            session.show(
                levels=None if level == ALL_LEVELS else [level],
                quantities=quantities_shown(group),
                only_level=self._shownOnlyLevel,
            )
            current = self._currentKey
            isListed = current in self.table.keys
            session.highlight(current if isListed else None)
            if isListed and not self.table.selectedKeys():
                self.table.select(current)
        self._showSummary()
        self.updateButtons()

    def _keysShown(self, group, level) -> list:
        """The rows that the filters leave, and the one that they hide and the reader was sent to."""
        from SpineMeasureLib.review.panel import keys_shown

        session = self.session
        if session is None:
            return []
        keys = {*keys_shown(session, group, level), session.key_of_id(self._pinnedRow)}
        return [key for key in self._allKeys if key in keys]

    def _showSummary(self) -> None:
        from SpineMeasureLib.review.panel import counts

        text = _("{values} values, {lines} lines; {edited} edited, {flagged} flagged, {accepted} accepted")
        self.ui.summaryLabel.text = text.format(**counts(self.session)) if self.session is not None else ""

    def onFilterChanged(self, text="") -> None:
        """Another level is to be listed."""
        from SpineMeasureLib.review.panel import ALL_LEVELS

        if self._filling:
            return
        level = self._levelFilter()
        rows = (self.session.id_of(m.key) for m in self.session.rows if m.level == level) if self.session else ()
        self._filterRow = next(iter(rows), None) if level != ALL_LEVELS else None
        self._pinnedRow = None
        self._fillTable()

    def onCellClicked(self, row, column) -> None:
        """Show the value of the row that was clicked."""
        if self.session is not None and row < len(self.table.keys):
            self.goToKey(self.table.keys[row])

    def onCurrentCellChanged(self, row, column, rowBefore, columnBefore) -> None:
        """Show the value of the row that the arrow keys came to."""
        if self.session is not None and 0 <= row < len(self.table.keys) and self.table.keys[row] != self._currentKey:
            self._aim(self.table.keys[row])

    def onScopeChosen(self, index) -> None:
        """What can be accepted depends on it."""
        self.updateButtons()

    def onReviewerEntered(self) -> None:
        """Remember the initials for the next case."""
        self.messages.dismiss()
        slicer.app.userSettings().setValue(REVIEWER_SETTING, self.ui.reviewerEdit.text.strip())

    def _scope(self) -> str:
        return SCOPES[self.ui.scopeSelector.currentIndex]

    def _scopeKeys(self) -> list:
        """The values that accept, withdraw and reset apply to."""
        scope = self._scope()
        if self.session is None or scope == "selected values":
            return self.table.selectedKeys()
        level = self.ui.levelSelector.currentText
        return [m.key for m in self.session.rows if scope == "case" or m.level == level]

    def _reasonAgainst(self, what) -> str:
        """Why ``"accept"``, ``"withdraw"``, ``"reset"`` or ``"export"`` cannot be done now; empty if it can."""
        session = self.session
        if session is None:
            return _("There is no case yet.")
        if what in ("accept", "export") and self._stale:
            return self._staleText()
        if what == "export":
            return ""
        keys = self._scopeKeys()
        if not keys:
            return _("Select a value in the table first.")
        possible, reason = {
            "accept": (session.can_accept, _("There is no value to accept.")),
            "withdraw": (session.can_withdraw, _("Nothing is accepted here.")),
            "reset": (session.can_reset, _("Nothing was edited here.")),
        }[what]
        return "" if possible(keys) else reason

    def _refused(self, what) -> bool:
        """Whether something cannot be done now; the panel says why then. A key asks this, as its button is off."""
        self.checkSegments()
        reason = self._reasonAgainst(what)
        if reason != self._staleText() and self.session is not None:  # which stands there anyway
            self.showMessage(reason)
        return bool(reason)

    def onAccept(self, checked=False) -> None:
        """Accept what the scope says."""
        if self._refused("accept"):
            return
        reviewer, keys = self.ui.reviewerEdit.text.strip(), self._scopeKeys()
        if self._change(_("Accept"), lambda: self.session.accept(keys, reviewer)) and not reviewer:
            self.showMessage(_("Accepted without initials."), _("Enter yours to sign."), isError=False)

    def onWithdraw(self, checked=False) -> None:
        """Take the acceptance of what the scope says back."""
        if self._refused("withdraw"):
            return
        self._change(_("Withdraw"), lambda: self.session.withdraw(self._scopeKeys()))

    def onReset(self, checked=False) -> None:
        """Bring the automatic lines of what the scope says back."""
        if self._refused("reset"):
            return
        session, level = self.session, self.ui.levelSelector.currentText
        actions = {
            "selected values": lambda: [session.reset(key) for key in self.table.selectedKeys()],
            "level": lambda: session.reset_level(level),
            "case": session.reset_all if session is not None else None,
        }
        self._change(_("Reset"), actions[self._scope()])

    def onUndo(self, checked=False) -> None:
        """Undo one step."""
        if self.session is not None and self.session.can_undo:
            self._change(_("Undo"), self.session.undo)

    def onRedo(self, checked=False) -> None:
        """Redo one step."""
        if self.session is not None and self.session.can_redo:
            self._change(_("Redo"), self.session.redo)

    # Segments

    def onSegmentsCollapsed(self, collapsed) -> None:
        """The Segment Editor works only while its section is open."""
        if collapsed:
            self.segmentEditor.close()
        elif self._openSegmentEditor():
            self.segmentEditor.alignViews()

    def _openSegmentEditor(self) -> bool:
        """Edit the segments of the case, beginning with the structure that the views show; False if there are none."""
        session = self.session
        nodes = session.nodes if session is not None else None
        collapsed = self.ui.segmentsCollapsibleButton.collapsed
        canOpen = self.entered and nodes is not None and nodes.segmentation is not None and not collapsed
        if canOpen:
            current = self._currentKey
            self.segmentEditor.open(nodes, session.segment_of(current) if current is not None else None)
        return canOpen

    def onRemeasure(self, checked=False) -> None:
        """Measure again what the edited segments changed."""
        told = []
        if self._change(_("Re-measure"), lambda: told.append(self.session.remeasure())):
            result = told[0]
            text = _(
                "{changed} values changed, {appeared} new, {vanished} gone. {kept} lines that you edited or accepted "
                "were kept; the table shows their difference from the new automatic value."
            ).format(
                changed=len(result.changed),
                appeared=len(result.appeared),
                vanished=len(result.vanished),
                kept=len(result.kept_edited),
            )
            self.showMessage(text, isError=False)

    # Export

    def _export(self, action, values=True) -> None:
        """Write something; what holds `values` only if they are those of the segments."""
        folder = self.ui.exportPath.currentPath
        if not folder:
            self.showMessage(_("Choose a folder first."))
        elif not (values and self._refused("export")):
            self._change(_("Export"), lambda: self._write(action, folder))

    def _write(self, action, folder) -> None:
        path = action(self.session, folder)
        self.ui.exportPath.addCurrentPathToHistory()
        self.showMessage(_("Written: {path}").format(path=path), isError=False)

    def onExportCsv(self, checked=False) -> None:
        """Write the table."""
        from SpineMeasureLib.review.output import write_table

        self._export(write_table)

    def onExportJson(self, checked=False) -> None:
        """Write everything."""
        from SpineMeasureLib.review.output import write_everything

        self._export(write_everything)

    def onExportScene(self, checked=False) -> None:
        """Write the scene."""
        self._export(self.logic.exportScene, values=False)

    def onExportReport(self, checked=False) -> None:
        """Write the report."""
        from SpineMeasureLib.review.output import write_report

        self._export(write_report)

    def onExportDicom(self, checked=False) -> None:
        """Write DICOM SEG and SR and add them to the DICOM database."""
        self._export(self.logic.exportDicom)

    def onExportTraining(self, checked=False) -> None:
        """Add the case to a training data set."""
        from SpineMeasureLib.review.output import write_training_case

        self._export(write_training_case, values=False)

    # Buttons, shortcuts, layout

    def updateButtons(self) -> None:
        """What can be pressed now, and why not."""
        ui, session, parameters = self.ui, self.session, self._parameterNode
        running = self.run is not None
        busy = running or self._preparing
        volume = parameters.volume
        ui.runButton.enabled = volume is not None and not busy
        ui.runButton.toolTip = (
            _("Find vertebrae, discs and canal, measure them, and show lines that can be dragged.")
            if volume is not None
            else _("Choose a volume first.")
        )
        ui.cancelButton.enabled = running and not self.run.cancelled and not self._building
        ui.progressBar.visible = running
        ui.stageLabel.visible = busy
        for widget in (ui.volumeSelector, ui.deviceSelector, ui.lowestDiscEdit, ui.segmentationSelector):
            widget.enabled = not busy
        ui.measureSegmentationButton.enabled = parameters.segmentation is not None and not busy
        has = session is not None
        levels = list(session.levels) if has else []
        level = ui.levelSelector.currentText
        place = levels.index(level) if level in levels else -1
        ui.previousLevelButton.enabled = place > 0
        ui.nextLevelButton.enabled = has and place < len(levels) - 1
        ui.nextFlaggedButton.enabled = has and len(session.flagged) > 0
        isDisc = has and level in session.discs
        ui.renameButton.enabled = isDisc
        ui.renameButton.toolTip = (
            _("Give the disc this name. Segments, lines and rows of all levels follow, as one step.")
            if isDisc
            else _("Choose the level of a disc first.")
        )
        ui.undoButton.enabled = has and session.can_undo
        ui.redoButton.enabled = has and session.can_redo
        for button in (ui.shiftUpButton, ui.shiftDownButton, ui.sceneButton, ui.trainingButton):
            button.enabled = has
        for what, button, toolTip in self._guarded:
            reason = self._reasonAgainst(what)
            button.enabled = not reason
            button.toolTip = reason or toolTip
        ui.remeasureButton.enabled = has and session.nodes.segmentation is not None

    def _shortcutTable(self) -> tuple:
        """Keys, what they do, and the method; those with Alt are unlike the keys of the Segment Editor."""
        keys = (
            ("Alt+Down", _("next level"), self.onNextLevel),
            ("Alt+Up", _("previous level"), self.onPreviousLevel),
            ("Alt+N", _("next flagged value"), self.onNextFlagged),
            ("Alt+A", _("accept"), self.onAccept),
            ("Alt+R", _("reset to automatic"), self.onReset),
            ("Alt+Z", _("undo"), self.onUndo),
            ("Alt+Y", _("redo"), self.onRedo),
            ("Ctrl+Z", _("undo; while Segments is open, in the Segment Editor"), self.onUndo),
            ("Ctrl+Shift+Z", _("redo, likewise"), self.onRedo),
            ("Ctrl+Y", _("redo, likewise"), self.onRedo),
        )
        return tuple((key, text, self._asAction(slot)) for key, text, slot in keys)


def _leftOf(session) -> tuple:
    """What the scene still has of a case that a reader can see."""
    nodes = session.nodes
    return nodes.volume, nodes.segmentation, nodes.table


#
# SpineMeasureLogic
#


class SpineMeasureLogic(ScriptedLoadableModuleLogic):
    """What the panel and scripts call; nothing pops up, but for `installNeeds`.

    Example::

        session = SpineMeasureLogic().process(volumeNode)
        for measurement in session.rows:
            print(measurement.level, measurement.quantity, measurement.value)
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        importLibrary()
        self._parameters = None

    def getParameterNode(self):
        """The module's parameters in the scene; the same object as long as the scene keeps its node.

        The wrapper observes its node for ever. One that Python has collected would crash Slicer at the node's next
        change, so it is kept.
        """
        node = super().getParameterNode()
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = SpineMeasureParameterNode(node)
        return self._parameters

    @staticmethod
    def plainError():
        """The error class whose text is for the user."""
        from SpineMeasureLib.errors import SpineMeasureError

        return SpineMeasureError

    @staticmethod
    def quietly():
        """A context within which no view is drawn; what changed is drawn once, at its end."""
        hasViews = slicer.app.layoutManager() is not None
        return slicer.util.RenderBlocker() if hasViews else contextlib.nullcontext()

    @staticmethod
    def checkLowestDisc(name) -> None:
        """Refuse a name that no disc has, before the work; empty means that the levels are numbered from the image.

        :raises SpineMeasureLib.errors.LevelNameError: no such disc.
        """
        from SpineMeasureLib.segment.naming.levels import parse_disc

        if name.strip():
            parse_disc(name)

    @staticmethod
    def loadTerminology() -> None:
        """Make the terms of vertebrae and discs known to Slicer; once is enough."""
        importLibrary()
        from SpineMeasureLib.resources import data_path
        from SpineMeasureLib.review.mrml.segments import TERMINOLOGY

        terminologies = slicer.modules.terminologies.logic()
        names = vtk.vtkStringArray()
        terminologies.GetLoadedTerminologyNames(names)
        if TERMINOLOGY not in [names.GetValue(n) for n in range(names.GetNumberOfValues())]:
            terminologies.LoadTerminologyFromFile(str(data_path("Resources/SpineMeasure.term.json")))

    @staticmethod
    def registerLayout() -> None:
        """Make the layout of the review known to Slicer, so that a scene saved in it opens in it."""
        importLibrary()
        from SpineMeasureLib.review.mrml.layout import add_layout

        layoutManager = slicer.app.layoutManager()
        if layoutManager is not None:
            add_layout(layoutManager.layoutLogic().GetLayoutNode())

    # Running

    @staticmethod
    def pythonExecutable() -> str:
        """The interpreter of the child: PythonSlicer, which sets up what Python needs in Slicer.

        Never `sys.executable`, which may be Slicer itself.
        """
        program = "PythonSlicer"
        inSlicer = os.path.join(slicer.app.slicerHome, "bin")
        return shutil.which(program) or shutil.which(program, path=inSlicer) or program

    @staticmethod
    def installNeeds(onLine=None) -> bool:
        """Install what the segmentation needs, after asking; True when it is all there.

        :param onLine: called with every line that the installation prints.
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
    ):
        """Segment and measure a volume in a child process, and build a review session of the result in the scene.

        :param volumeNode: vtkMRMLScalarVolumeNode, a spine MRI.
        :param device: ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
        :param lowestDisc: name of the lowest disc in view (``"L5-S1"``); empty to number the levels from the image.
        :param onUpdate: called with `SpineMeasureLib.child.Update` (stage, fraction of the stage, message).
        :param onFinished: called with (session, None) or (None, `SpineMeasureLib.child.Failure`).
        :param labels: path of a label map file to measure instead of running the model.
        :param blocking: wait for the result; by default where there is no `onFinished`.
        :param onBuilding: called when the child is done, before its results are put into the scene.
        :return: the `Session` when blocking, else a `ChildRun` that can be cancelled.
        :raises SpineMeasureLib.errors.SpineMeasureError: bad input; when blocking, any failure.
        """
        from SpineMeasureGui.ChildRun import ChildRun

        from SpineMeasureLib import child
        from SpineMeasureLib.review.mrml.volume_node import refuse_moved, volume_from_node
        from SpineMeasureLib.volume import check_mri, write_volume

        self.checkLowestDisc(lowestDisc)
        volume = volume_from_node(volumeNode)
        affine = volume.affine
        check_mri(volume)
        outcome = []

        def finished(failure) -> None:
            session = None
            if failure is None and volumeNode.GetScene() is None:
                failure = child.Failure("input", "The volume was removed meanwhile.", "Load it again and measure it.")
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
            command = child.measure_command(
                self.pythonExecutable(),
                workspace.image,
                workspace.results,
                device=device,
                lowest_disc=lowestDisc.strip(),
                labels=labels,
            )
            run = ChildRun(command, workspace, onUpdate, finished).start()
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
        from SpineMeasureLib.results import read_results
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

    def measureSegmentation(self, segmentationNode, volumeNode=None, lowestDisc=""):
        """Make a review session of a segmentation that is in the scene.

        :raises SpineMeasureLib.errors.SpineMeasureError: nothing could be measured.
        """
        from SpineMeasureLib.review.session import Session

        self.loadTerminology()
        return Session.from_segmentation_node(
            slicer.mrmlScene, segmentationNode, volumeNode, lowestDisc.strip() or None, self.quietly
        )

    def measureLabelmap(self, labelmapNode, volumeNode=None, lowestDisc=""):
        """Make a review session of a label map node: 1 vertebra / 2 disc / 3 canal, or this program's own values.

        :raises SpineMeasureLib.errors.SpineMeasureError: nothing could be measured.
        """
        from SpineMeasureLib.measure import measure
        from SpineMeasureLib.review.mrml.volume_node import volume_from_node
        from SpineMeasureLib.review.session import Session
        from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
        from SpineMeasureLib.segment.labels.plausible import check_anatomy

        segmentation = segmentation_from_labels(volume_from_node(labelmapNode), lowest_disc=lowestDisc.strip() or None)
        check_anatomy(segmentation)
        self.loadTerminology()
        shown = volumeNode if volumeNode is not None else labelmapNode
        return Session.build(
            slicer.mrmlScene, shown, segmentation, measure(segmentation), labelmapNode.GetName(), self.quietly
        )

    def askDevice(self, device, onTold):
        """Ask a child which device would be used; `onTold` is called with one line for the user."""
        from SpineMeasureGui.ChildRun import ChildRun

        from SpineMeasureLib import child

        def finished(failure) -> None:
            result = run.conversation.result
            if failure is not None or result is None:
                onTold(str(failure) if failure is not None else _("unknown"))
            else:
                onTold(_("{name}: {why}.").format(name=result["name"], why=result["why"]))

        run = ChildRun(child.device_command(self.pythonExecutable(), device), child.Workspace(), None, finished)
        return run.start()

    # Showing

    @staticmethod
    def showCase(session) -> None:
        """Show the image in the slice views and the segments, from the side, in the 3D views."""
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
        """Show or hide the segments and lines of a case: only one case at a time is in the views."""
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
        """Write the whole scene as a bundle; returns its path.

        :raises SpineMeasureLib.errors.OutputError: it cannot be written.
        """
        from SpineMeasureLib.review.mrml.bundle import write_bundle
        from SpineMeasureLib.review.output import output_path

        path = output_path(session, folder, ".mrb")
        # Not `slicer.util.saveScene`, after which the scene would take the temporary name for its own.
        write_bundle(slicer.mrmlScene, path)
        session.written.add(path)
        return path

    @staticmethod
    def exportDicom(session, folder):
        """Write DICOM SEG and SR of a volume from the DICOM database, and add them to it; returns their folder.

        :raises SpineMeasureLib.errors.DicomSeriesError: the volume did not come from the DICOM database.
        """
        from SpineMeasureGui.DicomDatabase import filesOf, insert

        from SpineMeasureLib.review.output import output_path, write_dicom_objects

        place = output_path(session, folder, "_dicom")
        insert(write_dicom_objects(session, filesOf(session.nodes.volume), place))
        return place


#
# SpineMeasureTest
#


class SpineMeasureTest(ScriptedLoadableModuleTest):
    """Self-test: needs no network, GPU or torch."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run every test."""
        for test in (
            self.test_ValuesOfTheSample,
            self.test_DragUndoRename,
            self.test_RemeasureKeepsEdits,
            self.test_SaveAndReopen,
            self.test_Widget,
        ):
            self.setUp()
            test()
        slicer.mrmlScene.Clear()
        self.delayDisplay("All tests of SpineMeasure passed", 100)

    def _session(self):
        """A session of the sample's labels."""
        importLibrary()
        from SpineMeasureLib.resources import data_path

        volume = slicer.util.loadVolume(str(data_path("Resources/sample/lumbar_t2.nii.gz")))
        labels = slicer.util.loadLabelVolume(str(data_path("Resources/sample/lumbar_t2_labels.nii.gz")))
        session = SpineMeasureLogic().measureLabelmap(labels, volume)
        slicer.mrmlScene.RemoveNode(labels)
        return session

    @staticmethod
    def _move(line, by) -> None:
        """Move the first end point of a line, as a drag does."""
        position = line.GetNthControlPointPositionWorld(0)
        line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent)
        line.SetNthControlPointPositionWorld(0, [position[n] + by[n] for n in range(3)])
        line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)

    KEY = ("L4-L5", "disc_height_middle", "chord50")

    def test_ValuesOfTheSample(self) -> None:
        """The values are those that the sample was made with."""
        import json

        importLibrary()
        from SpineMeasureLib.resources import data_path

        session = self._session()
        truth = json.loads(data_path("Resources/sample/lumbar_t2_truth.json").read_text(encoding="utf-8"))
        checked = 0
        for value in truth["values"]:
            if value["quantity"].startswith("disc_height"):
                row = session.row((value["level"], value["quantity"], value["method"]))
                self.assertLess(abs(row.value - value["value"]), 0.5)
                checked += 1
        self.assertGreater(checked, 15)
        session.close()

    def test_DragUndoRename(self) -> None:
        """A moved end point changes its row; undo brings it back; a renamed disc takes the others along."""
        session = self._session()
        line, before = session.line(self.KEY), session.row(self.KEY).value
        self._move(line, (0.0, 0.0, 2.0))
        self.assertEqual(session.status(self.KEY), "edited")
        self.assertGreater(abs(session.row(self.KEY).value - before), 0.5)
        self.assertAlmostEqual(session.row(self.KEY).value, line.GetLineLengthWorld(), 3)
        session.undo()
        self.assertAlmostEqual(session.row(self.KEY).value, before, 6)
        session.rename_disc("L5-S1", "L4-L5")
        renamed = ("L3-L4", *self.KEY[1:])
        self.assertIs(session.line(renamed), line)
        self.assertAlmostEqual(session.row(renamed).value, before, 6)
        self.assertTrue(session.nodes.segmentation.GetSegmentation().GetSegmentIdBySegmentName("L3-L4"))
        session.undo()
        self.assertAlmostEqual(session.row(self.KEY).value, before, 6)
        session.close()

    def test_RemeasureKeepsEdits(self) -> None:
        """Measuring again leaves an edited line as it is."""
        session = self._session()
        self._move(session.line(self.KEY), (0.0, 0.0, 2.0))
        edited = session.row(self.KEY).value
        session.remeasure()
        self.assertAlmostEqual(session.row(self.KEY).value, edited, 6)
        session.reset(self.KEY)
        self.assertEqual(session.status(self.KEY), "automatic")
        session.close()

    def test_SaveAndReopen(self) -> None:
        """A scene that is saved and opened again holds the review, the automatic value included."""
        from SpineMeasureLib.review.session import Session

        session = self._session()
        self._move(session.line(self.KEY), (0.0, 0.0, 2.0))
        edited, automatic = session.row(self.KEY).value, session.automatic(self.KEY).value
        folder = tempfile.mkdtemp(prefix="spinemeasure-test-")
        try:
            path = SpineMeasureLogic().exportScene(session, folder)
            session.close()
            slicer.mrmlScene.Clear()
            slicer.util.loadScene(str(path))
            found = Session.find(slicer.mrmlScene)
            self.assertEqual(len(found), 1)
            self.assertAlmostEqual(found[0].row(self.KEY).value, edited, 3)
            self.assertAlmostEqual(found[0].automatic(self.KEY).value, automatic, 3)
            found[0].close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def test_Widget(self) -> None:
        """The panel shows a case, filters it, undoes, and empties itself when the scene is closed."""
        session = self._session()
        panel = slicer.modules.spinemeasure.widgetRepresentation().self()
        wasEntered = panel.entered
        panel.enter()
        try:
            panel.addSession(session)
            table = panel.ui.measurementTable
            self.assertGreater(table.rowCount, 30)
            panel.goToKey(self.KEY)
            self.assertEqual(panel.table.selectedKeys(), [self.KEY])
            self.assertFalse(panel.ui.undoButton.enabled)
            panel.onAccept()
            self.assertEqual(session.status(self.KEY), "accepted")
            self.assertTrue(panel.ui.undoButton.enabled)
            panel.onUndo()
            self.assertNotEqual(session.status(self.KEY), "accepted")
            slicer.mrmlScene.Clear()
            self.assertEqual(table.rowCount, 0)
            self.assertFalse(panel.ui.runButton.enabled)
        finally:
            if not wasEntered:
                panel.exit()
