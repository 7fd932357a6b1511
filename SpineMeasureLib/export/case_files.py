"""The DICOM objects and the report of a case as files in a folder."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DicomSeriesError, SpineMeasureError
from ..measure.types import Measurement
from ..quiet import quiet_dicom
from ..segmentation import SpineSegmentation
from ..volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from .report.page import ReportOptions


def write_dicom(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    reviewer: str = "",
    organization: str = "",
) -> list[str]:
    """Write segmentation.dcm and, if there are measurements, measurements.dcm. They belong to the image's study.

    :param reviewer: who accepts the case (``Family^Given``); empty leaves the report unverified.
    :return: warnings about changed attributes of the images, and about objects that could not be written.
    :raises DependencyError: highdicom is not installed.
    :raises DicomSeriesError: the images cannot be referred to, or no object could be made.
    """
    from .dicom.seg import make_seg
    from .dicom.source import missing_package, read_source, write_dataset
    from .dicom.sr import make_sr

    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise missing_package(error) from error
    source = read_source(volume)
    warnings = list(source.warnings)

    def report(seg: Dataset | None) -> Dataset:
        return make_sr(measurements, segmentation, source, seg=seg, reviewer=reviewer, organization=organization)

    with quiet_dicom():
        seg = _made(lambda: make_seg(segmentation, source, reviewer), "segmentation.dcm", warnings)
        sr = _made(lambda: report(seg), "measurements.dcm", warnings) if measurements else None
        if seg is None and sr is None:
            raise DicomSeriesError(" ".join(warnings), "Please report this, without the images.")
        for name, made in (("segmentation.dcm", seg), ("measurements.dcm", sr)):
            if made is not None:
                write_dataset(made, folder / name)
    return warnings


def _made(make: Callable[[], Dataset], name: str, warnings: list[str]) -> Dataset | None:
    """An object; None and a warning if the library fails on the headers of the images."""
    try:
        made = make()
        made.save_as(BytesIO(), enforce_file_format=True)
        return made
    except SpineMeasureError:
        raise
    except Exception as error:  # the library fails in many ways on invalid headers of scanners and archives
        # Its text may quote the header, and so the patient.
        warnings.append(
            f"{name} could not be written: the headers of the images do not conform to DICOM ({_at(error)})."
        )
        return None


def _at(error: Exception) -> str:
    """Kind of an error, and the function in which it arose."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name}"


def write_report_files(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    options: ReportOptions,
) -> None:
    """Write report.html and report.txt."""
    from .report.page import write_report
    from .report.text import report_text

    write_report(volume, segmentation, measurements, folder / "report.html", options)
    text = report_text(segmentation, measurements, options.accepted_by)
    (folder / "report.txt").write_text(text, encoding="utf-8")
