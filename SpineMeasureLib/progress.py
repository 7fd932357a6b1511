"""The callback through which long work reports, shown by the terminal, JSON lines, Qt and the browser."""

from __future__ import annotations

from collections.abc import Callable

#: ``progress(stage, fraction, message)``; fraction of the stage in 0..1. It may raise
#: `CancelledError` to stop the work.
Progress = Callable[[str, float, str], None]

#: Stage whose message says how long the work will take.
ESTIMATE = "estimate"


def silent(stage: str, fraction: float, message: str = "") -> None:
    """Ignore the report."""


def part_of(progress: Progress, start: float, end: float, name: str | None = None) -> Progress:
    """Return a callback that reports a part of the work as the range from `start` to `end` of the whole.

    :param name: name of the stage; by default the name that the part reports.
    """

    def report(stage: str, fraction: float, message: str = "") -> None:
        progress(name or stage, start + fraction * (end - start), message)

    return report
