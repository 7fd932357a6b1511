"""Agreement of two masks: overlap, and distance between their surfaces."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from numpy.typing import NDArray

from .agreement import dice


@dataclass(frozen=True)
class Overlap:
    """Agreement of a mask with a reference mask; NaN if it is not defined.

    :ivar dice: Dice 1945; 1 if both are empty.
    :ivar iou: intersection over union (Jaccard 1912); 1 if both are empty.
    :ivar sensitivity: fraction of the reference that is covered.
    :ivar specificity: fraction of the remaining voxels that is left free.
    :ivar surface_mm: mean distance between the surfaces, both ways, mm (MONAI's average surface distance).
    :ivar hausdorff95_mm: 95th percentile of these distances, mm (Huttenlocher et al., IEEE PAMI 1993).
    """

    dice: float
    iou: float
    sensitivity: float
    specificity: float
    surface_mm: float
    hausdorff95_mm: float

    def row(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


MEASURES = tuple(Overlap.__dataclass_fields__)


def overlap(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    known: NDArray[np.bool_] | None = None,
) -> Overlap:
    """Compare two masks on the same voxels.

    >>> found = overlap(np.ones((4, 4, 4), bool), np.ones((4, 4, 4), bool), (1.0, 1.0, 1.0))
    >>> found.dice, found.surface_mm
    (1.0, 0.0)

    :param predicted: bool array[i,j,k].
    :param spacing: mm between voxels along i, j and k.
    :param known: voxels that the reference covers; all if None. The others do not count.
    """
    if known is not None:
        predicted = predicted & known
    both = int((predicted & reference).sum())
    mine, theirs = int(predicted.sum()), int(reference.sum())
    voxels = predicted.size if known is None else int(known.sum())
    rest = voxels - theirs
    surface, hausdorff = _surface_distances(predicted, reference, spacing) if mine and theirs else (np.nan, np.nan)
    return Overlap(
        dice=dice(predicted, reference),
        iou=both / (mine + theirs - both) if mine + theirs else 1.0,
        sensitivity=both / theirs if theirs else np.nan,
        specificity=1 - (mine - both) / rest if rest else np.nan,
        surface_mm=surface,
        hausdorff95_mm=hausdorff,
    )


def _surface_distances(
    predicted: NDArray[np.bool_], reference: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[float, float]:
    where = np.argwhere(predicted | reference)
    box = tuple(slice(low, high + 1) for low, high in zip(where.min(axis=0), where.max(axis=0), strict=True))
    a, b = (torch.from_numpy(mask[box])[None, None].float() for mask in (predicted, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns about an argument that it passes itself
        mean = compute_average_surface_distance(a, b, include_background=True, symmetric=True, spacing=spacing)
        worst = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)
    return float(mean), float(worst)
