"""Corrected cases as training data: right layout, right labels, nobody's identity, the same case once."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.anatomy import Kind, Tissue
from SpineMeasureLib.errors import OptionError, OutputError, UnreadableInputError
from SpineMeasureLib.export.training import TrainingCase, add_to_bids, add_to_nnunet
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure.types import Measurement
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.train.corrected_cases import read_corrected
from SpineMeasureLib.volume import Volume

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def case(sample_folder: Path) -> TrainingCase:
    volume = read_volume(sample_folder / "lumbar_t2.nii.gz")
    segmentation = segmentation_from_labels(read_volume(sample_folder / "lumbar_t2_labels.nii.gz"))
    model = {"model": "spine_mri", "model_version": "1", "model_sha256": "ab"}
    automatic = Measurement("L4-L5", "disc_height_middle", "chord50", 8.0, "mm")
    edited = replace(automatic, value=9.0, source="edited", automatic=automatic)
    return TrainingCase(volume, replace(segmentation, provenance=model), [edited], editor="Reader")


def listed(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_an_nnunet_data_set_has_its_layout_and_tissue_labels(case: TrainingCase, tmp_path: Path) -> None:
    assert add_to_nnunet(case, tmp_path) == 1
    name = case.identifier
    files = ["dataset.json", f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz"]
    assert listed(tmp_path) == [*files, f"levels/{name}.nii.gz", f"provenance/{name}.json"]
    stated = json.loads((tmp_path / "dataset.json").read_text())
    assert stated["labels"]["background"] == 0
    assert sorted(stated["labels"].values()) == list(range(len(Tissue)))
    assert (stated["numTraining"], stated["file_ending"], stated["channel_names"]) == (1, ".nii.gz", {"0": "MRI"})
    labels, image = read_volume(tmp_path / files[2]), read_volume(tmp_path / files[1])
    assert np.array_equal(image.array, case.volume.array)
    np.testing.assert_allclose(labels.affine, image.affine, atol=1e-4)
    discs = np.isin(case.segmentation.labels, [s.value for s in case.segmentation.of_kind(Kind.DISC)])
    assert np.array_equal(labels.array == stated["labels"]["disc"], discs)
    assert np.array_equal(labels.array > 0, case.segmentation.labels > 0)


def test_the_same_case_again_replaces_itself_to_the_byte(case: TrainingCase, tmp_path: Path) -> None:
    add_to_nnunet(case, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in listed(tmp_path)}
    again = TrainingCase(case.volume, case.segmentation, case.measurements, editor="Reader")
    assert add_to_nnunet(again, tmp_path) == 1
    assert {name: (tmp_path / name).read_bytes() for name in listed(tmp_path)} == before
    assert add_to_nnunet(replace(case, name="second"), tmp_path) == 2


@pytest.mark.parametrize("add", [add_to_nnunet, add_to_bids])
def test_another_image_of_the_same_name_is_refused(add, case: TrainingCase, tmp_path: Path) -> None:
    add(replace(case, name="one"), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in listed(tmp_path)}
    other = replace(case, name="one", volume=replace(case.volume, array=case.volume.array + 1))
    with pytest.raises(OutputError, match="another image"):
        add(other, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in listed(tmp_path)} == before


def test_cases_of_different_geometry_keep_nnunets_rules(case: TrainingCase, tmp_path: Path) -> None:
    """As nnU-Net v2 checks them before planning: every image has its labels on its own voxels, no unknown label."""
    import SimpleITK as sitk

    axes = [2, 0, 1]
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", [10, -20, 5], degrees=True).as_matrix()
    affine = turned @ case.volume.affine[:, [*axes, 3]]
    labels = np.ascontiguousarray(case.segmentation.labels.transpose(axes))[:, 4:, 3:]
    affine[:, 3] += affine[:, 1] * 4 + affine[:, 2] * 3
    volume = Volume(np.ascontiguousarray(case.volume.array.transpose(axes))[:, 4:, 3:].astype(np.float64), affine)
    other = replace(case, volume=volume, segmentation=replace(case.segmentation, labels=labels, affine=affine))
    add_to_nnunet(case, tmp_path)
    assert add_to_nnunet(other, tmp_path) == 2
    stated = json.loads((tmp_path / "dataset.json").read_text())
    assert stated["labels"] == {name: value for value, name in enumerate(stated["labels"])}
    masks = sorted((tmp_path / "labelsTr").iterdir())
    assert len(masks) == stated["numTraining"] == 2
    sizes = set()
    for path in masks:
        mask = sitk.ReadImage(str(path))
        image = sitk.ReadImage(str(tmp_path / "imagesTr" / path.name.replace(".nii.gz", "_0000.nii.gz")))
        assert image.GetSize() == mask.GetSize()
        for get in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(image, get)(), getattr(mask, get)(), atol=1e-5)
        assert set(np.unique(sitk.GetArrayFromImage(mask))) <= set(stated["labels"].values())
        assert np.isfinite(sitk.GetArrayFromImage(image)).all()
        sizes.add(image.GetSize())
    assert len(sizes) == 2


def test_provenance_tells_model_editor_and_edited_lines(case: TrainingCase, tmp_path: Path) -> None:
    add_to_nnunet(case, tmp_path)
    told = json.loads((tmp_path / "provenance" / f"{case.identifier}.json").read_text())
    assert told["made_by"] == {"model": "spine_mri", "model_version": "1", "model_sha256": "ab"}
    assert told["editor"] == "Reader"
    assert [(e["level"], e["automatic"], e["edited"]) for e in told["edited_lines"]] == [("L4-L5", 8.0, 9.0)]


def test_a_bids_derivative_has_its_layout_and_level_names(case: TrainingCase, tmp_path: Path) -> None:
    assert add_to_bids(case, tmp_path, "T2w") == 1
    subject = f"sub-{case.identifier}"
    stem = f"{subject}/anat/{subject}"
    assert listed(tmp_path) == [
        "dataset_description.json",
        "desc-spine_dseg.tsv",
        f"{stem}_T2w.nii.gz",
        f"{stem}_desc-spine_dseg.json",
        f"{stem}_desc-spine_dseg.nii.gz",
    ]
    stated = json.loads((tmp_path / "dataset_description.json").read_text())
    assert (stated["DatasetType"], stated["GeneratedBy"][0]["Name"]) == ("derivative", "SpineMeasure")
    labels = read_volume(tmp_path / f"{stem}_desc-spine_dseg.nii.gz")
    assert np.array_equal(labels.array, case.segmentation.labels)
    table = dict(line.split("\t")[:2] for line in (tmp_path / "desc-spine_dseg.tsv").read_text().splitlines()[1:])
    assert table["23"] == "L4"
    assert {str(v) for v in np.unique(labels.array) if v} <= table.keys()


@pytest.mark.parametrize("add", [add_to_nnunet, add_to_bids])
def test_a_folder_with_another_data_set_is_left_alone(add, case: TrainingCase, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"labels": {"liver": 1}}')
    (tmp_path / "dataset_description.json").write_text('{"Name": "theirs"}')
    with pytest.raises(OutputError, match="another folder"):
        add(case, tmp_path)
    assert listed(tmp_path) == ["dataset.json", "dataset_description.json"]


def test_names_and_suffixes_that_no_layout_takes_are_refused(case: TrainingCase, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not a valid name for a case"):
        add_to_nnunet(replace(case, name="Jane Doe"), tmp_path / "a")
    with pytest.raises(OptionError, match="not a BIDS suffix"):
        add_to_bids(case, tmp_path / "b", "CT")
    assert not list(tmp_path.iterdir())


#: Adds a case to a data set, and is killed before the move of a number.
KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from SpineMeasureLib.export import training
case, add, out, last = *pickle.load(open(sys.argv[1], "rb")), Path(sys.argv[2]), int(sys.argv[3])
real, done = os.replace, 0
def replace(source, target):
    global done
    if Path(source).name != ".before" and Path(target).is_relative_to(out) and ".spinemeasure-" not in str(target):
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
    real(source, target)
os.replace = replace
getattr(training, add)(case, out)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
@pytest.mark.parametrize("add", [add_to_nnunet, add_to_bids])
def test_a_data_set_in_which_an_addition_was_killed_is_refused_until_that_case_is_added_again(
    add: Callable[..., int], case: TrainingCase, tmp_path: Path
) -> None:
    small = TrainingCase(
        Volume(case.volume.array[:, ::8, ::8], case.volume.affine),
        replace(case.segmentation, labels=case.segmentation.labels[:, ::8, ::8]),
        [],
    )
    other, task = replace(small, name="other"), tmp_path / "task"
    task.write_bytes(pickle.dumps((replace(small, name="killed"), add.__name__)))
    for move in range(20):
        out = tmp_path / f"data{move}"
        add(replace(small, name="first"), out)
        command = [sys.executable, "-c", KILLED, str(task), str(out), str(move)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:
            break
        left = [name for name in listed(out) if "killed" in name and not name.startswith(".")]
        whole = len(left) in (0, 4 if add is add_to_nnunet else 3)
        if not whole:
            with pytest.raises(OutputError, match=r"Adding '.*killed' to the data set was interrupted"):
                add(other, out)
        if add is add_to_nnunet and move:
            with pytest.raises(UnreadableInputError, match="was interrupted"):
                read_corrected(out)
        assert add(replace(small, name="killed"), out) == 2
        assert add(other, out) == 3
    assert move > 3
