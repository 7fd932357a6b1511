"""``spinemeasure export``: write a measured case in other formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from .cli_help import examples, group
from .cli_options import Case, EndsOfCase, MeasuredImage, OutOfCase, Quiet, Series, one_of, renamed
from .terminal import console, errors

if TYPE_CHECKING:
    from .case_folder import Results
    from .measure.definitions import EndsOn
    from .measure.types import Measurement
    from .volume import Volume

export_app = group("Export a measured case in other formats.")


@export_app.command("tables", epilog=examples("export tables out/case", "export tables out/case --ends masks"))
def export_tables(case: Case, ends: EndsOfCase = None, quiet: Quiet = False) -> None:
    """Update the files of a case from its scene.

    Rewrites tables, labels, segmentation and picture after 3D Slicer saved the scene in the folder. With --ends, the
    scene shows those lines from then on.
    """
    from .case_folder import read_results
    from .review.case_tables import tables_from_scene

    removed = tables_from_scene(case, cast("EndsOn | None", ends))
    if ends is not None:
        _note_if_ignored(ends, read_results(case).measurements)
    console.print(f"The files in {case} now match its scene.")
    if removed:
        console.print(f"Removed because they are out of date: {', '.join(removed)}")


def _note_if_ignored(ends: str, measurements: Sequence[Measurement]) -> None:
    from .measure.definitions import shown_ends

    if shown_ends(measurements) != ends:
        errors.note(f"--ends is ignored: lines between {ends} were not measured in this case.")


def _case_on(case: Path, image: Path, series: str | None, ends: str | None = None) -> tuple[Volume, Results]:
    from .case_folder import read_results_on
    from .io.read import ignored_series
    from .measure.definitions import shown_first

    volume, done = read_results_on(case, image, series)
    for note in ignored_series(image, series):
        errors.note(note)
    if ends is not None:
        done = replace(done, measurements=shown_first(done.measurements, cast("EndsOn", ends)))
        _note_if_ignored(ends, done.measurements)
    return volume, done


@export_app.command(
    "dicom",
    context_settings=renamed(source="image"),
    epilog=examples(
        "export dicom out/case --image dicom_folder",
        "export dicom out/case --image dicom_folder --accepted-by 'Doe^Jane' --organization Hospital",
    ),
)
def export_dicom(
    case: Case,
    image: MeasuredImage,
    out: OutOfCase = None,
    series: Series = None,
    accepted_by: Annotated[
        str, typer.Option(help="Reviewer who accepts the case (Family^Given); marks the SR as VERIFIED.")
    ] = "",
    organization: Annotated[str, typer.Option(help="Organisation of the reviewer.")] = "",
    ends: EndsOfCase = None,
    quiet: Quiet = False,
) -> None:
    """Write DICOM SEG and SR of a case.

    Writes segmentation.dcm and measurements.dcm (TID 1500). The image must be DICOM.
    """
    from .export.case_files import write_dicom
    from .files import atomic_folder

    volume, done = _case_on(case, image, series, ends)
    with atomic_folder(out or case) as folder:
        warnings = write_dicom(folder, volume, done.segmentation, done.measurements, accepted_by, organization)
        names = sorted(file.name for file in folder.iterdir())
    for warning in warnings:
        errors.note(warning)
    console.print(f"{', '.join(names)} in {out or case}")


def _suffixes() -> Sequence[str]:
    from .export.training import SUFFIXES

    return SUFFIXES


def _named_fields(entries: Optional[list[str]]) -> Optional[list[str]]:
    for entry in entries or ():
        if not entry.partition("=")[0].strip() or "=" not in entry:
            raise typer.BadParameter(f"'{entry}' is not NAME=TEXT.")
    return entries


@export_app.command(
    "report",
    epilog=examples(
        "export report out/case --image scan.nii.gz",
        "export report out/case --image scan.nii.gz --pdf --paper letter --field 'Patient=Doe, Jane'",
    ),
)
def export_report(
    case: Case,
    image: MeasuredImage,
    out: OutOfCase = None,
    series: Series = None,
    paper: Annotated[str, one_of(lambda: ("a4", "letter"), text="Paper size: a4 or letter.")] = "a4",
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print a PDF, using Chromium, Chrome or Edge.")] = False,
    field: Annotated[
        Optional[list[str]],
        typer.Option(
            callback=_named_fields, help="Field of the report header, e.g. 'Patient=Doe, Jane'; may be repeated."
        ),
    ] = None,
    accepted_by: Annotated[str, typer.Option(help="Reviewer who accepts the values.")] = "",
    ends: EndsOfCase = None,
    quiet: Quiet = False,
) -> None:
    """Write the report of a case.

    Writes report.html, report.txt (for copy and paste) and, with --pdf, report.pdf.
    """
    from .export.case_files import write_report_files
    from .export.report.page import ReportOptions
    from .export.report.pdf import write_pdf
    from .files import atomic_folder

    fields = dict(entry.partition("=")[::2] for entry in field or ())
    options = ReportOptions(fields, accepted_by, paper)
    volume, done = _case_on(case, image, series, ends)
    place = out or case
    # Without its page, a PDF was not written by this program.
    earlier_pdf = ("report.pdf",) if (place / "report.html").exists() else ()
    with atomic_folder(place, earlier_pdf) as folder:
        write_report_files(folder, volume, done.segmentation, done.measurements, options)
        names = sorted(file.name for file in folder.iterdir())
    console.print(f"{', '.join(names)} in {place}")
    if pdf:
        # The other files remain if this fails.
        write_pdf(place / "report.html", place / "report.pdf")
        console.print(f"report.pdf in {place}")


@export_app.command(
    "training",
    context_settings=renamed(dataset="data"),
    epilog=examples(
        "export training out/case --image scan.nii.gz --data Dataset042_Spine --editor 'Jane Doe'",
        "export training out/case --image scan.nii.gz --data bids_folder --format bids --contrast T1w",
    ),
)
def export_training(
    case: Case,
    image: MeasuredImage,
    data: Annotated[Path, typer.Option(help="Folder of the data set; created if necessary.")],
    layout: Annotated[
        str,
        one_of(
            lambda: ("nnunet", "bids"),
            "--format",
            text="Layout of the data set: nnunet (version 2) or bids (a derivative).",
        ),
    ] = "nnunet",
    name: Annotated[
        str, typer.Option(help="Name of the case (letters and digits); by default derived from its voxels.")
    ] = "",
    contrast: Annotated[str, one_of(_suffixes, text="BIDS suffix of the image: T1w, T2w, PDw ...")] = "T2w",
    editor: Annotated[str, typer.Option(help="Person who corrected the case; recorded in its provenance.")] = "",
    patient: Annotated[str, typer.Option(help="Pseudonym of the patient, the same for all of their cases.")] = "",
    series: Series = None,
    quiet: Quiet = False,
) -> None:
    """Add a corrected case to a training data set.

    A case that is added again is replaced.
    """
    from .export.training import TrainingCase, add_to_bids, add_to_nnunet

    volume, done = _case_on(case, image, series)
    one = TrainingCase(volume, done.segmentation, done.measurements, name, editor, patient)
    number = add_to_nnunet(one, data) if layout == "nnunet" else add_to_bids(one, data, contrast)
    console.print(f"{one.identifier} is in {data}; cases: {number}")
