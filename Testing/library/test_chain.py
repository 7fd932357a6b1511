"""Discs that touch are parted."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, DISC_OFFSET, SACRUM_VALUE, Kind, Tissue, vertebra_value
from SpineMeasureLib.measure import measure
from SpineMeasureLib.segment.instances import name_structures
from SpineMeasureLib.segmentation import SpineSegmentation
from Testing.library.phantoms import Grid, lumbar, scaled, voxelise

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
