"""Pieces of posterior elements belong to the vertebra that they hang from, which is above their own height."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import POSTERIOR_OFFSET, Kind, Tissue, vertebra_value
from SpineMeasureLib.segment.naming.instances import name_structures

AFFINE = np.diag([4.0, 1.0, 1.0, 1.0])
BODY, DISC = 24, 8
STEP = BODY + DISC
NAMES = ("L1", "L2", "L3", "L4", "L5")


def column() -> tuple[np.ndarray, dict[str, int]]:
    """Five bodies on a sacrum with a canal behind them, and the row of the middle of each body."""
    tissue = np.zeros((9, 110, 30 + 6 * STEP), np.uint8)  # i right, j forward, k up
    tissue[3:6, 40:54, 6:-4] = Tissue.CANAL
    tissue[1:8, 60:92, 6:24] = Tissue.SACRUM
    middles, row = {}, 24
    for name in reversed(NAMES):
        tissue[1:8, 60:92, row : row + DISC] = Tissue.DISC
        tissue[1:8, 60:92, row + DISC : row + STEP] = Tissue.BODY
        middles[name] = row + DISC + BODY // 2
        row += STEP
    return tissue, middles


@pytest.mark.parametrize("drop", [0.05, 0.35, 0.7])
def test_a_process_belongs_to_the_body_that_it_hangs_below(drop: float) -> None:
    """In parts of a level; at 0.7 it is nearer to the next body, as spinous processes of the thoracic spine are."""
    tissue, middles = column()
    for middle in middles.values():
        at = middle - round(drop * STEP)
        tissue[4:5, 10:36, at - 5 : at + 5] = Tissue.POSTERIOR
    found = name_structures(tissue, AFFINE, lowest_disc="L5-S1")
    assert [s.level for s in found.of_kind(Kind.POSTERIOR)] == list(NAMES)
    for name, middle in middles.items():
        at = middle - round(drop * STEP)
        assert (found.labels[4, 10:36, at - 5 : at + 5] == vertebra_value(name) + POSTERIOR_OFFSET).all(), name


def test_arches_that_were_joined_are_divided_below_the_bodies_middles() -> None:
    """Half-way between the places from which two neighbours hang, 0.35 of a level below their middles."""
    tissue, middles = column()
    tissue[4:5, 20:36, middles["L5"] - 20 : middles["L2"] + 5] = Tissue.POSTERIOR
    found = name_structures(tissue, AFFINE, lowest_disc="L5-S1")
    for upper, lower in (("L2", "L3"), ("L3", "L4"), ("L4", "L5")):
        border = (middles[upper] + middles[lower]) / 2 - 0.35 * STEP
        column_of = found.labels[4, 28]
        of_upper, of_lower = (np.flatnonzero(column_of == vertebra_value(n) + POSTERIOR_OFFSET) for n in (upper, lower))
        assert of_upper.min() == of_lower.max() + 1
        assert of_upper.min() == pytest.approx(border, abs=2.0)
