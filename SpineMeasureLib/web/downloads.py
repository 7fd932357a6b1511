"""Files that a reader takes away from the page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.dicom.files import is_dicom
from ..review.output import (
    ENDINGS,
    copy_of,
    output_path,
    write_dicom_archive,
    write_everything,
    write_pdf_of,
    write_picture_of,
    write_report_of,
    write_table,
)

if TYPE_CHECKING:
    from ..review.session import Session
    from .viewer import Viewer


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    :ivar title: in the menu.
    :ivar ending: of its name, after that of the case.
    :ivar content_type: as HTTP names it.
    """

    title: str
    ending: str
    content_type: str


KINDS = {
    "csv": Kind("Table (CSV)", ENDINGS["csv"], "text/csv"),
    "json": Kind("Everything (JSON)", ENDINGS["json"], "application/json"),
    "report": Kind("Report (HTML)", ENDINGS["report"], "text/html"),
    "pdf": Kind("Report (PDF)", ENDINGS["pdf"], "application/pdf"),
    "picture": Kind("Picture (PNG)", ENDINGS["picture"], "image/png"),
    "scene": Kind("Scene for 3D Slicer (MRB)", ENDINGS["scene"], "application/octet-stream"),
    "dicom": Kind("DICOM SEG and SR (ZIP)", f"{ENDINGS['dicom']}.zip", "application/zip"),
}


def impossible(source: Path | None) -> dict[str, str]:
    """Kinds of file that this computer cannot make of a case -> the reason.

    :param source: the image that it was measured on; None if that is not known.
    """
    from ..export.report.pdf import find_browser

    found = {}
    if source is None or not (source.is_dir() or is_dicom(source)):
        found["dicom"] = "Only of a case whose DICOM folder or file is open"
    if find_browser() is None:
        found["pdf"] = "Needs Chromium, Chrome or Edge on the computer of the server"
    return found


async def write_download(
    kind: str, session: Session, viewer: Viewer, source: Path | None, folder: Path
) -> tuple[Path, list[str]]:
    """Write the case as it is now into a folder; returns the file and warnings.

    What takes long is made from a copy, in a thread. The scene is not: only this thread may use it.

    :param kind: one of `KINDS`.
    :param source: the image that the case was measured on, as stored on disk; None if unknown.
    :raises NothingFoundError: the case lacks what the file shows.
    :raises DicomSeriesError: DICOM objects are requested for an image that is not DICOM, or unknown.
    :raises GeometryMismatchError: DICOM objects are requested, and `source` is another image.
    :raises DependencyError: a package or program that makes the file is not installed.
    :raises OutputError: it cannot be written.
    """
    if kind == "csv":
        return write_table(session, folder), []
    if kind == "json":
        return write_everything(session, folder), []
    if kind == "scene":
        path = output_path(session, folder, KINDS[kind].ending)
        viewer.write(path)
        return path, []
    case = copy_of(session)
    if kind == "dicom":
        return await asyncio.to_thread(write_dicom_archive, case, source, folder)
    write = {"report": write_report_of, "pdf": write_pdf_of, "picture": write_picture_of}[kind]
    return await asyncio.to_thread(write, case, folder), []
