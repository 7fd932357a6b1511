"""The files that a reviewer takes away from a session: table, JSON, report, training case, DICOM objects."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NothingFoundError
from ..export.runinfo import versions
from ..export.tables import write_csv, write_json
from ..files import atomic_folder
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation, segmentation_on
from ..volume import Volume
from .mrml.app import startup_environment
from .mrml.links import ATTRIBUTE

if TYPE_CHECKING:
    from .session import Session

#: Of everything that a reviewer writes under the name of a case.
_ENDINGS = (
    "_measurements.csv", "_measurements.json", ".mrb", "_report.html", "_report.txt", "_report.pdf", "_dicom",
)  # fmt: skip


@dataclass(frozen=True)
class CaseCopy:
    """A case as plain data, apart from its scene: another thread may write it while the review goes on.

    :ivar name: of its image, as a file system takes it; a file is this and an ending.
    """

    name: str
    rows: tuple[Measurement, ...]
    segmentation: SpineSegmentation
    volume: Volume


def copy_of(session: Session) -> CaseCopy:
    """The case as it is now.

    :raises NothingFoundError: the image or the segmentation was deleted.
    """
    volume = _image(session)
    return CaseCopy(_name(session), tuple(session.rows), session.segmentation(), volume)


def output_path(session: Session, folder: Path | str, ending: str) -> Path:
    """Where in `folder` a case may be written: a file or folder of this session, or one that is not there yet.

    It is named after the volume of the case. Volumes of all patients of one protocol have the same name; where another
    session wrote anything under it, all files of this one have a number, so that no name stands for two patients.

    :param ending: one of `_ENDINGS`. Who writes it adds the path to `session.written`.
    """
    place = Path(folder).absolute()
    return place / f"{_free_name(session, place)}{ending}"


def _free_name(session: Session, folder: Path) -> str:
    """The name of the case's volume, with a number where another session wrote a file of that name."""
    name = _name(session)
    for free in chain([name], (f"{name}_{n}" for n in count(2))):
        paths = [folder / f"{free}{ending}" for ending in _ENDINGS]
        if all(path in session.written or not os.path.exists(path) for path in paths):
            break
    return free


def _name(session: Session) -> str:
    """The name of the case's volume, without characters that a file system refuses."""
    volume = session.nodes.volume
    name = volume.GetName() if volume is not None else ""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(" .") or "Spine"


def write_table(session: Session, folder: Path | str) -> Path:
    """Write one row per value as CSV; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, "_measurements.csv")
    write_csv(list(session.rows), path, case_id(session))
    session.written.add(path)
    return path


def write_everything(session: Session, folder: Path | str) -> Path:
    """Write every field of every value as JSON, automatic ancestors included; returns the path.

    :raises OutputError: the folder cannot be written to.
    """
    path = output_path(session, folder, "_measurements.json")
    write_json(list(session.rows), {"case_id": case_id(session), "versions": versions()}, path)
    session.written.add(path)
    return path


def case_id(session: Session) -> str:
    """The `Volume.case_id` of the image as it was measured; empty if it was deleted and the scene does not tell."""
    segmentation = session.nodes.segmentation
    known = segmentation.GetAttribute(f"{ATTRIBUTE}case_id") if segmentation is not None else None
    if known or session.nodes.volume is None:
        return str(known or "")
    return _image(session).case_id


def write_report(session: Session, folder: Path | str, pdf: bool = True) -> Path:
    """Write the report as HTML, as text and, where a browser can print it, as PDF; returns the path of the HTML.

    :param pdf: False for none.
    :raises NothingFoundError: the image or the segmentation was deleted.
    :raises OutputError: the folder cannot be written to, or the PDF was not made; HTML and text are there then.
    """
    from ..export.report.pdf import find_browser, write_pdf

    place = Path(folder).absolute()
    path = write_report_of(replace(copy_of(session), name=_free_name(session, place)), place)
    session.written.update(path.with_suffix(suffix) for suffix in (".html", ".txt", ".pdf"))
    if pdf and find_browser() is not None:
        write_pdf(path, path.with_suffix(".pdf"), startup_environment())
    return path


def write_report_of(case: CaseCopy, folder: Path | str) -> Path:
    """Write the report of a copy as HTML and as text; returns the path of the HTML."""
    from ..export.case_files import write_report_files
    from ..export.report.page import ReportOptions

    path = Path(folder) / f"{case.name}_report.html"
    with atomic_folder(path.parent) as temporary, tempfile.TemporaryDirectory() as made:
        write_report_files(Path(made), case.volume, case.segmentation, case.rows, ReportOptions())
        for file in Path(made).iterdir():
            shutil.copy(file, temporary / f"{path.stem}{file.suffix}")
    return path


def write_training_case(session: Session, folder: Path | str, editor: str = "") -> Path:
    """Add the case to the nnU-Net data set ``Dataset001_SpineMeasure`` in `folder`; returns the data set.

    :param editor: who corrected it.
    :raises NothingFoundError: the image or the segmentation was deleted.
    :raises OutputError: the folder cannot be written to.
    """
    from ..export.training import TrainingCase, add_to_nnunet

    dataset = Path(folder) / "Dataset001_SpineMeasure"
    image = _image(session)
    segmentation = segmentation_on(image, session.segmentation())
    add_to_nnunet(TrainingCase(image, segmentation, session.rows, editor=editor), dataset)
    return dataset


def write_dicom_objects(session: Session, images: Sequence[Path], folder: Path | str) -> list[Path]:
    """Write DICOM SEG and SR that refer to the images of the case; returns their paths. They name the patient.

    :param images: the DICOM files that the volume was loaded from.
    :raises DicomSeriesError: they are no series that can be referred to.
    :raises GeometryMismatchError: the segmentation does not lie on their voxels.
    :raises DependencyError: pydicom or highdicom is not installed.
    """
    from ..io.dicom.volume import read_dicom

    with tempfile.TemporaryDirectory() as gathered:
        for n, file in enumerate(images):
            shutil.copy(file, Path(gathered) / f"{n:06d}.dcm")
        written = write_dicom_of(copy_of(session), read_dicom(Path(gathered)), folder)
    session.written.add(Path(folder))
    return written


def write_dicom_of(case: CaseCopy, volume: Volume, folder: Path | str) -> list[Path]:
    """`write_dicom_objects` of a copy, on a volume that was read from those files."""
    from ..export.case_files import write_dicom

    segmentation = segmentation_on(volume, case.segmentation)
    with atomic_folder(Path(folder)) as temporary:
        for warning in write_dicom(temporary, volume, segmentation, case.rows):
            logging.getLogger(__name__).warning(warning)
        names = sorted(file.name for file in temporary.iterdir())
    return [Path(folder) / name for name in names]


def _image(session: Session) -> Volume:
    from ..background import without_gaps
    from .mrml.volume_node import volume_from_node

    node = session.nodes.volume
    if node is None:
        raise NothingFoundError("The image of this case was deleted.", "Open the image again.")
    return without_gaps(volume_from_node(node))
