"""The life of a server: what it measures, what it keeps, whom it lets in."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from .conftest import SAMPLE
from .server import Server
from .tab import AXIAL, Tab

Start = Callable[..., Server]
ROW = "L2-L3|canal_ap|disc_level"


def test_edits_survive_a_killed_server(browser: Any, case: Path, start: Start) -> None:
    first = start(case)
    tab = Tab(browser, first)
    with tab.redrawn(AXIAL):
        tab.page.click(f"tr[data-id='{ROW}']")
    before = tab.cells(ROW)
    x, y = tab.take_lower_end()
    tab.page.mouse.down()
    tab.page.mouse.move(x, y + 14, steps=4)
    tab.wait_for_cell(ROW, 2, before[2], equal=False)
    tab.page.mouse.up()
    tab.settle()
    tab.page.click("#accept")
    tab.wait_for_cell(ROW, 5, "accepted")
    after = tab.cells(ROW)
    tab.page.reload()
    tab.wait_for_case()
    assert tab.cells(ROW) == after
    tab.close()

    first.kill()
    tab = Tab(browser, start(case / "scene.mrb"))
    tab.wait_for_text("#message", "brought back")
    assert tab.cells(ROW) == after
    tab.picture("brought_back")
    assert not tab.complaints
    tab.close()


def test_image_is_measured_with_progress_and_cancel(browser: Any, start: Start, tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "lumbar_t2.nii.gz", tmp_path / "spine.nii.gz")
    tab = Tab(browser, start(tmp_path / "spine.nii.gz"), case=False)
    tab.page.wait_for_function("document.querySelector('#progress')?.ariaValueNow > 0")
    tab.picture("running")
    tab.page.click("#cancel")
    tab.wait_for_text("#message", "cancelled")
    assert [path.name for path in tmp_path.iterdir()] == ["spine.nii.gz"]

    tab.page.set_default_timeout(600_000)  # the model runs
    tab.open_typed("spine.nii.gz")
    tab.wait_for_case()
    tab.wait_for_text("#message", "check the levels")
    assert ROW in tab.ids() and (tmp_path / "spine_spine" / "scene.mrb").is_file()
    assert tab.page.inner_text("#device").startswith("spine_mri")
    tab.picture("measured")
    assert not tab.complaints
    tab.close()


@pytest.mark.parametrize("path", ["/", "/index.html", "/ws", "/export/csv"])
def test_without_token_nothing_answers(measured: Path, lone_server: Server, path: str) -> None:
    for query in ("", "?token=wrong"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(lone_server.origin + path + query)
        assert refused.value.code == 403


@pytest.fixture(scope="module")
def lone_server(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server without a browser."""
    server = Server(Path(shutil.copytree(measured, tmp_path_factory.mktemp("lone") / "case")))
    yield server
    server.stop()


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_an_address_for_others_is_warned_of(
    host: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from SpineMeasureLib.cli import app
    from SpineMeasureLib.web import server

    monkeypatch.setattr(server, "serve", lambda options, say: say(f"on {options.host}"))
    done = CliRunner().invoke(app, ["review", str(tmp_path), "--host", host])
    assert f"on {host}" in done.output
    assert ("not encrypted" in done.output) == warned
