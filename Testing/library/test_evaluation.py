"""Judging segmentations against expert masks: values that follow from how the masks were made, files, bad input."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from SpineMeasureLib.errors import GeometryMismatchError, InputNotFoundError, NothingFoundError, SpineMeasureError
from SpineMeasureLib.evaluate.dataset import evaluate
from SpineMeasureLib.evaluate.overlap import overlap
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.segment.bundle import open_bundle
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.train.synthetic_scores import add_synthetic_scores
from SpineMeasureLib.volume import Volume

SPACING = (4.0, 1.0, 1.0)


def boxes(shift: int = 0) -> np.ndarray:
    """1 vertebra, 2 disc, 3 canal: each vertebra on its disc, which is `shift` voxels before it."""
    labels = np.zeros((9, 90, 130), np.uint8)
    labels[3:6, 20:32] = 3
    for n in range(3):
        labels[1:8, 40:74, 15 + 38 * n : 43 + 38 * n] = 1
        labels[1:8, 40 + shift : 74 + shift, 6 + 38 * n : 14 + 38 * n] = 2
    return labels


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    affine = np.diag([*SPACING, 1.0])
    grey = (boxes() * 50 + np.random.default_rng(0).integers(0, 30, boxes().shape)).astype(np.int16)
    for name in ("a", "b"):
        write_volume(Volume(grey, affine), folder / f"{name}_image.nii.gz")
        write_volume(Volume(boxes(), affine), folder / f"{name}_labels.nii.gz")
        (tmp_path / "found").mkdir(exist_ok=True)
        write_volume(Volume(boxes(4 if name == "b" else 0), affine), tmp_path / "found" / f"{name}.nii.gz")
    return folder


def test_overlap_and_distances_are_those_of_shifted_boxes() -> None:
    box = np.zeros((20, 40, 40), bool)
    box[5:15, 10:30, 10:30] = True
    found = overlap(np.roll(box, 2, axis=1), box, (1.0, 0.5, 0.5))
    assert found.dice == pytest.approx(0.9)
    assert found.iou == pytest.approx(0.9 / 1.1)
    assert found.sensitivity == pytest.approx(0.9)
    assert found.specificity == pytest.approx(1 - 400 / (32000 - 4000))
    assert found.hausdorff95_mm == pytest.approx(1.0)
    assert 0.0 < found.surface_mm < 0.5


def test_voxels_of_which_nothing_is_known_do_not_count() -> None:
    reference = np.zeros((4, 4, 4), bool)
    reference[1:3, 1:3, 1:3] = True
    known = np.zeros_like(reference)
    known[:3] = True
    wild = reference.copy()
    wild[3] = True
    assert overlap(wild, reference, (1.0, 1.0, 1.0), known).dice == 1.0
    assert overlap(wild, reference, (1.0, 1.0, 1.0)).dice < 0.6


def test_a_missing_structure_has_no_distance_and_no_overlap() -> None:
    reference = np.zeros((4, 4, 4), bool)
    reference[1:3, 1:3, 1:3] = True
    found = overlap(np.zeros_like(reference), reference, (1.0, 1.0, 1.0))
    assert found.dice == 0.0
    assert np.isnan(found.surface_mm)


def test_segmentations_are_judged_case_by_case_and_together(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(tmp_path / "found", dataset, tmp_path / "out")
    with (tmp_path / "out" / "overlaps.csv").open() as file:
        rows = {(r["case"], r["structure"]): r for r in csv.DictReader(file)}
    assert float(rows["a", "disc"]["dice"]) == 1.0
    assert float(rows["b", "disc"]["dice"]) == pytest.approx(30 / 34, abs=1e-3)
    assert float(rows["b", "vertebra"]["dice"]) == 1.0
    assert summary["disc.dice"]["mean"] == pytest.approx((1 + 30 / 34) / 2, abs=1e-3)  # type: ignore[index]
    assert summary["discs_found"] == [6, 6]
    assert summary["discs_named_as_expert"] == [6, 6]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Worst cases: disc" in page
    assert page.index("b: Dice 0.882") < page.index("a: Dice 1.000", page.index("Worst cases: disc"))
    assert "http" not in page


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(open_bundle().folder, tmp_path / "bundle"))


def judged_as_if_by(bundle: Path, dataset: Path, out: Path) -> Path:
    """An evaluation that names a bundle's weights."""
    summary = evaluate(dataset.parent / "found", dataset, out)
    (out / "summary.json").write_text(json.dumps({**summary, "sha256": open_bundle(bundle).sha256}))
    return out


def test_a_card_shows_synthetic_scores_with_pictures_and_keeps_the_rest(
    dataset: Path, bundle: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (dataset / f"{name}_about.json").write_text('{"region": "lumbar", "contrast": "stir"}')
    before = (bundle / "docs" / "README.md").read_text().partition("## Synthetic test set")[0]
    card = add_synthetic_scores(bundle, judged_as_if_by(bundle, dataset, tmp_path / "out")).read_text()
    assert card.startswith(before)
    assert "| contrast stir | 2 |" in card and "Discs found: 6 of 6" in card
    assert "![disc](worst_disc_1.jpg)" in card and "b, lumbar, stir: Dice 0.882" in card
    assert (bundle / "docs" / "worst_disc_1.jpg").stat().st_size > 1000
    assert open_bundle(bundle).sha256 == open_bundle().sha256


def test_patients_do_not_get_into_a_card(dataset: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SpineMeasureError, match="Only synthetic cases"):
        add_synthetic_scores(bundle, judged_as_if_by(bundle, dataset, tmp_path / "out"))
    assert (bundle / "docs" / "README.md").read_text() == (open_bundle().folder / "docs" / "README.md").read_text()


def test_scores_of_another_model_do_not_get_into_a_card(dataset: Path, bundle: Path, tmp_path: Path) -> None:
    evaluate(dataset.parent / "found", dataset, tmp_path / "out")
    with pytest.raises(SpineMeasureError, match="another model"):
        add_synthetic_scores(bundle, tmp_path / "out")


def test_a_case_without_a_segmentation_is_named_and_nothing_is_written(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "found" / "b.nii.gz").unlink()
    with pytest.raises(InputNotFoundError, match="^b: .* contains no labels for this case"):
        evaluate(tmp_path / "found", dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["found", "cases"], ids=["segmentation", "expert labels"])
def test_labels_are_compared_where_they_lie_however_their_axes_are_stored(
    folder: str, dataset: Path, tmp_path: Path
) -> None:
    path = tmp_path / folder / ("a.nii.gz" if folder == "found" else "a_labels.nii.gz")
    turn = np.diag([1.0, -1.0, 1.0, 1.0])
    turn[1, 3] = boxes().shape[1] - 1
    stored = read_volume(path)
    write_volume(Volume(np.ascontiguousarray(stored.array[:, ::-1]), stored.affine @ turn), path)
    evaluate(tmp_path / "found", dataset, tmp_path / "out")
    with (tmp_path / "out" / "overlaps.csv").open() as file:
        assert {float(row["dice"]) for row in csv.DictReader(file) if row["case"] == "a"} == {1.0}


@pytest.mark.parametrize("change", ["moved", "cropped"])
@pytest.mark.parametrize("folder", ["found", "cases"], ids=["segmentation", "expert labels"])
def test_labels_beside_the_voxels_of_the_image_are_refused_and_the_case_is_named(
    folder: str, change: str, dataset: Path, tmp_path: Path
) -> None:
    path = tmp_path / folder / ("b.nii.gz" if folder == "found" else "b_labels.nii.gz")
    stored = read_volume(path)
    if change == "moved":
        stored.affine[0, 3] += 500
    write_volume(stored if change == "moved" else Volume(stored.array[:-1], stored.affine), path)
    with pytest.raises(GeometryMismatchError, match="^b: .* does not match the image grid"):
        evaluate(tmp_path / "found", dataset, tmp_path / "out")


def test_a_partly_labelled_set_is_judged_by_the_structure_that_it_labels(dataset: Path, tmp_path: Path) -> None:
    bodies = dataset.rename(tmp_path / "vertebrae_t2")
    affine = np.diag([*SPACING, 1.0])
    for name in ("a", "b"):
        write_volume(Volume((boxes() == 1).astype(np.uint8) * 24, affine), bodies / f"{name}_labels.nii.gz")
    summary = evaluate(tmp_path / "found", bodies, tmp_path / "out")
    assert summary["body.dice"]["mean"] > 0.9  # type: ignore[index]
    assert "disc.dice" not in summary


def test_a_case_in_which_nothing_is_found_counts_with_dice_0_and_is_told(
    dataset: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([segmentation_from_labels(Volume(boxes(), np.diag([*SPACING, 1.0]))), None])

    def segment(*arguments: object, **options: object) -> SpineSegmentation:
        if answer := next(answers):
            return answer
        raise NothingFoundError("No vertebrae or discs were found in the image.")

    monkeypatch.setattr("SpineMeasureLib.evaluate.dataset.segment_volume", segment)
    summary = evaluate(bundle, dataset, tmp_path / "out")
    assert summary["disc.dice"]["mean"] == 0.5  # type: ignore[index]
    assert summary["discs_found"] == [3, 6]
    assert summary["nothing_found"] == ["b"]
    assert "nothing found in b" in (tmp_path / "out" / "index.html").read_text()


def test_a_set_in_which_nothing_at_all_is_found_is_judged(dataset: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_volume(Volume(0 * boxes(), np.diag([*SPACING, 1.0])), tmp_path / "found" / f"{name}.nii.gz")
    summary = evaluate(tmp_path / "found", dataset, tmp_path / "out")
    assert summary["disc.dice"]["mean"] == 0  # type: ignore[index]
    assert summary["discs_found"] == [0, 6]


def test_a_case_without_expert_labels_in_its_map_is_named(dataset: Path, tmp_path: Path) -> None:
    write_volume(Volume(0 * boxes(), np.diag([*SPACING, 1.0])), dataset / "b_labels.nii.gz")
    with pytest.raises(NothingFoundError, match="^b: The label map is empty"):
        evaluate(tmp_path / "found", dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_cases_says_what_a_case_is(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    with pytest.raises(InputNotFoundError, match="_image.nii.gz"):
        evaluate(tmp_path / "found", tmp_path, tmp_path / "out")
