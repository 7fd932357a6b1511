"""The child process that segments and measures, seen from its parent: command, conversation, failures, end.

Neither Qt nor `subprocess` is used to start it: the Slicer module drives it with a QProcess, tests with `subprocess`.
What the child prints is one JSON object per line (see `__main__`); everything else it says is kept for the log.
After a first line on its standard input (`GREETING`) the child ends when that ends, so it does not outlive a parent
that crashed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .errors import (
    CancelledError,
    DependencyError,
    DeviceError,
    LevelNameError,
    ModelError,
    NothingFoundError,
    OutputError,
)
from .progress import ESTIMATE

_LIBRARY_PARENT = Path(__file__).resolve().parents[1]
#: What the parent writes first.
GREETING = b"go\n"
#: Lines of plain output that are kept, newest last.
_KEPT_LINES = 400
_FIRST_INPUT_CODE, _LAST_INPUT_CODE = 10, 19

#: What to do next, by kind of failure. `classify` chooses the kind.
NEXT_STEPS = {
    "packages": "Press Segment & Measure again and agree to the installation, or install it in the PyTorch module. "
    "Then try again.",
    "memory": "Choose the device 'cpu', crop the volume to the spine (Crop Volume module), or close other programs.",
    "device": "Choose the device 'auto' or 'cpu'.",
    "weights": "Remove the SpineMeasure extension in the Extensions Manager and install it again.",
    "empty": "Check that the volume is an MRI that shows the spine, or segment a few levels by hand and measure those.",
    "input": "Choose another volume.",
    "level": "Name the lowest disc in view, for example L5-S1, or leave the field empty.",
    "disk": "Free some space on the disk that holds the temporary files, then try again.",
    "output": "Check that the folder for temporary files can be written to, then try again.",
    "killed": "The system may have run out of memory: close other programs or crop the volume, then try again.",
    "start": "Install Slicer again, or report this with the log.",
    "cancelled": "",
    "unexpected": "Look at the log under Details and report it.",
}


#: Where the stages lie in a whole run, 0..1.
_STAGES = {
    "read": (0.0, 0.02), "load model": (0.02, 0.05), "labels": (0.02, 0.05), ESTIMATE: (0.05, 0.05),
    "segment": (0.05, 0.8),
    "name levels": (0.8, 0.85), "measure": (0.85, 0.97), "write": (0.97, 1.0), "done": (1.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Update:
    """How far the child is: `fraction` of `stage` in 0..1."""

    stage: str
    fraction: float
    message: str

    @property
    def overall(self) -> float:
        """How far the whole run is, 0..1."""
        first, last = _STAGES.get(self.stage, (0.0, 0.0))
        return first + (last - first) * self.fraction


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    :ivar kind: a key of `NEXT_STEPS`.
    :ivar message: one plain sentence saying what was wrong.
    :ivar next_step: one plain sentence saying what to do; empty after a cancellation.
    """

    kind: str
    message: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


def measure_command(
    python: str,
    image: Path,
    out: Path,
    *,
    device: str = "auto",
    lowest_disc: str = "",
    labels: Path | None = None,
    bundle: Path | None = None,
    picture: bool = False,
) -> list[str]:
    """Program and arguments that segment and measure `image` into the folder `out`.

    :param python: the interpreter, in Slicer that of PythonSlicer.
    :param labels: a label map to measure instead of running the model.
    :param picture: whether to draw the overview, if matplotlib is installed.
    """
    command = [python, "-m", __package__, "measure", str(image), "-o", str(out), "--device", device]
    command += ["--no-scene", "--end-with-input", *(["--picture"] if picture else [])]
    for option, value in (("--lowest-disc", lowest_disc), ("--labels", labels), ("--bundle", bundle)):
        if value:
            command += [option, str(value)]
    return command


def device_command(python: str, device: str = "auto") -> list[str]:
    """Program and arguments that tell which device would be used and why."""
    return [python, "-m", __package__, "device", "--device", device, "--end-with-input"]


def environment(base: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """The child's environment: this library importable, all its temporary files in `temporary`, output unbuffered."""
    paths = [str(_LIBRARY_PARENT), *filter(None, [base.get("PYTHONPATH", "")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return {**base, **own, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}


def running(pids: Iterable[int]) -> bool:
    """True while any of the processes is there; on Windows always False: there the system ends whole trees."""
    if os.name == "nt":
        return False
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, 0)
            return True
    return False


class Workspace:
    """A temporary folder for one run: the image goes in, results come out, `remove` leaves nothing."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spinemeasure-run-"))

    @property
    def image(self) -> Path:
        """Where the parent writes the image."""
        return self.folder / "image.nrrd"

    @property
    def results(self) -> Path:
        """Where the child writes its results."""
        return self.folder / "results"

    def remove(self) -> bool:
        """Delete the folder; True when it is gone (on Windows a dying process may hold it for a moment)."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()


@dataclass
class Conversation:
    """What a child said so far.

    :ivar result: contents of the ``result`` line, None before it came.
    :ivar error: contents of the ``error`` line, None unless it came.
    :ivar log: plain lines of both streams, newest last.
    """

    result: dict[str, object] | None = None
    error: dict[str, object] | None = None
    log: list[str] = field(default_factory=list)
    _partial: bytes = b""
    _partial_log: bytes = b""

    def feed(self, data: bytes) -> list[Update]:
        """Take bytes of standard output, cut anywhere; returns the updates that they complete."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [update for line in lines if (update := self._read(line)) is not None]

    def feed_log(self, data: bytes) -> None:
        """Take bytes of standard error, cut anywhere."""
        *lines, self._partial_log = (self._partial_log + data).split(b"\n")
        for line in lines:
            self._keep(line)

    def finish(self) -> None:
        """The streams have ended: take what came without an end of line."""
        self.feed(b"\n")
        self.feed_log(b"\n")

    def _read(self, line: bytes) -> Update | None:
        try:
            content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError
            if isinstance(content.get("result"), dict):
                self.result = content["result"]
                return None
            if isinstance(content.get("error"), dict):
                self.error = content["error"]
                return None
            fraction = min(1.0, max(0.0, float(content["fraction"])))
            return Update(str(content["stage"]), fraction, str(content.get("message", "")))
        except (ValueError, KeyError, TypeError):
            self._keep(line)
            return None

    def _keep(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self.log.append(text)
            del self.log[:-_KEPT_LINES]


def classify(
    conversation: Conversation, exit_code: int, crashed: bool = False, cancelled: bool = False
) -> Failure | None:
    """What went wrong, None when the result is there.

    :param crashed: the process was ended by a signal or could not go on.
    :param cancelled: the user asked for the end.
    """
    if cancelled:
        return _failure("cancelled", "The work was cancelled. Nothing was changed.")
    error = conversation.error
    if error is not None:
        message = str(error.get("message", "")) or "The measuring failed."
        code = error.get("exit_code")
        kind = _kind_of_code(code if isinstance(code, int) else 1, message)
        if kind == "cancelled":
            # Nobody asked for it: the system did, at logging out for example.
            return _failure("killed", "The measuring was stopped from outside.")
        return _failure(kind, message, str(error.get("hint", "")))
    if exit_code == 0 and not crashed:
        if conversation.result is not None:
            return None
        return _failure("empty", "The measuring ended without a result.")
    return _from_log(conversation.log, exit_code, crashed)


def not_started(python: str) -> Failure:
    """The failure of a child that could not be started."""
    return _failure("start", f"The program {python or 'PythonSlicer'} could not be started.")


def _failure(kind: str, message: str, hint: str = "") -> Failure:
    # A hint of the input says more than the general one; hints that name options of the command line do not apply.
    use_hint = kind in ("input", "level", "unexpected") and hint and "--" not in hint
    return Failure(kind, message, hint if use_hint else NEXT_STEPS[kind])


def _kind_of_code(code: int, message: str) -> str:
    if _FIRST_INPUT_CODE <= code <= _LAST_INPUT_CODE:
        return "input"
    if code == DeviceError.exit_code:
        return "memory" if "memory" in message else "device"
    if code == OutputError.exit_code:
        return "disk" if _says_disk_full(message) else "output"
    return {
        ModelError.exit_code: "weights",
        DependencyError.exit_code: "packages",
        NothingFoundError.exit_code: "empty",
        LevelNameError.exit_code: "level",
        CancelledError.exit_code: "cancelled",
    }.get(code, "disk" if _says_disk_full(message) else "unexpected")


def _says_disk_full(text: str) -> bool:
    return any(words in text.lower() for words in ("no space left", "disk full", "not enough space", "disk quota"))


def _from_log(log: list[str], exit_code: int, crashed: bool) -> Failure:
    """A child that ended without a word on standard output."""
    text = "\n".join(log)
    last = log[-1] if log else ""
    missing = "No module named "
    if missing in text:
        name = text.rpartition(missing)[2].split("\n")[0].strip("'\" ;")
        own = name.startswith(__package__)
        message = f"The package {name} is not installed."
        return _failure("start" if own else "packages", message)
    if "out of memory" in text.lower() or "MemoryError" in text or "bad_alloc" in text:
        return _failure("memory", "The memory ran out.")
    if _says_disk_full(text):
        return _failure("disk", "The disk is full.")
    if crashed or exit_code < 0 or exit_code in (137, 143):
        return _failure("killed", "The measuring was ended by the system.")
    return _failure("unexpected", f"The measuring failed with exit code {exit_code}{f': {last}' if last else '.'}")


def process_tree(pid: int) -> list[int]:
    """`pid` and every process below it, the deepest last. PythonSlicer is a launcher: the work is done by its child.

    :param pid: 0 for a process that does not run, as Qt says; below the system's own 0 would be everything.
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
    """(process, parent) of all processes; empty on Windows, where `end_processes` asks the system for the tree."""
    if os.name == "nt":
        return []
    proc = Path("/proc")
    if (proc / "self" / "stat").exists():
        pairs = []
        for stat in proc.glob("[0-9]*/stat"):
            with suppress(OSError, ValueError, IndexError):
                # The name in brackets may hold blanks and brackets.
                pairs.append((int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])))
        return pairs
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    return [(int(a), int(b)) for a, b in (line.split() for line in listing.stdout.splitlines())]


def end_processes(pids: Iterable[int], force: bool = False) -> None:
    """Ask processes to end, or with `force` end them; those that are gone already are passed over."""
    for pid in list(pids)[::-1]:
        if pid <= 0:
            continue
        if os.name == "nt":
            # There is no asking on Windows but by the end of the input.
            if force:
                hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
                command = ["taskkill", "/T", "/F", "/PID", str(pid)]
                subprocess.run(command, capture_output=True, check=False, creationflags=hidden)
        else:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL if force and sys.platform != "win32" else signal.SIGTERM)
