"""Files of the case that the panel writes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_exports_are_written_and_a_missing_folder_is_told(panel: Any, session: Any, tmp_path: Path) -> None:
    panel.ui.csvButton.click()
    assert "Choose a folder first." in panel.ui.messageLabel.text
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.csvButton.click()
    panel.ui.jsonButton.click()
    rows = list(csv.DictReader((tmp_path / "T2 sag_measurements.csv").open()))
    assert len(rows) == len(session.rows)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["T2 sag_measurements.csv", "T2 sag_measurements.json"]
    (tmp_path / "file").write_text("x")
    panel.ui.exportPath.currentPath = str(tmp_path / "file")
    panel.ui.csvButton.click()
    assert "could not be written" in panel.ui.messageLabel.text and "Written" not in panel.ui.messageLabel.text


def test_a_scene_replaces_the_one_that_this_session_wrote_and_no_other(
    panel: Any, session: Any, tmp_path: Path
) -> None:
    (tmp_path / "T2 sag.mrb").write_text("of another patient")
    panel.ui.exportPath.currentPath = str(tmp_path)
    for _ in range(2):
        panel.ui.sceneButton.click()
        assert f"Written: {tmp_path / 'T2 sag_2.mrb'}" in panel.ui.messageLabel.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["T2 sag.mrb", "T2 sag_2.mrb"]
    assert (tmp_path / "T2 sag.mrb").read_text() == "of another patient"


def test_report_and_training_case_are_written(panel: Any, session: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.io.read import read_volume

    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.reportButton.click()
    page = (tmp_path / "T2 sag_report.html").read_text()
    text = (tmp_path / "T2 sag_report.txt").read_text()
    assert "L4-L5" in page and "L4-L5" in text and "Written" in panel.ui.messageLabel.text
    panel.ui.trainingButton.click()
    dataset = tmp_path / "Dataset001_SpineMeasure"
    (labels,) = (dataset / "labelsTr").iterdir()
    (image,) = (dataset / "imagesTr").iterdir()
    assert np.array_equal(read_volume(image).array, image_of(session.nodes.volume))
    assert np.array_equal(read_volume(labels).array > 0, session.segmentation().labels > 0)
    panel.ui.trainingButton.click()
    assert len(list((dataset / "labelsTr").iterdir())) == 1


def image_of(node: Any) -> np.ndarray:
    from SpineMeasureLib.review.mrml.volume_node import volume_from_node

    return volume_from_node(node).array


class Database:
    """What the module uses of ctkDICOMDatabase."""

    isOpen = True

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.inserted: list[str] = []

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")

    def insert(self, path: str) -> None:
        assert Path(path).is_file()
        self.inserted.append(Path(path).name)


def test_dicom_objects_refer_to_the_images_of_the_database_and_are_added_to_it(
    panel: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    import slicer

    from SpineMeasureLib.review.mrml.volume_node import volume_from_node
    from Testing.library.dicom_study import write_study

    panel.ui.exportPath.currentPath = str(tmp_path / "out")
    panel.ui.dicomButton.click()
    assert "was not loaded from" in panel.ui.messageLabel.text
    study = write_study(tmp_path / "study", volume_from_node(session.nodes.volume))
    files = {str(pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID): str(f) for f in study.iterdir()}
    database = Database(files)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    session.nodes.volume.SetAttribute("DICOM.instanceUIDs", " ".join(sorted(files)))
    panel.ui.dicomButton.click()
    assert "Written" in panel.ui.messageLabel.text
    assert database.inserted == ["measurements.dcm", "segmentation.dcm"]
    panel.ui.dicomButton.click()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["T2 sag_dicom"]
    seg = pydicom.dcmread(tmp_path / "out" / "T2 sag_dicom" / "segmentation.dcm")
    referred = {i.ReferencedSOPInstanceUID for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert referred == set(files)
    labels = session.segmentation()
    assert [s.SegmentLabel for s in seg.SegmentSequence] == [s.name for s in labels.structures]
    assert seg.pixel_array.sum() == (labels.labels > 0).sum()
    database.files = {}
    panel.ui.dicomButton.click()
    assert "are missing" in panel.ui.messageLabel.text
