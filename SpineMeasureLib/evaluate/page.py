"""The page of an evaluation: tables, Bland-Altman plots and pictures of the worst cases, in one HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..orientation import slice_order, slice_spacing
from ..segment.preprocess import normalised_intensity
from .overlap import MEASURES
from .scores import STRUCTURES, EvaluatedCase

_WORST = 3
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d6dae0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } figure { margin: 1rem 0; } figcaption { color: #57606a; }
"""


def write_worst(done: Sequence[EvaluatedCase], folder: Path) -> list[dict[str, str]]:
    """Write pictures of the worst cases of each structure; structure, file and caption of each."""
    written = []
    for structure in done[0].overlaps:
        for place, case in enumerate(sorted(done, key=lambda case: case.overlaps[structure].dice)[:_WORST], start=1):
            file = f"worst_{structure}_{place}.jpg"
            (folder / file).write_bytes(_picture(case, structure))
            described = [str(case.about[what]) for what in ("region", "contrast") if what in case.about]
            caption = f"{', '.join([case.name, *described])}: Dice {case.overlaps[structure].dice:.3f}. "
            written.append({"structure": structure, "file": file, "caption": caption + "Truth green, tested magenta."})
    return written


def write_page(done: Sequence[EvaluatedCase], summary: dict[str, object], folder: Path) -> None:
    """Write ``index.html``; the plots and pictures in `folder` are embedded in it."""
    parts = [f"<h1>Evaluation on {escape(str(summary['dataset']))}</h1>", _about(summary), _overlap_table(summary)]
    parts += [_discs(summary), _values_table(summary), _groups_table(summary)]
    for plot in sorted(folder.glob("*bland_altman*.png")):
        parts.append(_figure(plot.read_bytes(), plot.stem.partition("altman_")[2].replace("_", " ")))
    if (plot := folder / "evaluation_reliability.png").exists():
        parts.append(_figure(plot.read_bytes(), "How reliable the confidence of a value is"))
    shown = cast("list[dict[str, str]]", summary["worst"])
    for structure, pictures in groupby(shown, key=lambda worst: worst["structure"]):
        parts.append(f"<h2>Worst cases: {escape(structure)}</h2>")
        parts += [_figure((folder / worst["file"]).read_bytes(), worst["caption"]) for worst in pictures]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title><style>{_STYLE}</style>'
    (folder / "index.html").write_text(page + "\n".join(parts) + "</html>\n", encoding="utf-8")


def _about(summary: dict[str, object]) -> str:
    names = ("model", "model_version", "sha256", "segmentations", "cases")
    facts = [f"{name.replace('_', ' ')}: {summary[name]}" for name in names if name in summary]
    if empty := cast("list[str]", summary.get("nothing_found", [])):
        facts.append(f"nothing found in {', '.join(empty)}")
    return f"<p>{escape('; '.join(facts))}</p>"


def _overlap_table(summary: dict[str, object]) -> str:
    rows = []
    for key, value in summary.items():
        structure, _, measure = key.partition(".")
        if measure in MEASURES and isinstance(value, dict):
            low, high = value["interval_95"]
            rows.append([structure, measure.replace("_", " "), f"{value['mean']:.3f}", f"{low:.3f} to {high:.3f}"])
    return _table(["structure", "measure", "mean over cases", "95 % interval (bootstrap)"], rows)


def _discs(summary: dict[str, object]) -> str:
    if "discs_found" not in summary:
        return ""
    rows = []
    for key in ("discs_found", "discs_extra", "discs_named_as_expert", "patients_with_all_discs_in_order"):
        value = summary[key]
        rows.append([key.replace("_", " "), f"{value[0]} of {value[1]}" if isinstance(value, list) else str(value)])
    return "<h2>Discs</h2>" + _table(["", ""], rows)


def _values_table(summary: dict[str, object]) -> str:
    rows = [
        [
            key,
            *(f"{value[k]:.2f}" for k in ("mae", "bias", "lower", "upper")),
            f"{value['icc']:.3f}",
            str(value["count"]),
        ]
        for key, value in summary.items()
        if isinstance(value, dict) and "mae" in value
    ]
    if not rows:
        return ""
    heads = ["quantity", "MAE mm", "bias mm", "lower limit", "upper limit", "ICC(A,1)", "n"]
    return "<h2>Values measured on both masks by the same code</h2>" + _table(heads, rows)


def _groups_table(summary: dict[str, object]) -> str:
    groups = summary.get("by_group")
    if not isinstance(groups, dict):
        return ""
    heads = ["", "cases", *(f"Dice {structure}" for structure in STRUCTURES), "discs found"]
    heads.append("named correctly (sacrum or C2 in view)")
    return "<h2>By region, contrast and vertebrae</h2>" + _table(heads, group_rows(groups))


def group_rows(groups: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return name, cases, Dice of `STRUCTURES`, discs found and discs named correctly of every group."""
    rows = []
    for name, group in groups.items():
        dice = [f"{group[f'dice_{structure}']:.3f}" for structure in STRUCTURES]
        found, total = group["discs_found"]
        right, named = group["named_right_where_anchored"]
        rows.append([name, str(group["cases"]), *dice, f"{found} of {total}", f"{right} of {named}"])
    return rows


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(image: bytes, caption: str) -> str:
    data, kind = base64.b64encode(image).decode(), "png" if image[:4] == b"\x89PNG" else "jpeg"
    return f'<figure><img src="data:image/{kind};base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'


def _picture(case: EvaluatedCase, structure: str) -> bytes:
    """Draw three slices through the structure with both outlines, as JPEG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    affine = case.image.affine
    grey, mine, theirs = (
        slice_order(a, affine) for a in (normalised_intensity(case.image.array), *case.masks(structure))
    )
    slices = np.flatnonzero((mine | theirs).any(axis=(1, 2)))
    shown = np.unique(slices[[len(slices) // 4, len(slices) // 2, 3 * len(slices) // 4]]) if len(slices) else [0]
    _, row_mm, column_mm = slice_spacing(affine)
    figure, axes = plt.subplots(1, len(shown), figsize=(3.6 * len(shown), 5), layout="constrained", squeeze=False)
    for axis, number in zip(axes[0], shown, strict=True):
        # Columns run from posterior to anterior: shown with the front of the body to the left.
        axis.imshow(grey[number, :, ::-1], cmap="gray", origin="lower", aspect=row_mm / column_mm)
        for mask, colour in ((theirs, "lime"), (mine, "magenta")):
            if mask[number].any():
                axis.contour(mask[number, :, ::-1], [0.5], colors=colour, linewidths=0.8)
        axis.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=80, format="jpeg", pil_kwargs={"quality": 85})
    plt.close(figure)
    return buffer.getvalue()
