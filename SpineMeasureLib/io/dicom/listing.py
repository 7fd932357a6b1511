"""The stacks of a DICOM study for a person to choose from: plane, contrast, slices, and the automatic choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import SpineMeasureError
from ..checks import thick_slices
from .choice import choose_series
from .contrast import contrast
from .series import Series, read_study


@dataclass(frozen=True)
class Listing:
    """The stacks of a study and which would be measured.

    :ivar chosen: that stack; None if the user must choose.
    :ivar reason: why, or what to do.
    :ivar warnings: what is wrong with the study.
    """

    series: tuple[Series, ...]
    chosen: Series | None
    reason: str
    warnings: tuple[str, ...] = ()


def list_study(path: Path) -> Listing:
    """List a study folder, a DICOMDIR or a DICOM file.

    :raises DicomSeriesError: there is no DICOM image.
    """
    study = read_study(path)
    try:
        best, reason, warnings = choose_series(study)
    except SpineMeasureError as error:
        return Listing(study.series, None, str(error))
    return Listing(study.series, best, reason, (*warnings, *thick_slices(best.affine)))


def rows(listing: Listing) -> list[dict[str, object]]:
    """Return the listing as plain data, without patient identity."""
    return [_row(series, series is listing.chosen) for series in listing.series]


def _row(series: Series, is_chosen: bool) -> dict[str, object]:
    return {
        "number": series.number,
        "description": series.description,
        "modality": series.modality,
        "plane": series.plane,
        "contrast": contrast(series),
        "slices": len(series.frames),
        "spacing_mm": [round(s, 3) for s in series.spacing],
        "localiser": series.localiser,
        "chosen": is_chosen,
        "uid": series.uid,
        "study_uid": series.study,
    }
