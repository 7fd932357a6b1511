"""The child process that segments and measures, as its parent sees it: command, job, conversation, failures.

The child reads its job from standard input, one line of JSON, so that no path appears in the list of processes; when
standard input ends after that, it cancels the work, so it does not outlive a parent that crashed. It prints one JSON
object per line (see `__main__`); its other output is kept for the log.

Nothing here starts a process. `Runner` is what does: a QProcess in Slicer, asyncio in the server, a stand-in in tests.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .errors import KINDS
from .progress import ESTIMATE

_LIBRARY_PARENT = Path(__file__).resolve().parents[1]
#: Lines of plain output that are kept, newest last.
_KEPT_LINES = 400

#: What to do next, by kind of failure (`errors.KINDS`).
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
    "job": "Make sure that the child process runs the same version of SpineMeasure, or report this with the log.",
    "killed": "The computer may have run out of memory: close other programs or crop the volume, then try again.",
    "start": "Install Slicer again, or report this with the log.",
    "cancelled": "",
    "unexpected": "Please report it with the log under Details.",
}


#: Start and end of each stage within a whole run, 0..1.
_STAGES = {
    "read": (0.0, 0.02), "load model": (0.02, 0.05), "labels": (0.02, 0.05), ESTIMATE: (0.05, 0.05),
    "segment": (0.05, 0.8),
    "name levels": (0.8, 0.85), "measure": (0.85, 0.97), "write": (0.97, 1.0), "done": (1.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Update:
    """Progress of the child: `fraction` of `stage` in 0..1."""

    stage: str
    fraction: float
    message: str

    @property
    def overall(self) -> float:
        """Progress of the whole run, 0..1."""
        first, last = _STAGES.get(self.stage, (0.0, 0.0))
        return first + (last - first) * self.fraction


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    :ivar kind: a key of `NEXT_STEPS`.
    :ivar message: one plain sentence that says what went wrong.
    :ivar next_step: one plain sentence that says what to do; empty after a cancellation.
    """

    kind: str
    message: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class Runner(Protocol):
    """Runs one job in a child process, reports its progress and its end, and can be cancelled.

    Made with the interpreter, the job, a `Workspace` that is removed at the end, a callback for every `Update`, and a
    callback for the end, which gets a `Failure`, or None if there is a result. Tests replace it.

    :ivar conversation: what the child has said so far.
    :ivar cancelled: whether `cancel` or `abandon` was called.
    """

    conversation: Conversation
    cancelled: bool

    def start(self) -> Runner:
        """Start the child and return this object. The end is reported by the callback, also if it cannot be started."""

    def cancel(self) -> None:
        """Ask the child to end, and kill it if it takes too long; the end is reported as for every run."""

    def abandon(self) -> None:
        """Kill the child at once; nothing is reported any more."""


#: A job as the child reads it: ``command``, and the fields of `pipeline.Job` that differ from their defaults.
Job = Mapping[str, object]


def measure_job(
    image: Path,
    out: Path,
    *,
    device: str = "auto",
    lowest_disc: str = "",
    labels: Path | None = None,
    ends: str = "edges",
    bundle: Path | None = None,
    picture: bool = False,
) -> Job:
    """Return the job that segments and measures `image` into the folder `out`.

    :param labels: a label map to measure instead of running the model.
    :param ends: what the heights that are shown first are between: edges of the image, or masks.
    :param picture: whether to draw the overview, if matplotlib is installed.
    """
    paths = {"image": image, "out": out, "labels": labels, "bundle": bundle}
    job = {name: str(path) for name, path in paths.items() if path}
    return {
        "command": "measure",
        **job,
        "device": device,
        "lowest_disc": lowest_disc,
        "ends": ends,
        "scene": False,
        "picture": picture,
    }


def device_job(device: str = "auto") -> Job:
    """Return the job that reports which device would be used and why."""
    return {"command": "device", "device": device}


def command(python: str) -> list[str]:
    """Return the program and arguments of every child.

    :param python: the interpreter; PythonSlicer in Slicer.
    """
    return [python, "-m", __package__]


def first_line(job: Job) -> bytes:
    """Return what the parent writes to standard input of the child, which then stays open."""
    return json.dumps(job).encode("ascii") + b"\n"


def environment(base: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """Return the child's environment: this library importable, temporary files in `temporary`, output unbuffered."""
    paths = [str(_LIBRARY_PARENT), *filter(None, [base.get("PYTHONPATH", "")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return {**base, **own, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}


class Workspace:
    """A temporary folder for the image, the results and other files of one run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spinemeasure-run-"))

    @property
    def image(self) -> Path:
        """File that the parent writes the image to."""
        return self.folder / "image.nrrd"

    @property
    def results(self) -> Path:
        """Folder that the child writes its results to."""
        return self.folder / "results"

    def remove(self) -> bool:
        """Delete the folder and return whether it is gone (on Windows an ending process may lock it for a moment)."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()


@dataclass
class Conversation:
    """What a child has said so far.

    :ivar result: contents of the ``result`` line; None before it.
    :ivar error: contents of the ``error`` line; None without one.
    :ivar log: plain lines of both streams, newest last.
    """

    result: dict[str, object] | None = None
    error: dict[str, object] | None = None
    log: list[str] = field(default_factory=list)
    _partial: bytes = b""
    _partial_log: bytes = b""

    def feed(self, data: bytes) -> list[Update]:
        """Take bytes of standard output, cut anywhere, and return the updates that they complete."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [update for line in lines if (update := self._read(line)) is not None]

    def feed_log(self, data: bytes) -> None:
        """Take bytes of standard error, cut anywhere."""
        *lines, self._partial_log = (self._partial_log + data).split(b"\n")
        for line in lines:
            self._keep(line)

    def finish(self) -> None:
        """Take what came without an end of line; both streams have ended."""
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
    """Return what went wrong, or None if the result is there.

    :param crashed: a signal or a crash ended the process.
    :param cancelled: the user cancelled the run.
    """
    if cancelled:
        return _failure("cancelled", "The run was cancelled. Nothing was changed.")
    error = conversation.error
    if error is not None:
        message = str(error.get("message", "")) or "The measurement failed."
        kind = str(error.get("kind"))
        if kind == "cancelled":
            # Not by the user but by the system, for example at logout.
            return _failure("killed", "The measurement was stopped by the system.")
        return _failure(kind if kind in KINDS else "unexpected", message, str(error.get("hint", "")))
    if exit_code == 0 and not crashed:
        if conversation.result is not None:
            return None
        return _failure("empty", "The measurement ended without a result.")
    return _from_log(conversation.log, exit_code, crashed)


def not_started(python: str) -> Failure:
    """Return the failure of a child that could not be started."""
    return _failure("start", f"The program {python or 'PythonSlicer'} could not be started.")


def _failure(kind: str, message: str, hint: str = "") -> Failure:
    # A hint about the input says more than the general one; hints about options of the command line do not apply.
    use_hint = kind in ("input", "level", "unexpected") and hint and "--" not in hint
    return Failure(kind, message, hint if use_hint else NEXT_STEPS[kind])


def _says_disk_full(text: str) -> bool:
    return any(words in text.lower() for words in ("no space left", "disk full", "not enough space", "disk quota"))


def _from_log(log: list[str], exit_code: int, crashed: bool) -> Failure:
    """Classify a child that ended without a word on standard output."""
    text = "\n".join(log)
    last = log[-1] if log else ""
    missing = "No module named "
    if missing in text:
        name = text.rpartition(missing)[2].split("\n")[0].strip("'\" ;")
        own = name.startswith(__package__)
        message = f"The package {name} is not installed."
        return _failure("start" if own else "packages", message)
    if "out of memory" in text.lower() or "MemoryError" in text or "bad_alloc" in text:
        return _failure("memory", "The computer ran out of memory.")
    if _says_disk_full(text):
        return _failure("disk", "The disk is full.")
    if crashed or exit_code < 0 or exit_code in (137, 143):
        return _failure("killed", "The measurement was ended by the system.")
    return _failure("unexpected", f"The measurement failed with exit code {exit_code}{f': {last}' if last else '.'}")
