"""What heights are between is chosen in the page: table, views, files and new cases follow."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from SpineMeasureLib.io.write import write_volume

from .server import ROOT, Server
from .tab import SAGITTAL, STATUS, VALUE, Tab, height
from .test_server import few_slices

SAMPLE = ROOT / "Resources" / "sample"
EDGE = height("L4-L5")
MASK = EDGE.replace("endplate50", "chord50")


def shown_first(case: Path) -> set[str]:
    """Methods of the middle disc heights that measurements.csv shows first."""
    rows = csv.DictReader((case / "measurements.csv").read_text().splitlines())
    return {r["method"] for r in rows if r["quantity"] == "disc_height_middle" and r["shown_first"] == "true"}


def chosen(tab: Tab) -> str:
    """What the page says heights are between."""
    return str(tab.page.locator("#ends .v-btn--active").inner_text())


def test_table_views_and_files_follow_the_choice(browser: Any, case: Path, start: Callable[..., Server]) -> None:
    tab = Tab(browser, start(case))
    try:
        tab.click_row(EDGE)
        assert MASK not in tab.ids() and chosen(tab) == "Edges of the image" and "L4-L5" in tab.corner(SAGITTAL)
        value = tab.cells(EDGE)[VALUE]
        tab.picture("heights_between_edges")
        with tab.redrawn(SAGITTAL):
            tab.page.click("#ends-masks")
        tab.page.wait_for_selector(f"tr.sm-current[data-id='{MASK}']")
        assert EDGE not in tab.ids() and tab.cells(MASK)[VALUE] != value and chosen(tab) == "Segments"
        assert tab.cells(MASK)[VALUE] in tab.corner(SAGITTAL)
        tab.until(lambda: shown_first(case) == {"chord50"}, "the tables on disk")
        tab.picture("heights_between_segments")
        tab.page.keyboard.press("Alt+KeyA")
        tab.wait_for_cell(MASK, STATUS, "accepted")
        tab.page.click("#ends-edges")
        tab.page.wait_for_selector(f"tr.sm-current[data-id='{EDGE}']")
        assert tab.cells(EDGE)[VALUE] == value and MASK not in tab.ids()
        for row in (MASK, MASK, EDGE):  # the choice, the acceptance, the first choice
            tab.page.keyboard.press("Alt+KeyZ")
            tab.page.wait_for_selector(f"tr.sm-current[data-id='{row}']")
        tab.until(lambda: shown_first(case) == {"endplate50"}, "the tables on disk again")
        assert chosen(tab) == "Edges of the image" and not tab.complaints
    finally:
        tab.close()


def test_a_case_reopens_with_the_choice(browser: Any, case: Path, start: Callable[..., Server]) -> None:
    server = start(case)
    tab = Tab(browser, server)
    tab.page.click("#ends-masks")
    tab.page.wait_for_selector(f"tr[data-id='{MASK}']")
    tab.until(lambda: shown_first(case) == {"chord50"}, "the tables on disk")
    tab.close()
    server.kill()
    tab = Tab(browser, start(case))
    assert MASK in tab.ids() and EDGE not in tab.ids() and chosen(tab) == "Segments"
    tab.close()


def test_an_image_that_is_measured_starts_with_the_last_choice(
    browser: Any, case: Path, start: Callable[..., Server]
) -> None:
    write_volume(few_slices(), case.parent / "spine.nii.gz")
    tab = Tab(browser, start(case, "--root", str(case.parent)))
    tab.page.click("#ends-masks")
    tab.page.wait_for_selector(f"tr[data-id='{MASK}']")
    tab.page.set_default_timeout(600_000)  # the model runs
    tab.open_typed("spine.nii.gz")
    tab.wait_for_case("spine_spine")
    tab.wait_for_text("#message", "check the levels")
    masks = MASK.replace("L4-L5", "L2-L3")
    assert masks in tab.ids() and height("L2-L3") not in tab.ids() and chosen(tab) == "Segments"
    assert shown_first(case.parent / "spine_spine") == {"chord50"} and not tab.complaints
    tab.close()


def test_without_heights_between_edges_there_is_no_choice_and_the_reason_is_shown(
    browser: Any, start: Callable[..., Server], tmp_path: Path
) -> None:
    from SpineMeasureLib.io.read import read_volume
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.review.mrml.save import write_scene
    from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

    segmentation = segmentation_from_labels(read_volume(SAMPLE / "lumbar_t2_labels.nii.gz"))
    image = read_volume(SAMPLE / "lumbar_t2.nii.gz")
    write_scene(image, segmentation, measure(segmentation), tmp_path / "plain.mrb", tmp_path / "x.seg.nrrd", "T2")
    tab = Tab(browser, start(tmp_path / "plain.mrb"))
    assert MASK in tab.ids() and chosen(tab) == "Segments"
    assert tab.page.locator("#ends-edges").is_disabled() and tab.page.locator("#ends-masks").is_disabled()
    assert "were not measured in this case" in str(tab.page.get_attribute("#ends", "title"))
    tab.page.evaluate("window.trame.state.set('ends', 'edges')")
    tab.settle()
    assert chosen(tab) == "Segments" and not tab.complaints
    tab.close()
