"""Volumes: what is written is read back in the same place, whatever the storage."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.errors import OutputError, SpacingError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.volume import Volume

nibabel = pytest.importorskip("nibabel")

SHAPE = (7, 9, 11)


def volume(order: tuple[int, int, int] = (0, 1, 2), flip: bool = False, tilt: float = 0.0) -> Volume:
    """Distinct values on a grid with permuted, flipped or tilted axes."""
    turn = Rotation.from_euler("xyz", [tilt, -tilt / 2, tilt / 3], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn[:, list(order)] * [0.5, 0.75, 4.0]
    if flip:
        affine[:3, 0] *= -1
    affine[:3, 3] = [11.5, -203.25, 47.125]
    return Volume(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), affine)


GRIDS = [
    volume(order, flip, tilt)
    for order, flip, tilt in itertools.product(itertools.permutations(range(3)), (False, True), (0.0, 17.0))
]


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("grid", GRIDS[::5])
def test_writing_and_reading_keeps_array_and_place(tmp_path: Path, grid: Volume, ending: str) -> None:
    path = tmp_path / f"image{ending}"
    write_volume(grid, path)
    back = read_volume(path)
    assert np.array_equal(back.array, grid.array)
    np.testing.assert_allclose(back.affine, grid.affine, atol=1e-4)


@pytest.mark.parametrize("grid", GRIDS)
def test_another_reader_sees_nifti_in_the_same_place_by_both_forms(tmp_path: Path, grid: Volume) -> None:
    path = tmp_path / "image.nii.gz"
    write_volume(grid, path)
    other = nibabel.load(path)
    for form in (other.get_sform(coded=True), other.get_qform(coded=True)):
        assert form[1] > 0
        np.testing.assert_allclose(form[0], grid.affine, atol=1e-4)
    assert np.array_equal(np.asarray(other.dataobj), grid.array)


def test_spacing_is_the_distance_between_voxel_centres() -> None:
    assert volume((2, 0, 1), True, 17.0).spacing == pytest.approx((0.5, 0.75, 4.0))


PLANES = {"sagittal": (2, 1, 0), "coronal": (0, 2, 1), "axial": (0, 1, 2)}


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("tilt", [0.0, 17.0])
@pytest.mark.parametrize("plane", PLANES)
def test_thick_axial_and_coronal_slices_are_warned_of_in_any_format(
    tmp_path: Path, plane: str, tilt: float, ending: str
) -> None:
    write_volume(volume(PLANES[plane], tilt=tilt), tmp_path / f"image{ending}")
    warnings = read_volume(tmp_path / f"image{ending}").meta.get("warnings", [])
    assert isinstance(warnings, list)
    assert [w for w in warnings if "4.0 mm long from" in w and f"as in {plane} slices" in w] == warnings
    assert bool(warnings) == (plane != "sagittal")


@pytest.mark.parametrize(("length", "is_warned_of"), [(1.0, False), (2.0, False), (2.5, True)])
def test_equal_voxels_are_warned_of_where_they_are_large(tmp_path: Path, length: float, is_warned_of: bool) -> None:
    write_volume(Volume(volume().array, np.diag([length, length, length, 1.0])), tmp_path / "image.nii")
    assert ("from head to foot" in str(read_volume(tmp_path / "image.nii").meta["warnings"])) == is_warned_of


def test_a_fourth_dimension_of_one_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((*SHAPE, 1), np.int16), np.eye(4)), path)
    assert read_volume(path).array.shape == SHAPE


def test_failing_to_write_leaves_the_earlier_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import SimpleITK as sitk

    path = tmp_path / "image.nii.gz"
    write_volume(volume(), path)
    before = path.read_bytes()

    def disk_is_full(*args: object, **kwargs: object) -> None:
        Path(str(args[1])).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", disk_is_full)
    with pytest.raises(OutputError, match="No space left"):
        write_volume(volume(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["image.nii.gz"]


def with_two_forms(path: Path, sform: np.ndarray, qform: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(volume().array, sform)
    image.set_sform(sform, 1)
    image.set_qform(qform, 1)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("grid", GRIDS)
def test_forms_of_nifti_that_differ_by_rounding_are_taken(tmp_path: Path, grid: Volume) -> None:
    rounded = grid.affine.round(2)
    assert read_volume(with_two_forms(tmp_path / "image.nii", grid.affine, rounded)).array.shape == SHAPE


@pytest.mark.parametrize("unit", ["meter", "mm", "micron", "unknown"])
def test_forms_of_nifti_in_any_unit_of_length_are_taken(tmp_path: Path, unit: str) -> None:
    grid = volume(tilt=17.0)
    millimetres = {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0)
    stated = np.diag([*[1 / millimetres] * 3, 1.0]) @ grid.affine
    path = with_two_forms(tmp_path / "image.nii", stated, stated)
    image = nibabel.load(path)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "stated.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "stated.nii").affine, grid.affine, atol=1e-3)


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (4, 1)])
def test_nifti_that_one_form_turns_over_is_refused_whichever_the_reader_takes(
    tmp_path: Path, codes: tuple[int, int]
) -> None:
    turned = volume().affine
    turned[1:3] *= -1
    for number, other in enumerate((turned, volume((1, 0, 2)).affine, volume(flip=True).affine)):
        image = nibabel.Nifti1Image(volume().array, volume().affine)
        image.set_sform(volume().affine, codes[0])
        image.set_qform(other, codes[1])
        nibabel.save(image, tmp_path / f"{number}.nii")
        with pytest.raises(SpacingError, match="two different image orientations"):
            read_volume(tmp_path / f"{number}.nii")


def test_a_form_of_nifti_that_registration_turned_is_told_and_taken(tmp_path: Path) -> None:
    told = read_volume(with_two_forms(tmp_path / "image.nii", volume(tilt=17.0).affine, volume().affine))
    assert any("degrees apart" in warning for warning in told.meta["warnings"])  # type: ignore[attr-defined]
    moved = volume().affine
    moved[:3, 3] += 50
    told = read_volume(with_two_forms(tmp_path / "moved.nii", moved, volume().affine))
    assert not any("degrees apart" in warning for warning in told.meta["warnings"])  # type: ignore[attr-defined]


def test_a_form_of_nifti_that_does_not_count_contradicts_nothing(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume().array, volume().affine)
    image.set_qform(volume((2, 0, 1)).affine, 0)
    nibabel.save(image, tmp_path / "image.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "image.nii").affine, volume().affine, atol=1e-4)


def test_a_plain_nifti_file_with_the_ending_of_a_compressed_one_is_read(tmp_path: Path) -> None:
    write_volume(volume(), tmp_path / "image.nii")
    path = (tmp_path / "image.nii").rename(tmp_path / "image.nii.gz")
    assert np.array_equal(read_volume(path).array, volume().array)


@pytest.mark.real_data
def test_every_real_nifti_file_is_read_in_its_place(data_folder: Path) -> None:
    paths = sorted(data_folder.rglob("*.nii*"))
    assert len(paths) > 20
    for path in paths:
        np.testing.assert_allclose(read_volume(path).affine, nibabel.load(path).affine, atol=1e-3)


@pytest.mark.real_data
def test_a_real_scan_is_read_as_another_reader_reads_it(data_folder: Path) -> None:
    path = sorted((data_folder / "lumbar_t2_space").glob("*_image.nii.gz"))[0]
    ours, theirs = read_volume(path), nibabel.load(path)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)
    assert np.array_equal(ours.array, np.asarray(theirs.dataobj))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)])
def test_labels_stored_in_another_order_are_brought_to_the_image(
    order: tuple[int, int, int], flips: tuple[int, ...]
) -> None:
    from SpineMeasureLib.grid import on_grid_of

    rng = np.random.default_rng(1)
    affine = np.diag([0.5, 0.6, 4.0, 1.0])
    affine[:3, 3] = [-20, 30, 5]
    image = Volume(rng.integers(0, 9, (5, 6, 7)), affine)
    index = np.eye(4)[:, [*order, 3]]  # stored index to image index
    for axis in flips:
        index[order[axis]] *= -1
        index[order[axis], 3] = image.array.shape[order[axis]] - 1
    stored = np.flip(image.array.transpose(order), flips)
    back = on_grid_of(image, Volume(stored, affine @ index))
    assert np.array_equal(back.array, image.array)
