"""MRML tests run on slicer-core: real scene, real nodes. VTK errors and swallowed exceptions fail a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.anatomy import Kind, structure_info
from SpineMeasureLib.measure.types import Measurement, Plane
from SpineMeasureLib.segmentation import SpineSegmentation, Structure
from SpineMeasureLib.volume import Volume

#: Slicer itself says this whenever it reads slice views that are turned to an oblique image.
#: The second: the subject hierarchy's cache may hold the address of a node of a scene that was cleared before.
HARMLESS = ("invalid orientation preset name: Reformat", "DataNodeCache inconsistency")

SHAPE = (9, 40, 60)


@pytest.fixture(scope="session")
def application() -> Any:
    """The MRML application of this process."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SpineMeasureLib.review.mrml.app import mrml_application

    return mrml_application()


@pytest.fixture
def complaints(application: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """VTK errors and exceptions in observers, which would go unnoticed, collected; any left at the end is a failure."""
    from vtkmodules.util.misc import calldata_type
    from vtkmodules.vtkCommonCore import VTK_STRING, vtkOutputWindow

    found: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: found.append(repr(value)))

    @calldata_type(VTK_STRING)
    def note(caller: Any, event: str, text: str = "") -> None:
        if not any(known in text for known in HARMLESS):
            found.append(text.strip())

    window = vtkOutputWindow.GetInstance()
    tag = window.AddObserver("ErrorEvent", note)
    yield found
    window.RemoveObserver(tag)
    assert not found


@pytest.fixture
def scene(application: Any, complaints: list[str]) -> Iterator[Any]:
    """An empty scene."""
    application.scene.Clear(0)
    yield application.scene
    application.scene.Clear(0)


@pytest.fixture(scope="session")
def can_render(application: Any) -> None:
    """Skip where there is no OpenGL: rendering without it would end the whole test run."""
    code = "import vtk; w = vtk.vtkRenderWindow(); w.SetOffScreenRendering(1); w.Render()"
    environment = {"VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    if done.returncode:
        pytest.skip("no offscreen OpenGL (Debian: libegl1 libgl1-mesa-dri)")


class Case:
    """A small case made by hand, stored obliquely: two bodies, a disc, an arch, the canal and the cord.

    In its array i runs to the left or right, j anteriorly, k superiorly.
    """

    def __init__(self, left_handed: bool) -> None:
        self.affine = np.eye(4)
        turn = Rotation.from_euler("xyz", [14, -8, 21], degrees=True).as_matrix()
        self.affine[:3, :3] = turn * [-4.0 if left_handed else 4.0, 0.7, 0.7]
        self.affine[:3, 3] = [-15.0, 22.5, -310.0]
        labels = np.zeros(SHAPE, np.uint8)
        boxes = {
            (Kind.BODY, "L4"): np.s_[2:7, 15:35, 34:54],
            (Kind.POSTERIOR, "L4"): np.s_[2:7, 1:4, 36:50],
            (Kind.DISC, "L4-L5"): np.s_[2:7, 15:35, 26:34],
            (Kind.BODY, "L5"): np.s_[2:7, 16:34, 5:26],
            (Kind.CANAL, ""): np.s_[3:6, 5:13, :],
            (Kind.CORD, ""): np.s_[4:5, 7:11, 30:],
        }
        structures = []
        for (kind, level), box in boxes.items():
            info = structure_info(kind, level)
            labels[box] = info.value
            flags = ("cut_by_field_of_view",) if level == "L5" else ()
            structures.append(Structure(info.value, info.name, kind, level, 0.9 if level else None, flags))
        self.segmentation = SpineSegmentation(labels, self.affine, tuple(structures), True, "sacrum")
        image = (
            50 + 3 * np.arange(SHAPE[1])[None, :, None] + np.arange(SHAPE[2]) + 20 * np.arange(SHAPE[0])[:, None, None]
        )
        self.volume = Volume(image.astype(np.int16), self.affine)
        self.measurements = [
            self._line("L4-L5", "disc_height_anterior", "chord10", (4, 33, 33.5), (4, 33, 25.5)),
            self._line("L4-L5", "disc_height_middle", "chord50", (4, 25, 33.5), (4, 25, 25.5)),
            self._line("L4-L5", "disc_depth", "depth50", (4, 34.5, 30), (4, 14.5, 30), ("low_confidence",)),
            self._line("L4-L5", "canal_ap", "disc_level", (4.1, 12.5, 29.6), (3.9, 4.5, 29.8)),
            self._line("L4", "canal_ap", "mid_vertebral", (4, 12.5, 44), (4, 4.5, 44)),
            self._line("L4", "body_height_middle", "chord50", (4, 25, 53.5), (4, 25, 33.5)),
            Measurement("L4-L5", "disc_area", "area", 321.5, "mm2", flags=("few_slices",)),
            Measurement("L4-L5", "disc_height", "dabbs", 5.5, "mm", (0, 0, -300), (0, 0, -305.5)),
            Measurement("L5", "body_height_middle", "chord50", None, "mm", flags=("not_measurable",), note="cut"),
        ]

    def _line(self, level: str, quantity: str, method: str, first: Any, second: Any, flags: Any = ()) -> Measurement:
        p1, p2 = self.ras(first), self.ras(second)
        value = float(np.linalg.norm(np.subtract(p1, p2)))
        plane = Plane(p1, tuple(self.affine[:3, 1] / 0.7), tuple(self.affine[:3, 2] / 0.7))
        boundary = "dural_sac" if quantity == "canal_ap" else ""
        return Measurement(level, quantity, method, value, "mm", p1, p2, plane, boundary, flags=flags, confidence=0.9)

    @property
    def lines(self) -> list[Measurement]:
        """The measurements that are editable distances."""
        return self.measurements[:6]

    def ras(self, index: Any) -> tuple[float, float, float]:
        """RAS mm of a voxel index."""
        r, a, s = self.affine[:3, :3] @ index + self.affine[:3, 3]
        return float(r), float(a), float(s)


@pytest.fixture(params=[False, True], ids=["right-handed", "left-handed"], scope="session")
def case(request: pytest.FixtureRequest) -> Case:
    """An oblique case, in either handedness."""
    return Case(request.param)


@pytest.fixture(scope="session")
def written(case: Case, application: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with scene.mrb and spine.seg.nrrd of the case."""
    from SpineMeasureLib.review.mrml.save import write_scene

    folder = tmp_path_factory.mktemp("written")
    write_scene(
        case.volume, case.segmentation, case.measurements, folder / "scene.mrb", folder / "spine.seg.nrrd", "T2 sag"
    )
    return folder


@pytest.fixture(scope="session")
def phantom() -> tuple[SpineSegmentation, list[Measurement]]:
    """A lumbar spine L3 to sacrum of closed-form shape, and what is measured on it."""
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.phantom import Grid, lumbar, voxelise

    segmentation = voxelise(lumbar(upper="L3"), Grid((4.0, 0.8, 0.8)))
    return segmentation, measure(segmentation)


@pytest.fixture(scope="session")
def small() -> tuple[SpineSegmentation, list[Measurement]]:
    """L4 to sacrum on a coarse grid: quick to measure again."""
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.phantom import Grid, lumbar, voxelise

    segmentation = voxelise(lumbar(upper="L4"), Grid((4.0, 1.0, 1.0)))
    return segmentation, measure(segmentation)


@pytest.fixture
def session(scene: Any, phantom: tuple[SpineSegmentation, list[Measurement]]) -> Iterator[Any]:
    """The review of the phantom."""
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.session import Session

    segmentation, measurements = phantom
    volume = add_volume(scene, Volume(segmentation.labels.astype(np.int16), segmentation.affine), "T2")
    made = Session.build(scene, volume, segmentation, measurements, "Case")
    yield made
    made.close()
