"""The views in a real browser: lines that are dragged, slices, window, segments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .tab import AUTO, AXIAL, DIFFERENCE, SAGITTAL, STATUS, THREED, VALUE, Tab, canal, height, unlike

ASIDE = (0.12, 0.5)  # a place in the sagittal view away from all lines


def test_opens_with_every_view_drawn(tab: Tab) -> None:
    assert tab.page.inner_text("#title") == "case"
    assert len(tab.ids()) > 30 and canal("L3-L4") in tab.ids()
    for view in (SAGITTAL, AXIAL, THREED):
        assert np.ptp(tab.pixels(view)) > 100
    left, _, width, _ = tab.box(SAGITTAL)
    bright = np.nonzero((tab.pixels(SAGITTAL).min(axis=2) > 40).any(axis=0))[0]
    assert abs(bright.mean() - width / 2) < 0.2 * width, "the image is not centred in its view"
    assert tab.page.locator("#chart svg").count() == 2


def test_dragged_end_changes_its_row_and_the_chart(tab: Tab) -> None:
    row, page = canal("L2-L3"), tab.page
    tab.show_row(row)
    before, chart = tab.cells(row), page.inner_html("#chart")
    x, y = tab.take_lower_end()
    page.mouse.down()
    shown = before[VALUE]
    for step in range(1, 4):
        page.mouse.move(x, y + 6 * step)
        tab.wait_for_cell(row, VALUE, shown, equal=False)
        shown = tab.cells(row)[VALUE]
    assert page.inner_html("#chart") != chart, "the chart does not follow the drag"
    with tab.redrawn(SAGITTAL):
        page.mouse.up()
    after = tab.cells(row)
    level, quantity, value = after[:3]
    assert page.locator(".sm-over", has_text=f"{level} {quantity}: {value}").count() == 2
    assert float(after[VALUE].split()[0]) > float(before[VALUE].split()[0])
    assert (after[AUTO], after[STATUS]) == (before[VALUE], "edited") and after[DIFFERENCE].startswith("+")
    assert "1 edited" in page.inner_text("#summary")
    tab.picture("dragged")

    page.click("#undo")
    tab.wait_for_cell(row, VALUE, before[VALUE])
    assert tab.cells(row)[STATUS] == "automatic" and page.inner_html("#chart") == chart
    page.click("#redo")
    tab.wait_for_cell(row, VALUE, after[VALUE])
    page.click("#reset")
    tab.wait_for_cell(row, VALUE, before[VALUE])


def test_a_corner_names_what_is_visible_in_its_view(tab: Tab) -> None:
    tab.click_row("L4-L5|disc_height_middle|endplate50")
    value = tab.cells("L4-L5|disc_height_middle|endplate50")[VALUE]
    assert tab.corner(SAGITTAL) == f"L4-L5 Disc height, middle, endplates: {value}"
    assert "Disc height" not in tab.corner(AXIAL)
    tab.click_row(canal("L4-L5"))
    value = tab.cells(canal("L4-L5"))[VALUE]
    tab.until(lambda: tab.corner(AXIAL) == f"L4-L5 Canal AP, disc level, walls: {value}", "the line of the axial view")
    left, top, wide, high = tab.box(AXIAL)
    tab.page.mouse.move(left + 0.1 * wide, top + 0.5 * high)
    tab.page.mouse.wheel(0, -360)
    tab.until(lambda: "Canal AP, disc level" not in tab.corner(AXIAL), "another slice, without that line")
    tab.page.click("#fit-axial")
    tab.until(lambda: "Canal AP, disc level" in tab.corner(AXIAL), "the previous slice")


def test_view_under_a_pressed_mouse_is_drawn_before_the_others(tab: Tab) -> None:
    row, page = canal("L2-L3"), tab.page
    tab.show_row(row)
    x, y = tab.take_lower_end()
    tab.settle()
    page.mouse.down()
    page.evaluate("window.pictures = []")
    for step in range(20):
        shown = tab.cells(row)[VALUE]
        page.mouse.move(x, y + (4 if step % 2 else 10))
        tab.wait_for_cell(row, VALUE, shown, equal=False)
    page.wait_for_function(f"window.pictures.filter((p) => p[0] === {AXIAL}).length >= 10")
    drawn = [tab.pictures(view) for view in (SAGITTAL, AXIAL, THREED)]
    assert drawn[SAGITTAL] < drawn[AXIAL] and drawn[THREED] < 0.3 * drawn[AXIAL], drawn
    with tab.redrawn(SAGITTAL), tab.redrawn(THREED):
        page.mouse.up()
    page.click("#undo")
    tab.wait_for_cell(row, STATUS, "automatic")


def test_a_dragged_end_snaps_to_its_edge_unless_that_is_switched_off(tab: Tab) -> None:
    row, page = height("L3-L4"), tab.page
    looks = ("#outline", "#fill", "#labels", "#only_level")
    for control in looks:
        page.click(control)
    tab.show_row(row)
    before, said = tab.cells(row)[VALUE], ""
    for _ in range(2):  # with and without
        tab.settle()
        x, y = tab.take_lower_end(SAGITTAL)
        page.mouse.down()
        page.mouse.move(x, y + 15, steps=5)
        tab.wait_for_cell(row, STATUS, "edited")
        page.mouse.move(x, y + 2, steps=3)
        page.mouse.up()
        tab.settle()
        said += str(page.get_attribute(f"tr[data-id='{row}']", "title"))
        page.click("#undo")
        tab.wait_for_cell(row, VALUE, before)
        page.click("#snap_to_edges")
    for control in looks:
        page.click(control)
    assert said.count("Lower end snapped to an edge of the image.") == said.count("Lower end placed freely.") == 1


def test_line_that_is_dragged_becomes_the_current_one(tab: Tab) -> None:
    row, page = canal("L2-L3"), tab.page
    tab.choose("group", "Canal and cord")
    tab.click_row(row)
    tab.click_row("L2-L3|canal_area|wall")
    before = tab.cells(row)
    x, y = tab.take_lower_end()
    page.mouse.down()
    page.mouse.move(x, y + 12, steps=3)
    page.wait_for_selector(f"tr.sm-current[data-id='{row}']")
    page.mouse.up()
    page.click("#reset")
    tab.wait_for_cell(row, VALUE, before[VALUE])
    tab.choose("group", "Lines")


def test_a_line_is_not_dragged_by_its_body(tab: Tab) -> None:
    row, page = canal("L3-L4"), tab.page
    tab.show_row(row)
    before, axial = tab.cells(row), tab.pixels(AXIAL)
    for button in ("left", "middle"):
        tab.drag(AXIAL, (0.5, 0.5), (0, 30), button)
        tab.settle()
        assert tab.cells(row) == before
    page.click("#reset-window")
    tab.until(lambda: unlike(tab.pixels(AXIAL), axial) < 1, "the previous window")


def test_slices_window_zoom_and_pan_follow_the_mouse(tab: Tab) -> None:
    left, top, wide, high = tab.box(SAGITTAL)
    tab.page.click("#fit-sagittal")
    tab.settle()
    fitted = tab.pixels(SAGITTAL)

    def wheel() -> None:
        tab.page.mouse.move(left + ASIDE[0] * wide, top + ASIDE[1] * high)
        tab.page.mouse.wheel(0, -120)

    def wheel_with_control() -> None:
        tab.page.keyboard.down("Control")
        wheel()
        tab.page.keyboard.up("Control")

    actions: dict[str, Callable[[], None]] = {
        "window": lambda: tab.drag(SAGITTAL, ASIDE, (60, 60)),
        "another slice": wheel,
        "zoom by the wheel": wheel_with_control,
        "zoom": lambda: tab.drag(SAGITTAL, ASIDE, (0, -80), "right"),
        "pan": lambda: tab.drag(SAGITTAL, ASIDE, (50, 0), "middle"),
    }
    for what, action in actions.items():
        before = tab.pixels(SAGITTAL)
        action()
        tab.until(lambda before=before: unlike(tab.pixels(SAGITTAL), before) > 1, what)
        tab.settle()
    changed = unlike(tab.pixels(SAGITTAL), fitted)
    tab.page.click("#reset-window")
    tab.page.click("#fit-sagittal")
    tab.until(lambda: unlike(tab.pixels(SAGITTAL), fitted) < 0.3 * changed, "the view as fitted before")

    solid = tab.pixels(THREED)
    tab.drag(THREED, (0.1, 0.5), (80, 0))
    tab.until(lambda: unlike(tab.pixels(THREED), solid) > 1, "3D turned")
    tab.settle()
    turned = unlike(tab.pixels(THREED), solid)
    tab.page.click("#fit-3d")
    tab.until(lambda: unlike(tab.pixels(THREED), solid) < 0.3 * turned, "3D as before")


def test_segments_are_drawn_as_chosen(tab: Tab) -> None:
    page = tab.page

    def colour() -> float:
        return float(np.ptp(tab.pixels(SAGITTAL), axis=2).mean())

    both = colour()
    page.click("#fill")
    tab.until(lambda: colour() < 0.95 * both, "outlines alone")
    outlines = colour()
    page.click("#outline")
    tab.until(lambda: colour() < 0.95 * outlines, "no segments")
    nothing = colour()
    page.click("#fill")
    tab.until(lambda: colour() > 1.05 * nothing, "fill")
    faint = colour()
    page.locator(".sm-tools .v-slider-thumb").focus()
    page.keyboard.press("End")
    tab.until(lambda: colour() > 1.5 * faint, "opaque fill")
    page.keyboard.press("Home")
    page.click("#outline")
    tab.until(lambda: abs(colour() - outlines) < 0.1 * outlines, "transparent fill with outlines")


def test_lines_can_be_limited_to_the_current_level(tab: Tab) -> None:
    page = tab.page

    def colour() -> float:
        return float(np.ptp(tab.pixels(SAGITTAL), axis=2).mean())

    for control in ("#outline", "#fill", "#labels"):
        with tab.redrawn(SAGITTAL):
            page.click(control)
    every = colour()
    assert every > 0
    page.click("#only_level")
    tab.until(lambda: colour() < 0.5 * every, "lines of one level")
    page.click("#only_level")
    tab.until(lambda: colour() > 0.9 * every, "lines of all levels")
    for control in ("#outline", "#fill", "#labels"):
        page.click(control)


def test_light_theme_and_help(tab: Tab) -> None:
    tab.page.click("#theme")
    tab.page.wait_for_selector(".v-theme--light")
    tab.page.click("#help")
    tab.page.wait_for_selector("text=window (left, right)")
    tab.picture("help")
    tab.page.click("#close-help")
    tab.page.wait_for_selector("text=window (left, right)", state="hidden")
    tab.picture("light")
    tab.page.click("#theme")
    tab.page.wait_for_selector(".v-theme--dark")
