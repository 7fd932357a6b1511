"""Arrays as VTK images or as text, and back."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...background import unpadded
from ...orientation import cropped_affine
from ...volume import Volume


def image_data(array: NDArray[Any], kind: Any) -> Any:
    """Return array[i,j,k] as a vtkImageData (or what `kind` makes)."""
    from vtkmodules.util.numpy_support import numpy_to_vtk

    image = kind()
    image.SetDimensions(*array.shape)
    flat = np.ascontiguousarray(array.transpose(2, 1, 0)).ravel()
    scalars = numpy_to_vtk(flat, deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def matrix_of(affine: NDArray[np.float64]) -> Any:
    """Return a 4x4 array as vtkMatrix4x4."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel().tolist())
    return matrix


def affine_from(fill: Callable[[Any], object]) -> NDArray[np.float64]:
    """Return the affine that a VTK object writes into a matrix, for example ``node.GetIJKToRASMatrix``."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    fill(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def affine_of(image: Any) -> NDArray[np.float64]:
    """Return the affine of a vtkOrientedImageData, index to RAS mm. The first index is that of its extent, rarely 0."""
    return affine_from(image.GetImageToWorldMatrix)


def labels_of(image: Any) -> Volume:
    """Return a vtkOrientedImageData of labels 0 to 255 as uint8 array[i,j,k] with its affine to RAS mm."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    array = np.ascontiguousarray(scalars.reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0).astype(np.uint8))
    # Segments are stored cropped: the array starts at the extent, not at index 0.
    return Volume(array, cropped_affine(affine_of(image), image.GetExtent()[0::2]))


def text_of_mask(mask: NDArray[np.bool_]) -> str:
    """Return a bool array as ASCII text, for an attribute of a node."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode("ascii")


def mask_of_text(text: str, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the array from `text_of_mask`; None if the text is empty, damaged or of another size."""
    count = int(np.prod(shape))
    size = -(-count // 8)
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(text), size + 1)  # never more, whatever it says
    except (ValueError, zlib.error):
        return None
    if not text or len(packed) != size:
        return None
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=count).astype(bool).reshape(shape)


def add_volume(scene: Any, volume: Volume, name: str) -> Any:
    """Add an image as a scalar volume node."""
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
