"""DICOM as it also comes: bare, enhanced in other shapes, mixed, damaged, cut off."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.errors import DicomSeriesError, SpineMeasureError, UnreadableInputError
from SpineMeasureLib.io.dicom.series import read_study
from SpineMeasureLib.io.read import read_volume

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from .dicom_slices import AXIAL, SAGITTAL, write_enhanced, write_series  # noqa: E402


def same(volume: Any, pixels: np.ndarray) -> bool:
    """Whether a volume holds some slices [slice, row, column]."""
    return np.array_equal(volume.array, pixels.transpose(2, 1, 0))


def test_files_without_preamble_and_ending_are_images(tmp_path: Path) -> None:
    pixels = write_series(tmp_path)
    for n, file in enumerate(sorted(tmp_path.iterdir())):
        ds = pydicom.dcmread(file)
        file.unlink()
        del ds.file_meta
        ds.save_as(tmp_path / f"IM{n}", implicit_vr=True, little_endian=True)
    assert same(read_volume(tmp_path), pixels)


@pytest.mark.parametrize(
    "command",
    [["dcmcjpls"], ["dcmcjpeg", "+e1"], ["dcmcjpeg", "+el"], ["dcmcrle"], ["dcmconv", "+td"], ["dcmconv", "+tb"]],
    ids=["jpeg-ls", "jpeg-sv1", "jpeg-p14", "rle", "deflated", "big-endian"],
)
@pytest.mark.skipif(not shutil.which("dcmcjpls"), reason="no DCMTK: apt-get install dcmtk")
def test_transfer_syntaxes_of_another_toolkit_are_decoded(command: list[str], tmp_path: Path) -> None:
    pixels = write_series(tmp_path / "plain")
    (tmp_path / "packed").mkdir()
    for file in (tmp_path / "plain").iterdir():
        subprocess.run([*command, file, tmp_path / "packed" / file.name], check=True, capture_output=True)
    assert same(read_volume(tmp_path / "packed"), pixels)


def test_enhanced_frames_may_each_hold_their_whole_geometry(tmp_path: Path) -> None:
    pixels = write_enhanced(tmp_path, [{"place": n} for n in range(6)], is_shared=False)
    assert same(read_volume(tmp_path), pixels)


def test_two_stacks_of_one_enhanced_file_are_told_apart(tmp_path: Path) -> None:
    frames = [{"place": n} for n in range(6)] + [{"place": n, "axes": AXIAL} for n in range(9)]
    pixels = write_enhanced(tmp_path, frames, is_shared=False)
    assert same(read_volume(tmp_path), pixels[:6])


def test_magnitude_is_taken_and_not_phase(tmp_path: Path) -> None:
    types = {"PHASE MAP": slice(0, 6), "M_SE": slice(6, 12)}
    frames = [{"place": n, "type": ["ORIGINAL", "PRIMARY", kind, "NONE"]} for kind in types for n in range(6)]
    pixels = write_enhanced(tmp_path, frames)
    assert same(read_volume(tmp_path), pixels[types["M_SE"]])
    assert same(read_volume(tmp_path, "type PHASE"), pixels[types["PHASE MAP"]])


def test_of_several_diffusion_weightings_none_is_taken_for_t2(tmp_path: Path) -> None:
    pixels = write_enhanced(tmp_path, [{"place": n, "b": b} for b in (800, 0) for n in range(6)])
    assert same(read_volume(tmp_path), pixels[6:])


@pytest.mark.parametrize("first", [1.0, 1.5])
def test_frames_with_slopes_of_their_own_are_scaled_each(first: float, tmp_path: Path) -> None:
    slopes = first + 0.25 * np.arange(6)
    pixels = write_enhanced(tmp_path, [{"place": n, "slope": slope} for n, slope in enumerate(slopes)])
    wanted = pixels * slopes[:, None, None] + 3
    np.testing.assert_allclose(read_volume(tmp_path).array, wanted.transpose(2, 1, 0))


def test_a_frame_that_does_not_say_where_it_lies_is_left_out_with_a_warning(tmp_path: Path) -> None:
    pixels = write_enhanced(tmp_path, [*({"place": n} for n in range(6)), {}])
    volume = read_volume(tmp_path)
    assert same(volume, pixels[:6])
    assert "1 image(s) of the series do not state their position" in str(volume.meta["warnings"])
    write_enhanced(tmp_path, [{"place": 0}, {"place": 1}, {}, {"place": 3}, {"place": 4}])
    with pytest.raises(DicomSeriesError, match="Slices are missing"):
        read_volume(tmp_path)


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_images_without_geometry_are_refused_for_that(missing: str, tmp_path: Path) -> None:
    write_series(tmp_path, change=lambda ds, n: delattr(ds, missing))
    with pytest.raises(DicomSeriesError, match="do not state their position"):
        read_volume(tmp_path)


def test_mosaics_are_not_taken_for_slices(tmp_path: Path) -> None:
    write_series(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(DicomSeriesError, match="mosaics"):
        read_volume(tmp_path)


def test_slices_tilted_by_less_than_half_a_degree_stay_in_place(tmp_path: Path) -> None:
    def tilt(ds: Dataset, n: int) -> None:
        axes = Rotation.from_euler("z", 0.5 * (n % 2), degrees=True).as_matrix() @ SAGITTAL
        ds.ImageOrientationPatient = [float(x) for x in (*axes[:, 0], *axes[:, 1])]
        ds.ImagePositionPatient = [ds.ImagePositionPatient[0], -200.0, 300.0]

    pixels = write_series(tmp_path, change=tilt)
    assert same(read_volume(tmp_path), pixels)


def test_slices_tilted_by_more_are_not_thinned_out(tmp_path: Path) -> None:
    def tilt(ds: Dataset, n: int) -> None:
        axes = Rotation.from_euler("z", 2.0 * (n % 2), degrees=True).as_matrix() @ SAGITTAL
        ds.ImageOrientationPatient = [float(x) for x in (*axes[:, 0], *axes[:, 1])]

    pixels = write_series(tmp_path, count=9, change=tilt)
    with pytest.raises(DicomSeriesError, match=r"series 1 are tilted.*--series"):
        read_volume(tmp_path)
    stacks = {len(stack.frames): stack.number for stack in read_study(tmp_path).series}
    assert stacks.keys() == {4, 5}
    assert same(read_volume(tmp_path, stacks[5]), pixels[::2])


def test_two_stations_in_one_series_are_offered_for_a_choice(tmp_path: Path) -> None:
    uid = generate_uid()
    upper = write_series(tmp_path / "upper", SeriesInstanceUID=uid)

    def lower(ds: Dataset, n: int) -> None:
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], -220.0]

    write_series(tmp_path / "lower", SeriesInstanceUID=uid, change=lower)
    with pytest.raises(DicomSeriesError, match="equally suitable.* -220 mm.* 30 mm|equally suitable.* 30 mm.* -220 mm"):
        read_volume(tmp_path)
    numbers = {read_volume(tmp_path, number).affine[2, 3]: number for number in ("1.1", "1.2")}
    assert same(read_volume(tmp_path, numbers[max(numbers)]), upper)


def test_reports_documents_and_pictures_beside_the_images_are_passed_over(tmp_path: Path) -> None:
    pixels = write_series(tmp_path)
    image = pydicom.dcmread(next(tmp_path.iterdir()))
    for n, (sop_class, modality) in enumerate(
        (("88.33", "SR"), ("11.1", "PR"), ("88.59", "KO"), ("104.1", "DOC"), ("66", "MR"))
    ):
        ds = Dataset()
        ds.file_meta = image.file_meta
        ds.SOPClassUID, ds.SOPInstanceUID = f"1.2.840.10008.5.1.4.1.1.{sop_class}", generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = image.StudyInstanceUID, generate_uid(), modality
        ds.save_as(tmp_path / f"other{n}", enforce_file_format=True)
    image.SeriesInstanceUID, image.SamplesPerPixel, image.PhotometricInterpretation = generate_uid(), 3, "RGB"
    image.save_as(tmp_path / "screenshot")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7")
    volume = read_volume(tmp_path)
    assert same(volume, pixels)
    assert not volume.meta["warnings"]


def test_a_damaged_file_is_told_even_where_no_gap_shows_it(tmp_path: Path) -> None:
    write_series(tmp_path, count=7)
    files = {pydicom.dcmread(file).ImagePositionPatient[0]: file for file in tmp_path.iterdir()}
    last = files[max(files)]
    last.write_bytes(last.read_bytes()[:400])
    volume = read_volume(tmp_path)
    assert volume.array.shape[2] == 6
    assert "1 DICOM file(s) are damaged" in str(volume.meta["warnings"])
    for file in files.values():
        file.write_bytes(file.read_bytes()[:400])
    with pytest.raises(DicomSeriesError, match="7 DICOM file"):
        read_volume(tmp_path)


def test_an_enhanced_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    def cut(ds: Dataset) -> None:
        ds.PixelData = ds.PixelData[:-200]

    write_enhanced(tmp_path, [{"place": n} for n in range(6)], change=cut)
    with pytest.raises(DicomSeriesError, match="cannot be decoded"):
        read_volume(tmp_path)


def test_no_garbled_header_ends_in_anything_but_a_sentence(tmp_path: Path) -> None:
    """Six random bytes of one of the headers changed, 150 times."""
    rng = np.random.default_rng(0)
    write_series(tmp_path)
    file = sorted(tmp_path.iterdir())[2]
    whole = file.read_bytes()
    read = 0
    for _ in range(150):
        garbled = bytearray(whole)
        for place in rng.integers(132, len(whole) - 300, 6):
            garbled[place] = rng.integers(256)
        file.write_bytes(bytes(garbled))
        with suppress(SpineMeasureError):
            read_volume(tmp_path)
            read += 1
    assert 0 < read < 150


def test_an_archive_of_files_is_to_be_unpacked(tmp_path: Path) -> None:
    write_series(tmp_path / "study")
    shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path / "study")
    with pytest.raises(UnreadableInputError, match="Unpack it"):
        read_volume(tmp_path / "study.zip")


def test_a_damaged_dicomdir_leads_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\7" * 300)
    with pytest.raises(UnreadableInputError, match="Specify the folder"):
        read_volume(tmp_path / "DICOMDIR")
