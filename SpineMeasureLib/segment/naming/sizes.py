"""How well the sizes of a chain of vertebrae fit their names, independent of the size of the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...anatomy import USUAL_ORDER

#: AP depth of a body, C2 to S1, mm. To T9 of the upper endplate (C2: lower) of cadavers, Panjabi et al., Spine 1991;
#: from T10 the means of 30 patients measured with this code (SPIDER, van der Graaf et al., Sci Data 2024; S1 as L5).
_DEPTH_MM = (
    15.6, 15.0, 15.3, 15.2, 16.4, 18.1,
    18.5, 19.6, 22.7, 23.3, 24.3, 25.8, 27.2, 28.0, 28.8, 29.8, 30.3, 30.6,
    31.2, 32.2, 32.5, 32.2, 31.2, 31.0,
)  # fmt: skip
#: From the disc above to the disc below, C3 to L5, mm: to T9 the posterior height of the body (Panjabi et al.) and that
#: of a disc (about 5 mm; Gilad & Nissan, Spine 1986; Kunkel et al., J Anat 2011), from T10 as measured.
_STEP_MM = (
    17.0, 16.5, 16.5, 16.5, 18.0,
    19.0, 20.0, 20.5, 21.0, 21.5, 22.5, 23.5, 24.5, 25.5, 27.0, 28.2, 30.3,
    32.9, 35.1, 35.7, 35.2, 33.8,
)  # fmt: skip
#: Standard deviations of logarithms: of a person's size, additionally of their height, of one depth, of one step
#: (degeneration narrows discs). The last two as observed within those patients, widened.
_PERSON, _TALL, _DEPTH, _STEP = 0.10, 0.08, 0.08, 0.085
#: Standard deviation of the growth from one vertebra to the next, including slices off the middle (scoliosis): 0.008 in
#: 30 SPIDER patients, 0.020 in single slices of 137 others.
_GROWTH = 0.015
#: Degrees of freedom of Student's t: a few outliers (a crushed body, a false disc) do not decide a name.
_FREEDOM = 6.0
#: A size this many times the median of its chain, or its inverse, is discarded; T1 to L5 differ by less.
_OUTLIER = 1.7
#: A supernumerary vertebra is as large as its neighbour.
_SIZED_AS = {"T13": "T12", "L6": "L5"}


def usual_step(name: str) -> float:
    """Distance (mm) from the disc above a vertebra, C3 to L6, to the one below it, of a usual person."""
    return _STEP_MM[USUAL_ORDER.index(_SIZED_AS.get(name, name)) - 2]


@dataclass(frozen=True)
class Size:
    """Known sizes of one vertebra: AP depth of its body, distance between its discs (mm); None if unknown."""

    depth: float | None = None
    step: float | None = None


def log_likelihood(chain: Sequence[Size], names: Sequence[str]) -> float:
    """Log likelihood of the sizes of a chain, from head to sacrum, given `names`, C2 to S1; up to a constant.

    Every size is modelled as the mean of its level times the size of the person, the growth from vertebra to vertebra
    and noise, all log-normal with heavy tails; size and growth are integrated out.
    """
    found: list[tuple[float, bool, int]] = []  # log ratio to its mean; whether it is a step; place in the chain
    for place, (size, name) in enumerate(zip(chain, names, strict=True)):
        level = USUAL_ORDER.index(_SIZED_AS.get(name, name))
        if size.depth:
            found.append((np.log(size.depth / _DEPTH_MM[level - 1]), False, place))
        if size.step:
            if name in ("C2", "S1"):
                return -np.inf  # C2 has no disc above it, the sacrum none below
            found.append((np.log(size.step / _STEP_MM[level - 2]), True, place))
    if not found:
        return 0.0
    residuals, steps, places = (np.array(part) for part in zip(*found, strict=True))
    growth = _GROWTH * (places - places.mean())
    covariance = np.diag(np.where(steps, _STEP, _DEPTH) ** 2)
    covariance += _PERSON**2 + _TALL**2 * np.outer(steps, steps) + np.outer(growth, growth)
    # Without scipy.stats: its import takes longer than the naming.
    distance = residuals @ np.linalg.solve(covariance, residuals)
    heavy = (_FREEDOM + len(found)) * np.log1p(distance / _FREEDOM)
    return float(-(heavy + np.linalg.slogdet(covariance)[1]) / 2)


def without_outliers(chain: Sequence[Size]) -> list[Size]:
    """The chain without sizes that result from a missed disc or a partly visible body."""
    depths = [size.depth for size in chain if size.depth]
    steps = [size.step for size in chain if size.step]
    usual = float(np.median(depths)) if depths else 1.0, float(np.median(steps)) if steps else 1.0

    def kept(value: float | None, of: float) -> float | None:
        return value if value and 1 / _OUTLIER < value / of < _OUTLIER else None

    return [Size(kept(size.depth, usual[0]), kept(size.step, usual[1])) for size in chain]
