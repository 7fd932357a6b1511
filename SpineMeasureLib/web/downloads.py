"""Files that can be downloaded from the page."""

from __future__ import annotations

import asyncio
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DicomSeriesError
from ..io.dicom.files import is_dicom
from ..io.read import read_volume
from ..io.same_image import require_same_image
from ..review.output import (
    CaseCopy,
    copy_of,
    output_path,
    write_dicom_of,
    write_everything,
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
    "csv": Kind("Table (CSV)", "_measurements.csv", "text/csv"),
    "json": Kind("Everything (JSON)", "_measurements.json", "application/json"),
    "report": Kind("Report (HTML)", "_report.html", "text/html"),
    "pdf": Kind("Report (PDF)", "_report.pdf", "application/pdf"),
    "picture": Kind("Picture (PNG)", "_overview.png", "image/png"),
    "scene": Kind("Scene for 3D Slicer (MRB)", ".mrb", "application/octet-stream"),
    "dicom": Kind("DICOM SEG and SR (ZIP)", "_dicom.zip", "application/zip"),
}


def impossible(source: Path | None) -> dict[str, str]:
    """Return the kinds of file that cannot be exported here -> the reason.

    :param source: the measured image; None if it is unknown.
    """
    from ..export.report.pdf import find_browser

    found = {}
    if source is None or not (source.is_dir() or is_dicom(source)):
        found["dicom"] = "Only for a case that was opened from DICOM"
    if find_browser() is None:
        found["pdf"] = "Requires Chromium, Chrome or Edge on the server"
    return found


async def write_download(kind: str, session: Session, viewer: Viewer, source: Path | None, folder: Path) -> Path:
    """Export the case as it is now; return the file.

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
        return write_table(session, folder)
    if kind == "json":
        return write_everything(session, folder)
    if kind == "scene":
        path = output_path(session, folder, ".mrb")
        viewer.write(path)
        return path
    case = copy_of(session)
    if kind == "report":
        return await asyncio.to_thread(write_report_of, case, folder)
    if kind == "pdf":
        return await asyncio.to_thread(_pdf, case, folder)
    if kind == "picture":
        return await asyncio.to_thread(_picture, case, folder)
    return await asyncio.to_thread(_dicom, case, source, folder)


def _pdf(case: CaseCopy, folder: Path) -> Path:
    from ..export.report.pdf import write_pdf

    page = write_report_of(case, folder)
    write_pdf(page, page.with_suffix(".pdf"))
    return page.with_suffix(".pdf")


def _picture(case: CaseCopy, folder: Path) -> Path:
    from ..export.overview import write_overview

    path = folder / f"{case.name}.png"
    write_overview(case.volume, case.segmentation, case.rows, path)
    return path


def _dicom(case: CaseCopy, source: Path | None, folder: Path) -> Path:
    volume = None if source is None else read_volume(source)
    if volume is None or not volume.frames:
        raise DicomSeriesError(
            "DICOM SEG and SR refer to DICOM images, but this case was not opened from DICOM.",
            "Open the DICOM folder or file instead.",
        )
    require_same_image(case.volume, volume)
    path = folder / f"{case.name}_dicom.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in write_dicom_of(case, volume, folder / "dicom"):
            archive.write(file, file.name)
    return path
