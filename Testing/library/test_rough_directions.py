"""Where anterior and superior are before endplates say so: from the canal, else the arches, else the image."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, POSTERIOR_OFFSET, Kind, vertebra_value
from SpineMeasureLib.measure.spine import Spine
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
