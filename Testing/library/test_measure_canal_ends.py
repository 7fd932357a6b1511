"""An end of the canal's label at a border or at the edge of the slab is not a narrowing of the canal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import SPACE, Canal, Grid, lumbar, pose, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation

DOUBT = {"low_confidence", "cut_by_field_of_view"}
#: What every row of the unnarrowed phantom canal must say.
TRUE = {"canal_ap": 14.0, "canal_ap_minimum": 14.0, "canal_compression": 0.0}


def by_key(rows: list[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    return {r.key: r for r in rows}


def wrong(rows: list[Measurement]) -> list[Measurement]:
    """Canal rows with a value that is not the canal's."""
    return [
        r
        for r in rows
        if r.quantity in TRUE
        and r.value is not None
        and abs(r.value - TRUE[r.quantity]) > (0.08 if r.unit == "ratio" else 0.6)
    ]


@pytest.fixture(scope="module", params=[(0, 0, 0), (-25, 5, 5)])
def whole(request: pytest.FixtureRequest) -> SpineSegmentation:
    return voxelise(lumbar(upper="L1").moved(pose(request.param)))


def value_of(case: SpineSegmentation, level: str) -> int:
    return next(s.value for s in case.structures if s.level == level)


def test_a_border_of_the_image_is_no_stenosis(whole: SpineSegmentation) -> None:
    place = int(np.argwhere(whole.labels == value_of(whole, "L2-L3"))[:, 2].mean())
    for above in range(-10, 31, 8):
        rows = measure(replace(whole, labels=whole.labels[:, :, : place + above]))
        for row in wrong(rows):
            assert "cut_by_field_of_view" in row.flags, (above, row.key, row.value)
            assert row.quantity in ("canal_ap", "canal_ap_minimum"), (above, row.key, row.value)


def test_canal_behind_a_body_cut_by_the_border_is_flagged(whole: SpineSegmentation) -> None:
    """The middle of what is seen of the body is not its middle."""
    place = int(np.argwhere(whole.labels == value_of(whole, "L2"))[:, 2].mean())
    rows = by_key(measure(replace(whole, labels=whole.labels[:, :, :place])))
    assert "cut_by_field_of_view" in rows["L2", "canal_ap", "mid_vertebral"].flags
    assert "cut_by_field_of_view" not in rows["L3", "canal_ap", "mid_vertebral"].flags


def test_a_canal_that_goes_on_is_not_doubted(whole: SpineSegmentation) -> None:
    for row in measure(whole):
        if row.quantity in TRUE or row.quantity == "torg_pavlov_ratio":
            assert not set(row.flags) & DOUBT, row.key


def test_a_true_narrowing_is_measured_without_doubt() -> None:
    wide, narrow = (voxelise(lumbar(upper="L1", canal=canal)) for canal in (Canal(), Canal(dent=7.0)))
    index = np.moveaxis(np.indices(wide.labels.shape), 0, -1)
    _, frame = lumbar(upper="L1").named("L3-L4")
    height = (index @ wide.affine[:3, :3].T + wide.affine[:3, 3] - frame[:3, 3]) @ frame[:3, 2]
    rows = by_key(measure(replace(wide, labels=np.where(np.abs(height) <= 5.0, narrow.labels, wide.labels))))
    for quantity, method, true, limit in (
        ("canal_ap", "disc_level", 7.0, 0.4),
        ("canal_ap_minimum", "within_5mm", 7.0, 0.4),
        ("canal_compression", "1-mi/mean(ma,mb)", 0.5, 0.04),
    ):
        row = rows["L3-L4", quantity, method]
        assert row.value == pytest.approx(true, abs=limit)
        assert not set(row.flags) & DOUBT, quantity


def test_a_canal_whose_middle_lies_beyond_the_slab_is_flagged(whole: SpineSegmentation) -> None:
    """Of the lumen's 20 mm the slab shows less than 8 on one side: diameters there are 11.5 mm."""
    middle = whole.labels.shape[0] // 2
    rows = by_key(measure(replace(whole, labels=whole.labels[middle + 1 :])))
    checked = [r for r in wrong(list(rows.values())) if r.quantity != "canal_compression"]
    assert len(checked) > 5
    assert all("cut_by_field_of_view" in r.flags for r in checked)
    for level in ("L2", "L3", "L4"):
        flags = rows[level, "canal_ap", "mid_vertebral"].flags
        assert set(flags) <= set(rows[level, "torg_pavlov_ratio", "canal_body"].flags)


def test_a_slab_that_cuts_both_sides_of_the_canal_off_leaves_its_diameter_undoubted() -> None:
    rows = by_key(measure(voxelise(lumbar(upper="L4"), Grid(SPACE.spacing, half_extent=(6.0, None, None)))))
    row = rows["L4-L5", "canal_ap", "disc_level"]
    assert row.value == pytest.approx(14.0, abs=0.25)
    assert not set(row.flags) & DOUBT
    assert "cut_by_field_of_view" in rows["L4-L5", "canal_area", "disc_level"].flags


def test_widths_across_thick_slices_are_doubtful_and_across_thin_ones_are_not() -> None:
    spine = lumbar(upper="L4", canal=Canal(cord=(3.5, 6.0)))
    for grid, doubtful in ((Grid(), True), (SPACE, False)):
        rows = by_key(measure(voxelise(spine, grid)))
        for quantity, method in (("disc_width", "width50"), ("cord_transverse", "disc_level")):
            assert ("low_confidence" in rows["L4-L5", quantity, method].flags) is doubtful, (quantity, doubtful)
        assert "low_confidence" not in rows["L4-L5", "cord_ap", "disc_level"].flags


def test_a_cord_in_few_slices_says_so_though_the_disc_is_in_many() -> None:
    spine = lumbar(upper="L4", canal=Canal(cord=(3.5, 6.0)))
    for spacing, few in ((6.6, True), (0.9, False)):
        rows = by_key(measure(voxelise(spine, Grid((spacing, 0.5, 0.5)))))
        for quantity in ("cord_ap", "cord_transverse", "cord_area"):
            assert ("few_slices" in rows["L4-L5", quantity, "disc_level"].flags) is few, quantity
        assert "few_slices" not in rows["L4-L5", "disc_height_middle", "chord50"].flags
        assert "few_slices" not in rows["L4-L5", "canal_ap", "disc_level"].flags
