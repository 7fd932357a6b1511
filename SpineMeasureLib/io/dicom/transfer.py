"""A study from an archive into a folder, and results from a folder into an archive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ArchiveError, CancelledError, OutputError, UnreadableInputError
from ...progress import Progress, silent
from ...quiet import quiet_dicom
from .web import Archive, ImageAddress

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def fetch(archive: Archive, images: Sequence[ImageAddress], folder: Path, progress: Progress = silent) -> None:
    """Write images as ``<SOP instance UID>.dcm`` into a folder that appears when all of them are there.

    Until then they are kept in ``<folder>.partial``, each one complete; another call resumes from there.

    :raises ArchiveError: one of its subclasses; nothing is lost.
    :raises OutputError: the folder is in use, or cannot be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder.name} already exists.", "Choose a new folder.")
    partial = folder.with_name(f"{folder.name}.partial")
    with _plain_disk_errors(), quiet_dicom():
        partial.mkdir(parents=True, exist_ok=True)
        _check_partial(partial, images)
        try:
            for n, image in enumerate(images):
                progress("fetch", n / len(images), f"image {n + 1} of {len(images)}")
                _fetch_one(archive, image, partial)
        except (ArchiveError, CancelledError) as error:
            raise _with_what_is_kept(error, partial, len(images)) from error
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)


def _check_partial(partial: Path, images: Sequence[ImageAddress]) -> None:
    names = {f"{image.instance}.dcm" for image in images}
    for file in partial.iterdir():
        if file.suffix == ".part":
            file.unlink()
        elif file.name not in names:
            raise OutputError(f"{partial.name} contains other images.", "Remove it or choose a new folder.")


def _fetch_one(archive: Archive, image: ImageAddress, partial: Path) -> None:
    target = partial / f"{image.instance}.dcm"
    if target.exists():
        return
    dataset = archive.retrieve(image)
    temporary = target.with_suffix(".part")
    try:
        dataset.save_as(temporary, enforce_file_format=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _with_what_is_kept(
    error: ArchiveError | CancelledError, partial: Path, count: int
) -> ArchiveError | CancelledError:
    """Return the error with a hint about what is kept; remove an empty folder."""
    kept = len(list(partial.glob("*.dcm")))
    if not kept:
        shutil.rmtree(partial)
        return error
    hint = f"{kept} of {count} images are kept in {partial.name}; the same command fetches the rest."
    return type(error)(error.message, f"{error.hint} {hint}" if isinstance(error, ArchiveError) else hint)


def push(archive: Archive, files: Sequence[Path], progress: Progress = silent) -> None:
    """Store DICOM files, one after another. Storing them again does no harm.

    :raises ArchiveError: one of its subclasses, which states how many were stored.
    :raises UnreadableInputError: a file is not DICOM; nothing is stored then.
    """
    with quiet_dicom():
        _push(archive, _datasets(files), files, progress)


def _datasets(files: Sequence[Path]) -> list[Dataset]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    datasets: list[Dataset] = []
    for file in files:
        try:
            datasets.append(pydicom.dcmread(file))
        except (InvalidDicomError, OSError) as error:
            raise UnreadableInputError(f"{file.name} is not a DICOM file.", "Export it again.") from error
    return datasets


def _push(archive: Archive, datasets: Sequence[Dataset], files: Sequence[Path], progress: Progress) -> None:
    for n, (file, dataset) in enumerate(zip(files, datasets, strict=True)):
        progress("push", n / len(files), file.name)
        try:
            archive.store(dataset)
        except (ArchiveError, CancelledError) as error:
            stored = f"{n} of {len(files)} objects were stored; sending them again is safe."
            raise type(error)(
                error.message, f"{error.hint} {stored}" if isinstance(error, ArchiveError) else stored
            ) from error


@contextmanager
def _plain_disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the disk refused it"
        raise OutputError(f"The images could not be written: {reason}.", "Check the folder and the disk.") from error
