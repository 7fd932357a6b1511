"""The review served by a process of its own, seen through Debian's Chromium. Screenshots go to out/web."""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "out" / "web"


class Server:
    """A running review.

    :ivar address: with its access token.
    """

    def __init__(self, case: Path, *options: str) -> None:
        command = [sys.executable, "-m", "SpineMeasureLib.cli", "review", str(case), "--no-browser", *options]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self._wait_for_address()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put("")

    def _wait_for_address(self) -> str:
        while line := self._queue.get(timeout=120):
            self.lines.append(line)
            found = re.search(r"(http://\S+token=\S+)", line)
            if found:
                return found.group(1)
        raise AssertionError("".join(self.lines))

    @property
    def origin(self) -> str:
        """The address without its token."""
        return self.address.partition("/?")[0]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as its user does."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample case, measured from its labels."""
    pytest.importorskip("trame_slicer", reason="trame-slicer is not installed: make test-web")
    from SpineMeasureLib.pipeline import Job, run

    sample = ROOT / "Resources" / "sample"
    out = tmp_path_factory.mktemp("measured") / "case"
    run(Job(sample / "lumbar_t2.nii.gz", out, sample / "lumbar_t2_labels.nii.gz", picture=False))
    assert (out / "scene.mrb").is_file()
    return out


@pytest.fixture
def case(measured: Path, tmp_path: Path) -> Path:
    """A copy of the measured case to work on."""
    return Path(shutil.copytree(measured, tmp_path / "case"))


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers, which are ended with the test."""
    running: list[Server] = []

    def starter(case: Path, *options: str) -> Server:
        running.append(Server(case, *options))
        return running[-1]

    yield starter
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-web")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[[Server], Any]]:
    """Opens a server's page; errors on its console fail the test."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def opener(server: Server) -> Any:
        contexts.append(browser.new_context(viewport={"width": 1500, "height": 950}, accept_downloads=True))
        page = contexts[-1].new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address)
        page.wait_for_selector("#table tbody tr.sm-row", timeout=60_000)
        return page

    yield opener
    for context in contexts:
        context.close()
    # Trame asks for something of its own that its server refuses with 405.
    assert not [c for c in complaints if "favicon" not in c and "405" not in c]


@contextmanager
def pictured(page: Any, name: str) -> Iterator[None]:
    """A screenshot of the page as the block leaves it, failed or not."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        page.screenshot(path=str(PICTURES / f"{name}.png"))
