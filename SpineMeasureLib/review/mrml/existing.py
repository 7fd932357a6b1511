"""A case of a segmentation that is already in the scene."""

from __future__ import annotations

from typing import Any

from ...anatomy import Kind
from ...errors import NothingFoundError
from ...measure.spine import Spine
from ...segment.labels.by_value import segmentation_from_labels
from ...segment.labels.plausible import check_anatomy
from ..case.rename import discs_of, named_disc, renamed
from ..case.state import new_state
from .recognise import recognised, tissues
from .segments import (
    Segments,
    add_segmentation,
    mark_segment,
    mark_whole_vertebrae,
    merged_labels,
    name_segment,
    segment_id,
    segmentation_of,
    segments_of,
)


def case_of_segmentation_node(
    scene: Any, node: Any, volume_node: Any, lowest_disc: str | None
) -> tuple[Any, Segments, Spine]:
    """The segmentation node of the new case, what its segments are, and their frames.

    That node is `node` itself where its segments name structures. Else they are taken as vertebra, disc and canal, and
    a new node gets the separated structures; `node` is hidden then.

    :raises NothingFoundError: no disc and no vertebra is recognised.
    :raises UnreadableInputError: the label values are of no known convention.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    segments: Segments = recognised(node)
    named = new_state((), segments, True, "labels")
    if any(kind in (Kind.DISC, Kind.BODY) for kind, _ in segments.values()):
        if lowest_disc and discs_of(named):
            names = named_disc(named, discs_of(named)[-1], lowest_disc)
            named = renamed(named, names, ())
        mark_whole_vertebrae(node, named.segments)
        spine = Spine(segmentation_of(node, named.segments, named.verified, named.anchor))
        for segment, each in segments_of(node).items():
            if segment in named.segments:
                same = named.segments[segment] == segments[segment]
                (mark_segment if same else name_segment)(each, *named.segments[segment])
        return node, named.segments, spine
    values = tissues(node)
    if len(values) < 2:
        if segments:
            raise NothingFoundError("No segment is a disc or a vertebra.", "Name the segments as L4, L4-L5 and so on.")
        values = {segment: each.GetLabelValue() for segment, each in segments_of(node).items()}
    segmentation = segmentation_from_labels(merged_labels(node, values), lowest_disc=lowest_disc)
    check_anatomy(segmentation)
    spine = Spine(segmentation)
    own = add_segmentation(scene, segmentation, volume_node, f"{node.GetName()} by level")
    node.SetDisplayVisibility(False)
    return own, {segment_id(s.name): (s.kind, s.level) for s in segmentation.structures}, spine
