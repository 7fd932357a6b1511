"""The embedded Segment Editor."""

import slicer

UNDO_STEPS = 10
NODE_TAG = "SpineMeasureSegmentEditor"


class SegmentEditor:
    """A qMRMLSegmentEditorWidget that is created when it is first opened and releases views and keys when it is closed.

    :param layout: the layout that takes it.
    :param onKeysTaken: called with True when it takes its keys and with False when it releases them.
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
        """End the active effect and release keys and views."""
        if self.widget is not None:
            self.widget.setActiveEffect(None)
            self.widget.uninstallKeyboardShortcuts()
            self.widget.removeViewObservations()
            self._onKeysTaken(False)

    def forget(self) -> None:
        """Release the segmentation, which is about to be removed."""
        self.close()
        if self.widget is not None:
            self.widget.setSegmentationNode(None)

    def alignViews(self) -> None:
        """Align the slice views with the voxels: painting in oblique measuring planes leaves stripes."""
        if self.widget is not None and slicer.app.layoutManager() is not None:
            self.widget.rotateSliceViewsToSegmentation()

    def cleanup(self) -> None:
        """Delete the widget; a reloaded module creates another one."""
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
    """Return the Segment Editor's parameters for this module."""
    node = slicer.mrmlScene.GetSingletonNode(NODE_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(NODE_TAG)
        node = slicer.mrmlScene.AddNode(node)
    return node
