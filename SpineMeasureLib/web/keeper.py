"""Keeps every edit on disk at once, so that a server that is killed loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpineMeasureError
from ..files import file_hash
from ..review.keep import keep, kept_path

#: Least seconds between two writings: a line that is dragged changes many times a second.
_EVERY = 0.2


class Keeper:
    """Writes the edits of one open scene into a small file beside it.

    :ivar path: the scene file, None before one is open.
    """

    def __init__(self, scene: Any, failed: Callable[[SpineMeasureError], None]) -> None:
        """:param failed: called where the file cannot be written."""
        self.path: Path | None = None
        self._scene = scene
        self._failed = failed
        self._hash = ""
        self._written = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, path: Path, scene_hash: str) -> None:
        """Keep the edits of a scene that was just opened or written.

        :param scene_hash: SHA-256 of the file.
        """
        self.path, self._hash = path, scene_hash

    def stop(self) -> None:
        """Write what waits to be written, and keep no more."""
        if self._timer is not None:
            self._write()
        self.path = None

    def changed(self) -> None:
        """The scene changed: it is written now, or soon where it was written just before."""
        if self.path is None or self._timer is not None:
            return
        wait = self._written + _EVERY - time.monotonic()
        if wait <= 0:
            self._write()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._write)

    def saved(self) -> None:
        """The scene file itself was written: nothing needs to be kept beside it."""
        self._cancel()
        if self.path is not None:
            self._hash = file_hash(self.path)
            kept_path(self.path).unlink(missing_ok=True)

    def _write(self) -> None:
        self._cancel()
        if self.path is None:
            return
        try:
            keep(self._scene, self.path, self._hash)
        except SpineMeasureError as error:
            self._failed(error)
        self._written = time.monotonic()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
