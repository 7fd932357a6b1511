"""Tables of values and definitions for the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .measure.definitions import Definition, columns, disc_levels, shown_ends
from .measure.flags import in_words
from .measure.types import Measurement
from .measure.units import number

#: Longer lines of text are hard to read.
_MAX_WIDTH = 100

#: Flags that apply to all levels or that an empty cell already shows.
_QUIET_FLAGS = ("not_measurable", "level_unverified")


def main_values(measurements: list[Measurement]) -> Table:
    """Return a table of the disc levels with the values of the summary tables; flags in words below."""
    by_key = {m.key: m for m in measurements}
    shown = columns("disc", shown_ends(measurements))
    groups = {over: [d for d in shown if d.over == over] for over in dict.fromkeys(d.over for d in shown)}
    words = [f"{over}: {', '.join(f'{d.heading} ({d.unit})' for d in of)}" for over, of in groups.items()]
    table = Table(title="; ".join(words), title_justify="left", caption_justify="left", box=SIMPLE_HEAD, padding=(0, 0))
    table.add_column("level", no_wrap=True)
    for d in shown:
        table.add_column(d.heading, justify="right", overflow="fold")
    flagged = []
    for level in disc_levels(measurements):
        found = [by_key.get((level, *d.key)) for d in shown]
        cells = [number(m.value if m else None, d.unit, missing="-") for m, d in zip(found, shown, strict=True)]
        flags = dict.fromkeys(flag for m in found if m for flag in m.flags if flag not in _QUIET_FLAGS)
        table.add_row(level, *cells)
        if flags:
            flagged.append(f"{level}: {', '.join(map(in_words, flags))}")
    table.caption = "\n".join(flagged)
    return table


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table whose cells wrap if the terminal is narrow."""
    table = Table(show_lines=True)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def definition_lines(definitions: Sequence[Definition]) -> Iterator[str]:
    """Yield the lines of every definition, a heading and a paragraph, for the width of the terminal."""
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
    for n, d in enumerate(definitions):
        if n:
            yield ""
        yield f"{d.quantity}, {d.method} [{d.unit}]"
        for text in (d.text, f"Source: {d.source}" if d.source else ""):
            yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
