"""The panel: what is shown, what can be pressed, what each press does, and what is left behind."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.measure.flags import in_words
from SpineMeasureLib.review.case.state import status_of
from Testing.mrml.desk_checks import half_of, move_end
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
    panel.goToLevel("L3-L4")
    before = row_of(panel, KEY)
    assert not panel.ui.undoButton.enabled
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    after = row_of(panel, KEY)
    assert after[2] == f"{session.row(KEY).value:.1f} mm" != before[2]
    assert after[3] == before[2] and after[4].startswith("+") and after[5] == "edited"
    assert panel.table.selectedKeys() == [KEY] and panel.ui.levelSelector.currentText == "L4-L5"
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


def test_the_switches_of_dragging_reach_every_case(panel: Any, session: Any) -> None:
    ui, parameters = panel.ui, panel.panel.parameters
    assert session.snap_to_edges and session.snap_to_plane and ui.snapToEdgesCheckBox.checked
    ui.snapToEdgesCheckBox.click()
    assert not session.snap_to_edges and not parameters.snapToEdges and session.snap_to_plane
    ui.snapCheckBox.click()
    assert not session.snap_to_plane
    session.snap_to_edges = session.snap_to_plane = True
    panel.panel.link.adopt(session)
    assert not session.snap_to_edges and not session.snap_to_plane
    parameters.snapToEdges = True
    assert session.snap_to_edges and ui.snapToEdgesCheckBox.checked


def test_buttons_and_lists_forward_to_the_desk(panel: Any, session: Any, window: Any) -> None:
    ui, value = panel.ui, session.row(KEY).value
    panel.goToLevel(session.levels[0])
    assert not ui.previousLevelButton.enabled and "no level above" in ui.previousLevelButton.toolTip
    ui.nextLevelButton.click()
    assert ui.levelSelector.currentText == session.levels[1]
    ui.previousLevelButton.click()
    assert ui.levelSelector.currentText == session.levels[0]
    ui.levelSelector.setCurrentText("L4")
    assert not ui.renameButton.enabled and "disc" in ui.renameButton.toolTip
    ui.levelFilter.setCurrentText("L3")
    ui.nextFlaggedButton.click()
    assert panel.table.selectedKeys() == [panel.panel.desk.current] and panel.panel.desk.current in session.flagged
    assert ui.levelFilter.currentText == "L3"
    panel.goToLevel("L5-S1")
    assert ui.levelFilter.currentText == ui.renameSelector.currentText == "L5-S1"
    ui.renameSelector.setCurrentText("L4-L5")
    ui.renameButton.click()
    assert session.row(("L3-L4", *KEY[1:])).value == value and ui.levelFilter.currentText == "L4-L5"
    assert "L5-S1" not in [ui.levelSelector.itemText(n) for n in range(ui.levelSelector.count)]
    ui.undoButton.click()
    ui.shiftUpButton.click()
    assert session.row(("L3-L4", *KEY[1:])).value == value
    ui.shiftDownButton.click()
    assert session.row(KEY).value == value
    ui.renameSelector.setCurrentText("C2-C3")
    ui.renameButton.click()
    assert ui.messageLabel.text.startswith("<b>") and session.row(KEY).value == value
    assert window.calls == [("setSliceViewerLayers",)]


def test_accept_and_withdraw_apply_to_what_was_chosen(panel: Any, session: Any) -> None:
    panel.goToKey(KEY)
    panel.ui.scopeSelector.setCurrentText("level")
    panel.ui.reviewerEdit.text = "AB"
    panel.ui.acceptButton.click()
    accepted = {m.key for m in session.rows if status_of(m) == "accepted"}
    assert accepted == {m.key for m in session.rows if m.value is not None and m.level == "L4-L5"}
    assert session.row(KEY).accepted.reviewer == "AB" and row_of(panel, KEY)[5] == "accepted"
    panel.ui.withdrawButton.click()
    assert not any(status_of(m) == "accepted" for m in session.rows)
    panel.ui.remeasureButton.click()
    assert "values changed" in panel.ui.messageLabel.text


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


def test_arrow_keys_show_the_value_that_they_come_to(panel: Any, session: Any) -> None:
    panel.goToKey(panel.table.keys[3])
    panel.ui.measurementTable.setCurrentCell(4, 1)
    assert panel.panel.desk.current == panel.table.keys[4] and panel.table.selectedKeys() == [panel.table.keys[4]]
    assert panel.ui.levelSelector.currentText == panel.table.keys[4][0]


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


def test_leaving_gives_the_slice_views_their_orientation_back(slice_nodes: Any, panel: Any, session: Any) -> None:
    red = slice_nodes.GetSingletonNode("Red", "vtkMRMLSliceNode")
    panel.exit()
    red.SetOrientation("Axial")
    panel.enter()
    panel.goToKey(KEY)
    assert red.GetOrientation() != "Axial"
    panel.exit()
    assert red.GetOrientation() == "Axial"


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


def test_device_line_tells_the_answer_of_a_child(panel: Any, window: Any) -> None:
    wait_for(window, lambda: panel.panel.case.deviceRun is None)
    assert panel.ui.deviceLabel.text.startswith(("cpu (", "cuda", "mps")) and ": " in panel.ui.deviceLabel.text


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
