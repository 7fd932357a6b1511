"""The one callback through which long work reports, rendered by terminal, JSON lines, Qt and browser alike."""

from __future__ import annotations

from collections.abc import Callable

#: ``progress(stage, fraction, message)``; fraction of the stage in 0..1. It may raise
#: `CancelledError` to stop the work.
Progress = Callable[[str, float, str], None]


def silent(stage: str, fraction: float, message: str = "") -> None:
    """Report to nobody."""
