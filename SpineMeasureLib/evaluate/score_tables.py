"""Scores of many cases as tables, Bland-Altman plots and a summary."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..measure.definitions import Definition
from .agreement import Agreement, agreement, bootstrap_interval
from .reliability import reliability
from .scores import COMPARED, STRUCTURES, CaseScore


def write_scores(scores: Sequence[CaseScore], folder: Path, name: str) -> dict[str, object]:
    """Write ``<name>_patients.csv``, ``<name>_values.csv``, Bland-Altman plots and ``<name>_reliability.png``.

    :return: `summarise`, and how reliable the confidence of the values is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}_patients.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", *STRUCTURES, "discs", "discs_found", "discs_extra", "ordered"])
        for score in scores:
            found = len(score.discs.pairs)
            total = found + len(score.discs.missed)
            row = [f"{score.dice[s]:.4f}" for s in STRUCTURES]
            writer.writerow([score.patient, *row, total, found, len(score.discs.extra), score.discs.ordered])
    with (folder / f"{name}_values.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "level", "quantity", "method", "model", "expert"])
        for score in scores:
            writer.writerows(
                [score.patient, p.level, *p.what.key, f"{p.model:.3f}", f"{p.expert:.3f}"] for p in score.pairs
            )
    for what in COMPARED:
        x, y = _paired(scores, what)
        if len(x) >= 3:
            path = folder / f"{name}_bland_altman_{what.quantity}_{what.method}_{what.at}.png"
            bland_altman(x, y, agreement(x, y), what.title, path)
    doubts = [doubt for score in scores for doubt in score.doubts]
    return {**summarise(scores), **reliability(doubts, folder / f"{name}_reliability.png")}


def summarise(scores: Sequence[CaseScore]) -> dict[str, object]:
    """Summarise as means over patients (Dice), counts (discs) and pooled agreement (values)."""
    summary: dict[str, object] = {"patients": len(scores)}
    for structure in STRUCTURES:
        values = [s.dice[structure] for s in scores]
        low, high = bootstrap_interval(values)
        summary[f"dice_{structure}"] = {
            "mean": round(float(np.mean(values)), 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "worst": round(min(values), 4),
        }
    found = [len(s.discs.pairs) for s in scores]
    total = [len(s.discs.pairs) + len(s.discs.missed) for s in scores]
    complete = [f == t and s.discs.ordered for f, t, s in zip(found, total, scores, strict=True)]
    summary["discs_found"] = [sum(found), sum(total)]
    named = [sum(expert.level == disc.level for expert, disc in s.discs.pairs) for s in scores]
    summary["discs_named_as_expert"] = [sum(named), sum(found)]
    summary["discs_extra"] = sum(len(s.discs.extra) for s in scores)
    summary["patients_with_all_discs_in_order"] = [sum(complete), len(complete)]
    for what in COMPARED:
        x, y = _paired(scores, what)
        if len(x) >= 3:
            a = agreement(x, y)
            summary[label(what)] = {k: round(v, 3) if isinstance(v, float) else v for k, v in vars(a).items()}
    return summary


def label(what: Definition) -> str:
    """Return the name of a compared value in summaries: ``"canal_ap.wall at body"``, ``"disc_depth.depth50"``.

    The place is named if a method is used at discs and at bodies.
    """
    return f"{what.quantity}.{what.method}" + (f" at {what.at}" if what.method == "wall" else "")


def _paired(scores: Sequence[CaseScore], what: Definition) -> tuple[list[float], list[float]]:
    pairs = [pair for score in scores for pair in score.pairs if pair.what == what]
    return [p.model for p in pairs], [p.expert for p in pairs]


def bland_altman(x: Sequence[float], y: Sequence[float], result: Agreement, title: str, path: Path) -> None:
    """Plot difference against mean, with bias and 95 % limits of agreement (Bland & Altman, Lancet 1986)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    a, b = np.asarray(x), np.asarray(y)
    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    axes.scatter((a + b) / 2, a - b, s=14, alpha=0.6, color="tab:blue", edgecolors="none")
    for level, style in ((result.bias, "-"), (result.lower, "--"), (result.upper, "--")):
        axes.axhline(level, color="tab:red", linestyle=style, linewidth=1)
        axes.annotate(f"{level:+.2f}", (1.005, level), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_xlabel("mean of model and expert masks, mm")
    axes.set_ylabel("model - expert, mm")
    axes.set_title(f"{title}: n {result.count}, MAE {result.mae:.2f} mm, ICC {result.icc:.3f}", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
