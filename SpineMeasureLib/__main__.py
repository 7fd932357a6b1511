"""``python -m SpineMeasureLib``: the child process, which takes its job from standard input and prints JSON lines.

The job is one line, a JSON object: ``command`` ("measure", "segment" or "device") and fields of `pipeline.Job`.
Standard input then stays open; its end cancels the work. Every line of output is an object with ``stage``, ``fraction``
and ``message``; the last one has ``result``, or ``error`` with its ``kind`` (`errors.KINDS`). `child.py` is the other
end of the conversation. Needs numpy, scipy, SimpleITK, torch and MONAI only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import get_args

from .cancel import cancel_at_end_of_input, cancel_on_signals, first_line_of_input, stop_if_cancelled, true_end
from .errors import DISK_FULL, CancelledError, DependencyError, JobError, PlainError, as_plain
from .measure.definitions import PREFERRED, EndsOn
from .pipeline import Job, run
from .segment.labels.written import WRITTEN

COMMANDS = ("measure", "segment", "device")
#: JSON type of a field of `Job`, by its annotation without "| None".
_JSON_TYPES = {"Path": str, "str": str, "bool": bool, "EndsOn": str, "tuple[str, ...]": list}
_TYPES = {field.name: str(field.type).removesuffix(" | None") for field in fields(Job)}


def emit(line: Mapping[str, object]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(line), flush=True)


def report(stage: str, fraction: float, message: str = "") -> None:
    """Print progress as a JSON line."""
    stop_if_cancelled()
    emit({"stage": stage, "fraction": round(fraction, 4), "message": message})


def fail(error: BaseException) -> int:
    """Print the last line of a run that failed and return the exit code."""
    plain = as_plain(error) or PlainError(f"Unexpected: {error}", "Please report this.")
    disk_full = isinstance(error, OSError) and error.errno in DISK_FULL
    told = {"type": type(error).__name__, "kind": "disk" if disk_full else plain.kind}
    emit({"error": {**told, "message": plain.message, "hint": plain.hint, "exit_code": plain.exit_code}})
    return plain.exit_code


def run_with_json_lines(job: Job) -> int:
    """Run a job with JSON lines on standard output and return the exit code."""
    try:
        result = run(job, report)
    except (Exception, CancelledError) as error:  # every failure ends in a line that the parent understands
        return fail(true_end(error))
    emit({"result": {"out": str(job.out), "files": result.files, "warnings": result.warnings}})
    return 0


def report_device(requested: str) -> int:
    """Print which device would be used, and why, as a JSON line; return the exit code."""
    try:
        from .segment.device import choose_device, describe, explain

        device = choose_device(requested)
        result = {"device": device.type, "name": describe(device), "why": explain(device, requested)}
    except ImportError as error:
        return fail(DependencyError(f"The package '{error.name}' is not installed."))
    except PlainError as error:
        return fail(error)
    emit({"result": result})
    return 0


def parse_job(line: bytes) -> Job | str:
    """Read the line that a parent writes first.

    :return: the job, or the name of the device for the command "device".
    :raises JobError: it is not a job; the message says why.
    """
    try:
        given = json.loads(line)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _bad("The job is not a JSON object.")
    values = {name: value for name, value in given.items() if value not in (None, "")}
    command = values.pop("command", None)
    if command not in COMMANDS:
        raise _bad(f"The command of a job is one of: {', '.join(COMMANDS)}.")
    for name, value in values.items():
        if name not in _TYPES or not isinstance(value, _JSON_TYPES[_TYPES[name]]) or name == "measure":
            raise _bad(f"The job has an invalid entry: {name}.")
        if _TYPES[name] == "Path":
            values[name] = Path(str(value))
    if values.get("ends", PREFERRED) not in get_args(EndsOn):
        raise _bad("The job has an invalid entry: ends.")
    if command == "device":
        return str(values.get("device", "auto"))
    if missing := {"image", "out"} - set(values):
        raise _bad(f"The job lacks: {', '.join(sorted(missing))}.")
    written = tuple(values.pop("write_conventions", ()))
    if not set(written) <= set(WRITTEN):
        raise _bad("The job has an invalid entry: write_conventions.")
    return Job(**values, write_conventions=written, measure=command == "measure")


def _bad(message: str) -> JobError:
    return JobError(message, "See the documentation of SpineMeasureLib.child.")


def main() -> int:
    """Read the job, do it, and return the exit code."""
    cancel_on_signals()
    try:
        if len(sys.argv) > 1:
            raise _bad("The job is read from standard input, not from the command line.")
        work = parse_job(first_line_of_input())
    except (PlainError, CancelledError) as error:
        return fail(error)
    cancel_at_end_of_input()
    return report_device(work) if isinstance(work, str) else run_with_json_lines(work)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code) if code == CancelledError.exit_code else sys.exit(code)
