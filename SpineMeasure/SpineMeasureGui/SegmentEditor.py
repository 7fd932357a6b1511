"""The embedded Segment Editor."""

import slicer

UNDO_STEPS = 10
NODE_TAG = "SpineMeasureSegmentEditor"


class SegmentEditor:
    """A qMRMLSegmentEditorWidget that is made when it is first opened, and lets go of views and keys when closed.

    :param layout: the layout that takes it.
    :param onKeysTaken: called with True when it takes its keys, with False when it gives them back.
    """

    def __init__(self, layout, onKeysTaken) -> None:
        self.layout = layout
        self.widget = None
        self._onKeysTaken = onKeysTaken

    def open(self, nodes, segment=None) -> None:
        """Edit the segmentation of a case, beginning with the segment of this id."""
        if self.widget is None:
            self.widget = self._make()
        self.widget.setMRMLSegmentEditorNode(editorNode())
        self.widget.setSegmentationNode(nodes.segmentation)
        self.widget.setSourceVolumeNode(nodes.volume)
        if segment is not None and nodes.segmentation.GetSegmentation().GetSegment(segment) is not None:
            self.widget.setCurrentSegmentID(segment)
        self.widget.setupViewObservations()
        if slicer.util.mainWindow() is not None:
            self.widget.installKeyboardShortcuts()
            self._onKeysTaken(True)

    def close(self) -> None:
        """Put the effect away, and give keys and views back."""
        if self.widget is not None:
            self.widget.setActiveEffect(None)
            self.widget.uninstallKeyboardShortcuts()
            self.widget.removeViewObservations()
            self._onKeysTaken(False)

    def forget(self) -> None:
        """Let go of the segmentation, which is about to go."""
        self.close()
        if self.widget is not None:
            self.widget.setSegmentationNode(None)

    def alignViews(self) -> None:
        """Turn the slice views along the voxels: painting across them, as measuring planes lie, leaves stripes."""
        if self.widget is not None and slicer.app.layoutManager() is not None:
            self.widget.rotateSliceViewsToSegmentation()

    def cleanup(self) -> None:
        """Take the widget away; when the module is reloaded another one is made."""
        self.forget()
        if self.widget is not None:
            self.widget.deleteLater()
            self.widget = None

    def _make(self):
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMaximumNumberOfUndoStates(UNDO_STEPS)
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.switchToSegmentationsButtonVisible = False
        editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(editor)
        return editor


def editorNode():
    """The Segment Editor's parameters for this module."""
    node = slicer.mrmlScene.GetSingletonNode(NODE_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(NODE_TAG)
        node = slicer.mrmlScene.AddNode(node)
    return node
