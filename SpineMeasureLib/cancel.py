"""Cancelling: a signal, or the end of standard input, ends the work with a `CancelledError`."""

from __future__ import annotations

import os
import signal
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import CancelledError

_told = False
_held_back = False


def cancel_on_signals() -> None:
    """Let a termination signal end the work as a cancellation, so that temporary files are removed."""
    global _told
    _told = False
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)


def _stop(number: int, frame: object) -> None:
    global _told
    # Told twice (a signal, and the end of the input), the second must not stop the cleaning up.
    if not _told:
        _told = True
        if not _held_back:
            raise _cancelled()


def _cancelled(hint: str = "Nothing was written.") -> CancelledError:
    return CancelledError("The work was cancelled.", hint)


def stop_if_cancelled() -> None:
    """Cancel again where the work goes on in spite of it: a library may have swallowed it.

    :raises CancelledError: a signal came before.
    """
    if _told:
        raise _cancelled()


def true_end(error: BaseException) -> BaseException:
    """The cancellation where a library made another error of it; else `error` itself."""
    return _cancelled() if _told and not isinstance(error, CancelledError) else error


@contextmanager
def held_back() -> Iterator[None]:
    """Act on a signal that comes in the body of the `with` only after it.

    :raises CancelledError: such a signal came.
    """
    global _held_back
    if threading.current_thread() is not threading.main_thread():  # signals come to the main thread
        yield
        return
    told_before = _told
    _held_back = True
    try:
        yield
    finally:
        _held_back = False
        if _told and not told_before:
            raise _cancelled("What was written before is kept.")


def cancel_at_end_of_input() -> None:
    """Cancel when standard input ends: the parent closed it, or is gone. Works where there are no signals, too.

    The parent first writes a line, which shows that its end of the input reaches this process through any launcher.
    """

    def wait() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
        try:
            connected = bool(os.read(0, 1024))
            while connected and os.read(0, 1024):
                pass
        except OSError:
            return
        if connected:
            interrupt_main(signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
