"""A canal whose lumen is interrupted by a stenosis: its centreline continues, and its diameter there is 0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.canal_line import centreline
from SpineMeasureLib.phantom import Canal, Grid, Spine, lumbar, pose, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation

Rows = dict[tuple[str, str, str], Measurement]
LEVEL = "L3-L4"
AP, AREA = (LEVEL, "canal_ap", "disc_level"), (LEVEL, "canal_area", "disc_level")
MINIMUM, MCC = (LEVEL, "canal_ap_minimum", "within_5mm"), (LEVEL, "canal_compression", "1-mi/mean(ma,mb)")
FLAG = "obliterated"
FINE = Grid((2.0, 0.5, 0.5))


def by_key(case: SpineSegmentation) -> Rows:
    return {r.key: r for r in measure(case)}


def in_frame(spine: Spine, case: SpineSegmentation, level: str = LEVEL) -> np.ndarray:
    """Right, anterior and superior mm of every voxel from the middle of the canal at a disc."""
    _, frame = spine.named(level)
    index = np.moveaxis(np.indices(case.labels.shape), 0, -1)
    places = (index @ case.affine[:3, :3].T + case.affine[:3, 3] - frame[:3, 3]) @ frame[:3, :3]
    return np.moveaxis(places + (0, spine.canal.behind, 0), -1, 0)


def without_lumen(case: SpineSegmentation, where: np.ndarray) -> SpineSegmentation:
    return replace(case, labels=np.where(where & np.isin(case.labels, (CANAL_VALUE, CORD_VALUE)), 0, case.labels))


@pytest.fixture(scope="module", params=[(0, 0, 0), (-25, 5, 5)])
def spine(request: pytest.FixtureRequest) -> Spine:
    return lumbar(upper="L1").moved(pose(request.param))


@pytest.fixture(scope="module")
def whole(spine: Spine) -> SpineSegmentation:
    return voxelise(spine, FINE)


@pytest.fixture(scope="module")
def places(spine: Spine, whole: SpineSegmentation) -> np.ndarray:
    return in_frame(spine, whole)


@pytest.fixture(scope="module")
def before(whole: SpineSegmentation) -> Rows:
    return by_key(whole)


@pytest.mark.parametrize("gap", [2.0, 5.0, 10.0, 20.0])
def test_an_obliterated_canal_has_diameter_and_area_0_and_says_so(
    spine: Spine, whole: SpineSegmentation, places: np.ndarray, before: Rows, gap: float
) -> None:
    rows = by_key(without_lumen(whole, np.abs(places[2]) < gap / 2))
    for key in (AP, AREA, MINIMUM):
        assert rows[key].value == 0.0 and FLAG in rows[key].flags, key
        assert "cut_by_field_of_view" not in rows[key].flags
    assert rows[MCC].value == 1.0 and FLAG in rows[MCC].flags
    row = rows[AP]
    assert row.p1 is not None and row.p1 == row.p2
    _, frame = spine.named(LEVEL)
    assert np.linalg.norm(row.p1 - (frame @ (0, -spine.canal.behind, 0, 1))[:3]) < 1.0
    was = before[AP].plane
    assert was is not None and row.plane is not None
    for axis in ("x_axis", "y_axis"):
        assert np.dot(getattr(row.plane, axis), getattr(was, axis)) > np.cos(np.radians(3.0))


@pytest.mark.parametrize("gap", [2.0, 5.0, 10.0, 20.0])
def test_a_gap_changes_nothing_two_levels_away(
    whole: SpineSegmentation, places: np.ndarray, before: Rows, gap: float
) -> None:
    rows = by_key(without_lumen(whole, np.abs(places[2]) < gap / 2))
    for level in ("L1-L2", "L5-S1"):
        for quantity, method in ((AP[1:]), (MINIMUM[1:])):
            assert rows[level, quantity, method].value == pytest.approx(before[level, quantity, method].value, abs=0.05)
            assert FLAG not in rows[level, quantity, method].flags


@pytest.mark.parametrize("side", [1, -1])
def test_the_minimum_and_the_compression_count_an_obliteration_beside_the_disc(
    whole: SpineSegmentation, places: np.ndarray, side: int
) -> None:
    rows = by_key(without_lumen(whole, (side * places[2] > 2.5) & (side * places[2] < 6.0)))
    assert rows[AP].value == pytest.approx(14.0, abs=0.3) and FLAG not in rows[AP].flags
    assert rows[MINIMUM].value == 0.0 and FLAG in rows[MINIMUM].flags
    assert rows[MCC].value == 1.0


def test_references_leave_out_places_without_lumen(whole: SpineSegmentation, places: np.ndarray) -> None:
    rows = by_key(without_lumen(whole, (places[2] > 12.0) & (places[2] < 20.0)))
    assert rows[MCC].value == pytest.approx(0.0, abs=0.03)
    assert "low_confidence" in rows[MCC].flags and FLAG not in rows[MCC].flags
    most = by_key(without_lumen(whole, (places[2] > 9.0) & (places[2] < 25.0)))[MCC]
    assert most.value is None and "no lumen at most of the references" in most.note


def test_beyond_an_end_of_the_canal_there_is_still_no_value(whole: SpineSegmentation, places: np.ndarray) -> None:
    for kept in (places[2] > 12.0, places[2] < -12.0):
        rows = by_key(without_lumen(whole, ~kept))
        for key in (AP, AREA, MINIMUM, MCC):
            assert rows[key].value is None and "not_measurable" in rows[key].flags and FLAG not in rows[key].flags


def test_a_long_stretch_without_labels_is_not_an_obliteration(whole: SpineSegmentation, places: np.ndarray) -> None:
    rows = by_key(without_lumen(whole, np.abs(places[2]) < 24.0))
    assert rows[AP].value is None and FLAG not in rows[AP].flags


@pytest.mark.parametrize(("depth", "left"), [(3.0, True), (0.0, False)])
@pytest.mark.parametrize("aside", [0.0, 4.0])
def test_the_diameter_of_a_thread_is_that_of_the_thread(
    whole: SpineSegmentation, places: np.ndarray, aside: float, depth: float, left: bool
) -> None:
    right, front, up = places
    thread = (np.abs(right - aside) < 2.5) & (np.abs(front) < depth / 2)
    row = by_key(without_lumen(whole, (np.abs(up) < 8.0) & ~thread))[AP]
    assert row.value == pytest.approx(depth, abs=0.4)
    assert (FLAG in row.flags) is not left


def test_less_than_a_pixel_is_an_obliteration(whole: SpineSegmentation, places: np.ndarray) -> None:
    right, front, up = places
    row = by_key(without_lumen(whole, (np.abs(up) < 8.0) & ~((np.abs(right) < 1.0) & (np.abs(front) < 0.3))))[AP]
    assert row.value is not None and row.value < 1.0
    assert (FLAG in row.flags) is (row.value < 0.5)


def test_pieces_beside_the_canal_are_neither_its_lumen_nor_its_course(
    whole: SpineSegmentation, places: np.ndarray, before: Rows
) -> None:
    right, front, up = places
    gap = without_lumen(whole, np.abs(up) < 8.0)
    expected = by_key(gap)
    beside = (np.hypot(right - 15.0, front) < 3.0) & (np.abs(up) < 12.0)
    rows = by_key(replace(gap, labels=np.where(beside & (gap.labels == 0), CANAL_VALUE, gap.labels)))
    assert rows[AP].value == 0.0 and FLAG in rows[AP].flags
    assert np.linalg.norm(np.subtract(rows[AP].p1, expected[AP].p1)) < 1.5  # the piece is 15 mm aside
    for level in ("L1-L2", "L5-S1"):
        assert rows[level, "canal_ap", "disc_level"].value == pytest.approx(
            before[level, "canal_ap", "disc_level"].value, abs=0.05
        )


def test_a_speck_beyond_its_end_does_not_continue_the_canal(whole: SpineSegmentation, places: np.ndarray) -> None:
    right, front, up = places
    speck = (np.abs(up + 12.0) < 2.0) & (np.abs(right) < 6.0)
    rows = by_key(without_lumen(whole, (up < 10.0) & ~speck))
    assert rows[AP].value is None and FLAG not in rows[AP].flags


def test_a_cord_that_is_not_visible_in_an_obliterated_canal_has_rows_without_a_value() -> None:
    spine = lumbar(upper="L1", canal=Canal(cord=(3.5, 6.0)))
    case = voxelise(spine, FINE)
    rows = by_key(without_lumen(case, np.abs(in_frame(spine, case)[2]) < 8.0))
    assert rows[AP].value == 0.0
    for name in ("ap", "transverse", "area", "occupancy"):
        row = rows[LEVEL, f"cord_{name}", "disc_level"]
        assert row.value is None and row.note == "the canal has no lumen here"
    assert rows[LEVEL, "cord_compression", MCC[2]].value is None
    assert rows["L1-L2", "cord_ap", "disc_level"].value == pytest.approx(7.0, abs=0.4)


def test_a_torg_pavlov_ratio_behind_an_obliterated_body_is_0_with_the_flag() -> None:
    spine = lumbar(upper="L1")
    case = voxelise(spine, FINE)
    row = by_key(without_lumen(case, np.abs(in_frame(spine, case, "L3")[2]) < 6.0))[
        "L3", "torg_pavlov_ratio", "canal_body"
    ]
    assert row.value == 0.0 and FLAG in row.flags


AFFINE = np.array([[1.0, 0, 0, -20], [0, 0.6, 0, -50], [0, 0, 0.6, -60], [0, 0, 0, 1]])
GRID = np.moveaxis(np.indices((41, 167, 201)), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def tube(length: float, lean: float, cut: float, bend: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tube of 14 x 18 mm, leaning and bent backwards (1/mm) in the middle, its flat ends turned by `cut` degrees.

    Returns the mask, its axis, and the distance of any RAS point from its middle line.
    """
    up, front = (np.array([0, np.sin(a), np.cos(a)]) for a in np.radians([lean, lean + 90]))
    end = np.array([0, np.sin(np.radians(lean + cut)), np.cos(np.radians(lean + cut))])
    course = bend / 2 * (GRID @ up) ** 2
    mask = ((GRID @ front - course) / 7) ** 2 + (GRID[..., 0] / 9) ** 2 <= 1
    mask &= np.abs(GRID @ end) <= length / 2 * np.cos(np.radians(cut))
    return mask, up, front


@pytest.mark.parametrize("length", [20.0, 30.0, 70.0])
@pytest.mark.parametrize(("lean", "cut"), [(0.0, 0.0), (20.0, 0.0), (15.0, -15.0), (0.0, 25.0)])
def test_the_centreline_reaches_both_ends_of_a_tube(length: float, lean: float, cut: float) -> None:
    mask, up, front = tube(length, lean, cut)
    line = centreline(mask, AFFINE)
    assert line is not None
    along = line.points @ up
    assert along[0] == pytest.approx(length / 2, abs=1.2) and along[-1] == pytest.approx(-length / 2, abs=1.2)
    assert np.abs(line.points @ front).max() < (0.3 if cut == 0 else 2.0)


@pytest.mark.parametrize("gap", [5.0, 10.0, 20.0])
def test_the_centreline_bridges_a_gap_along_the_curve_of_its_pieces(gap: float) -> None:
    """At the middle of a gap of 20 mm the chord of an arc of 100 mm radius is 0.5 mm off it."""
    mask, up, front = tube(90.0, 5.0, 0.0, bend=-0.01)
    place = 10.0
    line = centreline(mask & (np.abs(GRID @ up - place) > gap / 2), AFFINE)
    assert line is not None
    along = line.points @ up
    assert along[0] > 43.0 and along[-1] < -43.0
    off = line.points @ front + 0.005 * along**2
    assert np.abs(off[np.abs(along - place) < gap]).max() < 0.35


def test_what_is_left_at_one_side_does_not_pull_the_centreline() -> None:
    """12 mm of a stenosis leave a column of 3 mm at the right side of the canal."""
    mask, up, _ = tube(90.0, 5.0, 0.0)
    remnant = np.hypot(GRID[..., 0] - 6.0, GRID[..., 1] - (GRID @ up) * up[1]) < 1.5
    line = centreline(mask & ((np.abs(GRID @ up) > 6.0) | remnant), AFFINE)
    assert line is not None
    assert np.abs(line.points[:, 0]).max() < 1.0


def test_expert_masks_with_a_gap_at_a_disc_have_0_there(data_folder: Path) -> None:
    from SpineMeasureLib.io.read import read_volume
    from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

    case = segmentation_from_labels(read_volume(data_folder / "lumbar_t2_space" / "spider081_labels.nii.gz"))
    before = by_key(case)
    level, far = "L3-L4", "L1-L2"
    row = before[level, "canal_ap", "disc_level"]
    middle, axes = np.mean([row.p1, row.p2], axis=0), (row.plane.x_axis, row.plane.y_axis)
    index = np.argwhere(case.labels == CANAL_VALUE)
    up = (index @ case.affine[:3, :3].T + case.affine[:3, 3] - middle) @ np.cross(*axes)
    for gap in (2.0, 10.0):
        labels = case.labels.copy()
        labels[tuple(index[np.abs(up) < gap / 2].T)] = 0
        rows = by_key(replace(case, labels=labels))
        for quantity, method in (AP[1:], AREA[1:], MINIMUM[1:]):
            found = rows[level, quantity, method]
            assert found.value == 0.0 and FLAG in found.flags
        key = (far, "canal_ap", "disc_level")
        assert rows[key].value == pytest.approx(before[key].value, abs=0.05)
