"""The review end to end, in a real browser."""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, pictured

Start = Callable[..., Server]
Tab = Callable[[Server], Any]


def canal_row(page: Any) -> Any:
    """The row of a canal diameter in the middle of the spine."""
    rows = page.locator("tr[data-id*='|canal_ap|']")
    return rows.nth(rows.count() // 2)


def cell(page: Any, row_id: str, place: int) -> str:
    """Text of one cell: 2 is the value, 5 the status."""
    return str(page.locator(f"tr[data-id='{row_id}'] td").nth(place).inner_text())


def hover_handle(page: Any) -> tuple[float, float]:
    """Put the mouse on an end of the line that lies upright in the middle of the axial view; returns where."""
    boxes = [b for b in (i.bounding_box() for i in page.locator("main img").all()) if b]
    box = min(boxes, key=lambda b: (b["x"] < 300, b["y"]))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for away in range(34, 3, -2):  # from outside: on its body a line cannot be taken
        for side in (1, -1):
            page.mouse.move(x, y + side * away)
            page.wait_for_timeout(90)
            shown = page.evaluate(
                "([x, y]) => getComputedStyle(document.elementFromPoint(x, y).closest('[style*=cursor]')).cursor",
                [x, y + side * away],
            )
            if shown not in ("auto", "default"):
                return x, y + side * away
    raise AssertionError("no handle was found under the mouse")


def test_drag_undo_filter_rename_export(case: Path, start: Start, tab: Tab) -> None:
    server = start(case)
    page = tab(server)
    with pictured(page, "opened"):
        page.wait_for_timeout(1500)
    row = canal_row(page)
    row_id = str(row.get_attribute("data-id"))
    row.click()
    page.wait_for_timeout(800)
    before = cell(page, row_id, 2)
    with pictured(page, "dragged"):
        x, y = hover_handle(page)
        page.mouse.down()
        waits = []
        for step in range(1, 16):
            old, began = cell(page, row_id, 2), time.perf_counter()
            page.mouse.move(x, y + 2 * step)
            try:
                page.wait_for_function(
                    "([id, old]) => document.querySelector(`tr[data-id='${id}']`).children[2].innerText !== old",
                    arg=[row_id, old],
                    polling=4,
                    timeout=400,
                )
                waits.append(1000 * (time.perf_counter() - began))
            except Exception:  # a step along which the text stays the same
                continue
        page.mouse.up()
        page.wait_for_timeout(300)
    assert waits, "the row did not follow the mouse"
    print(f"mouse to table: median {statistics.median(waits):.0f} ms, most {max(waits):.0f} ms, {len(waits)} moves")
    assert cell(page, row_id, 2) != before
    assert cell(page, row_id, 5) == "edited"
    page.click("#undo")
    page.wait_for_function(
        "([id, old]) => document.querySelector(`tr[data-id='${id}']`).children[2].innerText === old",
        arg=[row_id, before],
    )
    page.keyboard.press("Alt+KeyY")
    page.wait_for_timeout(500)
    assert cell(page, row_id, 5) == "edited"

    with page.expect_download() as download:
        page.click("#export-csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    edited = [r for r in rows if r["source"] == "edited"]
    assert {"|".join((r["level"], r["quantity"], r["method"])) for r in edited} >= {row_id}

    lowest = page.locator("#table tbody tr td:first-child").last.inner_text()
    with pictured(page, "shifted"):
        page.click("#shift-up")
        page.wait_for_timeout(1000)
    assert page.locator("#table tbody tr td:first-child").last.inner_text() != lowest
    page.click("#theme")
    with pictured(page, "light"):
        page.wait_for_timeout(500)


def test_edits_survive_a_killed_server(case: Path, start: Start, tab: Tab) -> None:
    first = start(case)
    page = tab(first)
    row = canal_row(page)
    row_id = str(row.get_attribute("data-id"))
    row.click()
    page.click("#accept")
    page.wait_for_timeout(1200)
    assert cell(page, row_id, 5) == "accepted"
    page.reload()
    page.wait_for_selector(f"tr[data-id='{row_id}']")
    assert cell(page, row_id, 5) == "accepted"
    page.goto("about:blank")
    first.kill()
    page = tab(start(case))
    assert cell(page, row_id, 5) == "accepted"


@pytest.mark.parametrize("path", ["/", "/index.html", "/ws", "/export/csv"])
def test_without_token_nothing_answers(case: Path, start: Start, path: str) -> None:
    import urllib.error
    import urllib.request

    server = start(case)
    for query in ("", "?token=wrong"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server.origin + path + query)
        assert refused.value.code == 403
