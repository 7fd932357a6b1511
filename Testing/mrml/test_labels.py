"""Labels beside the spine and handles of lines: what a reader sees in the slice views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import ends, moved
from slice_view import SliceView, slice_view

from SpineMeasureLib.review.mrml.links import nodes_of_class
from SpineMeasureLib.review.session import Session

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
ANTERIOR = ("L4-L5", "disc_height_anterior", "chord10")
DEPTH = ("L4-L5", "disc_depth", "depth50")
CANAL = ("L4", "canal_ap", "mid_vertebral")
ROLES = ("discLabels", "vertebraLabels", "currentLabel", "axialLabel")


def labels(scene: Any, *roles: str) -> set[str]:
    """Texts of the labels of these kinds, of all if none is named."""
    nodes = [n for n in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode") if n.GetAttribute("SpineMeasure.labels")]
    assert sorted(n.GetAttribute("SpineMeasure.labels") for n in nodes) == sorted(ROLES)
    return {
        node.GetNthControlPointLabel(n)
        for node in nodes
        if node.GetAttribute("SpineMeasure.labels") in (roles or ROLES)
        for n in range(node.GetNumberOfControlPoints())
    }


def text(session: Any, key: Any, words: str = "") -> str:
    return f"{key[0]} {words}{session.row(key).value:.1f}"


def test_a_label_says_level_and_value_with_one_decimal(scene: Any, session: Any) -> None:
    assert text(session, MIDDLE) in labels(scene, "discLabels")
    assert text(session, CANAL, "canal ") in labels(scene, "vertebraLabels")
    assert len(labels(scene)) == len(session.levels)
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    assert text(session, MIDDLE) in labels(scene, "discLabels")


def test_lines_carry_no_text(session: Any) -> None:
    session.highlight(MIDDLE)
    for line in session.nodes.lines.values():
        display = line.GetDisplayNode()
        assert not display.GetPropertiesLabelVisibility() and not display.GetPointLabelsVisibility()


def test_labels_that_are_updated_alone_are_as_if_all_were(scene: Any, session: Any) -> None:
    def check() -> None:
        partly = [places(scene), labels(scene)]
        session.show()
        assert [places(scene), labels(scene)] == partly

    session.show()
    for key in (MIDDLE, CANAL, DEPTH):
        session.highlight(key)
        for _ in range(2):
            session.set_line(key, *moved(session, key, 1.5))
            check()
        line = session.line(key)
        line.InvokeEvent(line.PointStartInteractionEvent)
        line.SetNthControlPointPositionWorld(1, *(ends(line)[1] + [0, 2, 3]))
        check()
        line.InvokeEvent(line.PointEndInteractionEvent)
        scene.RemoveNode(line)
        check()
        session.undo()
        check()


def places(scene: Any) -> list[tuple[float, ...]]:
    nodes = [n for n in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode") if n.GetAttribute("SpineMeasure.labels")]
    return sorted(n.GetNthControlPointPosition(i) for n in nodes for i in range(n.GetNumberOfControlPoints()))


def test_labels_follow_names_and_undo(scene: Any, session: Any) -> None:
    before = labels(scene)
    session.shift_levels(-1)
    assert {t.split()[0] for t in labels(scene)} == set(session.levels)
    session.undo()
    assert labels(scene) == before


def test_labels_name_the_levels_that_are_shown(scene: Any, session: Any) -> None:
    session.show(levels=["L4-L5"])
    assert labels(scene) == {text(session, MIDDLE)}
    session.show(quantities=["canal_ap"])
    assert labels(scene, "discLabels") == {level for level in session.levels if "-" in level}
    assert text(session, CANAL, "canal ") in labels(scene, "vertebraLabels")
    session.show(labels=False)
    assert labels(scene) == set()
    session.show(levels=[])
    assert labels(scene) == set()


def test_the_label_of_the_level_says_what_is_looked_at(scene: Any, session: Any) -> None:
    session.highlight(ANTERIOR)
    assert labels(scene, "currentLabel") == {text(session, ANTERIOR, "height anterior ")}
    assert not any(t.startswith("L4-L5") for t in labels(scene, "discLabels"))
    session.highlight(MIDDLE)
    assert labels(scene, "currentLabel") == {text(session, MIDDLE)}
    session.show(label_highlighted=False)
    assert labels(scene, "currentLabel") == set() and text(session, MIDDLE) in labels(scene, "discLabels")


def test_the_axial_view_labels_only_a_line_that_it_shows(scene: Any, session: Any) -> None:
    session.highlight(MIDDLE)
    assert labels(scene, "axialLabel") == set()
    session.highlight(CANAL)
    assert labels(scene, "axialLabel") == {text(session, CANAL, "canal ")}
    session.highlight(DEPTH)
    assert labels(scene, "axialLabel") == {text(session, DEPTH, "AP depth ")}


def test_labels_are_in_front_of_the_spine(scene: Any, session: Any) -> None:
    front = {m.level: m.p1[1] for m in session.rows if m.quantity in ("disc_depth", "body_depth")}
    for node in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode"):
        for n in range(node.GetNumberOfControlPoints()):
            level = node.GetNthControlPointLabel(n).split()[0]
            assert 5 < node.GetNthControlPointPosition(n)[1] - front[level] < 10


def test_a_reopened_scene_has_its_labels_once(scene: Any, session: Any, application: Any, tmp_path: Path) -> None:
    before = labels(scene)
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    session.close()
    scene.Clear(0)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"))
    found = Session.find(scene)
    assert labels(scene) == before
    for node in nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode"):
        # Files do not keep which end of a text is at its point.
        text = node.GetDisplayNode().GetTextProperty()
        axial = node.GetAttribute("SpineMeasure.labels") == "axialLabel"
        assert text.GetJustificationAsString() == ("Centered" if axial else "Right")
    found[0].close()


def test_a_deleted_label_node_comes_back(scene: Any, session: Any) -> None:
    before = labels(scene)
    scene.RemoveNode(nodes_of_class(scene, "vtkMRMLMarkupsFiducialNode")[0])
    session.highlight(None)
    assert labels(scene) == before


# -- handles


def handles(session: Any) -> set[Any]:
    """Rows whose lines show the crosses at their ends."""
    displays = {key: line.GetDisplayNode() for key, line in session.nodes.lines.items()}
    return {key for key, display in displays.items() if display.GetGlyphType() == display.CrossDot2D}


def test_handles_are_shown_at_the_current_level_only(session: Any) -> None:
    assert handles(session) == set()
    session.highlight(MIDDLE)
    assert handles(session) == {key for key in session.nodes.lines if key[0] == "L4-L5"}
    session.highlight(CANAL)
    assert handles(session) == {key for key in session.nodes.lines if key[0] == "L4"}
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    assert {key[0] for key in handles(session)} == {"L4"}


def test_only_lines_of_the_current_level_are_shown_if_asked(session: Any) -> None:
    def shown() -> set[str]:
        return {key[0] for key, line in session.nodes.lines.items() if line.GetDisplayNode().GetVisibility()}

    session.highlight(MIDDLE)
    session.show(only_level=True)
    assert shown() == {"L4-L5"}
    session.highlight(CANAL)
    assert shown() == {"L4"}
    session.show()
    assert shown() == {key[0] for key in session.nodes.lines}


@pytest.fixture
def view(can_render: None, application: Any, scene: Any, session: Any) -> Any:
    with slice_view(scene, application.logic, "Yellow", (600, 600)) as view:
        view.show(session.nodes.volume, session.row(MIDDLE).p1)
        plane = session.row(MIDDLE).plane
        x, y = np.array(plane.x_axis), np.array(plane.y_axis)
        # The patient's front at the left, as in Slicer's own sagittal view.
        view.node.SetSliceToRASByNTP(*np.cross(y, x), *-x, *ends(session.line(MIDDLE)).mean(axis=0), 0)
        view.node.SetFieldOfView(160, 160, 1)
        view.node.UpdateMatrices()
        view.window.Render()
        yield view


def test_a_line_under_the_mouse_shows_its_handles(view: SliceView, session: Any) -> None:
    session.highlight(CANAL)
    session.show(quantities=["disc_height_middle"])
    view.window.Render()
    assert MIDDLE not in handles(session)
    view.mouse("EnterEvent", 5, 5)
    view.mouse("MouseMoveEvent", *view.pixel(session.row(MIDDLE).p1))
    assert MIDDLE in handles(session)
    view.mouse("MouseMoveEvent", 5, 5)
    assert MIDDLE not in handles(session)


def test_an_end_without_a_handle_can_be_dragged(view: SliceView, session: Any) -> None:
    session.highlight(CANAL)
    session.show(quantities=["disc_height_middle"])
    view.window.Render()
    before = session.row(MIDDLE)
    x, y = view.pixel(before.p2)
    view.drag((x, y), (0, -30))
    assert session.row(MIDDLE).value > before.value + 3


def test_labels_do_not_cover_the_spine(view: SliceView, session: Any) -> None:
    def picture() -> np.ndarray:
        return view.picture().astype(int)

    def differs(before: np.ndarray) -> np.ndarray:
        return np.abs(picture() - before).max(axis=2) > 4

    segments = session.nodes.segmentation.GetDisplayNode()
    session.highlight(MIDDLE)
    session.show(labels=False, levels=[])
    segments.SetVisibility(False)
    bare = picture()
    session.show(quantities=["none"])
    labelled = differs(bare)
    session.show(labels=False, levels=[])
    segments.SetVisibility(True)
    spine = differs(bare)
    assert labelled.sum() > 500 and spine.sum() > 5000
    assert not (labelled & spine).any()
