"""The files that a reviewer takes away from a session: the table and everything as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..export.runinfo import versions
from ..export.tables import write_csv, write_json

if TYPE_CHECKING:
    from .session import Session


def output_path(session: Session, folder: Path | str, ending: str) -> Path:
    """A file in `folder` named after the volume of the case, without characters that a file system refuses."""
    volume = session.nodes.volume
    name = volume.GetName() if volume is not None else ""
    safe = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(" .")
    return Path(folder) / f"{safe or 'Spine'}{ending}"


def write_table(session: Session, folder: Path | str) -> Path:
    """Write one row per value as CSV; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, "_measurements.csv")
    write_csv(list(session.rows), path)
    return path


def write_everything(session: Session, folder: Path | str) -> Path:
    """Write every field of every value as JSON, automatic ancestors included; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, "_measurements.json")
    write_json(list(session.rows), {"versions": versions()}, path)
    return path
