"""Inference and bundles: storage order does not matter, damaged weights are refused, progress can cancel."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from SpineMeasureLib.anatomy import Region  # noqa: E402
from SpineMeasureLib.errors import CancelledError, DeviceError, ModelError, OptionError  # noqa: E402
from SpineMeasureLib.grid import in_slice_order  # noqa: E402
from SpineMeasureLib.orientation import (  # noqa: E402
    apply_affine,
    from_slice_order,
    slice_order,
    slice_spacing,
)
from SpineMeasureLib.segment.bundle import load_network, open_bundle, save_bundle  # noqa: E402
from SpineMeasureLib.segment.device import choose_device  # noqa: E402
from SpineMeasureLib.segment.inference import cord_settled, most_probable, predict_tissue  # noqa: E402
from SpineMeasureLib.segment.network import SpineNet  # noqa: E402
from SpineMeasureLib.segment.preprocess import slices_seen  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402

FILTERS = (8, 8, 8)
CPU = torch.device("cpu")


def small_network() -> SpineNet:
    torch.manual_seed(0)
    return SpineNet(filters=FILTERS).eval()


def small_volume(shape: tuple[int, int, int] = (5, 60, 48), spacing: tuple[float, float, float] = (4, 1, 1)) -> Volume:
    """Random smooth image, axes right, anterior, superior."""
    noise = np.random.default_rng(0).normal(size=shape)
    return Volume(np.cumsum(np.cumsum(noise, axis=1), axis=2).astype(np.float32), np.diag([*spacing, 1.0]))


def stored(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The same image with its axes permuted and flipped in memory and its affine following."""
    affine = volume.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    array = volume.array.transpose(order)
    for axis, flip in enumerate(flips):
        if flip:
            affine[:, 3] += affine[:, axis] * (array.shape[axis] - 1)
            affine[:, axis] *= -1
            array = np.flip(array, axis)
    return Volume(array, affine)


STORAGES = [(o, f) for o in itertools.permutations(range(3)) for f in ((False,) * 3, (True, False, True), (True,) * 3)]


@pytest.mark.parametrize(("order", "flips"), STORAGES)
def test_slice_order_is_the_same_for_every_storage(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    volume = small_volume()
    other = stored(volume, order, flips)
    assert np.array_equal(slice_order(other.array, other.affine), slice_order(volume.array, volume.affine))
    assert slice_spacing(other.affine) == pytest.approx(slice_spacing(volume.affine))
    back = from_slice_order(slice_order(other.array, other.affine), other.affine)
    assert np.array_equal(back, other.array)


@pytest.mark.parametrize(("order", "flips"), STORAGES)
def test_voxels_stay_where_they_are_in_slice_order(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    other = stored(small_volume(), order, flips)
    x, y, z = np.moveaxis(apply_affine(other.affine, np.moveaxis(np.indices(other.array.shape), 0, -1)), -1, 0)
    ordered = in_slice_order(Volume(x + 1000 * y + 1e6 * z, other.affine))
    x, y, z = np.moveaxis(apply_affine(ordered.affine, np.moveaxis(np.indices(ordered.array.shape), 0, -1)), -1, 0)
    np.testing.assert_allclose(ordered.array, x + 1000 * y + 1e6 * z, atol=1e-6)
    assert (np.diff(x, axis=0) > 0).all() and (np.diff(z, axis=1) > 0).all() and (np.diff(y, axis=2) > 0).all()


@pytest.mark.parametrize(("order", "flips"), STORAGES[1::7])
def test_tissue_is_the_same_for_every_storage(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    volume, network = small_volume(), small_network()
    other = stored(volume, order, flips)
    expected, result = (predict_tissue(image, network, CPU) for image in (volume, other))
    assert len(np.unique(expected.tissue)) > 1
    assert np.array_equal(result.tissue, expected.tissue)
    np.testing.assert_allclose(result.affine, expected.affine, atol=1e-9)


def test_output_lies_on_the_grid_of_a_fine_image_with_thin_slices() -> None:
    volume = small_volume((9, 130, 90), (0.4, 0.4, 0.4))
    result = predict_tissue(volume, small_network(), CPU)
    assert result.tissue.shape == result.probability.shape == slice_order(volume.array, volume.affine).shape
    assert result.probability.min() >= 255 // 5


def test_a_slice_larger_than_a_tile_is_run_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    volume, network = small_volume((2, 150, 60)), small_network()
    monkeypatch.setattr("SpineMeasureLib.segment.inference._LARGEST_TILE", 128)
    assert predict_tissue(volume, network, CPU).tissue.shape == slice_order(volume.array, volume.affine).shape


def test_doubt_between_canal_and_cord_does_not_give_the_pixel_to_background() -> None:
    scores = torch.zeros(1, 7, 8, 8)
    scores[:, 0], scores[:, 4], scores[:, 5] = 0.4, 0.31, 0.29
    best, tissue = most_probable(scores)
    assert (tissue == 4).all()
    assert best.mean() == pytest.approx(0.6)


def test_cord_is_what_most_of_the_lumen_around_it_is() -> None:
    scores = torch.zeros(1, 7, 16, 16)
    scores[:, 5], scores[:, 4] = 0.6, 0.4
    scores[:, 5, :, 8:], scores[:, 4, :, 8:] = 0.45, 0.55
    scores[:, 5, 3, 12], scores[:, 4, 3, 12] = 0.9, 0.1
    settled = cord_settled(scores)
    assert torch.allclose(settled.sum(dim=1), scores.sum(dim=1))
    _, tissue = most_probable(settled)
    assert (tissue[:, :, :4] == 5).all()
    assert (tissue[:, :, 12:] == 4).all()


@pytest.mark.parametrize(("spacing", "outer"), [(0.8, 5), (0.9, 4), (2.0, 2), (3.3, 1), (4.0, 1), (6.0, 1)])
def test_the_outer_slices_seen_lie_about_4_mm_away(spacing: float, outer: int) -> None:
    assert slices_seen(spacing) == (-outer, -1, 0, 1, outer)


class FromSlices(torch.nn.Module):
    """Calls a pixel body where the chosen one of the slices it is given is bright."""

    divisor = 2
    predicts_regions = False

    def __init__(self, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(image), 7, *image.shape[2:])
        logits[:, 1] = torch.where(image[:, self.chosen] > 0.5, 9.0, -9.0)
        return logits


@pytest.mark.parametrize(("chosen", "away"), [(0, -2), (1, -1), (2, 0), (3, 1), (4, 2)])
def test_each_slice_is_given_with_its_neighbours_and_those_4_mm_away(chosen: int, away: int) -> None:
    array = np.zeros((11, 32, 24), np.float32)
    array[5] = 1.0
    array[0, 0, 0] = 0.5  # not constant within the slices
    tissue = predict_tissue(Volume(array, np.diag([2.0, 1.0, 1.0, 1.0])), FromSlices(chosen), CPU).tissue
    assert list(np.flatnonzero((tissue == 1).all(axis=(1, 2)))) == [5 - away]


class BrightIsBone(torch.nn.Module):
    """Calls bright pixels body; counts the slices that it was asked for."""

    divisor = 2
    predicts_regions = False
    calls = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += len(image)
        logits = torch.full((len(image), 7, *image.shape[2:]), -9.0)
        logits[:, 0] = 0.0
        logits[:, 1] = torch.where(image[:, 2] > 0.5, 9.0, -9.0)
        return logits


def test_of_many_slices_only_those_near_the_spine_are_looked_at() -> None:
    array = np.random.default_rng(0).uniform(0, 0.1, (120, 64, 48)).astype(np.float32)
    array[50:81, 10:50, 10:40] = 1.0
    array[20, 30, 30] = 1.0
    network, fractions = BrightIsBone(), []
    volume = Volume(array, np.diag([1.0, 1.0, 1.0, 1.0]))
    result = predict_tissue(volume, network, CPU, lambda stage, fraction, text="": fractions.append(fraction))
    bone = np.flatnonzero((result.tissue == 1).any(axis=(1, 2)))
    assert (bone[0], bone[-1], len(bone)) == (50, 80, 31)
    assert network.calls < 80
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize(("spacing", "kept"), [(0.8, False), (4.0, True)])
def test_what_one_thin_slice_shows_alone_is_outvoted_and_in_a_thick_one_not(spacing: float, kept: bool) -> None:
    array = np.random.default_rng(0).uniform(0, 0.1, (9, 64, 48)).astype(np.float32)
    array[4, 20:40, 10:30] = 1.0
    volume = Volume(array, np.diag([spacing, 1.0, 1.0, 1.0]))
    tissue = predict_tissue(volume, BrightIsBone(), CPU).tissue
    assert (tissue[4, 15:25, 25:35] == 1).all() == kept
    assert not (tissue[[0, 8]] == 1).any()


class RegionByBrightness(BrightIsBone):
    """Calls bright pixels body, and thoracic where they are brightest, else lumbar."""

    predicts_regions = True

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        regions = torch.zeros(len(image), len(Region), *image.shape[2:])
        regions[:, Region.THORACIC - 1] = torch.where(image[:, 2] > 0.8, 9.0, -9.0)
        regions[:, Region.LUMBAR - 1] = -regions[:, Region.THORACIC - 1]
        return torch.cat([super().forward(image), regions], dim=1)


@pytest.mark.parametrize(("order", "flips"), STORAGES[::9])
def test_regions_lie_where_the_image_shows_them(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    array = np.zeros((7, 64, 80), np.float32)
    array[1:6, 10:50, 10:40] = 0.7
    array[1:6, 10:50, 40:70] = 1.0
    volume = stored(Volume(array, np.diag([4.0, 0.9, 0.7, 1.0])), order, flips)
    result = predict_tissue(volume, RegionByBrightness(), CPU)
    inside = result.tissue == 1
    assert result.region is not None and inside.sum() > 10000
    expected = np.where(slice_order(volume.array, volume.affine) > 0.8, Region.THORACIC, Region.LUMBAR)
    assert (result.region[inside] == expected[inside]).mean() > 0.97
    assert predict_tissue(volume, BrightIsBone(), CPU).region is None


def test_progress_can_cancel() -> None:
    def stop(stage: str, fraction: float, message: str = "") -> None:
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        predict_tissue(small_volume(), small_network(), CPU, stop)


def small_bundle(folder: Path) -> Path:
    save_bundle(folder, small_network(), {"name": "small", "version": "1"})
    return folder


def test_a_saved_bundle_gives_the_same_network_to_half_precision(tmp_path: Path) -> None:
    network = load_network(open_bundle(small_bundle(tmp_path / "small")))
    image = torch.rand(1, 5, 64, 64)
    assert torch.allclose(network(image), small_network()(image), atol=0.05)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    first, again = (small_bundle(tmp_path / name) for name in ("first", "again"))
    assert open_bundle(first).sha256 == open_bundle(again).sha256


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / "small")
    weights = folder / "models" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="damaged"):
        open_bundle(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / "small")
    config = folder / "configs" / "inference.json"
    config.write_text(config.read_text().replace("8", "16"))
    with pytest.raises(ModelError, match="do not fit"):
        load_network(open_bundle(folder))


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="auto, cuda, mps, cpu"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(DeviceError, match="--device auto"):
        choose_device("cuda")
