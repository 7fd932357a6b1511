"""Voxels that show nothing: NaN around an image is filled and told, NaN in it refused, padding is not signal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineMeasureLib.background import unpadded, without_gaps
from SpineMeasureLib.errors import EmptyVolumeError, ModalityError, NonFiniteVolumeError
from SpineMeasureLib.field_of_view import CUT
from SpineMeasureLib.io.checks import check_mri
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import to_sitk, write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.segment.preprocess import normalised_intensity
from SpineMeasureLib.volume import Volume

SHAPE = (12, 40, 44)


def scan(dtype: str = "f4") -> np.ndarray:
    rng = np.random.default_rng(2)
    return (rng.gamma(2.0, 150.0, SHAPE) + 20).astype(dtype)


def body() -> np.ndarray:
    """A mask with ragged edges that touches one face of the array."""
    i, j, k = np.indices(SHAPE)
    rng = np.random.default_rng(3)
    return (j - 20) ** 2 / 15**2 + (k - 22) ** 2 / 17**2 + 0.2 * rng.random(SHAPE) < 1


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("code", ["f4", "f8"])
def test_values_missing_around_a_mask_are_filled_and_told(gap: float, ending: str, code: str, tmp_path: Path) -> None:
    array = np.where(body(), scan(code), np.array(gap, code))
    write_volume(Volume(array, np.eye(4)), tmp_path / f"x.{ending}")
    found = read_volume(tmp_path / f"x.{ending}")
    check_mri(found)
    assert np.array_equal(found.array, np.where(body(), scan(code), 0))
    assert found.array.dtype == code
    missing = int((~body()).sum())
    assert f"{missing} voxels around the image" in str(found.meta["warnings"])
    assert found.outside is not None and np.array_equal(found.outside, ~body())


def test_the_background_is_below_all_signal_of_an_image_with_negative_values() -> None:
    array = np.where(body(), scan() - 500, np.nan)
    found = without_gaps(Volume(array, np.eye(4)))
    assert found.array[~body()].max() == array[body()].min()


def test_the_hash_of_an_image_is_the_same_before_and_after(tmp_path: Path) -> None:
    volume = Volume(np.where(body(), scan(), np.nan), np.eye(4))
    assert volume.sha256 == without_gaps(volume).sha256
    other = Volume(np.where(body(), scan() + 1, np.nan), np.eye(4))
    assert volume.sha256 != other.sha256


HOLES = {
    "one voxel": (slice(6, 7), slice(20, 21), slice(22, 23)),
    "a block": (slice(4, 8), slice(15, 20), slice(20, 30)),
}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("masked", [False, True])
def test_values_missing_within_the_body_are_refused(hole: str, masked: bool) -> None:
    array = np.where(body(), scan(), np.nan) if masked else scan()
    array[HOLES[hole]] = np.nan
    for check in (check_mri, without_gaps):
        with pytest.raises(NonFiniteVolumeError, match="within the image"):
            check(Volume(array, np.eye(4)))


@pytest.mark.parametrize("left", [0, 1, 300])
def test_an_image_of_hardly_any_values_is_refused(left: int) -> None:
    array = np.full(SHAPE, np.nan, np.float32)
    array.reshape(-1)[:left] = np.arange(left)
    with pytest.raises(NonFiniteVolumeError, match="%"):
        check_mri(Volume(array, np.eye(4)))


def test_an_image_that_is_constant_but_for_missing_values_is_refused() -> None:
    with pytest.raises(EmptyVolumeError):
        check_mri(Volume(np.where(body(), np.float32(7), np.nan), np.eye(4)))


def test_half_precision_and_whole_numbers_are_usable() -> None:
    for code in ("f2", "i1", "u4", "i8", "f8"):
        check_mri(Volume((scan() / 20).astype(code), np.eye(4)))


PADDING = {"i2": -32768, "i4": -2147483648, "u2": 65535, "f4": -1e20, "f8": 1e30}


@pytest.mark.parametrize("code", PADDING)
def test_constant_padding_does_not_change_what_the_network_sees(code: str) -> None:
    image = scan(code)
    padded = np.where(body(), image, PADDING[code]).astype(code)
    expected = normalised_intensity(image[body()])
    np.testing.assert_allclose(normalised_intensity(padded)[body()], expected, atol=2e-3)
    check_mri(Volume(padded, np.eye(4)))


@pytest.mark.parametrize("value", [-1024, -1050, -2000, -32768])
def test_padding_is_not_the_air_of_a_ct(value: int) -> None:
    check_mri(Volume(np.where(body(), scan("i2"), np.int16(value)), np.eye(4)))


@pytest.mark.parametrize("padding", [None, -1024, -2000, -3024, -32768])
def test_a_ct_is_refused_whatever_its_padding(padding: int | None) -> None:
    rng = np.random.default_rng(5)
    array = np.where(body(), rng.normal(60, 200, SHAPE), rng.normal(-995, 15, SHAPE)).clip(-1024).astype(np.int16)
    if padding is not None:
        array[:, :4] = padding
    with pytest.raises(ModalityError):
        check_mri(Volume(array, np.eye(4)))


@pytest.mark.parametrize("kind", ["signal", "zeros around", "saturated", "mean zero"])
def test_signal_is_not_taken_for_padding(kind: str) -> None:
    values = {
        "signal": scan(),
        "zeros around": np.where(body(), scan() + 400, 0),
        "saturated": scan().clip(0, 600),
        "mean zero": scan() - 300,
    }[kind].reshape(-1)
    assert unpadded(values).size == values.size


def test_what_reaches_missing_values_is_flagged_as_cut(sample_folder: Path, tmp_path: Path) -> None:
    """A structure at the edge of a mask is cut as one at the border of the image is."""
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    labels = read_volume(sample_folder / "lumbar_t2_labels.nii.gz")
    shown = np.ones(image.array.shape, bool)
    low = int(np.argwhere(labels.array > 0)[:, 2].min())
    shown[:, :, : low + 12] = False
    write_volume(replace(image, array=np.where(shown, image.array.astype(np.float32), np.nan)), tmp_path / "x.nii.gz")
    cut = sitk.Mask(to_sitk(labels), to_sitk(Volume(shown.astype(np.uint8), labels.affine)))
    sitk.WriteImage(cut, str(tmp_path / "labels.nii.gz"))
    result = run(Job(tmp_path / "x.nii.gz", tmp_path / "out", tmp_path / "labels.nii.gz", scene=False, picture=False))
    assert any("not numbers" in w for w in result.warnings)
    assert any("reach the voxels without a value" in w for w in result.warnings)
    lowest = result.segmentation.structures[-1]
    flagged = {s.level for s in result.segmentation.structures if CUT in s.flags and s.level}
    assert flagged and lowest
    rows = [m for m in result.measurements if m.level in flagged]
    assert rows and all(CUT in m.flags for m in rows)
