"""The field of a mask: looked up slice by slice as `map_coordinates` would, inside the crop and beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from SpineMeasureLib.measure.fields import Field, make_field
from SpineMeasureLib.segmentation import label_centres


def ellipsoid(spacing: tuple[float, float, float]) -> Field:
    shape = np.array([40.0, 36.0, 44.0]) / spacing
    places = np.moveaxis(np.indices(shape.astype(int)), 0, -1) * spacing - (20.0, 18.0, 22.0)
    field = make_field(np.linalg.norm(places / (14.0, 9.0, 11.0), axis=-1) < 1, np.diag([*spacing, 1.0]))
    assert field
    return field


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_whole_slices_are_looked_up_as_map_coordinates_does(axis: int) -> None:
    spacing = [0.7, 0.7, 0.7]
    spacing[axis] = 4.0
    field = ellipsoid((spacing[0], spacing[1], spacing[2]))
    assert field.slice_axis == axis
    shape = np.array(field.values.shape)
    index = np.random.default_rng(3).uniform(-4, shape + 4, (5000, 3)).T
    index[axis] = np.round(index[axis])
    expected = ndimage.map_coordinates(field.values, index, order=1, mode="nearest", output=np.float64)
    assert np.allclose(field._in_slices(index[axis], index, axis), expected, atol=1e-9)


def test_centres_of_labels_are_the_centres_of_mass() -> None:
    labels = np.random.default_rng(5).integers(0, 4, (5, 8, 6)).astype(np.uint8)
    labels[labels == 2] = 0
    found = label_centres(labels, 4)
    assert np.isnan(found[[1, 3]]).all()
    assert np.allclose(found[[0, 2]], ndimage.center_of_mass(labels > 0, labels, [1, 3]))
