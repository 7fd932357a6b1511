"""``spinemeasure dicom``: look into a study, fetch one from an archive, send results to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer
from rich.table import Table

from .terminal import console, errors, plain_errors, terminal_progress

if TYPE_CHECKING:
    from .dicom_web import Archive, FoundStudy

dicom_app = typer.Typer(no_args_is_help=True, help="Look into DICOM studies; fetch and store them over DICOMweb.")

#: More files than this are counted, not named.
_MOST_NAMED = 8

Url = Annotated[
    str, typer.Argument(help="Root of the DICOMweb service: https://host/dicom-web. Login by environment, see docs.")
]
Retries = Annotated[int, typer.Option(help="Further attempts of a request that failed, after growing pauses.")]


@dicom_app.command("list")
def dicom_list(
    study: Annotated[Path, typer.Argument(help="DICOM folder, DICOMDIR or file.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """List the series of a study, which of them would be measured, and why. Names no patient."""
    with plain_errors():
        from .dicom_listing import list_study, rows
        from .errors import InputNotFoundError

        if not study.exists():
            raise InputNotFoundError(f"There is no file or folder {study.name}.", "Check the path.")
        listing = list_study(study)
        if as_json:
            told = {"series": rows(listing), "reason": listing.reason, "warnings": listing.warnings}
            typer.echo(json.dumps(told, indent=1))
            return
        table = Table()
        for heading in ("", "series", "description", "", "plane", "contrast", "slices", "spacing mm"):
            table.add_column(heading, overflow="fold")
        for row in rows(listing):
            size = " x ".join(f"{s:.2f}" for s in cast(list[float], row["spacing_mm"]))
            cells = [row[k] for k in ("number", "description", "modality", "plane", "contrast", "slices")]
            name = f"{row['plane']}, localiser" if row["localiser"] else row["plane"]
            cells[3] = name
            table.add_row(">" if row["chosen"] else "", *map(str, cells), size)
        console.print(table)
        if len({row["study_uid"] for row in rows(listing)}) > 1:
            for row in rows(listing):
                uids = f"series UID {row['uid']}, study UID {row['study_uid']}"
                console.print(f"{row['number']}: {uids}", soft_wrap=True)
        console.print(f"{'> ' if listing.chosen else ''}{listing.reason}", soft_wrap=True)
        for warning in listing.warnings:
            errors.print(f"[yellow]Note:[/yellow] {warning}")


@dicom_app.command("fetch")
def dicom_fetch(
    url: Url,
    out: Annotated[
        Optional[Path], typer.Option("-o", "--out", help="New folder for the images; else only list.")
    ] = None,
    study: Annotated[str, typer.Option(help="Study instance UID.")] = "",
    series: Annotated[Optional[str], typer.Option(help="Series instance UID; else every MR series.")] = None,
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    patient_id: Annotated[str, typer.Option(help="Patient ID.")] = "",
    retries: Retries = 4,
) -> None:
    """Fetch the MR images of a study, or without --out list the studies that fit. Lists name no patient."""
    query = {"StudyInstanceUID": study, "AccessionNumber": accession, "PatientID": patient_id}
    query = {keyword: value for keyword, value in query.items() if value}
    if not query:
        raise typer.BadParameter("Give --study, --accession or --patient-id.")
    with plain_errors():
        from .dicom_transfer import fetch
        from .errors import ArchiveStudyError

        archive = _open(url, retries)
        found = archive.find_studies(**query)
        if not found:
            raise ArchiveStudyError("The archive has no study that fits.", "Check what you asked for.")
        if out is None:
            console.print(_studies(found))
            return
        if len(found) > 1:
            console.print(_studies(found))
            raise ArchiveStudyError(f"{len(found)} studies fit.", "Choose one with --study.")
        with terminal_progress() as progress:
            images = archive.find_images(found[0].uid, series)
            fetch(archive, images, out, progress)
        console.print(f"{len(images)} images in {out}; 'spinemeasure dicom list' shows them.", soft_wrap=True)


@dicom_app.command("push")
def dicom_push(
    url: Url,
    results: Annotated[list[Path], typer.Argument(help="Output folders of 'measure --dicom', or DICOM files.")],
    retries: Retries = 4,
) -> None:
    """Store segmentation.dcm and measurements.dcm of measured cases in an archive."""
    with plain_errors():
        from .dicom_transfer import files_to_push, push

        files = files_to_push(results)
        archive = _open(url, retries)
        with terminal_progress() as progress:
            push(archive, files, progress)
        named = f": {', '.join(file.name for file in files)}" if len(files) <= _MOST_NAMED else ""
        console.print(f"Stored {len(files)} object(s){named}", soft_wrap=True)


def _open(url: str, retries: int) -> Archive:
    from .dicom_web import Archive, pauses

    archive = Archive(url, pauses(retries))
    if not archive.is_encrypted:
        errors.print(
            "[yellow]Note:[/yellow] The connection is not encrypted (http): use it inside a safe network only."
        )
    return archive


def _studies(found: list[FoundStudy]) -> Table:
    table = Table()
    for heading in ("date", "description", "modalities", "study UID"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(one.date, one.description, one.modalities, one.uid)
    return table
