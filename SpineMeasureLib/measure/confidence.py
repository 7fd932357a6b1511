"""The calibrated confidence of measured values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..certainty import Certainty, blurs
from .types import WITHIN_TOLERANCE, Measurement

#: A value with a lower probability of being within its tolerance is flagged.
DOUBTFUL = 0.5


def with_confidence(
    rows: Sequence[Measurement], affine: NDArray[np.float64], certainty: Certainty
) -> list[Measurement]:
    """The rows, with the calibrated confidence of every calibrated quantity; a low confidence is flagged.

    :param affine: 4x4, voxel index to RAS mm.
    """
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
    """Key of a row's calibration: quantity and method, as in ``"canal_ap.disc_level"``."""
    return f"{row.quantity}.{row.method}"
