"""Arrays as VTK images, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...background import unpadded
from ...orientation import cropped_affine
from ...volume import Volume


def image_data(array: NDArray[Any], kind: Any) -> Any:
    """array[i,j,k] as a vtkImageData (or what `kind` makes)."""
    from vtkmodules.util.numpy_support import numpy_to_vtk

    image = kind()
    image.SetDimensions(*array.shape)
    flat = np.ascontiguousarray(array.transpose(2, 1, 0)).ravel()
    scalars = numpy_to_vtk(flat, deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def matrix_of(affine: NDArray[np.float64]) -> Any:
    """A 4x4 as vtkMatrix4x4."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel().tolist())
    return matrix


def affine_of(image: Any) -> NDArray[np.float64]:
    """4x4 of a vtkOrientedImageData, index to RAS mm. The index of its first voxel is that of its extent, seldom 0."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def labels_of(image: Any) -> Volume:
    """A vtkOrientedImageData of labels 0 to 255 as uint8 array[i,j,k] with its affine to RAS mm."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    array = np.ascontiguousarray(scalars.reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0).astype(np.uint8))
    # Segments are stored cropped: the array begins at the extent, not at index 0.
    return Volume(array, cropped_affine(affine_of(image), image.GetExtent()[0::2]))


def add_volume(scene: Any, volume: Volume, name: str) -> Any:
    """The image as a scalar volume node."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    array = volume.array
    if array.dtype == np.bool_ or array.dtype == np.float16:
        array = array.astype(np.float32)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image_data(array, vtkImageData))
    node.SetIJKToRASMatrix(matrix_of(volume.affine))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    low, high = np.percentile(unpadded(array[:: max(1, array.shape[0] // 8)]), (1, 99.5))
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(low), float(max(high, low + 1)))
    grey = scene.GetFirstNodeByName("Grey")
    if grey:
        display.SetAndObserveColorNodeID(grey.GetID())
    return node
