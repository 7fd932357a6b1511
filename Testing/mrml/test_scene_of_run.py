"""The scene that a run writes: without it the other results are kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.errors import CancelledError, DependencyError, OutputError
from SpineMeasureLib.pipeline import Job, Result, run

OTHERS = ["labels.json", "labels.nii.gz", "run.json"]


def run_sample(sample_folder: Path, out: Path) -> Result:
    image, labels = sample_folder / "lumbar_t2.nii.gz", sample_folder / "lumbar_t2_labels.nii.gz"
    return run(Job(image, out, labels, measure=False))


def test_a_run_writes_scene_and_segmentation(application: Any, sample_folder: Path, tmp_path: Path) -> None:
    result = run_sample(sample_folder, tmp_path)
    assert result.files == sorted([*OTHERS, "scene.mrb", "segmentation.seg.nrrd"])
    assert not any("scene" in warning for warning in result.warnings)


def test_without_slicer_core_the_run_says_so_and_writes_the_rest(sample_folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['slicer'] = None\nfrom pathlib import Path\n"
        "from SpineMeasureLib.pipeline import Job, run\n"
        "image, labels, out = map(Path, sys.argv[1:])\nprint(run(Job(image, out, labels, measure=False)).warnings)"
    )
    inputs = (sample_folder / "lumbar_t2.nii.gz", sample_folder / "lumbar_t2_labels.nii.gz")
    command = [sys.executable, "-c", code, *map(str, inputs), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "No Slicer scene was written. Writing a Slicer scene needs the package 'slicer-core'" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == OTHERS


@pytest.fixture
def failing_scene(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Writing the scene ends half-way with `error`."""
    from SpineMeasureLib.review.mrml import save

    def failing(scene: Any, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(save, "write_bundle", failing)


@pytest.mark.parametrize("error", [DependencyError("A package is missing.", "Install it."), MemoryError()])
def test_a_scene_that_cannot_be_written_loses_nothing_else(
    application: Any, sample_folder: Path, tmp_path: Path, failing_scene: None, error: Exception
) -> None:
    result = run_sample(sample_folder, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == result.files == OTHERS
    (warning,) = (w for w in result.warnings if "No Slicer scene was written" in w)
    assert (str(error) or "MemoryError") in warning


@pytest.mark.parametrize("error", [CancelledError("The work was cancelled."), OutputError("The disk is full.", "")])
def test_cancelling_or_a_full_disk_while_the_scene_is_written_leaves_nothing(
    application: Any, sample_folder: Path, tmp_path: Path, failing_scene: None, error: Exception
) -> None:
    with pytest.raises(type(error)):
        run_sample(sample_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
