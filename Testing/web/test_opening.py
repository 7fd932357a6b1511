"""The address with the token reaches the browser through a private file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.web.opening import write_page

from .server import ROOT, Server

_OPEN = """
from SpineMeasureLib.web.opening import OpeningPage
page = OpeningPage()
page.open("http://127.0.0.1:1/?token=secret")
print(page.path.read_text())
page.remove()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for a browser is a shell script")
def test_the_token_is_not_among_the_arguments_of_the_browser(tmp_path: Path) -> None:
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$*" > "{seen}"\n', encoding="ascii")
    browser.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "BROWSER": str(browser), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", _OPEN], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "http://127.0.0.1:1/?token=secret" in done.stdout
    arguments = seen.read_text(encoding="utf-8")
    assert arguments.startswith("file:") and "secret" not in arguments
    assert not list(home.iterdir()), "the file was not removed"


def test_the_file_redirects_a_browser_to_the_review(browser: Any, server: Server, tmp_path: Path) -> None:
    page = write_page(server.address, tmp_path)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    context = browser.new_context()
    try:
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("#table tbody tr.sm-row", timeout=60_000)
        assert "token" not in tab.url
    finally:
        context.close()
