"""How far a grid may be from even steps and right angles: accepted just within each tolerance, refused just beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.errors import DicomSeriesError, SpacingError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.orientation import shear
from SpineMeasureLib.volume import Volume

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset  # noqa: E402

from .dicom_slices import PIXEL, SAGITTAL, write_series  # noqa: E402
from .image_files import nrrd  # noqa: E402


@pytest.mark.parametrize("step", [4.38, 3.62])
def test_a_step_less_than_a_tenth_off_the_usual_one_is_read(step: float, tmp_path: Path) -> None:
    places = [0.0, 4.0, 8.0, 8.0 + step, 12.0 + step, 16.0 + step]
    pixels = write_series(tmp_path, places=places)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels.transpose(2, 1, 0))
    assert volume.spacing[2] == pytest.approx((16.0 + step) / 5)


@pytest.mark.parametrize("step", [4.42, 3.58])
def test_a_step_more_than_a_tenth_off_the_usual_one_is_refused(step: float, tmp_path: Path) -> None:
    write_series(tmp_path, places=[0.0, 4.0, 8.0, 8.0 + step, 12.0 + step, 16.0 + step])
    with pytest.raises(DicomSeriesError, match=r"unevenly spaced: between .* the step is not the usual 4\.00 mm"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("apart", "is_a_copy"), [(0.009, True), (0.011, False)])
def test_images_a_hundredth_of_a_millimetre_apart_are_at_the_same_place(
    apart: float, is_a_copy: bool, tmp_path: Path
) -> None:
    """Pixels differ: at one place that is a mix of images, at two places a stack of uneven steps."""
    write_series(tmp_path, places=[0.0, 4.0, 8.0, 8.0 + apart, 12.0, 16.0])
    with pytest.raises(DicomSeriesError, match="at the same position" if is_a_copy else "unevenly spaced"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("pixels_aside", "is_read"), [(0.48, True), (0.52, False)])
def test_a_slice_may_be_half_a_pixel_beside_the_others(pixels_aside: float, is_read: bool, tmp_path: Path) -> None:
    def shift(ds: Dataset, n: int) -> None:
        if n == 3:
            aside = pixels_aside * min(PIXEL) * SAGITTAL[:, 1]
            ds.ImagePositionPatient = [float(p) for p in np.array(ds.ImagePositionPatient) + aside]

    pixels = write_series(tmp_path, change=shift)
    if is_read:
        assert np.array_equal(read_volume(tmp_path).array, pixels.transpose(2, 1, 0))
    else:
        with pytest.raises(DicomSeriesError, match="shifted relative to each other"):
            read_volume(tmp_path)


def leaning(cosine: float, axis: int, towards: int) -> np.ndarray:
    """An affine of 0.5 x 0.6 x 4 mm, one of whose axes leans towards another by an angle of this cosine."""
    directions = np.eye(3)
    directions[:, axis] = np.sqrt(1 - cosine**2) * np.eye(3)[axis] + cosine * np.eye(3)[towards]
    affine = np.eye(4)
    affine[:3, :3] = directions * (0.5, 0.6, 4.0)
    return affine


@pytest.mark.parametrize(("axis", "towards"), [(1, 0), (2, 0), (0, 2), (1, 2)])
@pytest.mark.parametrize("sign", [1, -1])
def test_axes_may_lean_by_a_cosine_of_a_hundredth(axis: int, towards: int, sign: int, tmp_path: Path) -> None:
    array = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
    for cosine, is_read in ((0.0098, True), (0.0102, False)):
        affine = leaning(sign * cosine, axis, towards)
        assert shear(affine) == pytest.approx(cosine)
        nrrd(tmp_path / "x.nrrd", Volume(array, affine))
        if not is_read:
            with pytest.raises(SpacingError, match="not at right angles"):
                read_volume(tmp_path / "x.nrrd")
            continue
        found = read_volume(tmp_path / "x.nrrd")
        assert np.array_equal(found.array, array)
        assert shear(found.affine[:3, :3] / found.spacing) < 1e-6
        # The nearest grid of right angles: both axes give way by half the angle.
        change = np.abs(found.affine[:3, :3] - affine[:3, :3]) / (0.5, 0.6, 4.0)
        assert change.max() == pytest.approx(cosine / 2, rel=0.02)


@pytest.mark.parametrize(
    ("spacing", "is_read"),
    [((0.05, 0.5, 4.0), True), ((0.049, 0.5, 4.0), False), ((3.0, 0.5, 12.0), True), ((3.01, 0.5, 4.0), False),
     ((0.5, 0.5, 12.01), False)],
)  # fmt: skip
def test_voxels_are_measured_from_a_twentieth_to_3_and_12_mm(
    spacing: tuple[float, float, float], is_read: bool, tmp_path: Path
) -> None:
    array = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
    write_volume(Volume(array, np.diag([*spacing, 1.0])), tmp_path / "x.nrrd")
    if is_read:
        assert read_volume(tmp_path / "x.nrrd").spacing == pytest.approx(spacing)
    else:
        with pytest.raises(SpacingError, match="not plausible|too coarse"):
            read_volume(tmp_path / "x.nrrd")
