"""Which images form a stack, whatever series and acquisitions their files name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.errors import DicomSeriesError
from SpineMeasureLib.io.checks import check_mri
from SpineMeasureLib.io.dicom.listing import list_study
from SpineMeasureLib.io.dicom.series import read_study
from SpineMeasureLib.io.read import read_volume

pydicom = pytest.importorskip("pydicom")

from pydicom.dataelem import RawDataElement  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.tag import Tag  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from .dicom_slices import AXIAL, SAGITTAL, write_series  # noqa: E402

CORONAL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
#: How the images of a repeated acquisition differ: attributes of the image of slice n in repetition r.
REPETITIONS: dict[str, Any] = {
    "acquisition": lambda n, r: {"AcquisitionNumber": r + 1},
    "trigger time": lambda n, r: {"TriggerTime": 400.0 * r},
    "trigger time of each slice": lambda n, r: {"TriggerTime": 400.0 * r + 7 * n},
    "acquisition time": lambda n, r: {"AcquisitionTime": f"10{10 * r:02d}00"},
    "acquisition time of each slice": lambda n, r: {"AcquisitionTime": f"10{10 * r:02d}{n:02d}.5"},
    "content time": lambda n, r: {"ContentTime": f"10{10 * r:02d}00"},
    "temporal position": lambda n, r: {"TemporalPositionIdentifier": r + 1},
    "echo number": lambda n, r: {"EchoNumbers": r + 1},
    "image number": lambda n, r: {"InstanceNumber": 6 * r + n + 1},
    "image number of each place": lambda n, r: {"InstanceNumber": 2 * n + r + 1},
}


def write_repeated(folder: Path, count: int, values: Any) -> list[np.ndarray]:
    """One series of which every slice was acquired several times; the pixels of each time."""
    series, found = generate_uid(), []
    for r in range(count):

        def change(ds: Dataset, n: int, r: int = r) -> None:
            ds.InstanceNumber = n + 1
            for keyword, value in values(n, r).items():
                setattr(ds, keyword, value)
            ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) + r).astype(np.uint16).tobytes()

        found.append(write_series(folder / str(r), SeriesInstanceUID=series, change=change) + np.uint16(r))
    return found


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kind", REPETITIONS)
def test_repeated_acquisitions_are_stacks_to_choose_from(kind: str, count: int, tmp_path: Path) -> None:
    pixels = write_repeated(tmp_path, count, REPETITIONS[kind])
    listing = list_study(tmp_path)
    assert [s.number for s in listing.series] == [f"1.{r + 1}" for r in range(count)]
    assert len({s.description for s in listing.series}) == count
    assert listing.chosen is None and "--series: 1.1" in listing.reason
    arrays = [read_volume(tmp_path, f"1.{r + 1}").array for r in range(count)]
    assert {a.tobytes() for a in arrays} == {np.ascontiguousarray(p.transpose(2, 1, 0)).tobytes() for p in pixels}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("acquisition time of each slice", ["acquired at 100000.5", "acquired at 101000.5"]),
        ("trigger time", ["trigger time 0.0", "trigger time 400.0"]),
        ("trigger time of each slice", ["trigger time 0.0", "trigger time 400.0"]),
    ],
)
def test_acquisitions_are_described_by_what_differs_whatever_their_order(
    kind: str, told: list[str], tmp_path: Path
) -> None:
    """The files of the second acquisition are in the opposite order: the first of each lies elsewhere."""
    write_repeated(tmp_path, 2, REPETITIONS[kind])
    folder = tmp_path / "1"
    files = sorted(folder.iterdir(), key=lambda f: float(pydicom.dcmread(f).ImagePositionPatient[0]))
    for n, file in enumerate(files):
        file.rename(folder / f"{n}.dcm")
    first = sorted((tmp_path / "0").iterdir(), key=lambda f: -float(pydicom.dcmread(f).ImagePositionPatient[0]))
    for n, file in enumerate(first):
        file.rename(tmp_path / "0" / f"{n}.dcm")
    assert [s.description for s in list_study(tmp_path).series] == [f"t2 sag, {one}" for one in told]


def test_repeated_acquisitions_of_two_stations_are_told_by_both(tmp_path: Path) -> None:
    series = generate_uid()
    for n in range(4):

        def place(ds: Dataset, _: int, n: int = n) -> None:
            x, y, z = ds.ImagePositionPatient
            ds.ImagePositionPatient, ds.AcquisitionNumber = [x, y, z - 200 * (n // 2)], n % 2 + 1

        write_series(tmp_path / str(n), SeriesInstanceUID=series, change=place)
    found = [s.description for s in list_study(tmp_path).series]
    assert sorted(found) == sorted(
        f"t2 sag, at 5, -20, {z} mm, acquisition {number}" for z in (30, -170) for number in (1, 2)
    )


def test_acquisitions_of_different_extent_are_stacks_too(tmp_path: Path) -> None:
    series = generate_uid()
    whole = write_series(tmp_path / "1", SeriesInstanceUID=series)
    part = write_series(tmp_path / "2", count=5, SeriesInstanceUID=series, AcquisitionNumber=2)
    assert [s.description for s in list_study(tmp_path).series] == [
        "t2 sag, acquisition not stated",
        "t2 sag, acquisition 2",
    ]
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, whole.transpose(2, 1, 0))
    assert "1.2: t2 sag, acquisition 2" in str(volume.meta["warnings"])
    assert np.array_equal(read_volume(tmp_path, "1.2").array, part.transpose(2, 1, 0))


def test_what_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    write_repeated(tmp_path, 2, lambda n, r: {})
    with pytest.raises(DicomSeriesError, match="same position"):
        read_volume(tmp_path)


def test_numbers_that_differ_within_one_acquisition_divide_nothing(tmp_path: Path) -> None:
    """Concatenations: every other slice belongs to the second pass."""
    pixels = write_series(tmp_path, change=lambda ds, n: setattr(ds, "AcquisitionNumber", 1 + n % 2))
    assert np.array_equal(read_volume(tmp_path).array, pixels.transpose(2, 1, 0))


def own_uids(ds: Dataset, n: int) -> None:
    ds.SeriesInstanceUID = f"1.2.3.4.{n}"


def all_own_uids(ds: Dataset, n: int) -> None:
    own_uids(ds, n)
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = f"1.2.5.{n}", f"1.2.6.{n}"


@pytest.mark.parametrize("change", [own_uids, all_own_uids])
def test_images_that_each_name_their_own_series_are_put_together(change: Any, tmp_path: Path) -> None:
    pixels = write_series(tmp_path, change=change)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels.transpose(2, 1, 0))
    assert "Each image has its own series UID" in str(volume.meta["warnings"])


def test_images_that_name_no_series_are_grouped_by_number_and_description(tmp_path: Path) -> None:
    def gone(ds: Dataset, n: int) -> None:
        del ds.SeriesInstanceUID

    write_series(tmp_path, SeriesNumber=1, SeriesDescription="t1 sag", change=gone)
    wanted = write_series(tmp_path, count=7, SeriesNumber=2, SeriesDescription="t2 sag", change=gone)
    assert np.array_equal(read_volume(tmp_path).array, wanted.transpose(2, 1, 0))


def test_images_of_several_patients_are_not_put_together(tmp_path: Path) -> None:
    def mixed(ds: Dataset, n: int) -> None:
        all_own_uids(ds, n)
        ds.PatientID = f"patient {n}"

    write_series(tmp_path, change=mixed)
    with pytest.raises(DicomSeriesError, match="has its own series UID"):
        read_volume(tmp_path)


def test_a_localiser_is_known_by_its_planes_and_its_resolution(tmp_path: Path) -> None:
    three = generate_uid()
    for n, axes in enumerate((SAGITTAL, AXIAL, CORONAL)):
        write_series(tmp_path / str(n), count=20, axes=axes, SeriesInstanceUID=three, SeriesDescription="t2 fast")
    coarse = {"PixelSpacing": [1.6, 1.6], "SliceThickness": 8.0}
    write_series(tmp_path / "coarse", count=20, SeriesNumber=2, SeriesDescription="t2 sag quick", **coarse)
    write_series(tmp_path / "fine", SeriesNumber=3, SeriesDescription="t2 tse sag")
    listing = list_study(tmp_path)
    assert listing.chosen is not None and listing.chosen.number == "3", listing.reason
    assert [s.number for s in listing.series if s.localiser] == ["1.1", "1.2", "1.3"]


def test_stations_at_other_heights_are_left_to_the_user_whatever_their_slices(tmp_path: Path) -> None:
    def lower(ds: Dataset, n: int) -> None:
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], 22.0]

    write_series(tmp_path, SeriesNumber=1)
    write_series(tmp_path, count=9, SeriesNumber=2, change=lower)
    listing = list_study(tmp_path)
    assert listing.chosen is None and "1: t2 sag" in listing.reason and "2: t2 sag" in listing.reason


def test_a_stack_that_holds_the_stations_is_the_composed_one(tmp_path: Path) -> None:
    for number, (top, rows) in enumerate(((30.0, 12), (22.0, 12), (30.0, 22)), start=1):

        def change(ds: Dataset, n: int, top: float = top, rows: int = rows) -> None:
            ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], top]
            ds.Rows, ds.PixelData = rows, np.full((rows, ds.Columns), n + 1, np.uint16).tobytes()
            ds.ImageType = ["DERIVED" if rows > 12 else "ORIGINAL", "PRIMARY"]

        write_series(tmp_path, count=6, SeriesNumber=number, change=change)
    listing = list_study(tmp_path)
    assert listing.chosen is not None and listing.chosen.number == "3", listing.reason
    assert "composed images" in listing.reason


def test_acquisitions_shifted_a_little_are_stacks_all_the_same(tmp_path: Path) -> None:
    series, pixels = generate_uid(), []
    for r in range(2):
        places = [4.0 * n + 0.3 * r for n in range(6)]
        pixels.append(write_series(tmp_path / str(r), SeriesInstanceUID=series, places=places, AcquisitionNumber=r))
    for r in range(2):
        assert np.array_equal(read_volume(tmp_path, f"1.{r + 1}").array, pixels[r].transpose(2, 1, 0))


@pytest.mark.parametrize("modality", ["mr", "Mr ", "MRI", "", None])
def test_modality_is_read_however_it_is_spelled(modality: str | None, tmp_path: Path) -> None:
    write_series(tmp_path, change=lambda ds, n: setattr(ds, "Modality", modality))
    volume = read_volume(tmp_path)
    assert volume.meta["modality"] == "MR"
    check_mri(volume)


def test_twins_of_macos_are_neither_images_nor_damaged(tmp_path: Path) -> None:
    write_series(tmp_path / "study")
    twin = bytes.fromhex("00051607000200004d6163204f532058") + bytes(200)
    (tmp_path / "__MACOSX").mkdir()
    for file in list((tmp_path / "study").iterdir()):
        (file.parent / f"._{file.name}").write_bytes(twin)
        (tmp_path / "__MACOSX" / f"._{file.name}").write_bytes(twin)
        (tmp_path / "__MACOSX" / file.name).write_bytes(twin)
    shutil.copy(file, tmp_path / "study" / "._real.dcm")
    (tmp_path / "study" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(300))
    study = read_study(tmp_path)
    assert (len(study.series), len(study.series[0].frames), study.damaged) == (1, 6, 0)


def write_as_is(folder: Path, keyword: str, value: bytes) -> np.ndarray:
    """A series with a value that is none of its kind; returns its pixels."""

    def change(ds: Dataset, n: int) -> None:
        tag = Tag(keyword)
        vr = pydicom.datadict.dictionary_VR(tag)
        ds._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)

    return write_series(folder, change=change)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("InstanceNumber", b"n1"),
        ("SeriesNumber", b"five"),
        ("EchoTime", b"long"),
        ("AcquisitionNumber", b"1 of 2 "),
        ("NumberOfFrames", b"one "),
        ("RescaleSlope", b"no"),
        ("SpacingBetweenSlices", b"x "),
        ("SliceThickness", b"4,0 "),
        ("ImageType", b"original"),
        ("SeriesDescription", b"t2 sag\xff\x07"),
        ("PixelSpacing", b"0,8\\0,6 "),
    ],
)
def test_values_that_are_none_of_their_kind_lose_no_image(keyword: str, value: bytes, tmp_path: Path) -> None:
    pixels = write_as_is(tmp_path, keyword, value)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, pixels.transpose(2, 1, 0))
    np.testing.assert_allclose(volume.spacing, (0.6, 0.8, 4.0))
    assert not volume.meta["warnings"]
