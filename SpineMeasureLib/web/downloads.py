"""Files that can be downloaded from the page."""

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

    :ivar title: text in the menu.
    :ivar ending: follows the name of the case.
    :ivar content_type: MIME type.
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
    """Return the kinds of file that cannot be exported here -> the reason.

    :param source: the measured image; None if it is unknown.
    """
    from ..export.report.pdf import find_browser

    found = {}
    if source is None or not (source.is_dir() or is_dicom(source)):
        found["dicom"] = "Available only if the DICOM folder or file of the case is open"
    if find_browser() is None:
        found["pdf"] = "Requires Chromium, Chrome or Edge on the server"
    return found


async def write_download(
    kind: str, session: Session, viewer: Viewer, source: Path | None, folder: Path
) -> tuple[Path, list[str]]:
    """Export the case as it is now; return the file and warnings.

    Slow exports run in a thread, on a copy. The scene does not: only this thread may touch it.

    :param kind: one of `KINDS`.
    :param source: the measured image on disk; None if it is unknown.
    :raises NothingFoundError: the case lacks the image or the segmentation.
    :raises DicomSeriesError: `kind` is "dicom" and the image is not DICOM, or unknown.
    :raises GeometryMismatchError: `kind` is "dicom" and `source` is not the measured image.
    :raises DependencyError: a required package or program is not installed.
    :raises OutputError: the file cannot be written.
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
