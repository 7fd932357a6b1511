"""Checks that a label map can be a spine: order, positions and sizes of its structures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...anatomy import CANAL_VALUE, VERTEBRA_ORDER, Kind, vertebra_value
from ...errors import GeometryMismatchError, UnreadableInputError
from ...field_of_view import CUT
from ...orientation import apply_affine
from ...segmentation import SpineSegmentation, label_centres

#: At most this part of the canal is in front of the disc centres, from the lowest to the highest disc and this far
#: (mm) beyond.
_DISC_MM, _CANAL_IN_FRONT = 5.0, 0.2
_OTHER = (
    "Without names, values are 1 vertebra, 2 disc, 3 canal. Correct the values or names, or choose another "
    "--convention."
)
_CORRECT = "Correct its names or values, or choose another --convention."


def check_anatomy(segmentation: SpineSegmentation) -> None:
    """Refuse a label map that cannot be a spine: it is mirrored, or its values have another meaning.

    :raises GeometryMismatchError: the discs are behind the canal.
    :raises UnreadableInputError: the discs are larger than the vertebrae, or the canal is not behind them.
    """
    _check_front(segmentation)
    discs, bodies = (_usual_size(segmentation, kind) for kind in (Kind.DISC, Kind.BODY))
    if discs > bodies:
        raise UnreadableInputError("The discs of the label map are larger than its vertebrae.", _OTHER)
    if _in_front(segmentation) > _CANAL_IN_FRONT:
        raise UnreadableInputError("The canal of the label map is not behind the discs.", _OTHER)


def _usual_size(segmentation: SpineSegmentation, kind: Kind) -> float:
    """Median number of voxels of the structures of a kind that are completely in view, or of all; NaN for none."""
    counts = np.bincount(segmentation.labels.ravel(), minlength=256)
    found = segmentation.of_kind(kind)
    whole = [s for s in found if CUT not in s.flags] or found
    return float(np.median([counts[s.value] for s in whole])) if whole else float("nan")


def _in_front(segmentation: SpineSegmentation) -> float:
    """The part of the canal, between the highest and the lowest disc, in front of the line through the disc centres."""
    discs = segmentation.of_kind(Kind.DISC)
    if not discs:
        return 0.0
    centres = label_centres(segmentation.labels, 255)[[d.value - 1 for d in discs]]
    line = apply_affine(segmentation.affine, centres)
    line = line[np.argsort(line[:, 2])]
    canal = apply_affine(segmentation.affine, np.argwhere(segmentation.labels == CANAL_VALUE))
    canal = canal[(canal[:, 2] > line[0, 2] - _DISC_MM) & (canal[:, 2] < line[-1, 2] + _DISC_MM)]
    return float(np.mean(canal[:, 1] > np.interp(canal[:, 2], line[:, 2], line[:, 1]))) if len(canal) else 0.0


def _check_front(segmentation: SpineSegmentation) -> None:
    """Refuse a label map whose discs are behind the canal: it is mirrored from front to back.

    :raises GeometryMismatchError: they are.
    """
    centres = apply_affine(segmentation.affine, label_centres(segmentation.labels, 255))
    canal = centres[CANAL_VALUE - 1, 1]
    behind = [centres[disc.value - 1, 1] < canal for disc in segmentation.of_kind(Kind.DISC)]
    if behind and all(behind):
        raise GeometryMismatchError(
            "The discs of the label map are behind its canal: it is mirrored from front to back.",
            "Export it again with the geometry of the image.",
        )


def check_between(segmentation: SpineSegmentation) -> None:
    """Refuse a map with discs that are numbered differently from its vertebrae.

    If one or both of a disc's vertebrae are missing, the nearest ones by name count.
    """
    centres = apply_affine(segmentation.affine, label_centres(segmentation.labels, 255))
    discs = [disc.value - 1 for disc in segmentation.of_kind(Kind.DISC)]
    if (np.diff(centres[discs, 2]) >= 0).any():
        raise UnreadableInputError(
            "The discs of the label map are not in the order of their names from head to sacrum.",
            _CORRECT,
        )
    places = {name: centres[vertebra_value(name) - 1] for name in VERTEBRA_ORDER}
    order = [name for name in VERTEBRA_ORDER if np.isfinite(places[name]).all()]
    for disc in segmentation.of_kind(Kind.DISC):
        middle = centres[disc.value - 1]
        first, last = (VERTEBRA_ORDER.index(name) for name in disc.level.split("-"))
        above = [places[name] for name in order if VERTEBRA_ORDER.index(name) <= first]
        below = [places[name] for name in order if VERTEBRA_ORDER.index(name) >= last]
        if not _is_between(middle, above, below):
            raise UnreadableInputError(
                f"Disc {disc.level} of the label map is not between these vertebrae.",
                _CORRECT,
            )


def _is_between(
    middle: NDArray[np.float64], above: list[NDArray[np.float64]], below: list[NDArray[np.float64]]
) -> bool:
    """Whether a place is between the vertebrae above and below it, each list from head to sacrum; one may be empty."""
    if above and below:
        down = below[0] - above[-1]
    elif len(above) > 1:
        down = above[-1] - above[-2]
    elif len(below) > 1:
        down = below[1] - below[0]
    else:
        down = np.array([0.0, 0.0, -1.0])
    after = not above or (middle - above[-1]) @ down > 0
    return bool(after and (not below or (below[0] - middle) @ down > 0))
