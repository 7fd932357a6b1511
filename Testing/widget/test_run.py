"""Runs of the child process from the panel and from scripts: progress, cancel, failures in words, nothing left."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib import child, needs, processes
from SpineMeasureLib.errors import SpineMeasureError
from Testing.widget.conftest import KEY, add_volume, python_slicer, wait_for, write_program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake PythonSlicer is a script with a first line")
FAKE = Path(__file__).with_name("fake_python.py")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def fake(panel: Any, volume: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel with a volume and a PythonSlicer that behaves as asked: ``fake("slow")`` starts a run."""
    wait_for_device(panel)
    write_program(python_slicer(), f"exec {sys.executable} {FAKE}")
    panel.ui.volumeSelector.setCurrentNode(volume)

    def start(way: str) -> None:
        monkeypatch.setenv("FAKE_CHILD", way)
        panel.ui.runButton.click()

    return start


def wait_for_device(panel: Any) -> None:
    """The device is asked when the panel is entered; let that child go first."""
    if panel.panel.case.deviceRun is not None:
        panel.panel.case.deviceRun.abandon()
        panel.panel.case.deviceRun = None


def scene_size(application: Any) -> int:
    return application.scene.GetNumberOfNodes()


@pytest.mark.parametrize("way", ["slow", "stubborn"])
def test_cancel_ends_the_whole_tree_and_leaves_no_file(
    fake: Any, panel: Any, window: Any, temporary: Path, application: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from SpineMeasureGui.ChildRun import ChildRun

    monkeypatch.setattr(ChildRun, "GRACE_MS", 500)
    nodes = scene_size(application)
    fake(way)
    wait_for(window, lambda: panel.ui.stageLabel.text.startswith("Segment"))
    run = panel.run
    tree = processes.process_tree(int(run.process.processId()))
    assert len(tree) >= 2 and list(temporary.iterdir())
    panel.ui.cancelButton.click()
    assert not panel.ui.cancelButton.enabled
    wait_for(window, lambda: panel.run is None)
    wait_for(window, lambda: not processes.running(tree) and not list(temporary.iterdir()))
    assert "cancelled" in panel.ui.messageLabel.text
    assert panel.ui.runButton.enabled and panel.ui.progressBar.isHidden()
    assert scene_size(application) == nodes and window.calls == []


@pytest.mark.parametrize(
    ("way", "words", "step"),
    [
        ("error packages The package 'torch' is not installed.", "torch", "PyTorch module"),
        ("die", "ended by the system", "out of memory"),
        ("silent", "without a result", "shows the spine"),
        ("noise", "torch is not installed", "PyTorch module"),
    ],
)
def test_a_failure_of_the_child_is_shown_with_a_next_step(
    fake: Any, panel: Any, window: Any, temporary: Path, way: str, words: str, step: str
) -> None:
    fake(way)
    wait_for(window, lambda: panel.run is None)
    shows_failure(panel, window, words, step)
    wait_for(window, lambda: not list(temporary.iterdir()))


def shows_failure(panel: Any, window: Any, words: str, step: str) -> None:
    """The panel says what was wrong and what to do, logs it, and can start again; nothing popped up."""
    message = panel.ui.messageLabel.text.replace("&#x27;", "'")
    assert words in message and step in message and not panel.ui.messageLabel.isHidden()
    assert words in panel.ui.logEdit.toPlainText()
    assert panel.ui.runButton.enabled and panel.session is None and window.calls == []


class FakeRunner:
    """A `child.Runner` without a process, whose end the test chooses."""

    def __init__(
        self, python: str, job: child.Job, workspace: child.Workspace, on_update: Any, on_finished: Any
    ) -> None:
        self.conversation, self.cancelled, self.job = child.Conversation(), False, job
        self.workspace, self.update, self._finished = workspace, on_update, on_finished

    def start(self) -> child.Runner:
        return self

    def finish(self, code: int = 0) -> None:
        """End as a child does that said what is in the conversation."""
        self._finished(child.classify(self.conversation, code, cancelled=self.cancelled))
        self.workspace.remove()

    def cancel(self) -> None:
        self.cancelled = True
        self.finish(1)

    def abandon(self) -> None:
        self.cancelled = True
        self.workspace.remove()


@pytest.fixture
def runner(panel: Any, volume: Any, temporary: Path) -> Any:
    """The panel with a volume and no process: ``runner()`` presses the button and returns the run."""
    wait_for_device(panel)
    panel.logic.makeRunner = FakeRunner
    panel.ui.volumeSelector.setCurrentNode(volume)

    def start() -> Any:
        panel.ui.runButton.click()
        return panel.run

    return start


def test_while_the_child_works_its_progress_is_shown_and_nothing_else_can_be_started(
    runner: Any, panel: Any, temporary: Path
) -> None:
    run, ui = runner(), panel.ui
    assert run.job["command"] == "measure" and Path(run.job["image"]).is_file()
    update = child.Update("segment", 0.5, "slice 7")
    run.update(update)
    assert ui.progressBar.value == int(1000 * update.overall) > 0 and not ui.progressBar.isHidden()
    assert ui.stageLabel.text.startswith("Segment: slice 7 (")
    assert ui.cancelButton.enabled and not ui.runButton.enabled
    assert not ui.volumeSelector.enabled and not ui.measureSegmentationButton.enabled
    ui.cancelButton.click()
    assert run.cancelled and panel.run is None and panel.session is None
    assert "cancelled" in ui.messageLabel.text and ui.runButton.enabled and ui.progressBar.isHidden()
    assert not list(temporary.iterdir())


def test_every_kind_of_error_is_shown_with_its_next_step(runner: Any, panel: Any, window: Any) -> None:
    for kind, message, words, step in (
        ("memory", "The computer has too little memory for this image.", "too little memory", "device 'cpu'"),
        ("weights", "The weights of the model are damaged.", "damaged", "Extensions Manager"),
        ("empty", "No vertebrae or discs were found in the image.", "No vertebra", "shows the spine"),
        ("input", "The image looks like a CT.", "CT", "another volume"),
        ("disk", "The outputs could not be written: No space left on device.", "No space", "Free some space"),
    ):
        run = runner()
        assert panel.ui.messageLabel.text == "", "what was said of the run before is gone"
        run.conversation.error = {"kind": kind, "message": message}
        run.finish(30)
        shows_failure(panel, window, words, step)


def test_closing_the_scene_during_a_run_cancels_it(runner: Any, panel: Any, application: Any) -> None:
    run = runner()
    application.scene.Clear(0)
    assert run.cancelled and panel.run is None and panel.session is None


def test_what_the_child_warned_of_is_told_with_the_result(panel: Any, session: Any) -> None:
    from types import SimpleNamespace

    talk = child.Conversation(result={"warnings": ["The memory of the graphics card ran out; continued on the CPU."]})
    panel.panel.case.run = SimpleNamespace(conversation=talk, cancelled=False, abandon=lambda: None)
    panel.panel.case.onFinished(session, None)
    assert "continued on the CPU" in panel.ui.messageLabel.text and panel.session is session
    assert "continued on the CPU" in panel.ui.logEdit.toPlainText()


def test_while_the_scene_is_built_the_panel_says_so_and_nothing_can_be_cancelled(
    panel: Any, volume: Any, sample_folder: Path
) -> None:
    from SpineMeasureLib.__main__ import parse_job
    from SpineMeasureLib.pipeline import Job
    from SpineMeasureLib.pipeline import run as measure

    wait_for_device(panel)
    panel.logic.makeRunner = FakeRunner
    case, seen = panel.panel.case, []

    def building() -> None:
        case.onBuilding()
        seen.extend((panel.ui.stageLabel.text, panel.ui.cancelButton.enabled, panel.session))

    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    case.run = run = panel.logic.process(
        volume, labels=labels, onUpdate=case.onUpdate, onBuilding=building, onFinished=case.onFinished
    )
    panel.panel.updateButtons()
    assert panel.ui.cancelButton.enabled
    job = parse_job(child.first_line(run.job))
    assert isinstance(job, Job)
    measure(job)
    run.conversation.result = {}
    run.finish()
    assert seen == ["Building the scene ...", False, None] and panel.run is None and panel.session is not None
    assert panel.ui.stageLabel.text == "" and panel.ui.runButton.enabled and not panel.ui.cancelButton.enabled


def test_a_program_that_cannot_be_started_is_told(fake: Any, panel: Any, window: Any, temporary: Path) -> None:
    python_slicer().unlink()
    fake("slow")
    wait_for(window, lambda: panel.run is None)
    assert "could not be started" in panel.ui.messageLabel.text
    wait_for(window, lambda: not list(temporary.iterdir()))


def test_a_volume_that_cannot_be_measured_is_told_before_anything_is_started(
    fake: Any, panel: Any, application: Any, temporary: Path, sample: Any
) -> None:
    from dataclasses import replace

    flat = replace(sample.image, array=np.zeros_like(sample.image.array))
    panel.ui.volumeSelector.setCurrentNode(add_volume(application.scene, flat, "flat"))
    fake("slow")
    assert panel.run is None and "same value" in panel.ui.messageLabel.text
    assert not list(temporary.iterdir())


def test_leaving_slicer_during_a_run_leaves_no_process_and_no_file(
    fake: Any, panel: Any, window: Any, temporary: Path
) -> None:
    fake("stubborn")
    wait_for(window, lambda: panel.ui.stageLabel.text.startswith("Segment"))
    tree = processes.process_tree(int(panel.run.process.processId()))
    panel.cleanup()
    wait_for(window, lambda: not processes.running(tree) and not list(temporary.iterdir()))


def test_a_script_gets_a_session_and_shows_no_window(
    panel: Any, volume: Any, window: Any, temporary: Path, sample_folder: Path
) -> None:
    import slicer

    wait_for_device(panel)
    updates: list[Any] = []
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    session = panel.logic.process(volume, onUpdate=updates.append, labels=labels)
    assert session.row(KEY).value and session.nodes.volume is volume
    assert updates[-1].overall == 1.0
    assert [u.overall for u in updates] == sorted(u.overall for u in updates)
    wait_for(window, lambda: not list(temporary.iterdir()))
    outcome: list[Any] = []
    run = panel.logic.process(volume, labels=labels, onFinished=lambda *o: outcome.extend(o), lowestDisc="C2-C3")
    assert not run.finished
    wait_for(window, lambda: outcome)
    assert outcome[0] is None and outcome[1].kind == "level"
    outcome.clear()
    panel.logic.process(volume, labels=labels, onFinished=lambda *o: outcome.extend(o))
    slicer.mrmlScene.RemoveNode(volume)
    wait_for(window, lambda: outcome)
    assert outcome[0] is None and "removed during the run" in outcome[1].message
    with pytest.raises(SpineMeasureError, match="not a valid disc level"):
        panel.logic.process(volume, labels=labels, lowestDisc="L9-S1")
    assert window.calls == []
    wait_for(window, lambda: not list(temporary.iterdir()))


def test_results_for_a_volume_that_was_moved_during_the_run_are_refused(
    panel: Any, volume: Any, window: Any, sample_folder: Path
) -> None:
    wait_for_device(panel)
    outcome: list[Any] = []
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    panel.logic.process(volume, labels=labels, onFinished=lambda *o: outcome.extend(o))
    volume.SetOrigin(0.0, 0.0, 7.0)
    wait_for(window, lambda: outcome)
    assert outcome[0] is None and "moved in the meantime" in outcome[1].message


def test_what_is_missing_is_installed_after_asking_with_versions_kept(
    panel: Any, window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    importlib.import_module("SpineMeasureGui.Installation")

    class PyTorchUtilsLogic:
        @staticmethod
        def _getPipInstallArguments(backend: Any, version: str) -> list[str]:
            return ["install", f"torch{version}"]

    kept: list[str] = []

    def ensure(requirements: Any, constraints: Any = None, **options: Any) -> None:
        assert options["prompt_install"] is False, "asked once, not again by pip_ensure, which raises at a refusal"
        kept.append(f"{requirements} {Path(constraints).read_text() if constraints else ''}")

    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    installed = needs.installed
    monkeypatch.setattr(needs, "installed", lambda name: {"torch": "1.13.1", "monai": None}.get(name, installed(name)))
    with pytest.raises(SpineMeasureError, match="Extensions Manager"):
        panel.logic.installNeeds()
    monkeypatch.setitem(sys.modules, "PyTorchUtils", type(sys)("PyTorchUtils"))
    sys.modules["PyTorchUtils"].PyTorchUtilsLogic = PyTorchUtilsLogic  # type: ignore[attr-defined]
    panel.logic.installNeeds()
    assert [call[0] for call in window.calls] == ["confirmOkCancelDisplay", "executePythonModule"]
    assert window.calls[1][1:] == ("light_the_torch", ["install", "torch>=2.5"])
    assert "monai" in kept[-1] and f"numpy=={np.__version__}" in kept[-1]
    window.calls.clear()

    def fail(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
    with pytest.raises(SpineMeasureError, match="could not be installed"):
        panel.logic.installNeeds()
    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_: False)
    kept.clear()
    assert not panel.logic.installNeeds() and not kept
    window.calls.clear()
    monkeypatch.setattr(slicer.app, "_testing", True)
    kept.clear()
    assert not panel.logic.installNeeds() and not kept and not window.calls
    slicer.app._testing = False


def test_while_packages_are_installed_nothing_else_can_be_started(
    fake: Any, panel: Any, window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[bool] = []

    def install(on_line: Any) -> bool:
        on_line("Downloading torch")
        panel.panel.parameters.device = "cpu"  # the user goes on clicking
        states.append(panel.ui.runButton.enabled)
        return False

    monkeypatch.setattr(panel.logic, "installNeeds", install)
    panel.ui.runButton.click()
    assert states == [False] and panel.ui.runButton.enabled and panel.run is None
    assert "Packages are missing" in panel.ui.messageLabel.text


def test_a_run_that_ended_keeps_no_qt_object_alive(fake: Any, panel: Any, window: Any) -> None:
    import shiboken6

    fake("silent")
    run = panel.run
    wait_for(window, lambda: panel.run is None and not run.workspace.folder.exists())
    wait_for(window, lambda: not shiboken6.isValid(run.process) and not shiboken6.isValid(run._timer))
