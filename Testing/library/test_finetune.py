"""Fine-tuning on corrected cases: a new bundle beside an untouched one, judged on patients that it did not see."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from SpineMeasureLib.anatomy import Kind, Region, Tissue  # noqa: E402
from SpineMeasureLib.errors import (  # noqa: E402
    GeometryMismatchError,
    InputNotFoundError,
    ModelError,
    OutputError,
    UnreadableInputError,
)
from SpineMeasureLib.evaluate.agreement import DiscMatch  # noqa: E402
from SpineMeasureLib.evaluate.overlap import Overlap  # noqa: E402
from SpineMeasureLib.evaluate.scores import CaseScore, Pair  # noqa: E402
from SpineMeasureLib.evaluate.voxel_codes import BACKGROUND_OR_SACRUM, CANAL_OR_CORD  # noqa: E402
from SpineMeasureLib.export.training import TrainingCase, add_to_nnunet  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from SpineMeasureLib.io.write import write_volume  # noqa: E402
from SpineMeasureLib.measure.definitions import definition  # noqa: E402
from SpineMeasureLib.phantom.sample import synthesize  # noqa: E402
from SpineMeasureLib.segment.bundle import load_network, open_bundle, save_bundle  # noqa: E402
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels  # noqa: E402
from SpineMeasureLib.segment.network import SpineNet  # noqa: E402
from SpineMeasureLib.segmentation import Structure  # noqa: E402
from SpineMeasureLib.train.corrected_cases import known_codes, read_corrected  # noqa: E402
from SpineMeasureLib.train.finetune import FineTuning, blended, fine_tune, split_by_patient  # noqa: E402
from SpineMeasureLib.train.tuned_bundle import comparison  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402

#: Another network than the bundled one: the code must build what the bundle says.
FILTERS = (8, 16, 16)


def make_bundle(folder: Path, **network: int) -> Path:
    """A bundle with random weights that finds background everywhere."""
    torch.manual_seed(0)
    model = SpineNet(filters=FILTERS, **network)
    with torch.no_grad():
        model.unet.output_block.conv.conv.bias[: model.fold.downscale_factor**2] = 20.0
    metadata = {**open_bundle().metadata, "name": "little", "version": "3.0"}
    save_bundle(folder, model, metadata)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three corrected cases of two patients."""
    folder = tmp_path_factory.mktemp("data") / "Dataset001_Corrected"
    for seed, patient in ((1, "P1"), (2, "P1"), (3, "P2")):
        case = synthesize(seed, shape=(3, 144, 96), spacing=(6.0, 1.6, 1.6))
        segmentation = segmentation_from_labels(case.labels)
        add_to_nnunet(TrainingCase(case.image, segmentation, [], f"case{seed}", "Reader", patient), folder)
    return folder


@dataclass(frozen=True)
class Run:
    """What a run of the command line left."""

    parent: Path
    parent_before: dict[str, bytes]
    target: Path
    printed: str


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def tuned(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    parent = make_bundle(tmp_path_factory.mktemp("models") / "little")
    before = contents(parent)
    command = [sys.executable, "-m", "SpineMeasureLib.cli", "train", "segmentation", "--device", "cpu"]
    command += ["--resume-from", str(parent), "--data", str(data), "--minutes", "0.05", "--threads", "1"]
    environment = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return Run(parent, before, parent.with_name("little_finetuned"), done.stdout)


def test_a_new_bundle_lies_beside_the_old_one_which_is_untouched(tuned: Run) -> None:
    assert sorted(p.name for p in tuned.parent.parent.iterdir()) == ["little", "little_finetuned"]
    assert contents(tuned.parent) == tuned.parent_before
    assert sorted(contents(tuned.target)) == [
        "configs/inference.json",
        "configs/metadata.json",
        "docs/README.md",
        "docs/before_after.csv",
        "models/model.safetensors",
    ]


def test_the_new_bundle_is_the_old_network_with_other_weights_and_says_so(tuned: Run) -> None:
    old, new = open_bundle(tuned.parent), open_bundle(tuned.target)
    inference = [json.loads((b.folder / "configs" / "inference.json").read_text()) for b in (old, new)]
    assert inference[0] == inference[1]
    before, after = (dict(load_network(bundle).named_parameters()) for bundle in (old, new))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert new.metadata["fine_tuned_from"] == {"name": "little", "version": "3.0", "sha256": old.sha256}
    assert (new.name, new.version) == ("little_finetuned", f"3.0+tuned.{old.sha256[:8]}")
    assert new.metadata["network_data_format"] == old.metadata["network_data_format"]


def test_the_table_compares_held_out_cases_before_and_after(tuned: Run, data: Path) -> None:
    metadata = open_bundle(tuned.target).metadata
    held_out = metadata["eval_metrics"]["held_out"]
    rows = list(csv.DictReader((tuned.target / "docs" / "before_after.csv").read_text().splitlines()))
    assert list(rows[0]) == ["case", "measure", "before", "after"]
    assert {row["case"] for row in rows} == {"all held out", *held_out}
    assert all(row["before"] and row["after"] for row in rows)
    patients = {case.name: case.patient for case in read_corrected(data)}
    learned = set(patients) - set(held_out)
    assert learned and not {patients[n] for n in held_out} & {patients[n] for n in learned}
    card = (tuned.target / "docs" / "README.md").read_text()
    assert f"Trained on {len(learned)} corrected cases: {', '.join(sorted(learned))}." in card
    for row in rows:
        if row["case"] == "all held out":
            assert f"| {row['measure']} | {row['before']} | {row['after']} |" in card
            assert row["measure"] in tuned.printed
    assert "before" in tuned.printed and "after" in tuned.printed


def test_an_earlier_result_is_never_written_over(tuned: Run, data: Path) -> None:
    before = contents(tuned.target)
    for target in (None, tuned.parent):
        with pytest.raises(OutputError, match="already exists"):
            fine_tune(FineTuning(tuned.parent, data, target))
    assert contents(tuned.target) == before
    assert contents(tuned.parent) == tuned.parent_before


def score(found: int, missed: int, error_mm: float, overlap: float) -> CaseScore:
    """A case in which some discs were found, the height of each wrong by `error_mm`."""
    disc = Structure(100, "L4-L5 disc", Kind.DISC, "L4-L5")
    match = DiscMatch(((disc, disc),) * found, (disc,) * missed, (), True)
    pairs = tuple(Pair("L4-L5", definition("disc_height_middle", "chord50"), 8.0 + error_mm, 8.0) for _ in range(found))
    dice = {"vertebra": 0.5, "disc": overlap, "canal": 1.0}
    return CaseScore("a", {name: Overlap(d, 0, 0, 0, 0, 0) for name, d in dice.items()}, match, pairs)


def test_the_table_has_means_over_cases_and_counts_of_what_was_compared() -> None:
    before = [score(1, 3, 2.0, 0.2), score(1, 3, -1.0, 0.4)]
    after = [score(4, 0, 0.5, 0.8), score(4, 0, 0.5, 0.9)]
    rows = {row.measure: (row.before, row.after) for row in comparison(before, after) if not row.case}
    assert rows["Dice disc"] == ("0.300", "0.850")
    assert rows["discs found"] == ("2 of 8", "8 of 8")
    assert rows["disc_height_middle.chord50: mean absolute error, mm"] == ("1.50 (n 2)", "0.50 (n 8)")
    assert rows["canal_ap.disc_level: mean absolute error, mm"] == ("- (n 0)", "- (n 0)")


def test_blended_weights_lie_between_the_old_and_the_new() -> None:
    new, old = SpineNet(filters=FILTERS), SpineNet(filters=FILTERS)
    before = [p.detach().clone() for p in new.parameters()]
    blended(new, old, 0.25)
    for mixed, was, base in zip(new.parameters(), before, old.parameters(), strict=True):
        torch.testing.assert_close(mixed, 0.25 * was + 0.75 * base)


def test_all_cases_of_a_patient_are_on_one_side(data: Path) -> None:
    cases = read_corrected(data)
    assert [case.patient for case in cases] == ["P1", "P1", "P2"]
    held_out, kept = split_by_patient(cases, 3)
    assert held_out and kept and len(held_out) + len(kept) == 3
    assert not {c.patient for c in held_out} & {c.patient for c in kept}
    with pytest.raises(InputNotFoundError, match="one patient only"):
        split_by_patient(cases[:2], 3)


def test_a_case_without_cord_or_sacrum_does_not_deny_them() -> None:
    tissue = np.array([Tissue.BACKGROUND, Tissue.CANAL, Tissue.DISC], np.uint8)
    assert known_codes(tissue).tolist() == [BACKGROUND_OR_SACRUM, CANAL_OR_CORD, Tissue.DISC]
    whole = np.array([*tissue, Tissue.CORD, Tissue.SACRUM], np.uint8)
    assert known_codes(whole).tolist() == whole.tolist()


def test_cases_with_verified_names_teach_the_region_of_each_body_and_others_none(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "copy"))
    about = folder / "provenance" / "case2.json"
    about.write_text(about.read_text().replace('"levels_verified": true', '"levels_verified": false'))
    (folder / "levels" / "case3.nii.gz").unlink()
    named, guessed, older = (case.as_training_case() for case in read_corrected(folder))
    assert guessed.regions is None and older.regions is None
    assert named.regions is not None
    assert set(np.unique(named.regions[named.codes == Tissue.BODY])) == {int(Region.THORACIC), int(Region.LUMBAR)}
    assert not named.regions[named.codes != Tissue.BODY].any()


def test_data_of_others_and_damaged_data_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"dataset\.json"):
        read_corrected(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "liver": 1}}')
    with pytest.raises(UnreadableInputError, match="does not use the labels of this program"):
        read_corrected(tmp_path)
    (tmp_path / "dataset.json").write_bytes((data / "dataset.json").read_bytes())
    with pytest.raises(InputNotFoundError, match="no case"):
        read_corrected(tmp_path)
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
    image, labels = (read_volume(data / name) for name in ("imagesTr/case1_0000.nii.gz", "labelsTr/case1.nii.gz"))
    write_volume(image, tmp_path / "imagesTr" / "case1_0000.nii.gz")
    write_volume(replace(labels, array=labels.array + np.uint8(9)), tmp_path / "labelsTr" / "case1.nii.gz")
    with pytest.raises(UnreadableInputError, match="unknown values"):
        read_corrected(tmp_path)
    moved = labels.affine.copy()
    moved[:3, 3] += 5
    write_volume(Volume(labels.array, moved), tmp_path / "labelsTr" / "case1.nii.gz")
    with pytest.raises(GeometryMismatchError):
        read_corrected(tmp_path)


def test_a_bundle_that_sees_another_number_of_slices_is_refused(data: Path, tmp_path: Path) -> None:
    parent = make_bundle(tmp_path / "other", slices=9)
    with pytest.raises(ModelError, match="another version"):
        fine_tune(FineTuning(parent, data))
    assert [p.name for p in tmp_path.iterdir()] == ["other"]
