"""The module on the facade. Exceptions in Qt slots, which would go unnoticed, fail the test, and so do VTK errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from Testing.mrml.conftest import application, complaints  # noqa: F401

KEY = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture(scope="session")
def slicer_window(application: Any) -> Iterator[Any]:  # noqa: F811
    """The stand-ins in place, with a main window; removed at the end."""
    pytest.importorskip("PySide6", reason="PySide6-Essentials is not installed")
    from Testing.widget.application import install

    record, remove = install(application)
    yield record
    remove()


@pytest.fixture
def window(slicer_window: Any, application: Any, complaints: list[str]) -> Iterator[Any]:  # noqa: F811
    """An empty scene and a main window; what would pop up is in ``calls``."""
    from PySide6 import QtWidgets

    application.scene.Clear(0)
    slicer_window.calls.clear()
    slicer_window.window = QtWidgets.QMainWindow()
    yield slicer_window
    slicer_window.window.deleteLater()
    slicer_window.window = None
    slicer_window.application.processEvents()
    application.scene.Clear(0)


@pytest.fixture
def panel(window: Any) -> Iterator[Any]:
    """The module's panel, entered."""
    from Testing.widget.application import module_classes

    widget = module_classes().SpineMeasureWidget()
    widget.setup()
    widget.enter()
    yield widget
    widget.cleanup()


@pytest.fixture(scope="session")
def sample(sample_folder: Path) -> Any:
    """The sample: image, segmentation and measurements."""
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.segment.existing import segmentation_from_labels
    from SpineMeasureLib.volume import read_volume

    segmentation = segmentation_from_labels(read_volume(sample_folder / "lumbar_t2_labels.nii.gz"))
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    return SimpleNamespace(image=image, segmentation=segmentation, measurements=measure(segmentation))


@pytest.fixture
def volume(window: Any, application: Any, sample: Any) -> Any:  # noqa: F811
    """The sample's image in the scene."""
    return add_volume(application.scene, sample.image, "T2 sag")


@pytest.fixture
def session(panel: Any, volume: Any, sample: Any, application: Any) -> Any:  # noqa: F811
    """A case of the sample, shown in the panel."""
    from SpineMeasureLib.review.session import Session

    made = Session.build(application.scene, volume, sample.segmentation, sample.measurements, "T2 sag")
    panel.addSession(made)
    return made


def add_volume(scene: Any, image: Any, name: str) -> Any:
    """An image as a volume node."""
    import slicer.util
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(image.array.transpose(2, 1, 0)))
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(image.affine.ravel().tolist())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node


def wait_for(record: Any, condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Let Qt work until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        record.application.processEvents()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
