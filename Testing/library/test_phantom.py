"""The bundled sample is what the generator makes, so that its true values hold for its voxels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.phantom.sample import SAMPLE_SEED, synthesize


def test_the_bundled_sample_is_what_the_generator_makes(sample_folder: Path) -> None:
    """One slice is made; the others take the same way."""
    image = read_volume(sample_folder / "lumbar_t2.nii.gz")
    labels = read_volume(sample_folder / "lumbar_t2_labels.nii.gz")
    stated = json.loads((sample_folder / "lumbar_t2_truth.json").read_text(encoding="utf-8"))
    case = synthesize(SAMPLE_SEED, only=(7,))
    assert stated["values"] == case.truth and stated["seed"] == SAMPLE_SEED
    assert np.allclose(case.image.affine, image.affine, atol=1e-5)
    assert np.array_equal(case.labels.array[7], labels.array[7])
    assert np.array_equal(case.image.array[7], image.array[7])
