"""The section Segments: the Segment Editor, and whether the segments are still those that were measured."""

import qt
import slicer

from SpineMeasureGui.SegmentEditor import SegmentEditor
from SpineMeasureLib.review.mrml.observers import Observers

#: How often segments are compared with those that were measured, ms: not every change of them sends an event.
WATCH_MS = 1000


class SegmentsSection:
    """Opens the editor on the segments of the case, and has the desk compare them when they change.

    :param panel: the `Panel`.
    :ivar editor: the `SegmentEditor`.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.desk = panel.desk
        self.editor = SegmentEditor(panel.ui.segmentEditorHolder.layout(), panel.shortcuts.yieldControl)
        # Not the mixin: that would keep every segmentation that was ever watched in memory, voxels and all.
        self._watched = Observers()
        self._timer = qt.QTimer(panel.ui.scrollArea)  # goes with the panel
        self._timer.setInterval(WATCH_MS)
        self._timer.connect("timeout()", self.desk.check_segments)
        self.actions = {"remeasure": panel.ui.remeasureButton}
        panel.ui.segmentsCollapsibleButton.connect("contentsCollapsed(bool)", self.onCollapsed)

    def start(self) -> None:
        """Compare now and regularly; the module is shown."""
        self.desk.check_segments()
        self._timer.start()

    def stop(self) -> None:
        """Give keys and views back; the module is no longer shown."""
        self._timer.stop()
        self.editor.close()

    def watch(self, segmentation) -> None:
        """Notice when segments of this segmentation, and of no other, are changed; None for none."""
        self._watched.clear()
        kinds = slicer.vtkSegmentation
        events = (kinds.SourceRepresentationModified, kinds.SegmentModified, kinds.SegmentAdded, kinds.SegmentRemoved)
        for event in events if segmentation is not None else ():
            self._watched.add(segmentation, event, self.onModified)

    def onModified(self, caller=None, event=None) -> None:
        """Compare at the first stroke; after it the timer does, so that painting on a large image stays fluent."""
        if not self.desk.stale:
            self.desk.check_segments()

    def onCollapsed(self, collapsed) -> None:
        """The Segment Editor works only while its section is open."""
        if collapsed:
            self.editor.close()
        elif self.open():
            self.editor.alignViews()

    def open(self) -> bool:
        """Edit the segments of the case, beginning with the structure that the views show; False if there are none."""
        session = self.desk.session
        nodes = session.nodes if session is not None else None
        collapsed = self.ui.segmentsCollapsibleButton.collapsed
        canOpen = self.panel.entered and nodes is not None and nodes.segmentation is not None and not collapsed
        if canOpen:
            current = self.desk.current
            self.editor.open(nodes, session.segment_of(current) if current is not None else None)
        return canOpen
