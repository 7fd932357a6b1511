"""Writing a case as a Slicer scene bundle (.mrb) and its segmentation as .seg.nrrd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files import atomic_path
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .app import mrml_application
from .build import build_case


def write_scene(
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    scene_path: Path,
    segmentation_path: Path | None = None,
    name: str = "Spine",
) -> None:
    """Write ``scene.mrb`` and, where asked, the ``.seg.nrrd`` of its segmentation.

    :raises DependencyError: slicer-core is not installed.
    :raises OutputError: a file cannot be written.
    """
    scene = mrml_application().scene
    scene.Clear(0)
    try:
        nodes = build_case(scene, volume, segmentation, measurements, name)
        if segmentation_path is not None:
            with atomic_path(segmentation_path) as temporary:
                _write_segmentation(scene, nodes.segmentation, temporary)
        with atomic_path(scene_path) as temporary:
            if not scene.WriteToMRB(str(temporary)):
                raise OutputError(f"{scene_path.name} could not be written.", "Check the folder and the disk.")
    finally:
        scene.Clear(0)


def _write_segmentation(scene: Any, node: Any, path: Path) -> None:
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    storage.SetFileName(str(path))
    written = storage.WriteData(node)
    # The bundle must not point to this file.
    node.SetAndObserveStorageNodeID(None)
    scene.RemoveNode(storage)
    if not written:
        raise OutputError(f"{path.name} could not be written.", "Check the folder and the disk.")
