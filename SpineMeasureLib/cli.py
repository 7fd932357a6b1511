"""``spinemeasure``: the command line for people. Libraries are imported by the commands that use them."""

from __future__ import annotations

import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from . import __version__
from .cli_dicom import dicom_app
from .cli_export import export_app
from .cli_help import App, examples
from .cli_options import Device, MeasureOptions, Quiet, SegmentOptions, Series, Threads, number, takes
from .cli_train import evaluate, train_app
from .terminal import console, errors, terminal_progress

if TYPE_CHECKING:
    from .pipeline import Result

app = App(pretty_exceptions_enable=False, rich_markup_mode=None)
#: Prefix of a line of the server that is printed also when quiet.
_ERROR = "Error: "


@app.command(
    epilog=examples(
        "measure scan.nii.gz -o out/case",
        "measure dicom_folder -o out/case --series 3 --dicom",
        "measure scan.nii.gz -o out/case --lowest-disc L5-S1 --threads 4 --quiet",
        "measure scan.nii.gz -o out/case --labels mask.nii.gz --convention totalspineseg",
    )
)
@takes(MeasureOptions)
def measure(options: MeasureOptions) -> None:
    """Segment and measure an image.

    Writes labels, tables, a picture, a Slicer scene and, if requested, DICOM objects.

    On a CPU the model takes about 0.4 s per sagittal slice of 26 x 22 cm and thread, plus 5 to 10 s for everything
    else: about 15 s for a typical study with two threads. An estimate is printed before it starts.
    """
    result = _run(options)
    if result and not options.quiet:
        from .cli_tables import main_values

        console.show(main_values(result.measurements))
        _report(result, options.out)


@app.command(
    epilog=examples(
        "segment scan.nii.gz -o out/case",
        "segment dicom_folder -o out/case --series 3 --device cpu --threads 4",
    )
)
@takes(SegmentOptions)
def segment(options: SegmentOptions) -> None:
    """Segment an image without measuring it.

    Writes labels and a Slicer scene. Takes almost as long as 'measure'.
    """
    result = _run(options, measure=False)
    if result:
        console.print(f"Found: {', '.join(s.name for s in result.segmentation.structures)}")
        _report(result, options.out)


def _run(options: SegmentOptions | MeasureOptions, measure: bool = True) -> Result | None:
    from .pipeline import Job, run

    given = {each.name: getattr(options, each.name) for each in fields(options)}
    written = tuple(dict.fromkeys(given.pop("write_convention") or ()))
    names = {each.name for each in fields(Job)}
    job = Job(
        **{name: value for name, value in given.items() if name in names}, write_conventions=written, measure=measure
    )
    if options.json_progress:
        from .__main__ import run_with_json_lines

        raise typer.Exit(run_with_json_lines(job))
    with terminal_progress() as progress:
        return run(job, progress)


def _report(result: Result, out: Path) -> None:
    for warning in result.warnings:
        errors.note(warning)
    console.print(f"{len(result.files)} files in {out}: {', '.join(result.files)}")


@app.command(epilog=examples("info", "info scan.nii.gz", "info dicom_folder"))
def info(
    image: Annotated[Optional[Path], typer.Argument(help="Image file or DICOM folder.")] = None,
    series: Series = None,
) -> None:
    """Show geometry, device, model and versions.

    Also lists the series of a DICOM folder.
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
    from .io.read import read_volume

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
        bool, typer.Option("--json", help="Print the data dictionary as JSON: columns, quantities and flags.")
    ] = False,
) -> None:
    """Print the definition of every measurement."""
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
    """List the supported label conventions.

    'measure --labels' reads label maps with these values.
    """
    from .cli_tables import plain_table
    from .segment.labels.conventions import conventions as known
    from .segment.labels.written import WRITTEN

    rows = [("own", "labels.nii.gz of this program", "yes", "always")]
    for c in known().values():
        rows.append((c.name, c.what, "yes" if c.guessed else "no", "yes" if c.name in WRITTEN else "no"))
    console.show(plain_table(("--convention", "label map", "found by auto", "--write-convention"), rows))


@app.command(
    epilog=examples(
        "review out/case",
        "review scan.nii.gz --device cpu --no-browser",
        "review out/case/scene.mrb --root out --port 8080",
    )
)
def review(
    case: Annotated[Path, typer.Argument(help="Output folder of 'measure', scene (.mrb), or image to measure.")],
    root: Annotated[
        Optional[Path],
        typer.Option(help="Folder from which other files may be opened; by default the folder of the case."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Warns if other computers can reach it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(**number(0, 65535), help="Port to listen on; 0 means any free port.")] = 0,
    device: Device = "auto",
    python: Annotated[
        Path, typer.Option(help="Python interpreter that runs the model; by default the current one.")
    ] = Path(sys.executable),
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Review a case in a browser.

    Press Ctrl+C to stop. Every edit is saved immediately, next to the scene.
    """
    if quiet and not browser:
        raise typer.BadParameter("--no-browser needs the printed address, which --quiet hides.", param_hint="'--quiet'")
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
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
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
