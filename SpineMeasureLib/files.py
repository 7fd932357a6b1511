"""Writing files so that nothing half-written is ever seen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a file of the same name in a temporary folder beside `path`; move it there on success, else delete it.

    :raises OutputError: the folder cannot be written to, or the disk is full.
    """
    with atomic_folder(path.parent) as folder:
        yield folder / path.name


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `folder`; on success its files replace those of the same name there.

    :raises OutputError: the folder cannot be written to, or the disk is full.
    """
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".spinemeasure-", dir=folder.parent))
        yield temporary
        folder.mkdir(exist_ok=True)
        for file in sorted(temporary.iterdir()):
            os.replace(file, folder / file.name)
    except OSError as error:
        reason = error.strerror or "the disk refused it"
        raise OutputError(f"The outputs could not be written: {reason}.", "Check the folder and the disk.") from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
