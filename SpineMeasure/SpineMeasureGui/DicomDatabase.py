"""Slicer's DICOM database: the files of a volume that was loaded from it, and new objects into it."""

from pathlib import Path

import slicer

from SpineMeasureLib.errors import DicomSeriesError


def filesOf(volumeNode) -> list:
    """Return the DICOM files that a volume was loaded from.

    :raises DicomSeriesError: it was not loaded from the database, or files are missing.
    """
    database = _database()
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split() if volumeNode is not None else []
    if database is None or not database.isOpen or not uids:
        raise DicomSeriesError(
            "The image was not loaded from Slicer's DICOM database, so no DICOM objects can refer to it.",
            "Import the study in the DICOM module and load the image from there.",
        )
    files = [Path(database.fileForInstance(uid)) for uid in uids]
    if not all(file.is_file() for file in files):
        raise DicomSeriesError("Files of the image are missing.", "Import the study in the DICOM module again.")
    return files


def insert(files) -> None:
    """Copy DICOM files into the database; the DICOM module then shows them in their study."""
    for file in files:
        _database().insert(str(file))


def _database():
    """Return the database; None if Slicer was built without its DICOM module."""
    return getattr(slicer, "dicomDatabase", None)
