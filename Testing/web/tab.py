"""One tab of the browser with the review, as a reader uses it. Everything waits for what happens, never for a time."""

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

#: Times at which pictures arrived, by view.
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
#: Milliseconds: a computer that is busy with other things is slow.
_WAIT = 60_000

#: Cells of a row.
VALUE, AUTO, DIFFERENCE, STATUS = 2, 3, 4, 5


def canal(level: str) -> str:
    """Row of the canal's AP diameter at a disc."""
    return f"{level}|canal_ap|disc_level"


def height(level: str) -> str:
    """Row of a disc's height."""
    return f"{level}|disc_height_middle|chord50"


def unlike(picture: Any, other: Any) -> float:
    """Mean difference of two pictures."""
    return float(np.abs(picture - other).mean())


class Tab:
    """The page of a server.

    :ivar page: Playwright's.
    :ivar complaints: errors on the console.
    :ivar downloaded: name of the last file that was downloaded.
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
        # What the browser says of a layout that it finishes one frame later; no script failed.
        if "ResizeObserver loop" not in text:
            self.complaints.append(text)

    def wait_for_case(self) -> None:
        """Until the table is filled and every view drawn."""
        self.page.wait_for_selector("#table tbody tr.sm-row")
        self.page.wait_for_function(_ALL_DRAWN)
        self.settle()

    def settle(self) -> None:
        """Until no new picture comes."""
        self.page.wait_for_function(_QUIET, arg=1000)

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Look again and again until something holds. :param what: told where it never does."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < _WAIT / 1000, f"never seen: {what}"
            self.page.wait_for_timeout(200)

    def close(self) -> None:
        """Close the tab."""
        self._context.close()

    def picture(self, name: str) -> None:
        """Keep a picture of the page among CI's artifacts."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"))

    # -- the panel

    def ids(self) -> list[str]:
        """Ids of the rows that are shown, in their order."""
        return list(self.page.evaluate("[...document.querySelectorAll('tr.sm-row')].map((row) => row.dataset.id)"))

    def cells(self, row: str) -> list[str]:
        """Texts of a row: level, quantity, value, automatic value, difference, status, flags."""
        return list(self.page.locator(f"tr[data-id='{row}'] td").all_inner_texts())

    def click_row(self, row: str) -> None:
        """Click on a row, and wait until it is the current one."""
        self.page.click(f"tr[data-id='{row}']")
        self.page.wait_for_selector(f"tr.sm-current[data-id='{row}']")
        self.settle()

    def wait_for_cell(self, row: str, place: int, text: str, equal: bool = True) -> None:
        """Until a cell has a text, or another one."""
        self.page.wait_for_function(
            "([id, place, text, equal]) => {"
            " const row = document.querySelector(`tr[data-id='${id}']`);"
            " return row && (row.children[place].innerText === text) === equal; }",
            arg=[row, place, text, equal],
        )

    def choose(self, name: str, item: str) -> None:
        """Choose an item of one of the selections."""
        self.page.locator(f".v-select:has(#{name})").click()
        self.page.locator(".v-overlay--active .v-list-item").filter(has_text=item).first.click()
        self.page.keyboard.press("Escape")
        self.page.wait_for_selector(".v-overlay--active .v-list-item", state="detached")

    def wait_for_text(self, place: str, text: str) -> None:
        """Until an element holds a text."""
        self.page.wait_for_function(
            "([place, text]) => document.querySelector(place)?.innerText.includes(text)", arg=[place, text]
        )

    def open_typed(self, path: str) -> None:
        """Open a file by its path."""
        self.page.click("#open-dialog")
        self.page.fill("#path", path)
        self.page.click("#open")

    def upload(self, path: Path) -> None:
        """Open a file by sending it."""
        self.page.click("#open-dialog")
        self.page.set_input_files("#upload", str(path))

    def download(self, kind: str) -> Path:
        """Download a file. :return: where it is."""
        self.page.click("#download")
        with self.page.expect_download() as download:
            self.page.click(f"#export-{kind}")
        self.downloaded = str(download.value.suggested_filename)
        return Path(download.value.path())

    def corner(self, view: int) -> str:
        """What the corner of a slice view says is drawn in it."""
        return str(self.page.locator(".sm-corner").nth(view).inner_text())

    # -- the views

    def box(self, view: int) -> tuple[float, float, float, float]:
        """Left, top, width, height of a view."""
        found = self.page.locator("main img").nth(view).bounding_box()
        return found["x"], found["y"], found["width"], found["height"]

    def pixels(self, view: int) -> Any:
        """RGB of a view as it is shown, (height, width, 3)."""
        png = self.page.locator("main img").nth(view).screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def pictures(self, view: int) -> int:
        """How many pictures of a view have arrived."""
        return int(self.page.evaluate("(view) => window.pictures.filter((p) => p[0] === view).length", view))

    @contextmanager
    def redrawn(self, view: int) -> Iterator[None]:
        """Until what the block does has led to a new picture of a view, and the last one is there."""
        seen = "(view) => window.pictures.filter((p) => p[0] === view).length"
        before = self.pictures(view)
        yield
        self.page.wait_for_function(f"([view, before]) => ({seen})(view) > before", arg=[view, before])
        self.settle()

    def drag(self, view: int, start: tuple[float, float], by: tuple[float, float], button: str = "left") -> None:
        """Drag from a place of a view, given as fractions of its size, by pixels, until the server knows of its end."""
        left, top, width, height = self.box(view)
        x, y = left + start[0] * width, top + start[1] * height
        self.page.mouse.move(x, y)
        self.page.mouse.down(button=button)
        self.page.mouse.move(x + by[0], y + by[1], steps=6)
        with self.redrawn(SAGITTAL if view == THREED else THREED):
            self.page.mouse.up(button=button)

    def take_lower_end(self) -> tuple[float, float]:
        """Put the mouse on the posterior end of the canal line in the axial view. :return: where."""
        red, green, blue = np.moveaxis(self.pixels(AXIAL), 2, 0)
        line = (red > 150) & (green < 140) & (blue > 120) & (red - green > 60)
        parts, _ = ndimage.label(line, np.ones((3, 3)))
        assert parts.any(), "no canal line is drawn in the axial view"
        ys, xs = np.nonzero(parts == np.bincount(parts[parts > 0]).argmax())
        left, top, *_ = self.box(AXIAL)
        x, y = left + float(xs[ys == ys.max()].mean()), top + float(ys.max())
        self.page.mouse.move(x, y - 40)
        self.page.mouse.move(x, y)
        self.page.wait_for_function(f"(place) => !['auto', 'default'].includes(({_CURSOR})(place))", arg=[x, y])
        return x, y
