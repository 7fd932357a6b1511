"""A dragged end snaps to the edge of the image beside it, and stays where it is if there is none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from scipy.special import ndtr

from SpineMeasureLib.export.columns import COLUMNS
from SpineMeasureLib.export.tables import table_rows
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.definitions import has_edges
from SpineMeasureLib.measure.placement import placement
from SpineMeasureLib.measure.snap import EdgeSnap, edge_snap
from SpineMeasureLib.measure.types import ENDS, End, Measurement, Plane, Point, measurement_from_dict
from SpineMeasureLib.phantom import Grid, lumbar, pose, voxelise
from SpineMeasureLib.phantom.signal import T1, T2, WATER, Scan, Signal, render
from SpineMeasureLib.phantom.true_values import edge_truth
from SpineMeasureLib.review.case.derived import Live, new_state
from SpineMeasureLib.review.case.drag import edit_of
from SpineMeasureLib.review.case.record import head_text, read_state, row_text
from SpineMeasureLib.review.case.state import Row, State
from SpineMeasureLib.volume import Volume

SPINE = lumbar(lower="S1", upper="L4").moved(pose((5.0, 5.0, 5.0), (0.2, 0.1, 0.3)))
MIDDLE = ("L4-L5", "disc_height_middle", "endplate50")
Ends = tuple[Point, Point]
Key = tuple[str, str, str]


@lru_cache
def case_of(signal: Signal, spacing: float) -> tuple[Volume, dict[Key, Measurement]]:
    """Return an image and its values by key."""
    masks = voxelise(SPINE, Grid((spacing, 0.5, 0.5)))
    image = render(SPINE, masks, signal, Scan(snr=20, seed=1))
    return image, {row.key: row for row in measure(masks, image)}


def edges_of(image: Volume, rows: dict[Key, Measurement]) -> EdgeSnap:
    """Return the image prepared for dragging."""
    edges = edge_snap(image, rows.values())
    assert edges is not None
    return edges


def along(ends: Ends) -> np.ndarray:
    """Return the unit vector from the inferior to the superior end."""
    way = np.subtract(*ends)
    return np.asarray(way / np.linalg.norm(way))


def shifted(ends: Ends, end: End, mm: float, aside: np.ndarray | float = 0.0) -> Ends:
    """Return a line with one end moved away from the other by some mm along the line."""
    moved = [np.array(place) for place in ends]
    moved[ENDS.index(end)] += mm * along(ends) * (1 if end == "p1" else -1) + aside
    return point(moved[0]), point(moved[1])


def point(place: np.ndarray) -> Point:
    """Return an array as a point."""
    r, a, s = (float(c) for c in place)
    return r, a, s


def line_of(row: Measurement) -> Ends:
    """Return the ends of a line."""
    assert row.p1 is not None and row.p2 is not None
    return row.p1, row.p2


@pytest.mark.parametrize(("signal", "spacing"), [(T2, 4.0), (T1, 0.9)])
def test_an_end_dropped_near_the_true_edge_comes_back_to_it(signal: Signal, spacing: float) -> None:
    image, rows = case_of(signal, spacing)
    edges, checked = edges_of(image, rows), 0
    for key, true in edge_truth(SPINE).items():
        row = rows.get(key)
        if row is None or row.value is None or row.p1 is None or not has_edges(row) or row.boundary == "outer_dura":
            continue
        missing = (true - row.value) / 2
        exact = shifted(shifted(line_of(row), "p1", missing), "p2", missing)
        for end, by in product(ENDS, (-1.0, -0.4, 0.6, 1.0)):
            dropped = shifted(exact, end, by)
            place = edges.snapped(row, dropped, end)
            assert place is not None, (key, end, by)
            found = (place, dropped[1]) if end == "p1" else (dropped[0], place)
            assert np.linalg.norm(np.subtract(*found)) == pytest.approx(true, abs=0.25 if key[2] == "wall" else 0.15)
            # Along the line from its other end: the direction of the line is the user's.
            np.testing.assert_allclose(along(found), along(dropped), atol=1e-9)
            checked += 1
    assert checked >= 8 * 9


@pytest.mark.parametrize("by", [-5.0, 2.5, 5.0])
def test_an_end_dropped_far_from_an_edge_stays(by: float) -> None:
    image, rows = case_of(T2, 4.0)
    edges = edges_of(image, rows)
    for key, end in product((MIDDLE, ("L5", "body_height_middle", "cortex")), ENDS):
        assert edges.snapped(rows[key], shifted(line_of(rows[key]), end, by), end) is None


def test_an_end_dragged_past_the_other_end_does_not_take_its_edge() -> None:
    image, rows = case_of(T2, 4.0)
    row = rows[MIDDLE]
    assert row.value is not None
    past = shifted(line_of(row), "p2", -row.value - 0.5)
    assert edges_of(image, rows).snapped(row, past, "p2") is None


def test_noise_hardly_ever_has_an_edge() -> None:
    image, rows = case_of(T2, 4.0)
    snapped = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(300.0, 15.0, image.array.shape)
        edges = edges_of(Volume(noise, image.affine), rows)
        for row in rows.values():
            if has_edges(row) and row.p1 is not None:
                snapped += [edges.snapped(row, line_of(row), end) is not None for end in ENDS]
    assert len(snapped) > 100 and np.mean(snapped) < 0.05


def test_dark_marrow_snaps_to_the_edges_of_the_disc() -> None:
    spine = lumbar(lower="S1", upper="L4")
    masks = voxelise(spine, Grid((0.9, 0.47, 0.47)))
    image = render(spine, masks, replace(WATER, plate_mm=0.5), Scan(snr=30, seed=1))
    rows = {row.key: row for row in measure(masks, image)}
    edges, row = edges_of(image, rows), rows[MIDDLE]
    assert row.boundary == "disc_surface" and not edges.bright_marrow
    for end in ENDS:
        place = edges.snapped(row, shifted(line_of(row), end, 1.0), end)
        assert place is not None and np.linalg.norm(np.subtract(place, getattr(row, end))) < 0.2
    body = rows["L5", "body_height_middle", "cortex"]
    assert edges.snapped(body, shifted(line_of(body), "p1", -0.7), "p1") is not None


def test_only_heights_between_edges_snap() -> None:
    image, rows = case_of(T2, 4.0)
    edges, row = edges_of(image, rows), rows[MIDDLE]
    for key in (("L4-L5", "disc_height_middle", "chord50"), ("L4-L5", "canal_ap", "disc_level")):
        assert edges.snapped(rows[key], line_of(row), "p1") is None
    assert edge_snap(image, [each for each in rows.values() if not has_edges(each)]) is None
    # A line across a body is not a height, and does not snap to the front wall.
    body = rows["L5", "body_height_middle", "cortex"]
    assert body.plane is not None
    ahead = 0.98 * np.array(body.plane.x_axis) + 0.2 * np.array(body.plane.y_axis)
    centre = np.mean(line_of(body), axis=0)
    for mm in np.arange(10.0, 25.0):
        assert edges.snapped(body, (point(centre + mm * ahead), point(centre - 10 * ahead)), "p1") is None


@pytest.mark.parametrize(("below", "snaps"), [(40.0, True), (93.0, False)])
def test_a_weak_edge_beside_a_strong_one_does_not_attract(below: float, snaps: bool) -> None:
    up = np.arange(80) * 0.5
    plane = below * ndtr((up - 17.0) / 0.4) + (140 - below) * ndtr((up - 20.0) / 0.4) + 0.1 * np.sin(3 * up)
    image = Volume(np.tile(plane, (2, 60, 1)), np.diag([4.0, 0.5, 0.5, 1.0]))
    sagittal = Plane((2.0, 15.0, 15.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    row = Measurement(*MIDDLE, 10.0, "mm", (2.0, 15.0, 20.7), (2.0, 15.0, 10.7), sagittal)
    place = edges_of(image, {row.key: row}).snapped(row, line_of(row), "p1")
    assert place == (pytest.approx((2.0, 15.0, 20.0), abs=0.7) if snaps else None)


def test_what_the_image_does_not_show_has_no_edge() -> None:
    image, rows = case_of(T2, 4.0)
    outside = shifted(line_of(rows[MIDDLE]), "p1", 0.0, np.array([0.0, 5.0, 200.0]))
    assert edges_of(image, rows).snapped(rows[MIDDLE], outside, "p1") is None


# -- provenance

AUTOMATIC = Measurement("L4-L5", *MIDDLE[1:], 8.0, "mm", (0.0, 0.0, 8.0), (0.0, 0.0, 0.0))
UP, DOWN = (0.0, 0.0, 9.0), (0.0, 0.0, -1.0)


def edited(*moves: tuple[Ends, tuple[End, ...]]) -> Row:
    """Return a row after moves of its line: its ends, and which of them snapped."""
    row = Row(AUTOMATIC)
    for ends, snapped in moves:
        row = replace(row, edit=edit_of(row, ends, snapped))
    return row


def state_of(row: Row) -> State:
    """Return a case of one row."""
    return State({0: row}, {}, True, "user", 1)


@pytest.mark.parametrize(
    ("row", "marks", "words"),
    [
        (Row(AUTOMATIC), (), ""),
        (edited(((UP, AUTOMATIC.p2), ("p1",))), ("p1",), "upper end snapped to an edge of the image"),
        (edited(((UP, AUTOMATIC.p2), ())), (), "upper end placed freely"),
        (edited(((UP, DOWN), ())), (), "upper end placed freely, lower end placed freely"),
        (edited(((UP, AUTOMATIC.p2), ("p1",)), ((UP, DOWN), ("p2",))), ENDS, "both ends snapped to edges of the image"),
        (
            edited(((UP, AUTOMATIC.p2), ("p1",)), ((UP, DOWN), ())), ("p1",),
            "upper end snapped to an edge of the image, lower end placed freely",
        ),
        (edited(((UP, AUTOMATIC.p2), ("p1",)), ((DOWN, AUTOMATIC.p2), ())), (), "upper end placed freely"),
    ],
)  # fmt: skip
def test_which_ends_snapped_is_kept_and_said(row: Row, marks: tuple[End, ...], words: str) -> None:
    shown = Live({0: row}).values[0]
    assert shown.snapped == marks and placement(shown) == words
    # Through JSON, the record of a scene, and a case made of edited values.
    assert measurement_from_dict(json.loads(json.dumps(asdict(shown)))) == shown
    assert read_state(head_text(state_of(row)), f"[{row_text(0, row)}]") == state_of(row)
    assert Live(new_state([shown], {}, True, "user").rows).values[0].snapped == marks
    names = [column.name for column in COLUMNS]
    assert table_rows([shown])[0][names.index("snapped")] == " ".join(marks)


def test_a_record_of_version_2_is_read_and_a_later_one_is_not() -> None:
    row = edited(((UP, AUTOMATIC.p2), ("p1",)))
    head, old = json.loads(head_text(state_of(row))), json.loads(row_text(0, row))
    del old["edit"]["snapped"]
    assert head["version"] == 3
    read = read_state(json.dumps({**head, "version": 2}), json.dumps([old])).rows[0]
    assert read.edit is not None and read.edit.snapped == () and replace(read.edit, snapped=("p1",)) == row.edit
    with pytest.raises(ValueError, match="later version"):
        read_state(json.dumps({**head, "version": 4}), json.dumps([old]))


def test_an_edited_line_does_not_say_that_its_end_stays_on_the_segmentation() -> None:
    row = Row(AUTOMATIC.flagged("edge_not_found"))
    row = replace(row, edit=edit_of(row, (UP, AUTOMATIC.p2), ("p1",)))
    assert Live({0: row}).values[0].flags == ("edited",)
