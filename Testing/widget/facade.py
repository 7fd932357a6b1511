"""Makes PySide6 look like the PythonQt of Slicer to the module, and refuses what a real Slicer 5.12.3 does not have.

Properties are attributes, signals are connected by signature, nothing can be set that is not a property; names,
properties and signals are those of facts.json. The scene and its logics are those of slicer-core. It cannot prove that
the module loads in Slicer: what qMRML and CTK widgets do is imitated here as far as the tests need it.
"""

from __future__ import annotations

import dis
import inspect
import json
import os
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts.json").read_text())
_READ, _WRITE = QtCore.QObject.property, QtCore.QObject.setProperty
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
            return _READ(self, name)
        if name not in facts["members"] and _asked_by_python():
            raise AttributeError(f"{type(self).__name__} of Slicer has no '{name}'")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or _loading:
            super().__setattr__(name, value)
        elif name in type(self)._facts["properties"]:
            _WRITE(self, name, value)
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


def strict(kind: type, name: str = "", **own: Any) -> type:
    """`kind` with the manners of PythonQt and the facts of `name`."""
    return type(name or kind.__name__, (Strict, kind), {"_facts": facts_of(name or kind.__name__), **own})


# Where facts tell no signals or properties (only members are known), Qt's own are right: they are old and stable.
def _qt_class(name: str) -> Any:
    kind = next(getattr(module, name) for module in (QtCore, QtGui, QtWidgets) if hasattr(module, name))
    if not (name.startswith("Q") and name in FACTS["classes"]) or name in ("QByteArray", "QIcon", "QKeySequence"):
        return kind
    made = strict(kind)
    if issubclass(kind, QtCore.QObject) and not FACTS["classes"][name].get("signals"):
        meta = kind.staticMetaObject
        signals = [m for m in map(meta.method, range(meta.methodCount())) if m.methodType() == m.MethodType.Signal]
        made._facts["signals"] = {bytes(m.methodSignature()).decode() for m in signals}
        made._facts["properties"] = {meta.property(n).name() for n in range(meta.propertyCount())}
    return made


class _Module(types.ModuleType):
    """`qt` or `ctk`: classes on demand, names that Slicer does not have refused."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in FACTS[self.__name__]:
            raise AttributeError(f"{self.__name__} of Slicer has no '{name}'")
        value = _STANDINS.get(name) or _qt_class(name)
        setattr(self, name, value)
        return value


class _Section(QtWidgets.QFrame):
    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed = "", False
        QtWidgets.QFrame.setContentsMargins(self, 2, 24, 2, 2)

    def _collapse(self, value: bool) -> None:
        changed, self._collapsed = value != self._collapsed, value
        # As CTK does, what was hidden before stays hidden: only the room is taken away.
        QtWidgets.QWidget.setMaximumHeight(self, 22 if value else 16777215)
        QtWidgets.QWidget.setContentsMargins(self, 2, 2000 if value else 24, 2, 2)
        if changed and not _loading:
            self._signal("contentsCollapsed(bool)").emit(value)

    def _set_text(self, value: str) -> None:
        self._text = value

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        width = QtWidgets.QWidget.geometry(self).width()
        painter.fillRect(0, 0, width, 20, QtGui.QColor("#c8d4e8"))
        painter.drawText(6, 15, ("+ " if self._collapsed else "- ") + self._text)
        painter.end()

    text = QtCore.Property(str, lambda self: self._text, _set_text)
    collapsed = QtCore.Property(bool, lambda self: self._collapsed, _collapse)


class _PathEdit(QtWidgets.QWidget):
    Dirs = 1
    currentPathChanged = QtCore.Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._edit = QtWidgets.QLineEdit()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit)
        layout.addWidget(QtWidgets.QToolButton(text="..."))

    def addCurrentPathToHistory(self) -> None:
        pass

    currentPath = QtCore.Property(str, lambda self: self._edit.text(), lambda self, v: self._edit.setText(v))


class _MrmlWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        self._signal("mrmlSceneChanged(vtkMRMLScene*)").emit(scene)


class _NodeBox(QtWidgets.QWidget):
    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene, self._current, self._box = None, None, QtWidgets.QComboBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(lambda n: self.setCurrentNode(self._scene.GetNodeByID(self._box.itemData(n) or "")))

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        tags = [scene.AddObserver(e, lambda *_: shiboken6.isValid(self) and self._fill()) for e in events]
        self.__dict__["_unobserve"] = lambda: [scene.RemoveObserver(tag) for tag in tags]
        self._fill()

    def _nodes(self) -> list[Any]:
        kinds, scene = _READ(self, "nodeTypes") or [], self._scene
        found = [scene.GetNthNodeByClass(n, k) for k in kinds for n in range(scene.GetNumberOfNodesByClass(k))]
        return [n for n in found if n.GetClassName() in kinds]

    def _fill(self) -> None:
        nodes = self._nodes()
        self._box.clear()
        self._box.addItem("None", None)
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        self.setCurrentNode(self._current if self._current in nodes else None)

    def currentNode(self) -> Any:
        return self._current

    def setCurrentNode(self, node: Any) -> None:
        changed, self._current = node is not self._current, node
        self._box.setCurrentIndex(self._box.findData(node.GetID()) if node else 0)
        if changed:
            self._signal("currentNodeChanged(vtkMRMLNode*)").emit(node)


def _note(name: str) -> Any:
    return lambda self, *values: self._calls.append((name, *values))


class _SegmentEditor(QtWidgets.QLabel):
    def __init__(self, parent: Any = None) -> None:
        super().__init__("(Segment Editor of Slicer)", parent)
        QtWidgets.QLabel.setMinimumHeight(self, 60)
        self._calls: list[tuple[Any, ...]] = []


for _name in (
    "setMRMLScene", "setMRMLSegmentEditorNode", "setSegmentationNode", "setSourceVolumeNode", "setupViewObservations",
    "removeViewObservations", "installKeyboardShortcuts", "uninstallKeyboardShortcuts", "setActiveEffect",
    "setMaximumNumberOfUndoStates",
):  # fmt: skip
    setattr(_SegmentEditor, _name, _note(_name))

_STANDINS = {
    "ctkCollapsibleButton": strict(_Section, "ctkCollapsibleButton"),
    "ctkPathLineEdit": strict(_PathEdit, "ctkPathLineEdit"),
    "qMRMLWidget": strict(_MrmlWidget, "qMRMLWidget"),
    "qMRMLNodeComboBox": strict(_NodeBox, "qMRMLNodeComboBox"),
    "qMRMLSegmentEditorWidget": strict(_SegmentEditor, "qMRMLSegmentEditorWidget"),
}


class _Loader(QtUiTools.QUiLoader):
    def createWidget(self, name: str, parent: Any = None, object_name: str = "") -> Any:
        widget = (_STANDINS.get(name) or getattr(sys.modules["qt"], name))(parent)
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
    named = child_widgets(root).__dict__
    for sender, signal, receiver, slot in wanted:
        named[sender].connect(signal, getattr(named[receiver], slot.partition("(")[0]))
    root._loader = loader
    return root


def child_widgets(root: Any) -> types.SimpleNamespace:
    """The objects below a widget by name."""
    found = [root, *QtCore.QObject.findChildren(root, QtCore.QObject)]
    names = [QtCore.QObject.objectName(w) for w in found]
    return types.SimpleNamespace(**{n: w for n, w in zip(names, found, strict=True) if n and not n.startswith("qt_")})
