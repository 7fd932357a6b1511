"""Whole trees of processes: find them, see whether they still run, end them.

PythonSlicer, for example, is a launcher: the work is done by the process below it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def running(pids: Iterable[int]) -> bool:
    """Return whether any of the processes still runs; always False on Windows, where the system ends whole trees."""
    if os.name == "nt":
        return False
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, 0)
            return True
    return False


def process_tree(pid: int) -> list[int]:
    """Return `pid` and every process below it, the deepest last.

    :param pid: 0 (Qt's answer for a process that is not running) gives an empty list, not every process of the system.
    """
    if pid <= 0:
        return []
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for known in found:
        found += [child for child in children.get(known, []) if child not in found]
    return found


def _parents() -> Iterable[tuple[int, int]]:
    """List (process, parent) of all processes; empty on Windows, where `end_processes` ends the whole tree."""
    if os.name == "nt":
        return []
    proc = Path("/proc")
    if (proc / "self" / "stat").exists():
        pairs = []
        for stat in proc.glob("[0-9]*/stat"):
            with suppress(OSError, ValueError, IndexError):
                # The name in parentheses may contain spaces and parentheses.
                pairs.append((int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])))
        return pairs
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    return [(int(a), int(b)) for a, b in (line.split() for line in listing.stdout.splitlines())]


def end_processes(pids: Iterable[int], force: bool = False) -> None:
    """Ask processes to end, or kill them with `force`; processes that have ended already are ignored."""
    for pid in list(pids)[::-1]:
        if pid <= 0:
            continue
        if os.name == "nt":
            # On Windows only the end of the input asks a process to end.
            if force:
                hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
                command = ["taskkill", "/T", "/F", "/PID", str(pid)]
                subprocess.run(command, capture_output=True, check=False, creationflags=hidden)
        else:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL if force and sys.platform != "win32" else signal.SIGTERM)
