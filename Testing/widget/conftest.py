"""The module on the facade. Exceptions in Qt slots, which would go unnoticed, fail the test, and so do VTK errors."""

from __future__ import annotations

import os
import sys
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
    try:
        from Testing.widget.application import install
    except ImportError as error:
        pytest.skip(f"no PySide6, or not what it needs (Debian: libegl1 libgl1 libxkbcommon0 libfontconfig1): {error}")

    record, remove = install(application)
    import slicer

    assert not hasattr(slicer, "packaging"), "Slicer does not load it itself"
    yield record
    remove()


@pytest.fixture
def window(
    slicer_window: Any,
    application: Any,  # noqa: F811
    complaints: list[str],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """An empty scene, a main window and a PythonSlicer; what would pop up is in ``calls``."""
    import slicer
    from PySide6 import QtWidgets

    monkeypatch.setenv("SLICER_HOME", str(tmp_path_factory.mktemp("Slicer")))
    write_program(python_slicer(), f'exec {sys.executable} "$@"')
    application.scene.Clear(0)
    slicer_window.calls.clear()
    slicer.app.userSettings().clear()
    slicer.app.layoutManager().setLayout(3)
    slicer_window.window = QtWidgets.QMainWindow()
    yield slicer_window
    slicer_window.window.deleteLater()
    slicer_window.window = None
    slicer_window.application.processEvents()
    application.scene.Clear(0)
    # With the panel goes the wrapper that observes its parameters.
    parameters = application.scene.GetSingletonNode("SpineMeasure", "vtkMRMLScriptedModuleNode")
    if parameters is not None:
        application.scene.RemoveNode(parameters)


@pytest.fixture
def panel(window: Any) -> Iterator[Any]:
    """The module's panel, entered."""
    from Testing.widget.application import module_classes

    widget = module_classes().SpineMeasureWidget()
    widget.enter()
    yield widget
    widget.cleanup()


@pytest.fixture(scope="session")
def sample(sample_folder: Path) -> Any:
    """The sample: image, segmentation and measurements."""
    from SpineMeasureLib.io.read import read_volume
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

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


def python_slicer() -> Path:
    """Where the module finds the interpreter of its child."""
    return Path(os.environ["SLICER_HOME"]) / "bin" / "PythonSlicer"


def write_program(path: Path, script: str) -> None:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def wait_for(record: Any, condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Let Qt work until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        record.application.processEvents()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
