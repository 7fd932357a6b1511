"""Which case of the scene the panel shows, as nodes come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from Testing.mrml.desk_checks import move_end
from Testing.widget.conftest import KEY, wait_for
from Testing.widget.test_panel import row_of


def test_a_volume_without_a_case_shows_no_values_of_another(
    panel: Any, session: Any, application: Any, sample: Any, window: Any
) -> None:
    from Testing.widget.conftest import add_volume

    other = add_volume(application.scene, sample.image, "Patient B")
    window.calls.clear()
    panel.ui.volumeSelector.setCurrentNode(other)
    assert panel.session is None and panel.ui.measurementTable.rowCount == 0 and not panel.ui.csvButton.enabled
    assert not session.nodes.segmentation.GetDisplayVisibility() and not session.line(KEY).GetDisplayVisibility()
    assert ("setSliceViewerLayers",) in window.calls
    panel.ui.volumeSelector.setCurrentNode(session.nodes.volume)
    assert panel.session is session and panel.ui.measurementTable.rowCount
    assert session.nodes.segmentation.GetDisplayVisibility()


def test_a_segmentation_is_measured_on_its_own_image(panel: Any, application: Any, sample: Any) -> None:
    from SpineMeasureLib.review.mrml.segments import add_segmentation
    from Testing.widget.conftest import add_volume

    first = add_volume(application.scene, sample.image, "Patient A")
    own = add_volume(application.scene, sample.image, "Patient B")
    segmentation = add_segmentation(application.scene, sample.segmentation, own, "B segmentation")
    panel.ui.volumeSelector.setCurrentNode(first)
    panel.ui.segmentationSelector.setCurrentNode(segmentation)
    panel.ui.measureSegmentationButton.click()
    assert panel.session.nodes.volume is own and panel.ui.volumeSelector.currentNode() is own


def test_a_case_whose_folder_was_deleted_is_gone(panel: Any, session: Any, application: Any, window: Any) -> None:
    import slicer

    case = session.nodes.case
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(application.scene)
    tree.RemoveItem(session.nodes.folder, True, True)
    wait_for(window, lambda: panel.session is None)
    assert case.GetScene() is None and panel.ui.measurementTable.rowCount == 0 and not panel.ui.csvButton.enabled


def test_a_case_that_comes_while_another_module_is_shown_waits_for_the_reader(
    panel: Any, volume: Any, sample: Any, application: Any, window: Any
) -> None:
    from SpineMeasureLib.review.session import Session

    made = Session.build(application.scene, volume, sample.segmentation, sample.measurements, "T2 sag")
    panel.exit()
    window.calls.clear()
    panel.addSession(made)
    assert window.calls == []
    panel.enter()
    assert ("setSliceViewerLayers",) in window.calls and panel.panel.desk.current is not None


def test_closing_the_scene_empties_the_panel_and_leaves_no_observer(panel: Any, session: Any, application: Any) -> None:
    panel.ui.segmentsCollapsibleButton.collapsed = False
    line = session.line(KEY)
    application.scene.Clear(0)
    assert panel.session is None and panel.ui.measurementTable.rowCount == 0
    assert panel.ui.levelSelector.count == 0 and not panel.ui.runButton.enabled
    assert ("setSegmentationNode", None) in panel.segmentEditor.widget._calls
    line.SetNthControlPointPositionWorld(0, [0.0, 0.0, 0.0])
    assert panel.panel.parameters is not None


def test_a_scene_that_is_opened_brings_its_case_back(
    panel: Any, session: Any, application: Any, tmp_path: Path, window: Any
) -> None:
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.sceneButton.click()
    assert "Written" in panel.ui.messageLabel.text
    text = row_of(panel, KEY)
    application.scene.Clear(0)
    window.calls.clear()
    assert application.scene.ReadFromMRB(str(tmp_path / "T2 sag.mrb"))
    assert window.calls == [], "the views are not ready during the import"
    wait_for(window, lambda: panel.session is not None)
    assert row_of(panel, KEY) == text and ("setSliceViewerLayers",) in window.calls
    nodes = panel.session.nodes
    assert panel.ui.volumeSelector.currentNode() is nodes.volume is panel.panel.parameters.volume
    assert panel.ui.segmentationSelector.currentNode() is nodes.segmentation is panel.panel.parameters.segmentation
    assert panel.session is not session and len(panel.panel.cases.open.sessions) == 1


def test_a_case_that_cannot_be_read_is_told_when_the_module_is_entered(
    panel: Any, window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from SpineMeasureLib.errors import UnreadableInputError
    from SpineMeasureLib.review.open_cases import OpenCases

    def refuse(*_: Any) -> None:
        raise UnreadableInputError("The measurements in 'T2' cannot be read.", "Measure again.")

    monkeypatch.setattr(OpenCases, "find", refuse)
    panel.exit()
    panel.enter()
    assert "cannot be read" in panel.ui.messageLabel.text and panel.session is None


def test_a_case_that_comes_while_another_module_is_shown_is_there_on_return(
    panel: Any, session: Any, volume: Any, sample: Any, application: Any
) -> None:
    from SpineMeasureLib.review.session import Session

    panel.exit()
    second = Session.build(application.scene, volume, sample.segmentation, sample.measurements, "T2 again")
    panel.addSession(second)
    panel.enter()
    assert panel.session is second and panel.panel.parameters.volume is volume
    panel.goToKey(KEY)
    assert panel.table.selectedKeys() == [KEY]


def test_a_second_case_of_another_volume_is_kept_beside_the_first(
    panel: Any, session: Any, sample: Any, application: Any, volume: Any
) -> None:
    from SpineMeasureLib.review.session import Session
    from Testing.widget.conftest import add_volume

    other = add_volume(application.scene, sample.image, "T1 sag")
    second = Session.build(application.scene, other, sample.segmentation, sample.measurements, "T1 sag")
    panel.addSession(second)
    assert panel.session is second
    assert second.line(KEY).GetDisplayVisibility() and not session.line(KEY).GetDisplayVisibility()
    panel.ui.volumeSelector.setCurrentNode(volume)
    assert panel.session is session
    assert session.line(KEY).GetDisplayVisibility() and not second.line(KEY).GetDisplayVisibility()
    assert not second.nodes.segmentation.GetDisplayNode().GetVisibility()
    application.scene.RemoveNode(session.nodes.case)
    assert panel.session is not session and panel.panel.cases.open.sessions == [second]


def test_a_deleted_segmentation_leaves_the_values_and_no_way_to_measure_again(
    panel: Any, session: Any, application: Any
) -> None:
    assert panel.ui.remeasureButton.enabled
    application.scene.RemoveNode(session.nodes.segmentation)
    assert not panel.ui.remeasureButton.enabled and panel.table.keys


def test_an_existing_segmentation_is_measured_once(panel: Any, session: Any, window: Any, application: Any) -> None:
    node = session.nodes.segmentation
    panel.ui.segmentationSelector.setCurrentNode(node)
    panel.ui.measureSegmentationButton.click()
    assert panel.session is session and "Re-measure" in panel.ui.messageLabel.text
    application.scene.RemoveNode(session.nodes.case)
    assert panel.session is None
    panel.ui.segmentationSelector.setCurrentNode(node)
    panel.ui.measureSegmentationButton.click()
    assert panel.session.nodes.segmentation is node and KEY in [m.key for m in panel.session.rows]
    assert not any(call[0] == "errorDisplay" for call in window.calls)


def test_cleanup_leaves_no_observer_in_the_scene(panel: Any, session: Any, application: Any) -> None:
    panel.cleanup()
    assert panel.Observations == [] and panel.panel.cases.open.sessions == []
    session.nodes.volume.SetName("other")
    application.scene.Clear(0)
