"""A case with lines between edges of the image keeps them when it is measured again, saved and reopened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.types import measurement_from_dict
from SpineMeasureLib.phantom import Grid, lumbar, voxelise
from SpineMeasureLib.phantom.signal import T2, Scan, render
from SpineMeasureLib.review.mrml.images import add_volume
from SpineMeasureLib.review.session import Session

EDGE = ("L4-L5", "disc_height_middle", "endplate50")
MASK = ("L4-L5", "disc_height_middle", "chord50")


@pytest.fixture
def session(scene: Any) -> Session:
    """Return a review of a phantom with an MR image."""
    case = voxelise(lumbar(upper="L4"), Grid((4.0, 0.6, 0.6)))
    image = render(lumbar(upper="L4"), case, T2, Scan(snr=30))
    return Session.build(scene, add_volume(scene, image, "Image"), case, measure(case, image), "Phantom")


def test_the_line_between_edges_is_drawn_and_the_one_between_masks_is_not(session: Session) -> None:
    assert session.line(EDGE) is not None and session.line(MASK) is None
    assert session.row(MASK).value is not None and session.row(MASK).second


def test_measuring_again_keeps_the_rows_and_values_of_edges(session: Session) -> None:
    before = {row.key: row.value for row in session.rows}
    node = session.nodes.segmentation
    session.remeasure()
    assert {row.key for row in session.rows} == set(before)
    segment = next(s for s, (_, level) in session.state.segments.items() if level == "L4-L5")
    node.GetSegmentation().GetSegment(segment).Modified()
    session.remeasure()
    assert session.row(EDGE).value == pytest.approx(before[EDGE], abs=0.05)


def test_a_case_without_edges_gets_none_when_it_is_measured_again(scene: Any) -> None:
    case = voxelise(lumbar(upper="L4"), Grid((4.0, 0.6, 0.6)))
    image = render(lumbar(upper="L4"), case, T2, Scan(snr=30))
    review = Session.build(scene, add_volume(scene, image, "Image"), case, measure(case), "Old case")
    keys = {row.key for row in review.rows}
    review.remeasure()
    assert {row.key for row in review.rows} == keys and review.line(MASK) is not None


def test_what_is_shown_first_is_read_back() -> None:
    row = {"level": "L4", "quantity": "q", "method": "m", "value": 1.0, "unit": "mm", "second": True}
    assert measurement_from_dict(row).second and not measurement_from_dict({**row, "second": False}).second


def test_a_saved_scene_reopens_with_the_lines_between_edges(session: Session, scene: Any, tmp_path: Path) -> None:
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    value = session.row(EDGE).value
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert again.line(EDGE) is not None and again.line(MASK) is None
    assert again.row(EDGE).value == pytest.approx(value, abs=1e-6) and np.isfinite(value or np.nan)
