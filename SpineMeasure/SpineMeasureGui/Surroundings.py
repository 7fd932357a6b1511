"""What the panel changes outside itself while it is shown, and gives back: layout and keyboard."""

import qt
import slicer
import vtk

from SpineMeasureLib.review.layout import LAYOUT_ID, add_layout


class ReviewLayout:
    """The module's own layout; the one before it and the orientations of the slice views come back.

    Does nothing without a layout manager.
    """

    def __init__(self) -> None:
        self._previous = None
        self._orientations = {}

    def show(self) -> None:
        """Change to the module's layout."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        if layoutManager.layout != LAYOUT_ID:
            self._previous = layoutManager.layout
        self._orientations = {node: node.GetOrientation() for node in _sliceNodes()}
        layoutManager.setLayout(add_layout(layoutManager.layoutLogic().GetLayoutNode()))

    def restore(self) -> None:
        """Change back; a layout that the user chose meanwhile is left alone."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is not None and self._previous is not None and layoutManager.layout == LAYOUT_ID:
            layoutManager.setLayout(self._previous)
        for node in _sliceNodes():
            # One that was turned by hand, and has no name, cannot come back.
            if self._orientations.get(node) in orientationNames(node):
                node.SetOrientation(self._orientations[node])
        self._previous, self._orientations = None, {}


def _sliceNodes() -> list:
    return slicer.util.getNodesByClass("vtkMRMLSliceNode")


def orientationNames(node) -> list:
    """Names of the orientations that a slice view can be set to."""
    names = vtk.vtkStringArray()
    node.GetSliceOrientationPresetNames(names)
    return [names.GetValue(n) for n in range(names.GetNumberOfValues())]


class Shortcuts:
    """Keys of the main window while the module is shown. Does nothing without a main window.

    :param table: (keys, what they do, function) of each.
    """

    def __init__(self, table) -> None:
        self.table = table
        self._installed = []

    def tooltip(self) -> str:
        """The keys and what they do, as a table."""
        rows = "".join(f"<tr><td><b>{keys}</b>&nbsp;&nbsp;</td><td>{text}</td></tr>" for keys, text, _ in self.table)
        return f"<table>{rows}</table>"

    @staticmethod
    def controlHeld() -> bool:
        """True while the control key (command on a Mac), and no other modifier, is down."""
        return slicer.app.keyboardModifiers() == qt.Qt.ControlModifier

    def install(self) -> None:
        """Put the keys in force."""
        window = slicer.util.mainWindow()
        if window is None or self._installed:
            return
        for keys, _, slot in self.table:
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(keys))
            shortcut.connect("activated()", slot)
            self._installed.append((shortcut, slot))

    def remove(self) -> None:
        """Take the keys out of force."""
        for shortcut, slot in self._installed:
            shortcut.disconnect("activated()", slot)
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._installed = []
