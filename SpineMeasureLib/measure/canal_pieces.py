"""Which pieces of an interrupted canal mask belong to the canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..orientation import apply_affine

Array = NDArray[np.float64]

#: A separate piece belongs to the canal if it is in line with it and has the volume of this length of it.
_PIECE_MM = 5
_ASIDE_MM = 12.0
#: The ends of a piece are sought among layers of this height that have at least this part of the usual area.
_LAYER_MM = 4.0
_SMALL = 0.4


def without_strays(mask: NDArray[np.bool_], affine: Array) -> NDArray[np.bool_]:
    """Return the canal mask[i,j,k] without pieces that are beside it or, beyond its ends, too small or out of line."""
    pieces, count = ndimage.label(mask)
    if count == 1:
        return mask
    voxels = np.argwhere(mask)
    piece = pieces[mask]
    places = apply_affine(affine, voxels)
    layer = np.floor(places[:, 2]).astype(int)
    layer -= layer.min()
    area = np.zeros((count + 1, layer.max() + 1))
    np.add.at(area, (piece, layer), 1.0)
    filled = area > 0
    leading = filled & (area == area.max(axis=0))
    ahead = leading.sum(axis=1) >= 0.5 * filled.sum(axis=1)
    size = area.sum(axis=1)
    main = int(np.argmax(size))
    length = 1 + np.ptp(np.flatnonzero(filled[main]))
    substantial = size >= _PIECE_MM * size[main] / length
    kept = np.isin(np.arange(count + 1), [main])
    for n in np.argsort(-size):
        if ahead[n] and substantial[n]:
            kept[n] |= _in_line(places[piece == n], places[kept[piece]])
    between = np.flatnonzero(area[kept].any(axis=0))[[0, -1]]
    for n in np.flatnonzero(ahead & (size > 0) & ~kept):  # what is left of the canal in a gap
        here = np.flatnonzero(area[n])
        kept[n] = here[0] >= between[0] and here[-1] <= between[1]
    found: NDArray[np.bool_] = kept[pieces] & mask
    return found


def _in_line(piece: Array, canal: Array) -> bool:
    """Return whether a piece (points [n, 3]) continues the canal: less far aside than up or down and 12 mm."""
    above = piece[:, 2].mean() > canal[:, 2].mean()
    low, high = (canal, piece) if above else (piece, canal)
    between = _end(high, -1) - _end(low, 1)
    return float(np.linalg.norm(between[:2])) < _ASIDE_MM + abs(float(between[2]))


def _end(points: Array, way: int) -> Array:
    """Return the middle of the highest (`way` 1) or lowest (-1) layer that is not much smaller than the others."""
    layer = np.floor(way * points[:, 2] / _LAYER_MM).astype(int)
    layer -= layer.min()
    count = np.bincount(layer)
    last = np.flatnonzero(count > _SMALL * np.median(count[count > 0]))[-1]
    middle: Array = points[layer == last].mean(axis=0)
    return middle
