"""Directions, endplates and centrelines of simple shapes, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.measure.canal_line import Centreline, centreline, cross_section, transverse
from SpineMeasureLib.measure.fields import Field, make_field
from SpineMeasureLib.measure.frames import Endplate, alike, endplate_line, fit_plane, make_frame, thin_axis, tilt

R, A, S = np.eye(3)
SPACING = 0.8
ORIGIN = np.array([-40.0, -40.0, -40.0])
AFFINE = np.block([[np.diag([SPACING] * 3), ORIGIN[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
PLACES = np.moveaxis(np.indices((101, 101, 101)), 0, -1) * SPACING + ORIGIN


def slab(normal: np.ndarray, half_height: float, half_depth: float) -> Field:
    """A box around the origin, 40 mm wide, whose height runs along `normal` in the sagittal plane."""
    forward = np.cross(normal, R)
    inside = (np.abs(PLACES @ normal) < half_height) & (np.abs(PLACES @ forward) < half_depth)
    field = make_field(inside & (np.abs(PLACES @ R) < 20), AFFINE)
    assert field is not None
    return field


def leaning(degrees: float) -> np.ndarray:
    """Superior, turned forward."""
    return np.cos(np.radians(degrees)) * S + np.sin(np.radians(degrees)) * A


def test_axes_are_right_handed_and_anterior_is_as_near_as_it_can_be() -> None:
    frame = make_frame(np.zeros(3), 3 * leaning(20), A + 0.5 * R)
    assert frame.superior == pytest.approx(leaning(20))
    assert frame.anterior @ frame.superior == pytest.approx(0.0, abs=1e-12)
    assert frame.axes @ frame.axes.T == pytest.approx(np.eye(3), abs=1e-12)
    assert frame.right @ R > 0.8 and np.linalg.det(frame.axes) == pytest.approx(1.0)
    moved = frame.moved(3.0)
    assert moved.origin == pytest.approx(3 * frame.right) and moved.fallback is frame.fallback is False
    plane = frame.plane
    assert np.cross(plane.x_axis, plane.y_axis) == pytest.approx(frame.right)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 25.0, 60.0])
def test_tilt_is_the_angle_by_which_a_normal_leans_forward(degrees: float) -> None:
    frame = make_frame(np.zeros(3), S, A)
    assert tilt(leaning(degrees), frame) == pytest.approx(degrees)
    assert tilt(leaning(degrees) + 0.4 * R, frame) == pytest.approx(degrees)  # whatever it does sideways


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 30.0])
def test_the_thin_axis_of_a_disc_is_its_normal(degrees: float) -> None:
    disc = slab(leaning(degrees), 5.0, 17.0)
    assert thin_axis(disc, S, A) == pytest.approx(leaning(degrees), abs=0.02)
    assert thin_axis(disc, -S, -A) == pytest.approx(-leaning(degrees), abs=0.02)


def test_a_disc_too_round_or_too_steep_keeps_the_direction_of_the_spine() -> None:
    """Less than half as deep again as it is high, or leaning by more than 70 degrees."""
    for half_height, half_depth, degrees in ((8.0, 11.0, 25.0), (4.0, 17.0, 75.0)):
        axis = thin_axis(slab(leaning(degrees), half_height, half_depth), S, A)
        assert axis == pytest.approx(S)
    assert thin_axis(slab(leaning(25.0), 8.0, 14.0), S, A) == pytest.approx(leaning(25.0), abs=0.03)
    assert thin_axis(slab(leaning(65.0), 4.0, 17.0), S, A) == pytest.approx(leaning(65.0), abs=0.03)


def test_a_plane_is_fitted_without_the_points_that_are_off_it() -> None:
    rng = np.random.default_rng(2)
    flat = rng.uniform(-15, 15, (200, 2))
    points = flat[:, :1] * R + flat[:, 1:] * np.cross(leaning(15), R) + rng.normal(0, 0.1, (200, 1)) * leaning(15)
    points[:30] += rng.uniform(4, 9, (30, 1)) * leaning(15)
    for sign in (1, -1):
        found = fit_plane(points, sign * S)
        assert found is not None
        centre, normal = found
        assert normal == pytest.approx(sign * leaning(15), abs=0.01)
        assert centre @ leaning(15) == pytest.approx(0.0, abs=0.05)
    assert fit_plane(points[:9], S) is None and fit_plane(points[30:40], S) is not None


def endplate(depth: float) -> Endplate:
    return Endplate(S, depth / 2 * A, -depth / 2 * A)


def test_facing_endplates_are_alike_unless_one_is_deeper_by_half() -> None:
    assert alike(endplate(20), endplate(29.5)) and alike(endplate(29.5), endplate(20))
    assert not alike(endplate(20), endplate(30.5)) and not alike(endplate(30.5), endplate(20))
    assert endplate(20).middle == pytest.approx(np.zeros(3))


def test_an_endplate_ends_where_the_body_behind_it_does() -> None:
    """A body of 30 mm above a plane that leans by 10 degrees, looked at 1.5 to 3.5 mm within it."""
    body = slab(leaning(10), 12.0, 15.0)
    frame = make_frame(-14 * leaning(10), leaning(10), A)
    found = endplate_line(frame, -12 * leaning(10) + 8 * R, leaning(10), body, leaning(10), True)
    assert found is not None and found.own
    forward = np.cross(leaning(10), R)
    assert found.anterior == pytest.approx(-12 * leaning(10) + 15 * forward, abs=0.35)
    assert found.posterior == pytest.approx(-12 * leaning(10) - 15 * forward, abs=0.35)
    beside = make_frame(np.array([0.0, 0.0, 36.0]), S, A)
    assert endplate_line(beside, 36 * S, S, body, S, True) is None


def tube(half_ap: float, half_width: float, degrees: float = 0.0) -> np.ndarray:
    """An elliptic cylinder through the origin, 70 mm long, leaning forward."""
    axis, forward = leaning(degrees), np.cross(leaning(degrees), R)
    round_ = ((PLACES @ forward) / half_ap) ** 2 + ((PLACES @ R) / half_width) ** 2 <= 1
    return round_ & (np.abs(PLACES @ axis) < 35)


def test_the_centreline_runs_from_head_to_sacrum_in_steps_of_a_millimetre() -> None:
    line = centreline(tube(7, 9, 15), AFFINE)
    assert line is not None
    steps = np.linalg.norm(np.diff(line.points, axis=0), axis=1)
    assert steps == pytest.approx(np.ones(len(steps)), abs=0.05)
    assert line.points[0, 2] > line.points[-1, 2] and 55 < len(line.points) <= 71
    assert line.tangents == pytest.approx(np.tile(leaning(15), (len(line.tangents), 1)), abs=0.03)
    off = line.points - (line.points @ leaning(15))[:, None] * leaning(15)
    assert np.linalg.norm(off, axis=1).max() < 0.3
    assert centreline(np.zeros((20, 20, 20), bool), AFFINE) is None
    short = tube(7, 9) & (np.abs(PLACES @ S) < 2.5)
    assert centreline(short, AFFINE) is None


def test_a_plane_is_crossed_at_the_nearer_passage_of_the_centreline() -> None:
    heights = np.array([4.0, 3.0, 2.0, 1.0, 0.4, -0.5, -1.0, -0.4, 0.7, 1.5])
    points = np.stack([np.zeros(10), np.arange(10.0), heights], axis=1)
    line = Centreline(points, np.tile(S, (10, 1)))
    assert line.crossing(np.array([0.0, 3.0, 0.0]), S) == 4
    assert line.crossing(np.array([0.0, 9.0, 0.0]), S) == 7
    assert line.crossing(np.array([0.0, 3.0, 9.0]), S) is None
    assert line.crossing(np.array([0.0, 0.0, 2.4]), S) == 2
    assert line.nearest(np.array([0.0, 6.2, -1.0])) == 6


@pytest.mark.parametrize(("half_ap", "half_width"), [(7.0, 10.0), (9.0, 6.0)])
@pytest.mark.parametrize("degrees", [10.0, 20.0])
def test_a_cross_section_of_a_tube_is_its_ellipse(half_ap: float, half_width: float, degrees: float) -> None:
    mask = tube(half_ap, half_width, degrees)
    line, field = centreline(mask, AFFINE), make_field(mask, AFFINE)
    assert line is not None and field is not None
    index = line.nearest(np.zeros(3))
    section = cross_section(field, line, index, 30 * A)
    assert section is not None
    assert section.diameter == pytest.approx(2 * half_ap, abs=0.2)
    assert section.area == pytest.approx(np.pi * half_ap * half_width, rel=0.015)
    assert section.centre @ R == pytest.approx(0.0, abs=0.1)
    assert (section.ends[0] - section.ends[1]) @ section.anterior == pytest.approx(section.diameter)
    assert section.anterior == pytest.approx(np.cross(leaning(degrees), R), abs=0.03)
    sides = transverse(field, section)
    assert sides is not None
    assert (sides[0] - sides[1]) @ R == pytest.approx(2 * half_width, abs=0.2)
    assert len(section.beyond) == 0


@pytest.mark.parametrize("up", [1, -1])
def test_a_section_is_narrowed_by_the_end_of_the_lumen_towards_which_it_tapers(up: int) -> None:
    """A cylinder of 16 mm that ends in a cone: sections of the cone are, those of the cylinder are not."""
    axis = leaning(10)
    height = up * (PLACES @ axis)
    radius = 8.0 * np.clip((35.0 - height) / 30.0, 0.0, 1.0)
    mask = (np.hypot(PLACES @ np.cross(axis, R), PLACES @ R) < radius) & (height > -35)
    line, field = centreline(mask, AFFINE), make_field(mask, AFFINE)
    assert line is not None and field is not None
    indices = [line.nearest(up * h * axis) for h in (15.0, -8.0)]
    cone, cylinder = (cross_section(field, line, n, 30 * A) for n in indices)
    assert cone is not None and cylinder is not None
    assert len(cylinder.beyond) == 0 and cylinder.diameter == pytest.approx(16.0, abs=0.3)
    assert cone.beyond == pytest.approx(np.stack(cone.ends) + 3 * up * line.tangents[indices[0]])
    at = up * line.points[indices[0]] @ axis
    assert cone.diameter == pytest.approx(16.0 * (35.0 - at) / 30.0, abs=0.5) and at > 8
