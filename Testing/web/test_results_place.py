"""Where the results of an image lie, and the image of results."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trame_slicer")

from SpineMeasureLib.web.review import image_of, results_of  # noqa: E402


@pytest.mark.parametrize("name", ["x.nii.gz", "X.NII.GZ", "x.Nii", "x.NRRD", "study", "x.mhd"])
def test_an_image_is_found_again_from_its_results(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert image_of(results_of(tmp_path / name)) == tmp_path / name
