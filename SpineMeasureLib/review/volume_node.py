"""A volume node as the array and affine that the rest of this library works on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DimensionError, EmptyVolumeError, GeometryMismatchError
from ..volume import Volume


def volume_from_node(node: Any) -> Volume:
    """Copy a vtkMRMLScalarVolumeNode (or label map node).

    :raises EmptyVolumeError: it holds no image.
    :raises DimensionError: it holds several values per voxel.
    :raises GeometryMismatchError: it lies under a transform that is not hardened.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    image = node.GetImageData() if node is not None else None
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise EmptyVolumeError("The volume holds no image.", "Choose another volume.")
    scalars = image.GetPointData().GetScalars()
    if scalars.GetNumberOfComponents() != 1:
        raise DimensionError("The volume holds several values per voxel.", "Choose a volume of grey values.")
    if node.GetParentTransformNode() is not None:
        raise GeometryMismatchError(
            "The volume lies under a transform.", "Harden the transform in the Transforms module, or remove it."
        )
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    affine = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    array = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0)
    return Volume(np.array(array, order="C"), affine)
