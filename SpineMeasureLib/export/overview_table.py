"""The right half of overview.png: the table, and the course of heights and diameters over the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measure.types import Measurement
from .report import rows

TEXT, DIM, BAD = "#e8ecf0", "#93a0ad", "#ff7a70"
_GRID, _FRAME, _BACKGROUND = "#2a323a", "#3a444e", "#101418"


@dataclass(frozen=True)
class Curve:
    """A quantity with the colour that it has everywhere in the picture."""

    name: str
    quantity: str
    method: str
    colour: str


HEIGHTS = (
    Curve("anterior", "disc_height_anterior", "chord10", "#ffd94a"),
    Curve("middle", "disc_height_middle", "chord50", "#ff9f43"),
    Curve("posterior", "disc_height_posterior", "chord90", "#9be564"),
)
CANAL = (Curve("at the disc", "canal_ap", "disc_level", "#5cd6ff"),)

#: Columns of the table: group, name, unit, quantity, method.
_COLUMNS = (
    ("disc height", "anterior", "mm", "disc_height_anterior", "chord10"),
    ("disc height", "middle", "mm", "disc_height_middle", "chord50"),
    ("disc height", "posterior", "mm", "disc_height_posterior", "chord90"),
    ("disc", "depth", "mm", "disc_depth", "depth50"),
    ("disc", "index", "", "disc_height_index", "dhi_mean3"),
    ("disc", "wedge", "deg", "disc_wedge", "wedge"),
    ("disc", "slip", "mm", "listhesis", "posterior_corners"),
    ("canal AP", "at disc", "mm", "canal_ap", "disc_level"),
    ("canal AP", "minimum", "mm", "canal_ap_minimum", "within_5mm"),
)
#: Lines of the head; height of a line as part of the figure, and of a table at most.
_HEAD, _LINE, _TALLEST = 3, 0.032, 0.50


def table_height(measurements: Sequence[Measurement]) -> float:
    """Height of the table as part of the figure."""
    return min(_LINE * (_HEAD + len(_levels(measurements))), _TALLEST)


def draw_table(axes: Any, measurements: Sequence[Measurement]) -> None:
    """Draw the values of all discs; red where the confidence is low."""
    axes.axis("off")
    axes.set_xlim(0, 1)
    by_key = {m.key: m for m in measurements}
    levels = _levels(measurements)
    count = _HEAD + len(levels)
    axes.set_ylim(count, 0)
    size = 10.5 if count * _LINE <= _TALLEST else 10.5 * _TALLEST / (count * _LINE)
    places = [0.2 + n * 0.1 for n in range(len(_COLUMNS))]
    groups = [group for group, *_ in _COLUMNS]
    for group in dict.fromkeys(groups):
        inside = [x for x, g in zip(places, groups, strict=True) if g == group]
        axes.text((inside[0] + inside[-1]) / 2 - 0.03, 0.5, group, color=DIM, fontsize=size, ha="center", va="center")
        axes.plot([inside[0] - 0.07, inside[-1]], [1, 1], color=_FRAME, linewidth=0.8)
    axes.text(0, 1.5, "level", color=DIM, fontsize=size, weight="bold", va="center")
    for x, (_, name, unit, _, _) in zip(places, _COLUMNS, strict=True):
        axes.text(x, 1.5, name, color=DIM, fontsize=0.84 * size, weight="bold", ha="right", va="center")
        axes.text(x, 2.4, unit, color=DIM, fontsize=0.85 * size, ha="right", va="center")
    axes.plot([0, 1], [_HEAD - 0.1] * 2, color=DIM, linewidth=0.8)
    for line, level in enumerate(levels, start=_HEAD):
        axes.text(0, line + 0.5, level, fontsize=size, weight="bold", va="center")
        for x, (*_, quantity, method) in zip(places, _COLUMNS, strict=True):
            m = by_key.get((level, quantity, method))
            colour = BAD if m and "low_confidence" in m.flags else TEXT
            axes.text(x, line + 0.5, _cell(m), color=colour, fontsize=size, ha="right", va="center")


def _cell(m: Measurement | None) -> str:
    return rows.number(m.value, m.unit) if m else rows.number(None, "")


def course_height(measurements: Sequence[Measurement]) -> float:
    """Height of a chart as part of the figure, where there is room."""
    return 0.14 + 0.06 * len(_levels(measurements))


def draw_course(axes: Any, measurements: Sequence[Measurement], curves: Sequence[Curve], title: str) -> None:
    """Draw values over the levels, and published means in the colour of their curve, with the SD where one is given."""
    by_key = {m.key: m for m in measurements}
    levels = _levels(measurements)
    shifts = np.linspace(-0.17, 0.17, len(curves)) if len(curves) > 1 else [0.0]
    references = []
    for curve, shift in zip(curves, shifts, strict=True):
        found = [by_key.get((level, curve.quantity, curve.method)) for level in levels]
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
    """What the marks of references are: an SD is named only if one is given.

    :param spreads: standard deviations of the references drawn, None for those without.
    """
    known = [sd for sd in spreads if sd is not None]
    if not known:
        return "published mean"
    return "published mean \u00b1 SD" if len(known) == len(spreads) else "published mean (\u00b1 SD where given)"


def _levels(measurements: Sequence[Measurement]) -> list[str]:
    return [m.level for m in measurements if m.quantity == "disc_height_middle"]
