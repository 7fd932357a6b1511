"""A Slicer application without windows: a MRML scene with the module logics that reading and writing need.

Inside 3D Slicer none of this is used; there the scene is the application's own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import DependencyError


@dataclass
class MrmlApplication:
    """A scene and the logics that serve it; they live as long as this object.

    :ivar scene: vtkMRMLScene.
    :ivar logics: module name -> logic.
    """

    scene: Any
    logics: dict[str, Any] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)


@lru_cache(maxsize=1)
def mrml_application() -> MrmlApplication:
    """The one MRML application of this process.

    :raises DependencyError: slicer-core is not installed.
    """
    try:
        import slicer
        from vtkmodules.vtkCommonCore import vtkCollection, vtkOutputWindow
    except ImportError as error:
        raise DependencyError(
            "Writing a Slicer scene needs the package 'slicer-core', which is not installed.",
            "Install it with: pip install 'spinemeasure[scene]'.",
        ) from error
    window = vtkOutputWindow()
    window.SetDisplayModeToNever()
    vtkOutputWindow.SetInstance(window)
    # A temporary folder that is removed with the process; scene bundles are unpacked in it.
    folder = tempfile.TemporaryDirectory(prefix="spinemeasure-")
    scene = slicer.vtkMRMLScene()
    application = MrmlApplication(scene)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetTemporaryPath(folder.name)
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtkCollection())
    logic.SetViewLogics(vtkCollection())
    # Without a cache folder scene bundles cannot be read back.
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLApplicationLogic(logic)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(Path(folder.name)))
    remote.SetMRMLScene(scene)
    remote.AddDataIOToScene()
    application._kept += [window, folder, logic, remote]
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
