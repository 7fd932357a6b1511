"""The self-test of the module: needs no network, GPU or torch."""

import json
import shutil
import tempfile

import slicer

from SpineMeasureGui.Logic import SpineMeasureLogic
from SpineMeasureLib.resources import data_path
from SpineMeasureLib.review.case.state import automatic_of, status_of
from SpineMeasureLib.review.session import Session

KEY = ("L4-L5", "disc_height_middle", "endplate50")


def runTests() -> None:
    """Run every test, each in an empty scene.

    :raises AssertionError: one failed.
    """
    for test in (valuesOfTheSample, dragUndoRename, remeasureKeepsEdits, saveAndReopen, widget):
        slicer.mrmlScene.Clear()
        test()
    slicer.mrmlScene.Clear()


def _session():
    """A session of the sample's labels."""
    volume = slicer.util.loadVolume(str(data_path("Resources/sample/lumbar_t2.nii.gz")))
    labels = slicer.util.loadLabelVolume(str(data_path("Resources/sample/lumbar_t2_labels.nii.gz")))
    session = SpineMeasureLogic().measureLabelmap(labels, volume)
    slicer.mrmlScene.RemoveNode(labels)
    return session


def _move(line, by) -> None:
    """Move the first end point of a line, as a drag does."""
    position = line.GetNthControlPointPositionWorld(0)
    line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent)
    line.SetNthControlPointPositionWorld(0, [position[n] + by[n] for n in range(3)])
    line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)


def valuesOfTheSample() -> None:
    """The values are those that the sample was made with."""
    session = _session()
    truth = json.loads(data_path("Resources/sample/lumbar_t2_truth.json").read_text(encoding="utf-8"))
    checked = 0
    for value in truth["values"]:
        if value["quantity"].startswith("disc_height"):
            row = session.row((value["level"], value["quantity"], value["method"]))
            assert abs(row.value - value["value"]) < 0.5
            checked += 1
    assert checked > 15
    session.close()


def dragUndoRename() -> None:
    """A moved end point changes its row, and snaps to its edge nearby; undo; a renamed disc takes the others along."""
    session = _session()
    line, before = session.line(KEY), session.row(KEY).value
    _move(line, (0.0, 0.0, 2.0))
    assert status_of(session.row(KEY)) == "edited"
    assert abs(session.row(KEY).value - before) > 0.5
    assert abs(session.row(KEY).value - line.GetLineLengthWorld()) < 0.5e-3
    session.undo()
    assert abs(session.row(KEY).value - before) < 0.5e-6
    _move(line, (0.0, 0.0, 0.8))
    assert session.row(KEY).snapped == ("p1",) and abs(session.row(KEY).value - before) < 0.2
    session.undo()
    session.rename_disc("L5-S1", "L4-L5")
    renamed = ("L3-L4", *KEY[1:])
    assert session.line(renamed) is line
    assert abs(session.row(renamed).value - before) < 0.5e-6
    assert session.nodes.segmentation.GetSegmentation().GetSegmentIdBySegmentName("L3-L4")
    session.undo()
    assert abs(session.row(KEY).value - before) < 0.5e-6
    session.close()


def remeasureKeepsEdits() -> None:
    """Measuring again leaves an edited line as it is."""
    session = _session()
    _move(session.line(KEY), (0.0, 0.0, 2.0))
    edited = session.row(KEY).value
    session.remeasure()
    assert abs(session.row(KEY).value - edited) < 0.5e-6
    session.reset([KEY])
    assert status_of(session.row(KEY)) == "automatic"
    session.close()


def saveAndReopen() -> None:
    """A scene that is saved and opened again holds the review, the automatic value included."""
    session = _session()
    _move(session.line(KEY), (0.0, 0.0, 2.0))
    edited, automatic = session.row(KEY).value, automatic_of(session.row(KEY)).value
    folder = tempfile.mkdtemp(prefix="spinemeasure-test-")
    try:
        path = SpineMeasureLogic().exportScene(session, folder)
        session.close()
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(str(path))
        found = Session.find(slicer.mrmlScene)
        assert len(found) == 1
        assert abs(found[0].row(KEY).value - edited) < 0.5e-3
        assert abs(automatic_of(found[0].row(KEY)).value - automatic) < 0.5e-3
        found[0].close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def widget() -> None:
    """The panel shows a case, filters it, undoes, and empties itself when the scene is closed."""
    session = _session()
    panel = slicer.modules.spinemeasure.widgetRepresentation().self()
    wasEntered = panel.entered
    panel.enter()
    try:
        panel.addSession(session)
        table = panel.ui.measurementTable
        assert table.rowCount > 30
        panel.goToKey(KEY)
        assert panel.table.selectedKeys() == [KEY]
        assert not panel.ui.undoButton.enabled
        panel.onAccept()
        assert status_of(session.row(KEY)) == "accepted"
        assert panel.ui.undoButton.enabled
        panel.onUndo()
        assert status_of(session.row(KEY)) != "accepted"
        slicer.mrmlScene.Clear()
        assert table.rowCount == 0
        assert not panel.ui.runButton.enabled
    finally:
        if not wasEntered:
            panel.exit()
