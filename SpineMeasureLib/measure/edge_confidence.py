"""How far a value between edges can be trusted: from the strength of its edges and their spread over the slices.

Fitted on 30 patients (SPIDER; van der Graaf et al., Sci Data 2024): the probability that a value measured from the
model's masks is within 0.5 mm of the value measured from an expert's. The bundled model knows these patients; its masks
still differ from the experts' by 0.79 mm in the middle disc height. By five-fold cross-validation of these curves, the
area under the ROC curve is 0.62 (disc anterior), 0.64, 0.86 (posterior), 0.76 (body anterior), 0.70, 0.75 and 0.78
(canal). The minimum of the canal has the curve of its diameters.
"""

from __future__ import annotations

from dataclasses import replace

from ..certainty import Calibrated
from .confidence import DOUBTFUL, calibration_key
from .types import WITHIN_TOLERANCE, Measurement

_TOLERANCE_MM = 0.5
#: Intercept and slope of each quantity; see `certainty.Calibrated`.
_CURVES = {
    "disc_height_anterior.endplate10": (3.153, -2.027),
    "disc_height_middle.endplate50": (4.253, -2.340),
    "disc_height_posterior.endplate90": (5.030, -5.228),
    "body_height_anterior.cortex": (5.449, -4.436),
    "body_height_middle.cortex": (4.896, -3.326),
    "body_height_posterior.cortex": (3.479, -3.376),
    "canal_ap.wall": (3.682, -2.632),
    "canal_ap_minimum.wall": (3.682, -2.632),
}
#: The spread (mm) of an edge that only one slice shows, and the largest that counts.
_ONE_SLICE_MM, _LARGEST_MM = 0.3, 1.0


def with_edge_confidence(row: Measurement, strength: float, spread: float | None) -> Measurement:
    """Return a row with its probability of being within 0.5 mm; a low one is flagged.

    :param strength: of the weaker end's edge, as a part of the contrast, 0..1.
    :param spread: standard deviation over the slices (walls: over starts of the search), mm; None for one slice.
    """
    doubt = 1 - strength + min(_ONE_SLICE_MM if spread is None else spread, _LARGEST_MM)
    sure = Calibrated(_TOLERANCE_MM, *_CURVES[calibration_key(row)])(doubt)
    sure_row = replace(
        row, confidence=sure, confidence_kind=WITHIN_TOLERANCE, confidence_tolerance=_TOLERANCE_MM, repeatability=spread
    )
    return sure_row.flagged("low_confidence") if sure < DOUBTFUL else sure_row
