"""Checksums of what is drawn in a segmentation: painting changes them, saving does not."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ...orientation import cropped_affine
from .images import affine_of
from .segments import LABELMAP, segments_of

#: Segment ids with the checksum of each one's voxels, in the order of the segmentation.
Stamp = tuple[tuple[str, bytes], ...]

#: Places are compared to this many decimals of a mm: files round them, and a cropped layer has another origin.
_DECIMALS = 2
#: Added before rounding: spacings and origins are often round numbers, which would fall on either side.
_OFF_ROUND = 0.00137
_EMPTY = b""


class Stamps:
    """Checksums of the segments of one segmentation, by voxels and their place.

    Slicer stores several segments in one layer, crops layers and numbers them anew when it saves a scene: what changes
    then is when a layer was modified, not what is drawn. A layer that was not modified at all is not read again.
    """

    def __init__(self) -> None:
        self._layers: dict[tuple[str, int], dict[int, bytes]] = {}

    def of(self, node: Any) -> Stamp:
        """What changes when a segment of a vtkMRMLSegmentationNode is added, removed or painted on."""
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


def _digests(layer: Any) -> dict[int, bytes]:
    """Checksum of each label value in a vtkOrientedImageData."""
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
