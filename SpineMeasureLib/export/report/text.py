"""report.txt: the summary as plain text, to be pasted into a reporting system."""

from __future__ import annotations

from collections.abc import Sequence

from ...measure.definitions import columns, definition, disc_levels, shown_ends
from ...measure.types import Measurement
from ...measure.units import number
from ...segmentation import SpineSegmentation
from . import rows
from .impression import TITLE, impression
from .page import NOT_FOR_DIAGNOSIS


def report_text(segmentation: SpineSegmentation, measurements: Sequence[Measurement], accepted_by: str = "") -> str:
    """Return one line for each disc level, ASCII except for names, without tabs.

    Reporting systems keep neither tables nor other characters.
    """
    by_key = {m.key: m for m in measurements}
    lines = ["Spine MRI measurements (mm, degrees)"]
    if not segmentation.level_verified:
        lines.append("THE LEVEL NAMES ARE NOT VERIFIED.")
    if edits := rows.unaccepted_edits(measurements, accepted_by):
        lines.append(edits.upper())
    lines += [f"{TITLE}:", *impression(measurements)]
    ends = shown_ends(measurements)
    for level in disc_levels(measurements):
        found = {d: by_key.get((level, *d.key)) for d in columns("disc", ends)}
        groups: dict[str, list[str]] = {}
        for d, m in found.items():
            mark = "*" if m and m.is_edited else ""
            groups.setdefault(d.over, []).append(f"{d.heading} {_number(m)}{mark}")
        line = f"{level}: {'; '.join(f'{over} ' + ', '.join(values) for over, values in groups.items())}."
        doubts = rows.remarks(found.values())
        lines.append(f"{line} ({doubts})" if doubts else line)
    for m in rows.alignment(measurements):
        lines.append(f"{definition(m.quantity, m.method, m.level).title} {m.level}: {_number(m)}.")
    if any(m.is_edited for m in measurements):
        lines.append("* edited by hand.")
    lines.append(f"{rows.SIGNS} Canal: dural sac.")
    lines.append(f"Methods: {', '.join(d.method for d in columns('disc', ends))}.")
    lines += [rows.state(measurements, accepted_by), NOT_FOR_DIAGNOSIS]
    return "\n".join(lines) + "\n"


def _number(m: Measurement | None) -> str:
    return "-" if m is None else number(m.value, m.unit, missing="-")
