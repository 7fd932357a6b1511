"""The review end to end, in a real browser: one case, one tab, which the tests use one after another."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .server import Server
from .tab import AXIAL, SAGITTAL, THREED, Tab

LEVEL, VALUE, AUTO, DIFFERENCE, STATUS = 0, 2, 3, 4, 5
MIDDLE = (0.12, 0.5)  # of the sagittal view, away from every line


def canal(level: str) -> str:
    """Row of the canal's AP diameter at a disc."""
    return f"{level}|canal_ap|disc_level"


def height(level: str) -> str:
    """Row of a disc's height."""
    return f"{level}|disc_height_middle|chord50"


@pytest.fixture(scope="module")
def server(browser: Any, measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the sample case, with other files beside it."""
    root = tmp_path_factory.mktemp("shared")
    shutil.copytree(measured, root / "case")
    shutil.copytree(measured, root / "other")
    (root / "broken.mrb").write_bytes(b"PK\x03\x04 cut off")
    running = Server(root / "case", "--root", str(root))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared_tab(browser: Any, server: Server) -> Iterator[Tab]:
    """The tab of all tests of this file."""
    tab = Tab(browser, server)
    yield tab
    tab.close()


@pytest.fixture
def tab(shared_tab: Tab, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """The tab; pictured as the test leaves it, and without errors on its console."""
    yield shared_tab
    shared_tab.picture(request.node.name.removeprefix("test_"))
    complaints, shared_tab.complaints = shared_tab.complaints, []
    assert not complaints


def test_opens_with_every_view_drawn(tab: Tab) -> None:
    assert tab.page.inner_text("#title") == "case"
    assert len(tab.ids()) > 30 and canal("L3-L4") in tab.ids()
    for view in (SAGITTAL, AXIAL, THREED):
        assert np.ptp(tab.pixels(view)) > 100
    left, _, width, _ = tab.box(SAGITTAL)
    bright = np.nonzero((tab.pixels(SAGITTAL).min(axis=2) > 40).any(axis=0))[0]
    assert abs(bright.mean() - width / 2) < 0.2 * width, "the image is not in the middle of its view"
    assert tab.page.locator("#chart svg").count() == 2


def test_dragged_end_changes_its_row_and_the_chart(tab: Tab) -> None:
    row, page = canal("L2-L3"), tab.page
    with tab.redrawn(AXIAL):
        page.click(f"tr[data-id='{row}']")
    before, chart = tab.cells(row), page.inner_html("#chart")
    x, y = tab.take_lower_end()
    page.mouse.down()
    shown = before[VALUE]
    for step in range(1, 4):
        page.mouse.move(x, y + 6 * step)
        tab.wait_for_cell(row, VALUE, shown, equal=False)
        shown = tab.cells(row)[VALUE]
    assert page.inner_html("#chart") != chart, "the chart does not follow while the line is dragged"
    page.mouse.up()
    tab.settle()
    after = tab.cells(row)
    assert float(after[VALUE].split()[0]) > float(before[VALUE].split()[0])
    assert (after[AUTO], after[STATUS]) == (before[VALUE], "edited") and after[DIFFERENCE].startswith("+")
    assert "1 edited" in page.inner_text("#summary")

    page.click("#undo")
    tab.wait_for_cell(row, VALUE, before[VALUE])
    assert tab.cells(row)[STATUS] == "automatic" and page.inner_html("#chart") == chart
    page.click("#redo")
    tab.wait_for_cell(row, VALUE, after[VALUE])
    page.click("#reset")
    tab.wait_for_cell(row, VALUE, before[VALUE])


def test_line_taken_by_its_body_stays(tab: Tab) -> None:
    row = canal("L3-L4")
    with tab.redrawn(AXIAL):
        tab.page.click(f"tr[data-id='{row}']")
    before = tab.cells(row)
    tab.drag(AXIAL, (0.5, 0.5), (0, 30))
    tab.drag(AXIAL, (0.5, 0.5), (0, 30), button="middle")
    assert tab.cells(row) == before
    with tab.redrawn(AXIAL):
        tab.page.click("#reset-window")


def test_slices_window_zoom_and_pan_follow_the_mouse(tab: Tab) -> None:
    tab.page.click("#fit-sagittal")
    tab.settle()
    fitted = tab.pixels(SAGITTAL)
    tab.drag(SAGITTAL, MIDDLE, (60, 60))
    windowed = tab.pixels(SAGITTAL)
    assert abs(windowed.mean() - fitted.mean()) > 2
    with tab.redrawn(SAGITTAL):
        tab.page.click("#reset-window")
    assert np.abs(tab.pixels(SAGITTAL) - fitted).mean() < 1

    def changed_by(action: Any) -> float:
        before = tab.pixels(SAGITTAL)
        action()
        return float(np.abs(tab.pixels(SAGITTAL) - before).mean())

    def wheel_with_control() -> None:
        tab.page.keyboard.down("Control")
        wheel()
        tab.page.keyboard.up("Control")

    def wheel() -> None:
        left, top, wide, high = tab.box(SAGITTAL)
        with tab.redrawn(SAGITTAL):
            tab.page.mouse.move(left + MIDDLE[0] * wide, top + MIDDLE[1] * high)
            tab.page.mouse.wheel(0, -120)

    assert changed_by(wheel) > 1
    assert changed_by(wheel_with_control) > 1
    assert changed_by(lambda: tab.drag(SAGITTAL, MIDDLE, (0, -80), button="right")) > 5
    assert changed_by(lambda: tab.drag(SAGITTAL, MIDDLE, (50, 0), button="middle")) > 5
    with tab.redrawn(SAGITTAL):
        tab.page.click("#fit-sagittal")
    solid = tab.pixels(THREED)
    tab.drag(THREED, (0.1, 0.5), (80, 0))
    assert np.abs(tab.pixels(THREED) - solid).mean() > 1, "the 3D view does not turn"
    with tab.redrawn(THREED):
        tab.page.click("#fit-3d")


def test_segments_are_drawn_as_asked(tab: Tab) -> None:
    def colour() -> float:
        return float(np.ptp(tab.pixels(SAGITTAL), axis=2).mean())

    both = colour()
    with tab.redrawn(SAGITTAL):
        tab.page.click("#fill")
    outlines = colour()
    with tab.redrawn(SAGITTAL):
        tab.page.click("#outline")
    nothing = colour()
    assert nothing < outlines < both
    with tab.redrawn(SAGITTAL):
        tab.page.click("#fill")
    faint = colour()
    with tab.redrawn(SAGITTAL):
        tab.page.locator(".sm-tools .v-slider-thumb").focus()
        tab.page.keyboard.press("End")
    assert colour() > faint > nothing
    with tab.redrawn(SAGITTAL):
        tab.page.keyboard.press("Home")
    with tab.redrawn(SAGITTAL):
        tab.page.click("#outline")


def test_rows_are_filtered_sorted_and_jumped_to(tab: Tab) -> None:
    everything = tab.ids()
    tab.choose("group", "Canal and cord")
    tab.page.wait_for_selector("tr[data-id*='disc_height']", state="detached")
    assert tab.ids() and all(i.split("|")[1].startswith(("canal", "cord", "torg")) for i in tab.ids())
    tab.choose("group", "Lines")
    tab.choose("level-filter", "L4-L5")
    tab.page.wait_for_selector("tr[data-id^='L1-L2']", state="detached")
    assert {i.split("|")[0] for i in tab.ids()} == {"L4-L5"}
    tab.choose("level-filter", "All levels")
    tab.page.wait_for_selector("tr[data-id^='L1-L2']")
    assert tab.ids() == everything

    tab.page.locator("#table th", has_text="Value").click()
    tab.page.wait_for_function(f"document.querySelector('tr.sm-row').dataset.id !== '{everything[0]}'")
    shown = [tab.cells(row)[VALUE] for row in tab.ids()[:12]]
    values = [float(text.split()[0]) for text in shown if text != "-"]
    assert len(values) > 5 and values == sorted(values)
    for _ in range(2):
        tab.page.locator("#table th", has_text="Value").click()
    tab.page.wait_for_function(f"document.querySelector('tr.sm-row').dataset.id === '{everything[0]}'")

    before = tab.pixels(AXIAL)
    with tab.redrawn(AXIAL):
        tab.page.click(f"tr[data-id='{height('L5-S1')}']")
    assert np.abs(tab.pixels(AXIAL) - before).mean() > 1
    assert tab.page.locator(".v-select:has(#level)").inner_text().endswith("L5-S1")


def test_keys_do_what_they_do_in_the_module(tab: Tab) -> None:
    tab.click_row(height("L2-L3"))
    tab.page.keyboard.press("Alt+ArrowDown")
    tab.page.wait_for_selector("tr.sm-current[data-id^='L3|'], tr.sm-current[data-id^='L3-L4|']")
    tab.page.keyboard.press("Alt+ArrowUp")
    tab.page.wait_for_selector(f"tr.sm-current[data-id='{height('L2-L3')}']")
    tab.page.keyboard.press("Alt+KeyA")
    tab.wait_for_cell(height("L2-L3"), STATUS, "accepted")
    tab.page.keyboard.press("Alt+KeyZ")
    tab.wait_for_cell(height("L2-L3"), STATUS, "automatic")
    tab.page.keyboard.press("Alt+KeyY")
    tab.wait_for_cell(height("L2-L3"), STATUS, "accepted")
    tab.choose("status-filter", "accepted")
    tab.page.wait_for_function("document.querySelectorAll('tr.sm-row').length === 1")
    assert tab.ids() == [height("L2-L3")]
    tab.page.keyboard.press("Alt+KeyN")
    tab.page.wait_for_selector("tr.sm-current .sm-flagged")
    tab.choose("group", "Lines")
    tab.page.wait_for_function("document.querySelectorAll('tr.sm-row').length > 30")
    tab.click_row(height("L2-L3"))
    tab.page.click("#withdraw")
    tab.wait_for_cell(height("L2-L3"), STATUS, "automatic")


def test_whole_level_is_accepted_at_once(tab: Tab) -> None:
    tab.click_row(height("L1-L2"))
    tab.choose("scope", "level")
    tab.page.fill("#reviewer", "AB")
    tab.page.click("#accept")
    tab.wait_for_cell(canal("L1-L2"), STATUS, "accepted")
    assert tab.cells(height("L1-L2"))[STATUS] == "accepted"
    assert tab.cells(height("L4-L5"))[STATUS] != "accepted"
    tab.page.click("#undo")
    tab.wait_for_cell(canal("L1-L2"), STATUS, "automatic")
    tab.choose("scope", "selected values")


def test_levels_follow_the_one_that_is_named(tab: Tab) -> None:
    tab.click_row(height("L5-S1"))
    tab.choose("new-name", "L6-S1")
    tab.page.click("#rename")
    tab.page.wait_for_selector(f"tr[data-id='{height('L6-S1')}']")
    assert height("L5-L6") in tab.ids() and height("L5-S1") not in tab.ids()
    tab.page.click("#undo")
    tab.page.wait_for_selector(f"tr[data-id='{height('L5-S1')}']")
    tab.page.click("#shift-up")
    tab.page.wait_for_selector(f"tr[data-id='{height('L5-S1')}']", state="detached")
    tab.page.click("#undo")
    tab.page.wait_for_selector(f"tr[data-id='{height('L5-S1')}']")


def test_downloads_hold_what_is_shown(tab: Tab) -> None:
    row = canal("L4-L5")
    tab.click_row(row)
    tab.page.click("#accept")
    tab.wait_for_cell(row, STATUS, "accepted")
    table = list(csv.DictReader(tab.download("csv").read_text(encoding="utf-8").splitlines()))
    accepted = [r for r in table if r["source"] == "accepted"]
    assert ["|".join((r["level"], r["quantity"], r["method"])) for r in accepted] == [row]
    assert f"{float(accepted[0]['value']):.1f} mm" == tab.cells(row)[VALUE]
    everything = json.loads(tab.download("json").read_text(encoding="utf-8"))
    assert '"accepted"' in json.dumps(everything)
    with zipfile.ZipFile(tab.download("scene")) as bundle:
        scene = next(bundle.read(n).decode() for n in bundle.namelist() if n.endswith(".mrml"))
    assert "L4-L5 canal AP" in scene and "MarkupsLine" in scene
    with Image.open(tab.download("picture")) as picture:
        assert picture.format == "PNG" and picture.width > 400
    tab.page.click("#undo")
    tab.wait_for_cell(row, STATUS, "automatic")


def test_light_theme_and_help(tab: Tab) -> None:
    tab.page.click("#theme")
    tab.page.wait_for_selector(".v-theme--light")
    tab.page.click("#help")
    tab.page.wait_for_selector("text=window (across)")
    tab.picture("help")
    tab.page.click("#close-help")
    tab.page.wait_for_selector("text=window (across)", state="hidden")


def test_second_tab_shows_the_same_review(tab: Tab, browser: Any, server: Server) -> None:
    row = height("L3-L4")
    tab.click_row(row)
    second = Tab(browser, server)
    try:
        second.page.wait_for_selector(f"tr.sm-current[data-id='{row}']")
        second.page.click("#accept")
        tab.wait_for_cell(row, STATUS, "accepted")
        tab.page.click("#undo")
        second.wait_for_cell(row, STATUS, "automatic")
        assert not second.complaints
    finally:
        second.close()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("../../etc/passwd", "outside"), ("nothing.mrb", "There is no file"), ("broken.mrb", "damaged")],
)
def test_what_cannot_be_opened_is_told_and_the_case_stays(tab: Tab, path: str, sentence: str) -> None:
    tab.open_typed(path)
    tab.wait_for_text("#message", sentence)
    tab.page.wait_for_selector(f"tr[data-id='{canal('L3-L4')}']")
    assert tab.page.inner_text("#title") == "case"


def test_uploads_that_are_broken_or_too_large_are_refused(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "broken.mrb").write_bytes(b"PK\x03\x04 cut off")
    tab.upload(tmp_path / "broken.mrb")
    tab.wait_for_text("#message", "damaged")
    with (tmp_path / "large.nii").open("wb") as file:
        file.truncate(513 * 2**20)
    tab.upload(tmp_path / "large.nii")
    tab.wait_for_text("#message", "larger than 512 MB")
    assert tab.page.inner_text("#title") == "case"
    # The browser itself writes the refusal of the first on the console.
    tab.complaints = [c for c in tab.complaints if "400" not in c]


def test_another_case_opens_by_path_and_by_upload(tab: Tab, measured: Path, tmp_path: Path) -> None:
    tab.open_typed("other")
    tab.wait_for_text("#title", "other")
    tab.wait_for_case()
    shutil.copy(measured / "scene.mrb", tmp_path / "sent.mrb")
    tab.upload(tmp_path / "sent.mrb")
    tab.wait_for_text("#title", "sent.mrb")
    tab.wait_for_case()
    assert canal("L3-L4") in tab.ids()
