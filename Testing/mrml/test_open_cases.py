"""Which case of a scene belongs to which node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.errors import UnreadableInputError
from SpineMeasureLib.review.mrml.images import add_volume
from SpineMeasureLib.review.open_cases import OpenCases
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.volume import Volume


def build(scene: Any, small: Any, name: str) -> Session:
    segmentation, measurements = small
    volume = add_volume(scene, Volume(segmentation.labels.astype(np.int16), segmentation.affine), name)
    return Session.build(scene, volume, segmentation, measurements, name)


@pytest.fixture
def cases(scene: Any, small: Any) -> Iterator[OpenCases]:
    """Two cases, each with its image."""
    made = OpenCases(scene)
    for name in ("T1", "T2"):
        made.add(build(scene, small, name))
    yield made
    made.close()


def test_a_case_is_known_by_its_image_and_by_its_segmentation(cases: OpenCases) -> None:
    for session in cases.sessions:
        assert cases.of_volume(session.nodes.volume) is session
        assert cases.of_segmentation(session.nodes.segmentation) is session
    assert cases.of_volume(None) is cases.of_segmentation(None) is None


def test_of_two_cases_of_one_image_the_newest_is_found(cases: OpenCases, scene: Any, small: Any) -> None:
    first = cases.sessions[0]
    newer = Session.build(scene, first.nodes.volume, *small, "newer")
    cases.add(newer)
    assert cases.of_volume(first.nodes.volume) is newer and first in cases.sessions


def test_only_cases_that_are_not_open_are_opened(cases: OpenCases, scene: Any) -> None:
    assert cases.find() == []
    closed = cases.sessions[0]
    case = closed.nodes.case
    cases.forget(closed)
    (found,) = cases.find()
    assert found.nodes.case is case and found is cases.sessions[-1] is not closed


def test_a_case_of_the_same_segmentation_replaces_the_older_one(cases: OpenCases, scene: Any) -> None:
    old = cases.sessions[0]
    again = Session(scene, old.nodes.case)
    cases.add(again)
    assert old not in cases.sessions and cases.of_segmentation(again.nodes.segmentation) is again


def test_a_record_that_cannot_be_read_is_reported_and_no_case_is_open(cases: OpenCases) -> None:
    case = cases.sessions[0].nodes.case
    cases.forget(cases.sessions[0])
    for name in case.GetParameterNames():
        case.SetParameter(name, "{")
    before = list(cases.sessions)
    with pytest.raises(UnreadableInputError, match="cannot be read"):
        cases.find()
    assert cases.sessions == before


def test_a_case_whose_record_is_deleted_is_closed(cases: OpenCases, scene: Any) -> None:
    first, second = cases.sessions
    cases.forget_removed(first.nodes.case)
    assert cases.sessions == [second]
    cases.forget_removed(second.nodes.volume)
    assert cases.sessions == [second]


def test_what_is_left_of_a_case_that_nobody_sees_is_removed(cases: OpenCases, scene: Any) -> None:
    first, second = cases.sessions
    lines = scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode")
    nodes = first.nodes
    for node in (nodes.volume, nodes.segmentation):
        scene.RemoveNode(node)
    assert cases.emptied == []
    scene.RemoveNode(nodes.table)
    assert cases.emptied == [first]
    cases.remove_emptied()
    assert cases.sessions == [second] and nodes.case.GetScene() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == lines - len(nodes.lines) > 0
