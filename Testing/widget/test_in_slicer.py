"""What a real Slicer did to the panel, and the stand-in does too: how it draws, imports, undoes and takes room."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6 import QtGui, QtWidgets

from SpineMeasureLib.review.case.state import status_of
from Testing.mrml.desk_checks import half_of, move_end
from Testing.widget.conftest import KEY, add_volume, wait_for
from Testing.widget.test_panel import slice_nodes, slice_pose  # noqa: F401

#: How often views may be drawn for one press of a button: at its end, and once more for what its observers change.
FEW = 3


def drawn_by(window: Any, action: Callable[[], object]) -> int:
    """How often the views are drawn while something is done."""
    before = window.views.drawn
    action()
    return int(window.views.drawn - before)


# Drawing


def test_the_stand_in_draws_at_every_change_unless_it_is_kept_from_it(session: Any, window: Any) -> None:
    import slicer.util

    lines = list(session.nodes.lines.values())

    def change(name: str) -> None:
        for line in lines:
            line.SetName(line.GetName() + name)

    assert drawn_by(window, lambda: change("a")) >= len(lines)
    with slicer.util.RenderBlocker():
        assert drawn_by(window, lambda: change("b")) == 0
    assert drawn_by(window, lambda: None) == 0


def test_a_case_is_built_and_shown_in_few_drawings(panel: Any, volume: Any, sample: Any, window: Any) -> None:
    from SpineMeasureLib.review.session import Session

    made: list[Any] = []

    def build() -> None:
        import slicer

        made.append(
            Session.build(slicer.mrmlScene, volume, sample.segmentation, sample.measurements, "T2", panel.logic.quietly)
        )

    assert drawn_by(window, build) <= FEW
    assert drawn_by(window, lambda: panel.addSession(made[0])) <= FEW


@pytest.mark.parametrize(
    "action",
    [
        "onAccept", "onReset", "onUndo", "onRedo", "onShiftUp", "onShiftDown", "onRemeasure", "onNextLevel",
        "onNextFlagged", "onRename", "filter", "another case", "leave", "enter", "segmentation", "empty",
    ],
)  # fmt: skip
def test_whatever_is_pressed_is_drawn_a_few_times_only(
    slice_nodes: Any,  # noqa: F811
    panel: Any,
    session: Any,
    window: Any,
    sample: Any,
    application: Any,
    action: str,
) -> None:
    from SpineMeasureLib.review.session import Session

    quiet = Session(application.scene, session.nodes.case, panel.logic.quietly)
    panel.addSession(quiet)
    panel.ui.reviewerEdit.text = "AB"
    panel.ui.scopeSelector.setCurrentText("case")
    move_end(quiet.line(KEY), (0.0, 0.0, 2.0))
    if action == "onRedo":
        panel.onUndo()
    if action == "onRemeasure":
        half_of(quiet, "L4-L5")
    if action == "onRename":
        panel.goToLevel("L5-S1")
        panel.ui.renameSelector.setCurrentText("L4-L5")
    other = add_volume(application.scene, sample.image, "other")
    actions = {
        "filter": lambda: panel.ui.quantityFilter.setCurrentText("Vertebra"),
        "another case": lambda: panel.ui.volumeSelector.setCurrentNode(other),
        "leave": panel.exit,
        "enter": panel.enter,
        "segmentation": lambda: panel.logic.measureSegmentation(quiet.nodes.segmentation, quiet.nodes.volume),
        "empty": panel.panel.cases.removeEmptied,
    }
    if action == "enter":
        panel.exit()
    if action == "empty":
        for node in (quiet.nodes.volume, quiet.nodes.segmentation, quiet.nodes.table):
            application.scene.RemoveNode(node)
    assert drawn_by(window, actions.get(action) or getattr(panel, action)) <= FEW
    import slicer

    assert slicer.app._views._paused == 0 and slicer.app._cursors == []


# Names


def shows_one_structure(panel: Any, session: Any, row: int) -> None:
    """Selector, selected row, current value and highlighted line are all of one row, whatever its level is called."""
    key = session.key_of_id(row)
    assert panel.panel.desk.current == key and panel.table.selectedKeys() == [key]
    assert panel.ui.levelSelector.currentText == panel.ui.renameSelector.currentText == key[0]
    thick = [line.GetDisplayNode().GetLineThickness() for line in session.nodes.lines.values()]
    line = session.line(key)
    assert line.GetDisplayNode().GetLineThickness() == max(thick) and thick.count(max(thick)) == 1


def test_after_the_levels_are_renamed_everything_shows_the_same_disc(panel: Any, session: Any) -> None:
    panel.goToLevel("L3-L4")
    row = panel.panel.desk.row
    shows_one_structure(panel, session, row)
    panel.ui.shiftUpButton.click()
    assert panel.panel.desk.current[0] == "L2-L3"
    for button in (panel.ui.undoButton, panel.ui.redoButton):
        shows_one_structure(panel, session, row)
        button.click()
        shows_one_structure(panel, session, row)


def test_several_selected_rows_and_the_level_filter_follow_their_structures(panel: Any, session: Any) -> None:
    panel.ui.levelFilter.setCurrentText("L4-L5")
    table = panel.ui.measurementTable
    for row in (0, 2):
        for column in range(table.columnCount):
            table.item(row, column).setSelected(True)
    rows = [session.id_of(key) for key in panel.table.selectedKeys()]
    assert len(rows) >= 2
    panel.ui.shiftUpButton.click()
    assert panel.ui.levelFilter.currentText == "L3-L4" and {key[0] for key in panel.table.keys} == {"L3-L4"}
    assert [session.id_of(key) for key in panel.table.selectedKeys()] == rows
    panel.ui.undoButton.click()
    assert panel.ui.levelFilter.currentText == "L4-L5"
    assert [session.id_of(key) for key in panel.table.selectedKeys()] == rows


def test_lines_of_the_current_level_alone_can_be_drawn(panel: Any, session: Any) -> None:
    panel.goToLevel("L4-L5")
    panel.ui.onlyLevelCheckBox.checked = True
    assert {key[0] for key, line in session.nodes.lines.items() if line.GetDisplayVisibility()} == {"L4-L5"}


# Messages


def message(panel: Any) -> str:
    label = panel.ui.messageLabel
    assert label.isHidden() == (not label.text)
    return str(label.text)


def test_a_message_stays_in_sight_below_everything_that_scrolls(panel: Any, session: Any) -> None:
    label, area = panel.ui.messageLabel, panel.ui.scrollArea
    assert area.isAncestorOf(panel.ui.caseCollapsibleButton) and not area.isAncestorOf(label)


def test_every_message_goes_with_its_cause(panel: Any, session: Any, tmp_path: Path, window: Any) -> None:
    panel.goToKey(KEY)
    panel.ui.acceptButton.click()
    assert "without initials" in message(panel)
    panel.ui.undoButton.click()
    assert message(panel) == ""
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.csvButton.click()
    assert "Written" in message(panel)
    (tmp_path / "file").write_text("x")
    panel.ui.exportPath.currentPath = str(tmp_path / "file")
    panel.ui.csvButton.click()
    assert "could not be written" in message(panel) and "Written" not in message(panel)
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert message(panel) == "", "a drag is the next action"


def test_what_is_said_of_edited_segments_ends_when_they_are_measured_or_back(
    panel: Any, session: Any, window: Any
) -> None:
    import slicer

    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(session.nodes.segmentation.GetSegmentation())
    history.SaveState()
    half_of(session, "L4-L5")
    session.nodes.segmentation.GetSegmentation().InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)
    assert "Re-measure first" in message(panel) and not panel.ui.acceptButton.enabled
    history.RestorePreviousState()  # the editor's own undo
    wait_for(window, lambda: message(panel) == "", 10)
    assert panel.ui.acceptButton.enabled
    history.RestoreNextState()
    assert "Re-measure first" in message(panel)
    panel.ui.remeasureButton.click()
    assert "values changed" in message(panel) and "Re-measure first" not in message(panel)
    history.RestorePreviousState()
    assert "values changed" not in message(panel) and "Re-measure first" in message(panel)
    history.RestoreNextState()
    wait_for(window, lambda: message(panel) == "", 10)
    panel.ui.undoButton.click()
    assert "values changed" not in message(panel) and "Re-measure first" in message(panel)


def test_segments_that_were_changed_without_any_event_are_noticed_soon(panel: Any, session: Any, window: Any) -> None:
    panel.panel.segments.watch(None)
    half_of(session, "L4-L5")
    assert message(panel) == ""
    wait_for(window, lambda: "Re-measure first" in message(panel), 10)
    panel.ui.remeasureButton.click()
    assert "Re-measure first" not in message(panel)


def test_a_scene_that_is_saved_is_not_edited(panel: Any, session: Any, application: Any, tmp_path: Path) -> None:
    node = session.nodes.segmentation
    node.GetSegmentation().SeparateSegmentLabelmap("L4-L5")
    half_of(session, "L4-L5")
    panel.ui.remeasureButton.click()
    panel.ui.exportPath.currentPath = str(tmp_path)
    panel.ui.sceneButton.click()
    assert "Written" in message(panel) and "Re-measure" not in message(panel)
    panel.ui.csvButton.click()
    assert list(tmp_path.glob("*.csv"))


# What cannot be done


def test_what_has_no_effect_cannot_be_pressed_and_says_why(panel: Any, session: Any) -> None:
    empty = next(m.key for m in session.rows if m.value is None)
    panel.ui.quantityFilter.setCurrentText("All values")
    panel.goToKey(empty)
    for button, reason in (("accept", "no value"), ("withdraw", "is accepted"), ("reset", "edited")):
        each = getattr(panel.ui, f"{button}Button")
        assert not each.enabled and reason in each.toolTip
    panel.onAccept()  # by its key
    assert "no value" in message(panel) and not session.can_undo
    panel.goToKey(KEY)
    assert panel.ui.acceptButton.enabled and "Mark as checked" in panel.ui.acceptButton.toolTip
    panel.ui.acceptButton.click()
    assert panel.ui.withdrawButton.enabled and not panel.ui.resetButton.enabled
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert panel.ui.resetButton.enabled


def test_a_lowest_disc_that_does_not_exist_is_refused_before_anything_is_started(
    panel: Any, volume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.ui.volumeSelector.setCurrentNode(volume)
    monkeypatch.setattr(panel.logic, "installNeeds", lambda *_: pytest.fail("started"))
    panel.ui.lowestDiscEdit.text = "L9-S1"
    panel.ui.runButton.click()
    assert panel.run is None and "not a valid disc level" in message(panel)


# Scene and views


def test_the_choices_are_shown_again_when_the_module_is_entered(panel: Any, session: Any, window: Any) -> None:
    panel.exit()
    # As an import leaves them: the parameters are right, the selectors were not told.
    for selector in (panel.ui.volumeSelector, panel.ui.segmentationSelector):
        selector._current = None
        QtWidgets.QComboBox.setCurrentIndex(selector, 0)
    panel.enter()
    assert panel.ui.volumeSelector.currentNode() is session.nodes.volume
    assert panel.ui.segmentationSelector.currentNode() is session.nodes.segmentation


def test_a_volume_that_is_loaded_while_none_is_chosen_is_chosen(
    panel: Any, application: Any, sample: Any, window: Any
) -> None:
    first = add_volume(application.scene, sample.image, "first")
    wait_for(window, lambda: panel.panel.parameters.volume is first)
    assert panel.ui.volumeSelector.currentNode() is first and panel.ui.runButton.enabled
    add_volume(application.scene, sample.image, "second")
    window.application.processEvents()
    assert panel.panel.parameters.volume is first


def test_of_a_case_whose_image_segments_and_table_are_gone_no_line_stays(
    panel: Any, session: Any, application: Any, window: Any
) -> None:
    nodes = session.nodes
    assert application.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") > 40
    for node in (nodes.volume, nodes.segmentation, nodes.table):
        application.scene.RemoveNode(node)
    wait_for(window, lambda: panel.session is None)
    assert application.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0
    assert nodes.case.GetScene() is None and panel.ui.measurementTable.rowCount == 0


def test_segments_can_be_opened_after_the_segmentation_was_deleted(panel: Any, session: Any, application: Any) -> None:
    application.scene.RemoveNode(session.nodes.segmentation)
    panel.ui.segmentsCollapsibleButton.collapsed = False
    panel.ui.segmentsCollapsibleButton.collapsed = True


def test_the_segment_editor_begins_with_the_structure_that_the_views_show(panel: Any, session: Any) -> None:
    for level in ("L4-L5", "L3"):
        panel.goToLevel(level)
        panel.ui.segmentsCollapsibleButton.collapsed = False
        chosen = [call[1] for call in panel.segmentEditor.widget._calls if call[0] == "setCurrentSegmentID"]
        assert chosen[-1] == session.segment_of(panel.panel.desk.current)
        panel.ui.segmentsCollapsibleButton.collapsed = True
    panel.ui.shiftUpButton.click()
    panel.ui.segmentsCollapsibleButton.collapsed = False
    chosen = [call[1] for call in panel.segmentEditor.widget._calls if call[0] == "setCurrentSegmentID"]
    assert chosen[-1] == session.segment_of(panel.panel.desk.current)


def test_leaving_gives_tilted_views_their_place_and_zoom_back(
    slice_nodes: Any,  # noqa: F811
    panel: Any,
    session: Any,
    window: Any,
) -> None:
    nodes = [slice_nodes.GetSingletonNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green", "Yellow")]
    panel.exit()
    rng = np.random.default_rng(5)
    for node in nodes:
        node.SetDimensions(400, 300, 1)
        node.SetFieldOfView(160.0, 120.0, 1.0)
        node.SetXYZOrigin(3.0, -2.0, 0.0)
        tilted = np.eye(4)
        tilted[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        tilted[:3, 3] = rng.normal(size=3) * 20
        node.GetSliceToRAS().DeepCopy(tilted.ravel().tolist())
        node.UpdateMatrices()
    before = [slice_pose(slice_nodes, name) for name in ("Red", "Green", "Yellow")]
    panel.enter()
    panel.goToKey(KEY)
    for node in nodes:
        node.SetFieldOfView(50.0, 70.0, 1.0)
        node.SetDimensions(500, 700, 1)  # of the module's layout
    panel.exit()
    for node, pose, name in zip(nodes, before, ("Red", "Green", "Yellow"), strict=True):
        np.testing.assert_allclose(slice_pose(slice_nodes, name), pose, atol=1e-12)
        assert node.GetXYZOrigin() == (3.0, -2.0, 0.0)
        assert node.GetFieldOfView()[0] / 500 == pytest.approx(160 / 400)
        assert node.GetFieldOfView()[1] / 700 == pytest.approx(120 / 300)


def test_views_that_showed_another_image_before_are_set_straight(
    slice_nodes: Any,  # noqa: F811
    panel: Any,
    session: Any,
    window: Any,
    application: Any,
) -> None:
    import slicer

    red = slice_nodes.GetSingletonNode("Red", "vtkMRMLSliceNode")
    red.SetDefaultOrientation("Axial")
    composite = slicer.vtkMRMLSliceCompositeNode()
    composite.SetLayoutName("Red")
    application.scene.AddNode(composite)
    panel.exit()
    panel.enter()
    composite.SetBackgroundVolumeID(session.nodes.volume.GetID())
    panel.goToKey(KEY)
    assert red.GetOrientation() != "Axial"
    panel.exit()
    assert red.GetOrientation() == "Axial"


# Keys


def test_control_z_is_the_segment_editors_while_its_section_is_open(panel: Any, session: Any, window: Any) -> None:
    def in_force() -> set[str]:
        found = window.window.findChildren(QtGui.QShortcut)
        return {QtGui.QShortcut.key(s).toString() for s in found if QtGui.QShortcut.isEnabled(s)}

    control = {"Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"}
    assert control < in_force()
    panel.ui.segmentsCollapsibleButton.collapsed = False
    assert not control & in_force() and "Alt+Z" in in_force()
    panel.exit()
    panel.enter()
    assert not control & in_force() and "Alt+Z" in in_force()
    panel.ui.segmentsCollapsibleButton.collapsed = True
    assert control < in_force()
    panel.goToKey(KEY)
    panel.onAccept()
    (undo,) = [s for s in window.window.findChildren(QtGui.QShortcut) if s.key.toString() == "Ctrl+Z"]
    undo._signal("activated()").emit()
    assert session.row(KEY).accepted is None


# Room


def shown_at(panel: Any, window: Any, width: int, height: int = 900) -> None:
    panel.parent.resize(width, height)
    panel.parent.show()
    for _ in range(3):
        window.application.processEvents()


def test_the_panel_fits_into_400_pixels_with_everything_open(panel: Any, session: Any, window: Any) -> None:
    names = ("case", "levels", "measurements", "segments", "export", "details")
    for name in names:
        getattr(panel.ui, f"{name}CollapsibleButton").collapsed = False
    panel.ui.quantityFilter.setCurrentText("All values")
    session.nodes.volume.SetName("A volume with a name as long as those from an archive of images " * 2)
    shown_at(panel, window, 400)
    bar = QtWidgets.QScrollArea.verticalScrollBar(panel.ui.scrollArea)
    assert bar.isVisible()
    needed = QtWidgets.QWidget.minimumSizeHint(panel.ui.sections).width()
    assert needed + QtWidgets.QWidget.sizeHint(bar).width() <= 400 - 20, "some room for other fonts"
    assert QtWidgets.QScrollArea.horizontalScrollBar(panel.ui.scrollArea).maximum() == 0
    # What is wider, Slicer's own editor, scrolls by itself.
    assert QtWidgets.QWidget.width(panel.segmentEditor.widget) > 400
    assert QtWidgets.QScrollArea.horizontalScrollBar(panel.ui.segmentEditorScrollArea).maximum() > 0


@pytest.mark.parametrize("width", [400, 520])
def test_every_column_that_says_something_is_reachable(panel: Any, session: Any, window: Any, width: int) -> None:
    from SpineMeasureLib.review.panel import COLUMNS

    shown_at(panel, window, width)
    panel.ui.quantityFilter.setCurrentText("All values")
    table = panel.ui.measurementTable
    auto, flags, quantity = (COLUMNS.index(name) for name in ("Auto", "Flags", "Quantity"))
    assert table.isColumnHidden(auto) and not table.isColumnHidden(flags)
    scroll = QtWidgets.QTableWidget.horizontalScrollBar(table)
    assert scroll.maximum() == 0, "without edits all of it is in sight"
    row = panel.table.keys.index(next(m.key for m in session.rows if len(m.flags) > 0))
    assert table.item(row, flags).toolTip() == table.item(row, flags).text() != ""
    assert table.item(row, quantity).text() in table.item(row, quantity).toolTip()
    move_end(session.line(KEY), (0.0, 0.0, 2.0))
    assert not table.isColumnHidden(auto)
    window.application.processEvents()
    assert scroll.maximum() == 0 or width < 500
    assert table.columnWidth(quantity) >= 80
    panel.ui.undoButton.click()
    panel.ui.quantityFilter.setCurrentText("Lines")
    assert table.isColumnHidden(auto)


def test_the_selected_row_is_scrolled_into_sight(panel: Any, session: Any, window: Any) -> None:
    shown_at(panel, window, 420)
    panel.ui.quantityFilter.setCurrentText("All values")
    table = panel.ui.measurementTable
    for key in (panel.table.keys[-1], panel.table.keys[0], panel.table.keys[60]):
        panel.goToKey(key)
        place = QtWidgets.QTableWidget.visualItemRect(table, table.item(panel.table.keys.index(key), 1))
        view = QtWidgets.QTableWidget.viewport(table).rect()
        assert view.top() <= place.top() and place.bottom() <= view.bottom()


def test_the_row_of_a_new_case_is_in_sight(panel: Any, session: Any, window: Any) -> None:
    shown_at(panel, window, 420)
    panel.setSession(None)
    panel.setSession(session)
    window.application.processEvents()
    table = panel.ui.measurementTable
    place = QtWidgets.QTableWidget.visualItemRect(table, table.selectedItems()[0])
    assert QtWidgets.QTableWidget.viewport(table).rect().contains(place.center())


# Long use


def test_cases_that_come_and_go_leave_nothing_behind(
    panel: Any, volume: Any, sample: Any, application: Any, window: Any
) -> None:
    from vtkmodules.vtkCommonCore import vtkObjectBase

    from SpineMeasureLib.review.session import Session

    def observers() -> int:
        return sum(volume.HasObserver(event) for event in ("ModifiedEvent", "AnyEvent", "DeleteEvent"))

    def once() -> None:
        made = Session.build(
            application.scene, volume, sample.segmentation, sample.measurements, "T2", panel.logic.quietly
        )
        panel.addSession(made)
        panel.goToKey(KEY)
        panel.panel.cases.open.forget(made)
        panel.setSession(None)
        segmentation = made.nodes.segmentation
        made.remove()
        for node in (segmentation.GetDisplayNode(), segmentation):
            application.scene.RemoveNode(node)
        del made, segmentation, node

    def alive() -> tuple[int, int, int, int]:
        window.application.processEvents()
        gc.collect()
        found = gc.get_objects()
        sessions = sum(isinstance(each, Session) for each in found)
        return sessions, sum(isinstance(each, vtkObjectBase) for each in found), len(panel.Observations), observers()

    once()
    nodes, before = application.scene.GetNumberOfNodes(), alive()
    for _ in range(8):
        once()
    assert application.scene.GetNumberOfNodes() == nodes
    after = alive()
    assert after == before


def test_a_session_that_is_closed_and_found_again_many_times_leaves_no_observer(
    session: Any, panel: Any, application: Any
) -> None:
    from SpineMeasureLib.review.session import Session

    panel.panel.cases.open.forget(session)
    panel.setSession(None)
    line = session.line(KEY)
    calls: list[str] = []
    for _ in range(50):
        (found,) = Session.find(application.scene, panel.logic.quietly)
        found.observe(lambda keys: calls.append("told"))
        found.close()
    move_end(line, (0.0, 0.0, 2.0))
    assert calls == []
    (found,) = Session.find(application.scene)
    assert status_of(found.row(KEY)) == "edited"
    found.close()


def test_two_cases_are_reviewed_in_turn_for_long(panel: Any, session: Any, sample: Any, application: Any) -> None:
    from SpineMeasureLib.review.session import Session

    image = add_volume(application.scene, sample.image, "T1 sag")
    second = Session.build(
        application.scene, image, sample.segmentation, sample.measurements, "T1 sag", panel.logic.quietly
    )
    panel.addSession(second)
    cases, rng = {session.nodes.volume: session, image: second}, np.random.default_rng(2)
    expected = {volume: {m.key: m.value for m in case.rows} for volume, case in cases.items()}
    steps = dict.fromkeys(cases, 0)
    for _ in range(40):
        volume = list(cases)[rng.integers(2)]
        panel.ui.volumeSelector.setCurrentNode(volume)
        case = cases[volume]
        assert panel.session is case
        panel.goToLevel(case.levels[rng.integers(len(case.levels))])
        key = panel.panel.desk.current
        if case.line(key) is not None:
            move_end(case.line(key), (0.0, 0.0, float(rng.normal())))
            steps[volume] += 1
        for other, one in cases.items():
            assert one.nodes.segmentation.GetDisplayVisibility() == (other is volume)
            assert any(line.GetDisplayVisibility() for line in one.nodes.lines.values()) == (other is volume)
    for volume, case in cases.items():
        panel.ui.volumeSelector.setCurrentNode(volume)
        while case.can_undo:
            panel.ui.undoButton.click()
            steps[volume] -= 1
        assert {m.key: m.value for m in case.rows} == pytest.approx(expected[volume], nan_ok=True)
    assert set(steps.values()) == {0}
