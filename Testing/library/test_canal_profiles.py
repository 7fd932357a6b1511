"""Canals whose cross-section follows a known law along a straight spine: areas, minima and references of the MCC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE, Kind
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import Canal, Element, Grid, lumbar, pose, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation, Structure

Array = np.ndarray
BEHIND = 31.0
STRAIGHT = lumbar(
    upper="T12",
    disc=Element("", Kind.DISC, 10.0),
    body=Element("", Kind.BODY, 27.0, power=3.0),
    canal=Canal(behind=BEHIND, half_ap=5.0, half_width=8.0),
).moved(pose((5, 2, 3)))  # not along the voxels
LEVEL = "L2-L3"
THIN = Grid((1.2, 0.5, 0.5))
MCC, MSCC = "canal_compression", "cord_compression"
FORMULA = "1-mi/mean(ma,mb)"


@pytest.fixture(scope="module")
def bare() -> SpineSegmentation:
    """One disc and the canal alone."""
    whole = voxelise(STRAIGHT, Grid((2.0, 0.5, 0.5), half_extent=(20.0, None, None)))
    kept = tuple(s for s in whole.structures if s.level == LEVEL or s.kind is Kind.CANAL)
    return replace(whole, structures=kept)


def with_canal(
    bare: SpineSegmentation, ap: Callable[[Array], Array], cord: Callable[[Array], Array] | None = None
) -> dict[tuple[str, str, str], Measurement]:
    """Rows of the spine with an elliptic canal 18 mm wide, its AP diameter (mm) by height above the disc's middle."""
    _, frame = STRAIGHT.named(LEVEL)
    index = np.moveaxis(np.indices(bare.labels.shape), 0, -1)
    v, u, s = np.moveaxis((index @ bare.affine[:3, :3].T + bare.affine[:3, 3] - frame[:3, 3]) @ frame[:3, :3], -1, 0)
    labels = np.where(bare.labels == CANAL_VALUE, 0, bare.labels)
    around = np.abs(s) < 105
    for value, diameter, half_width in ((CANAL_VALUE, ap, 9.0), (CORD_VALUE, cord, 6.0)):
        if diameter is not None:
            inside = around & (((u + BEHIND) / (diameter(s) / 2)) ** 2 + (v / half_width) ** 2 <= 1)
            labels[inside & np.isin(labels, (0, CANAL_VALUE))] = value
    extra = (Structure(CORD_VALUE, "Spinal cord", Kind.CORD, ""),) if cord is not None else ()
    case = replace(bare, labels=labels.astype(np.uint8), structures=(*bare.structures, *extra))
    return {r.key: r for r in measure(case)}


def wider_away(at_disc: float, per_mm: float) -> Callable[[Array], Array]:
    """An AP diameter that grows with the distance from the disc to both sides, up to 45 mm from it."""
    return lambda s: at_disc + per_mm * np.minimum(np.abs(s), 45.0)


def test_references_are_means_over_20_mm_from_10_mm_above_and_below_the_disc(bare: SpineSegmentation) -> None:
    """Of a diameter that grows evenly, that mean is the diameter at 20 mm."""
    rows = with_canal(bare, wider_away(8.0, 0.25), wider_away(5.0, 0.15))
    at_disc = rows[LEVEL, "canal_ap", "disc_level"].value
    assert at_disc == pytest.approx(8.0, abs=0.35)  # 0.19 of them because of the band of 3 mm
    minimum = rows[LEVEL, "canal_ap_minimum", "within_5mm"].value
    assert rows[LEVEL, MCC, FORMULA].value == pytest.approx(1 - minimum / (8.0 + 20 * 0.25), abs=0.007)
    cord = rows[LEVEL, "cord_ap", "disc_level"].value
    assert rows[LEVEL, MSCC, FORMULA].value == pytest.approx(1 - cord / (5.0 + 20 * 0.15), abs=0.012)


def ring(low: float, high: float, side: float) -> Callable[[Array], Array]:
    """A canal of 14 mm, 10 mm deep between two heights above (side 1) or below (-1) the disc."""
    return lambda s: np.where((side * s > low) & (side * s < high), 10.0, 14.0)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("low", "high", "share"), [(8.0, 12.0, 1 / 6), (28.0, 32.0, 1 / 6), (12.0, 28.0, 4 / 6), (34.0, 44.0, 0)]
)
def test_a_narrowing_counts_for_the_references_in_which_it_is(
    bare: SpineSegmentation, low: float, high: float, share: float, side: int
) -> None:
    """Sections 4 mm apart from 10 to 30 mm, on either side: what is nearer or farther away changes nothing."""
    rows = with_canal(bare, ring(low, high, side))
    reference = 14.0 - 4.0 * share / 2
    minimum = rows[LEVEL, "canal_ap_minimum", "within_5mm"].value
    assert minimum == pytest.approx(14.0, abs=0.3)
    row = rows[LEVEL, MCC, FORMULA]
    assert row.value == pytest.approx(1 - minimum / reference, abs=0.009)
    assert row.note == ("negative: not narrowed here" if share else "")


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("low", "high", "found"), [(2.0, 5.0, True), (7.6, 9.0, False)])
def test_the_minimum_is_looked_for_within_5_mm(
    bare: SpineSegmentation, low: float, high: float, found: bool, side: int
) -> None:
    rows = with_canal(bare, ring(low, high, side))
    row = rows[LEVEL, "canal_ap_minimum", "within_5mm"]
    assert (row.value < 11.5) is found
    assert rows[LEVEL, "canal_ap", "disc_level"].value > 13.5
    if not found:
        assert row.value == pytest.approx(14.0, abs=0.3)


@pytest.mark.parametrize("power", [1.0, 0.6])
def test_the_compromise_of_a_narrow_canal_is_its_share_of_the_wide_one(bare: SpineSegmentation, power: float) -> None:
    """An hourglass: 14 mm but for 5 mm above and below the disc, where it is less."""
    rows = with_canal(bare, lambda s: np.where(np.abs(s) < 5.0, 14.0 * power - 1.0, 14.0))
    true = 1 - (14.0 * power - 1.0) / 14.0
    assert rows[LEVEL, MCC, FORMULA].value == pytest.approx(true, abs=0.02)


@pytest.mark.parametrize("canal", [Canal(half_ap=8.0, half_width=9.0), Canal(dent=4.0)])
def test_the_area_of_the_canal_at_discs_and_bodies_is_that_of_its_cross_section(canal: Canal) -> None:
    spine = lumbar(upper="L4", canal=canal).moved(pose((12, 6, -5)))
    rows = {r.key: r for r in measure(voxelise(spine, THIN))}
    for level, place in (("L4-L5", "disc_level"), ("L5-S1", "disc_level"), ("L5", "mid_vertebral")):
        row = rows[level, "canal_area", place]
        assert row.value == pytest.approx(canal.area(), rel=0.02), level
        assert row.unit == "mm2" and row.flags == ()


def test_the_area_of_the_canal_counts_the_cord_within_it() -> None:
    spine = lumbar(upper="L4", canal=Canal(cord=(3.0, 5.0))).moved(pose((12, 6, -5)))
    rows = {r.key: r for r in measure(voxelise(spine, THIN))}
    assert rows["L4-L5", "canal_area", "disc_level"].value == pytest.approx(np.pi * 7 * 10, rel=0.02)
    assert rows["L4-L5", "cord_area", "disc_level"].value == pytest.approx(np.pi * 3 * 5, rel=0.05)
