"""A volume node as the array and affine that the rest of this library works on; one that was moved is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DimensionError, EmptyVolumeError, GeometryMismatchError
from ...volume import Volume


def volume_from_node(node: Any) -> Volume:
    """Copy a vtkMRMLScalarVolumeNode (or label map node).

    :raises EmptyVolumeError: it holds no image.
    :raises DimensionError: it holds several values per voxel.
    :raises GeometryMismatchError: it lies under a transform that is not hardened.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy

    image = node.GetImageData() if node is not None else None
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise EmptyVolumeError("The volume holds no image.", "Choose another volume.")
    scalars = image.GetPointData().GetScalars()
    if scalars.GetNumberOfComponents() != 1:
        raise DimensionError("The volume holds several values per voxel.", "Choose a volume of grey values.")
    refuse_transforms(node)
    array = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0)
    return Volume(np.array(array, order="C"), _affine(node))


def refuse_transforms(*nodes: Any) -> None:
    """Measure nothing under a transform: volume, segments and lines would not lie on each other.

    :param nodes: volume and segmentation of a case; None for one that is not there.
    :raises GeometryMismatchError: one lies under a transform that is not hardened.
    """
    if any(node is not None and node.GetParentTransformNode() is not None for node in nodes):
        raise GeometryMismatchError(
            "The volume or its segmentation lies under a transform.",
            "Harden the transform in the Transforms module, or remove it.",
        )


def refuse_moved(node: Any, affine: NDArray[np.float64]) -> None:
    """Take no results for a volume node that was moved while they were made.

    :param affine: as it was when they were begun.
    :raises GeometryMismatchError: it has another one now, or lies under a transform.
    """
    refuse_transforms(node)
    if not np.array_equal(_affine(node), affine):
        raise GeometryMismatchError("The volume was moved meanwhile.", "Measure it again.")


def refuse_elsewhere(volume: Any, segmentation: Any) -> None:
    """Pair no segmentation with an image that it was not drawn on: its middle lies outside that one then.

    :param volume: None where there is no image.
    :raises GeometryMismatchError: it does.
    """
    if volume is None or not segmentation.GetSegmentation().GetNumberOfSegments():
        return
    around, own = np.zeros(6), np.zeros(6)
    volume.GetRASBounds(around)
    segmentation.GetRASBounds(own)
    middle = (own[::2] + own[1::2]) / 2
    if ((middle < around[::2]) | (middle > around[1::2])).any():
        raise GeometryMismatchError(
            "The segmentation does not lie in the volume.", "Choose the volume that it was drawn on."
        )


def _affine(node: Any) -> NDArray[np.float64]:
    """4x4 of a volume node, index to RAS mm."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
