"""A case built into a MRML scene: volume, named segments, one line per editable distance, table, folders.

Coordinates are RAS mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...measure.derived import Key
from ...measure.types import Measurement
from ...segmentation import SpineSegmentation
from ...volume import Volume
from ..case.derived import Live, new_state
from ..case.state import State
from .folders import arrange
from .images import add_volume
from .labels import Filter, Labels
from .lines import add_line, is_line
from .links import Record, add_case_node, link_line
from .segments import add_segmentation, segment_id
from .table import add_table
from .volume_node import refuse_transforms


@dataclass(frozen=True)
class CaseNodes:
    """The nodes of one case; a node that the user deleted is None.

    :ivar lines: by measurement key (level, quantity, method).
    :ivar folder: subject hierarchy item, 0 if the user deleted it.
    :ivar case: the hidden node with the record of the case.
    """

    volume: Any
    segmentation: Any
    lines: dict[Key, Any]
    table: Any
    folder: int
    case: Any = None


def build_case(
    scene: Any,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    name: str = "Spine",
) -> CaseNodes:
    """Add an image and its case to a scene.

    :param scene: vtkMRMLScene.
    """
    return add_segmented_case(scene, add_volume(scene, volume, name), segmentation, measurements, name)


def add_segmented_case(
    scene: Any, volume_node: Any, segmentation: SpineSegmentation, measurements: Sequence[Measurement], name: str
) -> CaseNodes:
    """Add the segments and the case of an image that is in the scene.

    :param volume_node: may be None.
    :raises GeometryMismatchError: it is under a transform.
    """
    refuse_transforms(volume_node)
    segmentation_node = add_segmentation(scene, segmentation, volume_node, f"{name} segmentation")
    return add_case(scene, volume_node, segmentation_node, state_of(segmentation, measurements), name)


def state_of(segmentation: SpineSegmentation, measurements: Sequence[Measurement]) -> State:
    """Return the state of a case whose segments `add_segmentation` made."""
    segments = {segment_id(s.name): (s.kind, s.level) for s in segmentation.structures}
    return new_state(measurements, segments, segmentation.level_verified, segmentation.anchor)


def add_case(scene: Any, volume_node: Any, segmentation_node: Any, state: State, name: str) -> CaseNodes:
    """Add the lines, table, record and folders of a case whose image (or None) and segments are in the scene."""
    values = Live(state.rows).values
    table = add_table(scene, list(state.rows.values()), list(values.values()), f"{name} measurements")
    case = add_case_node(scene, name, volume_node, segmentation_node, table)
    Record(case).write(state)
    lines = {}
    for number, value in values.items():
        if is_line(value):
            lines[value.key] = add_line(scene, value, state.rows[number])
            link_line(lines[value.key], number, case, state.segment_of(value))
    Labels(scene, case).update(values, Filter())
    by_level = [(level, node) for (level, _, _), node in lines.items()]
    folder = arrange(scene, name, volume_node, segmentation_node, by_level, table)
    return CaseNodes(volume_node, segmentation_node, lines, table, folder, case)
