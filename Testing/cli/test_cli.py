"""The command line as a user meets it: real processes, real files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.case_folder import earlier_outputs, read_results
from SpineMeasureLib.child import command, first_line, measure_job
from SpineMeasureLib.errors import InputNotFoundError, OutputError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.volume import Volume

COLUMNS = (
    "case_id,level,quantity,method,value,unit,boundary,source,automatic_value,snapped,accepted,reviewer,accepted_time,"
    "flags,note,p1_r,p1_a,p1_s,p2_r,p2_a,p2_s,confidence,confidence_kind,confidence_tolerance,repeatability,"
    "reference_mean,reference_sd,reference_source,shown_first"
)
OUTPUTS = [
    "labels.json",
    "labels.nii.gz",
    "measurements.csv",
    "measurements.json",
    "overview.png",
    "run.json",
    "scene.mrb",
    "segmentation.seg.nrrd",
]


def spinemeasure(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "SpineMeasureLib.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"})


@pytest.fixture(scope="module")
def measured(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The sample measured from its own labels: output folder and what was printed."""
    out = tmp_path_factory.mktemp("cli") / "out"
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    done = spinemeasure("measure", sample_folder / "lumbar_t2.nii.gz", "-o", out, "--labels", labels)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_every_output_is_written_and_nothing_else(measured: tuple[Path, str]) -> None:
    out, printed = measured
    assert sorted(p.name for p in out.iterdir()) == OUTPUTS
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert "L4-L5" in printed


def test_table_has_the_promised_columns_and_true_values(measured: tuple[Path, str], sample_folder: Path) -> None:
    text = (measured[0] / "measurements.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = {(r["level"], r["quantity"], r["method"]): r for r in csv.DictReader(text.splitlines())}
    truth = json.loads((sample_folder / "lumbar_t2_truth.json").read_text())["values"]
    errors = [
        abs(float(rows[v["level"], v["quantity"], v["method"]]["value"]) - v["value"])
        for v in truth
        if v["quantity"].startswith("disc_height")
    ]
    assert len(errors) == 21
    assert max(errors) < 0.5
    assert np.mean(errors) < 0.2


def test_lines_are_as_long_as_their_values(measured: tuple[Path, str]) -> None:
    rows = list(csv.DictReader((measured[0] / "measurements.csv").read_text().splitlines()))
    lines = [r for r in rows if r["p1_r"] and r["unit"] == "mm"]
    assert len(lines) > 60
    for r in lines:
        ends = np.array([[float(r[f"p{n}_{c}"]) for c in "ras"] for n in (1, 2)])
        assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(abs(float(r["value"])), abs=0.002)


def test_labels_lie_on_the_voxels_of_the_image(measured: tuple[Path, str], sample_folder: Path) -> None:
    labels, image = read_volume(measured[0] / "labels.nii.gz"), read_volume(sample_folder / "lumbar_t2.nii.gz")
    assert labels.array.shape == image.array.shape
    np.testing.assert_allclose(labels.affine, image.affine, atol=1e-4)
    named = json.loads((measured[0] / "labels.json").read_text())["labels"]
    assert {int(v) for v in named} == set(np.unique(labels.array)) - {0}


def test_run_information_names_versions_and_seconds(measured: tuple[Path, str]) -> None:
    run = json.loads((measured[0] / "run.json").read_text())
    assert {"read", "segment", "measure", "write"} <= set(run["seconds"])
    assert run["versions"]["spinemeasure"]
    assert str(measured[0].parent) not in json.dumps(run)


def test_measuring_our_own_labels_again_gives_the_same_values(
    measured: tuple[Path, str], sample_folder: Path, tmp_path: Path
) -> None:
    job = Job(sample_folder / "lumbar_t2.nii.gz", tmp_path, measured[0] / "labels.nii.gz", scene=False, picture=False)
    run(job)
    assert (tmp_path / "measurements.csv").read_text() == (measured[0] / "measurements.csv").read_text()


@pytest.fixture(scope="module")
def renamed(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The sample with its lowest disc named L6-S1: output folder and the JSON lines that were printed."""
    out, labels = tmp_path_factory.mktemp("cli") / "out", sample_folder / "lumbar_t2_labels.nii.gz"
    options = ("--labels", labels, "--lowest-disc", "L6-S1", "--json-progress")
    done = spinemeasure("measure", sample_folder / "lumbar_t2.nii.gz", "-o", out, *options)
    assert done.returncode == 0, done.stderr
    return out, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_lowest_disc_named_by_the_user_renames_all_rows(renamed: tuple[Path, object]) -> None:
    levels = {r["level"] for r in csv.DictReader((renamed[0] / "measurements.csv").read_text().splitlines())}
    assert {"L6-S1", "L5-L6", "T12-L1"} <= levels
    assert "L5-S1" not in levels


def test_json_progress_ends_in_a_result(renamed: tuple[Path, list[dict[str, Any]]]) -> None:
    *updates, last = renamed[1]
    assert updates and all(set(line) == {"stage", "fraction", "message"} for line in updates)
    assert "scene.mrb" in last["result"]["files"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.nii.gz"], 10, "There is no file"),
        (["{labels}", "--labels", "nowhere.nii.gz"], 10, "There is no file"),
        (["{image}", "--labels", "{other}"], 19, "does not match the image grid"),
        (["{image}", "--labels", "{labels}", "--lowest-disc", "L9-S1"], 34, "not a valid disc level"),
        (["{image}", "--labels", "{empty}"], 33, "empty"),
    ],
)
def test_bad_calls_end_in_one_sentence_and_their_code(
    arguments: list[str], code: int, words: str, sample_folder: Path, tmp_path: Path
) -> None:
    labels = read_volume(sample_folder / "lumbar_t2_labels.nii.gz")
    write_volume(Volume(labels.array * 0, labels.affine), tmp_path / "empty.nii.gz")
    moved = labels.affine.copy()
    moved[0, 3] += 3
    write_volume(Volume(labels.array, moved), tmp_path / "other.nii.gz")
    places = {
        "image": sample_folder / "lumbar_t2.nii.gz",
        "labels": sample_folder / "lumbar_t2_labels.nii.gz",
        "other": tmp_path / "other.nii.gz",
        "empty": tmp_path / "empty.nii.gz",
    }
    out = tmp_path / "out"
    done = spinemeasure("measure", *(a.format(**places) for a in arguments), "-o", out)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not out.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8_end_in_one_sentence(sample_folder: Path, tmp_path: Path) -> None:
    image, labels = sample_folder / "lumbar_t2.nii.gz", sample_folder / "lumbar_t2_labels.nii.gz"
    patient = tmp_path / "M\udcfcller"
    patient.mkdir()
    shutil.copy(image, patient / "x.nii.gz")
    for call, code in (
        (("measure", patient / "x.nii.gz", "--labels", labels, "-o", tmp_path / "out"), 11),
        (("measure", image, "--labels", patient / "x.nii.gz", "-o", tmp_path / "out"), 11),
        (("measure", image, "--labels", labels, "-o", patient / "out"), 40),
        (("export", "report", patient, "--image", image), 10),
        (("dicom", "list", patient), 17),
    ):
        done = spinemeasure(*call)
        assert done.returncode == code, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "M?ller" in done.stderr
    assert [p.name for p in patient.iterdir()] == ["x.nii.gz"]
    assert not (tmp_path / "out").exists()


def test_a_failing_run_keeps_the_earlier_results(measured: tuple[Path, str], sample_folder: Path) -> None:
    before = (measured[0] / "measurements.csv").read_bytes()
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    done = spinemeasure("measure", labels, "-o", measured[0], "--labels", "nowhere.nii")
    assert done.returncode == 10
    assert (measured[0] / "measurements.csv").read_bytes() == before


EXPORTED = ["measurements.dcm", "report.html", "report.pdf", "report.txt", "segmentation.dcm"]


@pytest.mark.parametrize("page", [True, False], ids=["of an earlier page", "of somebody else"])
def test_a_report_without_pdf_removes_the_pdf_of_an_earlier_page_alone(
    page: bool, measured: tuple[Path, str], sample_folder: Path, tmp_path: Path
) -> None:
    for name in ("report.pdf", "report.html")[: 1 + page]:
        (tmp_path / name).write_text("earlier")
    image = sample_folder / "lumbar_t2.nii.gz"
    done = spinemeasure("export", "report", measured[0], "--image", image, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.pdf").exists() is not page


@pytest.fixture
def earlier(measured: tuple[Path, str], tmp_path: Path) -> Path:
    """A measured and exported case in whose folder somebody keeps files of their own."""
    out = tmp_path / "earlier"
    shutil.copytree(measured[0], out)
    for name in (*EXPORTED, "notes.txt", "other.dcm"):
        (out / name).write_text("earlier")
    (out / "own").mkdir()
    return out


@pytest.mark.parametrize("is_measured", [True, False], ids=["measure", "segment"])
def test_a_new_run_removes_what_an_earlier_one_left_and_nothing_else(
    is_measured: bool, earlier: Path, sample_folder: Path
) -> None:
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    job = Job(sample_folder / "lumbar_t2.nii.gz", earlier, labels, lowest_disc="L6-S1", measure=is_measured)
    written = run(replace(job, scene=False, picture=False)).files
    assert sorted(p.name for p in earlier.iterdir()) == sorted([*written, "notes.txt", "other.dcm", "own"])
    assert ("measurements.csv" in written) == is_measured
    if not is_measured:
        with pytest.raises(InputNotFoundError, match=r"There is no measurements\.json"):
            read_results(earlier)


def test_a_run_does_not_remove_the_mask_that_it_was_made_from(earlier: Path, sample_folder: Path) -> None:
    mask = earlier / "segmentation.seg.nrrd"
    write_volume(read_volume(sample_folder / "lumbar_t2_labels.nii.gz"), mask)
    run(Job(sample_folder / "lumbar_t2.nii.gz", earlier, mask, scene=False, picture=False))
    assert mask.exists() and not (earlier / "scene.mrb").exists()


@pytest.mark.parametrize("run_json", [None, "{}", "[]", "not JSON", '{"versions": {"other": 1}}'])
def test_a_folder_in_which_this_program_never_ran_loses_no_file(run_json: str | None, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_text("of the radiologist")
    if run_json is not None:
        (tmp_path / "run.json").write_text(run_json)
    assert earlier_outputs(tmp_path) == []


def test_a_failing_run_removes_nothing(earlier: Path, sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(p.name for p in earlier.iterdir())
    monkeypatch.setattr("SpineMeasureLib.pipeline.write_run", disk_is_full)
    job = Job(sample_folder / "lumbar_t2.nii.gz", earlier, sample_folder / "lumbar_t2_labels.nii.gz", scene=False)
    with pytest.raises(OutputError):
        run(replace(job, picture=False))
    assert sorted(p.name for p in earlier.iterdir()) == before


def disk_is_full(*arguments: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
@pytest.mark.parametrize("stage", ["measure", "write"])
def test_a_terminated_run_leaves_nothing(stage: str, sample_folder: Path, tmp_path: Path) -> None:
    image, labels = (sample_folder / name for name in ("lumbar_t2.nii.gz", "lumbar_t2_labels.nii.gz"))
    job = {**measure_job(image, tmp_path / "out", labels=labels, picture=True), "scene": True}
    child = subprocess.Popen(command(sys.executable), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin and child.stdout
    child.stdin.write(first_line(job).decode())
    child.stdin.flush()
    for line in child.stdout:
        if json.loads(line)["stage"] == stage:
            child.send_signal(signal.SIGTERM)
            break
    rest = child.stdout.read().splitlines()
    assert child.wait(timeout=60) == 130
    assert json.loads(rest[-1])["error"]["type"] == "CancelledError"
    time.sleep(0.2)
    assert list(tmp_path.iterdir()) == []


def test_the_data_dictionary_describes_what_is_written(measured: tuple[Path, str]) -> None:
    done = spinemeasure("methods", "--json")
    assert done.returncode == 0, done.stderr
    known = json.loads(done.stdout)
    with (measured[0] / "measurements.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert [c["name"] for c in known["columns"]] == reader.fieldnames
    for column in known["columns"]:
        assert column["meaning"] and (column["unit"] != "") == (column["type"] == "number"), column
        cells = {row[column["name"]] for row in rows} - {""}
        if column["type"] == "number":
            assert all(np.isfinite(float(cell)) for cell in cells), column
        elif column["type"] == "boolean":
            assert cells <= {"true", "false"}
    quantities = {(q["quantity"], q["method"]): q for q in known["quantities"]}
    for row in rows:
        assert quantities[row["quantity"], row["method"]]["unit"] == row["unit"]
        assert quantities[row["quantity"], row["method"]]["boundary"] == row["boundary"]
        assert set(row["flags"].split()) <= {f["flag"] for f in known["flags"]}


def test_a_row_without_a_value_tells_why_and_has_no_confidence(measured: tuple[Path, str]) -> None:
    with (measured[0] / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    empty = [row for row in rows if not row["value"]]
    assert empty
    for row in empty:
        assert row["note"] and "not_measurable" in row["flags"].split()
        assert not row["confidence"] and not row["confidence_kind"] and not row["repeatability"]
    assert any(row["repeatability"] for row in rows)


def test_a_case_has_an_id_that_is_its_image_and_names_nobody(measured: tuple[Path, str], sample_folder: Path) -> None:
    out = measured[0]
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    with (out / "measurements.csv").open(encoding="utf-8", newline="") as file:
        (case_id,) = {row["case_id"] for row in csv.DictReader(file)}
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert case_id == run["case_id"] == f"case{image.sha256[:10]}"
    assert json.loads((out / "measurements.json").read_text(encoding="utf-8"))["provenance"]["case_id"] == case_id


def test_methods_prints_every_definition() -> None:
    from SpineMeasureLib.measure import methods

    done = spinemeasure("methods")
    assert done.returncode == 0
    for d in methods():
        assert d.quantity[:12] in done.stdout


def test_package_import_is_light() -> None:
    code = "import sys, SpineMeasureLib; print(len([m for m in sys.modules if m in ('numpy', 'torch', 'SimpleITK')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
