"""The bundled model: small, intact, described, and able to do its work on the sample and on real slabs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from SpineMeasureLib.anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Kind  # noqa: E402
from SpineMeasureLib.evaluate.agreement import dice  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from SpineMeasureLib.measure import measure  # noqa: E402
from SpineMeasureLib.segment import segment_volume  # noqa: E402
from SpineMeasureLib.segment.bundle import load_network, open_bundle  # noqa: E402
from SpineMeasureLib.segmentation import SpineSegmentation  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402


@pytest.fixture(scope="module")
def sample_result(sample_folder: Path) -> SpineSegmentation:
    return segment_volume(read_volume(sample_folder / "lumbar_t2.nii.gz"), device="cpu")


def test_weights_are_small_and_fit_their_network() -> None:
    bundle = open_bundle()
    assert bundle.weights_path.stat().st_size <= 16 * 1024**2
    assert sum(p.numel() for p in load_network(bundle).parameters()) > 1e6


def test_metadata_says_what_it_was_trained_on_and_how_it_scored() -> None:
    metadata = open_bundle().metadata
    sources = metadata["data_source"]
    scores = metadata["eval_metrics"]
    assert isinstance(sources, list)
    assert isinstance(scores, dict)
    assert all(source["patients"] > 0 and source["what"] for source in sources)
    assert {"dice_vertebra", "dice_disc", "dice_canal", "discs_found"} <= set(scores)
    card = (open_bundle().folder / "docs" / "README.md").read_text()
    assert f"{scores['dice_disc']['mean']:.3f}" in card
    assert open_bundle().sha256 in card


def test_the_sample_is_named_from_its_sacrum(sample_result: SpineSegmentation) -> None:
    assert sample_result.anchor == "sacrum"
    discs = [s.level for s in sample_result.of_kind(Kind.DISC)]
    assert discs[-6:] == ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    assert sample_result.provenance["model_sha256"] == open_bundle().sha256


def test_the_sample_is_segmented_near_its_true_labels(sample_result: SpineSegmentation, sample_folder: Path) -> None:
    truth = read_volume(sample_folder / "lumbar_t2_labels.nii.gz").array
    for structure in sample_result.structures:
        if structure.level in ("L2", "L3", "L4", "L2-L3", "L3-L4", "L4-L5") and structure.kind in (
            Kind.BODY,
            Kind.DISC,
        ):
            assert dice(sample_result.mask(structure), truth == structure.value) > 0.6, structure.name


def test_the_sample_is_measured_near_its_true_values(sample_result: SpineSegmentation, sample_folder: Path) -> None:
    truth = json.loads((sample_folder / "lumbar_t2_truth.json").read_text())["values"]
    found = {row.key: row.value for row in measure(sample_result)}
    for quantity, within_mm in (("disc_height_middle", 1.0), ("canal_ap", 1.2)):
        pairs = [
            (found[v["level"], v["quantity"], v["method"]], v["value"]) for v in truth if v["quantity"] == quantity
        ]
        errors = [abs(value - true) for value, true in pairs if value is not None]
        assert len(errors) > 6
        assert np.mean(errors) < within_mm, quantity


def test_every_structure_has_a_confidence(sample_result: SpineSegmentation) -> None:
    assert all(s.confidence is not None and 0 < s.confidence <= 1 for s in sample_result.structures)


@pytest.mark.real_data
def test_real_slabs_are_segmented(data_folder: Path) -> None:
    """The shipped model has seen these patients: this proves that the way through works, not how accurate it is."""
    folder = data_folder / "lumbar_t2_space"
    for path in sorted(folder.glob("*_image.nii.gz"))[:2]:
        image = read_volume(path)
        labels = read_volume(path.with_name(path.name.replace("image", "labels"))).array
        middle = image.array.shape[0] // 2
        cut = slice(middle - 3, middle + 3)
        affine = image.affine.copy()
        affine[:, 3] += affine[:, 0] * cut.start
        found = segment_volume(Volume(image.array[cut], affine), device="cpu", lowest_disc="L5-S1")
        expert = labels[cut]
        values = {kind: [s.value for s in found.of_kind(kind)] for kind in Kind}
        bone = np.isin(found.labels, values[Kind.BODY] + values[Kind.POSTERIOR])
        lumen = np.isin(found.labels, values[Kind.CANAL] + values[Kind.CORD])
        assert dice(bone, expert == SEMANTIC_VERTEBRA) > 0.85
        assert dice(np.isin(found.labels, values[Kind.DISC]), expert == SEMANTIC_DISC) > 0.75
        assert dice(lumen, expert == SEMANTIC_CANAL) > 0.75
