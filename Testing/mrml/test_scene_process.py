"""The process that writes the scene beside the rest: it writes, or leaves nothing, and never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind, structure_info
from SpineMeasureLib.processes import running
from SpineMeasureLib.review.mrml import process
from SpineMeasureLib.review.mrml.process import SceneProcess, scene_process
from SpineMeasureLib.segmentation import SpineSegmentation, Structure
from SpineMeasureLib.volume import Volume

FILES = ["scene.mrb", "segmentation.seg.nrrd"]
WRITING = SceneProcess.writing


@pytest.fixture(autouse=True)
def of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where slicer-core is not yet loaded; other tests have loaded it."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    monkeypatch.setattr(process, "_of_use", lambda: True)


@pytest.fixture
def task() -> tuple[Volume, SpineSegmentation, list[object], str]:
    """What `writing` is given: a tiny case of one body."""
    info = structure_info(Kind.BODY, "L4")
    labels = np.zeros((4, 12, 12), np.uint8)
    labels[1:3, 3:9, 3:9] = info.value
    segmentation = SpineSegmentation(labels, np.eye(4), (Structure(info.value, info.name, Kind.BODY, "L4"),), True, "")
    return Volume(labels.astype(np.int16), np.eye(4)), segmentation, [], "Spine"


def run_sample(sample_folder: Path, out: Path) -> list[str]:
    from SpineMeasureLib.pipeline import Job, run

    image, labels = sample_folder / "lumbar_t2.nii.gz", sample_folder / "lumbar_t2_labels.nii.gz"
    return run(Job(image, out, labels, measure=False)).files


def test_it_writes_scene_and_segmentation(task: Any, tmp_path: Path) -> None:
    with scene_process(True) as scene, scene.writing(tmp_path, *task):
        assert scene.process
    assert scene.done
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES


def test_none_is_started_where_no_scene_is_wanted_or_slicer_core_is_loaded_or_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scene_process(False) as scene:
        assert scene.process is None
    monkeypatch.undo()
    with scene_process(True) as scene:
        assert scene.process is None
    monkeypatch.delitem(sys.modules, "slicer")
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with scene_process(True) as scene:
        assert scene.process is None


def test_where_it_dies_nothing_is_left_and_the_run_writes_the_scene_itself(
    task: Any, sample_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scene_process(True) as scene:
        assert scene.process
        scene.process.kill()
        with scene.writing(tmp_path, *task):
            pass
    assert not scene.done
    assert not list(tmp_path.iterdir())

    def dying(scene: SceneProcess, *task: Any) -> Any:
        assert scene.process
        scene.process.kill()
        scene.process.wait()
        return WRITING(scene, *task)

    monkeypatch.setattr(SceneProcess, "writing", dying)
    assert set(FILES) <= set(run_sample(sample_folder, tmp_path / "out"))


def test_where_it_cannot_be_started_the_run_writes_the_scene_itself(
    sample_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no_python"))
    assert set(FILES) <= set(run_sample(sample_folder, tmp_path / "out"))


def test_without_slicer_core_the_run_says_so_and_writes_the_rest(sample_folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['slicer'] = None\nfrom pathlib import Path\n"
        "from SpineMeasureLib.pipeline import Job, run\n"
        "image, labels, out = map(Path, sys.argv[1:])\nprint(run(Job(image, out, labels, measure=False)).warnings)"
    )
    inputs = (sample_folder / "lumbar_t2.nii.gz", sample_folder / "lumbar_t2_labels.nii.gz")
    command = [sys.executable, "-c", code, *map(str, inputs), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "No Slicer scene was written" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.json", "labels.nii.gz", "run.json"]


def test_an_error_or_cancellation_meanwhile_ends_it_and_leaves_nothing(task: Any, tmp_path: Path) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), scene_process(True) as scene, scene.writing(tmp_path, *task):
            raise error
        assert scene.process
        assert scene.process.poll() is not None
        assert not scene.done
        assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\nfrom SpineMeasureLib.review.mrml.process import scene_process\n"
        "with scene_process(True) as scene:\n print(scene.process.pid, flush=True)\n time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert running([pid])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while running([pid]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running([pid])
