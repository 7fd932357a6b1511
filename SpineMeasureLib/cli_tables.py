"""Tables of values and definitions for the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from rich.table import Table

from .measure.definitions import Definition
from .measure.flags import in_words
from .measure.types import Measurement

#: Longer lines of text are hard to read.
_MAX_WIDTH = 100

#: Columns of the table in the terminal: heading, quantity, method.
_TABLE = (
    ("ant", "disc_height_anterior", "chord10"),
    ("mid", "disc_height_middle", "chord50"),
    ("post", "disc_height_posterior", "chord90"),
    ("depth", "disc_depth", "depth50"),
    ("index", "disc_height_index", "dhi_mean3"),
    ("wedge", "disc_wedge", "wedge"),
    ("canal", "canal_ap", "disc_level"),
    ("minimum", "canal_ap_minimum", "within_5mm"),
)

#: Flags that apply to all levels or that an empty cell already shows.
_QUIET_FLAGS = ("not_measurable", "level_unverified")


def main_values(measurements: list[Measurement]) -> Table:
    """Return a table of the main values of each disc level, in mm unless the heading says otherwise, and its flags."""
    by_key = {m.key: m for m in measurements}
    levels = list(dict.fromkeys(m.level for m in measurements if m.quantity == "disc_height_middle"))
    table = Table(
        title="Disc heights, AP depth, index, wedge (deg); canal AP at the disc and minimum; mm",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("level", no_wrap=True)
    for heading, _, _ in _TABLE:
        table.add_column(heading, justify="right", no_wrap=True)
    flagged = []
    for level in levels:
        found = [by_key.get((level, quantity, method)) for _, quantity, method in _TABLE]
        cells = [f"{m.value:.{2 if m.unit == 'ratio' else 1}f}" if m and m.value is not None else "-" for m in found]
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
    for number, d in enumerate(definitions):
        if number:
            yield ""
        yield f"{d.quantity}, {d.method} [{d.unit}]"
        for text in (d.text, f"Source: {d.source}" if d.source else ""):
            yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
