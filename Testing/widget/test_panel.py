"""The panel: what is shown, what can be pressed, what each press does, and what is left behind."""

from __future__ import annotations

import csv
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.measure.flags import in_words
from SpineMeasureLib.review.case.state import status_of
from Testing.widget.conftest import KEY, wait_for


def shown(panel: Any) -> list[list[str]]:
    """The table as text."""
    table = panel.ui.measurementTable
    return [[table.item(row, column).text() for column in range(7)] for row in range(table.rowCount)]


def row_of(panel: Any, key: tuple[str, str, str]) -> list[str]:
    return shown(panel)[panel.table.keys.index(key)]


def slice_pose(scene: Any, name: str) -> Any:
    node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
    matrix = node.GetSliceToRAS()
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def move_end(line: Any, by: tuple[float, float, float]) -> None:
    """What a drag of the first end point does to the node."""
    position = line.GetNthControlPointPositionWorld(0)
    line.InvokeEvent(line.PointStartInteractionEvent)
    line.SetNthControlPointPositionWorld(0, [position[n] + by[n] for n in range(3)])
    line.InvokeEvent(line.PointEndInteractionEvent)


@pytest.fixture
def slice_nodes(application: Any, window: Any) -> Any:
    """Slicer's three slice views as nodes."""
    # Those of earlier tests outlive the clearing of their scene, turned as they were.
    for before in [
        application.scene.GetNthNodeByClass(n, kind)
        for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")
        for n in range(application.scene.GetNumberOfNodesByClass(kind))
    ]:
        application.scene.RemoveNode(before)
    for name in ("Red", "Green", "Yellow"):
        # With the orientations that the scene's slice nodes have by default.
        node = application.scene.CreateNodeByClass("vtkMRMLSliceNode")
        node.SetSingletonTag(name)
        node.SetLayoutName(name)
        application.scene.AddNode(node)
    return application.scene


def test_without_a_volume_nothing_can_be_started_and_the_reason_is_told(panel: Any, window: Any) -> None:
    assert not panel.ui.runButton.enabled
    assert panel.ui.runButton.toolTip == "Choose a volume first."
    for name in (
        "cancel",
        "accept",
        "undo",
        "redo",
        "rename",
        "remeasure",
        "csv",
        "nextFlagged",
        "measureSegmentation",
    ):
        assert not getattr(panel.ui, f"{name}Button").enabled, name
    assert panel.ui.progressBar.isHidden() and window.calls == []


def test_a_volume_that_comes_can_be_chosen(panel: Any, volume: Any) -> None:
    panel.ui.volumeSelector.setCurrentNode(volume)
    assert panel.panel.parameters.volume is volume
    assert panel.ui.runButton.enabled and "drag" in panel.ui.runButton.toolTip


def test_a_case_fills_levels_table_and_summary(panel: Any, session: Any, volume: Any) -> None:
    levels = [panel.ui.levelSelector.itemText(n) for n in range(panel.ui.levelSelector.count)]
    assert levels == session.levels
    assert panel.ui.levelSelector.currentText in levels
    assert panel.table.keys and {key[1] for key in panel.table.keys} >= {"disc_height_middle", "canal_ap"}
    assert row_of(panel, KEY)[:3] == ["L4-L5", "Disc height, middle", f"{session.row(KEY).value:.1f} mm"]
    assert f"{len(session.rows)} values" in panel.ui.summaryLabel.text
    assert panel.panel.parameters.volume is volume
    assert panel.panel.parameters.segmentation is session.nodes.segmentation


def test_table_is_filtered_by_quantity_and_level_and_so_are_the_lines(panel: Any, session: Any) -> None:
    panel.ui.quantityFilter.setCurrentText("All values")
    assert panel.table.keys == [m.key for m in session.rows]
    panel.ui.quantityFilter.setCurrentText("Canal and cord")
    assert {key[1].partition("_")[0] for key in panel.table.keys} <= {"canal", "cord", "torg"}
    assert not session.line(KEY).GetDisplayVisibility()
    panel.ui.quantityFilter.setCurrentText("Disc")
    panel.ui.levelFilter.setCurrentText("L4-L5")
    assert {key[0] for key in panel.table.keys} == {"L4-L5"} and KEY in panel.table.keys
    assert session.line(KEY).GetDisplayVisibility()
    assert not session.line(("L3-L4", *KEY[1:])).GetDisplayVisibility()


def test_a_click_on_a_row_turns_the_views_to_its_plane(slice_nodes: Any, panel: Any, session: Any) -> None:
    key = ("L4-L5", "disc_height_posterior", "chord90")
    panel.panel.measurements.onCellClicked(panel.table.keys.index(key), 2)
    line = session.line(key)
    middle = np.mean([line.GetNthControlPointPositionWorld(n) for n in (0, 1)], axis=0)
    plane = session.row(key).plane
    normal = np.cross(plane.x_axis, plane.y_axis)
    sagittal, axial = slice_pose(slice_nodes, "Yellow"), slice_pose(slice_nodes, "Red")
    assert abs(sagittal[:3, 2] @ normal) == pytest.approx(1, abs=1e-6)
    assert (sagittal[:3, 3] - middle) @ normal == pytest.approx(0, abs=1e-6)
    canal = session.row(("L4-L5", "canal_ap", "disc_level")).plane
    assert abs(axial[:3, 2] @ np.cross(canal.x_axis, canal.y_axis)) > 0.99
    assert axial[:3, 3] == pytest.approx(middle)
    assert panel.ui.levelSelector.currentText == "L4-L5" and panel.panel.desk.current == key


def test_a_drag_changes_its_row_and_can_be_undone_and_done_again(panel: Any, session: Any) -> None:
    panel.goToKey(KEY)
    before = row_of(panel, KEY)
    assert not panel.ui.undoButton.enabled
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    after = row_of(panel, KEY)
    assert after[2] == f"{session.row(KEY).value:.1f} mm" != before[2]
    assert after[3] == before[2] and after[4].startswith("+") and after[5] == "edited"
    assert panel.ui.undoButton.enabled and not panel.ui.redoButton.enabled
    panel.ui.undoButton.click()
    assert row_of(panel, KEY) == before and panel.ui.redoButton.enabled
    panel.ui.redoButton.click()
    assert row_of(panel, KEY) == after
    panel.ui.resetButton.click()
    assert row_of(panel, KEY)[2:5] == before[2:5]


def test_a_dragged_end_leaves_its_plane_only_while_control_is_held(
    panel: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer
    from PySide6.QtCore import Qt

    line, plane, away = session.line(KEY), session.row(KEY).plane, []
    normal = np.cross(plane.x_axis, plane.y_axis)
    modifiers = Qt.KeyboardModifier
    for held in (modifiers.NoModifier, modifiers.ShiftModifier, modifiers.ControlModifier):
        monkeypatch.setattr(type(slicer.app), "keyboardModifiers", lambda self, held=held: held)
        move_end(line, tuple(3 * normal))
        away.append(abs((np.array(line.GetNthControlPointPositionWorld(0)) - plane.origin) @ normal))
    assert away == pytest.approx([0, 0, 3], abs=1e-6)


@pytest.mark.parametrize("scope", ["selected values", "level", "case"])
def test_accept_and_withdraw_apply_to_what_was_chosen(panel: Any, session: Any, scope: str) -> None:
    panel.goToKey(KEY)
    panel.ui.scopeSelector.setCurrentText(scope)
    panel.ui.reviewerEdit.text = "AB"
    panel.ui.acceptButton.click()
    accepted = {m.key for m in session.rows if status_of(m) == "accepted"}
    everything = {m.key for m in session.rows if m.value is not None}
    at_level = {key for key in everything if key[0] == "L4-L5"}
    assert accepted == {"selected values": {KEY}, "level": at_level, "case": everything}[scope]
    assert row_of(panel, KEY)[5] == "accepted"
    panel.ui.withdrawButton.click()
    assert not any(status_of(m) == "accepted" for m in session.rows)


def test_initials_stay_with_the_reader_and_not_with_the_scene(
    panel: Any, session: Any, application: Any, tmp_path: Path
) -> None:
    from Testing.widget.application import module_classes

    panel.ui.reviewerEdit.text = "AB"
    panel.ui.reviewerEdit.editingFinished.emit()
    panel.ui.scopeSelector.setCurrentText("case")
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.sceneButton.click()
    panel.cleanup()
    again = module_classes().SpineMeasureWidget()
    assert again.ui.reviewerEdit.text == "AB" and again.ui.scopeSelector.currentText == "selected values"
    again.ui.reviewerEdit.text = "CD"
    application.scene.Clear(0)
    assert application.scene.ReadFromMRB(str(tmp_path / "T2 sag.mrb"))
    assert again.ui.reviewerEdit.text == "CD" and again.ui.scopeSelector.currentText == "selected values"
    again.cleanup()


def test_accepting_without_initials_is_told(panel: Any, session: Any) -> None:
    panel.goToKey(KEY)
    panel.ui.acceptButton.click()
    assert status_of(session.row(KEY)) == "accepted" and "without initials" in panel.ui.messageLabel.text


def test_a_dragged_line_is_the_one_that_keys_act_on(panel: Any, session: Any) -> None:
    other = ("L3-L4", *KEY[1:])
    panel.goToKey(other)
    line = session.line(KEY)
    position = line.GetNthControlPointPositionWorld(0)
    line.InvokeEvent(line.PointStartInteractionEvent)
    line.SetNthControlPointPositionWorld(0, [position[0], position[1], position[2] + 2])
    assert panel.table.selectedKeys() == [KEY] and panel.ui.levelSelector.currentText == "L4-L5"
    line.InvokeEvent(line.PointEndInteractionEvent)
    panel.onReset()
    assert status_of(session.row(KEY)) == "automatic"
    panel.onAccept()
    assert status_of(session.row(KEY)) == "accepted" and status_of(session.row(other)) != "accepted"


def test_arrow_keys_show_the_value_that_they_come_to(panel: Any, session: Any) -> None:
    panel.goToKey(panel.table.keys[3])
    panel.ui.measurementTable.setCurrentCell(4, 1)
    assert panel.panel.desk.current == panel.table.keys[4] and panel.table.selectedKeys() == [panel.table.keys[4]]
    assert panel.ui.levelSelector.currentText == panel.table.keys[4][0]


def half_of(session: Any, name: str) -> float:
    """Erase about half of a segment, as painting does; returns what was left of it."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    segmentation = session.nodes.segmentation.GetSegmentation()
    segment = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(name))
    labelmap = segment.GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    own = np.flatnonzero(voxels == segment.GetLabelValue())
    voxels[own[: len(own) // 2]] = 0
    labelmap.GetPointData().GetScalars().Modified()
    labelmap.Modified()
    return 1 - (len(own) // 2) / len(own)


def test_values_of_painted_segments_are_not_exported_or_accepted_before_they_are_measured_again(
    panel: Any, session: Any, tmp_path: Path
) -> None:
    volume_of_disc = next(m.key for m in session.rows if m.key[:2] == ("L4-L5", "disc_volume"))
    before = session.row(volume_of_disc).value
    left = half_of(session, "L4-L5")
    assert session.segments_changed
    panel.panel.desk.check_segments()  # this painting sends no event
    assert "Re-measure" in panel.ui.messageLabel.text
    assert not panel.ui.csvButton.enabled and "Re-measure" in panel.ui.acceptButton.toolTip
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.panel.export.table()
    panel.onAccept()
    assert not list(tmp_path.iterdir()) and not panel.session.row(volume_of_disc).accepted
    assert "edited after they were measured" in panel.ui.messageLabel.text
    panel.ui.sceneButton.click()
    assert (tmp_path / "T2 sag.mrb").exists()
    panel.ui.remeasureButton.click()
    assert not session.segments_changed
    assert session.row(volume_of_disc).value == pytest.approx(left * before, rel=0.02)
    panel.ui.csvButton.click()
    assert list(tmp_path.glob("*.csv"))
    panel.ui.undoButton.click()
    assert session.segments_changed


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


def test_leaving_gives_the_slice_views_their_orientation_back(slice_nodes: Any, panel: Any, session: Any) -> None:
    red = slice_nodes.GetSingletonNode("Red", "vtkMRMLSliceNode")
    panel.exit()
    red.SetOrientation("Axial")
    panel.enter()
    panel.goToKey(KEY)
    assert red.GetOrientation() != "Axial"
    panel.exit()
    assert red.GetOrientation() == "Axial"


def test_levels_are_stepped_through_from_head_to_sacrum_and_stop_at_the_ends(panel: Any, session: Any) -> None:
    panel.goToLevel(session.levels[0])
    assert not panel.ui.previousLevelButton.enabled
    seen = [session.levels[0]]
    while panel.ui.nextLevelButton.enabled:
        panel.ui.nextLevelButton.click()
        seen.append(panel.ui.levelSelector.currentText)
    assert seen == session.levels
    panel.onNextLevel()
    assert panel.ui.levelSelector.currentText == session.levels[-1]


def test_next_flagged_goes_to_each_in_turn_and_leaves_the_filters_alone(panel: Any, session: Any) -> None:
    panel.ui.quantityFilter.setCurrentText("Vertebra")
    panel.ui.levelFilter.setCurrentText("L3")
    listed = list(panel.table.keys)
    visited = []
    for _ in session.flagged:
        panel.ui.nextFlaggedButton.click()
        visited.append(panel.panel.desk.current)
        assert panel.table.selectedKeys() == [panel.panel.desk.current]
        assert {*panel.table.keys} == {*listed, panel.panel.desk.current}
        line = session.line(panel.panel.desk.current)
        assert line is None or line.GetDisplayVisibility()
    assert sorted(visited) == sorted(session.flagged) and visited
    assert panel.ui.quantityFilter.currentText == "Vertebra" and panel.ui.levelFilter.currentText == "L3"
    panel.ui.levelFilter.setCurrentText("L4")
    assert {key[0] for key in panel.table.keys} == {"L4"}


def test_renaming_a_disc_takes_all_levels_along_and_a_refusal_is_told(panel: Any, session: Any, window: Any) -> None:
    value = session.row(KEY).value
    panel.goToLevel("L5-S1")
    panel.ui.renameSelector.setCurrentText("L4-L5")
    panel.ui.renameButton.click()
    assert session.row(("L3-L4", *KEY[1:])).value == value
    assert "L5-S1" not in [panel.ui.levelSelector.itemText(n) for n in range(panel.ui.levelSelector.count)]
    panel.ui.undoButton.click()
    panel.ui.shiftUpButton.click()
    assert session.row(("L3-L4", *KEY[1:])).value == value
    panel.ui.shiftDownButton.click()
    assert session.row(KEY).value == value
    panel.goToLevel("L4-L5")
    panel.ui.renameSelector.setCurrentText("C2-C3")
    panel.ui.renameButton.click()
    assert panel.ui.messageLabel.text.startswith("<b>") and session.row(KEY).value == value
    assert window.calls == [("setSliceViewerLayers",)]


def test_only_a_disc_can_be_renamed(panel: Any, session: Any) -> None:
    panel.goToLevel("L4")
    assert not panel.ui.renameButton.enabled and "disc" in panel.ui.renameButton.toolTip


def test_shortcuts_work_while_the_module_is_shown_and_are_gone_after(panel: Any, session: Any, window: Any) -> None:
    from PySide6 import QtCore, QtGui

    def keys() -> dict[str, Any]:
        found = window.window.findChildren(QtGui.QShortcut)
        return {QtCore.QObject.property(s, "key").toString(): s for s in found}

    assert set(keys()) == {
        "Alt+Down", "Alt+Up", "Alt+N", "Alt+A", "Alt+R", "Alt+Z", "Alt+Y", "Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+Y",
    }  # fmt: skip
    assert all(key in panel.ui.shortcutsLabel.toolTip for key in keys())
    panel.goToKey(KEY)
    keys()["Alt+A"]._signal("activated()").emit()
    assert status_of(session.row(KEY)) == "accepted"
    keys()["Alt+Z"]._signal("activated()").emit()
    assert status_of(session.row(KEY)) != "accepted"
    panel.exit()
    assert keys() == {}
    panel.enter()
    assert len(keys()) == 10


def test_own_layout_is_shown_and_the_one_before_comes_back(panel: Any) -> None:
    import slicer

    from SpineMeasureLib.review.mrml.layout import LAYOUT_ID

    manager = slicer.app.layoutManager()
    assert manager.layout == LAYOUT_ID
    node = manager.layoutLogic().GetLayoutNode()
    assert all(name in node.GetLayoutDescription(LAYOUT_ID) for name in ("Yellow", "Red", "ViewNode"))
    assert "Table" not in node.GetLayoutDescription(LAYOUT_ID)
    panel.exit()
    assert manager.layout == 3
    panel.enter()
    manager.setLayout(6)
    panel.exit()
    assert manager.layout == 6
    manager.setLayout(3)


def test_choices_survive_another_module_and_each_change_is_told_once(panel: Any, session: Any) -> None:
    panel.ui.deviceSelector.setCurrentText("cpu")
    panel.ui.quantityFilter.setCurrentText("Disc")
    for _ in range(3):
        panel.exit()
        gc.collect()
        panel.enter()
    parameters = panel.panel.parameters
    assert (parameters.device, parameters.group) == ("cpu", "Disc")
    assert panel.ui.deviceSelector.currentText == "cpu" and panel.ui.quantityFilter.currentText == "Disc"
    assert {key[1].partition("_")[0] for key in panel.table.keys} <= {"disc", "farfan"}
    fills: list[Any] = []
    panel.table.fill, fill = lambda *a: fills.append(a), panel.table.fill
    panel.ui.quantityFilter.setCurrentText("Vertebra")
    assert len(fills) == 1
    panel.table.fill = fill


def test_closing_the_scene_brings_the_choices_back_to_their_defaults(panel: Any, application: Any) -> None:
    panel.ui.deviceSelector.setCurrentText("cpu")
    application.scene.Clear(0)
    assert panel.ui.deviceSelector.currentText == "auto"


def test_of_several_volumes_the_first_image_is_chosen(window: Any, application: Any, sample: Any) -> None:
    from Testing.widget.application import module_classes
    from Testing.widget.conftest import add_volume

    application.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    image = add_volume(application.scene, sample.image, "T2 sag")
    panel = module_classes().SpineMeasureWidget()
    panel.enter()
    assert panel.ui.volumeSelector.currentNode() is image and panel.ui.runButton.enabled
    panel.cleanup()


def test_panel_works_without_main_window_and_layout_manager(
    window: Any, monkeypatch: pytest.MonkeyPatch, application: Any, sample: Any
) -> None:
    import slicer

    from SpineMeasureLib.review.session import Session
    from Testing.widget.application import module_classes

    window.window.deleteLater()
    monkeypatch.setattr(window, "window", type("Gone", (), {"deleteLater": lambda self: None})())
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
    panel = module_classes().SpineMeasureWidget()
    panel.enter()
    made = Session.build(application.scene, None, sample.segmentation, sample.measurements, "T2")
    panel.addSession(made)
    panel.goToKey(KEY)
    assert panel.table.selectedKeys() == [KEY]
    panel.exit()
    panel.cleanup()


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


def test_segment_editor_takes_keys_and_views_only_while_its_section_is_open(panel: Any, session: Any) -> None:
    assert panel.segmentEditor.widget is None
    panel.ui.segmentsCollapsibleButton.collapsed = False
    calls = panel.segmentEditor.widget._calls
    assert ("setMaximumNumberOfUndoStates", 10) in calls
    assert ("setSegmentationNode", session.nodes.segmentation) in calls
    assert ("setSourceVolumeNode", session.nodes.volume) in calls
    assert calls[-2:] == [("installKeyboardShortcuts",), ("rotateSliceViewsToSegmentation",)]
    assert ("setCurrentSegmentID", panel.panel.desk.current[0]) in calls and panel.panel.desk.current[
        0
    ] in session.discs
    panel.ui.segmentsCollapsibleButton.collapsed = True
    left = [("setActiveEffect", None), ("uninstallKeyboardShortcuts",), ("removeViewObservations",)]
    assert calls[-3:] == left
    panel.ui.segmentsCollapsibleButton.collapsed = False
    panel.exit()
    assert calls[-3:] == left


def test_measuring_again_says_what_changed_and_keeps_edits(panel: Any, session: Any) -> None:
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    edited = session.row(KEY).value
    panel.ui.remeasureButton.click()
    assert "values changed" in panel.ui.messageLabel.text
    assert session.row(KEY).value == edited


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


def test_device_line_tells_the_answer_of_a_child(panel: Any, window: Any) -> None:
    wait_for(window, lambda: panel.panel.case.deviceRun is None)
    assert panel.ui.deviceLabel.text.startswith(("cpu (", "cuda", "mps")) and ": " in panel.ui.deviceLabel.text


def test_cleanup_leaves_no_observer_in_the_scene(panel: Any, session: Any, application: Any) -> None:
    panel.cleanup()
    assert panel.Observations == [] and panel.panel.cases.open.sessions == []
    session.nodes.volume.SetName("other")
    application.scene.Clear(0)


def test_texts_of_the_library_are_shown_in_the_language_of_slicer(
    panel: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from SpineMeasureGui import Texts

    monkeypatch.setattr(Texts, "_", str.upper)
    panel.ui.quantityFilter.setCurrentText("All values")
    assert row_of(panel, KEY)[1] == "DISC HEIGHT, MIDDLE"
    assert row_of(panel, KEY)[5] == status_of(session.row(KEY)).upper()
    flagged = session.flagged[0]
    flags = [in_words(flag).upper() for flag in session.row(flagged).flags]
    assert row_of(panel, flagged)[6] == ", ".join(flags)
    panel.showMessage("This case is closed.", "Open it again.")
    assert "THIS CASE IS CLOSED." in panel.ui.messageLabel.text and "OPEN IT AGAIN." in panel.ui.messageLabel.text
    parameters = panel.logic.getParameterNode()
    panel.panel.link.set(None)
    panel.panel.link.set(parameters)
    choices = [panel.ui.quantityFilter.itemText(n) for n in range(panel.ui.quantityFilter.count)]
    assert choices[1] == "ALL VALUES" and panel.panel.parameters.group == "All values"
    panel.ui.quantityFilter.setCurrentIndex(2)
    assert panel.panel.parameters.group == "Disc"


def test_the_stand_in_refuses_what_slicer_does_not_have(panel: Any) -> None:
    import qt
    import slicer

    ui, parameters = panel.ui, panel.panel.parameters
    for use in (
        lambda: ui.runButton.text(),
        lambda: setattr(ui.runButton, "txt", "x"),
        lambda: ui.runButton.connect("clickd(bool)", print),
        lambda: ui.volumeSelector.currentNodes,
        lambda: ui.measurementTable.rowCount(),
        lambda: ui.exportPath.text,
        lambda: ui.segmentsCollapsibleButton.title,
        lambda: slicer.app.nothing,
        lambda: qt.QNothing,
        lambda: setattr(parameters, "device", "tpu"),
        lambda: setattr(parameters, "snapToPlane", "yes"),
        lambda: setattr(parameters, "volume", "x"),
    ):
        with pytest.raises((AttributeError, TypeError, ValueError)):
            use()
