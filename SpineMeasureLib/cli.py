"""``spinemeasure``: the command line for people. Libraries are imported by the commands that use them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from . import __version__
from .cli_dicom import dicom_app
from .cli_help import examples
from .cli_options import (
    BundleOption,
    Case,
    Convention,
    Device,
    Dicom,
    DiscPoints,
    Image,
    Json,
    Labels,
    Lowest,
    MeasuredImage,
    Out,
    OutOfCase,
    Quiet,
    ReplaceReview,
    Series,
    Subregions,
    Threads,
    WriteConvention,
    number,
    one_of,
    renamed,
)
from .cli_train import evaluate, train_app
from .terminal import App, console, errors, group, terminal_progress

if TYPE_CHECKING:
    from .pipeline import Job, Result
    from .results import Results
    from .volume import Volume

app = App(pretty_exceptions_enable=False, rich_markup_mode=None)
#: How a line of the server begins that is printed also when quiet.
_ERROR = "Error: "

export_app = group("Write a measured case in further forms.")


def _run(job: Job, json_progress: bool) -> Result | None:
    if json_progress:
        from .__main__ import run_with_json_lines

        raise typer.Exit(run_with_json_lines(job))
    from .pipeline import run

    with terminal_progress() as progress:
        return run(job, progress)


@app.command(
    epilog=examples(
        "measure scan.nii.gz -o out/case",
        "measure dicom_folder -o out/case --series 3 --dicom",
        "measure scan.nii.gz -o out/case --lowest-disc L5-S1 --threads 4 --quiet",
        "measure scan.nii.gz -o out/case --labels mask.nii.gz --convention totalspineseg",
    )
)
def measure(
    image: Image,
    out: Out,
    labels: Labels = None,
    convention: Convention = "auto",
    subregions: Subregions = None,
    device: Device = "auto",
    lowest_disc: Lowest = None,
    disc_points: DiscPoints = None,
    write_convention: WriteConvention = None,
    series: Series = None,
    bundle: BundleOption = None,
    dicom: Dicom = False,
    replace_review: ReplaceReview = False,
    threads: Threads = 0,
    json_progress: Json = False,
    quiet: Quiet = False,
) -> None:
    """Segment and measure an image.

    Writes labels, tables, a picture, a Slicer scene and, if asked, DICOM objects.

    On a CPU the model takes about 0.4 s per sagittal slice of 26 x 22 cm and thread, and 5 to 10 s for everything else:
    some 15 s for a usual study with two threads. An estimate is printed before it starts.
    """
    from .pipeline import Job

    job = Job(
        image,
        out,
        labels,
        series,
        device,
        bundle,
        lowest_disc,
        dicom=dicom,
        convention=convention,
        subregions=subregions,
        disc_points=disc_points,
        write_conventions=tuple(dict.fromkeys(write_convention or ())),
        replace_review=replace_review,
    )
    result = _run(job, json_progress)
    if result and not quiet:
        from .cli_tables import main_values

        console.show(main_values(result.measurements))
        _report(result, out)


@app.command(
    epilog=examples(
        "segment scan.nii.gz -o out/case",
        "segment dicom_folder -o out/case --series 3 --device cpu --threads 4",
    )
)
def segment(
    image: Image,
    out: Out,
    device: Device = "auto",
    lowest_disc: Lowest = None,
    disc_points: DiscPoints = None,
    write_convention: WriteConvention = None,
    series: Series = None,
    bundle: BundleOption = None,
    dicom: Dicom = False,
    replace_review: ReplaceReview = False,
    threads: Threads = 0,
    json_progress: Json = False,
    quiet: Quiet = False,
) -> None:
    """Segment an image without measuring.

    Writes labels and a Slicer scene.

    On a CPU the model takes about 0.4 s per sagittal slice of 26 x 22 cm and thread, and 5 to 10 s for everything else:
    some 15 s for a usual study with two threads. An estimate is printed before it starts.
    """
    from .pipeline import Job

    job = Job(
        image,
        out,
        None,
        series,
        device,
        bundle,
        lowest_disc,
        measure=False,
        dicom=dicom,
        disc_points=disc_points,
        write_conventions=tuple(dict.fromkeys(write_convention or ())),
        replace_review=replace_review,
    )
    result = _run(job, json_progress)
    if result:
        console.print(f"Found: {', '.join(s.name for s in result.segmentation.structures)}")
        _report(result, out)


def _report(result: Result, out: Path) -> None:
    for warning in result.warnings:
        errors.note(warning)
    console.print(f"{len(result.files)} files in {out}: {', '.join(result.files)}")


@app.command(epilog=examples("info", "info scan.nii.gz", "info dicom_folder"))
def info(
    image: Annotated[Optional[Path], typer.Argument(help="An image or DICOM folder.")] = None,
    series: Series = None,
) -> None:
    """Show geometry, device, model and versions.

    For a DICOM folder, also lists its series.
    """
    from .export.runinfo import versions

    if image is not None:
        _image_info(image, series)
    from .segment.bundle import open_bundle
    from .segment.device import choose_device, describe

    console.print(f"device: {describe(choose_device('auto'))}")
    bundle = open_bundle()
    console.print(f"model: {bundle.name} {bundle.version}, SHA-256 {bundle.sha256}")
    console.print(", ".join(f"{name} {number}" for name, number in versions().items()))


def _image_info(image: Path, wanted: str | None) -> None:
    from .volume import read_volume

    if image.is_dir():
        from .io.dicom.series import read_study

        for series in read_study(image).series:
            console.print(f"series {series}")
    volume = read_volume(image, wanted)
    console.print(f"shape: {' x '.join(map(str, volume.array.shape))} voxels (i, j, k), {volume.array.dtype}")
    console.print(f"spacing: {' x '.join(f'{s:.3f}' for s in volume.spacing)} mm")
    console.print("voxel to RAS mm:")
    for row in volume.affine:
        console.print("  " + " ".join(f"{x:10.4f}" for x in row))
    for key in ("modality", "series", "series_chosen"):
        if key in volume.meta:
            console.print(f"{key.replace('_', ' ')}: {volume.meta[key]}")
    for warning in cast("list[str]", volume.meta.get("warnings", [])):
        errors.note(warning)


@app.command(epilog=examples("methods", "methods --json"))
def methods(
    as_json: Annotated[
        bool, typer.Option("--json", help="The data dictionary: columns, quantities and flags.")
    ] = False,
) -> None:
    """Print the definition of every value."""
    from .cli_tables import definition_lines
    from .measure.definitions import methods as definitions

    if as_json:
        import json

        from .export.tables import data_dictionary

        print(json.dumps(data_dictionary(), indent=1))
        return
    for line in definition_lines(definitions()):
        console.print(line)


@app.command(epilog=examples("conventions"))
def conventions() -> None:
    """List the known label conventions.

    'measure --labels' reads these maps of other programs.
    """
    from .cli_tables import plain_table
    from .segment.labels.conventions import conventions as known
    from .segment.labels.written import WRITTEN

    rows = [("own", "labels.nii.gz of this program", "yes", "always")]
    for c in known().values():
        rows.append((c.name, c.what, "yes" if c.guessed else "no", "yes" if c.name in WRITTEN else "no"))
    console.show(plain_table(("--convention", "label map", "found by auto", "--write-convention"), rows))


@export_app.command("tables", epilog=examples("export tables out/case"))
def export_tables(case: Case, quiet: Quiet = False) -> None:
    """Write the files of a case to match its scene.

    Tables, labels, segmentation and picture follow a scene that 3D Slicer saved in the folder.
    """
    from .review.case_tables import tables_from_scene

    removed = tables_from_scene(case)
    console.print(f"The files in {case} now match its scene.")
    if removed:
        console.print(f"Removed as outdated: {', '.join(removed)}")


def _case_on(case: Path, image: Path, series: str | None) -> tuple[Volume, Results]:
    from .pipeline import read_case_on
    from .volume import ignored_series

    volume, done = read_case_on(case, image, series)
    for note in ignored_series(image, series):
        errors.note(note)
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
    accepted_by: Annotated[str, typer.Option(help="Who accepts the case (Family^Given): the report is VERIFIED.")] = "",
    organization: Annotated[str, typer.Option(help="The reviewer's organisation.")] = "",
    quiet: Quiet = False,
) -> None:
    """Write DICOM SEG and SR of a case.

    The files are segmentation.dcm and measurements.dcm (TID 1500). The image must be DICOM.
    """
    from .export.case_files import write_dicom
    from .files import atomic_folder

    volume, done = _case_on(case, image, series)
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
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF too, printed by Chromium, Chrome or Edge.")] = False,
    field: Annotated[
        Optional[list[str]], typer.Option(callback=_named_fields, help="Fill in the head: 'Patient=Doe, Jane'.")
    ] = None,
    accepted_by: Annotated[str, typer.Option(help="Who accepts the values.")] = "",
    quiet: Quiet = False,
) -> None:
    """Write the report of a case.

    The files are report.html, report.txt (for copy and paste) and, if asked, report.pdf.
    """
    from .export.case_files import write_report_files
    from .export.report.page import ReportOptions
    from .export.report.pdf import write_pdf
    from .files import atomic_folder

    fields = dict(entry.partition("=")[::2] for entry in field or ())
    options = ReportOptions(fields, accepted_by, paper)
    volume, done = _case_on(case, image, series)
    place = out or case
    earlier_pdf = ("report.pdf",) if (place / "report.html").exists() else ()  # else somebody else's
    with atomic_folder(place, earlier_pdf) as folder:
        write_report_files(folder, volume, done.segmentation, done.measurements, options)
        names = sorted(file.name for file in folder.iterdir())
    console.print(f"{', '.join(names)} in {place}")
    if pdf:
        # The others stay if it fails.
        write_pdf(place / "report.html", place / "report.pdf")
        console.print(f"report.pdf in {place}")


@app.command(
    epilog=examples(
        "review out/case",
        "review scan.nii.gz --device cpu --no-browser",
        "review out/case/scene.mrb --root out --port 8080",
    )
)
def review(
    case: Annotated[Path, typer.Argument(help="Output folder of 'measure', a scene (.mrb), or an image to measure.")],
    root: Annotated[
        Optional[Path],
        typer.Option(help="Folder below which other files may be opened; by default that of the case."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; a warning follows if other computers can reach it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(**number(0, 65535), help="0 for any free one.")] = 0,
    device: Device = "auto",
    python: Annotated[Path, typer.Option(help="Python that runs the model; by default this one.")] = Path(
        sys.executable
    ),
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Review a case in a browser.

    Ends with Ctrl+C. Edits are kept beside the scene at once.
    """
    if quiet and not browser:
        raise typer.BadParameter("With --no-browser the address must be printed.", param_hint="'--quiet'")
    from .web.server import LOOPBACK, Options, serve

    if host not in LOOPBACK:
        errors.note(
            f"{host} can be reached from other computers. The connection is not encrypted: anyone who intercepts it"
            " can see the images and the access token.",
            "Warning:",
        )
    folder = root or (case if case.is_dir() else case.absolute().parent)
    options = Options(case.absolute(), folder.absolute(), host, port, str(python), device, browser=browser)
    serve(options, _say)


def _say(text: str) -> None:
    if text.startswith(_ERROR):
        errors.error(text.removeprefix(_ERROR))
    else:
        console.print(text)


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
    data: Annotated[Path, typer.Option(help="Folder of the data set; made if it is not there.")],
    layout: Annotated[
        str, one_of(lambda: ("nnunet", "bids"), "--format", text="nnunet (version 2) or bids (a derivative).")
    ] = "nnunet",
    name: Annotated[str, typer.Option(help="Name of the case, letters and digits; else made from its pixels.")] = "",
    contrast: Annotated[str, one_of(_suffixes, text="BIDS suffix of the image: T1w, T2w, PDw ...")] = "T2w",
    editor: Annotated[str, typer.Option(help="Who corrected the case; kept in its provenance.")] = "",
    patient: Annotated[str, typer.Option(help="Pseudonym, the same for all cases of one patient.")] = "",
    series: Series = None,
    quiet: Quiet = False,
) -> None:
    """Add a corrected case to a data set.

    Adding a case again replaces it.
    """
    from .export.training import TrainingCase, add_to_bids, add_to_nnunet

    volume, done = _case_on(case, image, series)
    one = TrainingCase(volume, done.segmentation, done.measurements, name, editor, patient)
    number = add_to_nnunet(one, data) if layout == "nnunet" else add_to_bids(one, data, contrast)
    console.print(f"{one.identifier} is in {data}; cases: {number}")


app.command(
    epilog=examples(
        "evaluate models/spine_mri dataset -o out/evaluation",
        "evaluate folder_of_label_maps dataset -o out/evaluation",
    )
)(evaluate)
app.add_typer(export_app, name="export")
app.add_typer(dicom_app, name="dicom")
app.add_typer(train_app, name="train")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Measure a spine MRI. Research software, not for diagnosis."""
    logging.getLogger("monai").setLevel(logging.ERROR)
    if version:
        console.print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


if __name__ == "__main__":
    app()
