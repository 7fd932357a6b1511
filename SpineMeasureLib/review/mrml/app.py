"""A windowless Slicer application: a MRML scene with the module logics that reading and writing need.

Inside 3D Slicer, the application's own scene is used.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ...errors import DependencyError

#: The version in scene files: slicer-core 5.12 writes the format of Slicer 5.12, but would call itself
#: "slicer-core 4.0", about which Slicer warns when it opens the file.
_SCENE_VERSION = "Slicer 5.12.0 0"


@dataclass
class MrmlApplication:
    """A scene and its logics; they live as long as this object.

    :ivar scene: vtkMRMLScene.
    :ivar logic: vtkSlicerApplicationLogic.
    :ivar owned: False inside 3D Slicer: the scene is the user's.
    :ivar logics: module name -> logic; empty inside 3D Slicer.
    """

    scene: Any
    logic: Any
    owned: bool = True
    logics: dict[str, Any] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)


def startup_environment() -> dict[str, str] | None:
    """Return environment variables for another program; None if the variables of this process are suitable.

    Slicer's launcher sets variables such as LD_LIBRARY_PATH to Slicer's own libraries, with which other programs, such
    as a browser, may not start. Slicer remembers their earlier values.
    """
    import slicer

    return dict(slicer.util.startupEnvironment()) if hasattr(slicer, "app") else None


@lru_cache(maxsize=1)
def mrml_application() -> MrmlApplication:
    """Return the MRML application of this process: Slicer itself if this runs in it, otherwise a windowless one.

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
    # VTK messages are suppressed: failures are known from return values and raised as our own errors.
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    window = vtkOutputWindow()
    window.SetDisplayModeToNever()
    vtkOutputWindow.SetInstance(window)
    # Scene bundles are unpacked in a temporary folder, which is removed with the process.
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
    # Without a cache folder, scene bundles cannot be read.
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
