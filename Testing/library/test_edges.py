"""Edges of the image: paths, sub-voxel positions, trust, and values that do not depend on who drew the masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.edges import Search, shortest_path, trace
from SpineMeasureLib.measure.image_slices import ImageSlices
from SpineMeasureLib.measure.profile_fit import PLACES_MM, refine
from SpineMeasureLib.phantom import Grid, lumbar, pose, voxelise
from SpineMeasureLib.phantom.signal import T1, T2, WATER, Scan, Signal, render
from SpineMeasureLib.phantom.true_values import edge_truth
from SpineMeasureLib.volume import Volume
from Testing.benchmarks.edge_conditions import HABITS

#: Rows anterior, columns superior, at 0.5 mm; two slices of 4 mm.
AFFINE = np.diag([4.0, 0.5, 0.5, 1.0])
FORWARD, UP, RIGHT = np.eye(3)[[1, 2, 0]]
WIDE = Search(-3.0, 3.0, -3.0, 3.0)


def step(height: np.ndarray, blur: float = 0.3) -> ImageSlices:
    """Return an image that rises from 10 to 110 above a height (mm) that depends on the place along anterior."""
    up = np.arange(80) * 0.5
    plane = 10 + 100 * ndtr((up - height[:, None]) / blur) + 0.1 * np.sin(3 * up)  # nowhere constant, as padding is
    return ImageSlices(Volume(np.repeat(plane[None], 2, axis=0), AFFINE))


def from_height(level: float) -> np.ndarray:
    """Return starting points along anterior at a height."""
    along = np.arange(5.0, 25.0, 0.5)
    return along[:, None] * FORWARD + level * UP + 2.0 * RIGHT


def test_one_bad_profile_does_not_decide() -> None:
    cost = np.ones((9, 7))
    cost[:, 3] = 0.0
    cost[4] = [0, 1, 1, 1, 1, 1, 1]
    assert shortest_path(cost, bend=0.5, steepest=3).tolist() == [3] * 9
    assert shortest_path(cost, bend=0.0, steepest=6)[4] == 0


def test_a_path_is_not_steeper_than_it_may_be() -> None:
    cost = np.ones((2, 9))
    cost[0, 0] = cost[1, 8] = -50.0
    first, second = shortest_path(cost, bend=0.0, steepest=2)
    assert abs(first - second) <= 2


@pytest.mark.parametrize("start", [19.6, 20.3, 22.0])
def test_an_edge_is_found_wherever_the_mask_ends(start: float) -> None:
    image = step(20.3 + 0.05 * np.arange(60) * 0.5)
    found = trace(image, from_height(start), UP, RIGHT, WIDE, rising=True)
    assert found is not None and found.trusted.all()
    true = 20.3 + 0.05 * np.arange(5.0, 25.0, 0.5)
    assert np.abs(start + found.offset - true).max() < 0.1


def test_an_edge_of_the_other_polarity_or_a_flat_image_is_not_trusted() -> None:
    image = step(np.full(60, 20.0))
    wrong = trace(image, from_height(20.0), UP, RIGHT, WIDE, rising=False)
    assert wrong is not None and not wrong.trusted.any() and not wrong.offset.any()
    noise = np.random.default_rng(0).normal(100, 1e-3, (2, 60, 80))
    flat = trace(ImageSlices(Volume(noise, AFFINE)), from_height(20.0), UP, RIGHT, replace(WIDE, joint=True), True)
    assert flat is None or flat.trusted.mean() < 0.5


def test_what_the_image_does_not_show_is_not_traced() -> None:
    image = step(np.full(60, 20.0))
    outside = from_height(20.0) + 60.0 * FORWARD
    assert trace(image, outside, UP, RIGHT, WIDE, rising=True) is None
    assert trace(image, from_height(20.0), UP, FORWARD, WIDE, rising=True) is None


@pytest.mark.parametrize("thickness", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("inside", [30.0, 150.0, 300.0])
def test_a_dark_plate_thinner_than_the_point_spread_does_not_shift_its_edge(thickness: float, inside: float) -> None:
    blur, edge = 0.3, 0.25
    outside = ndtr((PLACES_MM - edge) / blur)
    profile = 10 + 90 * outside + (inside - 10) * ndtr(-(PLACES_MM - edge + thickness) / blur)
    assert refine(np.repeat(profile[None], 5, axis=0), 10.0) == pytest.approx(edge, abs=0.1)


HEIGHTS = ("disc_height_anterior", "disc_height_middle", "disc_height_posterior", "disc_height_mean")
SPINE = lumbar(lower="S1", upper="L4")


def edge_errors(signal: Signal, scan: Scan, grid: Grid, habit: str, turn: tuple[float, float, float]) -> list[float]:
    """Return the errors of all disc heights between edges."""
    spine = SPINE.moved(pose(turn, (0.2, 0.1, 0.3)))
    image = render(spine, voxelise(spine, grid), signal, scan)
    rows = {row.key: row for row in measure(voxelise(spine, grid, habit=HABITS[habit]), image)}
    true = {key: value for key, value in edge_truth(spine).items() if key[1] in HEIGHTS}
    return [value - (rows[key].value or np.nan) for key, value in true.items()]


@pytest.mark.parametrize("habit", ["exact", "discs thinner by 1 mm a side"])
@pytest.mark.parametrize(
    ("signal", "grid", "turn"),
    [
        (T2, Grid((0.9, 0.47, 0.47)), (0.0, 0.0, 0.0)),
        (T1, Grid((0.9, 0.47, 0.47)), (5.0, 5.0, 5.0)),
        (T2, Grid((4.0, 0.5, 0.5)), (0.0, 0.0, 0.0)),
    ],
)
def test_heights_between_edges_are_true_whoever_drew_the_discs(
    signal: Signal, grid: Grid, turn: tuple[float, float, float], habit: str
) -> None:
    errors = edge_errors(signal, Scan(snr=20, seed=1), grid, habit, turn)
    assert len(errors) == 8
    assert max(abs(e) for e in errors) < 0.3


@pytest.mark.parametrize("back", [True, False])
def test_a_body_is_as_high_where_its_mask_leaves_out_a_corner(back: bool) -> None:
    """The basivertebral vein, or a wall that leans, cuts the mask of a body far from its endplate."""
    case = voxelise(SPINE, Grid((0.9, 0.47, 0.47)))
    image = render(SPINE, case, T2, Scan(snr=20, seed=1))
    body = next(s.value for s in case.structures if s.name == "L5")
    _, depth, height = np.nonzero(case.labels == body)
    drawn = case.labels.copy()
    near = slice(depth.min(), depth.min() + 12) if back else slice(depth.max() - 11, depth.max() + 1)
    upper = (slice(None), near, slice(round(float(np.median(height))), height.max() + 1))
    drawn[upper][drawn[upper] == body] = 0
    key = ("L5", f"body_height_{'posterior' if back else 'anterior'}", "cortex")
    whole, cut = ({row.key: row for row in measure(c, image)}[key] for c in (case, replace(case, labels=drawn)))
    assert cut.value == pytest.approx(whole.value, abs=0.5)


def test_dark_marrow_is_measured_between_the_edges_of_the_disc_and_says_so() -> None:
    grid = Grid((0.9, 0.47, 0.47))
    image = render(SPINE, voxelise(SPINE, grid), replace(WATER, plate_mm=0.5), Scan(snr=30, seed=1))
    rows = {row.key: row for row in measure(voxelise(SPINE, grid), image)}
    row = rows["L4-L5", "disc_height_middle", "endplate50"]
    assert "as dark as the endplate" in row.note
    assert row.boundary == "disc_surface" and row.reference is None
    assert row.value == pytest.approx(10.0 - 2 * 0.5, abs=0.6)


def test_without_an_image_there_are_no_edge_rows_and_the_others_are_the_same() -> None:
    grid = Grid((4.0, 0.5, 0.5))
    case = voxelise(SPINE, grid)
    image = render(SPINE, case, T2, Scan(snr=20))
    with_edges, without = measure(case, image), measure(case)
    new = {row.key for row in with_edges} - {row.key for row in without}
    assert {method for _, _, method in new} == {
        "endplate10", "endplate50", "endplate90", "endplate_area_depth", "endplate_mean3", "dhi_endplate_mean3",
        "farfan_endplate", "cortex", "wall",
    }  # fmt: skip
    same = {row.key: row.value for row in with_edges if row.key not in new}
    for row in without:
        if row.level != "L5-S1" and row.quantity not in ("lordosis", "kyphosis"):
            assert same[row.key] == row.value


def test_an_image_of_another_place_is_no_image() -> None:
    case = voxelise(SPINE, Grid((4.0, 0.5, 0.5)))
    away = case.affine.copy()
    away[:3, 3] += 1000.0
    rows = measure(case, Volume(np.ones(case.labels.shape), away))
    assert [row.key for row in rows] == [row.key for row in measure(case)]
    assert not any(row.second for row in rows)


def test_an_image_on_other_voxels_gives_the_same_edges() -> None:
    case, finer = (voxelise(SPINE, Grid(spacing)) for spacing in ((4.0, 0.6, 0.6), (3.0, 0.5, 0.5)))
    image = render(SPINE, finer, T2, Scan(snr=40))
    rows = {row.key: row for row in measure(case, image)}
    assert rows["L4-L5", "disc_height_middle", "endplate50"].value == pytest.approx(10.0, abs=0.2)


def test_an_end_without_an_edge_stays_on_the_mask_and_says_so() -> None:
    case = voxelise(SPINE, Grid((4.0, 0.5, 0.5)))
    noise = np.random.default_rng(2).normal(100.0, 5.0, case.labels.shape)
    rows = {row.key: row for row in measure(case, Volume(noise, case.affine))}
    row = rows["L4-L5", "disc_height_middle", "endplate50"]
    assert "edge_not_found" in row.flags and "stays on the segmentation" in row.note
    assert row.value == pytest.approx(rows["L4-L5", "disc_height_middle", "chord50"].value, abs=1.0)


def test_bodies_that_are_far_from_their_disc_stop_nothing() -> None:
    """A wrong mask ends in a row, not in an error: the bodies are in front of where their disc is."""
    case = voxelise(SPINE, Grid((4.0, 0.5, 0.5)))
    image = render(SPINE, case, T2, Scan(snr=20))
    bodies = [s.value for s in case.structures if s.name in ("L4", "L5")]
    moved = np.where(np.isin(case.labels, bodies), 0, case.labels)
    moved[:, 30:][np.isin(case.labels, bodies)[:, :-30]] = bodies[0]
    rows = measure(replace(case, labels=moved.astype(np.uint8)), image)
    assert any(row.method == "endplate50" for row in rows)
