"""Confidence of values: blur of boundaries, its calibration, the flag."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.certainty import Calibrated, Certainty, blurs
from SpineMeasureLib.evaluate.reliability import Doubt, calibrate, held_out, reliability
from SpineMeasureLib.measure.confidence import with_confidence
from SpineMeasureLib.measure.rows import Shared, row
from SpineMeasureLib.measure.types import MODEL_PROBABILITY, WITHIN_TOLERANCE, Measurement, measurement_from_dict
from SpineMeasureLib.review.case.derived import Live, new_state
from SpineMeasureLib.review.case.remeasure import remeasured
from SpineMeasureLib.review.case.steps import accepted
from SpineMeasureLib.review.panel import confidence_text

AFFINE = np.array([[0, 0, 4.0, -20.0], [0.5, 0, 0, 10.0], [0, 0.5, 0, -30.0], [0, 0, 0, 1.0]])
LINE = ((0.0, 20.0, -10.0), (0.0, 20.0, -20.0))


def probability(width_mm: float) -> np.ndarray:
    """Sure everywhere but around the heights of the ends of `LINE`, where it falls to a half over `width_mm`."""
    height = np.arange(80) * 0.5 - 30
    away = np.minimum(abs(height + 10), abs(height + 20))
    sure = 1 - 0.5 * np.clip(1 - away / (width_mm / 2), 0, 1)
    return np.broadcast_to((sure * 255).astype(np.uint8)[None, :, None], (60, 80, 10)).copy()


def length(value: float = 10.0, method: str = "chord50") -> Measurement:
    return Measurement("L4-L5", "disc_height_middle", method, value, "mm", *LINE, confidence=0.97)


def test_the_blur_of_a_line_is_the_area_of_doubt_at_both_its_ends() -> None:
    for width in (1.0, 2.0, 4.0):
        blur = blurs(probability(width), AFFINE, [LINE])[0]
        assert blur == pytest.approx(2 * 0.5 * 0.5 * width, abs=0.12)
    assert blurs(np.full((60, 80, 10), 255, np.uint8), AFFINE, [LINE])[0] == 0.0
    assert len(blurs(probability(1.0), AFFINE, [])) == 0


def test_only_calibrated_lines_get_a_confidence_of_their_own_and_blurred_ones_the_flag() -> None:
    calibration = {"disc_height_middle.chord50": Calibrated(1.0, 3.0, -3.0)}
    for width, flagged in ((0.5, False), (4.0, True)):
        certainty = Certainty(probability(width), calibration)
        blur = blurs(certainty.probability, AFFINE, [LINE])[0]
        mine, other = with_confidence([length(), length(method="mean")], AFFINE, certainty)
        assert mine.confidence == pytest.approx(1 / (1 + np.exp(3 * blur - 3)))
        assert (mine.confidence_kind, mine.confidence_tolerance) == (WITHIN_TOLERANCE, 1.0)
        assert ("low_confidence" in mine.flags) is flagged
        assert other == length(method="mean")


def test_a_row_has_no_confidence_until_it_is_calibrated() -> None:
    measured = row("L4-L5", "disc_area", "area", 80.0, Shared(confidence=0.97), spread=1.0)
    assert (measured.confidence, measured.confidence_kind, measured.confidence_tolerance) == (None, "", None)
    assert "low_confidence" in row("L4-L5", "disc_area", "area", 80.0, Shared(confidence=0.5)).flags
    for value in (None, float("nan")):
        empty = row("L4-L5", "disc_area", "area", value, Shared(confidence=0.5), spread=1.0, note="why")
        assert (empty.confidence, empty.confidence_kind, empty.repeatability) == (None, "", None)
        assert empty.flags == ("not_measurable",)


def test_a_row_that_the_segmentation_no_longer_yields_loses_its_confidence() -> None:
    state = new_state([replace(length(), confidence_kind=MODEL_PROBABILITY, repeatability=0.1)], {}, True, "")
    state = accepted(state, Live(state.rows), [0], "AB")
    assert Live(state.rows).values[0].confidence_kind == MODEL_PROBABILITY
    gone, _ = remeasured(state, Live(state.rows).values, [])
    automatic = gone.rows[0].automatic
    assert (automatic.value, automatic.confidence, automatic.confidence_kind, automatic.repeatability) == (
        None,
        None,
        "",
        None,
    )
    shown = Live(gone.rows).values[0]
    assert shown.value == 10.0 and (shown.confidence, shown.confidence_kind) == (None, "")


def test_version_0_1_wrote_a_confidence_without_kind_and_for_empty_rows_too() -> None:
    plain = {"level": "L4-L5", "quantity": "disc_area", "method": "area", "unit": "mm2", "confidence": 0.9}
    old = measurement_from_dict({**plain, "value": 80.0})
    assert (old.confidence, old.confidence_kind) == (0.9, "")
    assert measurement_from_dict({**plain, "value": None, "repeatability": 2.0}).confidence is None


@pytest.mark.parametrize(
    ("kind", "tolerance", "text"),
    [
        (WITHIN_TOLERANCE, 2.0, "Probability of lying within 2 mm of an expert's value: 0.97"),
        (MODEL_PROBABILITY, None, "Mean model probability inside the structure: 0.97"),
        ("", None, "Confidence, kind not recorded: 0.97"),
    ],
)
def test_the_tooltip_names_the_kind(kind: str, tolerance: float | None, text: str) -> None:
    assert confidence_text(replace(length(), confidence_kind=kind, confidence_tolerance=tolerance)) == text


def made_up(slope: float, count: int = 400) -> list[Doubt]:
    """Values whose chance of lying within 1 mm is known."""
    rng = np.random.default_rng(3)
    doubts = []
    for n in range(count):
        blur = float(rng.uniform(0.5, 3))
        good = rng.random() < 1 / (1 + np.exp(-(3 + slope * blur)))
        doubts.append(Doubt(f"p{n % 20}", "canal_ap.disc_level", blur, 0.5 if good else 2.0))
    return doubts


def test_the_calibration_finds_the_chances_that_made_the_data() -> None:
    fitted = calibrate(made_up(-2.0))["canal_ap.disc_level"]
    assert fitted.tolerance_mm == 1.0
    for blur in (0.7, 1.5, 2.5):
        assert fitted(blur) == pytest.approx(1 / (1 + np.exp(2 * blur - 3)), abs=0.08)


def test_more_blur_never_means_more_certainty_and_few_values_are_not_calibrated() -> None:
    assert calibrate(made_up(+2.0))["canal_ap.disc_level"].slope <= 0
    assert calibrate(made_up(-2.0, count=50)) == {}


def test_held_out_confidence_is_reliable_and_drawn(tmp_path: Path) -> None:
    doubts = made_up(-2.0)
    confidence, error, tolerance = held_out(doubts)
    good = error <= tolerance
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        some = (confidence >= low) & (confidence < high)
        assert good[some].mean() == pytest.approx(confidence[some].mean(), abs=0.12)
    found = reliability(doubts, tmp_path / "plot.png")
    numbers = found["reliability"]
    assert isinstance(numbers, dict) and numbers["brier"] < numbers["brier_of_mean"]
    assert numbers["mae_flagged_mm"] > numbers["mae_others_mm"]
    assert (tmp_path / "plot.png").stat().st_size > 5000
    assert reliability([], tmp_path / "none.png") == {} and not (tmp_path / "none.png").exists()
