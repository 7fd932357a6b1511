"""The command line on an identified DICOM study: DICOM objects out, and the patient in nothing else."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from SpineMeasureLib.case_folder import earlier_outputs  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from Testing.library.dicom_slices import write_series  # noqa: E402
from Testing.library.dicom_study import IDENTITY, write_study  # noqa: E402

from .test_cli import OUTPUTS, spinemeasure  # noqa: E402

OBJECTS = ["measurements.dcm", "segmentation.dcm"]


@pytest.fixture(scope="module")
def study(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "Mustermann_Erika"
    description = "t2_tse_sag MUSTERMANN PID-4711"
    return write_study(folder, read_volume(sample_folder / "lumbar_t2.nii.gz"), description=description)


@pytest.fixture(scope="module")
def measured(study: Path, sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "out"
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    done = spinemeasure("measure", study, "-o", out, "--labels", labels, "--dicom")
    assert done.returncode == 0, done.stderr
    return out


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder by name, also as it is inside compressed ones."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        yield path.name, data
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path.name}/{name}", archive.read(name)
        elif data[:2] == b"\x1f\x8b":
            yield f"{path.name} unzipped", gzip.decompress(data)


def naming_the_patient(folder: Path) -> dict[str, list[str]]:
    """Files that hold (in content or name) anything of the patient's identity."""
    found = {}
    for name, data in contents(folder):
        words = [
            w for w in IDENTITY if w.lower().encode() in data.lower() or w.encode("utf-16-le") in data or w in name
        ]
        if words:
            found[name] = words
    return found


def test_on_request_a_dicom_study_gets_dicom_objects_of_the_same_study(measured: Path, study: Path) -> None:
    assert sorted(p.name for p in measured.iterdir()) == sorted([*OUTPUTS, *OBJECTS])
    image = pydicom.dcmread(next(study.iterdir()), stop_before_pixels=True)
    for name in OBJECTS:
        made = pydicom.dcmread(measured / name, stop_before_pixels=True)
        assert (made.StudyInstanceUID, made.PatientID) == (image.StudyInstanceUID, image.PatientID)
        assert made.SeriesInstanceUID != image.SeriesInstanceUID


def test_the_patient_is_named_in_the_dicom_objects_alone(measured: Path) -> None:
    assert sorted(naming_the_patient(measured)) == OBJECTS


def test_an_accepted_case_gets_a_verified_report(measured: Path, study: Path, tmp_path: Path) -> None:
    done = spinemeasure("export", "dicom", measured, "--image", study, "-o", tmp_path, "--accepted-by", "Reader^Rosa")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == OBJECTS
    report = pydicom.dcmread(tmp_path / "measurements.dcm")
    assert report.VerificationFlag == "VERIFIED"


def test_a_case_of_another_image_is_refused(measured: Path, sample_folder: Path, tmp_path: Path) -> None:
    plain = read_volume(sample_folder / "lumbar_t2.nii.gz")
    plain.affine[:3, 3] += 20
    other = write_study(tmp_path / "other", plain)
    done = spinemeasure("export", "dicom", measured, "--image", other, "-o", tmp_path / "out")
    assert done.returncode == 19
    assert "was not measured on this image" in done.stderr and "--series" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_report_names_the_patient_only_where_the_user_does(measured: Path, study: Path, tmp_path: Path) -> None:
    done = spinemeasure("export", "report", measured, "--image", study, "-o", tmp_path / "plain")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "plain").iterdir()) == ["report.html", "report.txt"]
    assert not naming_the_patient(tmp_path / "plain")
    field = ("--field", "Patient=Mustermann, Erika")
    done = spinemeasure("export", "report", measured, "--image", study, "-o", tmp_path / "named", *field)
    assert sorted(naming_the_patient(tmp_path / "named")) == ["report.html"]


@pytest.mark.parametrize("layout", ["nnunet", "bids"])
def test_training_data_name_no_patient(layout: str, measured: Path, study: Path, tmp_path: Path) -> None:
    arguments = ("export", "training", measured, "--image", study, "--data", tmp_path / "set", "--format", layout)
    done = spinemeasure(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(list(contents(tmp_path / "set"))) > 4
    assert not naming_the_patient(tmp_path / "set")


def test_a_listing_names_no_patient(study: Path) -> None:
    done = spinemeasure("dicom", "list", study, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["series"][0]["contrast"] == "T2"
    table = spinemeasure("dicom", "list", study)
    assert "t2_tse_sag" in table.stdout
    assert not [word for word in IDENTITY if word in done.stdout + table.stdout]


def test_a_listing_of_several_studies_prints_the_uids_to_choose_by(tmp_path: Path) -> None:
    for number in ("1", "2"):
        write_series(tmp_path / number, StudyInstanceUID=f"1.2.5.{number}", SeriesInstanceUID=f"1.2.6.{number}")
    done = spinemeasure("dicom", "list", tmp_path)
    assert done.returncode == 0, done.stderr
    for number in ("1", "2"):
        assert f"series UID 1.2.6.{number}, study UID 1.2.5.{number}" in done.stdout
    assert spinemeasure("info", tmp_path).returncode == 17
    write_series(tmp_path / "one")
    assert "UID" not in spinemeasure("dicom", "list", tmp_path / "one").stdout


def test_headers_that_the_standard_does_not_allow_lose_nothing(sample_folder: Path, tmp_path: Path) -> None:
    tags = {"PatientSex": "U", "SliceThickness": None, "FrameOfReferenceUID": None}
    odd = write_study(tmp_path / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"), **tags)
    done = spinemeasure(
        "measure", odd, "-o", tmp_path / "out", "--labels", sample_folder / "lumbar_t2_labels.nii.gz", "--dicom"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([*OUTPUTS, *OBJECTS])
    for keyword in tags:
        assert keyword in done.stderr
    assert "pydicom" not in done.stderr and "Traceback" not in done.stderr


def test_unless_asked_for_nothing_names_the_patient(study: Path, sample_folder: Path, tmp_path: Path) -> None:
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    done = spinemeasure("measure", study, "-o", tmp_path / "out", "--labels", labels)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == OUTPUTS
    assert not naming_the_patient(tmp_path / "out")


def test_objects_and_report_with_the_names_of_an_earlier_run_are_removed(
    measured: Path, study: Path, sample_folder: Path, tmp_path: Path
) -> None:
    out, labels = tmp_path / "out", sample_folder / "lumbar_t2_labels.nii.gz"
    shutil.copytree(measured, out)
    assert spinemeasure("export", "report", out, "--image", study).returncode == 0
    assert {*OBJECTS, "report.html"} < set(earlier_outputs(out)) == {p.name for p in out.iterdir()}
    done = spinemeasure("measure", study, "-o", out, "--labels", labels, "--lowest-disc", "L6-S1")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.iterdir()) == OUTPUTS


def test_names_of_image_and_mask_are_in_no_output(sample_folder: Path, tmp_path: Path) -> None:
    image, mask = tmp_path / "Mustermann_Erika.nii.gz", tmp_path / "PID-4711_mask.nii.gz"
    image.write_bytes((sample_folder / "lumbar_t2.nii.gz").read_bytes())
    mask.write_bytes((sample_folder / "lumbar_t2_labels.nii.gz").read_bytes())
    done = spinemeasure("measure", image, "-o", tmp_path / "out", "--labels", mask)
    assert done.returncode == 0, done.stderr
    for layout in ("nnunet", "bids"):
        options = ("--data", tmp_path / layout, "--format", layout)
        assert spinemeasure("export", "training", tmp_path / "out", "--image", image, *options).returncode == 0
        assert not naming_the_patient(tmp_path / layout)
    assert spinemeasure("export", "report", tmp_path / "out", "--image", image).returncode == 0
    assert not naming_the_patient(tmp_path / "out")
