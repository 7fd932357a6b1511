"""SpineMeasure, the 3D Slicer module: registration, parameters, and the life of its panel.

The panel, `SpineMeasureLogic` and the self-test are in SpineMeasureGui, everything without a widget in SpineMeasureLib.
Neither is imported when Slicer loads this file.
"""

import logging
import os
import sys
from typing import Annotated

import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

HOMEPAGE = "https://github.com/SpineMeasure/SlicerSpineMeasure"


def importLibrary() -> None:
    """Make SpineMeasureGui and SpineMeasureLib importable, installed beside this file or in a source checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder, package in ((here, "SpineMeasureGui"), (os.path.dirname(here), "SpineMeasureLib")):
        if os.path.isdir(os.path.join(folder, package)) and folder not in sys.path:
            sys.path.append(folder)


def __getattr__(name: str):
    """Return `SpineMeasureLogic`, which is imported only when it is used."""
    if name != "SpineMeasureLogic":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    importLibrary()
    from SpineMeasureGui.Logic import SpineMeasureLogic

    return SpineMeasureLogic


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
            "Segments and names vertebrae, discs and the canal in a spine MRI, and measures disc heights and canal "
            "diameters with lines that can be dragged. Choose a volume and press Segment & Measure; the sample data "
            "set 'SpineMeasureLumbarT2' is a good starting point. <b>Not for diagnosis.</b> "
            "<a href='{0}#readme'>Manual</a>, <a href='{0}/issues'>questions and bug reports</a>."
        ).format(HOMEPAGE)
        self.parent.acknowledgementText = _(
            "The bundled model was trained on the SPIDER data (van der Graaf et al., Scientific Data 2024, CC BY 4.0) "
            "and on other data sets, which its model card lists under Details."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self) -> None:
        """Offer the sample, the terms and the layout; an error there must not keep Slicer from starting."""
        importLibrary()
        from SpineMeasureGui.Logic import SpineMeasureLogic

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
    """What the panel stores with the scene."""

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    device: Annotated[str, Choice(["auto", "cuda", "mps", "cpu"])] = "auto"
    lowestDisc: str = ""
    group: Annotated[str, Choice(["Lines", "All values", "Disc", "Canal and cord", "Vertebra", "Alignment"])] = "Lines"
    snapToPlane: bool = True
    snapToEdges: bool = True
    onlyLevel: bool = False
    ends: Annotated[str, Choice(["edges", "masks"])] = "edges"


#
# SpineMeasureWidget
#


def acting(action: str):
    """Return a method of the panel that does what a button of this action does, for scripts and tests."""

    def act(self, checked=False) -> None:
        self.panel.act(action)

    return act


class SpineMeasureWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """What Slicer shows: the life of a `SpineMeasureGui.Panel.Panel`, and what scripts call.

    :ivar panel: the panel.
    :ivar ui: its widgets by the names of SpineMeasure.ui.
    :ivar table: its `MeasurementTable`.
    """

    def __init__(self, parent=None) -> None:
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = self.ui = self.table = None
        # The last: without a parent it calls `setup`.
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Load the panel and follow the scene."""
        ScriptedLoadableModuleWidget.setup(self)
        importLibrary()
        from SpineMeasureGui.Logic import SpineMeasureLogic
        from SpineMeasureGui.Panel import Panel

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineMeasure.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineMeasureLogic()
        self.panel = Panel(self.ui, self.logic, self.resourcePath)
        self.table = self.panel.measurements.table
        for event, slot in self.panel.cases.observed():
            self.addObserver(slicer.mrmlScene, event, slot)

    def onReload(self) -> None:
        """Reload the files of the panel with this one."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "SpineMeasureGui"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self) -> None:
        """Leave nothing behind: no process, no observer, no session."""
        self.exit()
        if self.panel is not None:
            self.panel.cleanup()
        self.removeObservers()

    def enter(self) -> None:
        """Show the module's layout and take its keys; pick up a case that is in the scene."""
        if not self.entered:
            self.panel.enter()

    def exit(self) -> None:
        """Give layout, shortcuts and Segment Editor back."""
        if self.entered:
            self.panel.exit()

    @property
    def entered(self) -> bool:
        """True while the module is shown."""
        return self.panel is not None and self.panel.entered

    # For scripts and tests

    onPreviousLevel, onNextLevel, onNextFlagged = map(acting, ("previous_level", "next_level", "next_flagged"))
    onAccept, onWithdraw, onReset = map(acting, ("accept", "withdraw", "reset"))
    onUndo, onRedo, onRemeasure = map(acting, ("undo", "redo", "remeasure"))
    onRename, onShiftUp, onShiftDown = map(acting, ("rename", "shift_up", "shift_down"))

    @property
    def session(self):
        """The case that is shown, or None."""
        return self.panel.session

    @property
    def run(self):
        """The `ChildRun` of the model, or None."""
        return self.panel.case.run

    @property
    def segmentEditor(self):
        """The embedded `SegmentEditor`."""
        return self.panel.segmentEditor

    def addSession(self, session) -> None:
        """Show a new case; an earlier one of the same segmentation is closed."""
        self.panel.cases.add(session)

    def setSession(self, session) -> None:
        """Show another case, or none."""
        self.panel.cases.show(session)

    def goToKey(self, key) -> None:
        """Show a value in all views, and select its row."""
        self.panel.desk.go_to(key)

    def goToLevel(self, level) -> None:
        """Show a level in all views."""
        self.panel.desk.go_to_level(level)

    def onRun(self, checked=False) -> None:
        """Segment and measure the chosen volume."""
        self.panel.case.onRun()

    def onCancel(self, checked=False) -> None:
        """Stop the run."""
        self.panel.case.onCancel()

    def onMeasureSegmentation(self, checked=False) -> None:
        """Make a case of the chosen segmentation."""
        self.panel.case.onMeasureSegmentation()

    def showMessage(self, message, nextStep="", isError=True) -> None:
        """Show a message below the panel, or none if it is empty; nothing pops up."""
        self.panel.desk.dismiss()
        if message:
            self.panel.desk.say(message, nextStep, "error" if isError else "result")


#
# SpineMeasureTest
#


class SpineMeasureTest(ScriptedLoadableModuleTest):
    """Runs SpineMeasureGui/SelfTest.py.

    Slicer looks for this class in this file. The tests are installed with the extension, so they cannot be in Testing/;
    beside this file, Slicer would take theirs for another module.
    """

    def runTest(self) -> None:
        """Run every test."""
        importLibrary()
        from SpineMeasureGui.SelfTest import runTests

        runTests()
        self.delayDisplay("All tests of SpineMeasure passed", 100)
