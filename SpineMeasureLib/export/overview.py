"""overview.png: the spine with outlines, names, lines and numbers, a table, and the course over the levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from scipy import ndimage

from ..anatomy import Kind, colour_of
from ..files import atomic_path
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from ..volume import Volume
from . import runinfo
from .reformat import STEP_MM, Reformat, reformat

_BACKGROUND = "#101418"
_TEXT = "#e8ecf0"
_DIM = "#93a0ad"
_DISC_LINE = "#ffd94a"
_CANAL_LINE = "#5cd6ff"
_BAD = "#ff7a70"
_HEIGHTS = (
    ("disc_height_anterior", "chord10"),
    ("disc_height_middle", "chord50"),
    ("disc_height_posterior", "chord90"),
)


def write_overview(
    volume: Volume, segmentation: SpineSegmentation, measurements: Sequence[Measurement], path: Path
) -> None:
    """Draw the picture and write it as PNG."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"text.color": _TEXT, "axes.labelcolor": _DIM, "xtick.color": _DIM, "ytick.color": _DIM}):
        figure = plt.figure(figsize=(16, 10), facecolor=_BACKGROUND)
        left = figure.add_axes((0.01, 0.04, 0.52, 0.89))
        _draw_spine(left, reformat(volume, segmentation), segmentation, measurements)
        _draw_table(figure.add_axes((0.55, 0.46, 0.44, 0.47)), measurements)
        _draw_course(figure.add_axes((0.60, 0.09, 0.16, 0.31)), measurements, _HEIGHTS, "Disc height, mm")
        canal = (("canal_ap", "disc_level"),)
        _draw_course(figure.add_axes((0.82, 0.09, 0.16, 0.31)), measurements, canal, "Canal AP at the disc, mm")
        _draw_header(figure, segmentation)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=100, facecolor=_BACKGROUND)
        plt.close(figure)


def _draw_header(figure: Any, segmentation: SpineSegmentation) -> None:
    source = segmentation.provenance
    model = f"model {source['model']} {source['model_version']}" if "model" in source else "labels given by the user"
    levels = "levels verified" if segmentation.level_verified else "LEVEL NAMES NOT VERIFIED"
    figure.text(0.012, 0.955, "SpineMeasure", fontsize=15, weight="bold")
    text = f"{runinfo.versions()['spinemeasure']}   {model}   {levels}"
    figure.text(0.125, 0.9565, text, fontsize=10, color=_DIM if segmentation.level_verified else _BAD)
    figure.text(0.988, 0.9565, "Not for diagnosis", fontsize=10, color=_BAD, ha="right")
    note = (
        "Sagittal reformat that follows the spine. Yellow: disc heights; blue: canal AP (dural sac); mm. "
        "White marks in the charts: published means."
    )
    figure.text(0.012, 0.012, note, fontsize=8.5, color=_DIM)


def _draw_spine(
    axes: Any, picture: Reformat, segmentation: SpineSegmentation, measurements: Sequence[Measurement]
) -> None:
    from matplotlib import patheffects

    spine = picture.image[ndimage.binary_dilation(picture.labels > 0, iterations=8)]
    low, high = np.percentile(spine, (1, 99.5))
    axes.imshow(
        picture.image, cmap="gray", vmin=low, vmax=high, extent=picture.extent, origin="lower", interpolation="bilinear"
    )
    shadow = [patheffects.withStroke(linewidth=2.2, foreground="black")]
    for structure in segmentation.structures:
        mask = picture.labels == structure.value
        if not mask.any():
            continue
        colour = tuple(c / 255 for c in colour_of(structure.kind, structure.level))
        smooth = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
        axes.contour(smooth, [0.5], colors=[colour], linewidths=1.3, extent=picture.extent, origin="lower")
        if structure.kind is Kind.BODY:
            row, column = ndimage.center_of_mass(mask)
            x, y = picture.extent[0] + column * STEP_MM, picture.extent[2] + row * STEP_MM
            axes.text(x, y, structure.name, ha="center", va="center", fontsize=11, weight="bold", path_effects=shadow)
    by_key = {m.key: m for m in measurements}
    levels = [m.level for m in measurements if m.quantity == "disc_height_middle"]
    heights = [[by_key.get((level, q, m)) for q, m in _HEIGHTS] for level in levels]
    canals = [by_key.get((level, "canal_ap", "disc_level")) for level in levels]
    for row_of in heights:
        for m in row_of:
            _draw_line(axes, m, _DISC_LINE)
    for m in canals:
        _draw_line(axes, m, _CANAL_LINE)
    discs = [(level, _texts(found), _anchor(found)) for level, found in zip(levels, heights, strict=True)]
    sacs = [("", _texts([m]), _anchor([m])) for m in canals]
    _margin_notes(axes, picture, [d for d in discs if d[2]], right=True)
    _margin_notes(axes, picture, [c for c in sacs if c[2]], right=False)
    width = picture.extent[1] - picture.extent[0]
    axes.set_xlim(picture.extent[0] - 0.16 * width, picture.extent[1] + 0.42 * width)
    axes.set_ylim(picture.extent[2], picture.extent[3])
    axes.set_anchor("W")
    axes.axis("off")


def _texts(found: Sequence[Measurement | None]) -> str:
    return "  ".join("-" if m is None or m.value is None else f"{m.value:.1f}" for m in found)


def _anchor(found: Sequence[Measurement | None]) -> tuple[float, float] | None:
    """Anterior and superior coordinate of the middle of the first line that there is."""
    for m in found:
        if m and m.p1 and m.p2:
            return (m.p1[1] + m.p2[1]) / 2, (m.p1[2] + m.p2[2]) / 2
    return None


def _draw_line(axes: Any, m: Measurement | None, colour: str) -> None:
    if m and m.p1 and m.p2:
        doubtful = "low_confidence" in m.flags
        style = {"color": _BAD if doubtful else colour, "linewidth": 1.8, "solid_capstyle": "butt"}
        axes.plot([m.p1[1], m.p2[1]], [m.p1[2], m.p2[2]], marker="o", markersize=2.2, **style)


def _margin_notes(
    axes: Any, picture: Reformat, notes: Sequence[tuple[str, str, tuple[float, float] | None]], *, right: bool
) -> None:
    """Numbers beside the picture, pushed apart where they would overlap, each with a leader to its line."""
    heights = [anchor[1] for _, _, anchor in notes if anchor]
    gap = (picture.extent[3] - picture.extent[2]) / 32
    for (level, text, anchor), y in zip(notes, spread(heights, gap), strict=True):
        if anchor is None:
            continue
        width = picture.extent[1] - picture.extent[0]
        x = picture.extent[1] + 0.02 * width if right else picture.extent[0] - 0.02 * width
        colour = _DISC_LINE if right else _CANAL_LINE
        axes.plot([anchor[0], x], [anchor[1], y], color=colour, linewidth=0.5, alpha=0.7)
        label = f"{level:8s}{text}" if right else text
        side = "left" if right else "right"
        axes.text(x, y, label, color=colour, fontsize=10, family="monospace", ha=side, va="center")


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places (falling) moved as little as need be so that neighbours are at least `gap` apart."""
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


_COLUMNS = (
    ("ant", "disc_height_anterior", "chord10"),
    ("mid", "disc_height_middle", "chord50"),
    ("post", "disc_height_posterior", "chord90"),
    ("depth", "disc_depth", "depth50"),
    ("index", "disc_height_index", "dhi_mean3"),
    ("wedge", "disc_wedge", "wedge"),
    ("slip", "listhesis", "posterior_corners"),
    ("canal", "canal_ap", "disc_level"),
    ("min", "canal_ap_minimum", "within_5mm"),
)


def _draw_table(axes: Any, measurements: Sequence[Measurement]) -> None:
    axes.axis("off")
    by_key = {m.key: m for m in measurements}
    levels = [m.level for m in measurements if m.quantity == "disc_height_middle"]
    lines = ["level    " + "".join(f"{name:>7s}" for name, _, _ in _COLUMNS)]
    for level in levels:
        cells = []
        for _, quantity, method in _COLUMNS:
            m = by_key.get((level, quantity, method))
            digits = 2 if m and m.unit == "ratio" else 1
            cells.append(f"{'-' if m is None or m.value is None else format(m.value, f'.{digits}f'):>7s}")
        lines.append(f"{level:9s}" + "".join(cells))
    size = min(10.5, 220 / max(len(lines), 1))
    step = min(0.07, 0.92 / len(lines))
    for n, line in enumerate(lines):
        style = {"weight": "bold", "color": _DIM} if n == 0 else {}
        axes.text(0.0, 0.97 - n * step, line, family="monospace", fontsize=size, va="top", **style)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _draw_course(axes: Any, measurements: Sequence[Measurement], rows: Sequence[tuple[str, str]], title: str) -> None:
    levels = [m.level for m in measurements if m.quantity == "disc_height_middle"]
    by_key = {m.key: m for m in measurements}
    colours = (_DISC_LINE, "#ff9f43", "#9be564") if len(rows) > 1 else (_CANAL_LINE,)
    for (quantity, method), colour in zip(rows, colours, strict=True):
        found = [by_key.get((level, quantity, method)) for level in levels]
        values = [np.nan if m is None or m.value is None else m.value for m in found]
        name = quantity.rpartition("_")[2] if len(rows) > 1 else None
        axes.plot(values, range(len(levels)), "o-", color=colour, markersize=4, linewidth=1.3, label=name)
        for place, m in enumerate(found):
            if m and m.reference:
                axes.plot(m.reference.mean, place, "|", color="white", markersize=11)
    axes.set_facecolor(_BACKGROUND)
    axes.set_yticks(range(len(levels)), levels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title(title, fontsize=10, color=_TEXT)
    axes.grid(color="#2a323a", linewidth=0.6)
    for side in axes.spines.values():
        side.set_color("#3a444e")
    if len(rows) > 1:
        axes.legend(fontsize=7, facecolor=_BACKGROUND, edgecolor="#3a444e", labelcolor=_TEXT)
