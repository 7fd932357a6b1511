"""How sharply the model drew the boundaries, and what that means for the accuracy of a value (its calibration)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .orientation import apply_inverse

Point = tuple[float, float, float]

#: The model's probability is sampled this far to either side of an end point, mm, at this many places.
_REACH_MM, _PLACES = 3.0, 25


@dataclass(frozen=True)
class Calibrated:
    """Probability that a value is within `tolerance_mm` of the value measured on an expert's masks.

    It is 1 / (1 + exp(-(intercept + slope * blur))), fitted on cross-validation (`evaluate.reliability`).

    >>> round(Calibrated(tolerance_mm=1.0, intercept=2.0, slope=-1.0)(2.0), 3)
    0.5
    """

    tolerance_mm: float
    intercept: float
    slope: float

    def __call__(self, blur: float) -> float:
        """Probability for a blur in mm, see `blurs`."""
        return float(1 / (1 + np.exp(-(self.intercept + self.slope * blur))))


@dataclass(frozen=True)
class Certainty:
    """How certain the model was of a segmentation.

    :ivar probability: uint8 array[i,j,k], probability of the tissue in each voxel times 255.
    :ivar calibration: what a blur means, by quantity and method (``"canal_ap.disc_level"``).
    """

    probability: NDArray[np.uint8]
    calibration: Mapping[str, Calibrated] = field(default_factory=dict)


def blurs(
    probability: NDArray[np.uint8], affine: NDArray[np.float64], lines: Sequence[tuple[Point, Point]]
) -> NDArray[np.float64]:
    """Uncertainty of both ends of each line, mm: 1 - probability, integrated along the line around each end.

    A boundary predicted with full certainty has a blur near 0; ends that could be anywhere add up to several mm.

    :param probability: uint8 array[i,j,k], probability of the predicted tissue times 255.
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
