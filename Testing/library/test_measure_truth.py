"""Measured values against closed-form spines: at most 0.25 mm and 1 degree off in every pose and storage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import (
    ISOTROPIC,
    SAGITTAL_2D,
    SPACE,
    Canal,
    Element,
    Grid,
    Spine,
    lumbar,
    pose,
    rotation,
    truth,
    voxelise,
)
from SpineMeasureLib.segmentation import SpineSegmentation

#: Truth to half a voxel each way: what a label map can hold of areas, volumes and widths is tested on their own.
APART = ("disc_area", "disc_volume", "disc_width", "canal_area", "body_biconcavity_ratio")
LIMITS = {"mm": 0.25, "deg": 1.0, "ratio": 0.025}

SHORT = lumbar(upper="L3")
CASES: dict[str, tuple[Spine, tuple[float, float, float], Grid]] = {
    "lying straight": (SHORT, (2, 1, 3), SAGITTAL_2D),
    "bent forward": (SHORT, (30, 0, 0), SAGITTAL_2D),
    "leaning to the side": (SHORT, (0, 30, 0), SAGITTAL_2D),
    "turned about its axis": (SHORT, (0, 0, 30), SAGITTAL_2D),
    "turned about all axes": (SHORT, (-25, 10, 10), SAGITTAL_2D),
    "turned the other way": (SHORT, (20, -20, 15), SAGITTAL_2D),
    "thin discs": (lumbar(upper="L3", disc=Element("", Kind.DISC, 5.0, 4.0)), (20, -10, 10), SAGITTAL_2D),
    "thin, strongly wedged discs": (
        lumbar(upper="L3", disc=Element("", Kind.DISC, 6.0, 13.0)),
        (10, 5, 5),
        SAGITTAL_2D,
    ),
    "collapsed discs": (lumbar(upper="L3", disc=Element("", Kind.DISC, 3.0, -3.0)), (12, 8, -6), SAGITTAL_2D),
    "thick discs": (lumbar(upper="L3", disc=Element("", Kind.DISC, 13.0, 14.0)), (6, -8, 10), SAGITTAL_2D),
    "boxes": (
        lumbar(
            upper="L3",
            disc=Element("", Kind.DISC, 9.0, 10.0, power=6.0),
            body=Element("", Kind.BODY, 26.0, 3.0, power=6.0),
        ),
        (12, 8, -10),
        SAGITTAL_2D,
    ),
    "open behind": (lumbar(upper="L3", disc=Element("", Kind.DISC, 9.0, -6.0)), (10, 5, 5), SAGITTAL_2D),
    "narrowed in front": (lumbar(upper="L3", canal=Canal(dent=5.0)), (10, 12, 8), SAGITTAL_2D),
    "scoliotic": (lumbar(upper="L2", scoliosis=6.0), (5, 10, 10), SAGITTAL_2D),
    "scoliotic, 3D": (lumbar(upper="L2", scoliosis=6.0), (20, -20, 15), SPACE),
    "3D": (SHORT, (-10, 25, -20), SPACE),
}


def by_key(rows: list[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    return {r.key: r for r in rows}


def wrong(spine: Spine, segmentation: SpineSegmentation, limits: dict[str, float] = LIMITS) -> dict[object, str]:
    """The values that are missing or off by more than the limits."""
    rows = by_key(measure(segmentation))
    found: dict[object, str] = {}
    for key, value in truth(spine).items():
        if key[1] in APART:
            continue
        row = rows.get(key)
        if row is None or row.value is None:
            found[key] = "missing"
        elif not abs(row.value - value) <= limits[row.unit]:
            found[key] = f"{row.value:.3f} instead of {value:.3f}"
    return found


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_true(name: str) -> None:
    spine, turn, grid = CASES[name]
    spine = spine.moved(pose(turn, (3.3, 1.2, 0.7)))
    assert wrong(spine, voxelise(spine, grid)) == {}


def test_cubes_of_one_millimetre_are_measured_to_half_a_voxel() -> None:
    spine = SHORT.moved(pose((20, 10, -10)))
    assert wrong(spine, voxelise(spine, ISOTROPIC), {"mm": 0.5, "deg": 1.0, "ratio": 0.04}) == {}


def test_slices_prescribed_obliquely_change_nothing() -> None:
    axes = rotation((1, 2, 3), 25.0)
    spine = SHORT.moved(pose((8, 4, 6)))
    assert wrong(spine, voxelise(spine, Grid(axes=axes))) == {}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_the_same_voxels_stored_otherwise_give_the_same_values(
    order: tuple[int, int, int], flip: tuple[int, int, int]
) -> None:
    """Axes permuted, turned round and left-handed: the voxels lie where they lay."""
    straight = voxelise(lumbar(upper="L4").moved(pose((8, 5, -6))))
    labels, affine = straight.labels, straight.affine.copy()
    for axis, sign in enumerate(flip):
        if sign < 0:
            labels = np.flip(labels, axis)
            affine[:3, 3] += affine[:3, axis] * (labels.shape[axis] - 1)
            affine[:3, axis] *= -1
    stored = replace(straight, labels=np.ascontiguousarray(labels.transpose(order)), affine=affine[:, [*order, 3]])
    expected = by_key(measure(straight))
    for row in measure(stored):
        other = expected[row.key].value
        if row.value is None or other is None:
            assert row.value == other
        else:
            assert row.value == pytest.approx(other, abs=0.01, rel=0.005), row.key


def test_slip_of_a_vertebra_is_measured_and_signed() -> None:
    for slip in (6.0, -4.0):
        spine = lumbar(upper="L3", slip=slip).moved(pose((8, 5, 5)))
        true = truth(spine)["L4-L5", "listhesis", "posterior_corners"]
        row = by_key(measure(voxelise(spine)))["L4-L5", "listhesis", "posterior_corners"]
        assert row.value == pytest.approx(true, abs=0.25)
        assert np.sign(row.value) == np.sign(slip)
        assert row.p1 is not None
        assert row.p2 is not None
        assert np.linalg.norm(np.subtract(row.p1, row.p2)) == pytest.approx(abs(row.value), abs=1e-6)


def test_a_canal_deeper_than_wide_is_measured_from_front_to_back() -> None:
    spine = lumbar(upper="L4", canal=Canal(behind=29.0, half_ap=9.0, half_width=6.0)).moved(pose((8, 5, 6)))
    row = by_key(measure(voxelise(spine)))["L4-L5", "canal_ap", "disc_level"]
    assert row.value == pytest.approx(18.0, abs=0.25)


def test_areas_volume_and_width_in_thin_slices() -> None:
    spine = SHORT.moved(pose((10, 8, 6)))
    rows, true = by_key(measure(voxelise(spine, SPACE))), truth(spine)
    for key in (
        ("L4-L5", "disc_area", "area"),
        ("L4-L5", "disc_volume", "volume"),
        ("L4", "canal_area", "mid_vertebral"),
    ):
        assert rows[key].value == pytest.approx(true[key], rel=0.02)
        assert "low_confidence" not in rows[key].flags
    width = rows["L4-L5", "disc_width", "width50"]
    assert width.value == pytest.approx(true[width.key], abs=0.9)  # one slice


def test_cord_diameters_area_and_occupancy() -> None:
    spine = lumbar(upper="L3", canal=Canal(cord=(3.5, 6.0))).moved(pose((10, 5, -5)))
    rows = by_key(measure(voxelise(spine, SPACE)))
    for level, place in (("L4-L5", "disc_level"), ("L4", "mid_vertebral")):
        assert rows[level, "cord_ap", place].value == pytest.approx(7.0, abs=0.25)
        assert rows[level, "cord_transverse", place].value == pytest.approx(12.0, abs=0.9)
        area = np.pi * 3.5 * 6.0
        assert rows[level, "cord_area", place].value == pytest.approx(area, rel=0.04)
        share = area / spine.canal.area()
        assert rows[level, "cord_occupancy", place].value == pytest.approx(share, rel=0.05)


def test_a_narrowing_at_one_disc_is_found_as_minimum_and_compression() -> None:
    wide, narrow = lumbar(upper="L1"), lumbar(upper="L1", canal=Canal(dent=5.0))
    plain, dented = voxelise(wide), voxelise(narrow)
    _, frame = wide.named("L3-L4")
    index = np.moveaxis(np.indices(plain.labels.shape), 0, -1)
    height = (index @ plain.affine[:3, :3].T + plain.affine[:3, 3] - frame[:3, 3]) @ frame[:3, 2]
    mixed = replace(plain, labels=np.where(np.abs(height) <= 6.0, dented.labels, plain.labels))
    rows = by_key(measure(mixed))
    assert rows["L3-L4", "canal_ap_minimum", "within_5mm"].value == pytest.approx(9.0, abs=0.3)
    for level in ("L2-L3", "L3-L4", "L4-L5"):
        at_disc = rows[level, "canal_ap", "disc_level"].value
        assert rows[level, "canal_ap_minimum", "within_5mm"].value <= at_disc
    assert rows["L3-L4", "canal_compression", "1-mi/mean(ma,mb)"].value == pytest.approx(1 - 9 / 14, abs=0.03)
    assert rows["L2-L3", "canal_compression", "1-mi/mean(ma,mb)"].value < 0.1


def narrowed_near(level: str, middle: float, half: float) -> list[dict[tuple[str, str, str], Measurement]]:
    """Rows of a spine without and with a narrowing of the canal at some mm above a disc's plane."""
    wide, narrow = lumbar(upper="L1"), lumbar(upper="L1", canal=Canal(dent=5.0))
    plain, dented = voxelise(wide), voxelise(narrow)
    _, frame = wide.named(level)
    index = np.moveaxis(np.indices(plain.labels.shape), 0, -1)
    height = (index @ plain.affine[:3, :3].T + plain.affine[:3, 3] - frame[:3, 3]) @ frame[:3, 2]
    mixed = replace(plain, labels=np.where(np.abs(height - middle) <= half, dented.labels, plain.labels))
    return [by_key(measure(case)) for case in (plain, mixed)]


@pytest.mark.parametrize("half", [0.5, 1.0, 3.0])
def test_the_compromise_is_that_of_the_minimum_that_is_shown(half: float) -> None:
    """The references, 10 mm away and more, are the same: both values change by the same factor."""
    minimum, compromise = (
        ("L3-L4", "canal_ap_minimum", "within_5mm"),
        ("L3-L4", "canal_compression", "1-mi/mean(ma,mb)"),
    )
    plain, mixed = narrowed_near("L3-L4", 2.0, half)
    assert mixed[minimum].value < plain[minimum].value - 0.1
    factor = (1 - mixed[compromise].value) / (1 - plain[compromise].value)
    assert factor == pytest.approx(mixed[minimum].value / plain[minimum].value, rel=0.005)


def test_a_negative_compromise_comes_with_a_note() -> None:
    key = ("L3-L4", "canal_compression", "1-mi/mean(ma,mb)")
    plain, mixed = narrowed_near("L3-L4", 20.0, 5.0)
    assert mixed[key].value < -0.05 and mixed[key].note == "negative: not narrowed here"
    assert plain[key].note == "" and abs(plain[key].value) < 0.02
