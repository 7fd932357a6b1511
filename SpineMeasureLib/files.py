"""Writing files so that nothing half-written is ever seen, and reading those that may be damaged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .cancel import held_back
from .errors import OutputError, SpineMeasureError

#: Temporary folders that were not touched for so long are of a process that was killed.
_ABANDONED_S = 24 * 3600


def json_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where the file is damaged or holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def require_utf8(path: Path, kind: type[SpineMeasureError]) -> None:
    """Refuse a name with bytes that are not UTF-8, as discs and shares from before it have: SimpleITK would abort.

    :raises kind: with the part of the path to rename.
    """
    for part in path.parts:
        try:
            part.encode("utf-8")
        except UnicodeEncodeError:
            raise kind(f"The name {part} has letters that are not UTF-8.", "Rename it with plain letters.") from None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a file of the same name in a temporary folder beside `path`; move it there on success, else delete it.

    :raises OutputError: the folder cannot be written to, its name or the file's is not UTF-8, or the disk is full.
    """
    require_utf8(path, OutputError)
    with atomic_folder(path.parent) as folder:
        yield folder / path.name


@contextmanager
def atomic_folder(folder: Path, outdated: Collection[str] = ()) -> Iterator[Path]:
    """Yield an empty temporary folder inside `folder`; on success its files replace those of the same path there.

    It lies inside because moving is atomic only within one file system, and `folder` may be a mount of its own.
    On failure, folders that were made for this are removed again. A cancellation waits until all files are moved.

    :param outdated: names of files in `folder` that are removed on success, unless they were written anew.

    :raises OutputError: the folder cannot be written to, its name is not UTF-8, or the disk is full.
    """
    require_utf8(folder, OutputError)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    temporary: Path | None = None
    written = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        temporary = Path(tempfile.mkdtemp(prefix=".spinemeasure-", dir=folder))
        yield temporary
        with held_back():
            _move(temporary, folder, outdated)
            written = True
    except OSError as error:
        reason = error.strerror or "the disk refused it"
        raise OutputError(f"The outputs could not be written: {reason}.", "Check the folder and the disk.") from error
    finally:
        with held_back():
            if temporary:
                shutil.rmtree(temporary, ignore_errors=True)
            if not written:
                for place in made:
                    with suppress(OSError):
                        place.rmdir()


def _move(temporary: Path, folder: Path, outdated: Collection[str]) -> None:
    files = sorted(path for path in temporary.rglob("*") if path.is_file())
    left = set(outdated) - {str(file.relative_to(temporary)) for file in files}
    for file in files:
        target = folder / file.relative_to(temporary)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
    for name in left:
        (folder / name).unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    for old in folder.glob(".spinemeasure-????????"):
        with suppress(OSError):
            if time.time() - old.lstat().st_mtime > _ABANDONED_S:
                shutil.rmtree(old, ignore_errors=True)
