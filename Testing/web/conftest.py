"""The review as a reader sees it: a real server and Debian's Chromium. Screenshots go to out/web."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .server import ROOT, Server
from .tab import PICTURES, Tab

NO_SERVER = "trame-slicer is not installed: make test-web"
SAMPLE = ROOT / "Resources" / "sample"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: Playwright occupies the event loop, and no other loop can run after it."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measure the sample case from its labels."""
    pytest.importorskip("trame_slicer", reason=NO_SERVER)
    from SpineMeasureLib.pipeline import Job, run

    out = tmp_path_factory.mktemp("measured") / "case"
    run(Job(SAMPLE / "lumbar_t2.nii.gz", out, SAMPLE / "lumbar_t2_labels.nii.gz", picture=False))
    return out


@pytest.fixture
def case(measured: Path, tmp_path: Path) -> Path:
    """Return a copy of the measured case that a test may change."""
    return Path(shutil.copytree(measured, tmp_path / "case"))


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers, which end with the test."""
    running: list[Server] = []

    def starter(case: Path, *options: str) -> Server:
        running.append(Server(case, *options))
        return running[-1]

    yield starter
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Debian's Chromium, and remove the screenshots of an earlier run."""
    pytest.importorskip("trame_slicer", reason=NO_SERVER)
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-web")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    shutil.rmtree(PICTURES, ignore_errors=True)
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def server(browser: Any, measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the sample case, with other files beside it."""
    root = tmp_path_factory.mktemp("shared")
    shutil.copytree(measured, root / "case")
    shutil.copytree(measured, root / "other")
    (root / "broken.mrb").write_bytes(b"PK\x03\x04 cut off")
    running = Server(root / "case", "--root", str(root))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def lone_server(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server for tests without a browser."""
    running = Server(Path(shutil.copytree(measured, tmp_path_factory.mktemp("lone") / "case")))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shared_tab(browser: Any, server: Server) -> Iterator[Tab]:
    """Open one tab for many tests, which leave it as they found it."""
    tab = Tab(browser, server)
    yield tab
    tab.close()


@pytest.fixture
def tab(shared_tab: Tab, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """Return the shared tab; keep a screenshot of its final state, and require a console without errors."""
    yield shared_tab
    shared_tab.picture(re.sub(r"\W+", "_", request.node.name.removeprefix("test_")))
    complaints, shared_tab.complaints = shared_tab.complaints, []
    assert not complaints
