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
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from unittest.mock import patch

import slicer
import slicer.util
from PySide6 import QtCore, QtWidgets

from Testing.widget.facade import FACTS, STANDINS, Module, child_widgets, load_ui, strict

MODULE = Path(__file__).resolve().parents[2] / "SpineMeasure"


class Choice:
    """Allowed values of a parameter."""

    def __init__(self, choices: list[Any]) -> None:
        self.choices = choices


def parameter_node_wrapper(kind: type) -> type:
    """The part of Slicer's decorator that the module uses: nodes, texts, choices, switches; connected by a mapping."""
    hints = get_type_hints(kind, include_extras=True)
    defaults = {name: getattr(kind, name, None) for name in hints}
    choices = {name: get_args(hint)[1].choices for name, hint in hints.items() if get_origin(hint) is Annotated}

    def make(name: str, hint: Any) -> property:
        base = get_args(hint)[0] if name in choices else hint

        def read(self: Any) -> Any:
            if base not in (str, bool):
                return self.parameterNode.GetNodeReference(name)
            kept = self.parameterNode.GetParameter(name) or str(defaults[name])
            return kept == "True" if base is bool else kept

        def write(self: Any, value: Any) -> None:
            is_node = base not in (str, bool)
            if not isinstance(value, base) and not (is_node and value is None):
                raise TypeError(f"{name} takes {base.__name__}")
            if value not in choices.get(name, [value]):
                raise ValueError(f"{value} is no choice of {name}")
            if is_node:
                self.parameterNode.SetNodeReferenceID(name, value and value.GetID())
            else:
                self.parameterNode.SetParameter(name, str(value))

        return property(read, write)

    class Wrapper:
        _connectors = {
            "QComboBox": ("currentIndexChanged(int)", "currentIndex"), "QLineEdit": ("textChanged(QString)", "text"),
            "QCheckBox": ("toggled(bool)", "checked"), "qMRMLNodeComboBox": ("currentNodeChanged(vtkMRMLNode*)", ""),
        }  # fmt: skip

        def __init__(self, node: Any) -> None:
            self.parameterNode, self._guis = node, {}

        def _show(self, name: str, widget: Any, shown: str) -> None:
            value = getattr(self, name)
            if shown:
                setattr(widget, shown, choices[name].index(value) if name in choices else value)
            else:
                widget.setCurrentNode(value)

        def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
            """Connect widgets by the names of their parameters. What has choices is filled anew with them."""
            made: list[tuple[Any, ...]] = []
            for name, widget in mapping.items():
                signal, shown = self._connectors[type(widget).__name__]
                if name in choices:
                    widget.clear()
                    widget.addItems(choices[name])
                self._show(name, widget, shown)

                def follow(*_: Any, name: str = name, widget: Any = widget, shown: str = shown) -> None:
                    value = getattr(widget, shown) if shown else widget.currentNode()
                    setattr(self, name, choices[name][value] if name in choices else value)

                widget.connect(signal, follow)
                made.append((name, widget, shown, signal, follow))
            tag = len(self._guis)
            self._guis[tag] = made
            # Never taken away, as in Slicer: a wrapper that Python collects crashes at the next change of its node.
            update = lambda *_: [self._show(*each[:3]) for each in self._guis.get(tag, ())]  # noqa: E731
            self.parameterNode.AddObserver("ModifiedEvent", update)
            return tag

        def disconnectGui(self, tag: int) -> None:
            """Undo `connectParametersToGui`."""
            for _, widget, _, signal, follow in self._guis.pop(tag):
                widget.disconnect(signal, follow)

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
        return str(MODULE / "Resources" / name)


class ScriptedLoadableModuleWidget:
    """Has a panel with a layout; without a parent it makes one and is set up at once."""

    resourcePath = ScriptedLoadableModule.resourcePath

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.parent = parent or slicer.qMRMLWidget()
        self.layout = QtWidgets.QVBoxLayout(self.parent)
        if parent is None:
            self.setup()

    def setup(self) -> None:
        """Nothing more."""


class ScriptedLoadableModuleLogic:
    """Has one parameter node in the scene."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """The parameter node, made where there is none."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Says nothing."""

    def delayDisplay(self, message: str, *_: Any) -> None:
        """Nothing is shown."""


class _LayoutManager(QtCore.QObject):
    def __init__(self, scene: Any) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self.setLayout(3)

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    def layoutLogic(self) -> Any:
        return self._logic

    def resetThreeDViews(self) -> None: ...

    layout = QtCore.Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)


class _Application(QtCore.QObject):
    startupCompleted = QtCore.Signal()
    slicerHome = QtCore.Property(str, lambda self: os.environ.get("SLICER_HOME", ""))
    _testing = False

    def __init__(self, mrml: Any) -> None:
        super().__init__()
        self._mrml, self._layout_manager = mrml, strict(_LayoutManager, "qMRMLLayoutManager")(mrml.scene)

    def layoutManager(self) -> Any:
        return self._layout_manager

    def applicationLogic(self) -> Any:
        return self._mrml.logic

    def testingEnabled(self) -> bool:
        return self._testing

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def setOverrideCursor(self, cursor: Any) -> None: ...

    def restoreOverrideCursor(self) -> None: ...


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
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["widget"])
    record = types.SimpleNamespace(calls=[], window=None, application=application)

    def noting(name: str, answer: Any = None) -> Callable[..., Any]:
        return lambda *a, **k: (record.calls.append((name, *a)), answer)[1]

    def load(path: str, options: int) -> Any:
        return mrml.logics["Volumes"].AddArchetypeVolume(path, Path(path).name.partition(".")[0], options)

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
    python = {
        "slicer.i18n": {"tr": lambda text: text, "translate": lambda context, text: text},
        "slicer.ScriptedLoadableModule": {k: v for k, v in globals().items() if k.startswith("ScriptedLoadable")},
        "slicer.parameterNodeWrapper": {"parameterNodeWrapper": parameter_node_wrapper, "Choice": Choice},
        "slicer.packaging": {"pip_ensure": _checked("slicer.packaging", "pip_ensure", noting("pip_ensure"))},
    }
    for name, members in python.items():
        python[name] = types.ModuleType(name)  # type: ignore[assignment]
        vars(python[name]).update(members)
    modules_before = set(sys.modules)
    sys.modules.update({name: Module(name) for name in ("qt", "ctk")}, **python)  # type: ignore[arg-type]
    terminologies = slicer.vtkSlicerTerminologiesModuleLogic()
    undo = ExitStack()
    undo.enter_context(patch.object(sys, "path", [str(MODULE), *sys.path]))
    undo.enter_context(
        patch.dict(vars(slicer.util), {n: _checked("slicer.util", n, each) for n, each in utilities.items()})
    )
    undo.enter_context(patch.dict(vars(slicer), {n.partition(".")[2]: each for n, each in python.items()}))
    slicer.__dict__.update({name: each for name, each in STANDINS.items() if name in FACTS["slicer"]})
    slicer.mrmlScene, slicer.app = mrml.scene, strict(_Application, "app")(mrml)
    slicer.modules = types.SimpleNamespace(terminologies=types.SimpleNamespace(logic=lambda: terminologies))
    sys.modules["qt"].QWidget = strict(QtWidgets.QWidget)  # type: ignore[attr-defined]

    def remove() -> None:
        undo.close()
        for name in set(sys.modules) - modules_before:
            if name.partition(".")[0] in ("qt", "ctk", "SpineMeasure", "SpineMeasureGui") or name in python:
                del sys.modules[name]

    return record, remove


def module_classes() -> Any:
    """The module's file, imported as Slicer does."""
    return importlib.import_module("SpineMeasure")
