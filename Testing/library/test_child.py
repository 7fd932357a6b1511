"""The child process as its parent meets it: commands, lines cut anywhere, failures in plain words, a clean end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from SpineMeasureLib import child, errors, needs, processes
from SpineMeasureLib.__main__ import fail, parse_job
from SpineMeasureLib.case_folder import read_results
from SpineMeasureLib.child import NEXT_STEPS, Conversation, Update, classify
from SpineMeasureLib.errors import KINDS, PlainError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.types import Acceptance, measurement_from_dict
from SpineMeasureLib.needs import OTHERS, TORCH, constraints, missing
from SpineMeasureLib.pipeline import Job
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

ROOT = Path(__file__).resolve().parents[2]


def error_line(error: BaseException, capsys: pytest.CaptureFixture[str]) -> bytes:
    """What the child prints of an error."""
    fail(error)
    return capsys.readouterr().out.encode()


def test_lines_may_be_cut_anywhere() -> None:
    text = (
        b'{"stage": "segment", "fraction": 0.25, "message": "slice 1"}\r\nwarning: b\xc3\xa4d\n{"result": {"a": 1}}\n'
    )
    whole = Conversation()
    updates = whole.feed(text)
    pieces = Conversation()
    assert [u for n in range(len(text)) for u in pieces.feed(text[n : n + 1])] == updates
    assert updates == [Update("segment", 0.25, "slice 1")]
    assert whole.result == pieces.result == {"a": 1}
    assert whole.log == pieces.log and len(whole.log) == 1


def test_what_is_no_message_is_kept_for_the_log_and_only_the_newest() -> None:
    talk = Conversation()
    talk.feed(b'[1, 2]\n"text"\n{"stage": "x"}\n{"fraction": "much", "stage": "x"}\n{}\n')
    assert len(talk.log) == 5
    talk.feed_log(b"line\n" * 1000 + b"last")
    talk.finish()
    assert talk.log[-1] == "last" and len(talk.log) == 400


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.InputNotFoundError("There is no file x."), "input"),
        (errors.ModalityError("The image looks like a CT.", "Use --labels."), "input"),
        (errors.ModelError("The weights are damaged."), "weights"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "packages"),
        (errors.OutOfMemoryError("The computer has too little memory for this image."), "memory"),
        (MemoryError(), "memory"),
        (errors.DeviceError("This computer has no CUDA device.", "Use --device cpu."), "device"),
        (errors.NothingFoundError("No vertebra was found."), "empty"),
        (errors.LevelNameError("'L9-S1' is not a valid disc level."), "level"),
        (errors.DiskFullError("The outputs could not be written: No space left on device."), "disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
        (errors.OutputError("The outputs could not be written: Permission denied."), "output"),
        (errors.JobError("The job is not a JSON object."), "job"),
        (errors.CancelledError("The work was cancelled."), "killed"),
        (ZeroDivisionError("division by zero"), "unexpected"),
    ],
)
def test_errors_that_the_child_reports_have_a_kind_and_a_next_step(
    error: BaseException, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = Conversation()
    talk.feed(error_line(error, capsys))
    failure = classify(talk, 1)
    assert failure and failure.kind == kind
    hint = "Please report this." if kind == "unexpected" else NEXT_STEPS[kind]
    assert failure.next_step == hint and "--" not in str(failure)


def test_every_kind_of_error_is_on_the_list_and_has_a_next_step() -> None:
    known = {kind.kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlainError)}
    assert len(known) > 10 and known <= set(KINDS) == set(NEXT_STEPS)
    talk = Conversation(error={"kind": "made up", "message": "x"})
    failure = classify(talk, 1)
    assert failure and failure.kind == "unexpected"


@pytest.mark.parametrize(
    ("log", "code", "crashed", "kind"),
    [
        ("ModuleNotFoundError: No module named 'torch'", 1, False, "packages"),
        ("No module named SpineMeasureLib", 1, False, "start"),
        ("torch.OutOfMemoryError: CUDA out of memory.", 1, False, "memory"),
        ("MemoryError", 1, False, "memory"),
        ("OSError: [Errno 28] No space left on device", 1, False, "disk"),
        ("", -9, True, "killed"),
        ("", 137, False, "killed"),
        ("", 0, False, "empty"),
        ("ValueError: nonsense", 3, False, "unexpected"),
    ],
)
def test_a_child_that_dies_without_a_word_is_understood(log: str, code: int, crashed: bool, kind: str) -> None:
    talk = Conversation()
    talk.feed_log(log.encode() + b"\n")
    failure = classify(talk, code, crashed)
    assert failure and failure.kind == kind and failure.next_step
    assert "exit status" not in failure.message


def test_a_hint_of_the_input_is_kept_and_a_cancellation_has_no_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Conversation()
    talk.feed(error_line(errors.DimensionError("The volume is 2D.", "Load the whole stack."), capsys))
    failure = classify(talk, 12)
    assert failure and str(failure) == "The volume is 2D. Load the whole stack."
    talk.feed(error_line(errors.DimensionError("The volume is 2D.", "Use --series."), capsys))
    general = classify(talk, 12)
    assert general and general.next_step == NEXT_STEPS["input"]
    stopped = classify(talk, 12, cancelled=True)
    assert stopped and stopped.kind == "cancelled" and not stopped.next_step


def test_constraints_keep_what_is_installed_and_nothing_is_imported() -> None:
    code = "import sys; from SpineMeasureLib.needs import *; constraints(); missing(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert "numpy==" in constraints() and missing() == []


@pytest.mark.parametrize(
    ("package", "found", "fits"),
    [
        ("torch", "1.13.1", False),
        ("torch", "2.4.1+cu121", False),
        ("torch", "2.5.0", True),
        ("torch", "2.13.0+cpu", True),
        ("torch", "2.6.0a0+git1", True),
        ("monai", "1.4.0", False),
        ("monai", "1.7.0", False),
        ("monai", None, False),
        ("safetensors", "0.3.3", False),
        ("torch", "not a version", False),
    ],
)
def test_a_package_in_a_version_that_does_not_fit_is_missing(
    package: str, found: str | None, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = needs.installed
    monkeypatch.setattr(needs, "installed", lambda name: found if name == package else installed(name))
    assert missing() == ([] if fits else [package])


def test_bounds_are_those_of_the_project_file() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name, bounds in (TORCH, *OTHERS):
        assert f'"{name}{bounds}"' in text


def log_of(workspace: child.Workspace) -> Path:
    return workspace.folder / "stderr.txt"


def start(job: child.Job, workspace: child.Workspace, *launcher: str) -> subprocess.Popen[bytes]:
    environment = child.environment(os.environ, workspace.folder)
    command = [*launcher, *child.command(sys.executable)]
    with log_of(workspace).open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=workspace.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    assert process.stdin
    process.stdin.write(child.first_line(job))
    process.stdin.flush()
    return process


def talk_with(process: subprocess.Popen[bytes]) -> tuple[Conversation, list[Update], child.Failure | None]:
    """Listen to a child until it ends."""
    assert process.stdout and process.stdin
    talk = Conversation()
    updates = talk.feed(process.stdout.read())
    process.stdin.close()
    return talk, updates, classify(talk, process.wait())


#: Packages that Slicer does not have, or that must stay out of its way.
ELSEWHERE = {"typer", "click", "rich", "pandas", "matplotlib", "skimage", "slicer", "vtkmodules", "qt", "highdicom"}


def test_the_child_measures_and_its_results_read_back_as_they_were(
    sample_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    workspace = child.Workspace()
    job = child.measure_job(sample_folder / "lumbar_t2.nii.gz", workspace.results, labels=labels, lowest_disc="L5-S1")
    _, updates, failure = talk_with(start(job, workspace))
    assert failure is None
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in log_of(workspace).read_text().splitlines()
    }
    assert "numpy" in imported and not imported & (ELSEWHERE | {"torch", "monai"}), imported & ELSEWHERE
    assert updates[-1] == Update("done", 1.0, "")
    results = read_results(workspace.results)
    assert not (workspace.results / "scene.mrb").exists()
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    again = measure(segmentation_from_labels(read_volume(labels), lowest_disc="L5-S1"), image)
    assert [m.key for m in results.measurements] == [m.key for m in again]
    assert results.measurements[0] == again[0]
    assert results.segmentation.level_verified and len(results.segmentation.structures) > 10
    assert workspace.remove() and not workspace.folder.exists()


def test_a_lowest_disc_that_does_not_exist_is_refused_before_the_work(sample_folder: Path) -> None:
    workspace = child.Workspace()
    image = sample_folder / "lumbar_t2.nii.gz"
    _, updates, failure = talk_with(start(child.measure_job(image, workspace.results, lowest_disc="L9-S1"), workspace))
    assert failure is not None and failure.kind == "level" and "L9-S1" in failure.message
    assert not {"read", "segment", "name levels"} & {update.stage for update in updates}
    assert workspace.remove()


def test_a_measurement_reads_back_from_its_json_with_its_automatic_ancestor(sample_folder: Path) -> None:
    from dataclasses import asdict, replace

    labels = read_volume(sample_folder / "lumbar_t2_labels.nii.gz")
    for m in measure(segmentation_from_labels(labels)):
        edited = replace(m, source="edited", automatic=m, accepted=Acceptance("AB", "2026-03-01T10:15:00+00:00"))
        assert measurement_from_dict(json.loads(json.dumps(asdict(edited)))) == edited


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"go", "not a JSON object"),
        (b"", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b'{"image": "x.nrrd", "out": "y"}', "measure, segment, device"),
        (b'{"command": "measure", "image": "", "out": "y"}', "job lacks: image"),
        (b'{"command": "measure", "image": "x.nrrd"}', "job lacks: out"),
        (b'{"command": "measure", "image": "x.nrrd", "out": "y", "device": 3}', "invalid entry: device"),
        (b'{"command": "measure", "image": "x.nrrd", "out": "y", "colour": "red"}', "invalid entry: colour"),
        (b'{"command": "segment", "image": "x.nrrd", "out": "y", "measure": true}', "invalid entry: measure"),
        (b'{"command": "measure", "image": "x.nrrd", "out": "y", "write_conventions": ["x"]}', "write_conventions"),
    ],
)
def test_a_bad_job_is_refused_in_plain_words(line: bytes, words: str) -> None:
    with pytest.raises(errors.JobError, match=words):
        parse_job(line)


def test_a_job_has_paths_and_what_it_leaves_out_has_the_default() -> None:
    job = child.measure_job(Path("x.nrrd"), Path("out"), device="cpu", labels=Path("y.nrrd"))
    parsed = parse_job(child.first_line(job))
    assert parsed == Job(Path("x.nrrd"), Path("out"), Path("y.nrrd"), device="cpu", picture=False, scene=False)
    one = {"command": "segment", "image": "x.nrrd", "out": "out", "write_conventions": ["totalspineseg"]}
    assert parse_job(json.dumps(one).encode()) == Job(
        Path("x.nrrd"), Path("out"), measure=False, write_conventions=("totalspineseg",)
    )
    assert parse_job(child.first_line(child.device_job())) == "auto"


@pytest.mark.parametrize(
    ("arguments", "line"), [((), b"go\n"), ((), b""), (("measure", "x.nrrd"), b"")], ids=["line", "none", "arguments"]
)
def test_a_child_without_a_job_ends_with_one_line_that_has_a_kind(arguments: tuple[str, ...], line: bytes) -> None:
    done = subprocess.run([*child.command(sys.executable), *arguments], input=line, capture_output=True, check=False)
    assert done.returncode == errors.JobError.exit_code and not done.stderr
    talk = Conversation()
    assert talk.feed(done.stdout) == [] and not talk.log
    failure = classify(talk, done.returncode)
    assert failure and failure.kind == "job" and failure.next_step


def test_the_child_reports_the_device_and_why() -> None:
    workspace = child.Workspace()
    talk, _, failure = talk_with(start(child.device_job("cpu"), workspace))
    assert failure is None and talk.result
    assert talk.result["device"] == "cpu" and talk.result["why"] == "as chosen"
    assert workspace.remove()


@pytest.mark.skipif(os.name == "nt", reason="a shell stands for the launcher")
@pytest.mark.parametrize("way", ["end of input", "signals", "force"])
def test_cancel_ends_the_launcher_and_its_child_and_leaves_no_file(way: str, sample_folder: Path) -> None:
    workspace = child.Workspace()
    image = sample_folder / "lumbar_t2.nii.gz"
    # Like PythonSlicer: a launcher that waits for the interpreter that does the work.
    process = start(child.measure_job(image, workspace.results), workspace, "sh", "-c", '"$@"; exit $?', "launcher")
    assert process.stdout and process.stdin
    talk = Conversation()
    while not any(u.stage == "segment" for u in talk.feed(process.stdout.readline())):
        assert process.poll() is None
    tree = processes.process_tree(process.pid)
    assert len(tree) >= 2
    shown = b" ".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree if Path("/proc/self").exists())
    assert not any(os.fsencode(name) in shown for name in (image, image.parent, workspace.folder, "lumbar", "device"))
    if way == "end of input":
        process.stdin.close()
    else:
        processes.end_processes(tree, force=way == "force")
    talk.feed(process.stdout.read())
    process.wait(timeout=60)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/exe").exists() for pid in tree) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in tree)
    if way == "end of input":
        assert talk.error and talk.error["exit_code"] == 130
    if way != "force":
        assert not workspace.results.exists()
    assert workspace.remove()


def test_a_process_that_does_not_run_has_no_tree() -> None:
    assert processes.process_tree(0) == [] and processes.process_tree(-1) == []
