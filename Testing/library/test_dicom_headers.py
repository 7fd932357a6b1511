"""Attributes that the standard does not allow: pixels are read, and SEG and SR are valid without them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from pydicom.dataelem import RawDataElement  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.tag import Tag  # noqa: E402

from SpineMeasureLib import pipeline  # noqa: E402
from SpineMeasureLib.export.case_files import write_dicom  # noqa: E402
from SpineMeasureLib.export.dicom import seg as dicom_seg  # noqa: E402
from SpineMeasureLib.export.dicom import sr as dicom_sr  # noqa: E402
from SpineMeasureLib.export.dicom.source import read_source  # noqa: E402
from SpineMeasureLib.export.dicom.values import corrected  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from SpineMeasureLib.io.write import write_volume  # noqa: E402
from SpineMeasureLib.measure import measure  # noqa: E402
from SpineMeasureLib.measure.types import Measurement  # noqa: E402
from SpineMeasureLib.phantom import Grid, lumbar, voxelise  # noqa: E402
from SpineMeasureLib.pipeline import Job  # noqa: E402
from SpineMeasureLib.segmentation import SpineSegmentation  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402

from .dicom_study import write_enhanced, write_study  # noqa: E402

OBJECTS = ("segmentation.dcm", "measurements.dcm")


@dataclass(frozen=True)
class Spine:
    """A small spine whose image is a study, its labels and values."""

    volume: Volume
    segmentation: SpineSegmentation
    measurements: list[Measurement]


@pytest.fixture(scope="module")
def spine() -> Spine:
    segmentation = voxelise(lumbar(upper="L4"), Grid((4.0, 1.5, 1.5)))
    segmentation = replace(segmentation, provenance={"labels": "given by the user"})
    image = Volume(segmentation.labels.astype(np.uint16) * 10, segmentation.affine)
    return Spine(image, segmentation, measure(segmentation))


def put(keyword: str, value: bytes | str) -> Callable[[Dataset, int], None]:
    """Writes a value into a header as it is, whatever the standard says."""

    def change(ds: Dataset, n: int) -> None:
        tag = Tag(keyword)
        data = value if isinstance(value, bytes) else value.encode()
        data += b" " * (len(data) % 2)
        ds._dict[tag] = RawDataElement(tag, pydicom.datadict.dictionary_VR(tag), len(data), data, 0, False, True)

    return change


def drop(*keywords: str) -> Callable[[Dataset, int], None]:
    def change(ds: Dataset, n: int) -> None:
        for keyword in keywords:
            ds.pop(keyword, None)
            ds.file_meta.pop(f"MediaStorage{keyword}", None)

    return change


def hashed(ds: Dataset, n: int) -> None:
    put("SOPInstanceUID", f"f00{n}ba")(ds, n)
    ds.file_meta.pop("MediaStorageSOPInstanceUID")


def tilted(ds: Dataset, n: int) -> None:
    ds.ImageOrientationPatient = [float(x) + 1e-6 * n for x in ds.ImageOrientationPatient]


def half_a_code(ds: Dataset, n: int) -> None:
    item = Dataset()
    item.CodeValue = "X"
    ds.ProcedureCodeSequence = [item]


def private(ds: Dataset, n: int) -> None:
    ds.add_new(0x00111002, "UN", b"\xff\0" * 40)


#: What is wrong, and the attribute that the warning names (none: nothing is lost).
KINDS: dict[str, tuple[Callable[[Dataset, int], None], str]] = {
    "sex U": (put("PatientSex", "U"), "PatientSex"),
    "sex Male": (put("PatientSex", "Male"), "PatientSex"),
    "birth date 00000000": (put("PatientBirthDate", "00000000"), "PatientBirthDate"),
    "30 February": (put("StudyDate", "20250230"), "StudyDate"),
    "25 o'clock": (put("StudyTime", "256199"), "StudyTime"),
    "age 045": (put("PatientAge", "045"), "PatientAge"),
    "age in words": (put("PatientAge", "45 years"), "PatientAge"),
    "name of two values": (put("PatientName", "Doe^Jane\\Roe^Jane"), "PatientName"),
    "long name": (put("PatientName", "X" * 90), "PatientName"),
    "name with control characters": (put("PatientName", "Doe\x07\n^Jane"), "PatientName"),
    "name in another alphabet": (put("PatientName", b"D\xf6e\xff^Jane"), "PatientName"),
    "unknown character set": (put("SpecificCharacterSet", "UTF-8"), ""),
    "study UID with letters": (put("StudyInstanceUID", "ab.12"), "StudyInstanceUID"),
    "image UIDs with letters": (hashed, "SOPInstanceUID"),
    "image UIDs all the same": (put("SOPInstanceUID", "1.2.3"), "SOPInstanceUID"),
    "no UIDs": (drop("StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"), "SOPInstanceUID"),
    "no series UID": (drop("SeriesInstanceUID"), "SeriesInstanceUID"),
    "no SOP class": (drop("SOPClassUID"), "SOPClassUID"),
    "hashed SOP class": (put("SOPClassUID", "057038410156434525"), "SOPClassUID"),
    "no thickness": (drop("SliceThickness"), "SliceThickness"),
    "thickness in words": (put("SliceThickness", "thick"), "SliceThickness"),
    "spacing in words": (put("SpacingBetweenSlices", "x"), ""),
    "nothing of the study": (drop("StudyID", "StudyDate", "AccessionNumber", "PatientID", "Modality"), "StudyID"),
    "long texts": (put("StudyID", "S" * 40), "StudyID"),
    "weight with a unit": (put("PatientWeight", "70kg"), "PatientWeight"),
    "long number": (put("PatientSize", "1.70000000000000000001"), "PatientSize"),
    "series number in words": (put("SeriesNumber", "five"), ""),
    "identity removed, no method": (put("PatientIdentityRemoved", "YES"), ""),
    "half a trial": (put("ClinicalTrialSubjectID", "7"), "ClinicalTrialSubjectID"),
    "half a code": (half_a_code, "ProcedureCodeSequence"),
    "private attributes": (private, ""),
    "tilted by rounding": (tilted, ""),
}


def write_changed(folder: Path, volume: Volume, change: Callable[[Dataset, int], None]) -> Path:
    write_study(folder, volume)
    for n, file in enumerate(sorted(folder.iterdir())):
        ds = pydicom.dcmread(file)
        change(ds, n)
        ds.save_as(file)
    return folder


def complaints(file: Path) -> list[str]:
    """Errors that dicom3tools finds; warnings are of values that may be empty."""
    done = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_valid_whatever_the_images_say(
    kind: str, spine: Spine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, named = KINDS[kind]
    volume = read_volume(write_changed(tmp_path / "study", spine.volume, change))
    rows = [m for m in spine.measurements if m.quantity == "disc_height_middle"]
    capfd.readouterr()
    warnings = write_dicom(tmp_path, volume, on_grid(spine.segmentation, volume), rows)
    assert capfd.readouterr() == ("", "")
    assert (named in " ".join(warnings)) if named else not warnings
    assert "Jane" not in " ".join(warnings)
    seg, report = (pydicom.dcmread(tmp_path / name) for name in OBJECTS)
    assert float(seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness) == 4.0
    assert seg.StudyInstanceUID == report.StudyInstanceUID
    assert (
        len({str(i.ReferencedSOPInstanceUID) for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}) > 3
    )
    if shutil.which("dciodvfy"):
        assert not [line for name in OBJECTS for line in complaints(tmp_path / name)]


def test_an_enhanced_image_whose_frames_each_hold_their_geometry_gets_objects(spine: Spine, tmp_path: Path) -> None:
    """Without thickness, and with attributes that are not allowed."""
    file = write_enhanced(tmp_path / "study", spine.volume, list(range(spine.volume.array.shape[0])))
    ds = pydicom.dcmread(file)
    shared = ds.SharedFunctionalGroupsSequence[0]
    del shared.PixelMeasuresSequence[0].SliceThickness
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PixelMeasuresSequence = shared.PixelMeasuresSequence
        group.PlaneOrientationSequence = shared.PlaneOrientationSequence
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    put("PatientSex", "D")(ds, 0)
    ds.save_as(file)
    volume = read_volume(file)
    warnings = " ".join(write_dicom(tmp_path, volume, on_grid(spine.segmentation, volume), spine.measurements[:2]))
    assert "SliceThickness" in warnings and "PatientSex" in warnings
    if shutil.which("dciodvfy"):
        assert not [line for name in OBJECTS for line in complaints(tmp_path / name)]


def test_images_of_two_studies_without_uids_get_different_ones(spine: Spine, tmp_path: Path) -> None:
    change = drop("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    brighter = Volume(spine.volume.array + np.uint16(1), spine.volume.affine)
    volumes = [
        read_volume(write_changed(tmp_path / str(n), volume, change))
        for n, volume in enumerate((spine.volume, brighter))
    ]
    studies = {str(read_source(volume).images[0].StudyInstanceUID) for volume in (*volumes, volumes[0])}
    assert len(studies) == 2


def on_grid(segmentation: SpineSegmentation, volume: Volume) -> SpineSegmentation:
    from SpineMeasureLib.segmentation import segmentation_on

    return segmentation_on(volume, segmentation)


@pytest.mark.parametrize("broken", ["make_seg", "make_sr", "both"])
def test_what_no_one_expected_costs_an_object_and_no_result(
    broken: str, spine: Spine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the library that makes the objects, whose text quotes the patient."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AttributeError("Doe^Jane")

    for module, name in ((dicom_seg, "make_seg"), (dicom_sr, "make_sr")):
        if broken in (name, "both"):
            monkeypatch.setattr(module, name, fail)
    study = write_study(tmp_path / "study", spine.volume)
    write_volume(spine.segmentation.as_volume(), tmp_path / "labels.nii.gz")
    job = Job(study, tmp_path / "out", tmp_path / "labels.nii.gz", picture=False, scene=False, dicom=True)
    result = pipeline.run(job)
    lost = OBJECTS if broken == "both" else (OBJECTS[broken == "make_sr"],)
    assert {"measurements.csv", "labels.nii.gz", "run.json"} <= set(result.files)
    told = " ".join(json.loads((tmp_path / "out" / "run.json").read_text())["warnings"])
    assert "Doe" not in told and "AttributeError" in told
    for name in OBJECTS:
        assert (name in result.files) is (name not in lost), name


@pytest.mark.parametrize(
    ("keyword", "vr", "text", "wanted"),
    [
        ("PatientSex", "CS", "f", "F"),
        ("PatientSex", "CS", "D", None),
        ("PatientBirthDate", "DA", "1950-02-03", "19500203"),
        ("PatientBirthDate", "DA", "1950.02.03", "19500203"),
        ("PatientBirthDate", "DA", "1950", None),
        ("PatientBirthDate", "DA", "19500001", None),
        ("StudyTime", "TM", "10:15:00", "101500"),
        ("StudyTime", "TM", "101500.12345678", "101500.123456"),
        ("StudyTime", "TM", "9", None),
        ("PatientAge", "AS", "45Y", "045Y"),
        ("PatientAge", "AS", "3 months", "003M"),
        ("PatientAge", "AS", "045", None),
        ("PatientWeight", "DS", "70,5", "70.5"),
        ("PatientWeight", "DS", "nan", None),
        ("SeriesNumber", "IS", "5.0", "5"),
        ("PatientName", "PN", "a^b^c^d^e^f=x=y=z", "a^b^c^d^e=x=y"),
        ("StudyID", "SH", " 7\0", "7"),
        ("StudyInstanceUID", "UI", "1.02.3", None),
        ("StudyInstanceUID", "UI", "1.2.3", "1.2.3"),
    ],
)
def test_a_value_is_corrected_or_refused(keyword: str, vr: str, text: str, wanted: str | None) -> None:
    assert corrected(keyword, vr, text) == wanted
