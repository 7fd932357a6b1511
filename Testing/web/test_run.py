"""A run of the model, with a program in place of Python that says what the child would say."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from SpineMeasureLib.child import Failure, Update
from SpineMeasureLib.web.run import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


def run_of(folder: Path, script: str) -> tuple[Run, list[Update]]:
    """A run whose child is a shell script."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    told: list[Update] = []
    return Run(str(program), folder / "x.nii.gz", folder / "out", "cpu", told.append), told


def test_progress_and_result(tmp_path: Path) -> None:
    run, told = run_of(
        tmp_path, """echo '{"stage": "segment", "fraction": 0.5, "message": "x"}'; echo '{"result": {"files": []}}'"""
    )
    assert asyncio.run(run.go()) is None
    assert [(u.stage, u.fraction) for u in told] == [("segment", 0.5)]


def test_a_missing_package_is_told_without_slicer(tmp_path: Path) -> None:
    failure = asyncio.run(run_of(tmp_path, """echo "No module named 'torch'" >&2; exit 1""")[0].go())
    assert failure is not None and failure.kind == "packages" and "spinemeasure[web]" in failure.next_step


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = Run(str(tmp_path / "none"), tmp_path / "x", tmp_path / "out", "cpu", lambda _: None)
    failure = asyncio.run(run.go())
    assert failure is not None and failure.kind == "start"


def test_cancel_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    run, _ = run_of(tmp_path, "sleep 60 & wait")

    async def cancelled() -> Failure | None:
        going = asyncio.ensure_future(run.go())
        await asyncio.sleep(0.3)
        await run.cancel()
        return await going

    began = time.monotonic()
    failure = asyncio.run(cancelled())
    assert failure is not None and failure.kind == "cancelled"
    assert time.monotonic() - began < 10
