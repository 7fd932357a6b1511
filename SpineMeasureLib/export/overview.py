"""overview.png: the spine with outlines, names, lines and numbers, a table, and the course over the levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from scipy import ndimage

from ..anatomy import Kind
from ..files import atomic_path
from ..measure.definitions import disc_levels
from ..measure.types import Measurement
from ..measure.units import number
from ..segmentation import SpineSegmentation
from ..volume import Volume
from . import runinfo
from .overview_table import BAD, DIM, TEXT, Curve, course_height, curves, draw_course, draw_table, table_height
from .reformat import STEP_MM, Reformat, reformat

_BACKGROUND = "#101418"
#: Outlines: name, kinds, colour. Lines and numbers have other colours, so that each colour has one meaning.
_OUTLINES: tuple[tuple[str, tuple[Kind, ...], str], ...] = (
    ("vertebra", (Kind.BODY, Kind.POSTERIOR, Kind.SACRUM), "#d9c7ae"),
    ("disc", (Kind.DISC,), "#e58ad0"),
    ("canal", (Kind.CANAL,), "#4f8cff"),
    ("cord", (Kind.CORD,), "#b79bff"),
)
_TOP, _BOTTOM = 0.93, 0.10
#: Page and part of it that the spine has, in inches; room there for the numbers in front of and behind the picture.
_PAGE = (16.0, 10.0)
_SPINE = (0.01, 0.07, 0.52, 0.86)
_FRONT_INCHES, _BACK_INCHES = 2.1, 0.6
#: The margins: distance of the last number, the first number and the name from the picture, in widths of the margin.
_LAST, _FIRST, _NAME = 0.11, 0.53, 0.98


def write_overview(
    volume: Volume, segmentation: SpineSegmentation, measurements: Sequence[Measurement], path: Path
) -> None:
    """Draw the picture and write it as PNG."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"text.color": TEXT, "axes.labelcolor": DIM, "xtick.color": DIM, "ytick.color": DIM}):
        figure = plt.figure(figsize=_PAGE, facecolor=_BACKGROUND)
        spine = figure.add_axes(_SPINE)
        _draw_spine(spine, reformat(volume, segmentation), segmentation, measurements)
        height = table_height(measurements)
        draw_table(figure.add_axes((0.55, _TOP - height, 0.44, height)), measurements)
        top = _TOP - height - 0.07
        tall = min(top - _BOTTOM, course_height(measurements))
        heights, canal = curves(measurements)
        draw_course(figure.add_axes((0.605, top - tall, 0.19, tall)), measurements, heights, f"{_between(heights)}, mm")
        draw_course(figure.add_axes((0.845, top - tall, 0.14, tall)), measurements, canal, "Canal AP, mm")
        _draw_header(figure, segmentation)
        _draw_key(figure, segmentation, measurements)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=100, facecolor=_BACKGROUND)
        plt.close(figure)


def _draw_header(figure: Any, segmentation: SpineSegmentation) -> None:
    source = segmentation.provenance
    model = f"model {source['model']} {source['model_version']}" if "model" in source else "labels given by the user"
    levels = "levels verified" if segmentation.level_verified else "LEVEL NAMES NOT VERIFIED"
    figure.text(0.012, 0.955, "SpineMeasure", fontsize=15, weight="bold")
    text = f"{runinfo.versions()['spinemeasure']}   {model}   {levels}"
    figure.text(0.125, 0.9565, text, fontsize=10, color=DIM if segmentation.level_verified else BAD)
    figure.text(0.988, 0.9565, "Not for diagnosis", fontsize=10, color=BAD, ha="right")
    note = "Sagittal reformat that follows the spine, anterior on the left. Canal: dural sac."
    figure.text(0.012, 0.012, note, fontsize=8.5, color=DIM)


def _draw_key(figure: Any, segmentation: SpineSegmentation, measurements: Sequence[Measurement]) -> None:
    """The key of the colours, with the colours of lines first."""
    from matplotlib.lines import Line2D

    heights, canal = curves(measurements)
    lines = [(f"{row.what.over}, {row.name}", row.colour, 2.0) for row in heights]
    lines += [*((f"canal AP, {row.name}", row.colour, 2.0) for row in canal), ("low confidence", BAD, 2.0)]
    there = {s.kind for s in segmentation.structures}
    lines += [(f"{name} (outline)", colour, 1.0) for name, kinds, colour in _OUTLINES if there.intersection(kinds)]
    handles = [Line2D([], [], color=colour, linewidth=width, label=name) for name, colour, width in lines]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.006, 0.026), ncols=5, fontsize=8.5, frameon=False,
        labelcolor=TEXT, handlelength=1.6, columnspacing=1.4, borderpad=0.2, labelspacing=0.3,
    )  # fmt: skip


def _draw_spine(
    axes: Any, picture: Reformat, segmentation: SpineSegmentation, measurements: Sequence[Measurement]
) -> None:
    spine = picture.image[ndimage.binary_dilation(picture.labels > 0, iterations=8)]
    low, high = np.percentile(spine, (1, 99.5))
    axes.imshow(
        picture.image, cmap="gray", vmin=low, vmax=high, extent=picture.extent, origin="lower", interpolation="bilinear"
    )
    _draw_outlines(axes, picture, segmentation)
    by_key = {m.key: m for m in measurements}
    levels = disc_levels(measurements)
    groups = curves(measurements)
    heights, canals = ([[by_key.get((level, *c.what.key)) for c in of] for level in levels] for of in groups)
    for found, drawn in zip((heights, canals), groups, strict=True):
        for of_level in found:
            for m, row in zip(of_level, drawn, strict=True):
                _draw_line(axes, m, row.colour)
    back, front, foot, head = picture.extent
    room = margins(picture.extent)
    _margin_notes(axes, picture, levels, heights, [row.colour for row in groups[0]], room[0])
    _margin_notes(axes, picture, [""] * len(levels), canals, [row.colour for row in groups[1]], -room[1])
    axes.set_xlim(front + room[0], back - room[1])  # anterior on the left
    axes.set_ylim(foot, head)
    axes.set_anchor("W")
    axes.axis("off")


def _between(heights: Sequence[Curve]) -> str:
    """Return ``"Disc height, endplates"``."""
    return heights[0].what.over.capitalize()


def margins(extent: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the room in front of and behind the picture, in mm at the scale at which picture and margins fit the page.

    :param extent: of the picture, see `Reformat`.
    """
    back, front, foot, head = extent
    width, height = _SPINE[2] * _PAGE[0], _SPINE[3] * _PAGE[1]
    mm_per_inch = max((head - foot) / height, (front - back) / (width - _FRONT_INCHES - _BACK_INCHES))
    return _FRONT_INCHES * mm_per_inch, _BACK_INCHES * mm_per_inch


def _draw_outlines(axes: Any, picture: Reformat, segmentation: SpineSegmentation) -> None:
    from matplotlib import patheffects

    shadow = [patheffects.withStroke(linewidth=2.2, foreground="black")]
    for structure in segmentation.structures:
        mask = picture.labels == structure.value
        if not mask.any():
            continue
        colour = next(colour for _, kinds, colour in _OUTLINES if structure.kind in kinds)
        smooth = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
        axes.contour(smooth, [0.5], colors=[colour], linewidths=0.9, extent=picture.extent, origin="lower")
        if structure.kind is Kind.BODY:
            row, column = ndimage.center_of_mass(mask)
            x, y = picture.extent[0] + column * STEP_MM, picture.extent[2] + row * STEP_MM
            axes.text(x, y, structure.name, ha="center", va="center", fontsize=11, weight="bold", path_effects=shadow)


def _draw_line(axes: Any, m: Measurement | None, colour: str) -> None:
    if m and m.p1 and m.p2:
        style = {"color": BAD if "low_confidence" in m.flags else colour, "linewidth": 1.8, "solid_capstyle": "butt"}
        axes.plot([m.p1[1], m.p2[1]], [m.p1[2], m.p2[2]], marker="o", markersize=2.2, **style)


def _margin_notes(
    axes: Any,
    picture: Reformat,
    levels: Sequence[str],
    found: Sequence[Sequence[Measurement | None]],
    colours: Sequence[str],
    room: float,
) -> None:
    """Numbers beside the picture, pushed apart if they would overlap, each with a leader to its line.

    :param room: width of the margin in mm, in front of the picture; negative behind it.
    """
    notes = [
        (level, values, anchor) for level, values in zip(levels, found, strict=True) if (anchor := _anchor(values))
    ]
    gap = (picture.extent[3] - picture.extent[2]) / 32
    edge = picture.extent[1] if room > 0 else picture.extent[0]
    places = np.linspace(_FIRST, _LAST, len(colours)) if len(colours) > 1 else [_LAST]
    side = "right" if room > 0 else "left"
    for (level, values, anchor), y in zip(notes, spread([a[1] for _, _, a in notes], gap), strict=True):
        axes.plot([anchor[0], edge + 0.04 * room], [anchor[1], y], color=DIM, linewidth=0.5, alpha=0.7)
        axes.text(edge + _NAME * room, y, level, fontsize=10, ha="left", va="center")
        cells = [
            (_number(m), BAD if m and "low_confidence" in m.flags else usual)
            for m, usual in zip(values, colours, strict=True)
        ]
        for place, (text, colour) in zip(places, cells, strict=True):
            axes.text(edge + place * room, y, text, color=colour, fontsize=10, ha=side, va="center")


def _number(m: Measurement | None) -> str:
    return number(m.value if m else None, "mm")


def _anchor(found: Sequence[Measurement | None]) -> tuple[float, float] | None:
    """Return the anterior and superior coordinate of the middle of the first line that is present."""
    for m in found:
        if m and m.p1 and m.p2:
            return (m.p1[1] + m.p2[1]) / 2, (m.p1[2] + m.p2[2]) / 2
    return None


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return the places (in descending order), moved apart so that neighbours are at least `gap` apart."""
    moved = list(places)
    for _ in range(200):
        worst = 0.0
        for n in range(len(moved) - 1):
            lack = gap - (moved[n] - moved[n + 1])
            if lack > 0:
                moved[n] += lack / 2
                moved[n + 1] -= lack / 2
                worst = max(worst, lack)
        if worst < 0.01 * gap:
            break
    return moved
