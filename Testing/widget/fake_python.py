"""Stands for PythonSlicer in the tests: a launcher with a child below it that behaves as FAKE_CHILD says.

``slow``: reports progress and works until it is told to end. ``stubborn``: the same, deaf to everything but force.
``die``: ends by a signal without a word. ``silent``: ends well without a result. ``error KIND MESSAGE``: says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def say(**content: object) -> None:
    """One JSON line."""
    print(json.dumps(content), flush=True)


def work(way: str) -> int:
    """Be the child."""
    if way == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if way.startswith("error"):
        _, kind, message = way.split(" ", 2)
        say(error={"type": "E", "kind": kind, "message": message, "hint": "", "exit_code": 30})
        return 30
    if way == "noise":
        print("Traceback (most recent call last):\nModuleNotFoundError: No module named 'torch'", file=sys.stderr)
        return 1
    if way in ("slow", "stubborn"):
        if way == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (Path(os.environ["TMPDIR"]) / "half-written").write_text("x")
        say(stage="segment", fraction=0.5, message=f"pid {os.getpid()}")
        while True:
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    if os.environ.get("FAKE_CHILD_BELOW"):
        sys.exit(work(os.environ["FAKE_CHILD"]))
    below = {**os.environ, "FAKE_CHILD_BELOW": "1"}
    done = subprocess.run([sys.executable, __file__], env=below, check=False).returncode
    sys.exit(done) if done >= 0 else os.kill(os.getpid(), -done)
