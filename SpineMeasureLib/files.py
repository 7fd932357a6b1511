"""Write files so that nothing half-written is ever visible, and read files that may be damaged."""

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
from .errors import DISK_FULL, DiskFullError, OutputError, SpineMeasureError

#: Key of a marker file that is true while the files around it are being replaced.
UNFINISHED = "unfinished"
#: Prefix of temporary folders.
_PREFIX = ".spinemeasure-"
_CHECK = "Check the folder and the disk."
#: After this time an unchanged temporary folder belongs to a process that was killed.
_ABANDONED_S = 24 * 3600


def json_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, None if the file is damaged or contains something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def require_utf8(path: Path, kind: type[SpineMeasureError]) -> None:
    """Refuse a name with bytes that are not UTF-8, as on some old disks and shares: SimpleITK would abort.

    :raises kind: names the part of the path to rename.
    """
    for part in path.parts:
        try:
            part.encode("utf-8")
        except UnicodeEncodeError:
            raise kind(
                f"The name {part} contains characters that are not UTF-8.", "Rename it using plain letters."
            ) from None


def require_place(folder: Path, names: Collection[str] = (), needed: int = 0) -> None:
    """Refuse an output folder that cannot be written to, before the work starts.

    :param names: names of the files; none of them may be a folder there.
    :param needed: free space that is required, bytes.
    :raises OutputError: a part of the path is not a folder, it cannot be written to, or the disk is full.
    """
    require_utf8(folder, OutputError)
    place = next(each for each in (folder, *folder.parents) if each.exists() or each.is_symlink())
    if not place.is_dir():
        raise OutputError(f"The outputs could not be written: {place.name} is not a folder.", "Choose another folder.")
    _refuse_folders(folder, names)
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place):
            pass
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise _not_written(error) from error
    if free < needed:
        size = f"{free / 2**20:.0f} MB are free, about {max(1, needed // 2**20)} MB are needed"
        raise DiskFullError(f"The outputs could not be written: No space left on device, {size}.", _CHECK)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder next to `path`; move the file on success, else delete it.

    :raises OutputError: the folder cannot be written to, a name is not UTF-8, or the disk is full.
    """
    require_utf8(path, OutputError)
    with atomic_folder(path.parent, lasting=(path.name,)) as folder:
        yield folder / path.name


@contextmanager
def atomic_folder(
    folder: Path, outdated: Collection[str] = (), lasting: Collection[str] = (), marker: str = ""
) -> Iterator[Path]:
    """Yield an empty temporary folder inside `folder`; on success its files replace those of the same path there.

    It is inside because moving is atomic only within one file system, and `folder` may be a mount point. After a
    failure everything is as before, and folders that were created are removed. A cancellation waits until all files
    are moved. A process that is killed meanwhile leaves files of one state only, old or new, and a marker that says
    `UNFINISHED`, or none.

    :param outdated: names of files in `folder` that are removed on success unless they were written again. Read at the
        end, so the body of the `with` may add names.
    :param lasting: names of files that are replaced in one step: the old or the new file exists at every moment.
    :param marker: name of the JSON file that has its final contents only while all other files do; also written by the
        body.
    :raises OutputError: the folder cannot be written to, its name is not UTF-8, the disk is full, or a folder has the
        name of a file.
    """
    require_utf8(folder, OutputError)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    temporary: Path | None = None
    written = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        temporary = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        yield temporary
        with held_back():
            _Exchange(temporary, folder).run(outdated, lasting, marker)
            written = True
    except OSError as error:
        raise _not_written(error) from error
    finally:
        with held_back():
            if temporary:
                shutil.rmtree(temporary, ignore_errors=True)
            if not written:
                for place in made:
                    with suppress(OSError):
                        place.rmdir()


class _Exchange:
    """Moves the files of a temporary folder into a folder, or undoes all moves if one fails."""

    def __init__(self, temporary: Path, folder: Path) -> None:
        self._new, self._folder = temporary, folder
        self._before = temporary / ".before"
        self._moved: list[tuple[Path, Path]] = []
        self._made: list[Path] = []

    def run(self, outdated: Collection[str], lasting: Collection[str], marker: str) -> None:
        names = sorted(str(path.relative_to(self._new)) for path in self._new.rglob("*") if not path.is_dir())
        _refuse_folders(self._folder, names)
        at_once = {*lasting, marker}.intersection(names)
        try:
            if marker in names and (self._folder / marker).is_file():
                self._announce(marker)
            # Old files go before new ones come, so that there are never files of both states.
            for name in dict.fromkeys((*names, *outdated)):
                if name not in at_once and os.path.lexists(self._folder / name):
                    self._take_away(name)
            for name in sorted(names, key=lambda name: (name == marker, name not in lasting)):
                self._bring(name, at_once=name in at_once)
        except BaseException:
            self._undo()
            raise

    def _announce(self, marker: str) -> None:
        """Say in the marker that the files around it are being replaced."""
        notice = self._before / "marker"
        notice.parent.mkdir(exist_ok=True)
        content = json_object(self._folder / marker) or {}
        notice.write_text(json.dumps({**content, UNFINISHED: True}, indent=1) + "\n", encoding="utf-8")
        self._copy(marker)
        self._move(notice, self._folder / marker)

    def _take_away(self, name: str) -> None:
        kept = self._before / "files" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        self._move(self._folder / name, kept)

    def _bring(self, name: str, at_once: bool) -> None:
        target = self._folder / name
        if at_once and target.exists():
            self._copy(name)
        self._made += [place for place in target.parents if not place.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        self._move(self._new / name, target)

    def _copy(self, name: str) -> None:
        """Keep a copy of a file that is about to be replaced, unless there is one."""
        kept = self._before / "files" / name
        if kept.exists():
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self._folder / name, kept)
        except OSError:  # as on file systems without hard links
            shutil.copy2(self._folder / name, kept)
        self._moved.append((self._folder / name, kept))

    def _move(self, source: Path, target: Path) -> None:
        os.replace(source, target)
        self._moved.append((source, target))

    def _undo(self) -> None:
        for source, target in reversed(self._moved):
            with suppress(OSError):
                os.replace(target, source)
        for place in self._made:
            with suppress(OSError):
                place.rmdir()


def _refuse_folders(folder: Path, names: Collection[str]) -> None:
    for name in names:
        if (folder / name).is_dir():
            raise OutputError(
                f"The outputs could not be written: {folder.name} contains a folder named {name}.",
                "Rename that folder, or choose another one for the outputs.",
            )


def _not_written(error: OSError) -> OutputError:
    kind = DiskFullError if error.errno in DISK_FULL else OutputError
    return kind(f"The outputs could not be written: {error.strerror or 'the disk refused the operation'}.", _CHECK)


def _remove_abandoned(folder: Path) -> None:
    for old in folder.glob(f"{_PREFIX}????????"):
        with suppress(OSError):
            if time.time() - old.lstat().st_mtime > _ABANDONED_S:
                shutil.rmtree(old, ignore_errors=True)
