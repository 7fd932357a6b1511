"""Makes PySide6 look like the PythonQt of Slicer to the module, and refuses what a real Slicer 5.12.3 does not have.

Properties are attributes, signals are connected by signature, nothing can be set that is not a property; names,
properties and signals are those of facts.json. It cannot prove that the module loads in Slicer: what qMRML and CTK
widgets do is imitated here as far as the tests need it.
"""

from __future__ import annotations

import dis
import inspect
import json
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from vtkmodules.vtkCommonCore import vtkOutputWindow

from SpineMeasureLib.review.mrml.links import nodes_of_class

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts.json").read_text())
READ, WRITE = QtCore.QObject.property, QtCore.QObject.setProperty
_loading = False


def facts_of(name: str) -> dict[str, set[str]]:
    """What a class has: members, properties, signals; those of every widget included."""
    own = FACTS["classes"][name]
    parts = [own, FACTS["classes"]["QWidget"]] if own["widget"] else [own]
    return {key: {x for part in parts for x in part.get(key, ())} for key in ("members", "properties", "signals")}


def _asked_by_python() -> bool:
    """True where an attribute is read by Python code; PySide itself looks for overridden methods by name."""
    frame = sys._getframe(2)
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in ("LOAD_ATTR", "LOAD_METHOD")


class Strict:
    """PythonQt's manners, before a Qt class in the order of inheritance."""

    _facts: dict[str, set[str]]

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or _loading:
            return super().__getattribute__(name)
        if name in ("connect", "disconnect"):  # PySide would answer with its own
            return types.MethodType(getattr(Strict, name), self)
        facts = type(self)._facts
        if name in facts["properties"]:
            return READ(self, name)
        if name not in facts["members"] and _asked_by_python():
            raise AttributeError(f"{type(self).__name__} of Slicer has no '{name}'")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or _loading:
            super().__setattr__(name, value)
        elif name in type(self)._facts["properties"]:
            WRITE(self, name, value)
        else:
            raise AttributeError(f"'{name}' is no property of {type(self).__name__} and cannot be set")

    def _signal(self, signature: str) -> Any:
        if signature not in type(self)._facts["signals"]:
            raise AttributeError(f"{type(self).__name__} has no signal {signature}")
        return super().__getattribute__(signature.partition("(")[0])

    def connect(self, signature: str, slot: Any) -> bool:
        """Connect by signature; the slot gets as many values as it takes, as PythonQt does."""
        takes = [p.kind for p in inspect.signature(slot).parameters.values()]
        count = None if inspect.Parameter.VAR_POSITIONAL in takes else len(takes)
        made = lambda *values: slot(*values[:count])  # noqa: E731
        self._signal(signature).connect(made)
        self.__dict__.setdefault("_slots", {})[signature, slot] = made
        return True

    def disconnect(self, signature: str, slot: Any) -> bool:
        """Disconnect by signature."""
        return bool(self._signal(signature).disconnect(self.__dict__["_slots"].pop((signature, slot))))


def strict(kind: type, name: str = "") -> Any:
    """`kind` with the manners of PythonQt and the facts of `name`."""
    made: Any = type(name or kind.__name__, (Strict, kind), {"_facts": facts_of(name or kind.__name__)})
    if issubclass(kind, QtCore.QObject) and not made._facts["signals"]:
        # Facts tell the members of some classes only; the rest of these is old and stable, so Qt's own is right.
        meta = kind.staticMetaObject
        signals = [m for m in map(meta.method, range(meta.methodCount())) if m.methodType() == m.MethodType.Signal]
        made._facts["signals"] = {bytes(m.methodSignature()).decode() for m in signals}
        made._facts["properties"] = {meta.property(n).name() for n in range(meta.propertyCount())}
    return made


class Module(types.ModuleType):
    """`qt` or `ctk`: classes on demand, names that Slicer does not have refused."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in FACTS[self.__name__]:
            raise AttributeError(f"{self.__name__} of Slicer has no '{name}'")
        kind = STANDINS.get(name) or next(getattr(m, name) for m in (QtCore, QtGui, QtWidgets) if hasattr(m, name))
        if name in FACTS["classes"] and name not in (*STANDINS, "QByteArray", "QIcon", "QKeySequence"):
            kind = strict(kind)
        setattr(self, name, kind)
        return kind


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    contentsCollapsed = QtCore.Signal(bool)
    _collapsed = False

    def _collapse(self, value: bool) -> None:
        changed, self._collapsed = value != self._collapsed, value
        # As CTK does, what was hidden before stays hidden: only the room is taken away.
        QtWidgets.QWidget.setMaximumHeight(self, 22 if value else 16777215)
        if changed and not _loading:
            self._signal("contentsCollapsed(bool)").emit(value)

    text = QtCore.Property(str, QtWidgets.QGroupBox.title, QtWidgets.QGroupBox.setTitle)
    collapsed = QtCore.Property(bool, lambda self: self._collapsed, _collapse)


class ctkPathLineEdit(QtWidgets.QLineEdit):
    Dirs = 1
    currentPath = QtCore.Property(str, QtWidgets.QLineEdit.text, QtWidgets.QLineEdit.setText)

    def addCurrentPathToHistory(self) -> None: ...


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        self._signal("mrmlSceneChanged(vtkMRMLScene*)").emit(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    currentNodeChanged = QtCore.Signal(object)
    _scene = _current = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent):
            scene.AddObserver(event, lambda *_: shiboken6.isValid(self) and self._fill())
        self._fill()

    def _fill(self) -> None:
        kinds = READ(self, "nodeTypes") or []
        nodes = [n for kind in kinds for n in nodes_of_class(self._scene, kind) if n.GetClassName() == kind]
        QtWidgets.QComboBox.clear(self)
        for node in (None, *nodes):
            QtWidgets.QComboBox.addItem(self, node.GetName() if node else "None", node and node.GetID())
        self.setCurrentNode(self._current if self._current in nodes else None)

    def currentNode(self) -> Any:
        return self._current

    def setCurrentNode(self, node: Any) -> None:
        changed, self._current = node is not self._current, node
        place = QtWidgets.QComboBox.findData(self, node and node.GetID())
        QtWidgets.QComboBox.setCurrentIndex(self, place)
        if changed:
            self._signal("currentNodeChanged(vtkMRMLNode*)").emit(node)


class qMRMLSegmentEditorWidget(QtWidgets.QLabel):
    #: Of Slicer's with the options of Paint.
    _SIZE = (482, 520)

    def __init__(self, parent: Any = None) -> None:
        super().__init__("(Segment Editor of Slicer)", parent)
        QtWidgets.QWidget.setMinimumSize(self, *self._SIZE)
        self._calls: list[tuple[Any, ...]] = []
        self._segmentation: Any = None

    def setSegmentationNode(self, node: Any) -> None:
        self._segmentation = node
        self._calls.append(("setSegmentationNode", node))

    def setCurrentSegmentID(self, segment: str) -> None:
        if self._segmentation is None or not self._segmentation.GetSegmentation().GetSegment(segment):
            vtkOutputWindow.GetInstance().DisplayErrorText("Invalid segment")
        self._calls.append(("setCurrentSegmentID", segment))

    def rotateSliceViewsToSegmentation(self) -> None:
        if self._segmentation is None or self._segmentation.GetScene() is None:
            vtkOutputWindow.GetInstance().DisplayErrorText("Invalid segmentation")
        self._calls.append(("rotateSliceViewsToSegmentation",))


# It notes what it is told.
for _name in facts_of("qMRMLSegmentEditorWidget")["members"] - set(dir(qMRMLSegmentEditorWidget)):
    setattr(qMRMLSegmentEditorWidget, _name, lambda self, *v, _name=_name: self._calls.append((_name, *v)))

_MADE = (ctkCollapsibleButton, ctkPathLineEdit, qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)
STANDINS = {kind.__name__: strict(kind) for kind in _MADE}


class _Loader(QtUiTools.QUiLoader):
    def createWidget(self, name: str, parent: Any = None, object_name: str = "") -> Any:
        widget = (STANDINS.get(name) or getattr(sys.modules["qt"], name))(parent)
        QtCore.QObject.setObjectName(widget, object_name)
        self._kept = [*getattr(self, "_kept", []), widget]
        return widget


def load_ui(path: str) -> Any:
    """Load a .ui file; connections that carry nodes or scenes are made here, since Qt cannot."""
    global _loading
    tree = ET.parse(path).getroot()
    connections = tree.find("connections")
    wanted = [tuple(c.findtext(k) or "" for k in ("sender", "signal", "receiver", "slot")) for c in connections or ()]
    tree.remove(connections)
    buffer = QtCore.QBuffer()
    buffer.setData(ET.tostring(tree))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    loader, _loading = _Loader(), True
    try:
        root = loader.load(buffer)
    finally:
        _loading = False
    root._loader = loader
    named = child_widgets(root).__dict__
    for sender, signal, receiver, slot in wanted:
        named[sender].connect(signal, getattr(named[receiver], slot.partition("(")[0]))
    return root


def child_widgets(root: Any) -> types.SimpleNamespace:
    """The objects below a widget by name."""
    found = {QtCore.QObject.objectName(w): w for w in (root, *QtCore.QObject.findChildren(root, QtCore.QObject))}
    return types.SimpleNamespace(**{name: w for name, w in found.items() if name and not name.startswith("qt_")})
