"""Named structures from a label map that is already there: our own, or a plain 1 vertebra / 2 disc / 3 canal map."""

from __future__ import annotations

import numpy as np

from ..anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SEMANTIC_CANAL,
    SEMANTIC_DISC,
    SEMANTIC_VERTEBRA,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Tissue,
    vertebra_value,
)
from ..errors import NothingFoundError, UnreadableInputError
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .instances import list_structures, name_structures, rename
from .split import split_vertebrae

_OWN_VALUES = {CANAL_VALUE, CORD_VALUE} | {
    vertebra_value(name) + offset for name in VERTEBRA_ORDER for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET)
}
_SEMANTIC_VALUES = {SEMANTIC_VERTEBRA, SEMANTIC_DISC, SEMANTIC_CANAL}


def segmentation_from_labels(labels: Volume, *, lowest_disc: str | None = None) -> SpineSegmentation:
    """Read a label map as a segmentation.

    Maps with our own values (`anatomy.py`) keep their names. Maps of 1 vertebra, 2 disc, 3 canal are separated and
    named; they show no sacrum, so the levels stay unverified unless `lowest_disc` names one.

    :raises NothingFoundError: the map holds no disc and no vertebra.
    :raises UnreadableInputError: its values are those of neither convention.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    array = labels.array
    values = {float(v) for v in np.unique(array)} - {0.0}
    if not values:
        raise NothingFoundError("The label map is empty.", "Choose the label map of this image.")
    if values <= _SEMANTIC_VALUES:
        return _from_semantic(labels, lowest_disc)
    if not values <= _OWN_VALUES:
        strange = ", ".join(f"{v:g}" for v in sorted(values - _OWN_VALUES)[:5])
        raise UnreadableInputError(
            f"The label map holds values of no known convention ({strange}).",
            "Use 1 vertebra, 2 disc, 3 canal, or a labels.nii.gz written by this program.",
        )
    own = array.astype(np.uint8)
    order = [n for n in VERTEBRA_ORDER if n in USUAL_ORDER or _present(values, n)]
    structures = list_structures(own, labels.affine, tuple(order))
    segmentation = SpineSegmentation(own, labels.affine, structures, True, "labels")
    return rename(segmentation, lowest_disc) if lowest_disc else segmentation


def _present(values: set[float], vertebra: str) -> bool:
    return any(vertebra_value(vertebra) + offset in values for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET))


def _from_semantic(labels: Volume, lowest_disc: str | None) -> SpineSegmentation:
    array = labels.array
    canal = array == SEMANTIC_CANAL
    body, posterior = split_vertebrae(array == SEMANTIC_VERTEBRA, canal, labels.affine)
    tissue = np.zeros(array.shape, np.uint8)
    tissue[canal] = Tissue.CANAL
    tissue[posterior] = Tissue.POSTERIOR
    tissue[body] = Tissue.BODY
    tissue[array == SEMANTIC_DISC] = Tissue.DISC
    return name_structures(tissue, labels.affine, lowest_disc=lowest_disc)
