"""How well two sets of masks or numbers agree: Dice, detection, MAE, bias, limits of agreement, ICC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..anatomy import Kind
from ..segmentation import SpineSegmentation, Structure

#: Two discs are the same disc if their Dice is at least this.
_SAME_DISC_DICE = 0.2


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient (Dice 1945); 1 if both are empty.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


@dataclass(frozen=True)
class Agreement:
    """Agreement of paired values x (tested) and y (reference), in their unit.

    :ivar lower: lower 95 % limit of agreement, bias - 1.96 SD (Bland & Altman, Lancet 1986).
    :ivar icc: ICC(A,1), two-way, absolute agreement, single measure (McGraw & Wong, Psychol Methods 1996).
    """

    count: int
    mae: float
    bias: float
    sd: float
    lower: float
    upper: float
    icc: float


def agreement(x: Sequence[float], y: Sequence[float]) -> Agreement:
    """Compute the agreement of at least three pairs.

    >>> found = agreement([10.0, 11.0, 13.0], [10.0, 12.0, 13.0])
    >>> round(found.mae, 2), round(found.bias, 2), round(found.icc, 2)
    (0.33, -0.33, 0.93)

    :raises ValueError: fewer than three pairs, or lengths differ.
    """
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.shape != b.shape or len(a) < 3:
        raise ValueError("Agreement needs at least three pairs.")
    difference = a - b
    icc = absolute_agreement_icc(np.stack([a, b], axis=1))
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    return Agreement(len(a), float(np.abs(difference).mean()), bias, sd, bias - 1.96 * sd, bias + 1.96 * sd, icc)


def absolute_agreement_icc(data: NDArray[np.float64]) -> float:
    """Return ICC(A,1) of data[target, rater], NaN if all are equal (ICC(2,1) of Shrout & Fleiss, Psychol Bull 1979)."""
    n, k = data.shape
    mean = data.mean()
    rows = k * ((data.mean(axis=1) - mean) ** 2).sum() / (n - 1)
    columns = n * ((data.mean(axis=0) - mean) ** 2).sum() / (k - 1)
    residual = data - data.mean(axis=1, keepdims=True) - data.mean(axis=0, keepdims=True) + mean
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    total = rows + (k - 1) * error + k * (columns - error) / n
    return float((rows - error) / total) if total else float("nan")


def bootstrap_interval(values: Sequence[float], repeats: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean."""
    data = np.asarray(values, float)
    means = np.random.default_rng(seed).choice(data, (repeats, len(data))).mean(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


@dataclass(frozen=True)
class DiscMatch:
    """Discs of a reference found in a prediction.

    :ivar pairs: (reference disc, predicted disc), head to sacrum.
    :ivar ordered: the found discs are in the same order, with no predicted disc between them that the reference lacks.
    """

    pairs: tuple[tuple[Structure, Structure], ...]
    missed: tuple[Structure, ...]
    extra: tuple[Structure, ...]
    ordered: bool


def match_discs(reference: SpineSegmentation, predicted: SpineSegmentation) -> DiscMatch:
    """Match discs by overlap, regardless of their names."""
    theirs = predicted.of_kind(Kind.DISC)
    ours = reference.of_kind(Kind.DISC)
    sizes = np.bincount(predicted.labels.ravel(), minlength=256)
    pairs, missed = [], []
    for disc in ours:
        mask = reference.mask(disc)
        overlap = np.bincount(predicted.labels[mask], minlength=256)
        best = max(theirs, key=lambda s: overlap[s.value], default=None)
        if best and 2 * overlap[best.value] / (mask.sum() + sizes[best.value]) >= _SAME_DISC_DICE:
            pairs.append((disc, best))
        else:
            missed.append(disc)
    order = [theirs.index(p) for _, p in pairs]
    extra = tuple(s for s in theirs if s not in [p for _, p in pairs])
    consecutive = order == list(range(order[0], order[0] + len(order))) if order else False
    return DiscMatch(tuple(pairs), tuple(missed), extra, consecutive)
