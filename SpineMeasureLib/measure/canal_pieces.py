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
#: Places at the facing ends of two pieces are averaged over this height.
_LAYER_MM = 4.0


def without_strays(mask: NDArray[np.bool_], affine: Array) -> NDArray[np.bool_]:
    """Return the canal mask[i,j,k] without pieces that are beside it or, beyond its ends, too small or out of line."""
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
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
    """Return whether a piece (points [n, 3]) continues the canal: it is less far aside than up or down, and 12 mm."""
    above = piece[:, 2].mean() > canal[:, 2].mean()
    low, high = (canal, piece) if above else (piece, canal)
    top, bottom = low[:, 2].max(), high[:, 2].min()
    upper = high[high[:, 2] < bottom + _LAYER_MM].mean(axis=0)
    lower = low[low[:, 2] > top - _LAYER_MM].mean(axis=0)
    aside = float(np.linalg.norm((upper - lower)[:2]))
    return aside < _ASIDE_MM + abs(float(upper[2] - lower[2]))
