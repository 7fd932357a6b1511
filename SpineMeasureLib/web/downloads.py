"""Files that a reader takes away from the page."""

from __future__ import annotations

import asyncio
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DicomSeriesError
from ..review.output import output_path, write_dicom_on, write_everything, write_report, write_table
from ..volume import read_volume

if TYPE_CHECKING:
    from ..review.session import Session
    from .viewer import Viewer


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    :ivar title: in the menu.
    :ivar content_type: as HTTP names it.
    """

    title: str
    content_type: str


KINDS = {
    "csv": Kind("Table (CSV)", "text/csv"),
    "json": Kind("Everything (JSON)", "application/json"),
    "report": Kind("Report (HTML)", "text/html"),
    "pdf": Kind("Report (PDF)", "application/pdf"),
    "picture": Kind("Picture (PNG)", "image/png"),
    "scene": Kind("Scene for 3D Slicer (MRB)", "application/octet-stream"),
    "dicom": Kind("DICOM SEG and SR (ZIP)", "application/zip"),
}


async def write_download(kind: str, session: Session, viewer: Viewer, source: Path | None, folder: Path) -> Path:
    """Write the case as it is now into a folder; returns the file.

    :param kind: one of `KINDS`.
    :param source: the image that the case was measured on, as it lies on disk; None where that is not known.
    :raises NothingFoundError: the case lacks what the file shows.
    :raises DicomSeriesError: DICOM objects are wanted of an image that is not DICOM, or not known.
    :raises DependencyError: a package or program that makes the file is not installed.
    :raises OutputError: it cannot be written.
    """
    if kind == "csv":
        return write_table(session, folder)
    if kind == "json":
        return write_everything(session, folder)
    if kind == "report":
        return write_report(session, folder, pdf=False)
    if kind == "pdf":
        return await _pdf(session, folder)
    if kind == "picture":
        return _picture(session, folder)
    if kind == "dicom":
        return _dicom(session, source, folder)
    path = output_path(session, folder, ".mrb")
    viewer.write(path)
    return path


async def _pdf(session: Session, folder: Path) -> Path:
    from ..export.pdf import write_pdf

    page = write_report(session, folder, pdf=False)
    # A browser prints it, which takes seconds: the review goes on meanwhile.
    await asyncio.to_thread(write_pdf, page, page.with_suffix(".pdf"))
    return page.with_suffix(".pdf")


def _picture(session: Session, folder: Path) -> Path:
    from ..export.overview import write_overview
    from ..review.volume_node import volume_from_node

    path = output_path(session, folder, ".png")
    write_overview(volume_from_node(session.nodes.volume), session.segmentation(), session.rows, path)
    return path


def _dicom(session: Session, source: Path | None, folder: Path) -> Path:
    volume = None if source is None else read_volume(source)
    if volume is None or not volume.frames:
        raise DicomSeriesError(
            "DICOM SEG and SR refer to DICOM images, and this case was not opened from any.",
            "Open the DICOM folder or file itself.",
        )
    path = output_path(session, folder, "_dicom.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in write_dicom_on(session, volume, folder / "dicom"):
            archive.write(file, file.name)
    return path
