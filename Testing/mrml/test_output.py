"""The files that a reviewer takes away from a session: what is replaced, and what stays where a part fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.errors import OutputError
from SpineMeasureLib.review.output import write_report


def put_browser(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a shell script the browser that is found."""
    folder.mkdir()
    browser = folder / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_page_and_text_of_the_report_stay_when_the_browser_fails(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_browser(tmp_path / "bin", "exit 1", monkeypatch)
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"PDF was not made: .* Open T2_report\.html in a browser and print it"):
        write_report(session, out)
    assert sorted(file.name for file in out.iterdir()) == ["T2_report.html", "T2_report.txt"]
    assert "L4-L5" in (out / "T2_report.html").read_text(encoding="utf-8")


def test_a_browser_started_from_slicer_gets_the_variables_from_before_slicer(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer
    import slicer.util

    put_browser(tmp_path / "bin", f'echo "${{LD_LIBRARY_PATH-none}}" > {tmp_path}/told; exit 1', monkeypatch)
    before = dict(os.environ)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/Slicer/lib/Slicer-5.12")
    monkeypatch.setattr(slicer, "app", object(), raising=False)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: before)
    with pytest.raises(OutputError):
        write_report(session, tmp_path / "out")
    assert (tmp_path / "told").read_text().strip() == before.get("LD_LIBRARY_PATH", "none")
