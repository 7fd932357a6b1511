"""Where a dragged end goes: into its measuring plane, and onto the edge of the image beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...measure.definitions import has_edges
from ...measure.snap import EdgeSnap, edge_snap
from ...measure.types import ENDS, End, Measurement
from ..case.drag import Ends, dragged, moved_end
from .images import affine_from
from .links import linked
from .volume_node import image_from_node


class Snapping:
    """What a drag of a case's lines obeys.

    :ivar to_plane: False if a dragged end may leave its measuring plane.
    :ivar to_edges: False if a dragged end does not snap to edges of the image.
    :ivar freed: called at every movement; if it returns True, the end may leave both.
    """

    def __init__(self, case: Any) -> None:
        """:param case: the case's hidden node."""
        self.to_plane = self.to_edges = True
        self.freed: Callable[[], bool] = lambda: False
        self._case = case
        self._key: object = None
        self._edges: EdgeSnap | None = None

    def placed(
        self, line: Any, row: Measurement, start: Ends, ends: Ends, rows: Iterable[Measurement] = ()
    ) -> tuple[Ends, tuple[End, ...]]:
        """Return the ends that a line may have after a movement, and which of them snapped to an edge.

        :param line: its node.
        :param row: its automatic value.
        :param start: its ends before.
        :param ends: its ends as moved.
        :param rows: the automatic values of the case; without them no end snaps to an edge.
        """
        free = self.freed()
        placed = dragged(start, ends, row.plane if self.to_plane and not free else None)
        end = moved_end(start, placed)
        if end is None or free or not self.to_edges or not has_edges(row):
            return placed, ()
        edges = self._edges_of(line, rows)
        place = edges.snapped(row, placed, end) if edges is not None else None
        if place is None:
            return placed, ()
        return ((place, placed[1]) if end == ENDS[0] else (placed[0], place)), (end,)

    def _edges_of(self, line: Any, rows: Iterable[Measurement]) -> EdgeSnap | None:
        """Return the image of the case, which is read again only if it or the automatic values changed."""
        volume, automatic = linked(self._case, "volume"), tuple(rows)
        image = volume.GetImageData() if volume is not None else None
        if image is None or not automatic or volume.GetParentTransformNode() or line.GetParentTransformNode():
            return None
        key = (volume.GetID(), image.GetMTime(), affine_from(volume.GetIJKToRASMatrix).tobytes(), automatic)
        if key != self._key:
            voxels = image_from_node(volume)
            self._key, self._edges = key, edge_snap(voxels, automatic) if voxels is not None else None
        return self._edges
