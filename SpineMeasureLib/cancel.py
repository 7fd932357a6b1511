"""Cancellation: a signal or the end of standard input ends the work with a `CancelledError`."""

from __future__ import annotations

import os
import signal
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import CancelledError

_requested = False
_held_back = False


def cancel_on_signals() -> None:
    """Turn termination signals into a cancellation, so that temporary files are removed."""
    global _requested
    _requested = False
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)


def _stop(number: int, frame: object) -> None:
    global _requested
    # A second request (a signal and the end of the input) must not interrupt the clean-up.
    if not _requested:
        _requested = True
        if not _held_back:
            raise _cancelled()


def _cancelled(hint: str = "Nothing was written.") -> CancelledError:
    return CancelledError("The work was cancelled.", hint)


def stop_if_cancelled() -> None:
    """Cancel again if the work continues after a cancellation, because a library swallowed it.

    :raises CancelledError: a signal came before.
    """
    if _requested:
        raise _cancelled()


def true_end(error: BaseException) -> BaseException:
    """Return the cancellation if a library turned it into another error, otherwise `error` itself."""
    return _cancelled() if _requested and not isinstance(error, CancelledError) else error


@contextmanager
def held_back() -> Iterator[None]:
    """Delay a signal that comes in the body of the `with` until its end.

    :raises CancelledError: such a signal came.
    """
    global _held_back
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield
        return
    requested_before = _requested
    _held_back = True
    try:
        yield
    finally:
        _held_back = False
        if _requested and not requested_before:
            raise _cancelled("Files written so far are kept.")


#: More than any job needs, bytes.
_LONGEST_LINE = 2**20


def first_line_of_input() -> bytes:
    """Return the first line of standard input, or what came if it ended before; later lines stay unread."""
    line = b""
    with suppress(OSError):  # a process without standard input
        while b"\n" not in line and len(line) < _LONGEST_LINE and (more := os.read(0, 65536)):
            line += more
    return line.partition(b"\n")[0]


def cancel_at_end_of_input() -> None:
    """Cancel when standard input ends: the parent closed it or crashed. Also works where there are no signals."""

    def wait() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
        with suppress(OSError):
            while os.read(0, 1024):
                pass
            interrupt_main(signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
