"""Keep the output of libraries off the terminal; what matters is reported in plain sentences."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: Standard error belongs to the process: only one thread at a time may redirect it.
_turn = threading.RLock()
_DICOM_LIBRARIES = ("pydicom", "highdicom")


@contextmanager
def quiet_libraries() -> Iterator[list[str]]:
    """Collect what is written to standard error, also below Python, while the body of the `with` runs.

    Standard error is restored afterwards in every case.

    :return: a list that contains the lines after the body; empty if there is no standard error.
    """
    lines: list[str] = []
    with _turn, tempfile.TemporaryFile() as aside:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # a program without a terminal, for example on Windows
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


@contextmanager
def quiet_dicom() -> Iterator[None]:
    """Keep warnings and log lines of pydicom and highdicom from the terminal."""
    loggers = [logging.getLogger(name) for name in _DICOM_LIBRARIES]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
