"""Masks of closed-form spines drawn by other habits, and the values that do not depend on them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, DISC_OFFSET, vertebra_value
from SpineMeasureLib.measure import measure
from SpineMeasureLib.orientation import apply_affine, apply_inverse
from SpineMeasureLib.phantom import SPACE, Canal, Habit, edge_truth, lumbar, pose, truth, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation

SPINE = lumbar("L5", "L4", canal=Canal(cord=(3.0, 5.0))).moved(pose((9, 4, 6), (0.2, 0.1, 0.3)))
HEIGHT, DEPTH = ("L4-L5", "disc_height_middle", "chord50"), ("L4-L5", "disc_depth", "depth50")
CANAL, CORD = ("L4-L5", "canal_ap", "disc_level"), ("L4-L5", "cord_ap", "disc_level")


@cache
def drawn(habit: Habit) -> SpineSegmentation:
    """The spine's masks by a habit."""
    return voxelise(SPINE, SPACE, habit=habit)


def label(habit: Habit, name: str, local: tuple[float, float, float]) -> int:
    """The label at a place of an element, (right, anterior, superior) mm."""
    _, frame = SPINE.named(name)
    masks = drawn(habit)
    index = np.rint(apply_inverse(masks.affine, apply_affine(frame, np.array(local)))).astype(int)
    return int(masks.labels[tuple(index)])


@pytest.mark.parametrize(
    ("habit", "changes"),
    [
        (Habit(), (0.0, 0.0, 0.0, 0.0)),
        (Habit(disc=-1.0), (-2.0, 0.0, 0.0, 0.0)),
        (Habit(disc=0.7), (1.4, 0.0, 0.0, 0.0)),
        (Habit(everything=-0.5), (-1.0, -1.0, -1.0, -1.0)),
        (Habit(everything=0.5), (1.0, 1.0, 1.0, 1.0)),
    ],
    ids=["exact", "thinner discs", "thicker discs", "eroded", "dilated"],
)
def test_a_habit_moves_boundaries_by_its_millimetres(habit: Habit, changes: tuple[float, ...]) -> None:
    rows = {row.key: row.value for row in measure(drawn(habit))}
    true = truth(SPINE) | {CORD: 2 * SPINE.canal.cord[0]}
    for key, change in zip((HEIGHT, DEPTH, CANAL, CORD), changes, strict=True):
        assert rows[key] == pytest.approx(true[key] + change, abs=0.2), key


def test_bodies_become_taller_or_shorter_by_the_habit() -> None:
    spine = lumbar("S1", "L4").moved(pose((9, 4, 6)))
    key = ("L5", "body_height_middle", "chord50")
    for habit, change in ((Habit(body=-1.0), -2.0), (Habit(disc=-1.0, body=1.0), 2.0)):
        rows = {row.key: row.value for row in measure(voxelise(spine, SPACE, habit=habit))}
        assert rows[key] == pytest.approx(truth(spine)[key] + change, abs=0.2)


def test_the_endplate_belongs_to_disc_body_or_nobody() -> None:
    disc, _ = SPINE.named("L4-L5")
    endplate = (0.0, 0.0, disc.height / 2 - 0.6)
    assert label(Habit(), "L4-L5", endplate) == DISC_OFFSET + vertebra_value("L4")
    assert label(Habit(disc=-1.2), "L4-L5", endplate) == 0
    assert label(Habit(disc=-1.2, body=1.2), "L4-L5", endplate) == vertebra_value("L4")


def test_dilated_discs_cover_bodies_and_leave_the_canal() -> None:
    disc, _ = SPINE.named("L4-L5")
    wide = Habit(everything=1.2)
    assert label(wide, "L4-L5", (0.0, 0.0, disc.height / 2 + 0.6)) == DISC_OFFSET + vertebra_value("L4")
    canal = SPINE.canal
    assert label(wide, "L4-L5", (0.0, canal.half_ap + 0.6 - canal.behind, 0.0)) == CANAL_VALUE


def test_true_values_between_edges_are_those_of_masks_that_include_the_endplates() -> None:
    spine = lumbar("S1", "L3", canal=Canal(dent=4.0, cord=(2.0, 5.0))).moved(pose((9, 4, 6)))
    edges, masks = edge_truth(spine), truth(spine)
    same = {"endplate10": "chord10", "endplate50": "chord50", "endplate90": "chord90"}
    same |= {"endplate_area_depth": "area_depth"}
    for (level, quantity, method), value in edges.items():
        if method == "cortex":
            key = (level, quantity, "chord50" if quantity == "body_height_middle" else "corner")
        elif method == "wall":
            key = (level, quantity, "disc_level" if "-" in level else "mid_vertebral")
        else:
            key = (level, quantity, same[method])
        assert value == pytest.approx(4.0 if quantity == "cord_ap" else masks[key]), key
    assert len(edges) == 3 * 6 + 3 * 5


def test_a_height_between_edges_has_no_true_value_where_slip_takes_a_body_away() -> None:
    edges = edge_truth(lumbar("L5", "L4", slip=5.0))
    assert ("L4-L5", "disc_height_anterior", "endplate10") in edges
    assert ("L4-L5", "disc_height_posterior", "endplate90") not in edges
    assert ("L4-L5", "disc_height_mean", "endplate_area_depth") not in edges
