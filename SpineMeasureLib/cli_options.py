"""Arguments and options that several commands share: one name, one text and one check for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar, get_args, get_type_hints

import typer

from .terminal import be_quiet
from .threads import limit_threads

_Options = TypeVar("_Options")


def one_of(names: Callable[[], Sequence[str]], *flags: str, text: str) -> Any:
    """Make an option with a fixed set of values, which the shell completes. Case does not matter.

    :param names: returns the values; called only when they are needed, because some need large libraries.
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
    """Return the settings of an option that takes a number from `lowest` to `highest`: ``typer.Option(**number(0))``.

    :param kind: int or float; infinity and NaN are refused.
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
    """Return the settings of a command whose options had other names before: ``renamed(source="image")``."""
    return {"token_normalize_func": lambda token: names.get(token, token)}


def _devices() -> Sequence[str]:
    from .segment.device import CHOICES

    return CHOICES


def _ends() -> Sequence[str]:
    from .measure.definitions import EndsOn as Literals

    return get_args(Literals)


def _conventions() -> Sequence[str]:
    from .segment.labels.conventions import conventions

    return ["auto", "own", *conventions()]


def _written_conventions() -> Sequence[str]:
    from .segment.labels.written import WRITTEN

    return tuple(WRITTEN)


def _threads(count: int) -> int:
    limit_threads(count)
    return count


#: A larger number of threads is a typing error.
MAX_THREADS = 1024

Image = Annotated[Path, typer.Argument(help="NIfTI, NRRD or MetaImage file, DICOM folder, or enhanced DICOM file.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Output folder.")]
Labels = Annotated[
    Optional[Path],
    typer.Option(help="Label map, .seg.nrrd or DICOM SEG to measure instead of running the model."),
]
Convention = Annotated[
    str, one_of(_conventions, text="Convention of the label values; see 'spinemeasure conventions'.")
]
_ENDS = "What the heights shown first are between: edges of the image, or masks (the segmentation)"
EndsOn = Annotated[str, one_of(_ends, text=f"{_ENDS}.")]
EndsOfCase = Annotated[Optional[str], one_of(_ends, "--ends", text=f"{_ENDS}; by default as in the case.")]
Subregions = Annotated[
    Optional[Path], typer.Option(help="SPINEPS seg-spine mask that belongs to a seg-vert mask in --labels.")
]
Device = Annotated[str, one_of(_devices, text="Device for the model: auto, cuda, mps or cpu.")]
Lowest = Annotated[
    Optional[str],
    typer.Option("--lowest-disc", help="Name of the lowest disc in view, e.g. L5-S1; all other levels follow."),
]
DiscPoints = Annotated[
    Optional[Path],
    typer.Option(
        help="Points that name the discs: NIfTI of the Spinal Cord Toolbox, .mrk.json or .fcsv.",
    ),
]
WriteConvention = Annotated[
    Optional[list[str]],
    one_of(_written_conventions, text="Also write the labels in another program's convention; may be repeated."),
]
Series = Annotated[
    Optional[str], typer.Option("--series", help="DICOM series by number, UID or description; or UID of a study.")
]
BundleOption = Annotated[
    Optional[Path], typer.Option("--bundle", help="Model bundle to use instead of the built-in one.")
]
Dicom = Annotated[
    bool,
    typer.Option(
        "--dicom", help="Also write DICOM SEG and SR, which contain the patient's name; for DICOM images only."
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        **number(0, MAX_THREADS),
        callback=_threads,
        is_eager=True,
        help="Number of CPU threads; 0 means all.",
    ),
]
ReplaceReview = Annotated[
    bool,
    typer.Option(
        "--replace-review", help="Replace an earlier case in the output folder even if it was edited in a review."
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", callback=be_quiet, help="Print only errors.")]
Json = Annotated[bool, typer.Option("--json-progress", help="Print JSON lines instead of a progress bar.")]
Case = Annotated[Path, typer.Argument(help="Output folder of 'spinemeasure measure'.")]
MeasuredImage = Annotated[Path, typer.Option("--image", help="Image that the case was measured on.")]
OutOfCase = Annotated[
    Optional[Path], typer.Option("-o", "--out", help="Folder for the files; by default the folder of the case.")
]


@dataclass(frozen=True)
class _ImageAndFolder:
    image: Image
    out: Out


@dataclass(frozen=True)
class _OfTheRun:
    device: Device = "auto"
    lowest_disc: Lowest = None
    disc_points: DiscPoints = None
    write_convention: WriteConvention = None
    series: Series = None
    bundle: BundleOption = None
    dicom: Dicom = False
    replace_review: ReplaceReview = False
    threads: Threads = 0
    json_progress: Json = False
    quiet: Quiet = False


@dataclass(frozen=True)
class _OfLabels:
    labels: Labels = None
    ends: EndsOn = "edges"
    convention: Convention = "auto"
    subregions: Subregions = None


@dataclass(frozen=True)
class SegmentOptions(_OfTheRun, _ImageAndFolder):
    """Arguments and options of `segment`; names as in `pipeline.Job`."""


@dataclass(frozen=True)
class MeasureOptions(_OfTheRun, _OfLabels, _ImageAndFolder):  # type: ignore[misc]
    """Arguments and options of `measure`; names as in `pipeline.Job`."""


def takes(options: type[_Options]) -> Callable[[Callable[[_Options], None]], Callable[..., None]]:
    """Give a command the fields of a dataclass as arguments and options; it is called with one object of that class."""

    def decorate(command: Callable[[_Options], None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            command(options(**values))

        kinds = get_type_hints(options, include_extras=True)
        given = [one.replace(annotation=kinds[one.name]) for one in signature(options).parameters.values()]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__signature__ = Signature(given)  # type: ignore[attr-defined]
        called.__annotations__ = kinds
        return called

    return decorate
