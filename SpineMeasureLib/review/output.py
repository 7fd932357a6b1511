"""The files that are written for the user from a session: table, JSON, report, picture, DICOM objects, training case.

Functions that take a `CaseCopy` may run in another thread; the others read the scene.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DicomSeriesError, NothingFoundError
from ..export.runinfo import versions
from ..export.tables import write_csv, write_json
from ..files import atomic_folder
from ..io.read import read_volume
from ..io.same_image import require_same_image
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation, segmentation_on
from ..volume import Volume
from .mrml.app import startup_environment
from .mrml.links import ATTRIBUTE

if TYPE_CHECKING:
    from .session import Session

#: What follows the name of a case in the names of its files and folders, by kind.
ENDINGS = {
    "csv": "_measurements.csv",
    "json": "_measurements.json",
    "report": "_report.html",
    "text": "_report.txt",
    "pdf": "_report.pdf",
    "picture": "_overview.png",
    "scene": ".mrb",
    "dicom": "_dicom",
}


@dataclass(frozen=True)
class CaseCopy:
    """A case as plain data, independent of its scene: another thread may write it while the review continues.

    :ivar name: of its image, in characters that a file system accepts; a file is named by it and an ending.
    """

    name: str
    rows: tuple[Measurement, ...]
    segmentation: SpineSegmentation
    volume: Volume


def copy_of(session: Session) -> CaseCopy:
    """Copy the case as it is now.

    :raises NothingFoundError: the image or the segmentation was deleted.
    """
    volume = image_of(session)
    return CaseCopy(_name(session), tuple(session.rows), session.segmentation(), volume)


def output_path(session: Session, folder: Path | str, ending: str) -> Path:
    """Return a path in `folder` that a case may be written to: one of this session, or one that does not exist yet.

    It is named after the image of the case. Images of all patients of one protocol have the same name: if another
    session wrote anything under it, the names of all files of this one get a number.

    :param ending: one of `ENDINGS`. The caller adds the path to `session.written` once it is written.
    """
    place = Path(folder).absolute()
    return place / f"{_free_name(session, place)}{ending}"


def _free_name(session: Session, folder: Path) -> str:
    """Return the name of the case's image, with a number if another session wrote a file of that name."""
    name = _name(session)
    for free in chain([name], (f"{name}_{n}" for n in count(2))):
        paths = [folder / f"{free}{ending}" for ending in ENDINGS.values()]
        if all(path in session.written or not os.path.exists(path) for path in paths):
            break
    return free


def _name(session: Session) -> str:
    """Return the name of the case's image, without characters that a file system refuses."""
    volume = session.nodes.volume
    name = volume.GetName() if volume is not None else ""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(" .") or "Spine"


def write_table(session: Session, folder: Path | str) -> Path:
    """Write one row per value as CSV; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, ENDINGS["csv"])
    write_csv(list(session.rows), path, case_id(session))
    session.written.add(path)
    return path


def write_everything(session: Session, folder: Path | str) -> Path:
    """Write every field of every value as JSON, automatic ancestors included; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, ENDINGS["json"])
    write_json(list(session.rows), {"case_id": case_id(session), "versions": versions()}, path)
    session.written.add(path)
    return path


def case_id(session: Session) -> str:
    """Return the `Volume.case_id` of the image as it was measured; empty if image and id are not in the scene."""
    segmentation = session.nodes.segmentation
    known = segmentation.GetAttribute(f"{ATTRIBUTE}case_id") if segmentation is not None else None
    if known or session.nodes.volume is None:
        return str(known or "")
    return image_of(session).case_id


def write_report(session: Session, folder: Path | str, pdf: bool = True) -> Path:
    """Write the report as HTML, as text and, if a browser can print it, as PDF; returns the path of the HTML.

    :param pdf: False for no PDF.
    :raises NothingFoundError: the image or the segmentation was deleted.
    :raises OutputError: the folder cannot be written to, or the PDF failed; HTML and text are written then.
    """
    from ..export.report.pdf import find_browser

    place = Path(folder).absolute()
    case = replace(copy_of(session), name=_free_name(session, place))
    path = write_report_of(case, place)
    session.written.update(place / f"{case.name}{ENDINGS[kind]}" for kind in ("report", "text", "pdf"))
    if pdf and find_browser() is not None:
        _print(path, place / f"{case.name}{ENDINGS['pdf']}")
    return path


def write_report_of(case: CaseCopy, folder: Path) -> Path:
    """Write the report as HTML and as text; returns the path of the HTML."""
    from ..export.case_files import write_report_files
    from ..export.report.page import ReportOptions

    path = folder / f"{case.name}{ENDINGS['report']}"
    with atomic_folder(folder) as temporary, tempfile.TemporaryDirectory() as made:
        write_report_files(Path(made), case.volume, case.segmentation, case.rows, ReportOptions())
        for file in Path(made).iterdir():
            shutil.copy(file, temporary / f"{path.stem}{file.suffix}")
    return path


def write_pdf_of(case: CaseCopy, folder: Path) -> Path:
    """Write the report as HTML, text and PDF; returns the path of the PDF.

    :raises DependencyError: no browser that prints it is installed.
    """
    return _print(write_report_of(case, folder), folder / f"{case.name}{ENDINGS['pdf']}")


def _print(page: Path, path: Path) -> Path:
    from ..export.report.pdf import write_pdf

    write_pdf(page, path, startup_environment())
    return path


def write_picture_of(case: CaseCopy, folder: Path) -> Path:
    """Write the overview picture; returns its path.

    :raises DependencyError: matplotlib is not installed.
    """
    from ..export.overview import write_overview

    path = folder / f"{case.name}{ENDINGS['picture']}"
    write_overview(case.volume, case.segmentation, case.rows, path)
    return path


def write_training_case(session: Session, folder: Path | str, editor: str = "") -> Path:
    """Add the case to the nnU-Net data set ``Dataset001_SpineMeasure`` in `folder`; returns the data set.

    :param editor: name of the person who corrected it.
    :raises NothingFoundError: the image or the segmentation was deleted.
    :raises OutputError: the folder cannot be written to.
    """
    from ..export.training import TrainingCase, add_to_nnunet

    dataset = Path(folder) / "Dataset001_SpineMeasure"
    image = image_of(session)
    segmentation = segmentation_on(image, session.segmentation())
    add_to_nnunet(TrainingCase(image, segmentation, session.rows, editor=editor), dataset)
    return dataset


def write_dicom_objects(session: Session, images: Sequence[Path], folder: Path | str) -> tuple[list[Path], list[str]]:
    """Write DICOM SEG and SR that refer to the images of the case; returns their paths and warnings.

    They name the patient.

    :param images: the DICOM files that the volume was loaded from.
    :raises DicomSeriesError: they are not a series that can be referred to.
    :raises GeometryMismatchError: the segmentation is not on their voxels.
    :raises DependencyError: pydicom or highdicom is not installed.
    """
    from ..io.dicom.volume import read_dicom

    with tempfile.TemporaryDirectory() as gathered:
        for n, file in enumerate(images):
            shutil.copy(file, Path(gathered) / f"{n:06d}.dcm")
        written = write_dicom_of(copy_of(session), read_dicom(Path(gathered)), Path(folder))
    session.written.add(Path(folder))
    return written


def write_dicom_of(case: CaseCopy, volume: Volume, folder: Path) -> tuple[list[Path], list[str]]:
    """Call `write_dicom_objects` for a copy, on a volume that was read from those files."""
    from ..export.case_files import write_dicom

    segmentation = segmentation_on(volume, case.segmentation)
    with atomic_folder(folder) as temporary:
        warnings = write_dicom(temporary, volume, segmentation, case.rows)
        names = sorted(file.name for file in temporary.iterdir())
    return [folder / name for name in names], warnings


def write_dicom_archive(case: CaseCopy, source: Path | None, folder: Path) -> tuple[Path, list[str]]:
    """Write DICOM SEG and SR into a ZIP archive; returns its path and warnings.

    :param source: the DICOM folder or file that the case was measured on, None if unknown.
    :raises DicomSeriesError: it is not DICOM, or unknown.
    :raises GeometryMismatchError: it contains another image.
    """
    volume = None if source is None else read_volume(source)
    if volume is None or not volume.frames:
        raise DicomSeriesError(
            "DICOM SEG and SR refer to DICOM images, but this case was not opened from DICOM.",
            "Open the DICOM folder or file instead.",
        )
    require_same_image(case.volume, volume)
    files, warnings = write_dicom_of(case, volume, folder / "dicom")
    path = folder / f"{case.name}{ENDINGS['dicom']}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path, warnings


def image_of(session: Session) -> Volume:
    """Copy the image of a case.

    :raises NothingFoundError: it was deleted.
    """
    from ..background import without_gaps
    from .mrml.volume_node import volume_from_node

    node = session.nodes.volume
    if node is None:
        raise NothingFoundError("The image of this case was deleted.", "Open the image again.")
    return without_gaps(volume_from_node(node))
