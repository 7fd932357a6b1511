"""After every edit the files of a case folder say what its scene says, or are taken away."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from review_checks import moved

from SpineMeasureLib.case_folder import (
    DOCUMENTS,
    KEPT,
    LABEL_NAMES,
    LABELS,
    OVERVIEW,
    RUN,
    SCENE,
    SEGMENTATION,
    TABLE,
    VALUES,
    read_results,
    read_results_on,
    require_finished,
    require_unedited,
    run_of,
)
from SpineMeasureLib.errors import GeometryMismatchError, InputNotFoundError, OutputError, ReviewedCaseError
from SpineMeasureLib.files import file_hash
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.volume import Volume

MIDDLE = ("L4-L5", "disc_height_middle", "endplate50")
MEASURED = {LABEL_NAMES, LABELS, TABLE, VALUES, OVERVIEW, RUN, SCENE, SEGMENTATION}


@pytest.fixture(scope="module")
def measured(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample measured from its labels, as from the command line."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    out = tmp_path_factory.mktemp("measured") / "out"
    run(Job(sample_folder / "lumbar_t2.nii.gz", out, sample_folder / "lumbar_t2_labels.nii.gz"))
    return out


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    """A copy of it, with every document that is exported later."""
    out = Path(shutil.copytree(measured, tmp_path / "out"))
    for name in DOCUMENTS:
        (out / name).write_text("of before the review")
    return out


class Review:
    """A case folder under review."""

    def __init__(self, scene: Any, folder: Path) -> None:
        from SpineMeasureLib.review.case_tables import CaseTables
        from SpineMeasureLib.review.session import Session

        self.scene, self.folder = scene, folder
        assert scene.ReadFromMRB(str(folder / SCENE), True)
        self.hash = file_hash(folder / SCENE)
        self.session = Session.find(scene)[0]
        tables = CaseTables.around(folder / SCENE, self.hash)
        assert tables is not None
        self.tables = tables

    def follow(self) -> list[str]:
        from SpineMeasureLib.review.keep import kept_text

        return self.tables.follow(self.session, kept_text(self.scene, self.hash))

    def save(self) -> list[str]:
        return self.tables.save(self.session, self.write)

    def write(self, path: Path) -> None:
        assert self.scene.WriteToMRB(str(path))

    def move(self) -> float:
        """Edit one line; returns its value."""
        self.session.set_line(MIDDLE, *moved(self.session, MIDDLE, 1.2345))
        value = self.session.row(MIDDLE).value
        assert isinstance(value, float)
        return value


@pytest.fixture
def review(scene: Any, folder: Path) -> Iterator[Review]:
    """The folder, opened."""
    opened = Review(scene, folder)
    yield opened
    opened.session.close()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def table(folder: Path) -> dict[tuple[str, ...], dict[str, str]]:
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return {tuple(row[k] for k in ("level", "quantity", "method")): row for row in csv.DictReader(file)}


def check_agreement(review: Review) -> None:
    """Everything in the folder says what the session says."""
    folder, session = review.folder, review.session
    rows = table(folder)
    assert list(rows) == [m.key for m in session.rows]
    for m in session.rows:
        assert rows[m.key]["value"] == ("" if m.value is None else f"{m.value:.4f}".rstrip("0").rstrip("."))
        assert rows[m.key]["source"] == m.source
    results = read_results(folder)
    assert [(m.key, m.value, m.source) for m in results.measurements] == [
        (m.key, m.value, m.source) for m in session.rows
    ]
    now = session.segmentation()
    assert [(s.value, s.name) for s in results.segmentation.structures] == [(s.value, s.name) for s in now.structures]
    assert set(map(int, results.segmentation.fingerprints())) == {s.value for s in now.structures}
    told = run_of(folder)
    assert told["case_id"].startswith("case") and {row["case_id"] for row in rows.values()} == {told["case_id"]}
    assert told["level_verified"] == results.segmentation.level_verified == session.state.verified
    assert told["anchor"] == results.segmentation.anchor
    assert json.loads((folder / VALUES).read_text())["provenance"]["anchor"] == told["anchor"]
    assert set(told["files"]) == names_in(folder) - {RUN} - set(DOCUMENTS)
    assert all(file_hash(folder / name) == digest for name, digest in told["files"].items())
    require_finished(folder)
    require_unedited(folder)


def test_an_edit_is_in_the_tables_at_once_and_what_shows_the_old_value_is_gone(review: Review) -> None:
    value = review.move()
    removed = review.follow()
    assert set(removed) == {OVERVIEW, *DOCUMENTS}
    assert names_in(review.folder) == (MEASURED - {OVERVIEW}) | {KEPT}
    assert float(table(review.folder)[MIDDLE]["value"]) == pytest.approx(value, abs=1e-4)
    assert table(review.folder)[MIDDLE]["source"] == "edited"
    automatic = read_results(review.folder).measurements
    assert next(m for m in automatic if m.key == MIDDLE).automatic is not None
    check_agreement(review)
    assert review.follow() == []


def test_a_pdf_of_somebody_else_stays(review: Review) -> None:
    (review.folder / "report.html").unlink()
    review.move()
    assert "report.pdf" not in review.follow() and (review.folder / "report.pdf").is_file()


def test_new_level_names_are_in_every_file(review: Review, sample_folder: Path) -> None:
    before = {s.name for s in read_results(review.folder).segmentation.structures}
    review.session.shift_levels(-1)
    assert SEGMENTATION in review.follow()
    check_agreement(review)
    assert {s.name for s in read_results(review.folder).segmentation.structures} != before
    volume, case = read_results_on(review.folder, sample_folder / "lumbar_t2.nii.gz")
    assert case.segmentation.labels.shape == volume.array.shape


def test_labels_in_the_values_of_another_program_go_with_the_names_that_they_show(review: Review) -> None:
    others = review.folder / "labels_spider.nii.gz"
    others.write_bytes(b"of before the review")
    review.move()
    assert others.name not in review.follow() and others.is_file()
    review.session.shift_levels(-1)
    assert others.name in review.follow() and not others.exists()


def test_warnings_about_the_names_before_a_review_are_not_stated_of_the_names_after_it(review: Review) -> None:
    told = run_of(review.folder)
    (review.folder / RUN).write_text(json.dumps({**told, "warnings": ["The level names are a guess."]}))
    review.move()
    review.follow()
    assert run_of(review.folder)["warnings"] == ["The level names are a guess."]
    review.session.shift_levels(-1)
    review.follow()
    told = run_of(review.folder)
    assert told["warnings"] == [] and told["warnings_before_review"] == ["The level names are a guess."]


def test_saving_writes_what_a_run_writes(review: Review) -> None:
    review.move()
    review.session.shift_levels(-1)
    review.follow()
    picture = review.folder / OVERVIEW
    assert not picture.exists()
    review.save()
    assert names_in(review.folder) == MEASURED
    check_agreement(review)
    assert "Segment0_Name:=T10" in (review.folder / SEGMENTATION).read_bytes().decode("latin-1")


def test_the_picture_is_drawn_on_the_image_as_at_the_run(review: Review, measured: Path) -> None:
    (review.folder / OVERVIEW).unlink()
    review.save()
    drawn, before = (
        np.asarray(Image.open(place / OVERVIEW).convert("L"), float) for place in (review.folder, measured)
    )
    assert drawn.shape == before.shape and np.abs(drawn - before).mean() < 0.5


def test_saving_without_an_edit_takes_nothing_away(review: Review, measured: Path) -> None:
    assert review.save() == []
    assert names_in(review.folder) == MEASURED | set(DOCUMENTS)
    for name in (TABLE, VALUES, LABEL_NAMES, LABELS, OVERVIEW):
        assert (review.folder / name).read_bytes() == (measured / name).read_bytes()
    check_agreement(review)


def test_undoing_everything_gives_the_tables_of_the_run(review: Review, measured: Path) -> None:
    review.move()
    review.session.shift_levels(-1)
    review.follow()
    review.session.undo()
    review.session.undo()
    review.follow()
    for name in (TABLE, LABEL_NAMES):
        assert (review.folder / name).read_bytes() == (measured / name).read_bytes()
    labels, before = (read_volume(place / LABELS) for place in (review.folder, measured))
    assert (labels.array == before.array).all() and (labels.affine == before.affine).all()


def test_a_file_in_the_way_leaves_the_folder_as_it_was(review: Review) -> None:
    before = {name: file_hash(review.folder / name) for name in names_in(review.folder) - {TABLE}}
    (review.folder / TABLE).unlink()
    (review.folder / TABLE).mkdir()
    review.move()
    for write in (review.follow, review.save):
        with pytest.raises(OutputError, match=f"contains a folder named {TABLE}"):
            write()
        assert {n: file_hash(review.folder / n) for n in names_in(review.folder) - {TABLE}} == before


@pytest.mark.parametrize("how", ["kept edits", "saved edits", "acceptance", "scene saved by Slicer"])
def test_a_new_run_does_not_replace_a_review_unasked(review: Review, sample_folder: Path, how: str) -> None:
    if how == "acceptance":
        review.session.accept([MIDDLE], "AB")
    else:
        review.move()
    if how == "scene saved by Slicer":
        saved_by_slicer(review, lambda opened: None)
    else:
        review.save() if how == "saved edits" else review.follow()
    job = Job(sample_folder / "lumbar_t2.nii.gz", review.folder, sample_folder / "lumbar_t2_labels.nii.gz")
    before = {name: file_hash(review.folder / name) for name in names_in(review.folder)}
    with pytest.raises(ReviewedCaseError, match="edited in a review"):
        run(job)
    assert {name: file_hash(review.folder / name) for name in names_in(review.folder)} == before
    quick = replace(job, measure=False, scene=False)
    run(replace(quick, replace_review=True))
    assert not run_of(review.folder).get("reviewed")
    run(quick)


def saved_by_slicer(review: Review, change: Callable[[Review], object]) -> None:
    """The scene file alone is written, as by File > Save."""
    change(review)
    review.write(review.folder / SCENE)
    review.session.close()


def test_a_scene_that_slicer_saved_is_noticed_and_its_tables_are_written_by_command(
    review: Review, sample_folder: Path
) -> None:
    from SpineMeasureLib.review.case_tables import tables_from_scene

    review.move()
    saved_by_slicer(review, lambda opened: opened.session.shift_levels(-1))
    with pytest.raises(ReviewedCaseError, match="edited in a review") as refused:
        read_results_on(review.folder, sample_folder / "lumbar_t2.nii.gz")
    assert refused.value.hint.endswith(f"spinemeasure export tables {shlex.quote(str(review.folder))}")
    scene = file_hash(review.folder / SCENE)
    assert set(tables_from_scene(review.folder)) == set(DOCUMENTS)
    assert file_hash(review.folder / SCENE) == scene and names_in(review.folder) == MEASURED
    again = Review(review.scene, review.folder)
    check_agreement(again)
    assert again.session.row(("L3-L4", *MIDDLE[1:])).source == "edited"
    again.session.close()
    assert read_results_on(review.folder, sample_folder / "lumbar_t2.nii.gz")


def test_the_command_writes_edits_that_are_kept_beside_the_scene(review: Review) -> None:
    from SpineMeasureLib.review.case_tables import tables_from_scene
    from SpineMeasureLib.review.keep import keep

    value = review.move()
    keep(review.scene, review.folder / SCENE, review.hash)
    review.session.close()
    with pytest.raises(ReviewedCaseError):
        require_unedited(review.folder)
    tables_from_scene(review.folder)
    require_unedited(review.folder)
    assert float(table(review.folder)[MIDDLE]["value"]) == pytest.approx(value, abs=1e-4)
    assert names_in(review.folder) == MEASURED | {KEPT}


def test_an_interrupted_case_is_mended_by_the_command(review: Review, measured: Path) -> None:
    from SpineMeasureLib.review.case_tables import tables_from_scene

    review.session.close()
    for name in (TABLE, LABELS, VALUES, *DOCUMENTS):
        (review.folder / name).unlink()
    (review.folder / RUN).write_text(json.dumps({**run_of(review.folder), "unfinished": True}))
    tables_from_scene(review.folder)
    for name in (TABLE, LABEL_NAMES, LABELS):
        assert (review.folder / name).read_bytes() == (measured / name).read_bytes()
    require_finished(review.folder, (TABLE, LABELS, VALUES))


def test_a_folder_without_a_case_or_without_its_scene_is_refused(folder: Path, application: Any) -> None:
    from SpineMeasureLib.review.case_tables import tables_from_scene

    (folder / SCENE).unlink()
    with pytest.raises(InputNotFoundError, match=r"no scene\.mrb in out"):
        tables_from_scene(folder)
    (folder / RUN).unlink()
    with pytest.raises(InputNotFoundError, match=r"no run\.json in out"):
        tables_from_scene(folder)


def test_a_scene_of_another_image_writes_no_tables(
    review: Review, folder: Path, sample_folder: Path, tmp_path: Path
) -> None:
    from SpineMeasureLib.errors import NothingFoundError
    from SpineMeasureLib.review.case_tables import tables_from_scene

    review.session.close()
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    write_volume(Volume(image.array[:, ::-1].copy(), image.affine), tmp_path / "other.nii.gz")
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    run(Job(tmp_path / "other.nii.gz", tmp_path / "other", labels, picture=False))
    shutil.copy(tmp_path / "other" / SCENE, folder / SCENE)
    before = {name: file_hash(folder / name) for name in names_in(folder)}
    with pytest.raises(NothingFoundError, match="no case of the image"):
        tables_from_scene(folder)
    opened = Review(review.scene, folder)
    opened.move()
    with pytest.raises(GeometryMismatchError, match="a different image"):
        opened.follow()
    opened.session.close()
    assert {name: file_hash(folder / name) for name in names_in(folder)} == before
