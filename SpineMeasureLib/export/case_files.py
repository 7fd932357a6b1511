"""The DICOM objects and the report of a case as files in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from ..volume import Volume

if TYPE_CHECKING:
    from .report import ReportOptions


def write_dicom(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    reviewer: str = "",
    organization: str = "",
) -> None:
    """Write segmentation.dcm and, where there are measurements, measurements.dcm. They belong to the image's study.

    :param reviewer: who accepts the case (``Family^Given``); empty leaves the report unverified.
    :raises DependencyError: highdicom is not installed.
    :raises DicomSeriesError: the images cannot be referred to.
    """
    from .dicom_seg import make_seg
    from .dicom_source import read_source, write_dataset
    from .dicom_sr import make_sr

    source = read_source(volume)
    seg = make_seg(segmentation, source, reviewer)
    write_dataset(seg, folder / "segmentation.dcm")
    if measurements:
        report = make_sr(measurements, segmentation, source, seg=seg, reviewer=reviewer, organization=organization)
        write_dataset(report, folder / "measurements.dcm")


def write_report_files(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    options: ReportOptions,
) -> None:
    """Write report.html and report.txt."""
    from .report import write_report
    from .report_text import report_text

    write_report(volume, segmentation, measurements, folder / "report.html", options)
    text = report_text(segmentation, measurements, options.accepted_by)
    (folder / "report.txt").write_text(text, encoding="utf-8")
