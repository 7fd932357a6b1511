"""``python -m SpineMeasureLib``: the child process that Slicer starts. JSON lines out, standard library arguments in.

Every line is an object with ``stage``, ``fraction``, ``message``; the last one has ``result`` or ``error``.
Needs numpy, scipy, SimpleITK, torch and MONAI only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from .errors import CancelledError, SpineMeasureError
from .pipeline import Job, run


def emit(line: dict[str, object]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(line), flush=True)


def report(stage: str, fraction: float, message: str = "") -> None:
    """Progress as a JSON line."""
    emit({"stage": stage, "fraction": round(fraction, 4), "message": message})


def cancel_on_signals() -> None:
    """Let a termination signal end the work as a cancellation, so that temporary files are removed."""

    def stop(number: int, frame: object) -> None:
        raise CancelledError("The work was cancelled.", "Nothing was written.")

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def failure(error: BaseException) -> dict[str, object]:
    """The last line of a run that failed."""
    if isinstance(error, SpineMeasureError):
        details = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
    elif isinstance(error, MemoryError):
        details = {"message": "The computer ran out of memory.", "hint": "Crop the image.", "exit_code": 32}
    else:
        details = {"message": f"Unexpected: {error}", "hint": "Please report this.", "exit_code": 1}
    return {"error": {"type": type(error).__name__, **details}}


def run_with_json_lines(job: Job) -> int:
    """Run a job with JSON lines on standard output; returns the exit code."""
    try:
        result = run(job, report)
    except Exception as error:  # every failure ends in a line that the parent understands
        line = failure(error)
        emit(line)
        details = line["error"]
        assert isinstance(details, dict)
        return int(details["exit_code"])
    emit({"result": {"out": str(job.out), "files": result.files, "warnings": result.warnings}})
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m SpineMeasureLib", description=__doc__)
    parser.add_argument("command", choices=("measure", "segment"))
    parser.add_argument("image", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--convention", default="auto")
    parser.add_argument("--subregions", type=Path)
    parser.add_argument("--series")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--lowest-disc")
    parser.add_argument("--dicom", action="store_true")
    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    cancel_on_signals()
    return run_with_json_lines(Job(**options, measure=command == "measure", picture=False))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code) if code == CancelledError.exit_code else sys.exit(code)
