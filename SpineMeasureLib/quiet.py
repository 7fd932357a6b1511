"""Keeping off the terminal what C and C++ libraries print there themselves."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Standard error belongs to the process: one thread at a time may turn it aside.
_turn = threading.RLock()


@contextmanager
def quiet_libraries() -> Iterator[list[str]]:
    """Keep back what is written to standard error, below Python too, while the body of the `with` runs.

    Standard error works again afterwards, whatever happens in between.

    :return: a list that contains the lines once the body is left; empty if there is no standard error.
    """
    lines: list[str] = []
    with _turn, tempfile.TemporaryFile() as aside:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # a program without a terminal, as on Windows
            yield lines
            return
        try:
            os.dup2(aside.fileno(), 2)
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            aside.seek(0)
            lines += aside.read().decode("utf-8", "replace").splitlines()
