"""DICOM SEG and SR: valid, and read back to the same voxels and numbers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from SpineMeasureLib.anatomy import Code, code_of  # noqa: E402
from SpineMeasureLib.errors import DicomSeriesError  # noqa: E402
from SpineMeasureLib.export.case_files import write_dicom  # noqa: E402
from SpineMeasureLib.export.dicom import codes as dicom_codes  # noqa: E402
from SpineMeasureLib.export.dicom.seg import make_seg  # noqa: E402
from SpineMeasureLib.export.dicom.source import DicomSource, read_source  # noqa: E402
from SpineMeasureLib.export.dicom.sr import make_sr  # noqa: E402
from SpineMeasureLib.grid import on_grid_of  # noqa: E402
from SpineMeasureLib.io.label_file import read_label_file  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from SpineMeasureLib.measure import measure, methods  # noqa: E402
from SpineMeasureLib.measure.definitions import definition  # noqa: E402
from SpineMeasureLib.measure.types import (  # noqa: E402
    MODEL_PROBABILITY,
    WITHIN_TOLERANCE,
    Acceptance,
    Measurement,
)
from SpineMeasureLib.measure.units import UNITS  # noqa: E402
from SpineMeasureLib.segment.labels.by_name import segmentation_from_segments  # noqa: E402

# # noqa: E402
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels  # noqa: E402
from SpineMeasureLib.segmentation import EDITED, SpineSegmentation  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402

from .dicom_study import write_enhanced, write_study  # noqa: E402


@dataclass(frozen=True)
class Sample:
    """The bundled sample as an MR study."""

    study: Path
    volume: Volume
    segmentation: SpineSegmentation
    measurements: list[Measurement]

    @property
    def source(self) -> DicomSource:
        return read_source(self.volume)


@pytest.fixture(scope="module")
def sample(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    study = write_study(tmp_path_factory.mktemp("mr") / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"))
    volume = read_volume(study)
    labels = on_grid_of(volume, read_volume(sample_folder / "lumbar_t2_labels.nii.gz"))
    segmentation = segmentation_from_labels(labels)
    return Sample(study, volume, segmentation, measure(segmentation))


@pytest.fixture(scope="module")
def written(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    write_dicom(folder, sample.volume, sample.segmentation, sample.measurements)
    return folder


def code(item: Any) -> Code:
    return Code(str(item.CodeValue), str(item.CodeMeaning), str(item.CodingSchemeDesignator))


def children(item: Any, kind: str) -> list[Any]:
    return [child for child in item.get("ContentSequence", []) if child.ValueType == kind]


def named(item: Any, kind: str, value: str) -> list[Any]:
    return [child for child in children(item, kind) if child.ConceptNameCodeSequence[0].CodeValue == value]


def groups(report: Any) -> dict[str, Any]:
    """Measurement groups of a report by level."""
    holder = named(report, "CONTAINER", "126010")[0]
    found = named(holder, "CONTAINER", "125007")
    return {named(group, "TEXT", "112039")[0].TextValue: group for group in found}


def numbers(report: Any) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Every NUM with the key of the measurement that its level and method stand for."""
    for level, group in groups(report).items():
        for item in children(group, "NUM"):
            method = named(item, "CODE", "370129005")[0].ConceptCodeSequence[0]
            (key,) = (d.key for d in methods() if d.code == code(method).value)
            yield (level, *key), item


def test_the_segmentation_reads_back_to_the_same_voxels(sample: Sample, written: Path) -> None:
    """With pydicom alone: frames are put back by the image that they refer to."""
    seg = pydicom.dcmread(written / "segmentation.dcm")
    labels = np.zeros_like(sample.segmentation.labels)
    order = {frame.sop_uid: k for k, frame in enumerate(sample.volume.frames)}
    value = {n: s.value for n, s in enumerate(sample.segmentation.structures, start=1)}
    for group, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        image = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        labels[:, :, order[image]][pixels.T > 0] = value[number]
    assert np.array_equal(labels, sample.segmentation.labels)


@pytest.mark.parametrize(
    ("name", "said"),
    [("segmentation.dcm", "is a DICOM SEG .* as --labels"), ("measurements.dcm", "is a DICOM SR .* not an image")],
)
def test_results_given_as_the_image_are_named(name: str, said: str, written: Path, tmp_path: Path) -> None:
    with pytest.raises(DicomSeriesError, match=f"{name} {said}"):
        read_volume(written / name)
    shutil.copy(written / name, tmp_path)
    with pytest.raises(DicomSeriesError, match=said.replace("is", "contains", 1)):
        read_volume(tmp_path)


def test_the_segmentation_given_back_as_labels_has_the_same_structures(
    sample: Sample, sample_folder: Path, written: Path
) -> None:
    for image in (sample.volume, read_volume(sample_folder / "lumbar_t2.nii.gz")):
        file = read_label_file(written / "segmentation.dcm", image)
        again = segmentation_from_segments(file)
        assert np.array_equal(again.labels, on_grid_of(image, sample.segmentation.as_volume()).array)
        assert [s.name for s in again.structures] == [s.name for s in sample.segmentation.structures]
        assert not again.warnings


def test_every_segment_has_its_name_code_and_algorithm(sample: Sample, written: Path) -> None:
    seg = pydicom.dcmread(written / "segmentation.dcm", stop_before_pixels=True)
    for segment, structure in zip(seg.SegmentSequence, sample.segmentation.structures, strict=True):
        assert segment.SegmentLabel == structure.name
        assert code(segment.SegmentedPropertyTypeCodeSequence[0]) == code_of(structure.kind, structure.level)
        assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "Label map given by the user"
    model = replace(sample.segmentation, provenance={"model": "m", "model_version": "2", "model_sha256": "ab" * 32})
    segment = make_seg(model, sample.source).SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "2"
    first, *others = model.structures
    painted = replace(model, structures=(replace(first, flags=(EDITED,)), *others))
    types = [s.SegmentAlgorithmType for s in make_seg(painted, sample.source).SegmentSequence]
    assert types == ["SEMIAUTOMATIC"] + ["AUTOMATIC"] * len(others)


def test_the_report_reads_back_to_the_same_numbers_and_lines(sample: Sample, written: Path) -> None:
    report = pydicom.dcmread(written / "measurements.dcm")
    read = dict(numbers(report))
    wanted = {m.key: m for m in sample.measurements if m.value is not None}
    assert read.keys() == wanted.keys()
    assert len(wanted) > 200
    for key, item in read.items():
        m = wanted[key]
        assert m.value is not None
        measured = item.MeasuredValueSequence[0]
        assert float(measured.NumericValue) == pytest.approx(m.value, abs=5e-5)
        assert code(item.ConceptNameCodeSequence[0]) == definition(m.quantity, m.method).concept
        assert code(measured.MeasurementUnitsCodeSequence[0]) == UNITS[m.unit].code
        lines = children(item, "SCOORD3D")
        assert len(lines) == (m.p1 is not None)
        for line in lines:
            assert line.ReferencedFrameOfReferenceUID == sample.source.frame_of_reference
            ends = np.reshape(line.GraphicData, (2, 3)) * [-1, -1, 1]
            np.testing.assert_allclose(ends, [m.p1, m.p2], atol=1e-4)


def test_a_line_names_the_image_that_it_lies_on(sample: Sample, written: Path) -> None:
    wanted = {m.key: m for m in sample.measurements}
    places = {frame.sop_uid: frame for frame in sample.volume.frames}
    for key, item in numbers(pydicom.dcmread(written / "measurements.dcm")):
        for image in children(item, "IMAGE"):
            frame = places[image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
            p1, p2 = wanted[key].p1, wanted[key].p2
            middle = (np.array(p1) + np.array(p2)) / 2 * [-1, -1, 1]
            assert abs(frame.normal @ (middle - frame.position)) <= sample.volume.spacing[2] / 2 + 0.01


def test_groups_stand_at_coded_sites_and_canal_rows_at_the_canal(written: Path) -> None:
    report = pydicom.dcmread(written / "measurements.dcm")
    site = named(groups(report)["L4-L5"], "CODE", "363698007")[0].ConceptCodeSequence[0]
    assert site.CodeValue == "84020006"
    for (_, quantity, _), item in numbers(report):
        if quantity == "canal_ap":
            assert named(item, "CODE", "363698007")[0].ConceptCodeSequence[0].CodeValue == "61853006"
            assert named(item, "CODE", "SM-BOUNDARY")[0].ConceptCodeSequence[0].CodeMeaning == "Dural sac"


def test_the_report_is_unverified_until_a_person_accepts_it(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    open_report = make_sr(rows, sample.segmentation, sample.source)
    assert (open_report.VerificationFlag, open_report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "VerifyingObserverSequence" not in open_report
    done = make_sr(rows, sample.segmentation, sample.source, reviewer="Reader^Rosa", organization="Ward 3")
    assert make_sr(rows, sample.segmentation, sample.source, reviewer="Reader").VerificationFlag == "VERIFIED"
    assert (done.VerificationFlag, done.PreliminaryFlag) == ("VERIFIED", "FINAL")
    observer = done.VerifyingObserverSequence[0]
    assert (observer.VerifyingObserverName, observer.VerifyingOrganization) == ("Reader^Rosa", "Ward 3")
    assert [str(n.PersonName) for n in children(done, "PNAME")] == ["Reader^Rosa"]


def test_names_keep_their_letters_whatever_the_images_use(sample: Sample, sample_folder: Path, tmp_path: Path) -> None:
    patient, reviewer = "M\u00fcller^J\u00f6rg", "\u0141ukasz^Rosa"
    tags = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": patient}
    volume = read_volume(write_study(tmp_path / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"), **tags))
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    write_dicom(tmp_path, volume, replace(sample.segmentation, affine=volume.affine), rows, reviewer)
    seg, report = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("segmentation", "measurements"))
    assert (seg.PatientName, report.PatientName) == (patient, patient)
    assert (seg.ContentCreatorName, report.VerifyingObserverSequence[0].VerifyingObserverName) == (reviewer, reviewer)


def test_a_study_in_japanese_letters_gets_its_objects(sample: Sample, sample_folder: Path, tmp_path: Path) -> None:
    patient = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"
    tags = {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": patient}
    volume = read_volume(write_study(tmp_path / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"), **tags))
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    write_dicom(tmp_path, volume, replace(sample.segmentation, affine=volume.affine), rows)
    for name in ("segmentation", "measurements"):
        assert pydicom.dcmread(tmp_path / f"{name}.dcm").PatientName == patient


def test_old_spellings_of_dates_and_times_are_taken(sample: Sample, sample_folder: Path, tmp_path: Path) -> None:
    tags = {"StudyDate": "2024.03.01", "StudyTime": "10:15:00", "PatientBirthDate": "1964"}
    source = read_source(read_volume(write_study(tmp_path, read_volume(sample_folder / "lumbar_t2.nii.gz"), **tags)))
    seg = make_seg(sample.segmentation, source)
    assert (seg.StudyDate, seg.StudyTime) == ("20240301", "101500")
    assert not seg.PatientBirthDate


def test_an_enhanced_image_with_a_frame_that_lies_nowhere_is_refused(sample_folder: Path, tmp_path: Path) -> None:
    plain = read_volume(sample_folder / "lumbar_t2.nii.gz")
    path = write_enhanced(tmp_path, plain, list(range(plain.array.shape[0])))
    image = pydicom.dcmread(path)
    del image.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    image.save_as(path)
    with pytest.raises(DicomSeriesError, match="have no position"):
        read_source(read_volume(path))


def test_an_edited_value_tells_the_automatic_one_and_is_chosen_by_a_person(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    automatic = next(m for m in rows if m.quantity == "disc_height_middle")
    assert automatic.value is not None
    edited = replace(automatic, value=automatic.value + 1, source="edited", automatic=automatic).flagged("edited")
    report = make_sr([edited if m is automatic else m for m in rows], sample.segmentation, sample.source)
    read = dict(numbers(report))
    item = read[edited.key]
    assert named(item, "CODE", "121404")[0].ConceptCodeSequence[0].CodeValue == "121410"
    before = named(item, "NUM", "SM-AUTO")[0].MeasuredValueSequence[0].NumericValue
    assert float(before) == pytest.approx(automatic.value, abs=5e-5)
    assert not named(item, "TEXT", "111001")  # no algorithm made it
    assert named(read["L4-L5", "disc_height_anterior", "chord10"], "TEXT", "111001")
    assert "Edited by hand" in [f.ConceptCodeSequence[0].CodeMeaning for f in named(item, "CODE", "SM-FLAG")]


def test_an_edited_height_between_edges_says_which_ends_snapped(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    plain = next(m for m in rows if m.quantity == "disc_height_middle" and m.p1 is not None)
    automatic = replace(plain, method="endplate50")
    p1 = (automatic.p1[0], automatic.p1[1], automatic.p1[2] + 1)
    edited = replace(automatic, p1=p1, source="edited", automatic=automatic, snapped=("p1",))
    free = replace(edited, quantity="disc_height_anterior", method="endplate10", snapped=())
    read = dict(numbers(make_sr([edited, free, plain], sample.segmentation, sample.source)))
    said = {key[2]: [item.TextValue for item in named(read[key], "TEXT", "SM-PLACED")] for key in read}
    assert said == {
        "endplate50": ["upper end snapped to an edge of the image"], "endplate10": ["upper end placed freely"],
        plain.method: [],
    }  # fmt: skip


def test_edited_and_accepted_are_two_things_and_only_acceptance_of_the_case_verifies(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5" and m.value is not None]
    time = "2026-03-01T10:15:00+00:00"
    edited = replace(rows[0], source="edited", automatic=rows[0])
    accepted = replace(rows[1], accepted=Acceptance("Reader^Rosa", time))
    report = make_sr([edited, accepted, *rows[2:]], sample.segmentation, sample.source)
    assert report.VerificationFlag == "UNVERIFIED"
    read = dict(numbers(report))
    for m, chosen, accepts in ((edited, True, False), (accepted, False, True), (rows[2], False, False)):
        assert bool(named(read[m.key], "CODE", "121404")) is chosen
        assert bool(named(read[m.key], "CODE", "SM-ACCEPT")) is accepts
    (acceptance,) = named(read[accepted.key], "CODE", "SM-ACCEPT")
    assert named(acceptance, "PNAME", "121008")[0].PersonName == "Reader^Rosa"
    assert str(named(acceptance, "DATETIME", "SM-ACCEPT-AT")[0].DateTime).startswith("20260301101500")
    case = [replace(m, accepted=Acceptance("Reader^Rosa", time)) for m in (edited, *rows[1:])]
    whole = make_sr(case, sample.segmentation, sample.source)
    assert (whole.VerificationFlag, whole.PreliminaryFlag) == ("VERIFIED", "FINAL")
    assert whole.VerifyingObserverSequence[0].VerifyingObserverName == "Reader^Rosa"
    for others in ([*case[:-1], rows[-1]], [*case[:-1], replace(rows[-1], accepted=Acceptance("Else", time))]):
        assert make_sr(others, sample.segmentation, sample.source).VerificationFlag == "UNVERIFIED"
    unnamed = [replace(m, accepted=Acceptance("", "")) for m in rows]
    assert make_sr(unnamed, sample.segmentation, sample.source).VerificationFlag == "UNVERIFIED"


def test_each_kind_of_confidence_has_its_own_code(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5" and m.value is not None][:4]
    calibrated = replace(rows[0], confidence=0.91, confidence_kind=WITHIN_TOLERANCE, confidence_tolerance=2.0)
    mean = replace(rows[1], confidence=0.97, confidence_kind=MODEL_PROBABILITY)
    unknown = replace(rows[2], confidence=0.9)
    read = dict(numbers(make_sr([calibrated, mean, unknown, rows[3]], sample.segmentation, sample.source)))

    def stated(m: Measurement) -> dict[str, float]:
        codes = ("SM-PROB", "SM-CONF", "SM-TOL")
        found = {code: named(read[m.key], "NUM", code) for code in codes}
        return {code: float(items[0].MeasuredValueSequence[0].NumericValue) for code, items in found.items() if items}

    assert stated(calibrated) == {"SM-PROB": 0.91, "SM-TOL": 2.0}
    assert stated(mean) == {"SM-CONF": 0.97}
    assert stated(unknown) == stated(rows[3]) == {}


def test_what_could_not_be_measured_is_said_with_the_reason(sample: Sample) -> None:
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    gone = replace(rows[0], value=None, p1=None, p2=None, note="cut off").flagged("not_measurable")
    group = groups(make_sr([gone, *rows[1:]], sample.segmentation, sample.source))["L4-L5"]
    method = dicom_codes.method_code(*gone.key[1:], gone.level)
    (failure,) = named(group, "CODE", method.value)
    assert failure.ConceptCodeSequence[0].CodeValue == "114006"
    assert named(failure, "TEXT", "121106")[0].TextValue == "cut off"


def test_an_enhanced_image_is_referred_to_by_frame(sample: Sample, sample_folder: Path, tmp_path: Path) -> None:
    plain = read_volume(sample_folder / "lumbar_t2.nii.gz")
    order = [int(n) for n in np.random.default_rng(2).permutation(plain.array.shape[0])]
    volume = read_volume(write_enhanced(tmp_path, plain, order))
    assert np.array_equal(volume.array, sample.volume.array)
    segmentation = replace(sample.segmentation, affine=volume.affine)
    source = read_source(volume)
    seg = make_seg(segmentation, source)
    value = {n: s.value for n, s in enumerate(segmentation.structures, start=1)}
    place = {number: k for k, number in enumerate(source.frame_numbers)}
    labels = np.zeros_like(segmentation.labels)
    for group, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        frame = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        labels[:, :, place[int(frame)]][pixels.T > 0] = value[number]
    assert np.array_equal(labels, segmentation.labels)
    rows = [m for m in sample.measurements if m.level == "L4-L5"]
    for _, item in numbers(make_sr(rows, segmentation, source, seg=seg)):
        for image in children(item, "IMAGE"):
            assert 1 <= int(image.ReferencedSOPSequence[0].ReferencedFrameNumber) <= len(order)


def test_images_without_frame_of_reference_get_one_with_a_warning(
    sample: Sample, sample_folder: Path, tmp_path: Path
) -> None:
    study = write_study(tmp_path, read_volume(sample_folder / "lumbar_t2.nii.gz"), FrameOfReferenceUID=None)
    source = read_source(read_volume(study))
    assert "FrameOfReferenceUID" in str(source.warnings)
    assert make_seg(sample.segmentation, source).FrameOfReferenceUID == source.frame_of_reference
    assert read_source(read_volume(study)).frame_of_reference == source.frame_of_reference


def test_an_image_that_is_not_dicom_is_refused(sample_folder: Path) -> None:
    with pytest.raises(DicomSeriesError, match="not read from DICOM"):
        read_source(read_volume(sample_folder / "lumbar_t2.nii.gz"))


def test_images_that_lack_patient_attributes_are_taken(sample: Sample, sample_folder: Path, tmp_path: Path) -> None:
    gone: dict[str, Any] = dict.fromkeys(("PatientBirthDate", "StudyID", "AccessionNumber", "ReferringPhysicianName"))
    volume = read_volume(write_study(tmp_path, read_volume(sample_folder / "lumbar_t2.nii.gz"), **gone))
    source = read_source(volume)
    seg = make_seg(sample.segmentation, source)
    report = make_sr(sample.measurements[:3], sample.segmentation, source, seg=seg)
    assert not seg.StudyID and not report.PatientBirthDate


def test_every_definition_has_codes_of_its_own() -> None:
    levels = {"disc": "L4-L5", "body": "L4", "region": "L1-S1"}
    made = [dicom_codes.method_code(*d.key, levels[d.at]) for d in methods()]
    assert len({c.value for c in made}) == len(made)
    assert len({c.meaning for c in made}) == len(made)
    for c, d in zip(made, methods(), strict=True):
        assert c.value == d.code and d.unit in UNITS
        for one in (c, d.concept):
            assert len(one.value) <= 16
            assert len(one.meaning) <= 64


def test_the_manual_lists_the_private_codes() -> None:
    manual = Path(__file__).resolve().parents[2] / "docs" / "dicom.md"
    assert dicom_codes.code_table() in manual.read_text()


def test_standard_codes_are_those_of_the_standard() -> None:
    from pydicom.sr._concepts_dict import concepts

    known = {(scheme, value) for scheme in concepts for entries in concepts[scheme].values() for value in entries}
    for value in (*vars(dicom_codes).values(), *(d.concept for d in methods())):
        if isinstance(value, Code) and value.scheme in ("SCT", "DCM", "LN"):
            assert (value.scheme, value.value) in known, value


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="no dicom3tools: apt-get install dicom3tools")
def test_dicom3tools_finds_no_error(sample: Sample, written: Path) -> None:
    files = [written / "segmentation.dcm", written / "measurements.dcm"]
    for file in files:
        done = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        # The tool knows no private coding scheme, which is a warning.
        assert [line for line in lines if "<99SPINEMEASURE>" not in line] in (["Segmentation"], ["Comprehensive3DSR"])
        assert done.returncode == 0
    everything = [*sorted(sample.study.iterdir()), *files]
    done = subprocess.run(["dcentvfy", *map(str, everything)], capture_output=True, text=True, check=False)
    assert "Error" not in done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(not shutil.which("dsrdump"), reason="no DCMTK: apt-get install dcmtk")
def test_dcmtk_reads_the_report_without_complaint(written: Path) -> None:
    command = ["dsrdump", str(written / "measurements.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert not [line for line in done.stderr.splitlines() if line.startswith(("E:", "F:"))]
    assert "Imaging Measurement Report" in done.stdout
