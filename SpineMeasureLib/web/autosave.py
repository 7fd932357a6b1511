"""Save every edit at once, so that a killed server loses nothing and no table is older than its scene."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import SpineMeasureError
from ..files import file_hash
from ..review.case_tables import CaseTables
from ..review.keep import keep, kept_path, kept_text
from ..review.session import Session

#: Minimum seconds between two writings.
_EVERY = 0.2


class Autosave:
    """Writes the edits of one open scene beside it, together with the tables of its case folder.

    :ivar path: the scene file, None before one is open.
    """

    def __init__(
        self,
        scene: Any,
        failed: Callable[[SpineMeasureError, bool], None],
        removed: Callable[[Sequence[str]], None] = lambda names: None,
    ) -> None:
        """:param failed: called when a file cannot be written, and whether the edits themselves are saved.

        :param removed: called with the names of files that were removed because they are out of date.
        """
        self.path: Path | None = None
        self._scene = scene
        self._failed, self._removed = failed, removed
        self._hash = ""
        self._session: Session | None = None
        self._tables: CaseTables | None = None
        self._written = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, path: Path, scene_hash: str, session: Session) -> None:
        """Start saving the edits of a scene that was just opened or written.

        :param scene_hash: SHA-256 of the file.
        :param session: its case.
        """
        self.path, self._hash, self._session = path, scene_hash, session
        self._tables = CaseTables.around(path, scene_hash)

    def stop(self) -> None:
        """Write what is pending, and stop saving."""
        if self._timer is not None:
            self._write()
        self.path = self._session = self._tables = None

    def changed(self) -> None:
        """Save the change: now, or soon if the last write was a moment ago."""
        dragging = self._session is not None and self._session.dragging  # the step ends with the drag
        if self.path is None or self._timer is not None or dragging:
            return
        wait = self._written + _EVERY - time.monotonic()
        if wait <= 0:
            self._write()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._write)

    def save(self, write_scene: Callable[[Path], None]) -> list[str]:
        """Write the scene file itself; nothing needs to be kept beside it afterwards.

        :param write_scene: writes the scene into a file.
        :return: names of files that were removed because they are out of date.
        :raises OutputError: it cannot be written.
        """
        removed: list[str] = []
        if self.path is None or self._session is None:
            return removed
        self._cancel()
        if self._tables is not None:
            removed = self._tables.save(self._session, write_scene)
        else:
            write_scene(self.path)
            kept_path(self.path).unlink(missing_ok=True)
        self._hash = file_hash(self.path)
        return removed

    def _write(self) -> None:
        self._cancel()
        if self.path is None or self._session is None:
            return
        try:
            if self._tables is not None:
                self._follow(self._tables, self._session)
            else:
                keep(self._scene, self.path, self._hash)
        except SpineMeasureError as error:
            self._failed(error, False)
        self._written = time.monotonic()

    def _follow(self, tables: CaseTables, session: Session) -> None:
        assert self.path is not None
        try:
            removed = tables.follow(session, kept_text(self._scene, self._hash))
        except SpineMeasureError as error:
            # The edits matter more than the tables, whose readers notice that they are out of date.
            keep(self._scene, self.path, self._hash)
            self._failed(error, True)
        else:
            if removed:
                self._removed(removed)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
