"""DICOM: series found, sorted, chosen and refused, on files written here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.errors import DicomSeriesError, ModalityError, UnreadableInputError
from SpineMeasureLib.io.checks import check_mri
from SpineMeasureLib.io.dicom.listing import list_study, rows
from SpineMeasureLib.io.dicom.series import read_study
from SpineMeasureLib.io.read import read_volume

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset  # noqa: E402
from pydicom.uid import RLELossless, generate_uid  # noqa: E402

from .dicom_slices import AXIAL, ORIGIN, PIXEL, SAGITTAL, STEP, write_enhanced, write_series  # noqa: E402


def expected_affine(axes: np.ndarray, step: float = STEP) -> np.ndarray:
    lps = np.eye(4)
    lps[:3, :3] = axes * [PIXEL[1], PIXEL[0], step]
    lps[:3, 3] = ORIGIN
    return np.diag([-1.0, -1, 1, 1]) @ lps


OBLIQUE = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix() @ SAGITTAL


@pytest.mark.parametrize("axes", [SAGITTAL, AXIAL, OBLIQUE], ids=["sagittal", "axial", "oblique"])
def test_slices_are_sorted_by_position_whatever_their_names(tmp_path: Path, axes: np.ndarray) -> None:
    pixels = write_series(tmp_path, axes=axes)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels.transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, expected_affine(axes), atol=1e-5)
    assert volume.meta["modality"] == "MR"


def test_no_patient_identity_is_kept(tmp_path: Path) -> None:
    write_series(tmp_path)
    assert "Doe" not in str(read_volume(tmp_path).meta)
    assert "secret-7" not in str(read_volume(tmp_path).meta)


def test_run_length_compressed_slices_are_decoded(tmp_path: Path) -> None:
    pixels = write_series(tmp_path, change=lambda ds, n: ds.compress(RLELossless))
    assert np.array_equal(read_volume(tmp_path).array, pixels.transpose(2, 1, 0))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_images_below_a_name_that_is_not_utf8_are_listed_but_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "M\udcfcller")
    assert len(list_study(tmp_path).series) == 1
    with pytest.raises(UnreadableInputError, match=r"M\?ller contains characters"):
        read_volume(tmp_path)


def test_a_missing_slice_is_refused_with_its_place(tmp_path: Path) -> None:
    write_series(tmp_path, places=[0, 4, 8, 16, 20, 24])
    with pytest.raises(DicomSeriesError, match="missing or unevenly spaced"):
        read_volume(tmp_path)


def test_copies_of_a_slice_are_left_out_with_a_warning(tmp_path: Path) -> None:
    pixels = write_series(tmp_path)
    copy = pydicom.dcmread(sorted(tmp_path.iterdir())[2])
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.save_as(tmp_path / "again.dcm", enforce_file_format=True)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels.transpose(2, 1, 0))
    assert "1 slice(s)" in str(volume.meta["warnings"])


def test_different_images_at_one_place_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, places=[0, 4, 8, 8, 12, 16])
    with pytest.raises(DicomSeriesError, match="same position"):
        read_volume(tmp_path)


def test_two_echoes_of_one_series_are_told_apart(tmp_path: Path) -> None:
    def echo(ds: Dataset, n: int) -> None:
        ds.EchoTime = 20.0 if n % 2 else 90.0

    pixels = write_series(tmp_path, count=8, places=[0, 0, 4, 4, 8, 8, 12, 12], change=echo)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels[::2].transpose(2, 1, 0))  # the late echo is the T2 one
    assert "TE 20" in str(volume.meta["warnings"])
    volume = read_volume(tmp_path, "TE 20")
    assert np.array_equal(volume.array, pixels[1::2].transpose(2, 1, 0))


def test_slices_shifted_against_each_other_are_refused(tmp_path: Path) -> None:
    def shift(ds: Dataset, n: int) -> None:
        ds.ImagePositionPatient = [float(p) for p in np.array(ds.ImagePositionPatient) + 2.0 * n * SAGITTAL[:, 0]]

    write_series(tmp_path, change=shift)
    with pytest.raises(DicomSeriesError, match="sheared"):
        read_volume(tmp_path)


@pytest.mark.parametrize("by", [1e-3, 9e-3, 1.1e-2])
def test_a_stack_may_lean_as_much_as_a_grid_of_any_other_format(by: float, tmp_path: Path) -> None:
    """Over a long stack, half a pixel is far less than that; the grid is made rectangular as for other formats."""

    def lean(ds: Dataset, n: int) -> None:
        ds.ImagePositionPatient = [float(p) for p in np.array(ds.ImagePositionPatient) + 4.0 * by * n * SAGITTAL[:, 0]]

    write_series(tmp_path, count=40, change=lean)
    if by > 0.01:
        with pytest.raises(DicomSeriesError, match="sheared"):
            read_volume(tmp_path)
        return
    volume = read_volume(tmp_path)
    directions = volume.affine[:3, :3] / volume.spacing
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    assert volume.spacing[2] == pytest.approx(4.0, rel=1e-3)


def test_one_slice_beside_the_others_is_refused(tmp_path: Path) -> None:
    def shift(ds: Dataset, n: int) -> None:
        if n == 2:
            ds.ImagePositionPatient = [float(p) for p in np.array(ds.ImagePositionPatient) + 0.6 * SAGITTAL[:, 0]]

    write_series(tmp_path, change=shift)
    with pytest.raises(DicomSeriesError, match="shifted"):
        read_volume(tmp_path)


def test_the_sagittal_t2_is_chosen_among_several_series_and_the_reason_kept(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesNumber=2, SeriesDescription="t1 sag")
    wanted = write_series(tmp_path, SeriesNumber=3, SeriesDescription="t2_tse_sag")
    write_series(tmp_path, SeriesNumber=4, SeriesDescription="t2 stir sag")
    write_series(tmp_path, count=20, axes=AXIAL, SeriesNumber=5, SeriesDescription="t2 tra")
    write_series(tmp_path, count=2, SeriesNumber=1, SeriesDescription="localiser")
    assert [s.number for s in read_study(tmp_path).series] == ["2", "3", "4", "5"]
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, wanted.transpose(2, 1, 0))
    assert "T2 first" in str(volume.meta["series_chosen"])


@pytest.mark.parametrize("wanted", ["2", "t1"])
def test_a_series_is_chosen_by_number_or_description(tmp_path: Path, wanted: str) -> None:
    pixels = write_series(tmp_path, SeriesNumber=2, SeriesDescription="T1 sag")
    write_series(tmp_path, count=7, SeriesNumber=3, SeriesDescription="T2 sag")
    assert np.array_equal(read_volume(tmp_path, wanted).array, pixels.transpose(2, 1, 0))


def test_equal_candidates_are_listed_for_the_user_to_choose(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesNumber=2, SeriesDescription="t2 sag upper")
    write_series(tmp_path, SeriesNumber=3, SeriesDescription="t2 sag lower")
    with pytest.raises(DicomSeriesError, match="equally suitable.*2: t2 sag upper.*3: t2 sag lower"):
        read_volume(tmp_path)


def test_a_ct_series_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, Modality="CT")
    with pytest.raises(ModalityError, match="CT"):
        check_mri(read_volume(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DicomSeriesError, match="no DICOM image"):
        read_volume(tmp_path)


def test_an_enhanced_file_is_read_with_its_frames_sorted(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 4, 2]
    pixels = write_enhanced(tmp_path, [{"place": n} for n in order])
    volume = read_volume(tmp_path / "enhanced.dcm")
    assert np.array_equal(volume.array, pixels[np.argsort(order)].transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, expected_affine(SAGITTAL), atol=1e-5)


def test_a_study_is_listed_with_plane_contrast_and_choice(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesNumber=2, SeriesDescription="t1_tse_sag")
    write_series(tmp_path, SeriesNumber=3, SeriesDescription="t2_tse_sag")
    write_series(tmp_path, SeriesNumber=4, SeriesDescription="t2_tirm_sag")
    write_series(tmp_path, count=20, axes=AXIAL, SeriesNumber=5, SeriesDescription="t2 fs tra")
    write_series(tmp_path, SeriesNumber=6, SeriesDescription="tse", RepetitionTime=600, EchoTime=10)
    listing = list_study(tmp_path)
    told = [(r["number"], r["plane"], r["contrast"], r["slices"], r["chosen"]) for r in rows(listing)]
    assert told == [
        ("2", "sagittal", "T1", 6, False),
        ("3", "sagittal", "T2", 6, True),
        ("4", "sagittal", "STIR", 6, False),
        ("5", "axial", "T2 FS", 20, False),
        ("6", "sagittal", "T1?", 6, False),
    ]
    assert "T2 first" in listing.reason
    assert "Doe" not in str(rows(listing)) and "secret-7" not in str(rows(listing))


def test_a_listing_says_what_to_do_where_nothing_can_be_chosen(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesNumber=2, SeriesDescription="t2 sag upper")
    write_series(tmp_path, SeriesNumber=3, SeriesDescription="t2 sag lower")
    listing = list_study(tmp_path)
    assert listing.chosen is None
    assert "--series" in listing.reason


def test_a_dicomdir_leads_to_its_images(tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    pixels = write_series(tmp_path / "loose", StudyDate="20250101", StudyTime="1200", StudyID="1", AccessionNumber="")
    media = FileSet()
    for file in sorted((tmp_path / "loose").iterdir()):
        media.add(file)
    media.write(tmp_path / "disc")
    write_series(tmp_path / "disc" / "not-in-the-directory", SeriesNumber=9)
    directory = tmp_path / "disc" / "DICOMDIR"
    assert len(list_study(directory).series) == 1
    assert np.array_equal(read_volume(directory).array, pixels.transpose(2, 1, 0))
