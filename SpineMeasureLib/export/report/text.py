"""report.txt: the summary as plain text, to be pasted into a reporting system."""

from __future__ import annotations

from collections.abc import Sequence

from ...measure.definitions import definition
from ...measure.types import Measurement
from ...segmentation import SpineSegmentation
from . import rows
from .impression import TITLE, impression
from .page import NOT_FOR_DIAGNOSIS


def report_text(segmentation: SpineSegmentation, measurements: Sequence[Measurement], accepted_by: str = "") -> str:
    """One line for each disc level, ASCII but for names, without tabs.

    Reporting systems keep neither tables nor other signs.
    """
    by_key = {m.key: m for m in measurements}
    lines = ["Spine MRI measurements (mm, degrees)"]
    if not segmentation.level_verified:
        lines.append("THE LEVEL NAMES ARE NOT VERIFIED.")
    if edits := rows.unaccepted_edits(measurements, accepted_by):
        lines.append(edits.upper())
    lines += [f"{TITLE}:", *impression(measurements)]
    for level in rows.disc_levels(measurements):
        found = {quantity: by_key.get((level, quantity, method)) for _, quantity, method in rows.SUMMARY}

        def say(quantity: str, found: dict[str, Measurement | None] = found) -> str:
            m = found[quantity]
            return _number(m) + ("*" if m and rows.is_edited(m) else "")

        heights = " / ".join(say(f"disc_height_{place}") for place in ("anterior", "middle", "posterior"))
        line = (
            f"{level}: disc height anterior/middle/posterior {heights}, AP depth {say('disc_depth')}, "
            f"wedge {say('disc_wedge')}, slip {say('listhesis')}; canal AP (dural sac) {say('canal_ap')}, "
            f"minimum {say('canal_ap_minimum')}."
        )
        doubts = rows.remarks(found.values())
        lines.append(f"{line} ({doubts})" if doubts else line)
    for m in rows.alignment(measurements):
        lines.append(f"{definition(m.quantity, m.method).title} {m.level}: {_number(m)}.")
    if any(map(rows.is_edited, measurements)):
        lines.append("* edited by hand.")
    lines.append(
        "Wedge: positive when wider anteriorly. Slip: positive when the upper vertebra is displaced anteriorly."
    )
    lines.append(f"Methods: {', '.join(method for _, _, method in rows.SUMMARY)}.")
    lines += [rows.state(measurements, accepted_by), NOT_FOR_DIAGNOSIS]
    return "\n".join(lines) + "\n"


def _number(m: Measurement | None) -> str:
    return "-" if m is None or m.value is None else rows.number(m.value, m.unit)
