"""Lines through single discs and bodies of simple shape, in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure.chords import chord, depth_line
from SpineMeasureLib.measure.disc import section_area
from SpineMeasureLib.measure.fields import Field, make_field
from SpineMeasureLib.measure.frames import Endplate, Frame, make_frame
from SpineMeasureLib.measure.spine import Piece
from SpineMeasureLib.measure.types import Measurement
from SpineMeasureLib.measure.vertebra import measure_body, measure_slip
from SpineMeasureLib.segmentation import Structure

R, A, S = np.eye(3)
GRID = (40, 100, 100)
SPACING = np.array([1.0, 0.5, 0.5])
AFFINE = np.diag([*SPACING, 1.0])
CENTRE = np.array([20.1, 25.13, 25.17])  # not at a voxel
#: Of every voxel, mm to the right, forward and up from the centre.
V, U, H = (np.indices(GRID).T * SPACING - CENTRE).T
FRAME = make_frame(CENTRE, S, A)


def field_of(mask: np.ndarray) -> Field:
    field = make_field(mask & (np.abs(V) < 15), AFFINE)
    assert field is not None
    return field


def span(ends: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    assert ends is not None
    return np.array([ends[0] - CENTRE, ends[1] - CENTRE])


#: A disc 30 mm deep, 8 mm high in the middle and 0.2 mm higher for each mm forward.
WEDGE = (np.abs(U) < 15) & (np.abs(H) < (8 + 0.2 * U) / 2)


def test_the_depth_of_a_wedge_is_from_its_front_to_its_back() -> None:
    assert span(depth_line(field_of(WEDGE), FRAME)) == pytest.approx(np.array([15 * A, -15 * A]), abs=0.25)


@pytest.mark.parametrize(("place", "at"), [(0.1, 12.0), (0.5, 0.0), (0.9, -12.0)])
def test_heights_of_a_wedge_are_those_at_their_part_of_the_depth_from_the_front(place: float, at: float) -> None:
    ends = chord(field_of(WEDGE), FRAME, (CENTRE + 15 * A, CENTRE - 15 * A), place)
    half = (8 + 0.2 * at) / 2 * S
    assert span(ends) == pytest.approx(np.array([at * A + half, at * A - half]), abs=0.2)


def test_the_sagittal_area_of_a_wedge_is_its_mean_height_times_its_depth() -> None:
    depth = (CENTRE + 15 * A, CENTRE - 15 * A)
    assert section_area(field_of(WEDGE), FRAME, depth) == pytest.approx(8.0 * 30.0, rel=0.02)
    # What bulges past the ends of the line at mid-height counts too.
    assert section_area(field_of(WEDGE), FRAME, (CENTRE + 10 * A, CENTRE - 10 * A)) == pytest.approx(240.0, rel=0.02)


def test_a_height_of_which_half_the_band_is_missing_is_none() -> None:
    field = field_of(WEDGE & (U < 11.0))
    depth = (CENTRE + 15 * A, CENTRE - 15 * A)  # the band at 10 % is from 10.5 to 13.5
    assert chord(field, FRAME, depth, 0.1) is None
    assert chord(field_of(WEDGE & (U < 12.7)), FRAME, depth, 0.1) is not None


def test_a_line_at_mid_height_that_leaves_a_bent_disc_follows_it_instead() -> None:
    """An arch of 6 mm and 2 mm thick over 34 mm: its ends are on the arch, in front and behind."""
    arch = 6.0 * (1 - (U / 17.0) ** 2) - 4.0
    found = span(depth_line(field_of((np.abs(U) < 17) & (np.abs(H - arch) < 1.0)), FRAME))
    assert found[0] == pytest.approx([0.0, 17.0, -4.0], abs=0.6)
    assert found[1] == pytest.approx([0.0, -17.0, -4.0], abs=0.6)


def test_the_depth_is_taken_in_a_band_of_3_mm_at_most() -> None:
    """A block of 24 mm with a ridge of 4 mm all around its middle."""
    block = (np.abs(U) < np.where(np.abs(H) < 2.0, 15.0, 11.0)) & (np.abs(H) < 12)
    assert span(depth_line(field_of(block), FRAME)) == pytest.approx(np.array([15 * A, -15 * A]), abs=0.5)


@pytest.mark.parametrize("above", [20.0, 60.0])
def test_a_line_that_misses_a_structure_has_no_depth(above: float) -> None:
    assert depth_line(field_of(WEDGE), make_frame(CENTRE + above * S, S, A)) is None


def piece(
    level: str, upper: Endplate | None, lower: Endplate | None, mask: np.ndarray = WEDGE, frame: Frame = FRAME
) -> Piece:
    kind = Kind.DISC if "-" in level else Kind.BODY
    return Piece(Structure(1, level, kind, level), field_of(mask), frame, upper, lower)


def plate(front: float, back: float, height: float, rise: float = 0.0, own: bool = True) -> Endplate:
    """An endplate from `front` to `back` mm before the middle, `height` mm above it, rising forward."""
    normal = np.array([0.0, -rise, 1.0]) / np.hypot(1.0, rise)
    return Endplate(
        normal, CENTRE + front * A + (height + rise * front) * S, CENTRE + back * A + (height + rise * back) * S, own
    )


def by_method(rows: list[Measurement]) -> dict[str, Measurement]:
    return {r.method: r for r in rows}


@pytest.mark.parametrize("forward", [4.0, -3.0])
def test_slip_is_along_the_lower_endplate_and_in_percent_of_it(forward: float) -> None:
    upper, lower = plate(15 + forward, -15 + forward, 4.0), plate(15, -17, -4.0, 0.0)
    rows = by_method(measure_slip("L4-L5", piece("L4-L5", upper, lower)))
    slip = rows["posterior_corners"]
    assert slip.value == pytest.approx(2.0 + forward)
    assert rows["posterior_corners_percent"].value == pytest.approx(100 * (2.0 + forward) / 32.0)
    assert np.array(slip.p2) == pytest.approx(lower.posterior)
    assert np.array(slip.p1) == pytest.approx(lower.posterior + (2.0 + forward) * A)
    assert slip.flags == () and slip.note == ""


def test_slip_on_a_sloping_endplate_is_measured_along_it() -> None:
    """The lower endplate rises by 3 in 4; the upper corner is 5 mm along it and 7 mm off it."""
    along, off = np.array([0.0, 0.8, 0.6]), np.array([0.0, -0.6, 0.8])
    lower = Endplate(off, CENTRE + 15 * along, CENTRE - 15 * along)
    upper = Endplate(off, CENTRE + 20 * along + 7 * off, CENTRE - 10 * along + 7 * off)
    rows = by_method(measure_slip("L4-L5", piece("L4-L5", upper, lower)))
    assert rows["posterior_corners"].value == pytest.approx(5.0)
    assert np.array(rows["posterior_corners"].p1) == pytest.approx(CENTRE - 10 * along)


def test_slip_is_doubtful_if_endplates_differ_and_missing_if_one_is_not_a_body_s_own() -> None:
    short = piece("L4-L5", plate(15, -15, 4.0), plate(5, -5, -4.0))
    assert all("low_confidence" in r.flags for r in measure_slip("L4-L5", short))
    for upper, lower in (
        (None, plate(15, -15, -4.0)),
        (plate(15, -15, 4.0), None),
        (plate(15, -15, 4.0, own=False), plate(15, -15, -4.0)),
        (plate(15, -15, 4.0), plate(15, -15, -4.0, own=False)),
    ):
        rows = by_method(measure_slip("L4-L5", piece("L4-L5", upper, lower)))
        assert rows.keys() == {"posterior_corners", "posterior_corners_percent"}
        assert all(r.value is None and "not segmented" in r.note for r in rows.values())


#: A body 30 mm deep, 24 mm high in front, 20 behind, waisted to 18 mm in the middle.
BODY = (np.abs(U) < 15) & (np.abs(H) < 9 + 3 * np.abs(U) / 15 * np.where(U > 0, 1.0, 1 / 3))


def test_heights_and_shape_of_a_body_are_those_of_its_corners_and_its_waist() -> None:
    upper, lower = plate(15, -15, 11.0, 1 / 15), plate(15, -15, -11.0, -1 / 15)
    body = piece("L4", upper, lower, BODY)
    rows = {r.quantity: r for r in measure_body("L4", body)}
    assert rows["body_height_anterior"].value == pytest.approx(24.0)
    assert rows["body_height_posterior"].value == pytest.approx(20.0)
    assert rows["body_height_middle"].value == pytest.approx(18.2, abs=0.4)
    assert rows["body_depth"].value == pytest.approx(30.0, abs=0.4)
    assert rows["body_wedge_ratio"].value == pytest.approx(24 / 20)
    assert rows["body_biconcavity_ratio"].value == pytest.approx(rows["body_height_middle"].value / 20)
    assert np.array(rows["body_height_anterior"].p1) == pytest.approx(upper.anterior)
    assert np.array(rows["body_height_anterior"].p2) == pytest.approx(lower.anterior)
    assert np.array(rows["body_height_posterior"].p1) == pytest.approx(upper.posterior)
    assert all((r.flags, r.note, r.plane) == ((), "", FRAME.plane) for r in rows.values())


def test_a_body_without_endplates_has_a_depth_and_reasons_alone() -> None:
    for upper, lower in ((None, plate(15, -15, -11.0)), (plate(15, -15, 11.0), None)):
        rows = {r.quantity: r for r in measure_body("L4", piece("L4", upper, lower, BODY))}
        assert rows.pop("body_depth").value == pytest.approx(30.0, abs=0.4)
        assert len(rows) == 3
        assert all(r.value is None and "endplate could not be fitted" in r.note for r in rows.values())


def test_a_body_cut_by_the_image_has_no_value_at_all() -> None:
    body = piece("L4", plate(15, -15, 11.0), plate(15, -15, -11.0), BODY)
    cut = replace(body, field=replace(body.field, cut_in_slice=True))
    rows = measure_body("L4", cut)
    assert len(rows) == 4
    for row in rows:
        assert row.value is None and "cut by the field of view" in row.note
        assert "cut_by_field_of_view" in row.flags


def test_a_body_that_its_lines_miss_keeps_its_corner_heights_and_says_so() -> None:
    away = make_frame(CENTRE + 22 * S, S, A)
    body = piece("L4", plate(15, -15, 11.0), plate(15, -15, -11.0), BODY, away)
    rows = {r.quantity: r for r in measure_body("L4", body)}
    for quantity in ("body_height_middle", "body_depth", "body_biconcavity_ratio"):
        assert rows[quantity].value is None and "not crossed" in rows[quantity].note
    for quantity, value in (("body_height_anterior", 22.0), ("body_wedge_ratio", 1.0)):
        assert rows[quantity].value == pytest.approx(value) and rows[quantity].note == ""


@pytest.mark.parametrize(
    ("flags", "fallback", "slices", "cut", "found"),
    [
        ((), False, 3, False, ()),
        ((), True, 2, True, ("frame_fallback", "few_slices", "cut_by_field_of_view")),
        (
            ("level_unverified", "edited", "fused_or_absent_disc"),
            False,
            9,
            False,
            ("level_unverified", "fused_or_absent_disc"),
        ),
        (("cut_by_field_of_view",), False, 9, False, ("cut_by_field_of_view",)),
    ],
)
def test_a_piece_hands_its_doubts_to_its_values(
    flags: tuple[str, ...], fallback: bool, slices: int, cut: bool, found: tuple[str, ...]
) -> None:
    made = piece("L4-L5", None, None)
    made = replace(
        made,
        structure=replace(made.structure, flags=flags),
        frame=make_frame(CENTRE, S, A, fallback),
        field=replace(made.field, slices=slices, cut_in_slice=cut),
    )
    assert made.flags() == found
