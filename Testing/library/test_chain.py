"""Discs that touch are parted; vertebrae missing together with a disc are counted."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, DISC_OFFSET, SACRUM_VALUE, Kind, Tissue, disc_name, vertebra_value
from SpineMeasureLib.errors import LevelNameError
from SpineMeasureLib.measure import measure
from SpineMeasureLib.phantom import Grid, lumbar, scaled, voxelise
from SpineMeasureLib.segment.naming.instances import name_structures
from SpineMeasureLib.segmentation import SpineSegmentation

L3, L4 = vertebra_value("L3"), vertebra_value("L4")
L2_L3, L3_L4, L4_L5 = (DISC_OFFSET + vertebra_value(name) for name in ("L2", "L3", "L4"))


def tissue_of(labels: np.ndarray) -> np.ndarray:
    """Tissues as the network draws them."""
    tissue = np.zeros_like(labels)
    tissue[(labels > 0) & (labels < SACRUM_VALUE)] = Tissue.BODY
    tissue[labels == SACRUM_VALUE] = Tissue.SACRUM
    tissue[(labels > DISC_OFFSET) & (labels < 200)] = Tissue.DISC
    tissue[labels == CANAL_VALUE] = Tissue.CANAL
    return tissue


def same_names(found: SpineSegmentation, true: np.ndarray) -> bool:
    """Whether every body and disc of `found` lies on the structure of that name."""
    return all(
        np.bincount(true[found.mask(s)]).argmax() == s.value
        for kind in (Kind.BODY, Kind.DISC)
        for s in found.of_kind(kind)
    )


def bridged(labels: np.ndarray, upper: int, lower: int, wide: int, slices: int = 1) -> np.ndarray:
    """Tissues with a bridge of disc, `wide` voxels, along the back of the body between two discs."""
    tissue, middle = tissue_of(labels), labels.shape[0] // 2
    heights = [int(np.argwhere(labels == value)[:, 2].mean()) for value in (lower, upper)]
    for k in range(heights[0], heights[1] + 1):
        column = (labels[middle, :, k] > 0) & (labels[middle, :, k] != CANAL_VALUE)
        if column.any():
            back = int(np.argmax(column))
            tissue[middle : middle + slices, back - wide : back, k] = Tissue.DISC
    return tissue


@pytest.mark.parametrize(("wide", "slices"), [(1, 1), (4, 1), (4, 3)])
def test_discs_that_touch_through_a_thin_bridge_stay_two(wide: int, slices: int) -> None:
    true = voxelise(lumbar(upper="L1"))
    found = name_structures(bridged(true.labels, L3_L4, L4_L5, wide, slices), true.affine)
    assert same_names(found, true.labels) and len(found.of_kind(Kind.DISC)) == len(true.of_kind(Kind.DISC))
    heights = {m.level: m.value for m in measure(found) if m.quantity == "disc_height_middle"}
    assert heights["L4-L5"] == pytest.approx(10, abs=0.5)


def test_three_discs_that_touch_stay_three() -> None:
    true = voxelise(lumbar(upper="L1"))
    tissue = bridged(true.labels, L2_L3, L3_L4, 2)
    tissue[bridged(true.labels, L3_L4, L4_L5, 2) == Tissue.DISC] = Tissue.DISC
    found = name_structures(tissue, true.affine)
    assert same_names(found, true.labels) and len(found.of_kind(Kind.DISC)) == len(true.of_kind(Kind.DISC))


def test_small_discs_that_touch_stay_two() -> None:
    true = voxelise(scaled(lumbar(upper="L1"), 0.5), Grid((3.0, 0.5, 0.5)))
    tissue = bridged(true.labels, L3_L4, L4_L5, 2)
    found = name_structures(tissue, true.affine, lowest_disc="L5-S1")
    assert same_names(found, true.labels) and len(found.of_kind(Kind.DISC)) == len(true.of_kind(Kind.DISC))


def test_a_herniation_that_migrated_behind_a_body_is_no_disc_of_its_own() -> None:
    true = voxelise(lumbar(upper="L1"))
    tissue = bridged(true.labels, L3_L4, L4_L5, 4)
    top = int(np.argwhere(true.labels == L3_L4)[:, 2].min())
    tissue[:, :, top - 8 : top][(true.labels == 0)[:, :, top - 8 : top]] = Tissue.BACKGROUND
    found = name_structures(tissue, true.affine)
    assert same_names(found, true.labels)
    assert [s.level for s in found.of_kind(Kind.DISC)] == [s.level for s in true.of_kind(Kind.DISC)]


@pytest.mark.parametrize(
    "gone",
    [(L3, L3_L4), (L3, L2_L3), (L3, L2_L3, L3_L4), (L3_L4, L4, L4_L5), (L3 - 1, L3, L3_L4)],
    ids=["disc below", "disc above", "both discs", "lower vertebra", "two vertebrae"],
)
def test_a_vertebra_missing_with_a_disc_shifts_no_name_and_is_told(gone: tuple[int, ...]) -> None:
    true = voxelise(lumbar(upper="T12"))
    found = name_structures(tissue_of(np.where(np.isin(true.labels, gone), 0, true.labels)), true.affine)
    assert same_names(found, true.labels) and found.level_verified
    (told,) = found.warnings
    assert ("L4" if L4 in gone else "L3") in told and "counted" in told


def uneven(heights: list[int], gaps: list[int]) -> np.ndarray:
    """Column on a sacrum: bodies of these heights (mm) from below, a disc of each of these under them."""
    tissue = np.zeros((11, 110, 30 + sum(heights) + sum(gaps)), np.uint8)
    tissue[2:9, 60:94, 2:24] = Tissue.SACRUM
    low = 25
    for height, gap in zip(heights, gaps, strict=True):
        tissue[1:10, 60:94, low : low + gap - 1] = Tissue.DISC
        tissue[1:10, 60:94, low + gap : low + gap + height - 1] = Tissue.BODY
        low += height + gap
    return tissue


@pytest.mark.parametrize(
    ("heights", "gaps"),
    [
        ([29, 29, 29, 29, 20, 19, 18, 17], [12, 12, 12, 10, 5, 4, 4, 4]),
        ([27, 27, 12, 27, 27, 26], [10, 10, 10, 10, 10, 9]),
        ([27, 27, 27, 27, 27, 26], [10, 3, 3, 12, 3, 10]),
    ],
    ids=["tall below short", "crushed", "worn"],
)
def test_uneven_steps_leave_room_for_no_other_vertebra(heights: list[int], gaps: list[int]) -> None:
    found = name_structures(uneven(heights, gaps), np.diag([4.0, 1, 1, 1]))
    assert len(found.of_kind(Kind.BODY)) == len(heights)
    levels = [s.level for s in found.structures if s.kind is Kind.BODY]
    assert [disc_name(*pair) for pair in zip(levels, [*levels[1:], "S1"], strict=True)] == [
        s.level for s in found.of_kind(Kind.DISC)
    ]
    assert not any("counted" in warning for warning in found.warnings)


def test_more_vertebrae_than_a_spine_has_end_in_one_sentence() -> None:
    tissue = uneven([14] * 27, [5] * 27)
    with pytest.raises(LevelNameError, match="more than any spine has"):
        name_structures(tissue, np.diag([4.0, 1, 1, 1]))
