"""--ends: whether heights between edges of the image or between boundaries of segments are shown first."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from SpineMeasureLib.case_folder import OVERVIEW, RUN, SCENE, SEGMENTATION, TABLE, VALUES, read_results_on
from SpineMeasureLib.files import file_hash
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure.definitions import definition, has_edges, shown_first
from Testing.library.dicom_study import write_study

from .test_cli import spinemeasure

METHODS = {"edges": "endplate50", "masks": "chord50"}
OTHER = {"edges": "masks", "masks": "edges"}
QUANTITY = "disc_height_middle"

Cases = dict[str, tuple[Path, str]]


def measured(image: Path, out: Path, sample_folder: Path, *options: str) -> str:
    """Measure the labels of the sample on an image; what was printed."""
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    done = spinemeasure("measure", image, "-o", out, "--labels", labels, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cases(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """The sample by what is shown first: its folder, and what was printed."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    place, image = tmp_path_factory.mktemp("ends"), sample_folder / "lumbar_t2.nii.gz"
    options: dict[str, tuple[str, ...]] = {"edges": (), "masks": ("--ends", "Masks")}
    return {ends: (place / ends, measured(image, place / ends, sample_folder, *options[ends])) for ends in options}


@pytest.fixture
def case(cases: Cases, tmp_path: Path) -> Path:
    """A copy of the case that shows edges."""
    shutil.copytree(cases["edges"][0], tmp_path / "case")
    return tmp_path / "case"


def rows(folder: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """The rows of measurements.csv by key."""
    table = list(csv.DictReader((folder / TABLE).read_text().splitlines()))
    return {(row["level"], row["quantity"], row["method"]): row for row in table}


def height(folder: Path, ends: str) -> str:
    """The middle height of L4-L5 as tables and reports show it."""
    return f"{float(rows(folder)['L4-L5', QUANTITY, METHODS[ends]]['value']):.1f}"


def shown(folder: Path) -> set[str]:
    """The methods by which the middle height of discs is shown first, in measurements.csv and .json alike."""
    first = {key for key, row in rows(folder).items() if row["shown_first"] == "true"}
    values = json.loads((folder / VALUES).read_text())["measurements"]
    assert first == {(m["level"], m["quantity"], m["method"]) for m in values if not m["second"]}
    return {method for _, quantity, method in first if quantity == QUANTITY}


def lines_in_scene(folder: Path) -> set[str]:
    """The methods of the lines of middle disc heights in the scene."""
    from SpineMeasureLib.review.mrml.app import mrml_application
    from SpineMeasureLib.review.mrml.bundle import read_checked
    from SpineMeasureLib.review.session import Session

    scene = mrml_application().scene
    scene.Clear(0)
    read_checked(scene, folder / SCENE, SCENE)
    (session,) = Session.find(scene)
    found = {method for _, quantity, method in session.nodes.lines if quantity == QUANTITY}
    session.close()
    scene.Clear(0)
    return found


def pixels(path: Path) -> Any:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


@pytest.mark.parametrize("ends", ["edges", "masks"])
def test_table_files_and_scene_show_them_first(cases: Cases, ends: str) -> None:
    folder, printed = cases[ends]
    (row,) = (line for line in printed.splitlines() if line.split()[:1] == ["L4-L5"])
    assert height(folder, ends) != height(folder, OTHER[ends])
    assert height(folder, ends) in row.split() and height(folder, OTHER[ends]) not in row.split()
    assert shown(folder) == lines_in_scene(folder) == {METHODS[ends]}


def test_all_values_are_in_the_files_either_way(cases: Cases) -> None:
    edges, masks = (rows(cases[ends][0]) for ends in ("edges", "masks"))
    assert edges.keys() == masks.keys()
    assert all({**edges[key], "shown_first": ""} == {**masks[key], "shown_first": ""} for key in edges)


def test_the_picture_shows_them(cases: Cases) -> None:
    edges, masks = (pixels(cases[ends][0] / OVERVIEW) for ends in ("edges", "masks"))
    assert edges.shape != masks.shape or np.count_nonzero(edges != masks) > 1000


def reports(case: Path, image: Path, out: Path, *options: str) -> tuple[str, str]:
    """The text of both forms of the report."""
    done = spinemeasure("export", "report", case, "--image", image, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    page = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", (out / "report.html").read_text(), flags=re.DOTALL)
    return page, (out / "report.txt").read_text()


@pytest.mark.parametrize("ends", ["edges", "masks"])
def test_a_report_shows_what_the_case_shows_or_what_is_asked_for(
    cases: Cases, sample_folder: Path, tmp_path: Path, ends: str
) -> None:
    image, folder = sample_folder / "lumbar_t2.nii.gz", cases[ends][0]
    own = reports(folder, image, tmp_path / "own")
    assert own == reports(folder, image, tmp_path / "same", "--ends", ends)
    other = reports(folder, image, tmp_path / "other", "--ends", OTHER[ends])
    assert other == reports(cases[OTHER[ends]][0], image, tmp_path / "measured")
    for mine, others in zip(own, other, strict=True):
        assert mine != others and height(folder, ends) in mine and height(folder, OTHER[ends]) in others


def test_export_tables_changes_the_whole_folder(case: Path, sample_folder: Path) -> None:
    reports(case, sample_folder / "lumbar_t2.nii.gz", case)
    before, picture = rows(case), pixels(case / OVERVIEW)
    done = spinemeasure("export", "tables", case, "--ends", "masks")
    assert done.returncode == 0 and "report.html, report.txt" in done.stdout, done.stderr
    assert shown(case) == lines_in_scene(case) == {"chord50"}
    assert {key: row["value"] for key, row in rows(case).items()} == {key: row["value"] for key, row in before.items()}
    changed = pixels(case / OVERVIEW)
    assert changed.shape != picture.shape or np.count_nonzero(changed != picture) > 1000
    run = json.loads((case / RUN).read_text())
    assert "reviewed" not in run, "a preference is not an edit"
    assert all(file_hash(case / name) == run["files"][name] for name in (TABLE, VALUES, SCENE, OVERVIEW, SEGMENTATION))
    # Measured as it shows now: other exports follow, and the same again changes nothing.
    assert height(case, "masks") in reports(case, sample_folder / "lumbar_t2.nii.gz", case)[1]
    everything = {path.name: file_hash(path) for path in case.iterdir() if path.name != RUN}
    assert spinemeasure("export", "tables", case, "--ends", "masks").returncode == 0
    assert spinemeasure("export", "tables", case).returncode == 0
    assert {path.name: file_hash(path) for path in case.iterdir() if path.name != RUN} == everything


def test_dicom_reports_have_them_first(sample_folder: Path, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    from Testing.library.test_dicom_objects import children, code, groups, named

    study = write_study(tmp_path / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"))
    measured(study, tmp_path / "case", sample_folder, "--ends", "masks")

    of = {definition(QUANTITY, method).code: method for method in METHODS.values()}

    def methods(*options: str) -> list[str]:
        done = spinemeasure("export", "dicom", tmp_path / "case", "--image", study, "-o", tmp_path / "out", *options)
        assert done.returncode == 0, done.stderr
        values = children(groups(pydicom.dcmread(tmp_path / "out" / "measurements.dcm"))["L4-L5"], "NUM")
        found = [code(named(value, "CODE", "370129005")[0].ConceptCodeSequence[0]).value for value in values]
        return [of[each] for each in found if each in of]

    assert methods() == methods("--ends", "masks") == ["chord50", "endplate50"]
    assert methods("--ends", "edges") == ["endplate50", "chord50"]


def test_a_choice_that_a_case_does_not_have_is_ignored_with_a_note(sample_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SpineMeasureLib.review.case_tables import tables_from_scene
    from SpineMeasureLib.review.mrml.save import write_scene

    image = sample_folder / "lumbar_t2.nii.gz"
    measured(image, tmp_path / "case", sample_folder)
    volume, results = read_results_on(tmp_path / "case", image)
    without = shown_first(m for m in results.measurements if not has_edges(m))
    write_scene(volume, results.segmentation, without, tmp_path / "case" / SCENE, tmp_path / "x.seg.nrrd", "T2")
    tables_from_scene(tmp_path / "case")
    note = "Note: --ends is ignored: lines between edges were not measured in this case."
    for command in (("tables", tmp_path / "case"), ("report", tmp_path / "case", "--image", image)):
        done = spinemeasure("export", *command, "--ends", "edges")
        assert done.returncode == 0 and note in done.stderr
        assert shown(tmp_path / "case") == {"chord50"}
        assert not spinemeasure("export", *command, "--ends", "masks").stderr


@pytest.mark.parametrize(
    "command",
    [
        ("measure", "{image}", "-o", "{out}"),
        ("export", "tables", "{case}"),
        ("export", "report", "{case}", "--image", "{image}"),
        ("export", "dicom", "{case}", "--image", "{image}"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_an_unknown_value_is_a_usage_error(
    cases: Cases, sample_folder: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    places = {"image": sample_folder / "lumbar_t2.nii.gz", "out": tmp_path / "out", "case": cases["edges"][0]}
    before = {path.name: file_hash(path) for path in places["case"].iterdir()}
    done = spinemeasure(*(part.format(**places) for part in command), "--ends", "endplates")
    assert done.returncode == 2 and "'endplates' is not one of edges, masks." in done.stderr
    assert {path.name: file_hash(path) for path in places["case"].iterdir()} == before and not places["out"].exists()
