"""``python -m SpineMeasureLib``: the child process that Slicer starts. JSON lines out, standard library arguments in.

Every line is an object with ``stage``, ``fraction``, ``message``; the last one has ``result`` or ``error``.
Needs numpy, scipy, SimpleITK, torch and MONAI only. `child.py` is the other end of the conversation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from .cancel import cancel_at_end_of_input, cancel_on_signals, stop_if_cancelled, true_end
from .errors import CancelledError, DependencyError, PlainError, as_plain
from .pipeline import Job, run
from .segment.labels.written import WRITTEN


def emit(line: dict[str, object]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(line), flush=True)


def report(stage: str, fraction: float, message: str = "") -> None:
    """Progress as a JSON line."""
    stop_if_cancelled()
    emit({"stage": stage, "fraction": round(fraction, 4), "message": message})


def failure(error: BaseException) -> dict[str, object]:
    """The last line of a run that failed."""
    plain = as_plain(error)
    if plain:
        details = {"message": plain.message, "hint": plain.hint, "exit_code": plain.exit_code}
    else:
        details = {"message": f"Unexpected: {error}", "hint": "Please report this.", "exit_code": 1}
    return {"error": {"type": type(error).__name__, **details}}


def run_with_json_lines(job: Job) -> int:
    """Run a job with JSON lines on standard output; returns the exit code."""
    try:
        result = run(job, report)
    except (Exception, CancelledError) as error:  # every failure ends in a line that the parent understands
        line = failure(true_end(error))
        emit(line)
        details = line["error"]
        assert isinstance(details, dict)
        return int(details["exit_code"])
    emit({"result": {"out": str(job.out), "files": result.files, "warnings": result.warnings}})
    return 0


def tell_device(requested: str) -> int:
    """Which device would be used, and why, as a JSON line; returns the exit code."""
    try:
        from .segment.device import choose_device, describe, explain

        device = choose_device(requested)
        told = {"device": device.type, "name": describe(device), "why": explain(device, requested)}
    except ImportError as error:
        missing = DependencyError(f"The package '{error.name}' is not installed.")
        emit(failure(missing))
        return missing.exit_code
    except PlainError as error:
        emit(failure(error))
        return error.exit_code
    emit({"result": told})
    return 0


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("The path is empty.")
    return Path(text)


def main(arguments: list[str] | None = None) -> int:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m SpineMeasureLib", description=__doc__)
    parser.add_argument("command", choices=("measure", "segment", "device"))
    parser.add_argument("image", type=_path, nargs="?")
    parser.add_argument("-o", "--out", type=_path)
    parser.add_argument("--labels", type=_path)
    parser.add_argument("--convention", default="auto")
    parser.add_argument("--subregions", type=_path)
    parser.add_argument("--disc-points", type=_path)
    parser.add_argument("--write-convention", dest="write_conventions", action="append", choices=WRITTEN)
    parser.add_argument("--series")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--bundle", type=_path)
    parser.add_argument("--lowest-disc")
    parser.add_argument("--no-scene", dest="scene", action="store_false")
    parser.add_argument("--picture", action="store_true")
    parser.add_argument("--end-with-input", action="store_true")
    parser.add_argument("--dicom", action="store_true")
    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    if command != "device" and not (options["image"] and options["out"]):
        parser.error("an image and --out are needed")
    cancel_on_signals()
    if options.pop("end_with_input"):
        cancel_at_end_of_input()
    if command == "device":
        return tell_device(options["device"])
    options["write_conventions"] = tuple(options["write_conventions"] or ())
    return run_with_json_lines(Job(**options, measure=command == "measure"))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code) if code == CancelledError.exit_code else sys.exit(code)
