"""What surrounds the module in Slicer: application, base classes, layout manager. Records, no pop-ups.

The scene and its logics are real (slicer-core); `install` puts the stand-ins in place and returns how to remove them.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import types
import unittest
from collections.abc import Callable
from contextlib import ExitStack
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import slicer
import slicer.util
from PySide6 import QtCore, QtWidgets
from vtkmodules.util.misc import calldata_type
from vtkmodules.vtkCommonCore import VTK_OBJECT

from Testing.widget.facade import FACTS, STANDINS, Module, child_widgets, load_ui, strict
from Testing.widget.parameters import Choice, parameter_node_wrapper

MODULE = Path(__file__).resolve().parents[2] / "SpineMeasure"


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


class Views:
    """Counts what a real Slicer draws: while its event loop is busy, it draws all views after nearly every change.

    :ivar drawn: how often the views were drawn.
    :ivar resets: views that were made to show all of their contents, in order.
    """

    _SEEN = (
        "vtkMRMLDisplayableNode", "vtkMRMLDisplayNode", "vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode",
        "vtkMRMLTableNode",
    )  # fmt: skip

    def __init__(self, scene: Any) -> None:
        self.drawn = 0
        self.resets: list[str] = []
        self._scene, self._paused, self._asked = scene, 0, False
        scene.AddObserver(scene.NodeAddedEvent, self._added)
        scene.AddObserver(scene.NodeRemovedEvent, self._changed)

    @calldata_type(VTK_OBJECT)
    def _added(self, scene: Any, event: str, node: Any = None) -> None:
        if node is not None and any(node.IsA(kind) for kind in self._SEEN):
            node.AddObserver("ModifiedEvent", self._changed)
            self._changed()

    def _changed(self, *_: Any) -> None:
        if self._paused or self._scene.IsBatchProcessing():
            self._asked = True
        else:
            self.drawn += 1

    def pause(self) -> None:
        """Draw nothing until `resume`."""
        self._paused += 1

    def resume(self) -> None:
        """Draw what was asked for meanwhile, once."""
        assert self._paused, "resumed more often than paused"
        self._paused -= 1
        if not self._paused and self._asked:
            self._asked = False
            self.drawn += 1


class _LayoutManager(QtCore.QObject):
    def __init__(self, scene: Any, views: Views) -> None:
        super().__init__()
        self._views = views
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self.setLayout(3)

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    def layoutLogic(self) -> Any:
        return self._logic

    def resetThreeDViews(self) -> None:
        self._views.resets.append("3D")

    def resetSliceViews(self) -> None:
        self._views.resets.append("slices")

    layout = QtCore.Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)


class _Application(QtCore.QObject):
    startupCompleted = QtCore.Signal()
    slicerHome = QtCore.Property(str, lambda self: os.environ.get("SLICER_HOME", ""))
    _testing = False

    def __init__(self, mrml: Any) -> None:
        super().__init__()
        self._mrml, self._views = mrml, Views(mrml.scene)
        self._layout_manager = strict(_LayoutManager, "qMRMLLayoutManager")(mrml.scene, self._views)
        self._cursors: list[Any] = []
        self._settings_folder = tempfile.TemporaryDirectory()
        file = str(Path(self._settings_folder.name) / "Slicer.ini")
        self._settings = QtCore.QSettings(file, QtCore.QSettings.Format.IniFormat)

    def layoutManager(self) -> Any:
        return self._layout_manager

    def applicationLogic(self) -> Any:
        return self._mrml.logic

    def userSettings(self) -> Any:
        return self._settings

    def testingEnabled(self) -> bool:
        return self._testing

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def keyboardModifiers(self) -> Any:
        return QtWidgets.QApplication.keyboardModifiers()

    def pauseRender(self) -> None:
        self._views.pause()

    def resumeRender(self) -> None:
        self._views.resume()

    def setOverrideCursor(self, cursor: Any) -> None:
        self._cursors.append(cursor)

    def restoreOverrideCursor(self) -> None:
        self._cursors.pop()


class _Later(MetaPathFinder, Loader):
    """A module of Slicer that is there only after somebody imported it, as an attribute of its package too."""

    def __init__(self, name: str, members: dict[str, Any]) -> None:
        self.name, self.members = name, members

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == self.name else None

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).update(self.members)


def install(mrml: Any) -> tuple[Any, Callable[[], None]]:
    """Put everything in place over slicer-core.

    :param mrml: the windowless MRML application, whose scene becomes `slicer.mrmlScene`.
    :return: a record (``calls``: what would have popped up or been installed; ``window``: the main window; ``views``:
        how often they were drawn), and how to undo it.
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
    }
    for name, members in python.items():
        python[name] = types.ModuleType(name)  # type: ignore[assignment]
        vars(python[name]).update(members)
    modules_before = set(sys.modules)
    sys.modules.update({name: Module(name) for name in ("qt", "ctk")}, **python)  # type: ignore[arg-type]
    terminologies = slicer.vtkSlicerTerminologiesModuleLogic()
    undo = ExitStack()
    undo.enter_context(patch.object(sys, "path", [str(MODULE), *sys.path]))
    undo.enter_context(patch.dict(vars(slicer.util), utilities))
    later = _Later("slicer.packaging", {"pip_ensure": noting("pip_ensure")})
    undo.enter_context(patch.object(sys, "meta_path", [later, *sys.meta_path]))
    undo.enter_context(patch.dict(vars(slicer), {n.partition(".")[2]: each for n, each in python.items()}))
    slicer.__dict__.update({name: each for name, each in STANDINS.items() if name in FACTS["slicer"]})
    slicer.mrmlScene, slicer.app = mrml.scene, strict(_Application, "app")(mrml)
    record.views = slicer.app._views
    slicer.modules = types.SimpleNamespace(terminologies=types.SimpleNamespace(logic=lambda: terminologies))
    sys.modules["qt"].QWidget = strict(QtWidgets.QWidget)  # type: ignore[attr-defined]

    def remove() -> None:
        undo.close()
        for name in set(sys.modules) - modules_before:
            if name.partition(".")[0] in ("qt", "ctk", "SpineMeasure", "SpineMeasureGui") or name in (
                *python,
                later.name,
            ):
                del sys.modules[name]

    return record, remove


def module_classes() -> Any:
    """The module's file, imported as Slicer does."""
    return importlib.import_module("SpineMeasure")
