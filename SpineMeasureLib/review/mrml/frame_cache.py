"""Frames of a case's structures by segment, kept until a segment changes: computing them takes the most time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...anatomy import Kind
from ...measure.alignment import regional_angles, regional_levels
from ...measure.reference import with_reference
from ...measure.spine import Piece, Spine
from ...measure.types import Measurement
from ...volume import Volume
from ..case.rename import renamed_level
from .segments import Segments, segmentation_of
from .stamps import Stamp, Stamps


class FrameCache:
    """Frames of the segments at their last measurement."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._stamp: Stamp | None = None
        self._pieces: dict[str, Piece | None] = {}

    def keep(self, node: Any, segments: Segments, spine: Spine) -> None:
        """Remember the frames of the segments of a node.

        :param segments: kind and level by segment id, as in `spine`.
        """
        stamp = self._stamps.of(node)
        if self._stamp != stamp:
            self._stamp, self._pieces = stamp, {}
        by_kind: dict[Kind, Mapping[str, Piece | None]] = {Kind.DISC: spine.discs, Kind.BODY: spine.bodies}
        for segment, (kind, level) in segments.items():
            if kind in by_kind:
                self._pieces[segment] = by_kind[kind].get(level)

    def regional_angles(
        self, node: Any, segments: Segments, names: Mapping[str, str], image: Callable[[], Volume | None]
    ) -> list[Measurement]:
        """Return the angles over named regions under new level names; only the frames that they need are computed.

        :param segments: present kind and level by segment id.
        :param names: new vertebra names by old ones.
        :param image: returns that of the case, in which the endplate of S1 is found; called if frames are missing.
        :raises NothingFoundError: the segmentation is empty.
        """
        called = {
            segment: (kind, renamed_level(level, names))
            for segment, (kind, level) in segments.items()
            if kind in (Kind.DISC, Kind.BODY)
        }
        wanted = regional_levels({level for _, level in called.values()})
        regional = {segment: what for segment, what in called.items() if what[1] in wanted}
        known = self._pieces if self._stamp == self._stamps.of(node) else {}
        if not regional.keys() <= known.keys():
            near = _with_neighbours({segments[segment][1] for segment in regional}, segments)
            self.keep(node, near, Spine(segmentation_of(node, near, True, "user"), image()))
        found: dict[Kind, dict[str, Piece | None]] = {Kind.DISC: {}, Kind.BODY: {}}
        for segment, (kind, level) in regional.items():
            found[kind][level] = self._pieces.get(segment)
        return [with_reference(m) for m in regional_angles(found[Kind.DISC], found[Kind.BODY])]


def _with_neighbours(levels: set[str], segments: Segments) -> dict[str, tuple[Kind, str]]:
    """Return the segments of some levels, the bodies next to their discs, and those that define anterior."""
    near = levels | {name for level in levels for name in level.split("-")}
    if not any(kind in (Kind.CANAL, Kind.CORD) for kind, _ in segments.values()):
        return dict(segments)
    always = (Kind.CANAL, Kind.CORD, Kind.POSTERIOR)
    return {segment: (kind, level) for segment, (kind, level) in segments.items() if kind in always or level in near}
