"""report.html: one self-contained page for a reader of images. Nothing in it names the patient unless given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from pathlib import Path

from ...files import atomic_path
from ...measure.definitions import At, body_levels, columns, definition, disc_levels, shown_ends
from ...measure.types import Measurement
from ...measure.units import UNITS, number
from ...resources import data_path
from ...segmentation import SpineSegmentation
from ...volume import Volume
from ..runinfo import versions
from . import rows
from .impression import TITLE, impression
from .level import Sources, level_block
from .picture import Grey, grey_window, spine_picture

#: Fields of the head; empty ones are filled in on the page or by hand.
FIELDS = ("Patient", "Patient ID", "Date of birth", "Date of examination", "Referring physician", "Reported by")
PAPERS = {"a4": "A4", "letter": "letter"}
NOT_FOR_DIAGNOSIS = "Research software. Not for diagnosis."
#: Shown by the colour of the number in the tables of all levels.
_RED = ("low_confidence",)
_UNVERIFIED = "The level names are not verified: count the levels before using any value."


@dataclass(frozen=True)
class ReportOptions:
    """What the user adds to a report.

    :ivar fields: texts of the head by name; `FIELDS` first, others after them.
    :ivar accepted_by: who accepts the values.
    :ivar paper: ``"a4"`` or ``"letter"``.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    accepted_by: str = ""
    paper: str = "a4"


def write_report(
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    path: Path,
    options: ReportOptions | None = None,
) -> None:
    """Write the report as one HTML file without scripts and without references to other files.

    :raises OutputError: the file cannot be written.
    """
    text = report_html(volume, segmentation, measurements, options or ReportOptions())
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_html(
    volume: Volume, segmentation: SpineSegmentation, measurements: Sequence[Measurement], options: ReportOptions
) -> str:
    """Return the page: head, summary with the whole spine, one block per disc, vertebrae, definitions, versions."""
    grey = grey_window(volume, segmentation)
    sources = Sources()
    blocks = [
        _head(segmentation, measurements, options),
        _summary(volume, segmentation, measurements, grey),
        "<h2>Disc levels</h2>",
        *(
            level_block(level, volume, segmentation, measurements, grey, sources, options.accepted_by)
            for level in disc_levels(measurements)
        ),
        _bodies(measurements),
        _definitions(measurements),
        sources.html(),
        _made_by(segmentation),
    ]
    style = data_path("Resources/report.css").read_text(encoding="utf-8")
    page = f"@page {{ size: {PAPERS[options.paper]}; }}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Spine MRI measurements</title><style>{style}{page}</style></head>\n<body>\n"
        + "\n".join(blocks)
        + "\n</body></html>\n"
    )


def _head(segmentation: SpineSegmentation, measurements: Sequence[Measurement], options: ReportOptions) -> str:
    names = dict.fromkeys((*FIELDS, *options.fields))
    cells = "".join(
        f'<div><dt>{escape(name)}</dt><dd contenteditable="true">{escape(options.fields.get(name, ""))}</dd></div>'
        for name in names
    )
    state = rows.state(measurements, options.accepted_by)
    warnings = [] if segmentation.level_verified else [_UNVERIFIED]
    warnings.append(rows.unaccepted_edits(measurements, options.accepted_by))
    boxes = "".join(f'<p class="warn">{escape(text)}</p>' for text in warnings if text)
    return (
        f'<header><h1>Spine MRI measurements</h1><p class="never">{NOT_FOR_DIAGNOSIS}</p></header>'
        f'<dl class="fields">{cells}</dl>{boxes}<p class="state">{escape(state)}</p>{_impression(measurements)}'
    )


def _impression(measurements: Sequence[Measurement]) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in impression(measurements))
    return f'<section class="impression"><h2>{TITLE}</h2>{lines}</section>'


def _cell(m: Measurement | None) -> str:
    if m is None or m.value is None:
        return "<td>\u2013</td>"
    mark = "<sup>e</sup>" if m.is_edited else ""
    doubt = ' class="doubt"' if "low_confidence" in m.flags else ""
    return f"<td{doubt}>{number(m.value, m.unit)}{mark}</td>"


def _table(levels: Sequence[str], at: At, measurements: Sequence[Measurement]) -> str:
    """Return the summary table of all discs or bodies: a row for each level, a column for each `Definition.heading`."""
    by_key = {m.key: m for m in measurements}
    shown = columns(at, shown_ends(measurements))
    over = [d.over for d in shown]
    groups = "".join(f'<th colspan="{over.count(name)}">{name}</th>' for name in dict.fromkeys(over))
    heads = "".join(f"<th>{d.heading}</th>" for d in shown)
    units = "".join(f"<th>{UNITS[d.unit].sign}</th>" for d in shown)
    body = []
    for level in levels:
        found = [by_key.get((level, *d.key)) for d in shown]
        cells = "".join(map(_cell, found))
        body.append(f'<tr><th>{level}</th>{cells}<td class="words">{escape(rows.remarks(found, _RED))}</td></tr>')
    return (
        f'<table class="wide"><thead><tr><th></th>{groups}<th></th></tr>'
        f'<tr><th>level</th>{heads}<th class="words">remarks</th></tr>'
        f'<tr class="units"><th></th>{units}<th></th></tr></thead><tbody>{"".join(body)}</tbody></table>'
    )


def _summary(volume: Volume, segmentation: SpineSegmentation, measurements: Sequence[Measurement], grey: Grey) -> str:
    angles = "".join(
        f"<li>{definition(m.quantity, m.method).title} {m.level}: {number(m.value, m.unit)}{UNITS[m.unit].sign}"
        f"{' (' + escape(rows.remarks([m])) + ')' if rows.remarks([m]) else ''}</li>"
        for m in rows.alignment(measurements)
    )
    note = (
        "Red: low confidence; check it on the images. e: edited by hand. \u2013: not measured. "
        f"{rows.SIGNS} Canal: dural sac."
    )
    return (
        f'<section class="summary"><figure>{spine_picture(volume, segmentation, measurements, grey)}</figure><div>'
        f"{_table(disc_levels(measurements), 'disc', measurements)}"
        f'<ul class="angles">{angles}</ul><p class="small">{note}</p></div></section>'
    )


def _bodies(measurements: Sequence[Measurement]) -> str:
    levels = body_levels(measurements)
    if not levels:
        return ""
    return f'<section class="whole"><h2>Vertebrae</h2>{_table(levels, "body", measurements)}</section>'


def _definitions(measurements: Sequence[Measurement]) -> str:
    used = dict.fromkeys(definition(m.quantity, m.method, m.level) for m in rows.shown(measurements))
    items = []
    for d in used:
        source = f" ({escape(d.source)})" if d.source else ""
        items.append(f"<dt>{escape(d.title)} <i>{escape(d.method)}</i></dt><dd>{escape(d.text)}{source}</dd>")
    return f'<section class="small"><h2>Definitions</h2><dl class="definitions">{"".join(items)}</dl></section>'


def _made_by(segmentation: SpineSegmentation) -> str:
    source = segmentation.provenance
    model = (
        f"model {source['model']} {source.get('model_version', '')}, SHA-256 {source.get('model_sha256', '')}"
        if "model" in source
        else "label map given by the user"
    )
    found = versions()
    written = date.today().isoformat()
    software = ", ".join(f"{name} {found[name]}" for name in ("spinemeasure", "python", "numpy", "scipy", "torch"))
    anchor = segmentation.anchor or "nothing in view"
    return (
        f'<section class="small"><h2>Made with</h2><p>{escape(software)}; {escape(model)}. Levels named from: '
        f"{escape(anchor)}. Written on {written}.</p><p><b>{NOT_FOR_DIAGNOSIS}</b> Every value depends "
        "on the segmentation and on the levels' names: check both on the images.</p></section>"
    )
