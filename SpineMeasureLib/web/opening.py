"""Open the page in a browser without its access token in the process list, which every user can read."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path

_PAGE = """<!DOCTYPE html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}"><title>SpineMeasure</title><a href="{address}">Open the review</a>
"""


class OpeningPage:
    """A private file that redirects a browser to an address."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def open(self, address: str) -> None:
        """Write the file and open it in a browser. It stays until `remove`."""
        # The home folder first: sandboxed browsers cannot read the temporary folder.
        for folder in (Path.home(), Path(tempfile.gettempdir())):
            with suppress(OSError):
                self.path = write_page(address, folder)
                break
        if self.path is not None and not webbrowser.open(self.path.as_uri()):
            self.remove()

    def remove(self) -> None:
        """Remove the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None


def write_page(address: str, folder: Path) -> Path:
    """Write a page that redirects to an address and that only its owner can read.

    :raises OSError: the folder cannot be written to.
    """
    number, name = tempfile.mkstemp(".html", "spinemeasure-", folder)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(_PAGE.format(address=escape(address)))
    return Path(name)
