"""A run of the model, with a program in place of Python that says what the child would say."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from SpineMeasureLib.child import Failure, Runner, Update, Workspace, measure_job
from SpineMeasureLib.web.run import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


class Told:
    """A run whose child is a shell script, and what it reported."""

    def __init__(self, folder: Path, script: str = "") -> None:
        program = folder / "python"
        if script:
            program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
            program.chmod(0o755)
        self.updates: list[Update] = []
        self.ends: list[Failure | None] = []
        self.workspace = Workspace()
        job = measure_job(folder / "x.nii.gz", folder / "out", device="cpu")
        self.run: Runner = Run(str(program), job, self.workspace, self.updates.append, self.ends.append)

    def until_end(self, after: Callable[[], object] | None = None) -> Failure | None:
        """Run to the end; `after` is called a moment after the start."""

        async def going() -> None:
            self.run.start()
            if after is not None:
                await asyncio.sleep(0.3)
                after()
            while not self.ends:
                await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(going(), 10))
        (end,) = self.ends
        assert not self.workspace.folder.exists()
        return end


def test_progress_and_result(tmp_path: Path) -> None:
    told = Told(
        tmp_path, """echo '{"stage": "segment", "fraction": 0.5, "message": "x"}'; echo '{"result": {"files": []}}'"""
    )
    assert told.until_end() is None
    assert [(u.stage, u.fraction) for u in told.updates] == [("segment", 0.5)]


def test_the_job_is_read_from_standard_input_and_no_path_is_an_argument(tmp_path: Path) -> None:
    told = Told(tmp_path, """echo "$@" >&2; head -n 1 >&2; echo '{"result": {"files": []}}'""")
    assert told.until_end() is None
    arguments, line = told.run.conversation.log
    assert arguments == "-m SpineMeasureLib"
    assert json.loads(line) == {
        "command": "measure", "image": str(tmp_path / "x.nii.gz"), "out": str(tmp_path / "out"), "device": "cpu",
        "lowest_disc": "", "ends": "edges", "scene": False, "picture": False,
    }  # fmt: skip


def test_a_missing_package_is_reported_without_slicer(tmp_path: Path) -> None:
    failure = Told(tmp_path, """echo "No module named 'torch'" >&2; exit 1""").until_end()
    assert failure is not None and failure.kind == "packages" and "spinemeasure[web]" in failure.next_step


def test_a_python_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    failure = Told(tmp_path).until_end()
    assert failure is not None and failure.kind == "start"


def test_cancel_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    told = Told(tmp_path, "sleep 60 & wait")
    failure = told.until_end(after=told.run.cancel)
    assert failure is not None and failure.kind == "cancelled"


def test_an_abandoned_run_leaves_nothing_and_reports_nothing(tmp_path: Path) -> None:
    told = Told(tmp_path, """echo '{"stage": "segment", "fraction": 0.5}'; sleep 60 & wait""")

    async def abandoned() -> None:
        told.run.start()
        while not told.updates:
            await asyncio.sleep(0.01)
        told.run.abandon()
        while told.workspace.folder.exists():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(abandoned(), 10))
    assert told.ends == [] and told.run.cancelled
