"""The wall of canal and cord in the image: true, whoever drew the masks, in a stenosis and between thick slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from SpineMeasureLib.anatomy import CANAL_VALUE
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.canal_line import Centreline
from SpineMeasureLib.measure.fields import make_field
from SpineMeasureLib.measure.image_slices import ImageSlices
from SpineMeasureLib.measure.surface import smooth_surface
from SpineMeasureLib.measure.wall import WallField, find_wall
from SpineMeasureLib.phantom import Canal, Grid, Signal, lumbar, pose, voxelise
from SpineMeasureLib.phantom.signal import T1, T2, Scan, render
from SpineMeasureLib.phantom.true_values import edge_truth
from SpineMeasureLib.volume import Volume
from Testing.benchmarks.edge_conditions import HABITS

Rows = dict[tuple[str, str, str], Measurement]
THIN, THICK = Grid((0.9, 0.47, 0.47)), Grid((4.0, 0.5, 0.5))
SPINE = lumbar("S1", "L4", canal=Canal(half_ap=7.0)).moved(pose((6, 3, 4), (0.3, 0.17, 0.11)))
WITH_CORD = lumbar("S1", "L4", canal=Canal(half_ap=7.0, cord=(3.2, 4.5))).moved(pose((6, 3, 4), (0.3, 0.17, 0.11)))


def rows_of(spine: object, grid: Grid, signal: Signal = T2, habit: str = "exact") -> Rows:
    image = render(spine, voxelise(spine, grid), signal, Scan(snr=20, seed=1))  # type: ignore[arg-type]
    return {row.key: row for row in measure(voxelise(spine, grid, habit=HABITS[habit]), image)}  # type: ignore[arg-type]


def errors(rows: Rows, spine: object, quantity: str) -> np.ndarray:
    true = {key: value for key, value in edge_truth(spine).items() if key[1:] == (quantity, "wall")}  # type: ignore[arg-type]
    assert true
    return np.array([(rows[key].value or np.nan) - value for key, value in true.items()])


@pytest.mark.parametrize("grid", [THIN, THICK], ids=["thin slices", "slices of 4 mm"])
@pytest.mark.parametrize("habit", ["exact", "eroded by 0.5 mm", "dilated by 0.5 mm"])
def test_diameters_between_walls_are_true_whoever_drew_the_canal(habit: str, grid: Grid) -> None:
    assert np.abs(errors(rows_of(SPINE, grid, habit=habit), SPINE, "canal_ap")).max() < 0.25


def test_a_cord_does_not_hide_the_wall_and_has_its_own() -> None:
    rows = rows_of(WITH_CORD, THIN)
    assert np.abs(errors(rows, WITH_CORD, "canal_ap")).max() < 0.2
    assert np.abs(errors(rows, WITH_CORD, "cord_ap")).max() < 0.25
    for quantity in ("cord_area", "cord_transverse", "cord_occupancy"):
        assert rows["L4-L5", quantity, "wall"].value is not None, quantity


def test_the_smallest_diameter_between_walls_is_that_of_the_compression() -> None:
    rows = rows_of(SPINE, THIN)
    minimum, at_disc = (rows["L4-L5", quantity, "wall"].value for quantity in ("canal_ap_minimum", "canal_ap"))
    assert minimum is not None and at_disc is not None and minimum <= at_disc
    ratio = rows["L4", "torg_pavlov_ratio", "wall"].value
    assert ratio == pytest.approx(rows["L4", "canal_ap", "wall"].value / rows["L4", "body_depth", "depth50"].value)


def test_where_csf_is_dark_the_wall_is_the_outer_surface_of_the_dura_and_says_so() -> None:
    row = rows_of(SPINE, THIN, T1)["L4-L5", "canal_ap", "wall"]
    assert row.boundary == "outer_dura" and "as dark as the dura" in row.note and row.reference is None


def test_a_wall_that_the_image_does_not_show_is_doubted() -> None:
    case = voxelise(SPINE, THIN)
    noise = np.random.default_rng(2).normal(100.0, 5.0, case.labels.shape)
    image = render(SPINE, case, T2, Scan(snr=20, seed=1))
    near = ndimage.binary_dilation(case.labels == CANAL_VALUE, iterations=12)
    hidden = replace(image, array=np.where(near, noise, image.array).astype(np.float32))
    rows = {row.key: row for row in measure(case, hidden)}
    flags = [rows[level, "canal_ap", "wall"].flags for level in ("L4-L5", "L5", "L4")]
    assert all({"low_confidence", "edge_not_found"} & set(found) for found in flags)


def tube(radius: np.ndarray, spacing: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, mask and affine of a straight bright tube along superior; radius (mm) of each of its slices."""
    shape = (60, 60, len(radius))
    x, y, z = np.indices(shape)
    distance = radius[z] - np.hypot(x - 29.7, y - 29.4) * spacing
    image = 20 + 100 / (1 + np.exp(-distance / 0.25)) + np.sin(x + 2 * y)  # nowhere constant, as padding is
    return image.astype(np.float32), distance > 0, np.diag([spacing] * 3 + [1.0])


def wall_of(image: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> WallField:
    length = int(mask.shape[2] * affine[2, 2]) - 1
    points = np.stack([np.full(length, 29.7 * 0.5), np.full(length, 29.4 * 0.5), np.arange(length)[::-1] + 0.5], axis=1)
    line = Centreline(points, np.tile([0.0, 0.0, 1.0], (length, 1)))
    field = make_field(mask, affine)
    assert field is not None
    found = find_wall(
        ImageSlices(Volume(image, affine)), field, line, points + (0.0, 25.0, 0.0), rising=False, dark=20.0
    )
    assert found is not None
    return found


@pytest.mark.parametrize("dilated", [-1, 0, 1])
def test_a_stenosis_is_not_smoothed_away(dilated: int) -> None:
    z = np.arange(160) * 0.5
    true = 8.0 - 4.5 * np.exp(-0.5 * ((z - 40.0) / 6.0) ** 2)
    image, mask, affine = tube(true)
    if dilated:
        mask = ndimage.binary_dilation(mask) if dilated > 0 else ndimage.binary_erosion(mask)
    wall = wall_of(image, mask, affine).wall
    height = wall.centre[:, 2]
    inside = (height > 5) & (height < 75)
    expected = np.interp(height, z, true)[:, None]
    assert np.abs(wall.radius - expected)[inside].max() < 0.35
    assert abs(wall.radius[np.argmin(np.abs(height - 40.0))].mean() - 3.5) < 0.25


def test_a_short_narrowing_is_found_although_the_mask_shows_half_of_it() -> None:
    """As behind a bulging disc; a model's mask is smoother than the lumen."""
    z = np.arange(160) * 0.5
    narrow = 3.0 * np.exp(-0.5 * ((z - 40.0) / 2.5) ** 2)
    image, _, affine = tube(8.0 - narrow)
    _, mask, _ = tube(8.0 - narrow / 2)
    wall = wall_of(image, mask, affine).wall
    assert wall.radius[np.argmin(np.abs(wall.centre[:, 2] - 40.0))].mean() == pytest.approx(5.0, abs=0.4)


def test_depth_is_that_of_the_tube() -> None:
    image, mask, affine = tube(np.full(120, 8.0))
    field = wall_of(image, mask, affine)
    middle = np.array([29.7 * 0.5, 29.4 * 0.5, 30.25])
    for angle in (0.0, 0.7, 2.0, 4.4):
        way = np.array([np.cos(angle), np.sin(angle), 0.0])
        depths = field.at(middle + np.array([0.5, 4.0, 7.0, 10.0])[:, None] * way)
        assert depths == pytest.approx([7.5, 4.0, 1.0, -2.0], abs=0.12)
    assert field.at(middle[None] + (0.0, 0.0, 60.0))[0] < 0  # beyond its end


def test_a_gap_in_the_wall_is_closed_by_what_is_around_it() -> None:
    image, mask, affine = tube(np.full(120, 8.0))
    x, y, z = np.indices(image.shape)
    fat = (y - 29.4 > 14) & (np.abs(x - 29.7) < 5) & (np.abs(z - 60) < 8) & (y - 29.4 < 22)
    image[fat] = 120.0  # as bright as the lumen: no wall between them
    wall = wall_of(image, mask, affine).wall
    assert np.abs(wall.radius[10:50] - 8.0).max() < 1.0


def test_the_surface_is_closed_and_one_bad_profile_does_not_decide() -> None:
    cost = np.ones((6, 8, 9))
    cost[..., 4] = 0.0
    cost[2, 0] = 1.0
    cost[2, 0, 8] = -0.5
    assert (smooth_surface(cost, 0.3, 2) == 4).all()
    cost = np.ones((2, 8, 9))
    cost[:, 1:, 4] = 0.0  # nothing is known of the first profile, which lies between the last and the second
    assert (smooth_surface(cost, 0.3, 2) == 4).all()
