"""A volume node as `Volume`; nodes that were moved are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DimensionError, EmptyVolumeError, GeometryMismatchError
from ...volume import Volume
from .images import affine_from


def volume_from_node(node: Any) -> Volume:
    """Copy a vtkMRMLScalarVolumeNode (or label map node).

    :raises EmptyVolumeError: it does not contain an image.
    :raises DimensionError: it contains several values per voxel.
    :raises GeometryMismatchError: it is under a transform that is not hardened.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy

    image = node.GetImageData() if node is not None else None
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise EmptyVolumeError("The volume does not contain an image.", "Choose another volume.")
    scalars = image.GetPointData().GetScalars()
    if scalars.GetNumberOfComponents() != 1:
        raise DimensionError("The volume contains several values per voxel.", "Choose a greyscale volume.")
    refuse_transforms(node)
    array = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0)
    return Volume(np.array(array, order="C"), affine_from(node.GetIJKToRASMatrix))


def image_from_node(node: Any) -> Volume | None:
    """Copy the image of a case, to find edges in; None if there is none: no node, a label map, or several components.

    :param node: may be None.
    :raises GeometryMismatchError: it is under a transform that is not hardened.
    """
    if node is None or node.IsA("vtkMRMLLabelMapVolumeNode"):
        return None
    try:
        return volume_from_node(node)
    except (EmptyVolumeError, DimensionError):
        return None


def refuse_transforms(*nodes: Any) -> None:
    """Refuse nodes under a transform: volume, segments and lines would be in different places.

    :param nodes: volume and segmentation of a case; each may be None.
    :raises GeometryMismatchError: one is under a transform that is not hardened.
    """
    if any(node is not None and node.GetParentTransformNode() is not None for node in nodes):
        raise GeometryMismatchError(
            "The volume or its segmentation is under a transform.",
            "Harden the transform in the Transforms module, or remove it.",
        )


def refuse_moved(node: Any, affine: NDArray[np.float64]) -> None:
    """Refuse results for a volume node that was moved while they were computed.

    :param affine: of the node when the computation began.
    :raises GeometryMismatchError: it has another affine now, or is under a transform.
    """
    refuse_transforms(node)
    if not np.array_equal(affine_from(node.GetIJKToRASMatrix), affine):
        raise GeometryMismatchError("The volume was moved in the meantime.", "Measure it again.")


def refuse_elsewhere(volume: Any, segmentation: Any) -> None:
    """Refuse a segmentation of another image: its middle is outside this one.

    :param volume: may be None.
    :raises GeometryMismatchError: it is.
    """
    if volume is None or not segmentation.GetSegmentation().GetNumberOfSegments():
        return
    around, own = np.zeros(6), np.zeros(6)
    volume.GetRASBounds(around)
    segmentation.GetRASBounds(own)
    middle = (own[::2] + own[1::2]) / 2
    if ((middle < around[::2]) | (middle > around[1::2])).any():
        raise GeometryMismatchError(
            "The segmentation is not inside the volume.", "Choose the volume that it was made on."
        )
