"""``spinemeasure``: the command line for people."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from . import __version__
from .__main__ import run_with_json_lines
from .cancel import cancel_on_signals
from .cli_dicom import dicom_app
from .cli_train import evaluate, train_app
from .measure.flags import in_words
from .measure.types import Measurement
from .pipeline import Job, Result, run
from .terminal import Device, Out, console, errors, plain_errors, terminal_progress

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Measure a spine MRI."
)
app.add_typer(train_app, name="train")
app.command()(evaluate)
export_app = typer.Typer(no_args_is_help=True, help="Write a measured case in further forms.")
app.add_typer(export_app, name="export")
app.add_typer(dicom_app, name="dicom")

Image = Annotated[Path, typer.Argument(help="NIfTI, NRRD, MetaImage, a DICOM folder or an enhanced DICOM file.")]
Labels = Annotated[Optional[Path], typer.Option(help="Measure this label map instead of running the model.")]
Case = Annotated[Path, typer.Argument(help="Output folder of 'spinemeasure measure'.")]
OutOfCase = Annotated[Optional[Path], typer.Option("-o", "--out", help="Folder for the files; else that of the case.")]
Lowest = Annotated[Optional[str], typer.Option("--lowest-disc", help="Name of the lowest disc in view, e.g. L5-S1.")]
SeriesOption = Annotated[
    Optional[str], typer.Option("--series", help="DICOM series: number, UID or description; or UID of a study.")
]
BundleOption = Annotated[Optional[Path], typer.Option(help="Folder of another model bundle.")]
Dicom = Annotated[
    bool, typer.Option("--dicom", help="Of a DICOM image, write DICOM SEG and SR too; they name the patient.")
]
Json = Annotated[bool, typer.Option("--json-progress", help="JSON lines instead of a progress bar.")]

#: What the table in the terminal shows: heading, quantity, method.
_TABLE = (
    ("ant", "disc_height_anterior", "chord10"),
    ("mid", "disc_height_middle", "chord50"),
    ("post", "disc_height_posterior", "chord90"),
    ("depth", "disc_depth", "depth50"),
    ("index", "disc_height_index", "dhi_mean3"),
    ("wedge", "disc_wedge", "wedge"),
    ("canal", "canal_ap", "disc_level"),
    ("least", "canal_ap_minimum", "within_5mm"),
)

#: Flags that the notes under the table say once for all levels, or that an empty cell says already.
_QUIET_FLAGS = ("not_measurable", "level_unverified")


def _run(job: Job, json_progress: bool) -> Result | None:
    if json_progress:
        cancel_on_signals()
        raise typer.Exit(run_with_json_lines(job))
    with plain_errors(), terminal_progress() as progress:
        return run(job, progress)


@app.command()
def measure(
    image: Image,
    out: Out,
    labels: Labels = None,
    convention: Annotated[
        str, typer.Option(help="Whose values the label map has; 'auto', or see 'conventions'.")
    ] = "auto",
    subregions: Annotated[Optional[Path], typer.Option(help="SPINEPS seg-spine mask beside its seg-vert mask.")] = None,
    device: Device = "auto",
    lowest_disc: Lowest = None,
    series: SeriesOption = None,
    bundle: BundleOption = None,
    dicom: Dicom = False,
    json_progress: Json = False,
) -> None:
    """Segment and measure an image; write labels, table, Slicer scene, picture, and DICOM objects of a DICOM image."""
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
    )
    result = _run(job, json_progress)
    if result:
        console.print(result_table(result.measurements))
        _report(result, out)


@app.command()
def segment(
    image: Image,
    out: Out,
    device: Device = "auto",
    lowest_disc: Lowest = None,
    series: SeriesOption = None,
    bundle: BundleOption = None,
    dicom: Dicom = False,
    json_progress: Json = False,
) -> None:
    """Segment an image; write labels and Slicer scene without measuring."""
    job = Job(image, out, None, series, device, bundle, lowest_disc, measure=False, dicom=dicom)
    result = _run(job, json_progress)
    if result:
        names = ", ".join(s.name for s in result.segmentation.structures)
        console.print(f"Found: {names}", soft_wrap=True)
        _report(result, out)


def _report(result: Result, out: Path) -> None:
    for warning in result.warnings:
        errors.print(f"[yellow]Note:[/yellow] {warning}")
    console.print(f"{len(result.files)} files in {out}: {', '.join(result.files)}", soft_wrap=True)


def result_table(measurements: list[Measurement]) -> Table:
    """The disc levels with their main values, mm unless the heading says otherwise; flags in words below."""
    by_key = {m.key: m for m in measurements}
    levels = list(dict.fromkeys(m.level for m in measurements if m.quantity == "disc_height_middle"))
    table = Table(
        title="Disc heights, AP depth, index, wedge (deg); canal AP at the disc and least; mm",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("level", no_wrap=True)
    for heading, _, _ in _TABLE:
        table.add_column(heading, justify="right", no_wrap=True)
    flagged = []
    for level in levels:
        found = [by_key.get((level, quantity, method)) for _, quantity, method in _TABLE]
        cells = [f"{m.value:.{2 if m.unit == 'ratio' else 1}f}" if m and m.value is not None else "-" for m in found]
        flags = dict.fromkeys(flag for m in found if m for flag in m.flags if flag not in _QUIET_FLAGS)
        table.add_row(level, *cells)
        if flags:
            flagged.append(f"{level}: {', '.join(map(in_words, flags))}")
    table.caption = "\n".join(flagged)
    return table


@app.command()
def info(image: Annotated[Optional[Path], typer.Argument(help="An image or DICOM folder.")] = None) -> None:
    """Show geometry of an image (or the series of a DICOM folder), device, model and versions."""
    from .export.runinfo import versions

    with plain_errors():
        if image is not None:
            _image_info(image)
        from .segment.bundle import open_bundle
        from .segment.device import choose_device, describe

        console.print(f"device: {describe(choose_device('auto'))}")
        bundle = open_bundle()
        console.print(f"model: {bundle.name} {bundle.version}, SHA-256 {bundle.sha256}", soft_wrap=True)
        console.print(", ".join(f"{name} {number}" for name, number in versions().items()), soft_wrap=True)


def _image_info(path: Path) -> None:
    from .volume import read_volume

    if path.is_dir():
        from .dicom_series import read_study

        for series in read_study(path).series:
            console.print(f"series {series}", soft_wrap=True)
    volume = read_volume(path)
    console.print(f"shape: {' x '.join(map(str, volume.array.shape))} voxels (i, j, k), {volume.array.dtype}")
    console.print(f"spacing: {' x '.join(f'{s:.3f}' for s in volume.spacing)} mm")
    console.print("voxel to RAS mm:\n" + "\n".join("  " + " ".join(f"{x:10.4f}" for x in row) for row in volume.affine))
    for key in ("modality", "series", "series_chosen"):
        if key in volume.meta:
            console.print(f"{key.replace('_', ' ')}: {volume.meta[key]}")


@app.command()
def methods() -> None:
    """Print the definition of every value."""
    from .measure import methods as definitions

    table = Table(show_lines=True)
    for heading in ("quantity", "method", "unit", "definition", "source"):
        table.add_column(heading, overflow="fold")
    for d in definitions():
        table.add_row(d.quantity, d.method, d.unit, d.text, d.source)
    console.print(table)


@app.command()
def conventions() -> None:
    """Print the label maps of other programs that 'measure --labels' reads."""
    from .segment.conventions import conventions as known

    table = Table(show_lines=True)
    for heading in ("--convention", "label map", "found by auto"):
        table.add_column(heading, overflow="fold")
    table.add_row("own", "labels.nii.gz of this program", "yes")
    for c in known().values():
        table.add_row(c.name, c.what, "yes" if c.guessed else "no")
    console.print(table)


@export_app.command("tables")
def export_tables(case: Case) -> None:
    """Write tables, labels, segmentation and picture of a case folder as its scene says, if 3D Slicer saved that."""
    with plain_errors():
        from .review.case_tables import tables_from_scene

        removed = tables_from_scene(case)
        console.print(f"The files in {case} show what its scene shows.", soft_wrap=True, markup=False)
        if removed:
            console.print(f"Removed, because they showed something else: {', '.join(removed)}", soft_wrap=True)


@export_app.command("dicom")
def export_dicom(
    case: Case,
    source: Annotated[Path, typer.Option(help="DICOM folder or file that the case was measured on.")],
    out: OutOfCase = None,
    series: SeriesOption = None,
    accepted_by: Annotated[str, typer.Option(help="Who accepts the case (Family^Given): the report is VERIFIED.")] = "",
    organization: Annotated[str, typer.Option(help="The reviewer's organisation.")] = "",
) -> None:
    """Write segmentation.dcm (SEG) and measurements.dcm (SR, TID 1500) of a measured case."""
    with plain_errors():
        from .export.case_files import write_dicom
        from .files import atomic_folder
        from .pipeline import read_case_on

        volume, done = read_case_on(case, source, series)
        with atomic_folder(out or case) as folder:
            write_dicom(folder, volume, done.segmentation, done.measurements, accepted_by, organization)
            names = sorted(file.name for file in folder.iterdir())
        console.print(f"{', '.join(names)} in {out or case}", soft_wrap=True)


@export_app.command("report")
def export_report(
    case: Case,
    image: Annotated[Path, typer.Option(help="Image that the case was measured on.")],
    out: OutOfCase = None,
    series: SeriesOption = None,
    paper: Annotated[str, typer.Option(help="a4 or letter.")] = "a4",
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF too, printed by Chromium, Chrome or Edge.")] = False,
    field: Annotated[Optional[list[str]], typer.Option(help="Fill in the head: 'Patient=Doe, Jane'.")] = None,
    accepted_by: Annotated[str, typer.Option(help="Who accepts the values.")] = "",
) -> None:
    """Write report.html, report.txt (for copy and paste) and, if asked, report.pdf of a measured case."""
    if paper.lower() not in ("a4", "letter"):
        raise typer.BadParameter(f"'{paper}' is neither a4 nor letter.", param_hint="--paper")
    with plain_errors():
        from .export.case_files import write_report_files
        from .export.pdf import write_pdf
        from .export.report import ReportOptions
        from .files import atomic_folder
        from .pipeline import read_case_on

        fields = dict(entry.partition("=")[::2] for entry in field or ())
        options = ReportOptions(fields, accepted_by, paper.lower())
        volume, done = read_case_on(case, image, series)
        place = out or case
        earlier_pdf = ("report.pdf",) if (place / "report.html").exists() else ()  # else somebody else's
        with atomic_folder(place, earlier_pdf) as folder:
            write_report_files(folder, volume, done.segmentation, done.measurements, options)
            names = sorted(file.name for file in folder.iterdir())
        console.print(f"{', '.join(names)} in {place}", soft_wrap=True)
        if pdf:
            # The others stay where it fails.
            write_pdf(place / "report.html", place / "report.pdf")
            console.print(f"report.pdf in {place}", soft_wrap=True)


@app.command()
def review(
    case: Annotated[Path, typer.Argument(help="Output folder of 'measure', a scene (.mrb), or an image to measure.")],
    root: Annotated[
        Optional[Path], typer.Option(help="Folder below which other files may be opened; else that of the case.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but this computer is warned of.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 0,
    device: Device = "auto",
    python: Annotated[str, typer.Option(help="Python that runs the model; else this one.")] = sys.executable,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Review a case in a browser. Ends with Ctrl+C; edits are kept beside the scene at once."""
    with plain_errors():
        from .web.server import LOOPBACK, Options, serve

        if host not in LOOPBACK:
            errors.print(
                f"[yellow]Warning:[/yellow] {host} can be reached from other computers. The connection is not"
                " encrypted: whoever listens to it sees the images and the access token."
            )
        folder = root or (case if case.is_dir() else case.absolute().parent)
        options = Options(case.absolute(), folder.absolute(), host, port, python, device, browser=browser)
        serve(options, lambda line: console.print(line, soft_wrap=True))


@export_app.command("training")
def export_training(
    case: Case,
    image: Annotated[Path, typer.Option(help="Image that the case was measured on.")],
    dataset: Annotated[Path, typer.Option(help="Folder of the data set; made if it is not there.")],
    layout: Annotated[str, typer.Option("--format", help="nnunet (version 2) or bids (a derivative).")] = "nnunet",
    name: Annotated[str, typer.Option(help="Name of the case, letters and digits; else made from its pixels.")] = "",
    contrast: Annotated[str, typer.Option(help="BIDS suffix of the image: T1w, T2w, PDw ...")] = "T2w",
    editor: Annotated[str, typer.Option(help="Who corrected the case; kept in its provenance.")] = "",
    patient: Annotated[str, typer.Option(help="A made-up name, the same for all cases of one patient.")] = "",
    series: SeriesOption = None,
) -> None:
    """Add a corrected case to a training data set; the same case again replaces itself."""
    if layout not in ("nnunet", "bids"):
        raise typer.BadParameter(f"'{layout}' is neither nnunet nor bids.", param_hint="--format")
    with plain_errors():
        from .export.training import TrainingCase, add_to_bids, add_to_nnunet
        from .pipeline import read_case_on

        volume, done = read_case_on(case, image, series)
        one = TrainingCase(volume, done.segmentation, done.measurements, name, editor, patient)
        number = add_to_nnunet(one, dataset) if layout == "nnunet" else add_to_bids(one, dataset, contrast)
        console.print(f"{one.identifier} is in {dataset}; cases: {number}", soft_wrap=True)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Measure a spine MRI."""
    logging.getLogger("monai").setLevel(logging.ERROR)
    if version:
        console.print(__version__)
        raise typer.Exit


if __name__ == "__main__":
    app()
