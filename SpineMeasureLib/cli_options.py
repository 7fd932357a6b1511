"""Arguments and options that several commands share: one name, one text and one check for one thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from .terminal import be_quiet
from .threads import limit_threads


def one_of(names: Callable[[], Sequence[str]], *flags: str, text: str) -> Any:
    """An option with a fixed set of values, which the shell completes. Capitals do not matter.

    :param names: the values; called when they are needed, as some of them need large libraries.
    """

    def check(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, (list, tuple)):
            return [check(each) for each in value]
        fitting = [name for name in names() if name.lower() == value.lower()]
        if not fitting:
            raise typer.BadParameter(f"'{value}' is not one of {', '.join(names())}.")
        return fitting[0]

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.lower().startswith(incomplete.lower())]

    return typer.Option(*flags, help=text, callback=check, autocompletion=complete)


def number(lowest: float, highest: float = math.inf, kind: type[float] = int) -> dict[str, Any]:
    """Settings of an option that takes a number from `lowest` to `highest`: ``typer.Option(**number(0))``.

    :param kind: int or float. Infinity and what is not a number are refused.
    """

    def parse(text: Any) -> float:
        try:
            value = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
        else:
            if math.isfinite(value) and lowest <= value <= highest:
                return value
            limits = f"{lowest:g} or more" if highest == math.inf else f"from {lowest:g} to {highest:g}"
            raise typer.BadParameter(f"'{text}' must be {limits}.")
        raise typer.BadParameter(f"'{text}' is not {what}.")

    return {"parser": parse, "metavar": "N"}


def renamed(**names: str) -> dict[str, Any]:
    """Settings of a command some of whose options had other names once: ``renamed(source="image")``."""
    return {"token_normalize_func": lambda token: names.get(token, token)}


def _devices() -> Sequence[str]:
    from .segment.device import CHOICES

    return CHOICES


def _conventions() -> Sequence[str]:
    from .segment.labels.conventions import conventions

    return ["auto", "own", *conventions()]


def _written_conventions() -> Sequence[str]:
    from .segment.labels.written import WRITTEN

    return tuple(WRITTEN)


def _threads(count: int) -> int:
    limit_threads(count)
    return count


#: Larger numbers of threads are typing errors.
MOST_THREADS = 1024

Image = Annotated[Path, typer.Argument(help="NIfTI, NRRD, MetaImage, a DICOM folder or an enhanced DICOM file.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
Labels = Annotated[
    Optional[Path],
    typer.Option(help="Measure this label map, .seg.nrrd or DICOM SEG instead of running the model."),
]
Convention = Annotated[
    str, one_of(_conventions, text="Which program made the label map: see 'spinemeasure conventions'.")
]
Subregions = Annotated[Optional[Path], typer.Option(help="SPINEPS seg-spine mask that belongs to the seg-vert mask.")]
Device = Annotated[str, one_of(_devices, text="Device that runs the model: auto, cuda, mps or cpu.")]
Lowest = Annotated[Optional[str], typer.Option("--lowest-disc", help="Name of the lowest disc in view, e.g. L5-S1.")]
DiscPoints = Annotated[
    Optional[Path],
    typer.Option(
        help="Points that name the discs: NIfTI as written by the Spinal Cord Toolbox, .mrk.json or .fcsv.",
    ),
]
WriteConvention = Annotated[
    Optional[list[str]],
    one_of(_written_conventions, text="Write the labels in another program's values too; may be repeated."),
]
Series = Annotated[
    Optional[str], typer.Option("--series", help="DICOM series: number, UID or description; or UID of a study.")
]
BundleOption = Annotated[Optional[Path], typer.Option("--bundle", help="Folder of another model bundle.")]
Dicom = Annotated[
    bool, typer.Option("--dicom", help="Write DICOM SEG and SR of a DICOM image too; they name the patient.")
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        **number(0, MOST_THREADS),
        callback=_threads,
        is_eager=True,
        help="Number of CPU threads; 0 for all.",
    ),
]
ReplaceReview = Annotated[
    bool, typer.Option("--replace-review", help="Replace the case in the folder even if it was edited in a review.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", callback=be_quiet, help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json-progress", help="JSON lines instead of a progress bar.")]
Case = Annotated[Path, typer.Argument(help="Output folder of 'spinemeasure measure'.")]
MeasuredImage = Annotated[Path, typer.Option("--image", help="Image that the case was measured on.")]
OutOfCase = Annotated[
    Optional[Path], typer.Option("-o", "--out", help="Folder for the files; by default that of the case.")
]
