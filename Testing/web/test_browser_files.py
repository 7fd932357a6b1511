"""Files in a real browser: downloads, uploads, other cases, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from . import hostile
from .server import Server
from .tab import SAGITTAL, STATUS, VALUE, Tab, canal


def test_downloads_contain_what_is_shown(tab: Tab) -> None:
    row = canal("L4-L5")
    tab.click_row(row)
    tab.page.click("#accept")
    tab.wait_for_cell(row, STATUS, "accepted")
    table = list(csv.DictReader(tab.download("csv").read_text(encoding="utf-8").splitlines()))
    assert tab.downloaded == "case_measurements.csv"
    accepted = [r for r in table if r["accepted"] == "true"]
    assert ["|".join((r["level"], r["quantity"], r["method"])) for r in accepted] == [row]
    assert f"{float(accepted[0]['value']):.1f} mm" == tab.cells(row)[VALUE]
    everything = json.loads(tab.download("json").read_text(encoding="utf-8"))
    assert sum(m["accepted"] is not None for m in everything["measurements"]) == 1
    with zipfile.ZipFile(tab.download("scene")) as bundle:
        scene = next(bundle.read(n).decode() for n in bundle.namelist() if n.endswith(".mrml"))
    assert "L4-L5 canal AP" in scene and "MarkupsLine" in scene
    with Image.open(tab.download("picture")) as picture:
        assert picture.format == "PNG" and picture.width > 400
    report = tab.download("report").read_text(encoding="utf-8")
    assert "L4-L5" in report and tab.cells(row)[VALUE].split()[0] in report
    assert tab.download("pdf").read_bytes().startswith(b"%PDF-")
    assert not tab.page.locator("#message").is_visible()
    tab.page.click("#undo")
    tab.wait_for_cell(row, STATUS, "automatic")


def test_review_continues_during_an_export_and_a_second_one_is_refused(tab: Tab) -> None:
    tab.page.click("#download")
    left, top, wide, high = tab.box(SAGITTAL)
    with tab.page.expect_download():
        tab.page.click("#export-pdf")
        tab.page.wait_for_selector("#download:disabled")
        assert tab.page.evaluate("fetch('export/report').then((answer) => answer.status)") == 409
        tab.page.keyboard.press("Escape")
        tab.page.evaluate("window.trame.state.set('message', 'A warning')")
        before = tab.pictures(SAGITTAL)
        tab.page.mouse.move(left + 0.1 * wide, top + 0.5 * high)
        tab.page.mouse.wheel(0, -120)
        tab.until(lambda: tab.pictures(SAGITTAL) > before, "another slice")
        assert tab.page.locator("#download").is_disabled(), "the slice changed only after the export"
    tab.page.wait_for_selector("#download:enabled")
    tab.wait_for_text("#message", "A warning")  # the end of the download removes its own message only
    tab.page.evaluate("window.trame.state.set('message', '')")
    tab.page.click("#fit-sagittal")
    tab.settle()
    tab.complaints = [c for c in tab.complaints if "409" not in c]


def test_an_impossible_export_is_disabled_with_the_reason(tab: Tab) -> None:
    tab.page.click("#download")
    tab.page.wait_for_selector("#export-dicom.v-list-item--disabled")
    assert "DICOM folder" in tab.page.inner_text("#export-dicom")
    assert not tab.page.locator("#export-report.v-list-item--disabled").count()
    tab.picture("download_menu")
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector("#export-dicom", state="hidden")


def test_saved_scene_opens_again_with_the_edits(tab: Tab, server: Server) -> None:
    row, kept = canal("L3-L4"), server.case / "scene.mrb.review.json"
    tab.click_row(row)
    for button, status in (("#accept", "accepted"), ("#withdraw", "automatic")):
        tab.page.click(button)
        tab.wait_for_cell(row, STATUS, status)
        tab.until(kept.is_file, "the edit saved beside the scene")
        tab.page.click("#save")
        tab.wait_for_text("#message", "was saved")
        assert not kept.exists()
        for case in ("other", "case"):
            tab.open_typed(case)
            tab.wait_for_case(case)
        tab.click_row(row)
        assert tab.cells(row)[STATUS] == status


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("../../etc/passwd", "outside"), ("nothing.mrb", "There is no file"), ("broken.mrb", "damaged")],
)
def test_errors_of_opening_are_reported_and_the_case_stays(tab: Tab, path: str, sentence: str) -> None:
    tab.open_typed(path)
    tab.wait_for_text("#message", sentence)
    tab.page.wait_for_selector(f"tr[data-id='{canal('L3-L4')}']")
    assert tab.page.inner_text("#title") == "case"


def test_uploads_that_are_broken_or_too_large_are_refused(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "broken.mrb").write_bytes(b"PK\x03\x04 cut off")
    tab.upload(tmp_path / "broken.mrb")
    tab.wait_for_text("#message", "is not a 3D Slicer scene")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 cut off")
    tab.upload(tmp_path / "broken.zip")
    tab.wait_for_text("#message", "cannot be unpacked")
    with zipfile.ZipFile(tmp_path / "escapes.zip", "w") as archive:
        archive.writestr("../../a.dcm", b"\0" * 128 + b"DICM")
    tab.upload(tmp_path / "escapes.zip")
    tab.wait_for_text("#message", "outside its own folder")
    with (tmp_path / "large.nii").open("wb") as file:
        file.truncate(513 * 2**20)
    tab.upload(tmp_path / "large.nii")
    tab.wait_for_text("#message", "larger than 512 MB")
    assert tab.page.inner_text("#title") == "case"
    # The browser itself reports these refusals on the console.
    tab.complaints = [c for c in tab.complaints if "400" not in c]


def test_scenes_that_lead_outside_are_refused_by_upload_and_by_path(
    tab: Tab, server: Server, measured: Path, tmp_path: Path
) -> None:
    secret = hostile.outside_image(tmp_path / "outside", measured / "scene.mrb")
    ways = hostile.references(secret)
    for number, way in enumerate(("decimal entity", "single quotes")):
        made = hostile.rewritten(measured / "scene.mrb", tmp_path / f"hostile{number}.mrb", ways[way])
        tab.upload(made)
        tab.wait_for_text("#message", "outside the bundle")
        tab.page.evaluate("window.trame.state.set('message', '')")
        shutil.copy(made, server.case.parent / made.name)
        tab.open_typed(made.name)
        tab.wait_for_text("#message", "outside the bundle")
        tab.page.evaluate("window.trame.state.set('message', '')")
    (server.case.parent / "bare.mrml").write_text("<MRML/>", encoding="ascii")
    tab.open_typed("bare.mrml")
    tab.wait_for_text("#message", "save the scene as .mrb")
    assert tab.page.inner_text("#title") == "case" and canal("L3-L4") in tab.ids()
    tab.complaints = [c for c in tab.complaints if "400" not in c]


def test_cases_with_names_in_any_script_open_by_upload_and_by_path(
    tab: Tab, server: Server, measured: Path, tmp_path: Path
) -> None:
    for name in ("scan[t1] [_b] a", "Wirbels\u00e4ule \u60a3\u8005"):
        shutil.copy(measured / "scene.mrb", tmp_path / f"{name}.mrb")
        tab.upload(tmp_path / f"{name}.mrb")
        tab.wait_for_case(f"{name}.mrb")
        assert canal("L3-L4") in tab.ids()
        tab.download("csv")
        assert tab.downloaded == f"{name}_measurements.csv"
        shutil.copytree(measured, server.case.parent / f"{name}_spine")
        tab.open_typed(f"{name}_spine")
        tab.wait_for_case(f"{name}_spine")
        assert canal("L3-L4") in tab.ids()
        tab.download("scene")
        assert tab.downloaded == f"{name}.mrb"
    tab.open_typed("case")
    tab.wait_for_case("case")
