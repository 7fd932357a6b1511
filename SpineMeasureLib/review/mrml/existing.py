"""A case of a segmentation that is already in the scene."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...anatomy import Kind
from ...errors import NothingFoundError
from ...measure import measure_spine
from ...measure.definitions import PREFERRED, EndsOn, shown_first
from ...measure.spine import Spine
from ...segment.labels.by_value import segmentation_from_labels
from ...segment.labels.plausible import check_anatomy
from ...segmentation import SpineSegmentation
from ..case.derived import new_state
from ..case.levels import discs_of
from ..case.rename import named_disc, renamed
from .build import CaseNodes, add_case, state_of
from .recognise import recognised, tissues
from .segments import (
    Segments,
    add_segmentation,
    mark_segment,
    mark_whole_vertebrae,
    merged_labels,
    name_segment,
    segmentation_of,
    segments_of,
)
from .volume_node import image_from_node, refuse_elsewhere, refuse_transforms


def add_existing_case(
    scene: Any,
    node: Any,
    volume_node: Any = None,
    lowest_disc: str | None = None,
    ends: EndsOn = PREFERRED,
) -> tuple[CaseNodes, Spine]:
    """Measure a segmentation node and add its case; also return the frames of its structures.

    Segments are recognised by name (``"L4"``, ``"L4-L5"``, ``"Spinal canal"``) or terminology. If none names a disc or
    a vertebra, they are taken for vertebra, disc and canal: the case gets a new segmentation node with the separated
    and named structures, and `node` is hidden.

    :param volume_node: the image, by default the one that the segmentation refers to.
    :param lowest_disc: name of the lowest disc in view.
    :param ends: what the heights that are shown first are between.
    :raises GeometryMismatchError: image or segmentation is under a transform, or they do not overlap.
    :raises NothingFoundError: no disc and no vertebra is recognised.
    :raises UnreadableInputError: the label values follow no known convention.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    if volume_node is None:
        volume_node = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    refuse_transforms(volume_node, node)
    refuse_elsewhere(volume_node, node)
    name = (volume_node if volume_node is not None else node).GetName()
    segments: Segments = recognised(node)
    if any(kind in (Kind.DISC, Kind.BODY) for kind, _ in segments.values()):
        own, (segments, segmentation) = node, _named(node, segments, lowest_disc)
    else:
        own, segments, segmentation = _separated(scene, node, segments, volume_node, lowest_disc)
    spine = Spine(segmentation, image_from_node(volume_node))
    state = replace(state_of(segmentation, shown_first(measure_spine(spine), ends)), segments=segments)
    return add_case(scene, volume_node, own, state, name), spine


def _named(node: Any, segments: Segments, lowest_disc: str | None) -> tuple[Segments, SpineSegmentation]:
    """Name the segments, and mark them with what they are."""
    named = new_state((), segments, True, "labels")
    discs = discs_of(named)
    if lowest_disc and discs:
        named = renamed(named, named_disc(named, discs[-1], lowest_disc), ())
    mark_whole_vertebrae(node, named.segments)
    segmentation = segmentation_of(node, named.segments, named.verified, named.anchor)
    for segment, each in segments_of(node).items():
        if segment in named.segments:
            same = named.segments[segment] == segments[segment]
            (mark_segment if same else name_segment)(each, *named.segments[segment])
    return named.segments, segmentation


def _separated(
    scene: Any, node: Any, segments: Segments, volume_node: Any, lowest_disc: str | None
) -> tuple[Any, Segments, SpineSegmentation]:
    """Add a segmentation node with the structures of one that has a segment per tissue; hide that one."""
    values = tissues(node)
    if len(values) < 2:
        if segments:
            raise NothingFoundError(
                "None of the segments is a disc or a vertebra.", "Name the segments as L4, L4-L5 and so on."
            )
        values = {segment: each.GetLabelValue() for segment, each in segments_of(node).items()}
    segmentation = segmentation_from_labels(merged_labels(node, values), lowest_disc=lowest_disc)
    check_anatomy(segmentation)
    own = add_segmentation(scene, segmentation, volume_node, f"{node.GetName()} by level")
    node.SetDisplayVisibility(False)
    return own, state_of(segmentation, ()).segments, segmentation
