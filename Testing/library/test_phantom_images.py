"""Images of closed-form spines are the integrals that they should be: edges, slices, signal, noise, bias field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.orientation import apply_affine, apply_inverse
from SpineMeasureLib.phantom import (
    T1,
    T2,
    T2_DARK_DISC,
    WATER,
    Canal,
    Element,
    Grid,
    Scan,
    Signal,
    Spine,
    lumbar,
    pose,
    render,
    rotation,
    voxelise,
)
from SpineMeasureLib.volume import Volume

Array = NDArray[np.float64]

#: A disc whose endplates are so thick that the edge of the marrow is alone, and so is the wall of the sac.
THICK = replace(T2, plate_mm=8.0, dura_mm=4.0, cortex_mm=0.5, annulus_mm=0.5)
ALONE = lumbar("L5", "L4", disc=Element("", Kind.DISC, 24.0, 7.0), canal=Canal(behind=32.0))
THIN_SLICES = Grid((0.9, 0.47, 0.47), half_extent=(10.0, None, None))
THICK_SLICES = Grid((4.0, 0.5, 0.5), half_extent=(10.0, None, None))
TURNS = [(0, 0, 0), (7, 0, 0), (20, 0, 0), (-25, 15, 10), (0, 30, 0), (0, 0, 30)]


def endplates(spine: Spine) -> list[tuple[Array, Array]]:
    """Place and normal (out of the disc) of both endplates of L4-L5 on its axis, RAS."""
    disc, frame = spine.named("L4-L5")
    normals = (frame[:3, :3] @ [0, -sign * disc.slope * sign, sign] for sign in (1, -1))
    places = (apply_affine(frame, np.array([0, 0, sign * disc.height / 2])) for sign in (1, -1))
    return [(p, n / np.linalg.norm(n)) for p, n in zip(places, normals, strict=True)]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("grid", [THIN_SLICES, THICK_SLICES], ids=["0.9 mm", "4 mm"])
def test_a_voxel_is_the_integral_of_an_edge_over_slice_and_point_spread(
    turn: tuple[float, float, float], grid: Grid
) -> None:
    """0.02 mm of the steepest edge are 4 % of its contrast."""
    spine = ALONE.moved(pose(turn, (0.13, 0.21, 0.37)))
    image = render(spine, voxelise(spine, grid), THICK)
    centres = apply_affine(image.affine, np.moveaxis(np.indices(image.array.shape), 0, -1))
    thickness, pixel, _ = grid.spacing
    for place, normal in endplates(spine):
        offset = centres - place
        near = np.linalg.norm(offset, axis=-1) < 5
        across = np.linspace(-0.5, 0.5, 401) * thickness * normal[0]
        sigma = pixel / 2.3548 * np.hypot(normal[1], normal[2])
        share = ndtr((offset[near] @ normal + across[:, None]) / sigma).mean(axis=0)
        expected = THICK.bone + share * (THICK.marrow - THICK.bone)
        assert 0.1 < share.mean() < 0.9
        assert np.abs(image.array[near] - expected).max() < 0.04 * (THICK.marrow - THICK.bone)


def crossings(image: Volume, place: Array, direction: Array) -> Array:
    """Where (mm from `place`) the image has the mean of its values 2 mm before and behind, along a line."""
    along = np.linspace(-2.0, 2.0, 801)
    index = apply_inverse(image.affine, place + along[:, None] * direction)
    profile = ndimage.map_coordinates(image.array, index.T, order=3, mode="nearest")
    above = profile > (profile[0] + profile[-1]) / 2
    return along[np.flatnonzero(above[1:] != above[:-1])]


@pytest.mark.parametrize("turn", TURNS[:4])
def test_the_half_level_of_an_edge_is_on_the_boundary(turn: tuple[float, float, float]) -> None:
    """With a point-spread function that the pixels sample well, so that interpolation adds nothing."""
    spine = ALONE.moved(pose(turn, (0.13, 0.21, 0.37)))
    image = render(spine, voxelise(spine, THIN_SLICES), THICK, Scan(fwhm_mm=0.75))
    _, frame = spine.named("L4-L5")
    walls = [np.array([0.0, sign * spine.canal.half_ap - spine.canal.behind, 0.0]) for sign in (1, -1)]
    edges = endplates(spine) + [(apply_affine(frame, wall), frame[:3, 1]) for wall in walls]
    for place, normal in edges:
        found = crossings(image, place, normal)
        assert len(found) == 1
        assert found[0] == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("height", [24.0, 24.8, 25.3, 26.1])
def test_a_slice_mixes_what_it_contains(height: float) -> None:
    """Axial slices of 4 mm, parallel to an endplate."""
    spine = lumbar("L5", "L4", disc=Element("", Kind.DISC, height))
    spine = replace(spine, elements=tuple(replace(e, bend=0.0) for e in spine.elements))
    image = render(spine, voxelise(spine, Grid((1.0, 1.0, 4.0))), THICK)
    (upper, _), _ = endplates(spine)
    i, j, k = apply_inverse(image.affine, upper)
    column = image.array[round(i), round(j)]
    part = np.ceil(k - 0.5) + 0.5 - k  # of the slice with the endplate, above it
    mixed = THICK.bone + part * (THICK.marrow - THICK.bone)
    middle = round(k)
    assert 0.05 < part < 0.95
    assert column[middle] == pytest.approx(mixed, abs=3)
    assert column[middle + 1] == pytest.approx(THICK.marrow, abs=1)
    assert column[middle - 1] == pytest.approx(THICK.bone, abs=1)


@pytest.mark.parametrize(
    "signal",
    [T2, replace(T2, roots=480.0), T2_DARK_DISC, T1, WATER],
    ids=["T2", "T2 with roots", "T2 dark disc", "T1", "water"],
)
def test_every_tissue_has_its_signal_at_its_place(signal: Signal) -> None:
    spine = lumbar("L5", "L4", canal=Canal(cord=(3.0, 5.0))).moved(pose((10, 4, 6)))
    signal = replace(signal, plate_mm=2.5, cortex_mm=2.5, dura_mm=2.5)
    image = render(spine, voxelise(spine, Grid((1.0, 0.5, 0.5), half_extent=(5.0, None, None))), signal)
    disc, disc_frame = spine.named("L4-L5")
    body, body_frame = spine.named("L4")
    back = -spine.canal.behind
    places = {
        "marrow": (body_frame, (0, 0, 0)),
        "disc": (disc_frame, (0, 0, 0)),
        "bone": (disc_frame, (0, 0, disc.height / 2 - 1.25)),
        "annulus": (disc_frame, (0, disc.half_depth + 1.0, 0)),
        "fat": (body_frame, (0, body.half_depth + 4.0, 0)),
        "csf": (disc_frame, (0, back + 5.0, 0)),
        "cord": (disc_frame, (0, back, 0)),
        "dura": (disc_frame, (0, back - spine.canal.half_ap - 1.25, 0)),
        "muscle": (disc_frame, (0, back - spine.canal.half_ap - 9.0, 0)),
    }
    expected = {tissue: getattr(signal, tissue) for tissue in places}
    places["roots"], expected["roots"] = (disc_frame, (0, back - 5.0, 0)), signal.roots or signal.csf
    places["cortex"], expected["cortex"] = (body_frame, (0, body.half_depth + 1.25, 0)), signal.bone
    for tissue, (frame, local) in places.items():
        index = apply_inverse(image.affine, apply_affine(frame, np.array(local, float)))
        value = ndimage.map_coordinates(image.array, index[:, None], order=1)[0]
        assert value == pytest.approx(expected[tissue], abs=0.03 * signal.csf + 5), tissue


def test_the_image_does_not_depend_on_how_its_voxels_are_stored() -> None:
    spine = lumbar("L5", "L4").moved(pose((8, 5, -6)))
    labels = voxelise(spine, Grid((4.0, 1.0, 1.2), axes=rotation((1, 2, 3), 20.0))).as_volume()
    straight = render(spine, labels)
    affine = labels.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 0] * (labels.array.shape[2] - 1)
    affine[:3, 0] *= -1
    stored = render(spine, Volume(np.flip(labels.array.transpose(2, 0, 1), 0), affine))
    assert np.allclose(np.flip(stored.array, 0).transpose(1, 2, 0), straight.array, atol=0.5)


SMALL = lumbar("L5", "L4")
ON = voxelise(SMALL, Grid((4.0, 1.0, 1.0)))


@pytest.mark.parametrize("snr", [10.0, 20.0, 50.0])
def test_noise_has_the_ratio_to_the_signal_of_marrow_that_was_asked_for(snr: float) -> None:
    clean, noisy = (render(SMALL, ON, T2, Scan(snr=ratio)).array for ratio in (None, snr))
    marrow = np.abs(clean - T2.marrow) < 0.5
    assert np.count_nonzero(marrow) > 2000
    assert T2.marrow / np.std(noisy[marrow]) == pytest.approx(snr, rel=0.05)


def test_noise_without_signal_is_rician_and_repeats_with_its_seed() -> None:
    empty = replace(T2, fat=0.0)
    noisy, again, other = (render(SMALL, ON, empty, Scan(snr=10, seed=seed)).array for seed in (4, 4, 5))
    nothing = render(SMALL, ON, empty).array == 0
    assert np.count_nonzero(nothing) > 2000
    assert noisy[nothing].mean() == pytest.approx(T2.marrow / 10 * np.sqrt(np.pi / 2), rel=0.03)
    assert np.array_equal(noisy, again)
    assert not np.array_equal(noisy, other)


def test_the_bias_field_is_smooth_and_as_strong_as_asked() -> None:
    clean, biased, other = (
        render(SMALL, ON, T2, scan).array for scan in (Scan(), Scan(bias=0.3, seed=1), Scan(bias=0.3, seed=2))
    )
    field = biased / clean
    assert field.max() == pytest.approx(1.3, abs=0.01)
    assert field.min() == pytest.approx(0.7, abs=0.01)
    steps = [np.abs(np.diff(field, axis=axis)).max() / ON.as_volume().spacing[axis] for axis in range(3)]
    assert max(steps) < 0.03
    assert not np.allclose(biased, other)


@pytest.mark.parametrize("plate_mm", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("turn", TURNS[1:4])
def test_a_plate_thinner_than_a_voxel_takes_away_its_part_of_the_signal(
    plate_mm: float, turn: tuple[float, float, float]
) -> None:
    """With a disc like marrow, what is missing along a line through an endplate is its thickness times its contrast."""
    spine = ALONE.moved(pose(turn, (0.13, 0.21, 0.37)))
    signal = replace(T2, disc=T2.marrow, plate_mm=plate_mm)
    image = render(spine, voxelise(spine, THIN_SLICES), signal, Scan(fwhm_mm=0.75))
    along = np.arange(-5.0, 5.0, 0.01)
    for place, normal in endplates(spine):
        index = apply_inverse(image.affine, place + along[:, None] * normal)
        profile = ndimage.map_coordinates(image.array, index.T, order=3)
        missing = (signal.marrow - profile).sum() * 0.01 / (signal.marrow - signal.bone)
        assert missing == pytest.approx(plate_mm, abs=0.02)
        centre = along @ (signal.marrow - profile) / (signal.marrow - profile).sum()
        assert centre == pytest.approx(-plate_mm / 2, abs=0.02)  # the normal points out of the disc
