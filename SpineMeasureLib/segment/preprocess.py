"""From an image to what the network sees, shared by training and inference.

Network order is [slice, row, column]: slices left to right, rows inferior to superior, columns posterior to anterior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..background import unpadded

#: In-plane spacing of the network's input and output, mm.
IN_PLANE_MM = 0.5
#: Distance of the outer slices that the network sees beside the one it segments: where the wall of the canal or the
#: rim of a disc is parallel to the slice, the nearest slices of a thin stack look alike.
_OUTER_MM = 4.0
#: How many slices `slices_seen` names.
SLICES_SEEN = 5
_CLIP_PERCENTILES = (0.5, 99.5)


def normalised_intensity(array: NDArray) -> NDArray[np.float32]:
    """Intensities clipped to the 0.5 and 99.5 percentiles (of what is not padding) and scaled to 0..1."""
    sample = unpadded(array.reshape(-1)[:: max(1, array.size // 2_000_000)])
    low, high = (float(p) for p in np.percentile(sample, _CLIP_PERCENTILES))
    scaled: NDArray[np.float32] = (np.clip(array.astype(np.float32), low, high) - low) / max(high - low, 1e-6)
    return scaled


def slices_seen(spacing: float) -> tuple[int, ...]:
    """Numbers of the slices the network sees, relative to the one it segments, left to right.

    The next slice on either side, and the slice about 4 mm away; in a thick stack both are the same.
    """
    outer = max(1, round(_OUTER_MM / spacing))
    return (-outer, -1, 0, 1, outer)
