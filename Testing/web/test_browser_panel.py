"""The panel in a real browser: table, levels, acceptance, keys, a second tab."""

from __future__ import annotations

from typing import Any

from .server import Server
from .tab import AXIAL, SAGITTAL, STATUS, VALUE, Tab, canal, height, unlike

CURRENT_IN_SIGHT = """() => {
  const row = document.querySelector('tr.sm-current').getBoundingClientRect();
  const head = document.querySelector('#table th').getBoundingClientRect();
  const table = document.querySelector('#table').getBoundingClientRect();
  return row.top >= head.bottom - 1 && row.bottom <= table.bottom + 1;
}"""


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
    tab.page.click(f"tr[data-id='{height('L5-S1')}']")
    tab.until(lambda: unlike(tab.pixels(AXIAL), before) > 1, "the slice of L5-S1")
    assert "L5-S1" in tab.page.locator(".v-select:has(#level)").inner_text()


def test_keys_act_as_in_the_slicer_module(tab: Tab) -> None:
    tab.click_row(height("L2-L3"))
    tab.page.keyboard.press("Alt+ArrowDown")
    tab.page.wait_for_selector("tr.sm-current[data-id^='L3|'], tr.sm-current[data-id^='L3-L4|']")
    tab.page.wait_for_function(CURRENT_IN_SIGHT)
    tab.page.keyboard.press("Alt+ArrowUp")
    tab.page.wait_for_selector(f"tr.sm-current[data-id='{height('L2-L3')}']")
    tab.page.wait_for_function(CURRENT_IN_SIGHT)
    tab.page.keyboard.press("Alt+KeyA")
    tab.wait_for_cell(height("L2-L3"), STATUS, "accepted")
    tab.page.keyboard.press("Alt+KeyZ")
    tab.wait_for_cell(height("L2-L3"), STATUS, "automatic")
    tab.page.keyboard.press("Alt+KeyY")
    tab.wait_for_cell(height("L2-L3"), STATUS, "accepted")
    for keys, status in (("Control+z", "automatic"), ("Control+Shift+z", "accepted"), ("Control+z", "automatic")):
        tab.page.keyboard.press(keys)
        tab.wait_for_cell(height("L2-L3"), STATUS, status)
    tab.page.keyboard.press("Control+y")
    tab.wait_for_cell(height("L2-L3"), STATUS, "accepted")
    # In a text field they belong to the field.
    tab.page.click("#reviewer")
    tab.page.keyboard.type("AB")
    tab.page.keyboard.press("Control+z")
    tab.page.fill("#reviewer", "")
    assert tab.cells(height("L2-L3"))[STATUS] == "accepted"
    tab.choose("status-filter", "accepted")
    tab.page.wait_for_function("document.querySelectorAll('tr.sm-row').length === 1")
    assert tab.ids() == [height("L2-L3")]
    tab.page.keyboard.press("Alt+KeyN")
    tab.page.wait_for_selector("tr.sm-current.sm-pinned .sm-flagged")
    # The filter stays; the value outside it is listed with the others.
    (flagged,) = (row for row in tab.ids() if row != height("L2-L3"))
    assert len(tab.ids()) == 2 and tab.cells(flagged)[STATUS] == "flagged"
    assert "outside the filter" in tab.page.inner_text("#pinned")
    assert "accepted" in tab.page.locator(".v-select:has(#status-filter)").inner_text()
    tab.picture("pinned")
    tab.choose("status-filter", "accepted")
    tab.page.wait_for_function("document.querySelectorAll('tr.sm-row').length > 30")
    assert tab.page.locator("tr.sm-pinned").count() == 0
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
    value = tab.cells(height("L5-S1"))[VALUE]
    tab.choose("level-filter", "L5-S1")
    tab.page.click("#shift-up")
    # Table, filter and views stay on the disc under its new name; values that no longer exist are reported.
    tab.page.wait_for_selector(f"tr.sm-current[data-id='{height('L4-L5')}']")
    tab.wait_for_text("#message", "Lordosis")
    assert tab.cells(height("L4-L5"))[VALUE] == value and {row.split("|")[0] for row in tab.ids()} == {"L4-L5"}
    for choice in ("#level", "#level-filter"):
        assert "L4-L5" in tab.page.locator(f".v-select:has({choice})").inner_text()
    assert "L4-L5" in tab.corner(SAGITTAL)
    tab.picture("shifted")
    tab.page.click("#undo")
    tab.page.wait_for_selector("#message", state="detached")
    # The place stays, whatever its name.
    tab.page.wait_for_selector(f"tr.sm-current[data-id='{height('L5-S1')}']")
    assert "L5-S1" in tab.page.locator(".v-select:has(#level)").inner_text()
    tab.choose("level-filter", "All levels")


def test_a_name_that_does_not_fit_is_refused_and_the_refusal_goes_with_the_next_edit(tab: Tab) -> None:
    tab.click_row(height("L4-L5"))
    tab.choose("new-name", "L3-L4")
    tab.page.click("#rename")
    tab.wait_for_text("#message", "directly below L4")
    tab.page.click("#accept")
    tab.wait_for_cell(height("L4-L5"), STATUS, "accepted")
    tab.page.wait_for_selector("#message", state="detached")
    tab.page.click("#undo")
    tab.wait_for_cell(height("L4-L5"), STATUS, "automatic")


def test_nothing_overlaps_in_a_narrow_window(tab: Tab) -> None:
    apart = """(place) => {
      const boxes = [...document.querySelectorAll(place)].map((each) => each.getBoundingClientRect());
      return boxes.every((a, n) => boxes.slice(n + 1).every((b) =>
        a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1));
    }"""
    inside = "(place) => document.querySelector(place).getBoundingClientRect().right <= window.innerWidth"
    try:
        tab.page.set_viewport_size({"width": 1000, "height": 700})
        for place in (".sm-tools > :not(.v-spacer)", ".sm-line > :not(.v-spacer)"):
            tab.page.wait_for_function(apart, arg=place)
        tab.page.wait_for_function(inside, arg="tr.sm-row td:nth-child(6)")
        tab.settle()
        tab.picture("narrow")
    finally:
        tab.page.set_viewport_size({"width": 1500, "height": 950})
    tab.settle()


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
