"""HTML to PDF, by an installed browser."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ...errors import DependencyError, OutputError
from ...files import atomic_path

#: Programs of the Chromium family by the names they have on Linux, Windows and macOS.
_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
_SECONDS = 120


def find_browser() -> str | None:
    """A browser that can print without a window; None if there is none."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def write_pdf(page: Path, path: Path, environment: Mapping[str, str] | None = None) -> None:
    """Print an HTML page to PDF, on the paper that its style sheet names.

    If it fails, an earlier PDF is removed too, because it could show other values than the page.

    :param environment: environment variables of the browser, by default of this process. The environment of 3D Slicer
        contains Slicer's own libraries, with which the browser may not start.
    :raises DependencyError: no suitable browser is installed.
    :raises OutputError: it failed, or the file cannot be written.
    """
    instead = f"Open {page.name} in a browser and print it."
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        path.unlink(missing_ok=True)
        browser = find_browser()
        if browser is None:
            raise DependencyError("The PDF was not created: Chromium, Chrome or Edge is not installed.", instead)
        name = Path(browser).stem
        # The page is our own and has no scripts, so it needs no sandbox, which containers do not allow.
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={profile}", f"--print-to-pdf={temporary}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, env=environment)
        except subprocess.TimeoutExpired as error:
            raise OutputError(f"The PDF was not created: {name} took more than {_SECONDS} s.", instead) from error
        except OSError as error:
            raise OutputError(f"The PDF was not created: {name} could not be started.", instead) from error
        if not temporary.is_file() or temporary.read_bytes()[:5] != b"%PDF-":
            raise OutputError(f"The PDF was not created: {name} ended with code {done.returncode}.", instead)
