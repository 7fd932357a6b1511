"""Checksums of the voxels of segments: painting changes them, saving does not."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ...orientation import cropped_affine
from .images import affine_of
from .links import linked
from .segments import LABELMAP, Segments, segments_of

#: Segment ids with the checksum of each one's voxels, in the order of the segmentation.
Stamp = tuple[tuple[str, bytes], ...]

#: Places are compared to this many decimals of a mm: files round them, and a cropped layer has another origin.
_DECIMALS = 2
#: Added before rounding: spacings and origins are often round numbers, which would fall on either side.
_OFF_ROUND = 0.00137
_EMPTY = b""


class Stamps:
    """Checksums of the segments of one segmentation, by voxels and their place.

    Slicer stores several segments in one layer, and crops and renumbers layers when it saves a scene: this changes the
    modification time of a layer, not its segments. A layer that was not modified is not read again.
    """

    def __init__(self) -> None:
        self._layers: dict[tuple[str, int], dict[int, bytes]] = {}

    def of(self, node: Any) -> Stamp:
        """Return what changes when a segment of a vtkMRMLSegmentationNode is added, removed or painted on."""
        known, self._layers = self._layers, {}
        found = []
        for segment, each in segments_of(node).items():
            layer = each.GetRepresentation(LABELMAP)
            digests: dict[int, bytes] = {}
            if layer is not None:
                key = (layer.GetAddressAsString(""), layer.GetMTime())
                if key not in self._layers:
                    self._layers[key] = known[key] if key in known else _digests(layer)
                digests = self._layers[key]
            found.append((segment, digests.get(each.GetLabelValue(), _EMPTY)))
        return tuple(found)


class Measured:
    """The segments on which the values of a case were measured, to find out whether they changed since.

    :ivar stamps: of the case's segmentation.
    """

    def __init__(self, case: Any) -> None:
        """Take the segments as they are now for those that were measured.

        :param case: the case's hidden node.
        """
        self.stamps = Stamps()
        self._case = case
        self._stamp: Stamp | None = None
        self._segments: Segments | None = None
        self.note()

    def note(self, segments: Segments | None = None) -> None:
        """Note that the values were just measured on the segments as they are now.

        :param segments: kind and level by segment id at that time; None if unknown.
        """
        self._stamp, self._segments = self._now(), segments

    def doubt(self, other_values: bool) -> None:
        """Note that values were not measured under their present names.

        :param other_values: whether they were not measured on these segments either.
        """
        self._segments = None
        if other_values:
            self._stamp = None

    @property
    def changed(self) -> bool:
        """True if segments were painted on, added or removed since; False if there are none any more."""
        now = self._now()
        return now is not None and now != self._stamp

    def on(self, segments: Segments) -> bool:
        """Return whether measuring again would change nothing."""
        return segments == self._segments and self._now() == self._stamp

    def _now(self) -> Stamp | None:
        node = linked(self._case, "segmentation")
        return None if node is None else self.stamps.of(node)


def _digests(layer: Any) -> dict[int, bytes]:
    """Return the checksum of each label value in a vtkOrientedImageData."""
    from scipy.ndimage import find_objects
    from vtkmodules.util.numpy_support import vtk_to_numpy

    scalars = layer.GetPointData().GetScalars()
    if scalars is None or 0 in layer.GetDimensions():
        return {}
    affine = affine_of(layer)
    first = np.array(layer.GetExtent()[::2])
    array = vtk_to_numpy(scalars).reshape(layer.GetDimensions()[::-1])
    found = {}
    for value, box in enumerate(find_objects(array), 1):
        if box is not None:
            mask = array[box] == value
            place = cropped_affine(affine, first + [s.start for s in reversed(box)])[:3]
            # Adding zero turns -0.0 into 0.0.
            place = np.round(place + _OFF_ROUND, _DECIMALS) + 0.0
            content = hashlib.blake2b(repr(mask.shape).encode() + place.tobytes(), digest_size=16)
            content.update(np.packbits(mask).tobytes())
            found[value] = content.digest()
    return found
