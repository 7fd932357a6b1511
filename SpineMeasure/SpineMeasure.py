"""SpineMeasure: the 3D Slicer module. Everything that is not a widget lives in SpineMeasureLib."""

import os
import sys

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


def importLibrary() -> None:
    """Make SpineMeasureLib importable: installed beside this file, or its sibling folder in a source checkout."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.isdir(os.path.join(folder, "SpineMeasureLib")) and folder not in sys.path:
        sys.path.append(folder)


class SpineMeasure(ScriptedLoadableModule):
    """Name, category and texts of the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Spine Measure")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["SpineMeasure developers"]
        self.parent.helpText = _(
            "Measures disc heights and canal diameters of a segmented spine MRI. Not for diagnosis."
        )
        self.parent.acknowledgementText = _("The bundled model was trained on the SPIDER data, CC BY 4.0.")


class SpineMeasureWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Chooses a label map and starts measuring."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.ui = None

    def setup(self) -> None:
        """Load the panel and connect it."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineMeasure.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineMeasureLogic()
        self.ui.labelmapSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onLabelmapChanged)
        self.ui.measureButton.connect("clicked(bool)", self.onMeasureButton)
        self.onLabelmapChanged(self.ui.labelmapSelector.currentNode())

    def cleanup(self) -> None:
        """Remove every observer."""
        self.removeObservers()

    def onLabelmapChanged(self, node) -> None:
        """Measuring needs a label map."""
        self.ui.measureButton.enabled = node is not None

    def onMeasureButton(self, _checked=False) -> None:
        """Measure the chosen label map."""
        with slicer.util.tryWithErrorDisplay(_("Failed to measure."), waitCursor=True):
            self.logic.measureLabelmap(self.ui.labelmapSelector.currentNode())


class SpineMeasureLogic(ScriptedLoadableModuleLogic):
    """What the widget and scripts call."""

    def measureLabelmap(self, labelmapNode):
        """Measure a label map node and show named segments, lines and a table.

        :param labelmapNode: vtkMRMLLabelMapVolumeNode, 1 vertebra / 2 disc / 3 canal, or this program's own values.
        :return: `SpineMeasureLib.review.build.CaseNodes`.
        :raises SpineMeasureLib.errors.SpineMeasureError: nothing could be measured.
        """
        importLibrary()
        from SpineMeasureLib.measure import measure
        from SpineMeasureLib.review.build import build_case
        from SpineMeasureLib.segment.existing import segmentation_from_labels
        from SpineMeasureLib.volume import Volume

        matrix = vtk.vtkMatrix4x4()
        labelmapNode.GetIJKToRASMatrix(matrix)
        affine = slicer.util.arrayFromVTKMatrix(matrix)
        array = np.transpose(slicer.util.arrayFromVolume(labelmapNode), (2, 1, 0))
        labels = Volume(np.ascontiguousarray(array), affine)
        segmentation = segmentation_from_labels(labels)
        return build_case(slicer.mrmlScene, labels, segmentation, measure(segmentation), labelmapNode.GetName())


class SpineMeasureTest(ScriptedLoadableModuleTest):
    """Self-test: needs no network, GPU or torch."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run every test."""
        self.setUp()
        self.test_SampleLabelsAreMeasured()

    def test_SampleLabelsAreMeasured(self) -> None:
        """The sample's labels give lines at every disc."""
        importLibrary()
        from SpineMeasureLib.resources import data_path

        path = str(data_path("Resources/sample/lumbar_t2_labels.nii.gz"))
        node = slicer.util.loadLabelVolume(path)
        nodes = SpineMeasureLogic().measureLabelmap(node)
        levels = {level for level, quantity, _method in nodes.lines if quantity == "disc_height_middle"}
        self.assertIn("L4-L5", levels)
        self.assertGreater(nodes.table.GetNumberOfRows(), len(nodes.lines))
        self.delayDisplay("Test passed")
