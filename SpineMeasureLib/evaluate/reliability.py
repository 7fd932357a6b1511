"""Calibration of the confidence of measured values on cross-validated cases, and how reliable it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..certainty import Calibrated
from ..measure.confidence import DOUBTFUL

Array = NDArray[np.float64]

#: An AP depth or a listhesis this close to an expert's value counts as correct, every other length within 1 mm.
_TOLERANCE_MM = {"disc_depth": 2.0, "body_depth": 2.0, "listhesis": 2.0}
_USUAL_TOLERANCE_MM = 1.0
#: A quantity with fewer values than this is not calibrated.
_MINIMUM_VALUES = 100
_PARTS = 5


@dataclass(frozen=True)
class Doubt:
    """One value measured on the model's and on the expert's masks.

    :ivar key: quantity and method, as in `certainty.Certainty.calibration`.
    :ivar blur: blur of its end points, see `certainty.blurs`.
    :ivar error: absolute difference, mm.
    """

    patient: str
    key: str
    blur: float
    error: float


def calibrate(doubts: Sequence[Doubt]) -> dict[str, Calibrated]:
    """Fit confidence against blur for every quantity that has enough values (logistic regression)."""
    fitted = {}
    for key in sorted({d.key for d in doubts}):
        mine = [d for d in doubts if d.key == key]
        if len(mine) >= _MINIMUM_VALUES:
            fitted[key] = _fit(key, mine)
    return fitted


def _fit(key: str, doubts: Sequence[Doubt]) -> Calibrated:
    tolerance = _TOLERANCE_MM.get(key.partition(".")[0], _USUAL_TOLERANCE_MM)
    blur = np.array([d.blur for d in doubts])
    good = np.array([d.error <= tolerance for d in doubts], float)

    def loss(parameters: Array) -> float:
        score = parameters[0] + parameters[1] * blur
        return float(np.logaddexp(0, score).sum() - good @ score + 0.05 * parameters[1] ** 2)

    # More blur never gives more confidence.
    found = minimize(loss, np.zeros(2), bounds=[(-10, 10), (-10, 0)])
    return Calibrated(tolerance, round(float(found.x[0]), 3), round(float(found.x[1]), 3))


def held_out(doubts: Sequence[Doubt]) -> tuple[Array, Array, Array]:
    """Return confidence, error and tolerance (mm) of every value, by a calibration that never saw its patient."""
    patients = sorted({d.patient for d in doubts})
    confidence, error, tolerance = [], [], []
    for part in range(_PARTS):
        tested = set(patients[part::_PARTS])
        fitted = calibrate([d for d in doubts if d.patient not in tested])
        for d in doubts:
            if d.patient in tested and d.key in fitted:
                confidence.append(fitted[d.key](d.blur))
                error.append(d.error)
                tolerance.append(fitted[d.key].tolerance_mm)
    return np.array(confidence), np.array(error), np.array(tolerance)


def reliability(doubts: Sequence[Doubt], plot: Path) -> dict[str, object]:
    """Plot the reliability diagram of held-out confidences; return the calibration and figures about it.

    :return: ``calibration`` for the bundle's metadata, and ``reliability``: Brier score (Brier 1950), Brier score of
        the mean alone, and number and mean absolute error of values below a confidence of 0.5 and of the others; empty
        if there are too few values.
    """
    confidence, error, tolerance = held_out(doubts)
    if not len(confidence):
        return {}
    good = error <= tolerance
    low = confidence < DOUBTFUL
    numbers: dict[str, object] = {
        "values": len(good),
        "within_tolerance": round(float(good.mean()), 3),
        "brier": round(float(np.mean((confidence - good) ** 2)), 4),
        "brier_of_mean": round(float(good.var()), 4),
        "flagged": int(low.sum()),
        "mae_flagged_mm": round(float(error[low].mean()), 2) if low.any() else None,
        "mae_others_mm": round(float(error[~low].mean()), 2),
    }
    _draw(confidence, good, error, plot)
    fitted = {key: vars(value) for key, value in calibrate(doubts).items()}
    return {"reliability": numbers, "calibration": fitted}


def _draw(confidence: Array, good: NDArray[np.bool_], error: Array, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    edges = np.quantile(confidence, np.linspace(0, 1, 9))
    bins = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, 7)
    used = [n for n in range(8) if (bins == n).sum() >= 10]
    stated, seen, off, spread = (
        np.array([f(bins == n) for n in used])
        for f in (
            lambda m: confidence[m].mean(),
            lambda m: good[m].mean(),
            lambda m: error[m].mean(),
            lambda m: 1.96 * np.sqrt(good[m].mean() * (1 - good[m].mean()) / m.sum()),
        )
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    left.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    left.errorbar(stated, seen, yerr=spread, marker="o", capsize=3, color="tab:blue")
    left.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence stated", ylabel="share of values within tolerance")
    left.set_title(f"{len(good)} values, patients held out of the calibration", fontsize=10)
    right.plot(stated, off, marker="o", color="tab:orange")
    right.set(
        xlim=(0, 1), ylim=(0, None), xlabel="confidence stated", ylabel="mean absolute difference from expert, mm"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
