"""A sagittal picture that follows the spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..anatomy import Kind
from ..orientation import apply_affine, apply_inverse, corners
from ..segmentation import SpineSegmentation, label_centres
from ..volume import Volume

Array = NDArray[np.float64]

#: Distance between the rows and between the columns of the picture.
STEP_MM = 0.5


@dataclass(frozen=True)
class Reformat:
    """A sagittal picture that follows the spine from side to side.

    Rows are superior, columns anterior, in steps of 0.5 mm; each row is taken at the column's own right-left place, so
    that a scoliotic spine is cut through its middle at every level.

    :ivar extent: anterior (left, right) and superior (bottom, top) limits in RAS mm.
    """

    image: Array
    labels: NDArray[np.uint8]
    extent: tuple[float, float, float, float]


def reformat(volume: Volume, segmentation: SpineSegmentation) -> Reformat:
    """Sample image and labels along the spine."""
    centres = _centres(segmentation)
    box = corners(volume.affine, volume.array.shape)
    anterior = np.arange(
        max(box[:, 1].min(), centres[:, 1].min() - 75), min(box[:, 1].max(), centres[:, 1].max() + 45), STEP_MM
    )
    superior = np.arange(
        max(box[:, 2].min(), centres[:, 2].min() - 40), min(box[:, 2].max(), centres[:, 2].max() + 30), STEP_MM
    )
    order = np.argsort(centres[:, 2])
    right = np.interp(superior, centres[order, 2], centres[order, 0])
    points = np.stack(np.broadcast_arrays(right[:, None], anterior, superior[:, None]), axis=-1)
    index = np.moveaxis(apply_inverse(volume.affine, points), -1, 0)
    image = ndimage.map_coordinates(volume.array.astype(np.float32), index, order=1, mode="constant")
    labels = ndimage.map_coordinates(segmentation.labels, index, order=0, mode="constant")
    extent = (float(anterior[0]), float(anterior[-1]), float(superior[0]), float(superior[-1]))
    return Reformat(image, labels, extent)


def _centres(segmentation: SpineSegmentation) -> Array:
    values = [s.value for s in segmentation.structures if s.kind in (Kind.BODY, Kind.DISC)]
    centres = label_centres(segmentation.labels, 255)[np.array(values) - 1]
    return apply_affine(segmentation.affine, centres)
