"""What heights are between is chosen per case: edges of the image or boundaries of segments; nothing is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk_checks import Recorder, drawn, half_of, move_end
from review_checks import cells, check_case, ends, facts, moved

from SpineMeasureLib.files import file_hash
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.definitions import definition, shown_first
from SpineMeasureLib.phantom import Grid, lumbar, voxelise
from SpineMeasureLib.phantom.signal import T2, Scan, render
from SpineMeasureLib.review.actions import NO_CASE, NO_EDGES
from SpineMeasureLib.review.case.remeasure import RemeasureResult
from SpineMeasureLib.review.keep import keep, restore
from SpineMeasureLib.review.mrml.images import add_volume
from SpineMeasureLib.review.mrml.links import linked
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

EDGE = ("L4-L5", "disc_height_middle", "endplate50")
MASK = ("L4-L5", "disc_height_middle", "chord50")
WALL = ("L4-L5", "canal_ap", "wall")


@pytest.fixture(scope="module")
def phantom() -> tuple[SpineSegmentation, Volume, list[Any]]:
    """A small spine with its MR image, and what is measured on both."""
    case = voxelise(lumbar(upper="L4"), Grid((4.0, 0.8, 0.8)))
    image = render(lumbar(upper="L4"), case, T2, Scan(snr=30))
    return case, image, measure(case, image)


@pytest.fixture
def session(scene: Any, phantom: Any) -> Session:
    """A case that shows heights between edges, as new ones do."""
    case, image, measurements = phantom
    return Session.build(scene, add_volume(scene, image, "Image"), case, measurements, "Phantom")


@pytest.fixture
def view(session: Session) -> Iterator[Recorder]:
    """A desk with that case."""
    made = Recorder()
    made.desk.open(session)
    yield made
    made.desk.open(None)


def kinds(session: Session) -> set[Any]:
    """What the rows with a line are between, apart from those of which there is one kind only."""
    return {definition(*key[1:], key[0]).ends_on for key in session.nodes.lines} - {None}


def labelled(session: Session, role: str = "discLabels") -> list[str]:
    """The texts beside the spine."""
    node = linked(session.nodes.case, role)
    return [node.GetNthControlPointLabel(n) for n in range(node.GetNumberOfControlPoints())]


def test_switching_replaces_the_lines_and_labels_in_one_step(session: Session) -> None:
    values = {row.key: row.value for row in session.rows}
    shown = [f"L4-L5 {values[key]:.1f}" for key in (EDGE, MASK)]
    assert (session.ends, session.has_both_ends, kinds(session)) == ("edges", True, {"edges"})
    assert shown[0] in labelled(session) and shown[1] not in labelled(session)
    session.show_ends("masks")
    assert (session.ends, kinds(session)) == ("masks", {"masks"}) and not session.row(MASK).second
    assert session.line(EDGE) is None and session.row(EDGE).second and session.row(WALL).second
    assert shown[1] in labelled(session) and shown[0] not in labelled(session)
    table = cells(session.nodes.table)
    assert (table[EDGE]["shown_first"], table[MASK]["shown_first"]) == ("false", "true")
    assert {row.key: row.value for row in session.rows} == values
    check_case(session)
    assert session.undo() and not session.can_undo
    assert (session.ends, kinds(session)) == ("edges", {"edges"}) and shown[0] in labelled(session)
    check_case(session)
    assert session.redo() and kinds(session) == {"masks"}
    check_case(session)


def test_what_is_shown_already_is_not_a_step(session: Session) -> None:
    session.show_ends("edges")
    assert not session.can_undo


def test_edits_and_acceptances_of_hidden_heights_are_kept_and_shown_again(session: Session) -> None:
    session.set_line(EDGE, *moved(session, EDGE))
    session.accept([EDGE], "AB")
    index = ("L4-L5", "disc_height_index", "dhi_endplate_mean3")
    before, edited = facts(session), session.row(EDGE)
    assert session.row(index).is_edited
    session.show_ends("masks")
    hidden = session.row(EDGE)
    assert (hidden.value, hidden.source, hidden.accepted) == (edited.value, "edited", edited.accepted)
    session.set_line(MASK, *moved(session, MASK, 1.0))
    check_case(session)
    session.show_ends("edges")
    check_case(session)
    assert session.line(MASK) is None and session.row(MASK).is_edited
    np.testing.assert_allclose(ends(session.line(EDGE)), [edited.p1, edited.p2])
    own = [f for f, was in zip(facts(session), before, strict=True) if f != was]
    assert {tuple(f[0]) for f in own} == {MASK, *(m.key for m in session.rows if m.is_edited and m.second)}


def test_a_line_that_the_reader_deleted_does_not_come_back(session: Session, scene: Any) -> None:
    scene.RemoveNode(session.line(EDGE))
    assert session.row(EDGE).value is None
    session.show_ends("masks")
    session.show_ends("edges")
    assert session.row(EDGE).value is None and session.line(EDGE) is None
    check_case(session)
    session.reset([EDGE])
    assert session.line(EDGE) is not None


def test_a_drag_ends_when_its_line_is_hidden(session: Session) -> None:
    line = session.line(EDGE)
    line.InvokeEvent(line.PointStartInteractionEvent)
    x, y, z = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPositionWorld(0, (x, y, z + 1.0))
    assert session.dragging
    session.show_ends("masks")
    assert session.dragged is None and session.row(EDGE).is_edited
    check_case(session)
    assert session.undo() and session.line(EDGE) is not None and session.row(EDGE).is_edited
    assert session.undo() and not session.row(EDGE).is_edited


def test_the_new_lines_can_be_dragged_and_are_filtered(view: Recorder, session: Session) -> None:
    view.desk.show_only(group="Vertebra")
    session.show_ends("masks")
    assert ("L4", "body_height_middle", "chord50") in drawn(session)
    assert MASK not in drawn(session) and session.line(MASK) is not None
    before = session.row(MASK).value
    move_end(session.line(MASK), (0.0, 0.0, 1.5))
    assert session.row(MASK).is_edited and session.row(MASK).value != before
    check_case(session)


# -- new rows of an existing case


def test_measuring_again_keeps_what_the_case_shows(session: Session) -> None:
    session.show_ends("masks")
    marks = {row.key: row.second for row in session.rows}
    half_of(session, "L4-L5")
    result = session.remeasure()
    assert MASK in result.changed and session.ends == "masks" and kinds(session) == {"masks"}
    assert {row.key: row.second for row in session.rows} == marks
    check_case(session)
    assert session.undo() and {row.key: row.second for row in session.rows} == marks
    check_case(session)


def test_only_what_is_shown_first_is_mended_without_being_a_changed_value(scene: Any, phantom: Any) -> None:
    """As cases are that an earlier version measured again: some rows are marked for edges, some for masks."""
    case, image, measurements = phantom
    masks = shown_first(measurements, "masks")
    mixed = [old if row.level == "L4" else row for old, row in zip(measurements, masks, strict=True)]
    session = Session.build(scene, add_volume(scene, image, "Image"), case, mixed, "Phantom")
    edited = next(m.key for m in session.rows if m.quantity == "body_height_middle" and m.level == "L5")
    session.accept([edited], "AB")
    assert kinds(session) == {"edges", "masks"}
    wanted = session.ends
    session._measured.doubt(True)  # measure although the segments are the same
    assert session.remeasure() == RemeasureResult()
    assert kinds(session) == {wanted} and session.row(edited).accepted is not None
    check_case(session)


def test_renaming_keeps_what_the_case_shows(session: Session) -> None:
    session.show_ends("masks")
    session.shift_levels(-1)
    assert session.ends == "masks" and kinds(session) == {"masks"}
    check_case(session)


def test_without_its_image_a_case_is_measured_between_masks_and_shows_them(session: Session, scene: Any) -> None:
    session.set_line(EDGE, *moved(session, EDGE))
    scene.RemoveNode(session.nodes.volume)
    half_of(session, "L4-L5")
    session.remeasure()
    assert session.row(EDGE).is_edited and kinds(session) == {"masks"}
    assert all(not row.second for row in session.rows if row.key[1:] == MASK[1:])
    check_case(session)


def test_a_segmentation_of_the_scene_starts_with_what_is_asked_for(session: Session, scene: Any) -> None:
    nodes = session.nodes
    session.remove()
    again = Session.from_segmentation_node(scene, nodes.segmentation, nodes.volume, ends="masks")
    assert again.ends == "masks" and kinds(again) == {"masks"} and again.has_both_ends
    check_case(again)


# -- kept


def test_a_scene_keeps_what_it_shows_and_the_hidden_edits(session: Session, scene: Any, tmp_path: Path) -> None:
    session.set_line(EDGE, *moved(session, EDGE))
    session.show_ends("masks")
    before = facts(session)
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert again.ends == "masks" and kinds(again) == {"masks"} and not again.can_undo
    assert [f[0] for f in facts(again)] == [f[0] for f in before] and again.row(EDGE).is_edited
    again.show_ends("edges")
    assert again.row(EDGE).value == pytest.approx({tuple(f[0]): f[1] for f in before}[EDGE], abs=1e-6)
    check_case(again)


def test_what_is_shown_is_restored_from_beside_the_scene(session: Session, scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path))
    session.show_ends("masks")
    keep(scene, path, file_hash(path))
    scene.Clear(False)
    assert scene.ReadFromMRB(str(path), True)
    assert restore(scene, path, file_hash(path))
    (again,) = Session.find(scene)
    assert again.ends == "masks" and kinds(again) == {"masks"}
    check_case(again)


# -- the desk


def test_the_desk_switches_the_case_and_follows_with_its_row(view: Recorder, session: Session) -> None:
    desk = view.desk
    desk.go_to(EDGE)
    desk.click(session.id_of(WALL), add=True)
    desk.click(session.id_of(EDGE), add=True)
    desk.go_to(EDGE)
    view.calls.clear()
    desk.show_ends("masks")
    assert desk.ends == session.ends == desk.preferred_ends == "masks"
    assert view.calls.count("drawn") == 1 and view.calls.count("fill") >= 1
    assert desk.current == MASK and desk.selected == [MASK] and MASK in desk.keys and EDGE not in desk.keys
    assert not any(desk.rows.values()), "nothing is listed outside the filter"
    desk.act("undo")
    assert desk.ends == "edges" and desk.current == EDGE and desk.preferred_ends == "masks"
    desk.act("redo")
    assert desk.ends == "masks" and desk.current == MASK


def test_a_value_of_which_there_is_one_kind_stays_current(view: Recorder) -> None:
    for key in (WALL, ("L4-L5", "disc_depth", "depth50")):
        view.desk.show_only(group="All values")
        view.desk.go_to(key)
        view.desk.show_ends("masks")
        assert view.desk.current == key
        view.desk.act("undo")
        assert view.desk.current == key


def test_the_choice_is_offered_only_if_there_is_one(scene: Any, phantom: Any, view: Recorder) -> None:
    case, image, _ = phantom
    assert view.desk.reason("ends") == ""
    view.desk.open(None)
    assert view.desk.reason("ends") == NO_CASE and view.desk.ends == "edges"
    plain = Session.build(scene, add_volume(scene, image, "Image"), case, measure(case), "Without edges")
    view.desk.open(plain)
    assert view.desk.reason("ends") == NO_EDGES and view.desk.ends == "masks"
    assert view.desk.preferred_ends == "edges", "what a case lacks is not the reader's choice"
    view.desk.show_ends("edges")
    assert view.desk.ends == "masks" and not plain.can_undo and view.message == ""


def test_an_unknown_choice_is_ignored(view: Recorder) -> None:
    view.desk.show_ends("endplates")
    assert (view.desk.ends, view.desk.preferred_ends) == ("edges", "edges")
