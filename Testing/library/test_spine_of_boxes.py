"""A spine of three boxes: where its front is, with and without canal and arches, and ratios between its bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, POSTERIOR_OFFSET, Kind, vertebra_value
from SpineMeasureLib.certainty import Calibrated, Certainty
from SpineMeasureLib.errors import NothingFoundError
from SpineMeasureLib.measure import Measurement, measure, measure_spine
from SpineMeasureLib.measure.canal import torg_pavlov
from SpineMeasureLib.measure.rows import Shared, row
from SpineMeasureLib.measure.spine import Spine
from SpineMeasureLib.measure.types import WITHIN_TOLERANCE
from SpineMeasureLib.measure.vertebra import crush_ratios
from SpineMeasureLib.segmentation import SpineSegmentation, Structure

Box = tuple[slice, slice, slice]
UP, FRONT = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
ORIGIN = np.array([-30.0, -50.0, -70.0])
AFFINE = np.block([[np.eye(3), ORIGIN[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
#: Bodies of 20 x 20 x 24 mm, one above the other.
BODIES = {"L3": np.s_[20:40, 60:80, 90:114], "L4": np.s_[20:40, 60:80, 58:82], "L5": np.s_[20:40, 60:80, 26:50]}


def middle(box: Box) -> np.ndarray:
    """Centre of the voxels of a box, RAS mm."""
    return np.array([(s.start + s.stop - 1) / 2 for s in box]) + ORIGIN


def spine(arches: dict[str, Box], canal: Box | None = None) -> Spine:
    labels = np.zeros((60, 100, 130), np.uint8)
    structures = []
    for name, box in BODIES.items():
        labels[box] = vertebra_value(name)
        structures.append(Structure(vertebra_value(name), name, Kind.BODY, name))
    for name, box in arches.items():
        value = vertebra_value(name) + POSTERIOR_OFFSET
        labels[box] = value
        structures.append(Structure(value, f"{name} posterior elements", Kind.POSTERIOR, name))
    if canal is not None:
        labels[canal] = CANAL_VALUE
        structures.append(Structure(CANAL_VALUE, "Spinal canal", Kind.CANAL, ""))
    return Spine(SpineSegmentation(labels, AFFINE, tuple(structures), True, "labels"))


def behind(back: int, right: int = 0, below: int = 0) -> dict[str, Box]:
    """Arches so many mm behind, to the right of and below their bodies' middles."""
    return {
        name: np.s_[28 + right : 32 + right, 68 - back : 72 - back, rows.start + 10 - below : rows.start + 14 - below]
        for name, (_, _, rows) in BODIES.items()
    }


def test_without_a_canal_anterior_is_away_from_the_two_nearest_arches() -> None:
    arches = behind(30, right=12)
    del arches["L4"]  # its neighbours are as near above as below
    found = spine(arches)
    direction, has_canal = found.towards_anterior(middle(BODIES["L4"]), UP)
    assert direction == pytest.approx([-12.0, 30.0, 0.0]) and not has_canal
    top, _ = found.towards_anterior(middle(BODIES["L3"]), UP)
    assert top == pytest.approx([-12.0, 30.0, 32.0])
    body = found.bodies["L4"]
    assert body is not None and body.frame.fallback
    assert body.frame.anterior == pytest.approx(np.array([-12.0, 30.0, 0.0]) / np.hypot(12, 30), abs=0.01)


@pytest.mark.parametrize(
    ("arches", "used"),
    [
        (behind(30), True), (behind(9), False), (behind(12), True), (behind(30, below=32), False),
        (behind(30, below=28), True), ({}, False), (behind(-30), False),
    ],
)  # fmt: skip
def test_arches_that_hang_far_below_or_are_not_behind_say_nothing(arches: dict[str, Box], used: bool) -> None:
    """Not 10 mm behind, or farther along the spine than across it: then the image says where the front is."""
    kept = {name: box for name, box in arches.items() if name == "L4"}
    direction, has_canal = spine(kept).towards_anterior(middle(BODIES["L4"]), UP)
    expected = middle(BODIES["L4"]) - middle(kept["L4"]) if used else FRONT
    assert direction == pytest.approx(expected) and not has_canal


def test_the_canal_says_where_the_front_is_up_to_10_mm_beyond_its_end() -> None:
    found = spine(behind(30, right=12), canal=np.s_[22:34, 34:46, 20:100])
    assert found.line is not None
    top = found.line.points[0]
    for beyond, has_canal in ((-20.0, True), (9.0, True), (11.0, False)):
        point = np.array([5.0, 25.0, top[2] + beyond])
        direction, said = found.towards_anterior(point, UP)
        assert said is has_canal, beyond
        if has_canal:
            assert direction[:2] == pytest.approx(point[:2] - middle(np.s_[22:34, 34:46, 0:1])[:2], abs=0.2)
        else:
            assert direction == pytest.approx(point - middle_of_nearest(point, behind(30, right=12)))
    assert all(body is not None and not body.frame.fallback for body in found.bodies.values())


def middle_of_nearest(point: np.ndarray, arches: dict[str, Box]) -> np.ndarray:
    middles = sorted((middle(box) for box in arches.values()), key=lambda m: float(np.linalg.norm(m - point)))
    return (middles[0] + middles[1]) / 2


def test_bodies_and_discs_are_ordered_from_head_to_sacrum_and_named() -> None:
    found = spine({})
    assert found.level_order() == ["L3", "L4", "L5"]
    other = spine({})
    other.bodies = dict.fromkeys(["L1", "T13", "T12", "C7", "T10", "T9", "L6"])
    assert other.level_order() == ["C7", "T9", "T10", "T12", "T13", "L1", "L6"]
    assert found.body_of("L4") is found.bodies["L4"] and found.body_of("L1") is None
    for name, box in BODIES.items():
        body = found.bodies[name]
        assert body is not None and body.upper is not None and body.lower is not None
        assert body.frame.origin == pytest.approx(middle(box), abs=0.1)
        assert body.upper.normal == pytest.approx(UP, abs=0.02) and body.lower.normal == pytest.approx(UP, abs=0.02)
        assert body.upper.middle == pytest.approx(middle(box) + 12 * UP, abs=0.3)
        assert body.lower.middle == pytest.approx(middle(box) - 12 * UP, abs=0.3)
        assert body.upper.anterior - body.upper.posterior == pytest.approx(20 * FRONT, abs=0.6)


@pytest.mark.parametrize(
    ("index", "is_at_border"),
    [((30, 50, 60), False), ((0.6, 50, 60), False), ((0.4, 50, 60), True), ((58.4, 50, 60), False),
     ((58.6, 50, 60), True), ((30, -3, 60), True), ((30, 98.7, 60), True), ((30, 50, 0.2), True),
     ((30, 50, 128.7), True)],
)  # fmt: skip
def test_what_is_in_an_outermost_voxel_is_at_the_border(index: tuple[float, float, float], is_at_border: bool) -> None:
    found = spine({})
    inside = np.array([30.0, 50.0, 60.0])
    points = np.stack([inside, index]) + ORIGIN
    assert found.at_border(points) is is_at_border
    assert found.thickness == pytest.approx(1.0)


def posterior_heights(**heights: float | None) -> list[Measurement]:
    return [row(level, "body_height_posterior", "corner", h, Shared()) for level, h in heights.items()]


def test_a_crushed_body_is_compared_with_its_neighbours() -> None:
    found = {r.level: r for r in crush_ratios(spine({}), posterior_heights(L3=24.0, L4=18.0, L5=21.0))}
    values = {level: r.value for level, r in found.items()}
    assert values == pytest.approx({"L3": 24 / 18, "L4": 18 / 22.5, "L5": 21 / 18})
    assert all((r.note, r.flags, r.unit) == ("", ("frame_fallback",), "ratio") for r in found.values())


def test_a_body_without_measured_neighbours_has_no_crush_ratio() -> None:
    (alone,) = crush_ratios(spine({}), posterior_heights(L3=None, L4=18.0, L5=None))
    assert (alone.level, alone.value, alone.flags) == ("L4", None, ("frame_fallback", "not_measurable"))
    assert "no neighbouring body" in alone.note
    above, _ = crush_ratios(spine({}), posterior_heights(L3=24.0, L4=18.0, L5=None))
    assert above.value == pytest.approx(24 / 18)


def test_the_canal_is_compared_with_the_body_in_front_of_it() -> None:
    """12 mm of canal behind bodies of 20 mm; its doubts are the ratio's."""
    canal = [
        row("L3", "canal_ap", "mid_vertebral", 12.0, Shared(flags=("few_slices",))),
        row("L4", "canal_ap", "mid_vertebral", None, Shared()),
        row("L5", "canal_ap", "disc_level", 12.0, Shared()),
    ]
    found = {r.level: r for r in torg_pavlov(spine({}), canal)}
    assert found["L3"].value == pytest.approx(12 / 20, abs=0.01)
    assert set(found["L3"].flags) == {"frame_fallback", "few_slices"} and found["L3"].note == ""
    for level in ("L4", "L5"):
        assert found[level].value is None and "not completely in view" in found[level].note


def test_a_calibrated_line_gets_a_confidence_and_others_have_none() -> None:
    case = spine({}).segmentation
    sure = replace(case, structures=tuple(replace(s, confidence=0.9) for s in case.structures))
    certain = Certainty(np.full(case.labels.shape, 255, np.uint8), {"body_depth.depth50": Calibrated(1.0, 2.0, -1.0)})
    rows = {r.key: r for r in measure(replace(sure, certainty=certain))}
    depth, height = rows["L4", "body_depth", "depth50"], rows["L4", "body_height_anterior", "corner"]
    assert (depth.confidence_kind, depth.confidence_tolerance) == (WITHIN_TOLERANCE, 1.0)
    assert depth.confidence == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert (height.confidence_kind, height.confidence) == ("", None)
    plain = {r.key: r for r in measure(sure)}
    assert plain["L4", "body_depth", "depth50"].confidence is None


def test_measuring_reports_each_structure_and_its_end() -> None:
    calls: list[tuple[str, float, str]] = []
    rows = measure_spine(spine({}), lambda *call: calls.append(call))
    assert [c[:2] for c in calls] == [("measure", pytest.approx(n / 3)) for n in range(4)]
    assert [c[2] for c in calls] == ["L3", "L4", "L5", f"{len(rows)} values"]
    assert len({r.key for r in rows}) == len(rows)
    assert {r.quantity for r in rows if r.value is None} == {"canal_ap", "canal_area", "torg_pavlov_ratio"}
    empty = replace(spine({}).segmentation, structures=())
    with pytest.raises(NothingFoundError, match="no discs or vertebrae") as caught:
        measure(empty)
    assert caught.value.hint


def test_heights_and_depths_of_boxes_are_theirs() -> None:
    rows = {r.key: r for r in measure(spine({}, canal=np.s_[22:34, 34:46, 10:125]).segmentation)}
    for level in BODIES:
        for quantity, method, value in (
            ("body_height_anterior", "corner", 24.0),
            ("body_height_middle", "chord50", 24.0),
            ("body_height_posterior", "corner", 24.0),
            ("body_depth", "depth50", 20.0),
            ("body_wedge_ratio", "anterior_posterior", 1.0),
            ("body_biconcavity_ratio", "middle_posterior", 1.0),
            ("body_crush_ratio", "posterior_neighbours", 1.0),
            ("canal_ap", "mid_vertebral", 12.0),
            ("canal_area", "mid_vertebral", 144.0),
            ("torg_pavlov_ratio", "canal_body", 0.6),
        ):
            assert rows[level, quantity, method].value == pytest.approx(value, rel=0.03), (level, quantity)
