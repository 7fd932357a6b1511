"""What all tests share: where the labelled MRI for development lies, if anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of labelled MRI: SPINEMEASURE_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("SPINEMEASURE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "lumbar_t2_space").is_dir():
        pytest.skip("no labelled MRI: set SPINEMEASURE_DATA to the folder that holds lumbar_t2_space")
    return folder


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    """The bundled synthetic sample case."""
    return ROOT / "Resources" / "sample"
