"""The block of one disc in the report: its picture, and a table of its values against published means."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ...measure.definitions import definition, shown_ends
from ...measure.definitions import listed as defined
from ...measure.flags import in_words
from ...measure.types import Measurement
from ...measure.units import UNITS, number
from ...segmentation import SpineSegmentation
from ...volume import Volume
from . import rows
from .impression import is_outside
from .picture import Grey, level_picture

_NOTE = (
    "Published means, shown for comparison; they are not limits of normality. In the charts the tick is the mean, the "
    "dot is the value, and the band is one standard deviation to either side if the source gives it. "
    "A dot is orange if the value is named in the summary."
)
#: Size of a chart of a value against a published mean, and room at its ends.
_WIDTH, _HEIGHT, _EDGE = 100.0, 14.0, 4.0
#: Minimum half-range of its scale: in standard deviations, or as a part of the mean if the source gives no SD.
_SCALE_SD, _SCALE_SHARE = 3.0, 0.5


class Sources:
    """Sources of the published means, numbered as they are first cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def cite(self, source: str) -> str:
        """Return the mark of a source."""
        return f"<sup>{self._numbers.setdefault(source, len(self._numbers) + 1)}</sup>"

    def html(self) -> str:
        """Return the list of those that were cited."""
        if not self._numbers:
            return ""
        items = "".join(f"<li>{escape(source)}</li>" for source in self._numbers)
        return f'<section class="small"><h2>Sources of the published means</h2><p>{_NOTE}</p><ol>{items}</ol></section>'


def level_block(
    level: str,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    grey: Grey,
    sources: Sources,
    accepted_by: str,
) -> str:
    """Return picture and table of a disc.

    :param measurements: of the whole case, so that all its tables have the same columns.
    :param accepted_by: who accepts the whole case.
    """
    by_kind = {(m.quantity, m.method): m for m in measurements if m.level == level}
    plane = next((m.plane for m in by_kind.values() if m.quantity == "disc_height_middle" and not m.second), None)
    found = list(by_kind.values())
    picture = level_picture(volume, segmentation, plane, found, grey) if plane else "<p>not measurable</p>"
    listed = [by_kind[d.key] for d in defined("disc", shown_ends(measurements)) if d.key in by_kind]
    shared = rows.shared_flags(listed)
    missing = rows.reasons(listed)
    notes = [f"All values: {'; '.join(map(in_words, shared))}."] if shared else []
    notes += [f"Not measured: {'; '.join(missing)}."] if missing else []
    return (
        f'<section class="level"><figure>{picture}<figcaption>{level}: through the disc centroid; mm'
        f"</figcaption></figure><div>{_table(level, listed, shared, measurements, sources, accepted_by)}"
        + "".join(f'<p class="small">{escape(note)}</p>' for note in notes)
        + "</div></section>"
    )


def _table(
    level: str,
    listed: Sequence[Measurement],
    shared: Sequence[str],
    measurements: Sequence[Measurement],
    sources: Sources,
    accepted_by: str,
) -> str:
    """Return the table of a disc; the columns for automatic values, acceptance and references are left out if empty."""
    edited = any(m.automatic for m in measurements)
    accepted = bool(accepted_by) or any(m.accepted for m in measurements)
    compared = any(m.reference for m in measurements)
    columns = [
        (level, "", "", True),
        ("value", "10%", "", True),
        ("", "6%", "", True),
        ("automatic", "11%", "", edited),
        ("accepted", "10%", "", accepted),
        ("reference mean", "26%", "reference", compared),
        ("remarks", "18%" if not (edited and accepted) else "13%", "words", True),
    ]
    shown = [is_shown for *_, is_shown in columns]
    widths = "".join(f'<col style="width:{width}">' if width else "<col>" for _, width, _, wanted in columns if wanted)
    heads = "".join(f'<th class="{kind}">{name}</th>' for name, _, kind, wanted in columns if wanted)
    body = ""
    for m in listed:
        cells = [cell for cell, wanted in zip(_cells(m, sources, shared, accepted_by), shown, strict=True) if wanted]
        body += f"<tr>{''.join(cells)}</tr>"
    return f"<table><colgroup>{widths}</colgroup><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cells(m: Measurement, sources: Sources, shared: Sequence[str], accepted_by: str) -> list[str]:
    """Return the cells of a row.

    :param shared: flags that are listed below the table.
    """
    reference = ""
    if m.reference:
        spread = f" (SD {number(m.reference.sd, m.unit)})" if m.reference.sd is not None else ""
        mean = f"{number(m.reference.mean, m.unit)}{spread}{sources.cite(m.reference.source)}"
        reference = f"<div>{band_chart(m, is_outside(m))}<span>{mean}</span></div>"
    automatic = number(m.automatic.value, m.unit) if m.automatic else ""
    tick = "\u2713" if m.value is not None and (accepted_by or m.accepted) else ""
    mark = "<sup>e</sup>" if m.is_edited else ""
    return [
        f"<th>{escape(definition(m.quantity, m.method, m.level).title)}</th>",
        f"<td><b>{number(m.value, m.unit)}</b>{mark}</td>",
        f'<td class="unit">{UNITS[m.unit].sign}</td>',
        f"<td>{automatic}</td>",
        f"<td>{tick}</td>",
        f'<td class="reference">{reference}</td>',
        f'<td class="words">{escape(rows.remarks([m], shared))}</td>',
    ]


def band_chart(m: Measurement, outside: bool) -> str:
    """Return the chart of a value; empty without a value or a reference.

    :param outside: whether the dot is filled with the colour of values that are named in the summary.
    """
    if m.value is None or m.reference is None:
        return ""
    mean, sd = m.reference.mean, m.reference.sd
    reach = max(_SCALE_SD * sd if sd is not None else _SCALE_SHARE * abs(mean), 1.1 * abs(m.value - mean), 1e-6)

    def x(value: float) -> float:
        return _WIDTH / 2 + (value - mean) / reach * (_WIDTH / 2 - _EDGE)

    middle = _HEIGHT / 2
    parts = [f'<line class="axis" x1="0" x2="{_WIDTH:g}" y1="{middle:g}" y2="{middle:g}"/>']
    if sd is not None:
        parts.append(
            f'<rect class="sd" x="{x(mean - sd):.1f}" y="2" width="{x(mean + sd) - x(mean - sd):.1f}" height="10"/>'
        )
    parts.append(f'<line class="mean" x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="1" y2="{_HEIGHT - 1:g}"/>')
    kind = "value outside" if outside else "value"
    parts.append(f'<circle class="{kind}" cx="{x(m.value):.1f}" cy="{middle:g}" r="3.4"/>')
    spread = "" if sd is None else f", SD {sd:g}"
    label = f"{number(m.value, m.unit)} {m.unit}, published mean {mean:g}{spread}"
    return (
        f'<svg class="band" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
