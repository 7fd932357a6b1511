"""The right half of overview.png: the table, and the course of heights and diameters over the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measure.definitions import Definition, EndsOn, columns, disc_levels, shown_ends
from ..measure.types import Measurement
from ..measure.units import UNITS, number

TEXT, DIM, BAD = "#e8ecf0", "#93a0ad", "#ff7a70"
_GRID, _FRAME, _BACKGROUND = "#2a323a", "#3a444e", "#101418"


@dataclass(frozen=True)
class Curve:
    """A value with the colour that it has everywhere in the picture."""

    what: Definition
    colour: str

    @property
    def name(self) -> str:
        """Its heading in the tables."""
        return self.what.heading


#: Colours of curves and lines; a spare one for each further line of a group.
_YELLOW, _CYAN = ("#ffd94a", "#ff9f43", "#9be564", "#f78fb3"), ("#5cd6ff", "#7ea8ff")


def _curves(group: str, colours: Sequence[str], ends_on: EndsOn) -> tuple[Curve, ...]:
    lines = [d for d in columns("disc", ends_on) if d.editable and d.group == group and d.quantity != "disc_depth"]
    return tuple(map(Curve, lines, colours))


def curves(measurements: Sequence[Measurement]) -> tuple[tuple[Curve, ...], tuple[Curve, ...]]:
    """Return the lines of discs and of the canal that are shown first; the overview does not show AP depth."""
    ends_on = shown_ends(measurements)
    return _curves("Disc", _YELLOW, ends_on), _curves("Canal and cord", _CYAN, ends_on)


#: Part of the width that the columns of values take.
_WIDTH = 0.8
#: Lines of the head; height of a line as part of the figure, and of a table at most.
_HEAD, _LINE, _TALLEST = 3, 0.032, 0.50


def table_height(measurements: Sequence[Measurement]) -> float:
    """Return the height of the table as part of the figure."""
    return min(_LINE * (_HEAD + len(disc_levels(measurements))), _TALLEST)


def draw_table(axes: Any, measurements: Sequence[Measurement]) -> None:
    """Draw the values of all discs; red if the confidence is low."""
    axes.axis("off")
    axes.set_xlim(0, 1)
    by_key = {m.key: m for m in measurements}
    levels = disc_levels(measurements)
    count = _HEAD + len(levels)
    axes.set_ylim(count, 0)
    size = 10.5 if count * _LINE <= _TALLEST else 10.5 * _TALLEST / (count * _LINE)
    shown = columns("disc", shown_ends(measurements))
    step = _WIDTH / max(len(shown) - 1, 1)
    places = [1 - _WIDTH + n * step for n in range(len(shown))]
    groups = [d.over for d in shown]
    for group in dict.fromkeys(groups):
        inside = [x for x, g in zip(places, groups, strict=True) if g == group]
        axes.text(
            (inside[0] + inside[-1]) / 2 - 0.3 * step, 0.5, group, color=DIM, fontsize=size, ha="center", va="center"
        )
        axes.plot([inside[0] - 0.7 * step, inside[-1]], [1, 1], color=_FRAME, linewidth=0.8)
    axes.text(0, 1.5, "level", color=DIM, fontsize=size, weight="bold", va="center")
    for x, d in zip(places, shown, strict=True):
        axes.text(x, 1.5, d.heading, color=DIM, fontsize=0.84 * size, weight="bold", ha="right", va="center")
        axes.text(x, 2.4, UNITS[d.unit].sign, color=DIM, fontsize=0.85 * size, ha="right", va="center")
    axes.plot([0, 1], [_HEAD - 0.1] * 2, color=DIM, linewidth=0.8)
    for line, level in enumerate(levels, start=_HEAD):
        axes.text(0, line + 0.5, level, fontsize=size, weight="bold", va="center")
        for x, d in zip(places, shown, strict=True):
            m = by_key.get((level, *d.key))
            colour = BAD if m and "low_confidence" in m.flags else TEXT
            axes.text(
                x,
                line + 0.5,
                number(m.value if m else None, d.unit),
                color=colour,
                fontsize=size,
                ha="right",
                va="center",
            )


def course_height(measurements: Sequence[Measurement]) -> float:
    """Return the height of a chart as part of the figure, if there is room."""
    return 0.14 + 0.06 * len(disc_levels(measurements))


def draw_course(axes: Any, measurements: Sequence[Measurement], curves: Sequence[Curve], title: str) -> None:
    """Draw values over the levels, and published means in the colour of their curve, with the SD if it is given."""
    by_key = {m.key: m for m in measurements}
    levels = disc_levels(measurements)
    shifts = np.linspace(-0.17, 0.17, len(curves)) if len(curves) > 1 else [0.0]
    references = []
    for curve, shift in zip(curves, shifts, strict=True):
        found = [by_key.get((level, *curve.what.key)) for level in levels]
        values = [np.nan if m is None or m.value is None else m.value for m in found]
        places = np.arange(len(levels)) + shift
        axes.plot(values, places, "o-", color=curve.colour, markersize=4, linewidth=1.2, label=curve.name)
        for place, m in zip(places, found, strict=True):
            if m and m.reference:
                references.append(m.reference)
                _draw_reference(axes, m.reference.mean, m.reference.sd, place, curve.colour)
    axes.set_facecolor(_BACKGROUND)
    axes.set_yticks(range(len(levels)), levels, fontsize=8.5 if len(levels) < 16 else 7)
    axes.set_ylim(len(levels) - 0.5, -0.5)
    axes.set_xlim(0, 1.06 * axes.get_xlim()[1])
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_title(title, fontsize=10, color=TEXT)
    axes.grid(color=_GRID, linewidth=0.6)
    for side in axes.spines.values():
        side.set_color(_FRAME)
    _draw_key(axes, curves, [r.sd for r in references])


def _draw_reference(axes: Any, mean: float, sd: float | None, place: float, colour: str) -> None:
    if sd is not None:
        axes.plot([mean - sd, mean + sd], [place] * 2, color=colour, linewidth=7, alpha=0.28, solid_capstyle="butt")
    axes.plot(mean, place, "D", markerfacecolor=_BACKGROUND, markeredgecolor=colour, markersize=5, markeredgewidth=1.2)


def _draw_key(axes: Any, curves: Sequence[Curve], spreads: Sequence[float | None]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c.colour, marker="o", markersize=4, label=c.name) for c in curves]
    if spreads:
        handles.append(
            Line2D([], [], label=reference_words(spreads), marker="D", markerfacecolor=_BACKGROUND, markeredgecolor=DIM,
                   markersize=5, linestyle="none")
        )  # fmt: skip
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, fontsize=8, frameon=False,
        labelcolor=TEXT, handlelength=1.4, columnspacing=1.2, borderaxespad=2.4,
    )  # fmt: skip


def reference_words(spreads: Sequence[float | None]) -> str:
    """Return the words for the marks of references: an SD is named only if one is given.

    :param spreads: standard deviations of the references drawn, None for those without.
    """
    known = [sd for sd in spreads if sd is not None]
    if not known:
        return "published mean"
    return "published mean \u00b1 SD" if len(known) == len(spreads) else "published mean (\u00b1 SD if given)"
