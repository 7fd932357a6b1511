"""A reviewed case and its scene: saved, opened, imported, closed, and nodes deleted by the user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import ATTRIBUTE, check_case, delete, ends, facts, moved

from SpineMeasureLib.errors import NothingFoundError, UnreadableInputError
from SpineMeasureLib.review.case.state import automatic_of, difference_of, status_of

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
ANTERIOR = ("L4-L5", "disc_height_anterior", "chord10")
MEAN3 = ("L4-L5", "disc_height_mean", "mean3")
AREA = ("L4-L5", "disc_area", "area")
CANAL = ("L4", "canal_ap", "mid_vertebral")


def review(session: Any) -> None:
    """A bit of everything."""
    session.set_line(MIDDLE, *moved(session, MIDDLE, 1.2345))
    session.set_line(CANAL, *moved(session, CANAL))
    session.accept([MIDDLE, AREA], "AB")
    session.nodes.lines[ANTERIOR].GetScene().RemoveNode(session.line(ANTERIOR))
    session.shift_levels(-1)


def reopened(scene: Any, path: Path) -> Any:
    from SpineMeasureLib.review.session import Session

    assert scene.WriteToMRB(str(path))
    assert scene.ReadFromMRB(str(path), True)
    found = Session.find(scene)
    assert len(found) == 1
    return found[0]


def test_everything_is_linked_again_when_the_scene_is_reopened(session: Any, scene: Any, tmp_path: Path) -> None:
    review(session)
    state, before = session.state, facts(session)
    again = reopened(scene, tmp_path / "case.mrb")
    assert again.state == state and facts(again) == before
    check_case(again)
    again.reset([m.key for m in again.rows])
    assert again.row(("L3-L4", *MIDDLE[1:])).value == automatic_of(again.row(("L3-L4", *MIDDLE[1:]))).value
    assert again.line(("L3-L4", *ANTERIOR[1:])) is not None
    again.shift_levels(1)
    check_case(again)
    again.close()


_FIND = """
import json, sys
sys.path[:0] = sys.argv[2:]
from review_checks import check_case, facts
from SpineMeasureLib.review.mrml.app import mrml_application
from SpineMeasureLib.review.session import Session
scene = mrml_application().scene
assert scene.ReadFromMRB(sys.argv[1], True)
session, = Session.find(scene)
check_case(session)
before = facts(session)
session.reset([m.key for m in session.rows])
check_case(session)
print(json.dumps([before, facts(session)]))
"""


def test_a_fresh_process_goes_on_with_the_review(session: Any, scene: Any, tmp_path: Path) -> None:
    review(session)
    path = tmp_path / "case.mrb"
    assert scene.WriteToMRB(str(path))
    before = facts(session)
    session.reset([m.key for m in session.rows])
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", _FIND, str(path), folder], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [before, facts(session)]


def test_the_scene_that_the_command_writes_can_be_reviewed(written: Path, scene: Any, case: Any) -> None:
    from SpineMeasureLib.review.session import Session

    assert scene.ReadFromMRB(str(written / "scene.mrb"), True)
    (session,) = Session.find(scene)
    assert session.rows == case.measurements
    check_case(session)
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    session.rename_disc(session.discs[-1], "L5-S1")
    check_case(session)
    session.close()


def test_a_line_moved_while_nobody_watched_is_an_edit(session: Any, scene: Any, tmp_path: Path) -> None:
    session.close()
    line, before = session.line(MIDDLE), session.row(MIDDLE)
    line.SetNthControlPointPositionWorld(1, *(np.array(before.p2) + [0, 0, -3]))
    delete(session.line(CANAL))
    again = reopened(scene, tmp_path / "case.mrb")
    assert status_of(again.row(MIDDLE)) == status_of(again.row(MEAN3)) == "edited"
    assert automatic_of(again.row(MIDDLE)) == before
    assert again.row(CANAL).note == "no line"
    check_case(again)
    again.reset([m.key for m in again.rows])
    assert again.row(MIDDLE) == before
    check_case(again)
    again.close()


def test_two_cases_live_in_one_scene(session: Any, scene: Any, case: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.review.session import Session

    session.set_line(MIDDLE, *moved(session, MIDDLE))
    assert scene.WriteToMRB(str(tmp_path / "first.mrb"))
    before = facts(session)
    # The same case once more: all of its nodes get other ids.
    assert scene.ReadFromMRB(str(tmp_path / "first.mrb"), False)
    found = Session.find(scene)
    assert len(found) == 2
    assert facts(found[0]) == facts(found[1]) == before
    nodes = [{id(line) for line in each.nodes.lines.values()} for each in found]
    assert not nodes[0] & nodes[1]
    found[1].set_line(CANAL, *moved(found[1], CANAL))
    found[1].shift_levels(-1)
    for each in found:
        check_case(each)
    assert facts(found[0]) == before
    for each in found:
        each.close()


@pytest.mark.parametrize("how", ["clear", "open"])
def test_closing_the_scene_ends_the_session_quietly(session: Any, scene: Any, written: Path, how: str) -> None:
    told: list[Any] = []
    session.observe(told.append)
    if how == "clear":
        scene.Clear(0)
    else:
        assert scene.ReadFromMRB(str(written / "scene.mrb"), True)
    assert not told and len(session._editor.observers) == 0
    assert not session.undo()


def test_a_deleted_line_shows_as_no_line_and_comes_back(session: Any, scene: Any) -> None:
    before = ends(session.line(MIDDLE))
    scene.RemoveNode(session.line(MIDDLE))
    assert session.line(MIDDLE) is None
    row = session.row(MIDDLE)
    assert row.value is None and row.note == "no line" and difference_of(session.row(MIDDLE)) is None
    assert session.row(MEAN3).value is None
    check_case(session)
    session.undo()
    np.testing.assert_allclose(ends(session.line(MIDDLE)), before, atol=1e-9)
    check_case(session)
    session.redo()
    assert session.line(MIDDLE) is None
    session.reset([MIDDLE])
    np.testing.assert_allclose(ends(session.line(MIDDLE)), before, atol=1e-9)
    check_case(session)
    # The new line is watched as the old one was.
    session.line(MIDDLE).SetNthControlPointPositionWorld(1, *moved(session, MIDDLE)[1])
    assert status_of(session.row(MIDDLE)) == "edited"


def test_deleting_the_folder_of_a_level_deletes_its_lines_only(session: Any, scene: Any) -> None:
    from SpineMeasureLib.review.mrml.folders import tree_of

    tree = tree_of(scene)
    folder = tree.GetItemParent(tree.GetItemByDataNode(session.line(MIDDLE)))
    tree.RemoveItem(folder)
    assert {k for k in session.nodes.lines if k[0] == "L4-L5"} == set()
    check_case(session)
    session.reset([m.key for m in session.rows])
    assert {k[1] for k in session.nodes.lines if k[0] == "L4-L5"} >= {"disc_height_middle", "disc_depth"}
    check_case(session)


def test_deleting_other_nodes_is_survived(session: Any, scene: Any) -> None:
    nodes = session.nodes
    for node in (nodes.table, nodes.volume, nodes.segmentation):
        delete(node)
        session.set_line(MIDDLE, *moved(session, MIDDLE, 0.5))
        session.shift_levels(-1)
        session.undo()
    assert (session.nodes.table, session.nodes.volume, session.nodes.segmentation) == (None, None, None)
    with pytest.raises(NothingFoundError, match="deleted"):
        session.remeasure()
    assert difference_of(session.row(MIDDLE)) == pytest.approx(1.5)


def test_a_deleted_table_is_made_anew_when_the_case_is_found_again(session: Any, scene: Any) -> None:
    from SpineMeasureLib.review.session import Session

    delete(session.nodes.table)
    session.close()
    (again,) = Session.find(scene)
    check_case(again)
    assert again.line(MIDDLE).GetNodeReference(f"{ATTRIBUTE}table") is again.nodes.table
    again.close()


def test_deleting_the_hidden_node_ends_the_session(session: Any, scene: Any) -> None:
    scene.RemoveNode(session.nodes.case)
    assert len(session._editor.observers) == 0
    session.line(MIDDLE).SetNthControlPointPositionWorld(1, 1, 2, 3)


def test_a_copied_line_is_no_line_of_the_case(session: Any, scene: Any) -> None:
    from SpineMeasureLib.review.session import Session

    copy = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "copy")
    copy.Copy(session.line(MIDDLE))
    copy.SetNthControlPointPositionWorld(1, 1, 2, 3)
    assert copy not in session.nodes.lines.values() and status_of(session.row(MIDDLE)) == "automatic"
    session.close()
    (again,) = Session.find(scene)
    assert status_of(again.row(MIDDLE)) == "automatic" and copy not in again.nodes.lines.values()
    again.close()


def test_a_damaged_record_is_told_in_one_sentence(session: Any, scene: Any) -> None:
    from SpineMeasureLib.review.session import Session

    session.nodes.case.SetParameter("rows", "[{")
    session.close()
    with pytest.raises(UnreadableInputError, match="cannot be read"):
        Session.find(scene)


def test_an_image_in_a_study_stays_there_and_the_case_beside_it(scene: Any, phantom: Any) -> None:
    from SpineMeasureLib.review.mrml.folders import tree_of
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.session import Session
    from SpineMeasureLib.volume import Volume

    segmentation, measurements = phantom
    volume = add_volume(scene, Volume(segmentation.labels, segmentation.affine), "T2")
    tree = tree_of(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    tree.SetItemParent(tree.CreateItem(study, volume), study)
    session = Session.build(scene, volume, segmentation, measurements)
    assert tree.GetItemParent(tree.GetItemByDataNode(volume)) == study
    assert tree.GetItemParent(session.nodes.folder) == study
    session.close()


def test_a_case_that_is_removed_takes_lines_table_and_folders_along(session: Any, scene: Any) -> None:
    import slicer

    nodes = session.nodes
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    session.remove()
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0
    assert nodes.table.GetScene() is None and nodes.case.GetScene() is None
    assert nodes.volume.GetScene() is scene and nodes.segmentation.GetScene() is scene
    assert tree.GetItemParent(tree.GetItemByDataNode(nodes.segmentation)) == nodes.folder
    assert tree.GetNumberOfItems() == 3, "folder, image, segmentation"


def test_of_a_removed_case_without_image_and_segments_nothing_is_left(session: Any, scene: Any) -> None:
    import slicer

    nodes = session.nodes
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in (nodes.volume, nodes.segmentation, nodes.table):
        delete(node)
    session.remove()
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0 and nodes.case.GetScene() is None
    assert tree.GetNumberOfItems() == 0


def test_changes_of_many_nodes_are_made_quietly_and_a_drag_is_not(scene: Any, small: Any) -> None:
    from contextlib import contextmanager

    from SpineMeasureLib.review.session import Session

    depth, entered, loud = [0], [0], list[str]()

    @contextmanager
    def quietly() -> Any:
        depth[0] += 1
        entered[0] += 1
        yield
        depth[0] -= 1

    def note(node: Any, event: str) -> None:
        if node is not None and not depth[0]:
            loud.append(f"{node.GetName()} {event}")

    session = Session.build(scene, None, *small, quietly=quietly)
    watched = [*session.nodes.lines.values(), session.nodes.segmentation, session.nodes.table]
    tags = [(node, node.AddObserver("AnyEvent", note)) for node in watched]
    token = session.observe(lambda keys: session.highlight(MIDDLE))
    for change in (
        lambda: session.set_line(MIDDLE, *moved(session, MIDDLE)),
        lambda: session.accept([m.key for m in session.rows]),
        lambda: session.shift_levels(-1),
        session.undo,
        session.redo,
        session.undo,
        lambda: session.reset([m.key for m in session.rows]),
        session.remeasure,
        lambda: session.show(levels=["L4-L5"]),
        lambda: session.highlight(ANTERIOR),
    ):
        change()
        assert loud == []
    session.unobserve(token)
    before = entered[0]
    line = session.line(MIDDLE)
    line.InvokeEvent(line.PointStartInteractionEvent)
    x, y, z = line.GetNthControlPointPosition(0)
    line.SetNthControlPointPosition(0, [x, y, z + 1])
    line.SetNthControlPointPosition(0, [x, y, z + 2])
    assert entered[0] == before and loud, "the line is drawn while the mouse moves it"
    line.InvokeEvent(line.PointEndInteractionEvent)
    assert entered[0] > before
    for node, tag in tags:
        node.RemoveObserver(tag)
    session.close()
