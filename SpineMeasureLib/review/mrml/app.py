"""A Slicer application without windows: a MRML scene with the module logics that reading and writing need.

Inside 3D Slicer nothing is made: the scene is the application's own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ...errors import DependencyError

#: The version that scene files carry: slicer-core 5.12 writes the format of Slicer 5.12, but would call itself
#: "slicer-core 4.0", of which Slicer warns when it opens the file.
_SCENE_VERSION = "Slicer 5.12.0 0"


@dataclass
class MrmlApplication:
    """A scene and the logics that serve it; they live as long as this object.

    :ivar scene: vtkMRMLScene.
    :ivar logic: vtkSlicerApplicationLogic.
    :ivar owned: False inside 3D Slicer, where the scene is the user's.
    :ivar logics: module name -> logic; empty inside 3D Slicer.
    """

    scene: Any
    logic: Any
    owned: bool = True
    logics: dict[str, Any] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)


def startup_environment() -> dict[str, str] | None:
    """Variables for a program that is started from here; None where those of this process will do.

    Slicer's launcher sets variables such as LD_LIBRARY_PATH to Slicer's own libraries, with which other programs, a
    browser for one, may not start. Slicer knows what they were before.
    """
    import slicer

    return dict(slicer.util.startupEnvironment()) if hasattr(slicer, "app") else None


@lru_cache(maxsize=1)
def mrml_application() -> MrmlApplication:
    """The one MRML application of this process: Slicer itself where this runs in it, else a windowless one.

    :raises DependencyError: slicer-core is not installed.
    """
    try:
        import slicer
        from vtkmodules.vtkCommonCore import vtkCollection, vtkLogger, vtkOutputWindow
    except ImportError as error:
        raise DependencyError(
            "Writing a Slicer scene needs the package 'slicer-core', which is not installed.",
            "Install it with: pip install 'spinemeasure[scene]'.",
        ) from error
    if hasattr(slicer, "app"):
        return MrmlApplication(slicer.mrmlScene, slicer.app.applicationLogic(), owned=False)
    # Messages of VTK go to nobody: failures are told by return values, and turned into our own errors.
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    window = vtkOutputWindow()
    window.SetDisplayModeToNever()
    vtkOutputWindow.SetInstance(window)
    # A temporary folder that is removed with the process; scene bundles are unpacked in it.
    folder = tempfile.TemporaryDirectory(prefix="spinemeasure-")
    scene = slicer.vtkMRMLScene()
    scene.SetVersion(_SCENE_VERSION)
    logic = slicer.vtkSlicerApplicationLogic()
    application = MrmlApplication(scene, logic)
    logic.SetTemporaryPath(folder.name)
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtkCollection())
    logic.SetViewLogics(vtkCollection())
    # Without a cache folder scene bundles cannot be read back.
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLApplicationLogic(logic)
    remote.GetCacheManager().SetRemoteCacheDirectory(folder.name)
    remote.SetMRMLScene(scene)
    remote.AddDataIOToScene()
    application._kept += [window, folder, remote]
    for name, kind in (
        ("Colors", slicer.vtkMRMLColorLogic),
        ("Units", slicer.vtkSlicerUnitsLogic),
        ("Volumes", slicer.vtkSlicerVolumesLogic),
        ("Segmentations", slicer.vtkSlicerSegmentationsModuleLogic),
        ("SubjectHierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic),
        ("Markups", slicer.vtkSlicerMarkupsLogic),
        ("Tables", slicer.vtkSlicerTablesLogic),
    ):
        module = kind()
        module.SetMRMLScene(scene)
        module.SetMRMLApplicationLogic(logic)
        logic.SetModuleLogic(name, module)
        application.logics[name] = module
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    return application
