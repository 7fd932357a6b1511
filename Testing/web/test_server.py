"""The life of a server: what it measures, what it saves, whom it admits."""

from __future__ import annotations

import csv
import io
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.case_folder import (
    DOCUMENTS,
    LABELS,
    OUTPUTS,
    OVERVIEW,
    TABLE,
    VALUES,
    WRITTEN_LABELS,
    read_results,
    require_finished,
    require_unedited,
)
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.volume import Volume

from ..library.dicom_study import write_study
from .conftest import SAMPLE
from .server import Server
from .tab import SAGITTAL, STATUS, VALUE, Tab

Start = Callable[..., Server]
ROW = "L2-L3|canal_ap|wall"
#: The files that 'measure' writes.
MEASURED = set(OUTPUTS) - set(DOCUMENTS) - set(WRITTEN_LABELS)


def table(folder: Path) -> dict[str, dict[str, str]]:
    """Read measurements.csv, by the ids of the page."""
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return {"|".join(row[k] for k in ("level", "quantity", "method")): row for row in csv.DictReader(file)}


def test_edits_and_their_tables_survive_a_killed_server(browser: Any, case: Path, start: Start) -> None:
    for name in (*DOCUMENTS, OVERVIEW):
        (case / name).write_text("from before the review")
    first = start(case)
    tab = Tab(browser, first)
    _, edited = tab.drag_lower_end(ROW, 14)
    tab.wait_for_text("#message", "Removed from the folder")
    row = table(case)[ROW]
    assert f"{float(row['value']):.1f}" == f"{float(edited[VALUE].split()[0]):.1f}" and row["source"] == "edited"
    assert not [name for name in (*DOCUMENTS, OVERVIEW) if (case / name).exists()]

    tab.page.click("#accept")
    tab.wait_for_cell(ROW, STATUS, "edited, accepted")
    accepted = tab.cells(ROW)
    tab.page.reload()
    tab.wait_for_case()
    assert tab.cells(ROW) == accepted

    tab.page.click("#shift-up")
    renamed = ROW.replace("L2-L3", "L1-L2")
    tab.wait_for_cell(renamed, VALUE, edited[VALUE])
    after = tab.cells(renamed)
    assert after[1:] == accepted[1:]
    tab.close()
    first.kill()
    require_finished(case, (TABLE, LABELS, VALUES))
    require_unedited(case)
    assert table(case)[renamed]["value"] == row["value"]
    results = read_results(case)
    discs = [s.level for s in results.segmentation.structures if s.kind is Kind.DISC]
    assert discs == list(dict.fromkeys(m.level for m in results.measurements if m.quantity == "disc_height_middle"))
    assert not (case / "segmentation.seg.nrrd").exists()

    tab = Tab(browser, start(case / "scene.mrb"))
    tab.wait_for_text("#message", "restored")
    assert tab.cells(renamed) == after
    tab.picture("restored")
    tab.page.click("#save")
    tab.wait_for_text("#message", "was saved")
    assert not tab.complaints
    tab.close()
    assert {path.name for path in case.iterdir()} == MEASURED
    require_unedited(case)
    assert table(case)[renamed]["value"] == row["value"]


def test_image_is_measured_with_progress_and_cancel(browser: Any, start: Start, tmp_path: Path) -> None:
    write_volume(few_slices(), tmp_path / "spine.nii.gz")
    tab = Tab(browser, start(tmp_path / "spine.nii.gz"), case=False)
    tab.page.wait_for_function("document.querySelector('#progress')?.ariaValueNow > 0")
    tab.picture("running")
    tab.page.click("#cancel")
    tab.wait_for_text("#message", "cancelled")
    assert [path.name for path in tmp_path.iterdir()] == ["spine.nii.gz"]

    tab.page.set_default_timeout(600_000)  # the model runs
    tab.open_typed("spine.nii.gz")
    tab.wait_for_case()
    tab.wait_for_text("#message", "check the levels")
    assert ROW in tab.ids()
    assert {path.name for path in (tmp_path / "spine_spine").iterdir()} == MEASURED
    require_finished(tmp_path / "spine_spine", (TABLE, LABELS, VALUES))
    require_unedited(tmp_path / "spine_spine")
    assert tab.page.inner_text("#device").startswith("spine_mri")
    tab.picture("measured")
    filled = tab.pixels(SAGITTAL)
    with tab.redrawn(SAGITTAL):
        tab.page.click("#fill")
    bare = tab.pixels(SAGITTAL)
    under = np.abs(filled - bare).max(axis=2) > 8
    assert under.mean() > 0.02 and filled[under].mean() > 0.6 * bare[under].mean(), "the fill hides the image"
    assert not tab.complaints
    tab.close()


def test_uploaded_study_is_measured_to_its_end(
    browser: Any, case: Path, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "temporary"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    server = start(case)
    tab = Tab(browser, server)
    tab.page.set_default_timeout(600_000)  # the model runs
    study = write_study(tmp_path / "study", few_slices())
    tab.upload(Path(shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path, "study")))
    tab.wait_for_text("#stage", "Segment")
    tab.wait_for_text("#title", "study_spine")
    tab.wait_for_text("#message", "check the levels")
    tab.wait_for_case()
    assert ROW in tab.ids() and tab.page.inner_text("#device").startswith("spine_mri")
    tab.picture("uploaded")
    check_dicom_objects(tab, study)

    scene = tab.download("scene")
    measured = tab.cells(ROW)
    shutil.copy(scene, tmp_path / "taken.mrb")
    tab.upload(tmp_path / "taken.mrb")
    tab.wait_for_case("taken.mrb")
    assert tab.cells(ROW) == measured
    assert not tab.complaints
    tab.close()
    assert list(private.glob("spinemeasure-uploads-*/*"))
    server.stop()
    assert not list(private.glob("spinemeasure-*"))


def few_slices() -> Volume:
    """Return the seven middle slices of the sample, for which the model takes half the time."""
    volume = read_volume(SAMPLE / "lumbar_t2.nii.gz")
    first = np.eye(4)
    first[0, 3] = 4
    return replace(volume, array=volume.array[4:11], affine=volume.affine @ first)


def check_dicom_objects(tab: Tab, study: Path) -> None:
    """Download SEG and SR, and check that they belong to a study."""
    pydicom = pytest.importorskip("pydicom")
    with zipfile.ZipFile(tab.download("dicom")) as archive:
        objects = {name: pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()}
    image = pydicom.dcmread(next(study.iterdir()))
    assert {name: ds.Modality for name, ds in objects.items()} == {"segmentation.dcm": "SEG", "measurements.dcm": "SR"}
    for ds in objects.values():
        assert (ds.PatientID, ds.StudyInstanceUID) == (image.PatientID, image.StudyInstanceUID)
    assert "L4-L5" in str(objects["segmentation.dcm"].SegmentSequence) + str(objects["measurements.dcm"])


def test_dicom_study_opens_with_its_results_beside_it(
    browser: Any, measured: Path, start: Start, tmp_path: Path
) -> None:
    study = write_study(tmp_path / "study", read_volume(SAMPLE / "lumbar_t2.nii.gz"))
    shutil.copytree(measured, tmp_path / "study_spine")
    tab = Tab(browser, start(study))
    check_dicom_objects(tab, study)
    assert not tab.complaints
    tab.close()


@pytest.mark.parametrize("path", ["/", "/index.html", "/ws", "/export/csv"])
def test_without_token_nothing_answers(lone_server: Server, path: str) -> None:
    for query in ("", "?token=wrong"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(lone_server.origin + path + query)
        assert refused.value.code == 403


def test_an_address_for_others_is_warned_of(case: Path, start: Start, lone_server: Server) -> None:
    server = start(case, "--host", "0.0.0.0")
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(server.address) as answer:
        assert answer.status == 200
    assert "not encrypted" in " ".join("".join(server.lines).split())
    assert "not encrypted" not in " ".join("".join(lone_server.lines).split())
