"""What a DICOM study holds, for a person to choose from: every stack with plane, contrast, slices, and the choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .dicom_series import Series, choose_series, list_series
from .errors import SpineMeasureError

#: Spin echo limits in ms between T1, proton density and T2 weighting, where the description does not say (textbook
#: values; McRobbie et al., MRI from Picture to Proton, 3rd ed. 2017).
_SHORT_TE_MS, _LONG_TE_MS, _SHORT_TR_MS = 40.0, 60.0, 1000.0
_FAT_SUPPRESSED = ("fs", "fat", "spair", "spir", "dixon")


@dataclass(frozen=True)
class Listing:
    """The stacks of a study and which would be measured.

    :ivar chosen: UID and number of that stack, None where the user must choose.
    :ivar reason: why, or what to do.
    """

    series: tuple[Series, ...]
    chosen: tuple[str, str] | None
    reason: str

    def is_chosen(self, series: Series) -> bool:
        """Whether this stack would be measured."""
        return (series.uid, series.number) == self.chosen


def list_study(path: Path) -> Listing:
    """List a study folder, a DICOMDIR or a DICOM file.

    :raises DicomSeriesError: there is no DICOM image.
    """
    found = list_series(path)
    try:
        best, reason, _ = choose_series(found)
    except SpineMeasureError as error:
        return Listing(tuple(found), None, str(error))
    return Listing(tuple(found), (best.uid, best.number), reason)


def contrast(series: Series) -> str:
    """``"T2"``, ``"T2 FS"``, ``"T1"``, ``"STIR"``, ``"PD"``: by the description, else (with a ``?``) by TR and TE.

    :return: empty where neither says.
    """
    words = re.split(r"[^a-z0-9]+", series.description.lower())
    if any(word.startswith(("stir", "tirm")) for word in words):
        return "STIR"
    suppressed = " FS" if any(word.startswith(_FAT_SUPPRESSED) for word in words) else ""
    for name in ("t2", "t1", "pd"):
        if any(name in word for word in words):
            return name.upper() + suppressed
    return _by_times(series)


def _by_times(series: Series) -> str:
    try:
        repetition, echo = float(series.header["RepetitionTime"]), float(series.header["EchoTime"])
    except (KeyError, ValueError):
        return ""
    if echo >= _LONG_TE_MS:
        return "T2?"
    if echo < _SHORT_TE_MS:
        return "T1?" if repetition < _SHORT_TR_MS else "PD?"
    return ""


def rows(listing: Listing) -> list[dict[str, object]]:
    """The listing as plain data, no patient identity."""
    return [_row(series, listing) for series in listing.series]


def _row(series: Series, listing: Listing) -> dict[str, object]:
    return {
        "number": series.number,
        "description": series.description,
        "modality": series.modality,
        "plane": series.plane,
        "contrast": contrast(series),
        "slices": len(series.frames),
        "spacing_mm": [round(s, 3) for s in series.spacing],
        "localiser": series.localiser,
        "chosen": listing.is_chosen(series),
        "uid": series.uid,
    }


def files_of_dicomdir(path: Path) -> Sequence[Path]:
    """The image files that a DICOMDIR names, as far as they are there.

    :param path: the DICOMDIR; the files lie in its folder (PS3.10, 8.2: names in parts, upper case).
    """
    import pydicom

    directory = pydicom.dcmread(path)
    found = []
    for record in directory.get("DirectoryRecordSequence") or []:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else list(parts)
        for spelled in (parts, [part.lower() for part in parts]):  # copies of discs lose the upper case
            file = path.parent.joinpath(*spelled)
            if file.is_file():
                found.append(file)
                break
    return found
