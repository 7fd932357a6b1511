"""Cancelling: no library swallows it, no folder is left half old and half new, and nothing is left for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from SpineMeasureLib import cancel
from SpineMeasureLib.child import first_line, measure_job
from SpineMeasureLib.errors import CancelledError, OutputError
from SpineMeasureLib.files import atomic_folder

#: A library that is interrupted while it loads, and what it makes of that.
INTERRUPTED = """
import signal, sys
import {module} as place
real = place.{function}
def loading(*arguments):
    try:
        signal.raise_signal(signal.SIGINT)
    except {caught}:
        {then}
    return real(*arguments)
place.{function} = loading
from SpineMeasureLib.{entry} import {call}
sys.exit({call}({arguments}))
"""
SWALLOWED = [("Exception", "pass"), ("BaseException", "pass"), ("BaseException", "raise ImportError('x')")]


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals cancel in this process, for one test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(cancel, "_requested", False)
    cancel.cancel_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted(
    module: str, function: str, swallowed: tuple[str, str], arguments: Sequence[object], job: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run the command line, or with a `job` the child process."""
    caught, then = swallowed
    entry, call, given = ("__main__", "main", "") if job else ("cli", "app", "sys.argv[1:]")
    code = INTERRUPTED.format(
        module=module, function=function, caught=caught, then=then, entry=entry, call=call, arguments=given
    )
    read, write = os.pipe()  # open until the end: the end of the input would cancel, too
    try:
        os.write(write, job)
        line = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(line, stdin=read, capture_output=True, text=True, check=False)
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("swallowed", SWALLOWED)
@pytest.mark.parametrize("entry", ["__main__", "cli"])
def test_no_library_swallows_the_cancelling_of_a_measurement(
    entry: str, swallowed: tuple[str, str], sample_folder: Path, tmp_path: Path
) -> None:
    image, labels = (sample_folder / name for name in ("lumbar_t2.nii.gz", "lumbar_t2_labels.nii.gz"))
    task = ("measure", image, "-o", tmp_path / "out", "--labels", labels)
    job = first_line(measure_job(image, tmp_path / "out", labels=labels))
    given = ((), job) if entry == "__main__" else (task, b"")
    done = interrupted("SpineMeasureLib.pipeline", "read_volume", swallowed, *given)
    assert done.returncode == 130, done.stderr
    assert "The work was cancelled." in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("swallowed", SWALLOWED)
def test_no_library_swallows_the_cancelling_of_a_training(swallowed: tuple[str, str], tmp_path: Path) -> None:
    task = ("train", "segmentation", "--data", tmp_path, "--work", tmp_path / "work", "--only", "final")
    done = interrupted("SpineMeasureLib.segment.device", "choose_device", swallowed, task)
    assert done.returncode == 130, done.stderr
    assert "The work was cancelled." in done.stderr


def write_three(folder: Path) -> None:
    for name in "abc":
        (folder / name).touch()


def test_a_signal_while_files_are_moved_waits_for_the_last_of_them(
    signals: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = os.replace

    def move_and_cancel(source: Path, target: Path) -> None:
        move(source, target)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("SpineMeasureLib.files.os.replace", move_and_cancel)
    (tmp_path / "old").touch()
    with pytest.raises(CancelledError, match="are kept"), atomic_folder(tmp_path, ["old"]) as folder:
        write_three(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_cancelled_folder_is_as_it_was(signals: None, tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        (folder / "a").touch()
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(CancelledError, match="Nothing was written"), atomic_folder(tmp_path / "new") as folder:
        work(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_cleaning_up_leaves_nothing(
    signals: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmdir = os.rmdir

    def cancel_and_remove(*arguments: object, **options: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        rmdir(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rmdir", cancel_and_remove)
    with pytest.raises(CancelledError), atomic_folder(tmp_path / "new"):
        raise OutputError("The disk is full.")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_after_a_day(tmp_path: Path) -> None:
    for name, age_h in (
        (".spinemeasure-abcd1234", 25),
        (".spinemeasure-running_", 23),
        (".spinemeasure-of-a-user", 25),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.nii.gz").touch()
        os.utime(tmp_path / name, (time.time() - age_h * 3600,) * 2)
    with atomic_folder(tmp_path) as folder:
        (folder / "a").touch()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".spinemeasure-of-a-user", ".spinemeasure-running_", "a"]
