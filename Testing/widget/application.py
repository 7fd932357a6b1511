"""What surrounds the module in Slicer: application, base classes, parameter nodes, layout manager. Records, no pop-ups.

The scene and its logics are real (slicer-core); `install` puts the stand-ins in place and returns how to remove them.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from PySide6 import QtCore, QtWidgets

from Testing.widget.facade import _READ, _STANDINS, FACTS, _Module, child_widgets, load_ui, strict

MODULE = Path(__file__).resolve().parents[2] / "SpineMeasure"


class Choice:
    """Allowed values of a parameter."""

    def __init__(self, choices: list[Any]) -> None:
        self.choices = choices


def parameter_node_wrapper(kind: type) -> type:
    """The part of Slicer's decorator that the module uses: nodes, texts, choices, switches; connected by name."""
    hints = get_type_hints(kind, include_extras=True)
    defaults = {name: getattr(kind, name, None) for name in hints}

    def make(name: str, hint: Any) -> property:
        base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        choice = next((a for a in get_args(hint)[1:] if isinstance(a, Choice)), None)

        def read(self: Any) -> Any:
            if base in (str, bool):
                kept = self.parameterNode.GetParameter(name) or str(defaults[name])
                return kept == "True" if base is bool else kept
            return self.parameterNode.GetNodeReference(name)

        def write(self: Any, value: Any) -> None:
            if choice and value not in choice.choices:
                raise ValueError(f"{value} is no choice of {name}")
            if base not in (str, bool):
                if value is not None and not isinstance(value, base):
                    raise TypeError(f"{name} takes {base.__name__}")
                self.parameterNode.SetNodeReferenceID(name, value.GetID() if value else None)
            elif not isinstance(value, base):
                raise TypeError(f"{name} takes {base.__name__}")
            else:
                self.parameterNode.SetParameter(name, str(value))

        return property(read, write)

    class Wrapper:
        _connectors = {
            "QComboBox": ("currentTextChanged(QString)", lambda w: w.currentText, lambda w, v: w.setCurrentText(v)),
            "QLineEdit": ("textChanged(QString)", lambda w: w.text, lambda w, v: setattr(w, "text", v)),
            "QCheckBox": ("toggled(bool)", lambda w: w.checked, lambda w, v: setattr(w, "checked", v)),
            "qMRMLNodeComboBox": (
                "currentNodeChanged(vtkMRMLNode*)", lambda w: w.currentNode(), lambda w, v: w.setCurrentNode(v)
            ),
        }  # fmt: skip

        def __init__(self, node: Any) -> None:
            self.parameterNode, self._guis = node, {}

        def connectGui(self, ui: Any) -> int:
            """Connect every widget with the property SlicerParameterName."""
            made: list[tuple[Any, ...]] = []
            for widget in vars(ui).values():
                name = _READ(widget, "SlicerParameterName")
                if not name:
                    continue
                if name not in hints:
                    raise ValueError(f"there is no parameter {name}")
                signal, read, write = self._connectors[type(widget).__name__]
                choice = next((a for a in get_args(hints[name])[1:] if isinstance(a, Choice)), None)
                if choice:
                    widget.clear()
                    widget.addItems(choice.choices)
                write(widget, getattr(self, name))
                slot = lambda *_, n=name, w=widget, r=read: setattr(self, n, r(w))  # noqa: E731
                widget.connect(signal, slot)
                made.append((widget, signal, slot, write, name))
            self.update = lambda *_: [write(w, getattr(self, n)) for w, _, _, write, n in made]
            self._guis[1] = (made, self.parameterNode.AddObserver("ModifiedEvent", self.update))
            return 1

        def disconnectGui(self, tag: int) -> None:
            """Undo `connectGui`."""
            made, observer = self._guis.pop(tag)
            self.parameterNode.RemoveObserver(observer)
            for widget, signal, slot, _, _ in made:
                widget.disconnect(signal, slot)

        def AddObserver(self, *arguments: Any) -> int:
            """Of the node."""
            return self.parameterNode.AddObserver(*arguments)

        def RemoveObserver(self, tag: int) -> None:
            """Of the node."""
            self.parameterNode.RemoveObserver(tag)

    return type(kind.__name__, (Wrapper,), {name: make(name, hint) for name, hint in hints.items()})


class ScriptedLoadableModule:
    """Has a parent that takes texts."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def resourcePath(self, name: str) -> str:
        """A file of the module."""
        return os.path.join(os.path.dirname(inspect.getfile(type(self))), "Resources", name)


class ScriptedLoadableModuleWidget:
    """Has a panel with a layout."""

    resourcePath = ScriptedLoadableModule.resourcePath

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent or sys.modules["slicer"].qMRMLWidget()
        self.layout = QtWidgets.QVBoxLayout(self.parent)

    def setup(self) -> None:
        """Nothing more."""


class ScriptedLoadableModuleLogic:
    """Has one parameter node in the scene."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """The parameter node, made where there is none."""
        import slicer

        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Says nothing."""

    def delayDisplay(self, message: str, *_: Any) -> None:
        """Nothing is shown."""


class _LayoutManager(QtCore.QObject):
    def __init__(self, scene: Any) -> None:
        import slicer

        super().__init__()
        self._layout = 3
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)

    def setLayout(self, layout: int) -> None:
        self._layout = layout

    def layoutLogic(self) -> Any:
        return self._logic

    def resetThreeDViews(self) -> None:
        pass

    layout = QtCore.Property(int, lambda self: self._layout, setLayout)


class _Application(QtCore.QObject):
    startupCompleted = QtCore.Signal()

    def __init__(self, mrml: Any) -> None:
        super().__init__()
        self._mrml, self._testing = mrml, False
        self._layout_manager = strict(_LayoutManager, "qMRMLLayoutManager")(mrml.scene)

    def layoutManager(self) -> Any:
        return self._layout_manager

    def applicationLogic(self) -> Any:
        return self._mrml.logic

    def testingEnabled(self) -> bool:
        return self._testing

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def setOverrideCursor(self, cursor: Any) -> None:
        pass

    def restoreOverrideCursor(self) -> None:
        pass


def _checked(module: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in for a function that Slicer has, called as Slicer's signature allows."""
    made: dict[str, Any] = {}
    exec(f"def allowed{FACTS['python'][module][name]}: pass", made)  # the signature as Slicer printed it
    signature = inspect.signature(made["allowed"])

    def call(*positional: Any, **named: Any) -> Any:
        signature.bind(*positional, **named)
        return function(*positional, **named)

    return call


def install(mrml: Any) -> tuple[Any, Callable[[], None]]:
    """Put everything in place over slicer-core.

    :param mrml: the windowless MRML application, whose scene becomes `slicer.mrmlScene`.
    :return: a record (``calls``: what would have popped up or been installed; ``window``: the main window), and how
        to undo it.
    """
    import slicer
    import slicer.util

    qt_application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["widget"])
    record = types.SimpleNamespace(calls=[], window=None, application=qt_application)
    modules_before, path_before = dict(sys.modules), list(sys.path)
    before = {owner: dict(vars(owner)) for owner in (slicer, slicer.util)}

    def noting(name: str, answer: Any = None) -> Callable[..., Any]:
        return lambda *a, **k: (record.calls.append((name, *a)), answer)[1]

    def load(path: str, options: int) -> Any:
        return mrml.logics["Volumes"].AddArchetypeVolume(path, Path(path).name.partition(".")[0], options)

    for name in ("qt", "ctk"):
        sys.modules[name] = _Module(name)
    sys.modules["qt"].QWidget = strict(QtWidgets.QWidget)
    for name in FACTS["slicer"]:
        if name in _STANDINS:
            setattr(slicer, name, _STANDINS[name])
    python = {
        "slicer.i18n": {"tr": lambda text: text, "translate": lambda context, text: text},
        "slicer.ScriptedLoadableModule": {k: v for k, v in globals().items() if k.startswith("ScriptedLoadable")},
        "slicer.parameterNodeWrapper": {"parameterNodeWrapper": parameter_node_wrapper, "Choice": Choice},
        "slicer.packaging": {"pip_ensure": _checked("slicer.packaging", "pip_ensure", noting("pip_ensure"))},
    }
    for name, members in python.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module
        setattr(slicer, name.partition(".")[2], module)
    slicer.mrmlScene = mrml.scene
    slicer.app = strict(_Application, "app")(mrml)
    terminologies = slicer.vtkSlicerTerminologiesModuleLogic()
    module = types.SimpleNamespace(logic=lambda: terminologies)
    slicer.modules = types.SimpleNamespace(terminologies=module)
    utilities = {
        "loadUI": load_ui,
        "childWidgetVariables": child_widgets,
        "mainWindow": lambda: record.window,
        "startupEnvironment": lambda: dict(os.environ),
        "errorDisplay": noting("errorDisplay"),
        "confirmOkCancelDisplay": noting("confirmOkCancelDisplay", True),
        "setSliceViewerLayers": noting("setSliceViewerLayers"),
        "executePythonModule": noting("executePythonModule"),
        "loadVolume": lambda filename: load(filename, 0),
        "loadLabelVolume": lambda filename: load(filename, 1),
        "loadScene": lambda filename: bool(mrml.scene.ReadFromMRB(filename)),
    }
    for name, function in utilities.items():
        setattr(slicer.util, name, _checked("slicer.util", name, function))
    sys.path.insert(0, str(MODULE))

    def remove() -> None:
        for owner, kept in before.items():
            for name in set(vars(owner)) - set(kept):
                delattr(owner, name)
            for name, value in kept.items():
                setattr(owner, name, value)
        for name in set(sys.modules) - set(modules_before):
            if name.partition(".")[0] in ("qt", "ctk", "SpineMeasure", "SpineMeasureGui") or name in python:
                del sys.modules[name]
        sys.path[:] = path_before

    return record, remove


def module_classes() -> Any:
    """The module's file, imported as Slicer does."""
    return importlib.import_module("SpineMeasure")
