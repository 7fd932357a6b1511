"""Voxels that show nothing: NaN around what a registration kept, and constant padding far outside the signal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import EmptyVolumeError, NonFiniteVolumeError
from .volume import Volume, filled

#: An image with less than this fraction of its voxels left shows no spine.
_MINIMUM_FINITE = 0.1
#: Padding is one value in at least this fraction of the voxels: less would not affect the percentiles of the others.
_MINIMUM_PADDING = 0.002
#: The gap between padding and all other values, in parts of their range: low padding is negative, which no signal is;
#: high padding is the greatest number of its type (65535), far above what structures of one value reach.
_GAP_BELOW, _GAP_ABOVE = 0.25, 10.0


def without_gaps(volume: Volume) -> Volume:
    """Replace NaN and infinity around the image with a background value, with a warning.

    Registration and masking leave NaN outside the voxels that they kept. Such voxels are connected to the border
    of the array; values that are missing anywhere else are missing in the body.

    :return: `volume` itself if every value is finite; `outside` marks the voxels that were filled.
    :raises NonFiniteVolumeError: values are missing within the image, or nearly everywhere.
    :raises EmptyVolumeError: all remaining values are equal.
    """
    array = volume.array
    if not np.issubdtype(array.dtype, np.floating):
        return volume
    finite = np.isfinite(array)
    if finite.all():
        return volume
    outside = ~finite
    missing = int(outside.sum())
    share = missing / array.size
    if share > 1 - _MINIMUM_FINITE:
        raise NonFiniteVolumeError(f"{_percent(share)} of the image's values are not numbers.", "Export it again.")
    within = missing - int(_connected_to_border(outside).sum())
    if within:
        raise NonFiniteVolumeError(
            f"{within} values within the image are not numbers (NaN or infinite).", "Export it again."
        )
    low, high = array[finite].min(), array[finite].max()
    if low == high:
        raise EmptyVolumeError(f"All voxels that have a value have the same value ({low}).", "Choose another series.")
    warning = (
        f"{missing} voxels around the image ({_percent(share)}) are not numbers (NaN or infinite): "
        f"they were set to {min(low, 0):g}."
    )
    earlier = cast("list[str]", volume.meta.get("warnings", []))
    meta = {**volume.meta, "warnings": [*earlier, warning]}
    return replace(volume, array=filled(array), meta=meta, outside=outside)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _connected_to_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found, count = ndimage.label(mask, np.ones((3, 3, 3), bool))
    at_border = np.zeros(count + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            at_border[np.unique(np.take(found, end, axis))] = True
    at_border[0] = False
    connected: NDArray[np.bool_] = at_border[found]
    return connected


def unpadded(values: NDArray[Any]) -> NDArray[Any]:
    """Remove constant padding (-32768 around a reformatted image, for example) from the values of an image.

    :param values: flat array; a sample of the voxels is enough.
    """
    values = values.reshape(-1)
    if values.size == 0:
        return values
    low = values.min()
    rest = values[values != low]
    if low < 0 and _is_padding(values, rest) and rest.size:
        top = float(np.percentile(rest, 99.5))
        if float(rest.min()) - float(low) > _GAP_BELOW * (top - float(rest.min())):
            values = rest
    high = values.max()
    rest = values[values != high]
    if rest.size and _is_padding(values, rest):
        span = float(rest.max()) - float(rest.min())
        if span > 0 and float(high) - float(rest.max()) > _GAP_ABOVE * span:
            values = rest
    return values


def _is_padding(values: NDArray[Any], rest: NDArray[Any]) -> bool:
    return (values.size - rest.size) / values.size > _MINIMUM_PADDING
