"""Masks as continuous fields: boundaries, stretches along lines and what a field says of its mask, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.measure.fields import Field, _curved, first_entry, intervals, make_field


def boxes(*rows: tuple[int, int], shape: tuple[int, int, int] = (40, 40, 80), spacing: float = 0.5) -> Field:
    """Boxes of 10 x 10 mm in the middle of the grid, each between two rows of voxels."""
    mask = np.zeros(shape, bool)
    for low, high in rows:
        mask[10:30, 10:30, low:high] = True
    field = make_field(mask, np.diag([spacing, spacing, spacing, 1.0]))
    assert field is not None
    return field


UP = np.array([0.0, 0.0, 1.0])
MIDDLE = np.array([[9.75, 9.75, 19.75]])


def test_the_boundary_of_a_box_is_half_way_between_voxel_centres() -> None:
    """Rows 20 to 59 of half a millimetre: 20 mm from 9.75 to 29.75, and as much positive within as negative without."""
    field = boxes((20, 60))
    assert intervals(field, MIDDLE, UP, 30.0)[0] == pytest.approx([-10.0, 10.0], abs=0.02)
    assert field.at(MIDDLE)[0] == pytest.approx(4.6, abs=0.1)  # smoothed where four walls are as near
    for along in (10.75, 28.75):
        assert field.at(np.array([[9.75, 9.75, along]]))[0] == pytest.approx(1.0, abs=0.1)
    for along in (8.75, 30.75):
        assert field.at(np.array([[9.75, 9.75, along]]))[0] == pytest.approx(-1.0, abs=0.1)
    assert field.at(np.array([[[9.75, 9.75, 0.0], [9.75, 9.75, 90.0]]])).shape == (1, 2)


def test_of_several_stretches_the_longest_counts_or_all_from_first_to_last() -> None:
    field = boxes((10, 18), (26, 50), (56, 64))
    assert intervals(field, MIDDLE, UP, 30.0)[0] == pytest.approx([12.75 - 19.75, 24.75 - 19.75], abs=0.05)
    whole = intervals(field, MIDDLE, UP, 30.0, outermost=True)[0]
    assert whole == pytest.approx([4.75 - 19.75, 31.75 - 19.75], abs=0.05)
    # What the reach cuts off ends there.
    assert intervals(field, MIDDLE, UP, 10.0, outermost=True)[0] == pytest.approx([-7.0, 9.5], abs=0.5)


def test_lines_that_miss_have_no_stretch_and_the_others_keep_theirs() -> None:
    field = boxes((20, 60))
    origins = MIDDLE + np.array([[0, 0, 0], [20, 0, 0], [2, 0, 4], [0, 0, 45]])
    found = intervals(field, origins, UP, 20.0)
    assert np.isnan(found[[1, 3]]).all()
    assert found[[0, 2]] == pytest.approx(np.array([[-10.0, 10.0], [-14.0, 6.0]]), abs=0.05)


def test_a_field_is_entered_where_its_boundary_is_crossed_from_outside() -> None:
    """Also just behind the origin, up to 2 mm; not from within, and not beyond the reach."""
    field = boxes((20, 60))
    below = MIDDLE - [0, 0, 16]
    assert first_entry(field, below, UP, 28.0)[0] == pytest.approx(6.0, abs=0.05)
    assert first_entry(field, below + [0, 0, 7.5], UP, 28.0)[0] == pytest.approx(-1.5, abs=0.05)
    assert np.isnan(first_entry(field, below + [0, 0, 9], UP, 28.0)[0])
    assert np.isnan(first_entry(field, below, UP, 5.0)[0])
    assert first_entry(field, MIDDLE + [0, 0, 16], -UP, 28.0)[0] == pytest.approx(6.0, abs=0.05)


def test_between_slices_a_parabola_is_exact_and_a_bend_that_changes_sign_is_left_out() -> None:
    t = np.linspace(0, 1, 5)
    parabola = [np.full(5, 3.0 * x**2 - x + 2) for x in (-1, 0, 1, 2)]
    assert _curved(parabola, t) == pytest.approx(3 * t**2 - t + 2)
    weaker = [np.full(5, y) for y in (0.0, 0.0, 1.0, 8.0)]  # bends by 1, then by 6: the lesser counts
    assert _curved(weaker, t) == pytest.approx(t - t * (1 - t) / 2)
    assert _curved(weaker[::-1], 1 - t) == pytest.approx(_curved(weaker, t))
    zigzag = [np.full(5, y) for y in (0.0, 1.0, 0.0, 1.0)]
    assert _curved(zigzag, t) == pytest.approx(1 - t)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_round_body_in_thick_slices_is_as_long_as_it_is(axis: int) -> None:
    """A ball of 24 mm in slices of 3 mm, measured across and along the slices through its middle."""
    spacing = np.full(3, 0.6)
    spacing[axis] = 3.0
    shape = np.ceil(40 / spacing).astype(int)
    centre = (shape // 2) * spacing
    places = np.moveaxis(np.indices(shape), 0, -1) * spacing - centre
    field = make_field(np.linalg.norm(places, axis=-1) <= 12.0, np.diag([*spacing, 1.0]))
    assert field is not None and field.slice_axis == axis
    assert field.centroid == pytest.approx(centre, abs=0.05)
    assert field.volume == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.02)
    assert field.slices == 9 and not field.cut_across and not field.cut_in_slice
    for other in range(3):
        direction = np.eye(3)[other]
        start, end = intervals(field, centre[None], direction, 20.0)[0]
        assert end - start == pytest.approx(24.0, abs=1.6 if other == axis else 0.3)
    # 5 mm off the middle, between two slices: a chord of the ball.
    off = centre + 4.5 * np.eye(3)[axis]
    start, end = intervals(field, off[None], np.eye(3)[(axis + 1) % 3], 20.0)[0]
    assert end - start == pytest.approx(2 * np.sqrt(12**2 - 4.5**2), abs=0.35)


@pytest.mark.parametrize(
    ("spacing", "slice_axis"),
    [
        ((4.0, 0.5, 0.5), 0),
        ((0.5, 4.0, 0.5), 1),
        ((0.9, 0.5, 0.5), 0),
        ((0.7, 0.5, 0.5), None),
        ((1.0, 1.0, 1.0), None),
    ],
)
def test_slices_are_taken_one_by_one_if_they_are_half_as_thick_again_as_pixels(
    spacing: tuple[float, float, float], slice_axis: int | None
) -> None:
    mask = np.zeros((12, 12, 12), bool)
    mask[4:8, 4:8, 4:8] = True
    field = make_field(mask, np.diag([*spacing, 1.0]))
    assert field is not None and field.slice_axis == slice_axis


CUT = [
    ((0, 8, 4, 8, 4, 8), False, True), ((4, 12, 4, 8, 4, 8), False, True), ((4, 8, 0, 8, 4, 8), True, False),
    ((4, 8, 4, 12, 4, 8), True, False), ((4, 8, 4, 8, 0, 8), True, False), ((4, 8, 4, 8, 4, 12), True, False),
    ((1, 11, 1, 11, 1, 11), False, False), ((0, 12, 0, 12, 4, 8), True, True),
]  # fmt: skip


@pytest.mark.parametrize(("box", "in_slice", "across"), CUT)
@pytest.mark.parametrize("thick", [3.0, 1.0])
def test_a_mask_at_the_border_of_the_image_is_cut_there(
    box: tuple[int, ...], in_slice: bool, across: bool, thick: float
) -> None:
    """Across the slices, which run from right to left where voxels are cubes."""
    mask = np.zeros((12, 12, 12), bool)
    mask[tuple(slice(a, b) for a, b in zip(box[::2], box[1::2], strict=True))] = True
    field = make_field(mask, np.diag([thick, 1.0, 1.0, 1.0]))
    assert field is not None
    assert (field.cut_in_slice, field.cut_across) == (in_slice, across)
    assert field.slices == box[1] - box[0]
    assert field.volume == pytest.approx(mask.sum() * thick)


def test_an_empty_mask_has_no_field() -> None:
    assert make_field(np.zeros((4, 4, 4), bool), np.eye(4)) is None


def test_a_leaning_column_is_followed_between_thick_slices() -> None:
    """Squares of 8 mm, 3 mm farther forward in each slice of 4 mm: joined along the lean they are a straight bar."""
    mask = np.zeros((9, 60, 30), bool)
    for n in range(9):
        mask[n, 4 + 3 * n : 12 + 3 * n, 11:19] = True
    field = make_field(mask, np.diag([4.0, 1.0, 1.0, 1.0]))
    assert field is not None and field.lean == pytest.approx([1.0, 0.0, 0.0])
    axis = np.array([4.0, 3.0, 0.0]) / 5
    along = field.along(np.stack([axis, np.cross(UP, axis), UP]))
    assert along.lean == pytest.approx([1.0, 3.0, 0.0])
    for part in (0.25, 0.5, 0.75):
        origin = np.array([[4 * (4 + part), 19.5 + 3 * part, 14.5]])
        assert intervals(along, origin, np.eye(3)[1], 20.0)[0] == pytest.approx([-4.0, 4.0], abs=0.1)
    cubes = make_field(mask, np.eye(4))
    assert cubes is not None and cubes.along(np.eye(3)) is cubes
