"""What the panel changes outside itself while it is shown, and restores: layout, slice views and keyboard."""

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.mrml.layout import LAYOUT_ID, add_layout
from SpineMeasureLib.review.panel import SHORTCUTS


class ReviewLayout:
    """Shows the module's layout, and restores the previous layout and slice views.

    Does nothing without a layout manager.
    """

    def __init__(self) -> None:
        self._previous = None
        self._poses = []

    def show(self) -> None:
        """Change to the module's layout."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        if layoutManager.layout != LAYOUT_ID:
            self._previous = layoutManager.layout
        self._poses = [_Pose(node) for node in _sliceNodes()]
        layoutManager.setLayout(add_layout(layoutManager.layoutLogic().GetLayoutNode()))

    def restore(self) -> None:
        """Change back, unless the user has chosen another layout."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        if self._previous is not None and layoutManager.layout == LAYOUT_ID:
            layoutManager.setLayout(self._previous)
        back = {pose.node for pose in self._poses if pose.restore()}
        others = [node for node in _sliceNodes() if node not in back]
        for node in others:
            # It showed another image before, or none: there is nothing to restore.
            if node.GetDefaultOrientation() in orientationNames(node):
                node.SetOrientation(node.GetDefaultOrientation())
        if others and not back:
            layoutManager.resetSliceViews()
        self._previous, self._poses = None, []

    def forget(self) -> None:
        """Restore no slice view: the scene that they showed is closed."""
        self._poses = []


class _Pose:
    """How a slice view looks at its image."""

    def __init__(self, node) -> None:
        self.node = node
        self._background = _backgroundOf(node)
        self._matrix = vtk.vtkMatrix4x4()
        self._matrix.DeepCopy(node.GetSliceToRAS())
        self._origin = node.GetXYZOrigin()
        # Not the field of view itself: it depends on the size of the view, which another layout changes.
        sizes = zip(node.GetFieldOfView(), node.GetDimensions(), strict=True)
        self._mmPerPixel = [mm / max(1, size) for mm, size in sizes]

    def restore(self) -> bool:
        """Restore the view; False if it was removed or shows another image."""
        node = self.node
        if node.GetScene() is None or _backgroundOf(node) != self._background:
            return False
        changing = node.StartModify()
        node.GetSliceToRAS().DeepCopy(self._matrix)
        sizes = zip(self._mmPerPixel, node.GetDimensions(), strict=True)
        node.SetFieldOfView(*(each * max(1, size) for each, size in sizes))
        node.SetXYZOrigin(*self._origin)
        node.UpdateMatrices()
        node.EndModify(changing)
        return True


def _sliceNodes() -> list:
    return slicer.util.getNodesByClass("vtkMRMLSliceNode")


def _backgroundOf(sliceNode):
    """Return the id of the image in a slice view, or None."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    own = (node for node in composites if node.GetLayoutName() == sliceNode.GetLayoutName())
    return next((node.GetBackgroundVolumeID() for node in own), None)


def orientationNames(node) -> list:
    """Return the names of the orientations that a slice view can be set to."""
    names = vtk.vtkStringArray()
    node.GetSliceOrientationPresetNames(names)
    return [names.GetValue(n) for n in range(names.GetNumberOfValues())]


class Shortcuts:
    """Shortcuts of the main window while the module is shown. Does nothing without a main window.

    :param act: called with the name of an action of the desk.
    """

    def __init__(self, act) -> None:
        self._act = act
        self._installed = []
        self._yielded = False

    @staticmethod
    def tooltip() -> str:
        """Return the keys and what they do, as a table."""
        rows = "".join(
            f"<tr><td><b>{keys}</b>&nbsp;&nbsp;</td><td>{shown(text)}</td></tr>"
            for keys, (action, text) in SHORTCUTS.items()
        )
        note = _("While Segments is open, keys with Ctrl belong to the Segment Editor.")
        return f"<table>{rows}</table>{note}"

    @staticmethod
    def controlHeld() -> bool:
        """Return whether the Control key (Command on a Mac) and no other modifier is pressed."""
        return slicer.app.keyboardModifiers() == qt.Qt.ControlModifier

    def install(self) -> None:
        """Activate the keys."""
        window = slicer.util.mainWindow()
        if window is None or self._installed:
            return
        for keys, (action, _text) in SHORTCUTS.items():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(keys))
            slot = self._slot(action)
            shortcut.connect("activated()", slot)
            self._installed.append((keys, shortcut, slot))
        self.yieldControl(self._yielded)

    def _slot(self, action):
        return lambda: self._act(action)

    def yieldControl(self, toEditor) -> None:
        """Leave the keys with Ctrl to the Segment Editor, or take them back: Qt activates neither of two owners."""
        self._yielded = toEditor
        for keys, shortcut, _slot in self._installed:
            if keys.startswith("Ctrl"):
                shortcut.setEnabled(not toEditor)

    def remove(self) -> None:
        """Deactivate the keys."""
        for _keys, shortcut, slot in self._installed:
            shortcut.disconnect("activated()", slot)
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._installed = []
