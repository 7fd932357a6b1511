"""What an output folder says of itself: whether its tables still hold, and which image it belongs to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.case_folder import KEPT, RUN, read_results_on, require_image, require_unedited
from SpineMeasureLib.errors import GeometryMismatchError, ReviewedCaseError
from SpineMeasureLib.files import file_hash
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.review.keep import kept_path
from SpineMeasureLib.volume import Volume


@pytest.fixture(scope="module")
def measured(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample measured from its own labels."""
    out = tmp_path_factory.mktemp("results") / "out"
    image, labels = (sample_folder / f"lumbar_t2{end}.nii.gz" for end in ("", "_labels"))
    run(Job(image=image, out=out, labels=labels, picture=False))
    return out


@pytest.fixture
def case(measured: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return Path(shutil.copytree(measured, tmp_path / "out"))


def test_tables_of_a_case_as_measured_are_exported(case: Path, sample_folder: Path) -> None:
    assert read_results_on(case, sample_folder / "lumbar_t2.nii.gz")[1].measurements


def test_tables_of_a_case_whose_edits_are_kept_beside_its_scene_are_not_exported(
    case: Path, sample_folder: Path
) -> None:
    scene = case / "scene.mrb"
    kept_path(scene).write_text(json.dumps({"scene": file_hash(scene), "cases": []}))
    with pytest.raises(ReviewedCaseError, match="edited in a review"):
        read_results_on(case, sample_folder / "lumbar_t2.nii.gz")
    kept_path(scene).write_text(json.dumps({"scene": "an earlier one", "cases": []}))
    require_unedited(case)


def test_tables_of_a_case_whose_scene_was_saved_again_are_not_exported(case: Path, sample_folder: Path) -> None:
    with (case / "scene.mrb").open("ab") as file:
        file.write(b"edited")
    with pytest.raises(ReviewedCaseError, match="edited in a review"):
        read_results_on(case, sample_folder / "lumbar_t2.nii.gz")
    told = json.loads((case / RUN).read_text())
    told["files"]["scene.mrb"] = file_hash(case / "scene.mrb")
    (case / RUN).write_text(json.dumps(told))
    require_unedited(case)


def test_edits_that_the_tables_show_do_not_stop_an_export(case: Path) -> None:
    kept, told = case / KEPT, json.loads((case / RUN).read_text())
    kept.write_text(json.dumps({"scene": file_hash(case / "scene.mrb"), "cases": []}))
    told["files"][KEPT] = file_hash(kept)
    (case / RUN).write_text(json.dumps(told))
    require_unedited(case)


def test_a_case_without_a_scene_has_no_edits(case: Path) -> None:
    (case / "scene.mrb").unlink()
    require_unedited(case)


def test_results_of_another_image_are_told(case: Path, sample_folder: Path) -> None:
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    require_image(case, image)
    moved = image.affine.copy()
    moved[0, 3] += 1
    for other in (Volume(image.array + 1, image.affine, image.meta), Volume(image.array, moved)):
        with pytest.raises(GeometryMismatchError, match="another image"):
            require_image(case, other)


def test_results_of_the_same_image_stored_otherwise_are_taken(case: Path, sample_folder: Path) -> None:
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    affine = image.affine @ np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] = (image.affine @ [image.array.shape[0] - 1, 0, 0, 1])[:3]
    require_image(case, Volume(image.array[::-1].astype(float), affine, {"format": "DICOM"}))


def stored_otherwise(image: Volume) -> dict[str, Volume]:
    """The same image as other programs store it."""
    turned = image.affine[:, [2, 0, 1, 3]]
    return {
        "real numbers": Volume(image.array.astype(float), image.affine, image.meta),
        "axes in another order": Volume(image.array.transpose(2, 0, 1), turned, image.meta),
        "another format": Volume(image.array, image.affine, {"format": "nrrd"}),
        "DICOM, rescaled": Volume(image.array * 1.7 + 3, image.affine, {"format": "dicom"}),
    }


def others(image: Volume) -> dict[str, Volume]:
    """Other images of the same geometry."""
    changed = image.array.copy()
    changed[7, 100:110, 100:110] += 50
    return {
        "every voxel": Volume(image.array[:, ::-1].copy(), image.affine, image.meta),
        "some voxels": Volume(changed, image.affine, image.meta),
        "another format": Volume(changed, image.affine, {"format": "nrrd"}),
        "DICOM": Volume(changed, image.affine, {"format": "dicom"}),
        "brighter": Volume(image.array + 1, image.affine, {"format": "nrrd"}),
    }


@pytest.mark.parametrize("how", ["real numbers", "axes in another order", "another format", "DICOM, rescaled"])
def test_the_same_voxels_are_recognised_in_every_form(how: str, case: Path, sample_folder: Path) -> None:
    require_image(case, stored_otherwise(read_volume(sample_folder / "lumbar_t2.nii.gz"))[how])


@pytest.mark.parametrize("what", ["every voxel", "some voxels", "another format", "DICOM", "brighter"])
def test_other_voxels_are_refused_in_every_form(what: str, case: Path, sample_folder: Path) -> None:
    with pytest.raises(GeometryMismatchError, match="another image"):
        require_image(case, others(read_volume(sample_folder / "lumbar_t2.nii.gz"))[what])


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_no_export_accepts_another_image_of_the_same_geometry(
    ending: str, case: Path, sample_folder: Path, tmp_path: Path
) -> None:
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    write_volume(Volume(image.array, image.affine), tmp_path / f"same{ending}")
    write_volume(others(image)["some voxels"], tmp_path / f"other{ending}")
    assert read_results_on(case, tmp_path / f"same{ending}")[1].measurements
    with pytest.raises(GeometryMismatchError, match="out was not measured on this image"):
        read_results_on(case, tmp_path / f"other{ending}")


def test_results_of_an_earlier_version_are_compared_as_it_did(case: Path, sample_folder: Path) -> None:
    image, told = read_volume(sample_folder / "lumbar_t2.nii.gz"), json.loads((case / RUN).read_text())
    told["input"] = {"shape": list(image.array.shape), "sha256": image.sha256, "format": "nii.gz"}
    (case / RUN).write_text(json.dumps(told))
    require_image(case, image)
    with pytest.raises(GeometryMismatchError, match="another image"):
        require_image(case, others(image)["some voxels"])
    require_image(case, stored_otherwise(image)["another format"])


def test_that_an_image_which_is_not_dicom_gets_no_dicom_objects_is_told(sample_folder: Path, tmp_path: Path) -> None:
    image, labels = (sample_folder / f"lumbar_t2{end}.nii.gz" for end in ("", "_labels"))
    done = run(Job(image=image, out=tmp_path / "out", labels=labels, picture=False, scene=False, dicom=True))
    assert "No DICOM objects were written: the image is not DICOM." in done.warnings
