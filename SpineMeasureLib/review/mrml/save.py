"""Writing a case as a Slicer scene bundle (.mrb) and its segmentation as .seg.nrrd."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from ...errors import OutputError, UnreadableInputError
from ...files import atomic_path
from ...measure.types import Measurement
from ...segmentation import SpineSegmentation
from ...volume import Volume
from .app import mrml_application
from .build import build_case
from .bundle import write_bundle
from .views import add_views

_SEGMENTATION_ENDING = ".seg.nrrd"


def write_scene(
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    scene_path: Path,
    segmentation_path: Path | None = None,
    name: str = "Spine",
) -> None:
    """Write ``scene.mrb`` and, if a path is given, the ``.seg.nrrd`` of its segmentation.

    :raises DependencyError: slicer-core is not installed.
    :raises OutputError: a file cannot be written, or this runs in 3D Slicer, where the user saves the scene.
    """
    application = mrml_application()
    if not application.owned:
        raise OutputError("Scene files are not written inside 3D Slicer.", "Save the scene from the File menu.")
    scene = application.scene
    scene.Clear(0)
    try:
        nodes = build_case(scene, volume, segmentation, measurements, name)
        add_views(application, nodes)
        with atomic_path(scene_path) as temporary:
            write_bundle(scene, temporary)
            if segmentation_path is not None:
                copy_segmentation(temporary, segmentation_path)
    finally:
        scene.Clear(0)


def copy_segmentation(bundle: Path, path: Path) -> None:
    """Extract the segmentation of a scene bundle; it is not compressed again.

    :raises UnreadableInputError: the bundle does not contain a segmentation.
    """
    with zipfile.ZipFile(bundle) as archive, atomic_path(path) as temporary:
        member = next((n for n in archive.namelist() if n.endswith(_SEGMENTATION_ENDING)), None)
        if member is None:
            raise UnreadableInputError(f"{bundle.name} does not contain a segmentation.", "Measure the case again.")
        temporary.write_bytes(archive.read(member))
