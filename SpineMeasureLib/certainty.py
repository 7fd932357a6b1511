"""How sure a measured value is: from how sharply the model drew the two boundaries between which it was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .measure.types import WITHIN_TOLERANCE, Measurement, Point
from .orientation import apply_inverse

#: The model's probability is looked at this far to either side of an end point, mm, at so many places.
_REACH_MM, _PLACES = 3.0, 25
#: A value less probable than this to lie within its tolerance is flagged.
DOUBTFUL = 0.5


@dataclass(frozen=True)
class Calibrated:
    """Probability that a value lies within `tolerance_mm` of the one measured on an expert's masks.

    It is 1 / (1 + exp(-(intercept + slope * blur))), fitted on cross-validation (`train.reliability`).
    """

    tolerance_mm: float
    intercept: float
    slope: float

    def __call__(self, blur: float) -> float:
        """Probability for a blur in mm, see `blurs`."""
        return float(1 / (1 + np.exp(-(self.intercept + self.slope * blur))))


@dataclass(frozen=True)
class Certainty:
    """What the model knew of its own doubt.

    :ivar probability: uint8 array[i,j,k], probability of the tissue in each voxel times 255.
    :ivar calibration: what a blur means, by quantity and method (``"canal_ap.disc_level"``).
    """

    probability: NDArray[np.uint8]
    calibration: Mapping[str, Calibrated] = field(default_factory=dict)


def blurs(
    probability: NDArray[np.uint8], affine: NDArray[np.float64], lines: Sequence[tuple[Point, Point]]
) -> NDArray[np.float64]:
    """Doubt about both ends of each line, mm: the model's improbability integrated along the line around each end.

    A boundary drawn with full certainty has a blur near 0; ends that may lie anywhere add up to several mm.

    :param probability: uint8 array[i,j,k], probability of the tissue drawn times 255.
    :param affine: 4x4, voxel index to RAS mm.
    :param lines: end points in RAS mm.
    """
    if not lines:
        return np.zeros(0)
    ends = np.array(lines, float)
    along = ends[:, 1] - ends[:, 0]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    steps = np.linspace(-_REACH_MM, _REACH_MM, _PLACES)
    points = ends[:, :, None] + steps[:, None] * along[:, None, None]
    index = np.moveaxis(apply_inverse(affine, points), -1, 0)
    sure = ndimage.map_coordinates(probability, index, output=np.float64, order=1, mode="nearest") / 255
    total: NDArray[np.float64] = (1 - sure).mean(axis=2).sum(axis=1) * 2 * _REACH_MM
    return total


def with_confidence(
    rows: Sequence[Measurement], affine: NDArray[np.float64], certainty: Certainty
) -> list[Measurement]:
    """The rows, those of a calibrated quantity with their own confidence, and flagged where that is low."""
    lines = {
        n: (row.p1, row.p2)
        for n, row in enumerate(rows)
        if calibration_key(row) in certainty.calibration and row.p1 and row.p2
    }
    done = list(rows)
    for n, blur in zip(lines, blurs(certainty.probability, affine, list(lines.values())), strict=True):
        calibrated = certainty.calibration[calibration_key(rows[n])]
        sure = calibrated(float(blur))
        done[n] = replace(
            rows[n],
            confidence=sure,
            confidence_kind=WITHIN_TOLERANCE,
            confidence_tolerance=calibrated.tolerance_mm,
        )
        if sure < DOUBTFUL:
            done[n] = done[n].flagged("low_confidence")
    return done


def calibration_key(row: Measurement) -> str:
    """Under which name the calibration of a row is kept: its quantity and method."""
    return f"{row.quantity}.{row.method}"
