"""Separating vertebral bodies from posterior elements by the anterior wall of the canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..orientation import anatomical_axes, ras_order, voxel_sizes

Mask = NDArray[np.bool_]

#: The wall of the canal is taken over this half-width around its middle: its sides curve back, with root sleeves.
_HALF_WIDTH_MM = 5.0
_SMOOTHING_MM = 3.0
#: A piece in front of the wall smaller than this is a stray part of an arch or facet, not a body.
_SMALLEST_BODY_MM3 = 600.0
#: Minimum gap between body and arch in the slices near the middle.
_MINIMUM_GAP_MM = 4.0
#: A row with its front this far behind that of the surrounding rows shows only an arch.
_SET_BACK_MM = 10.0
_AROUND_MM = 40.0


def split_vertebrae(vertebra: Mask, canal: Mask, affine: NDArray[np.float64]) -> tuple[Mask, Mask]:
    """Split whole vertebrae into bodies (in front of the canal's anterior wall) and posterior elements (behind it).

    :param vertebra: bool array[i,j,k], bodies and posterior elements together.
    :param canal: bool array[i,j,k].
    :param affine: 4x4, voxel index to RAS mm.
    :return: (body, posterior), bool arrays[i,j,k] that together are `vertebra`. Without a canal all of it is body.
    """
    body = np.zeros_like(vertebra)
    spacing = voxel_sizes(affine)[list(anatomical_axes(affine)[0])]
    front = ras_order(body, affine)
    bone, lumen = ras_order(vertebra, affine), ras_order(canal, affine)
    if not lumen.any():
        front[...] = bone
        return body, vertebra & ~body
    wall = _anterior_wall(lumen, spacing)
    front[...] = bone & (np.arange(bone.shape[1])[None, :, None] > wall[None, None, :])
    pieces, count = ndimage.label(front)
    if count:
        volumes = ndimage.sum_labels(front, pieces, np.arange(count + 1)) * spacing.prod()
        front &= (volumes >= min(_SMALLEST_BODY_MM3, volumes.max() / 2))[pieces]
    return body, vertebra & ~body


def _anterior_wall(lumen: Mask, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Anterior index of the canal for every row s, from the middle of its width, filled from the nearest row."""
    width = lumen.any(axis=1)
    places = np.arange(lumen.shape[0])[:, None]
    centre = (places * width).sum(axis=0) / np.maximum(width.sum(axis=0), 1)
    near = width & (np.abs(places - centre) * spacing[0] <= _HALF_WIDTH_MM)
    front = np.where(near, lumen.shape[1] - 1 - np.argmax(lumen[:, ::-1, :], axis=1), np.nan)
    found = np.flatnonzero(near.any(axis=0))
    wall = np.interp(np.arange(lumen.shape[2]), found, np.nanmedian(front[:, found], axis=0))
    wall = ndimage.median_filter(wall, size=2 * round(_SMOOTHING_MM / spacing[2]) + 1)
    return ndimage.gaussian_filter1d(wall, _SMOOTHING_MM / spacing[2])


def lumen_behind(bone: Mask, affine: NDArray[np.float64]) -> Mask:
    """A substitute for a canal that is not segmented: the voxels directly behind bodies and discs, near the middle.

    :param bone: bool array[i,j,k], whole vertebrae, with discs and sacrum if they are known.
    :param affine: 4x4, voxel index to RAS mm.
    :return: bool array[i,j,k], empty if no slice shows an arch behind a gap.
    """
    found = np.zeros_like(bone)
    spacing = voxel_sizes(affine)[list(anatomical_axes(affine)[0])]
    ordered, lumen = ras_order(bone, affine), ras_order(found, affine)
    fronts = np.full(ordered.shape[2], np.nan)
    backs: list[tuple[int, int, int]] = []
    arches = 0
    for row in np.flatnonzero(ordered.any(axis=(0, 1))):
        section = ordered[:, :, row]
        centre = np.median(np.flatnonzero(section.any(axis=1)))
        fronts[row] = np.flatnonzero(section.any(axis=0))[-1]
        for place in np.flatnonzero(np.abs(np.arange(len(section)) - centre) * spacing[0] <= _HALF_WIDTH_MM):
            filled = np.flatnonzero(section[place])[::-1]
            gaps = np.flatnonzero(-np.diff(filled) * spacing[1] > _MINIMUM_GAP_MM)
            arches += len(gaps) > 0
            if len(filled) and filled[0] * spacing[1] >= fronts[row] * spacing[1] - _SET_BACK_MM:
                backs.append((int(place), int(filled[gaps[0]] if len(gaps) else filled[-1]), int(row)))
    if not arches:
        return found
    around = round(_AROUND_MM / spacing[2] / 2)
    for slice_, back, height in backs:
        usual = np.nanmedian(fronts[max(0, height - around) : height + around + 1])
        if back > 0 and (usual - fronts[height]) * spacing[1] <= _SET_BACK_MM:
            lumen[slice_, back - 1, height] = True
    return found
