"""Segments and the review: any segmentation to begin with, segments edited, measured again, levels renamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import add_segment, check_case, moved, paint, thinner

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.errors import LevelNameError, NothingFoundError
from SpineMeasureLib.review.case.state import automatic_of, difference_of, status_of
from SpineMeasureLib.review.mrml.recognise import recognised, structure_of_name
from SpineMeasureLib.review.mrml.segments import add_segmentation, segments_of, tag
from SpineMeasureLib.segmentation import EDITED

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
ANTERIOR = ("L4-L5", "disc_height_anterior", "chord10")
MEAN3 = ("L4-L5", "disc_height_mean", "mean3")
AREA = ("L4-L5", "disc_area", "area")
HEIGHTS = (ANTERIOR[1:], MIDDLE[1:], ("disc_height_posterior", "chord90"))


@pytest.fixture
def session(scene: Any, small: Any) -> Iterator[Any]:
    from SpineMeasureLib.review.session import Session

    made = Session.build(scene, None, *small)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole_lumbar() -> tuple[Any, Any]:
    """L1 to sacrum, which have a lordosis."""
    from SpineMeasureLib.measure import measure
    from SpineMeasureLib.phantom import Grid, lumbar, voxelise

    segmentation = voxelise(lumbar(upper="L1"), Grid((4.0, 1.5, 1.5)))
    return segmentation, measure(segmentation)


def test_the_segmentation_is_read_back_voxel_for_voxel(session: Any, small: Any) -> None:
    found, made = session.segmentation(), small[0]
    assert np.array_equal(found.labels, made.labels) and found.structures == made.structures
    np.testing.assert_allclose(found.affine, made.affine, atol=1e-9)


def test_the_model_that_made_the_segments_is_kept_in_the_scene(scene: Any, small: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.review.session import Session

    model = {"model": "spine_mri", "model_version": "1.2", "model_sha256": "ab" * 32}
    session = Session.build(scene, None, replace(small[0], provenance={**model, "device": "cpu"}), small[1])
    assert session.segmentation().provenance == model
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    session.close()
    scene.Clear(0)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert again.segmentation().provenance == model
    again.close()


def test_a_segment_that_was_painted_on_is_known_as_edited_and_no_other(scene: Any, small: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.review.session import Session

    made = replace(small[0], provenance={"model": "spine_mri"})
    session = Session.build(scene, None, made, small[1])
    assert not any(EDITED in s.flags for s in session.segmentation().structures)
    paint(session.nodes.segmentation, "L4-L5", thinner)
    session.shift_levels(-1)
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    session.close()
    scene.Clear(0)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert [s.name for s in again.segmentation().structures if EDITED in s.flags] == ["L3-L4"]
    again.close()


def test_an_edited_segment_is_measured_again(session: Any) -> None:
    before = {m.key: m for m in session.rows}
    paint(session.nodes.segmentation, "L4-L5", thinner)
    result = session.remeasure()
    assert {MIDDLE, ANTERIOR, MEAN3, AREA} <= set(result.changed)
    assert not [k for k in result.changed if k[0] == "L5-S1" and k[1].startswith("disc_height")]
    assert result.kept_edited == result.vanished == result.appeared == ()
    assert session.row(MIDDLE).value < before[MIDDLE].value - 0.5
    assert status_of(session.row(MIDDLE)) in ("automatic", "flagged")
    check_case(session)
    session.undo()
    assert {m.key: m for m in session.rows} == before
    check_case(session)
    # The segment is still thinner: measuring again finds that again.
    assert session.remeasure() == result


def wider(node: Any, segment: str) -> None:
    """Paint into the neighbours with "Allow overlap", for which Slicer gives the segment a layer to itself."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    node.GetSegmentation().SeparateSegmentLabelmap(segment)
    each = segments_of(node)[segment]
    layer = each.GetRepresentation("Binary labelmap")
    array = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(layer.GetDimensions()[::-1])
    value = each.GetLabelValue()
    array[np.roll(array == value, 1, axis=0) | np.roll(array == value, -1, axis=0)] = value
    layer.GetPointData().GetScalars().Modified()
    layer.Modified()


def test_saving_overlapping_segments_is_not_taken_for_an_edit(session: Any, scene: Any, tmp_path: Path) -> None:
    node = session.nodes.segmentation
    wider(node, "L4-L5")
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    assert session.segments_changed and session.remeasure().changed and not session.segments_changed
    layers = [each.GetRepresentation("Binary labelmap").GetExtent() for each in segments_of(node).values()]
    for name in ("first.mrb", "second.mrb"):
        assert scene.WriteToMRB(str(tmp_path / name))
        assert not session.segments_changed
    after = [each.GetRepresentation("Binary labelmap").GetExtent() for each in segments_of(node).values()]
    assert after != layers, "Slicer crops layers when it saves"
    assert session.remeasure().changed == ()
    paint(node, "L4-L5", thinner)
    assert session.segments_changed


def test_layers_that_are_merged_or_cropped_hold_the_same_segments(session: Any) -> None:
    node = session.nodes.segmentation
    segmentation = node.GetSegmentation()
    for segment in segments_of(node):
        segmentation.SeparateSegmentLabelmap(segment)
    assert segmentation.GetNumberOfLayers() == len(segments_of(node)) and not session.segments_changed
    segmentation.CollapseBinaryLabelmaps(False)
    assert segmentation.GetNumberOfLayers() == 1 and not session.segments_changed
    session.nodes.segmentation.GetDisplayNode().SetOpacity(0.3)
    segments_of(node)["L4"].SetColor(1.0, 0.0, 0.0)
    assert not session.segments_changed


def test_the_editors_own_undo_is_noticed_and_back_to_what_was_measured_nothing_is_stale(session: Any) -> None:
    import slicer

    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(session.nodes.segmentation.GetSegmentation())
    assert history.SaveState()
    paint(session.nodes.segmentation, "L4-L5", thinner)
    assert session.segments_changed
    assert history.RestorePreviousState() and not session.segments_changed
    assert history.RestoreNextState() and session.segments_changed
    session.remeasure()
    assert not session.segments_changed
    assert history.RestorePreviousState() and session.segments_changed


def test_a_rename_that_is_undone_makes_no_value_stale(scene: Any, whole_lumbar: Any) -> None:
    from SpineMeasureLib.review.session import Session

    session = Session.build(scene, None, *whole_lumbar)
    assert "lordosis" in {m.quantity for m in session.rows}
    session.shift_levels(-1)
    assert "lordosis" not in {m.quantity for m in session.rows}
    for move in (session.undo, session.redo, session.undo):
        assert move() and not session.segments_changed
    session.nodes.segmentation.GetSegmentation().RemoveSegment("L1-L2")
    session.remeasure()
    assert not session.segments_changed
    assert session.undo() and session.segments_changed, "its values are there again, the disc is not"
    session.close()


def test_edited_and_accepted_values_stay_when_measured_again(session: Any) -> None:
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    session.accept([AREA], "AB")
    edited, area, automatic = session.row(MIDDLE), session.row(AREA), automatic_of(session.row(MIDDLE))
    paint(session.nodes.segmentation, "L4-L5", thinner)
    result = session.remeasure()
    assert set(result.kept_edited) == {MIDDLE, AREA}
    row = session.row(MIDDLE)
    assert (row.value, row.p1, row.p2) == (edited.value, edited.p1, edited.p2)
    assert automatic_of(session.row(MIDDLE)).value < automatic.value - 0.5
    assert difference_of(session.row(MIDDLE)) == pytest.approx(edited.value - automatic_of(session.row(MIDDLE)).value)
    assert "automatic value is now" in row.note
    assert session.row(AREA).value == area.value and status_of(session.row(AREA)) == "accepted"
    assert "automatic value is now" in session.row(AREA).note and "edited" not in session.row(AREA).flags
    # What follows from both kinds follows from what is shown.
    heights = [session.row(("L4-L5", *rest)).value for rest in HEIGHTS]
    assert session.row(MEAN3).value == pytest.approx(sum(heights) / 3)
    check_case(session)
    session.withdraw([AREA])
    assert session.row(AREA) == automatic_of(session.row(AREA)) and session.row(AREA).value < area.value
    session.reset([MIDDLE])
    assert session.row(MIDDLE) == automatic_of(session.row(MIDDLE))
    check_case(session)


def test_rows_of_a_deleted_segment_go_and_edited_ones_stay(session: Any) -> None:
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    before = session.rows
    node = session.nodes.segmentation
    node.GetSegmentation().RemoveSegment("L4-L5")
    result = session.remeasure()
    assert set(result.kept_edited) == {MIDDLE} and AREA in result.vanished
    assert "can no longer be measured" in session.row(MIDDLE).note
    assert (
        session.line(MIDDLE) is not None and session.line(ANTERIOR) is None if ANTERIOR in session.nodes.lines else True
    )
    assert [m.key for m in session.rows if m.level == "L4-L5" and m.quantity.startswith("disc_")] == [MIDDLE]
    check_case(session)
    session.undo()
    assert session.rows == before


def test_a_new_segment_with_the_name_of_a_level_is_measured(scene: Any, small: Any) -> None:
    from SpineMeasureLib.review.session import Session

    segmentation, measurements = small
    session = Session.build(scene, None, segmentation, measurements)
    node = session.nodes.segmentation
    mask = segmentation.labels == next(s.value for s in segmentation.structures if s.name == "L5-S1")
    node.GetSegmentation().RemoveSegment("L5-S1")
    session.remeasure()
    assert "L5-S1" not in session.levels
    add_segment(node, "L5/S1 disc", mask, segmentation.affine)
    result = session.remeasure()
    assert ("L5-S1", *MIDDLE[1:]) in result.appeared
    expected = next(m.value for m in measurements if m.key == ("L5-S1", *MIDDLE[1:]))
    assert session.row(("L5-S1", *MIDDLE[1:])).value == pytest.approx(expected, abs=1e-6)
    check_case_but_names(session)
    session.close()


def check_case_but_names(session: Any) -> None:
    """As check_case, with segments that carry the user's names."""
    for segment, (kind, level) in session.state.segments.items():
        from SpineMeasureLib.review.mrml.segments import mark_segment, name_of

        each = segments_of(session.nodes.segmentation)[segment]
        each.SetName(name_of(kind, level))
        mark_segment(each, kind, level)
    check_case(session)


def test_renaming_renames_segments_lines_rows_and_table_in_one_step(session: Any) -> None:
    before = session.rows
    value, line = session.row(MIDDLE).value, session.line(MIDDLE)
    session.set_line(MIDDLE, *moved(session, MIDDLE))
    session.rename_disc(session.discs[-1], "L6-S1")
    assert session.levels == ["L5", "L5-L6", "L6", "L6-S1"]
    renamed = ("L5-L6", *MIDDLE[1:])
    assert session.line(renamed) is line and difference_of(session.row(renamed)) == pytest.approx(2.0)
    assert automatic_of(session.row(renamed)).value == value
    segments = segments_of(session.nodes.segmentation)
    assert segments["L4"].GetName() == "L5" and segments["L5-S1"].GetName() == "L6-S1"
    assert segments["Sacrum"].GetName() == "Sacrum"
    assert "51282000" in segments["L5"].GetTerminology()
    check_case(session)
    session.undo()
    assert segments["L4"].GetName() == "L4" and session.line(MIDDLE) is line
    check_case(session)
    session.undo()
    assert session.rows == before


def test_values_measured_under_new_names_are_those_that_were_renamed(session: Any) -> None:
    session.rename_disc(session.discs[-1], "L6-S1")
    result = session.remeasure()
    assert result.changed == result.vanished == result.appeared == ()


def test_names_that_do_not_fit_change_nothing(session: Any) -> None:
    before = session.rows
    for name in ("L4-S2", "T1-L1", "C2-C3"):
        with pytest.raises(LevelNameError):
            session.rename_disc(session.discs[-1], name)
    assert session.rows == before and not session.can_undo
    check_case(session)


def test_lordosis_is_there_when_the_names_say_so(scene: Any, whole_lumbar: Any) -> None:
    from SpineMeasureLib.review.session import Session

    session = Session.build(scene, None, *whole_lumbar)
    key = ("L1-S1", "lordosis", "cobb")
    before = session.row(key)
    session.shift_levels(-1)
    assert key not in [m.key for m in session.rows]
    check_case(session)
    session.shift_levels(1)
    assert session.row(key).value == pytest.approx(before.value)
    check_case(session)
    session.close()


def foreign(scene: Any, small: Any, naming: Any) -> Any:
    """A segmentation as other programs make them: one segment per name that `naming` gives a structure, or none."""
    segmentation = small[0]
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    node.CreateDefaultDisplayNodes()
    masks: dict[str, np.ndarray] = {}
    for structure in segmentation.structures:
        name = naming(structure)
        if name:
            masks[name] = masks.get(name, False) | segmentation.mask(structure)
    for name, mask in masks.items():
        add_segment(node, name, mask, segmentation.affine)
    return node


def values(rows: Any) -> dict[Any, float]:
    return {m.key: m.value for m in rows if m.value is not None}


@pytest.mark.parametrize("body", ["vertebrae_{}", "{} vertebra", "{}"])
def test_a_segmentation_of_others_is_known_by_its_names(scene: Any, small: Any, body: str) -> None:
    from SpineMeasureLib.review.session import Session

    def naming(structure: Any) -> str:
        if structure.kind is Kind.BODY:
            return body.format(structure.level)
        if structure.kind is Kind.DISC:
            return f"Disc {structure.level.replace('-', '/')}"
        return {"Spinal canal": "spinal canal", "Sacrum": "sacrum"}[structure.name]

    node = foreign(scene, small, naming)
    session = Session.from_segmentation_node(scene, node)
    assert session.nodes.segmentation is node
    assert values(session.rows) == pytest.approx(values(small[1]), abs=1e-6)
    check_case_but_names(session)
    assert session.remeasure().changed == ()
    session.rename_disc(session.discs[-1], "L4-L5")
    assert "L4-L5" in [each.GetName() for each in segments_of(node).values()]
    session.close()


def test_a_segmentation_of_others_is_known_by_its_terminology(scene: Any, small: Any) -> None:
    from SpineMeasureLib.review.session import Session

    node = add_segmentation(scene, small[0], None, "coded")
    for n, each in enumerate(segments_of(node).values()):
        each.SetName(f"Segment {n}")
        each.RemoveTag("SpineMeasure.kind")
        each.RemoveTag("SpineMeasure.level")
    session = Session.from_segmentation_node(scene, node, lowest_disc="L4-L5")
    assert session.discs == ["L3-L4", "L4-L5"]
    assert session.row(("L3-L4", *MIDDLE[1:])).value == pytest.approx(values(small[1])[MIDDLE], abs=1e-6)
    check_case_but_names(session)
    session.close()


@pytest.mark.parametrize("names", [("vertebra", "disc", "spinal canal"), ("Segment_1", "Segment_2", "Segment_3")])
def test_vertebra_disc_and_canal_are_separated_into_levels(scene: Any, small: Any, names: Any) -> None:
    from SpineMeasureLib.review.session import Session

    segmentation = small[0]
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "1 2 3")
    node.CreateDefaultDisplayNodes()
    kinds = ((Kind.BODY, Kind.SACRUM), (Kind.DISC,), (Kind.CANAL,))
    for n, (name, each) in enumerate(zip(names, kinds, strict=True)):
        mask = np.isin(segmentation.labels, [s.value for s in segmentation.structures if s.kind in each])
        add_segment(node, name, mask, segmentation.affine, n + 1)
    session = Session.from_segmentation_node(scene, node, lowest_disc="L5-S1")
    assert session.discs == ["L4-L5", "L5-S1"]
    assert session.nodes.segmentation is not node and not node.GetDisplayVisibility()
    assert tag(segments_of(session.nodes.segmentation)["L4-L5"], "kind") == "disc"
    assert session.row(MIDDLE).value == pytest.approx(values(small[1])[MIDDLE], abs=1.0)
    check_case(session)
    session.close()


def test_of_whole_vertebrae_the_bodies_are_measured(scene: Any, case: Any) -> None:
    from SpineMeasureLib.review.mrml.segments import mark_whole_vertebrae, segmentation_of

    made = case.segmentation
    node = foreign(
        scene, (made,), lambda s: f"vertebrae_{s.level}" if s.kind in (Kind.BODY, Kind.POSTERIOR) else s.name
    )
    segments = recognised(node)
    whole = segmentation_of(node, segments, True, "labels")
    mark_whole_vertebrae(node, segments)
    found = segmentation_of(node, segments, True, "labels")
    assert {s.name for s in found.structures} == {s.name for s in made.structures}
    assert not any(s.kind is Kind.POSTERIOR for s in whole.structures)
    assert np.array_equal(found.labels, made.labels)


def test_a_segmentation_of_something_else_is_refused(scene: Any, small: Any) -> None:
    from SpineMeasureLib.review.session import Session

    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    with pytest.raises(NothingFoundError, match="empty"):
        Session.from_segmentation_node(scene, empty)
    canal = foreign(scene, small, lambda s: "Spinal canal" if s.kind is Kind.CANAL else "")
    with pytest.raises(NothingFoundError):
        Session.from_segmentation_node(scene, canal)
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("L4", (Kind.BODY, "L4")),
        ("vertebrae_T12", (Kind.BODY, "T12")),
        ("L5 vertebra", (Kind.BODY, "L5")),
        ("L4-L5", (Kind.DISC, "L4-L5")),
        ("disc_l5_s1", (Kind.DISC, "L5-S1")),
        ("IVD T12/L1", (Kind.DISC, "T12-L1")),
        ("C2 posterior elements", (Kind.POSTERIOR, "C2")),
        ("sacrum", (Kind.SACRUM, "S1")),
        ("S1", (Kind.SACRUM, "S1")),
        ("Spinal canal", (Kind.CANAL, "")),
        ("dural sac", (Kind.CANAL, "")),
        ("spinal_cord", (Kind.CORD, "")),
        ("L4-S2", None),
        ("T1-L5", None),
        ("kidney_left", None),
        ("Segment_1", None),
        ("T14", None),
    ],
)
def test_structures_are_known_by_usual_names(name: str, expected: Any) -> None:
    assert structure_of_name(name) == expected
