"""A review served by a separate process."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A running review.

    :ivar case: the path that it was started on.
    :ivar address: the address with its access token.
    """

    def __init__(self, case: Path, *options: str) -> None:
        self.case = case
        command = [sys.executable, "-m", "SpineMeasureLib.cli", "review", str(case), "--no-browser", *options]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self._wait_for_address()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put("")

    def _wait_for_address(self) -> str:
        while line := self._queue.get(timeout=300):
            found = re.search(r"(http://\S+token=\S+)", line)
            if found:
                return found.group(1)
        raise AssertionError("".join(self.lines))

    @property
    def origin(self) -> str:
        """Return the address without its token."""
        return self.address.partition("/?")[0]

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Terminate it, as its user does."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
