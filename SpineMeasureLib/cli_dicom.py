"""``spinemeasure dicom``: list a study, fetch one from an archive, store results in the archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from .cli_help import examples, group
from .cli_options import Quiet, number
from .terminal import console, errors, terminal_progress

if TYPE_CHECKING:
    from rich.table import Table

    from .io.dicom.web import Archive, FoundStudy

dicom_app = group("List and fetch DICOM studies, and store results.")

#: What `dicom push` takes from the folder of a measured case.
_PUSHED = ("segmentation.dcm", "measurements.dcm")
#: More files than this are counted but not named.
_MAX_NAMED = 8

Url = Annotated[
    str,
    typer.Argument(
        help="DICOMweb service, e.g. https://host/dicom-web. The login is read from the environment; see the docs."
    ),
]
Retries = Annotated[
    int, typer.Option(**number(0, 20), help="Number of retries of a failed request, after increasing pauses.")
]


@dicom_app.command("list", epilog=examples("dicom list study_folder", "dicom list study_folder --json"))
def dicom_list(
    study: Annotated[Path, typer.Argument(help="DICOM folder, DICOMDIR or DICOM file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the series of a study.

    Shows which series would be measured, and why. Does not show the patient.
    """
    from .errors import InputNotFoundError
    from .io.dicom.listing import list_study, rows

    if not study.exists():
        raise InputNotFoundError(f"There is no file or folder {study.name}.", "Check the path.")
    listing = list_study(study)
    if as_json:
        told = {"series": rows(listing), "reason": listing.reason, "warnings": listing.warnings}
        typer.echo(json.dumps(told, indent=1))
        return
    console.show(_series(rows(listing)))
    if len({row["study_uid"] for row in rows(listing)}) > 1:
        for row in rows(listing):
            console.print(f"{row['number']}: series UID {row['uid']}, study UID {row['study_uid']}")
    console.print(f"{'> ' if listing.chosen else ''}{listing.reason}")
    for warning in listing.warnings:
        errors.note(warning)


def _series(found: list[dict[str, object]]) -> Table:
    from .cli_tables import plain_table

    lines = []
    for row in found:
        size = " x ".join(f"{s:.2f}" for s in cast(list[float], row["spacing_mm"]))
        plane = f"{row['plane']}, localiser" if row["localiser"] else row["plane"]
        cells = (row["number"], row["description"], plane, row["contrast"], row["slices"], size)
        lines.append([">" if row["chosen"] else "", *map(str, cells)])
    return plain_table(("", "series", "description", "plane", "contrast", "slices", "spacing mm"), lines)


@dicom_app.command(
    "fetch",
    epilog=examples(
        "dicom fetch https://pacs.example.org/dicom-web --accession 12345",
        "dicom fetch https://pacs.example.org/dicom-web --study 1.2.840.1 -o study",
    ),
)
def dicom_fetch(
    url: Url,
    out: Annotated[
        Optional[Path],
        typer.Option("-o", "--out", help="New folder for the images; without it, studies are only listed."),
    ] = None,
    study: Annotated[str, typer.Option(help="Study instance UID.")] = "",
    series: Annotated[Optional[str], typer.Option(help="Series instance UID; by default every MR series.")] = None,
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    patient_id: Annotated[str, typer.Option(help="Patient ID.")] = "",
    retries: Retries = 4,
    quiet: Quiet = False,
) -> None:
    """Fetch the MR images of a study.

    Without --out, lists the matching studies. The list does not show the patient.
    """
    query = {"StudyInstanceUID": study, "AccessionNumber": accession, "PatientID": patient_id}
    query = {keyword: value for keyword, value in query.items() if value}
    if not query:
        raise typer.BadParameter("Specify --study, --accession or --patient-id.")
    from .errors import ArchiveStudyError
    from .io.dicom.transfer import fetch

    archive = _open(url, retries)
    found = archive.find_studies(**query)
    if not found:
        raise ArchiveStudyError("The archive has no matching study.", "Check the search terms.")
    if out is None:
        console.show(_studies(found))
        return
    if len(found) > 1:
        console.show(_studies(found))
        raise ArchiveStudyError(f"{len(found)} studies match.", "Choose one with --study.")
    with terminal_progress() as progress:
        images = archive.find_images(found[0].uid, series)
        fetch(archive, images, out, progress)
    console.print(f"{len(images)} images in {out}; 'spinemeasure dicom list' shows them.")


@dicom_app.command("push", epilog=examples("dicom push https://pacs.example.org/dicom-web out/case"))
def dicom_push(
    url: Url,
    results: Annotated[list[Path], typer.Argument(help="Output folders of 'measure --dicom', or DICOM files.")],
    retries: Retries = 4,
    quiet: Quiet = False,
) -> None:
    """Store DICOM SEG and SR in an archive.

    Sends segmentation.dcm and measurements.dcm of measured cases.
    """
    from .io.dicom.transfer import push

    files = _files_to_push(results)
    archive = _open(url, retries)
    with terminal_progress() as progress:
        push(archive, files, progress)
    named = f": {', '.join(file.name for file in files)}" if len(files) <= _MAX_NAMED else ""
    console.print(f"Stored {len(files)} object(s){named}")


def _files_to_push(paths: list[Path]) -> list[Path]:
    """Return the named files, and for each folder of a measured case its DICOM objects.

    :raises InputNotFoundError: a file is missing, or a folder contains neither.
    :raises UnfinishedCaseError: writing a case was interrupted.
    :raises ReviewedCaseError: the scene of a case was edited since.
    """
    from .case_folder import is_case_folder, require_finished, require_unedited
    from .errors import InputNotFoundError

    found = []
    for path in paths:
        if not path.exists():
            raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
        if is_case_folder(path):
            require_finished(path)
            require_unedited(path)
        inside = [path / name for name in _PUSHED if (path / name).is_file()] if path.is_dir() else [path]
        if not inside:
            raise InputNotFoundError(
                f"{path.name} contains no segmentation.dcm and no measurements.dcm.",
                "Write them with 'spinemeasure export dicom'.",
            )
        found += inside
    return found


def _open(url: str, retries: int) -> Archive:
    from .io.dicom.web import Archive, pauses

    archive = Archive(url, pauses(retries))
    if not archive.is_encrypted:
        errors.note("The connection is not encrypted (http). Use it only inside a protected network.")
    return archive


def _studies(found: list[FoundStudy]) -> Table:
    from .cli_tables import plain_table

    rows = [(one.date, one.description, one.modalities, one.uid) for one in found]
    return plain_table(("date", "description", "modalities", "study UID"), rows)
