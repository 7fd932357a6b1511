"""The choice of what heights are between: edges of the image or segments, in the panel."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.measure.types import Measurement
from Testing.mrml.desk_checks import move_end
from Testing.widget.conftest import KEY, wait_for
from Testing.widget.test_panel import row_of
from Testing.widget.test_run import wait_for_device

EDGE = (*KEY[:2], "endplate50")


@pytest.fixture(scope="module")
def between_edges(sample: Any) -> list[Measurement]:
    """What is measured on the sample with its image."""
    from SpineMeasureLib.measure import measure

    return measure(sample.segmentation, sample.image)


@pytest.fixture
def session(panel: Any, volume: Any, sample: Any, application: Any, between_edges: list[Measurement]) -> Any:
    """A case of the sample with heights of both kinds, shown in the panel."""
    from SpineMeasureLib.review.session import Session

    made = Session.build(application.scene, volume, sample.segmentation, between_edges, "T2 sag")
    panel.addSession(made)
    return made


def chosen(panel: Any) -> str:
    return str(panel.ui.endsSelector.currentText)


def choose(panel: Any, text: str) -> None:
    panel.ui.endsSelector.setCurrentText(text)


def test_lines_table_and_current_row_follow_the_choice(panel: Any, session: Any, window: Any) -> None:
    assert panel.ui.endsSelector.enabled and chosen(panel) == "edges of the image"
    panel.goToKey(EDGE)
    move_end(session.line(EDGE), (0.0, 0.0, 1.5))
    edited = row_of(panel, EDGE)
    choose(panel, "segments")
    assert session.ends == panel.panel.parameters.ends == "masks"
    assert panel.panel.desk.current == KEY and panel.table.selectedKeys() == [KEY] and EDGE not in panel.table.keys
    assert session.line(KEY).GetDisplayVisibility() and session.line(EDGE) is None
    panel.ui.undoButton.click()
    assert chosen(panel) == "edges of the image" and panel.panel.desk.current == EDGE
    assert row_of(panel, EDGE) == edited and "edited" in edited and KEY not in panel.table.keys
    panel.ui.redoButton.click()
    assert chosen(panel) == "segments" and row_of(panel, KEY)[5] == "automatic"
    choose(panel, "edges of the image")
    assert row_of(panel, EDGE) == edited and window.calls.count(("setSliceViewerLayers",)) == 1


def test_a_script_chooses_by_the_parameters(panel: Any, session: Any) -> None:
    panel.panel.parameters.ends = "masks"
    assert session.ends == "masks" and chosen(panel) == "segments"
    panel.ui.undoButton.click()
    panel.ui.onlyLevelCheckBox.checked = True
    assert session.ends == "edges", "another parameter does not bring the choice back"


def test_a_new_case_starts_with_the_last_choice_and_an_open_one_keeps_its_own(
    panel: Any, session: Any, sample: Any, application: Any
) -> None:
    from SpineMeasureLib.review.mrml.segments import add_segmentation
    from Testing.widget.conftest import add_volume

    choose(panel, "segments")
    panel.ui.undoButton.click()
    own = add_volume(application.scene, sample.image, "Patient B")
    segmentation = add_segmentation(application.scene, sample.segmentation, own, "B segmentation")
    panel.ui.segmentationSelector.setCurrentNode(segmentation)
    panel.ui.measureSegmentationButton.click()
    assert panel.session is not session and panel.session.nodes.volume is own
    assert panel.session.ends == "masks" and chosen(panel) == "segments" and KEY in panel.table.keys
    assert not panel.session.can_undo
    panel.ui.volumeSelector.setCurrentNode(session.nodes.volume)
    assert panel.session is session and chosen(panel) == "edges of the image"


def test_without_heights_between_edges_there_is_no_choice_and_the_reason_is_shown(
    panel: Any, volume: Any, sample: Any, application: Any
) -> None:
    from SpineMeasureLib.review.session import Session

    assert not panel.ui.endsSelector.enabled and panel.ui.endsSelector.toolTip == "There is no case yet."
    made = Session.build(application.scene, volume, sample.segmentation, sample.measurements, "T2 sag")
    panel.addSession(made)
    assert not panel.ui.endsSelector.enabled and chosen(panel) == "segments"
    assert "were not measured in this case" in panel.ui.endsSelector.toolTip
    assert panel.panel.parameters.ends == "edges", "what a case lacks is not the reader's choice"


def test_a_run_shows_what_is_asked_for(
    panel: Any, volume: Any, window: Any, sample_folder: Path, application: Any
) -> None:
    wait_for_device(panel)
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    session = panel.logic.process(volume, labels=labels, ends="masks")
    assert session.ends == "masks" and session.has_both_ends
    outcome: list[Any] = []
    panel.logic.process(volume, labels=labels, ends="endplates", onFinished=lambda *o: outcome.extend(o))
    wait_for(window, lambda: outcome)
    assert outcome[0] is None and outcome[1].kind == "job"


def test_a_scene_brings_its_choice(panel: Any, session: Any, application: Any, tmp_path: Path, window: Any) -> None:
    choose(panel, "segments")
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.sceneButton.click()
    application.scene.Clear(0)
    assert panel.panel.parameters.ends == "edges"
    assert application.scene.ReadFromMRB(str(tmp_path / "T2 sag.mrb"))
    wait_for(window, lambda: panel.session is not None)
    assert panel.session.ends == panel.panel.parameters.ends == "masks" and chosen(panel) == "segments"
    assert KEY in panel.table.keys and EDGE not in panel.table.keys and not panel.session.can_undo


def test_the_choices_are_in_the_language_of_slicer(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from Testing.widget.application import module_classes

    classes = module_classes()
    Texts = importlib.import_module("SpineMeasureGui.Texts")

    monkeypatch.setattr(Texts, "_", str.upper)
    widget = classes.SpineMeasureWidget()
    box = widget.ui.endsSelector
    assert [box.itemText(n) for n in range(box.count)] == ["EDGES OF THE IMAGE", "SEGMENTS"]
    widget.cleanup()
