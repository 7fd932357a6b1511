"""What a reader of the browser review waits for: the delay of the table and the picture behind the mouse.

    .venv-web/bin/python Testing/benchmarks/browser.py [--moves 100] [--seconds 5]

Serves the sample, opens it in Chromium, and drags the end of a line in the axial view. Times are taken inside the page:
from the mouse event until the table shows a new text. The server's processor time is given as well, because the
computer may be busy with other things.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import sync_playwright

from SpineMeasureLib.pipeline import Job, run
from Testing.web.server import ROOT, Server
from Testing.web.tab import AXIAL, Tab

ROW = "L2-L3|canal_ap|wall"

#: Milliseconds from each movement of the mouse to the change of the row that it leads to.
_WATCH = """(id) => {
  window.waits = []; window.changes = 0; let moved = null;
  window.addEventListener('pointermove', () => { moved ??= performance.now(); }, true);
  new MutationObserver(() => {
    window.changes += 1;
    if (moved !== null) window.waits.push(performance.now() - moved);
    moved = null;
  }).observe(
    document.querySelector(`tr[data-id='${id}']`).children[2],
    {characterData: true, childList: true, subtree: true},
  );
}"""


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def single_moves(tab: Tab, x: float, y: float, count: int) -> list[float]:
    """Milliseconds of movements one after another, each made when the table shows the one before."""
    for number in range(count):
        done = len(tab.page.evaluate("window.waits"))
        # Up and down again: every movement changes the shown value by several tenths of a millimetre.
        tab.page.mouse.move(x, y + (3 if number % 2 == 0 else 9))
        tab.page.wait_for_function("(done) => window.waits.length > done", arg=done, polling=5)
    return list(tab.page.evaluate("window.waits"))


def steady_moves(tab: Tab, x: float, y: float, seconds: float) -> tuple[float, float]:
    """Pictures of the axial view and changes of the row per second, while the mouse moves all the time."""
    tab.page.evaluate("() => { window.pictures = []; window.changes = 0; }")
    began, step = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        step += 1
        tab.page.mouse.move(x, y + 3 + abs(step % 40 - 20))  # returns when the browser has taken it
    took = time.monotonic() - began
    pictures = tab.page.evaluate("(view) => window.pictures.filter((p) => p[0] === view).length", AXIAL)
    return pictures / took, tab.page.evaluate("window.changes") / took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    sample = ROOT / "Resources" / "sample"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        case = Path(folder) / "case"
        run(Job(sample / "lumbar_t2.nii.gz", case, sample / "lumbar_t2_labels.nii.gz", picture=False))
        server = Server(case)
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            tab = Tab(browser, server)
            with tab.redrawn(AXIAL):
                tab.page.click(f"tr[data-id='{ROW}']")
            x, y = tab.take_lower_end()
            tab.page.mouse.down()
            tab.page.evaluate(_WATCH, ROW)
            used = processor_seconds(server.process.pid)
            waits = single_moves(tab, x, y, options.moves)
            used = 1000 * (processor_seconds(server.process.pid) - used) / len(waits)
            steady_used = processor_seconds(server.process.pid)
            pictures, changes = steady_moves(tab, x, y, options.seconds)
            steady_used = (processor_seconds(server.process.pid) - steady_used) / options.seconds
            tab.page.mouse.up()
            browser.close()
        finally:
            server.stop()
    print("| drag of a line's end | |\n|---|---|")
    print(f"| mouse to table, median, {len(waits)} moves | {np.median(waits):.0f} ms |")
    print(f"| mouse to table, 95 % | {np.percentile(waits, 95):.0f} ms |")
    print(f"| processor time of the server per move, with its pictures | {used:.0f} ms |")
    print(f"| pictures of the view per second, mouse moving all the time | {pictures:.0f} |")
    print(f"| changes of the table per second | {changes:.0f} |")
    print(f"| processors that the server used meanwhile | {steady_used:.2f} |")
    print(
        f"| processes ready to run on this computer, last minute | {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores |"
    )


if __name__ == "__main__":
    main()
