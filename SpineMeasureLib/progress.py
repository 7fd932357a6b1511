"""The one callback through which long work reports, rendered by terminal, JSON lines, Qt and browser alike."""

from __future__ import annotations

from collections.abc import Callable

#: ``progress(stage, fraction, message)``; fraction of the stage in 0..1. It may raise
#: `CancelledError` to stop the work.
Progress = Callable[[str, float, str], None]

#: The stage whose message says how long the work will take.
ESTIMATE = "estimate"


def silent(stage: str, fraction: float, message: str = "") -> None:
    """Report to nobody."""


def part_of(progress: Progress, start: float, end: float, name: str | None = None) -> Progress:
    """Reports of a part of the work as reports of the whole, from `start` to `end` of it.

    :param name: of the stage; that of the part when None.
    """

    def report(stage: str, fraction: float, message: str = "") -> None:
        progress(name or stage, start + fraction * (end - start), message)

    return report
