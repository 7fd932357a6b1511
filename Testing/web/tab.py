"""One browser tab with the review, operated as a reader does. Waits are for events, never for a fixed time."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from .server import ROOT, Server

PICTURES = ROOT / "out" / "web"
SAGITTAL, AXIAL, THREED = 0, 1, 2

#: Records when a picture of a view arrives.
_COUNT_PICTURES = """
window.pictures = [];
document.addEventListener('load', (event) => {
  if (event.target.tagName !== 'IMG') return;
  const view = [...document.querySelectorAll('main img')].indexOf(event.target);
  window.pictures.push([view, performance.now()]);
}, true);
"""
_ALL_DRAWN = "() => [0, 1, 2].every((view) => window.pictures.some((p) => p[0] === view))"
_QUIET = "(ms) => window.pictures.length && performance.now() - window.pictures.at(-1)[1] > ms"
_CURSOR = "([x, y]) => getComputedStyle(document.elementFromPoint(x, y).closest('[style*=cursor]')).cursor"
#: Milliseconds, enough for a busy computer.
_WAIT = 60_000

#: Indices of the cells of a row.
VALUE, AUTO, DIFFERENCE, STATUS = 2, 3, 4, 5


def canal(level: str) -> str:
    """Return the row of the canal's AP diameter at a disc."""
    return f"{level}|canal_ap|wall"


def height(level: str) -> str:
    """Return the row of a disc's height."""
    return f"{level}|disc_height_middle|endplate50"


def unlike(picture: Any, other: Any) -> float:
    """Return the mean absolute difference of two pictures."""
    return float(np.abs(picture - other).mean())


class Tab:
    """The page of a server.

    :ivar page: Playwright's page.
    :ivar complaints: errors on the console.
    :ivar downloaded: name of the last downloaded file.
    """

    def __init__(self, browser: Any, server: Server, case: bool = True) -> None:
        """:param case: wait until a case is shown."""
        self._context = browser.new_context(viewport={"width": 1500, "height": 950}, accept_downloads=True)
        self.page = self._context.new_page()
        self.page.set_default_timeout(_WAIT)
        self.complaints: list[str] = []
        self.downloaded = ""
        self.page.on("console", lambda m: self._complain(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.add_init_script(_COUNT_PICTURES)
        self.page.goto(server.address)
        if case:
            self.wait_for_case()

    def _complain(self, text: str) -> None:
        # The browser finishes a layout one frame later; no script failed.
        if "ResizeObserver loop" not in text:
            self.complaints.append(text)

    def wait_for_case(self, title: str = "") -> None:
        """Wait until a case of this title is open, the table is filled and every view is drawn."""
        self.wait_for_text("#title", title)
        self.page.wait_for_selector("#table tbody tr.sm-row")
        self.page.wait_for_function(_ALL_DRAWN)
        self.settle()

    def settle(self) -> None:
        """Wait until the server has handled everything that was sent, and no new picture arrives."""
        self.page.evaluate("window.trame.trigger('act', [''])")
        self.page.wait_for_function(_QUIET, arg=1000)

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Poll until a condition is true. :param what: named in the error if it never is."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < _WAIT / 1000, f"never seen: {what}"
            self.page.wait_for_timeout(200)

    def close(self) -> None:
        """Close the tab."""
        self._context.close()

    def picture(self, name: str) -> None:
        """Save a screenshot of the page in `PICTURES`."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"))

    # -- the panel

    def ids(self) -> list[str]:
        """Return the ids of the listed rows, in order."""
        return list(self.page.evaluate("[...document.querySelectorAll('tr.sm-row')].map((row) => row.dataset.id)"))

    def cells(self, row: str) -> list[str]:
        """Return the texts of a row: level, quantity, value, automatic value, difference, status, flags."""
        return list(self.page.locator(f"tr[data-id='{row}'] td").all_inner_texts())

    def click_row(self, row: str) -> None:
        """Click on a row, and wait until it is current."""
        self.page.click(f"tr[data-id='{row}']")
        self.page.wait_for_selector(f"tr.sm-current[data-id='{row}']")
        self.settle()

    def wait_for_cell(self, row: str, place: int, text: str, equal: bool = True) -> None:
        """Wait until a cell has a text, or until it no longer has it."""
        self.page.wait_for_function(
            "([id, place, text, equal]) => {"
            " const row = document.querySelector(`tr[data-id='${id}']`);"
            " return row && (row.children[place].innerText === text) === equal; }",
            arg=[row, place, text, equal],
        )

    def choose(self, name: str, item: str) -> None:
        """Choose an item of a selection."""
        self.page.locator(f".v-select:has(#{name})").click()
        self.page.locator(".v-overlay--active .v-list-item").filter(has_text=item).first.click()
        self.page.keyboard.press("Escape")
        self.page.wait_for_selector(".v-overlay--active .v-list-item", state="detached")

    def wait_for_text(self, place: str, text: str) -> None:
        """Wait until an element contains a text."""
        self.page.wait_for_function(
            "([place, text]) => document.querySelector(place)?.innerText.includes(text)", arg=[place, text]
        )

    def open_typed(self, path: str) -> None:
        """Open a file by its path."""
        self.page.click("#open-dialog")
        self.page.fill("#path", path)
        self.page.click("#open")

    def upload(self, path: Path) -> None:
        """Open a file by uploading it."""
        self.page.click("#open-dialog")
        self.page.set_input_files("#upload", str(path))

    def download(self, kind: str) -> Path:
        """Download a file; return its path."""
        self.page.click("#download")
        with self.page.expect_download() as download:
            self.page.click(f"#export-{kind}")
        self.downloaded = str(download.value.suggested_filename)
        return Path(download.value.path())

    def corner(self, view: int) -> str:
        """Return the text in the corner of a slice view."""
        return str(self.page.locator(".sm-corner").nth(view).inner_text())

    def show_row(self, row: str) -> None:
        """Click on a row that turns the axial view, and wait for the picture."""
        with self.redrawn(AXIAL):
            self.page.click(f"tr[data-id='{row}']")

    # -- the views

    def box(self, view: int) -> tuple[float, float, float, float]:
        """Return left, top, width and height of a view."""
        found = self.page.locator("main img").nth(view).bounding_box()
        return found["x"], found["y"], found["width"], found["height"]

    def pixels(self, view: int) -> Any:
        """Return the RGB pixels of a view as shown, (height, width, 3)."""
        png = self.page.locator("main img").nth(view).screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def pictures(self, view: int) -> int:
        """Return how many pictures of a view have arrived."""
        return int(self.page.evaluate("(view) => window.pictures.filter((p) => p[0] === view).length", view))

    @contextmanager
    def redrawn(self, view: int) -> Iterator[None]:
        """After the block, wait for a new picture of a view, and then for the last one."""
        seen = "(view) => window.pictures.filter((p) => p[0] === view).length"
        before = self.pictures(view)
        yield
        self.page.wait_for_function(f"([view, before]) => ({seen})(view) > before", arg=[view, before])
        self.settle()

    def drag(self, view: int, start: tuple[float, float], by: tuple[float, float], button: str = "left") -> None:
        """Drag by pixels from a place in fractions of a view's size; wait until the server has handled the release."""
        left, top, width, height = self.box(view)
        x, y = left + start[0] * width, top + start[1] * height
        self.page.mouse.move(x, y)
        self.page.mouse.down(button=button)
        self.page.mouse.move(x + by[0], y + by[1], steps=6)
        with self.redrawn(SAGITTAL if view == THREED else THREED):
            self.page.mouse.up(button=button)

    def take_lower_end(self, view: int = AXIAL) -> tuple[float, float]:
        """Move the mouse to the lower end of the thickest line; return its position.

        :param view: of the canal's line in the axial view, or of the disc's height in the sagittal view.
        """
        red, green, blue = np.moveaxis(self.pixels(view), 2, 0)
        if view == AXIAL:
            line = (red > 150) & (green < 140) & (blue > 120) & (red - green > 60)
        else:
            line = (red > 180) & (green > 150) & (blue < 130)
        # Lines that cross it cut it into pieces.
        parts = ndimage.label(ndimage.binary_dilation(line, iterations=3), np.ones((3, 3)))[0] * line
        assert parts.any(), "no line is visible in the view"
        ys, xs = np.nonzero(parts == np.bincount(parts[parts > 0]).argmax())
        left, top, *_ = self.box(view)
        x, y = left + float(xs[ys == ys.max()].mean()), top + float(ys.max())
        self.page.mouse.move(x, y - 40)
        self.page.mouse.move(x, y)
        self.page.wait_for_function(f"(place) => !['auto', 'default'].includes(({_CURSOR})(place))", arg=[x, y])
        return x, y

    def drag_lower_end(self, row: str, by: float) -> tuple[list[str], list[str]]:
        """Show a canal line and drag its posterior end down by pixels; return the cells of its row before and after."""
        self.show_row(row)
        before = self.cells(row)
        x, y = self.take_lower_end()
        self.page.mouse.down()
        self.page.mouse.move(x, y + by, steps=4)
        self.wait_for_cell(row, VALUE, before[VALUE], equal=False)
        self.page.mouse.up()
        self.settle()
        return before, self.cells(row)
