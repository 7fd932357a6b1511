"""Frames of a case's structures by segment, kept until a segment is changed: making them takes the longest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..anatomy import Kind
from ..measure.alignment import regional_angles
from ..measure.reference import with_reference
from ..measure.spine import Piece, Spine
from ..measure.types import Measurement
from .naming import renamed_level
from .segments import Segments, segmentation_of, stamp


class FrameCache:
    """The discs and bodies of the segmentation as it was when they were last asked for."""

    def __init__(self) -> None:
        self._stamp: object = None
        self._pieces: dict[str, Piece | None] = {}

    def keep(self, node: Any, segments: Segments, spine: Spine) -> None:
        """Remember the frames of a segmentation node."""
        by_kind: dict[Kind, Mapping[str, Piece | None]] = {Kind.DISC: spine.discs, Kind.BODY: spine.bodies}
        self._stamp = stamp(node)
        self._pieces = {
            segment: by_kind[kind].get(level) for segment, (kind, level) in segments.items() if kind in by_kind
        }

    def regional_angles(self, node: Any, segments: Segments, names: Mapping[str, str]) -> list[Measurement]:
        """The angles over named regions as they are when the levels are renamed.

        :param names: new vertebra names by old ones.
        :raises NothingFoundError: the segmentation is empty.
        """
        if self._stamp != stamp(node):
            self.keep(node, segments, Spine(segmentation_of(node, segments, True, "user")))
        found: dict[Kind, dict[str, Piece | None]] = {Kind.DISC: {}, Kind.BODY: {}}
        for segment, piece in self._pieces.items():
            if segment in segments:
                kind, level = segments[segment]
                found.setdefault(kind, {})[renamed_level(level, names)] = piece
        return [with_reference(m) for m in regional_angles(found[Kind.DISC], found[Kind.BODY])]
