"""Named structures from the values of a label map: our own, a plain one, or one of another program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SEMANTIC_CANAL,
    SEMANTIC_DISC,
    SEMANTIC_VERTEBRA,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Kind,
    Tissue,
    vertebra_value,
)
from ...errors import NothingFoundError, UnreadableInputError
from ...orientation import voxel_sizes
from ...segmentation import SpineSegmentation
from ...volume import Volume
from ..naming.instances import name_structures
from ..naming.rename import rename
from ..naming.structures import list_structures
from ..split import lumen_behind, split_vertebrae
from .conventions import Convention, check_order, guess, named, tissues_of, translate
from .plausible import check_between

_OWN_VALUES = {CANAL_VALUE, CORD_VALUE} | {
    vertebra_value(name) + offset for name in VERTEBRA_ORDER for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET)
}
_VERTEBRA_VALUES = [vertebra_value(name) for name in VERTEBRA_ORDER[:-1]]
#: A disc closer than this to a vertebra touches it: less than half the height of a lumbar body.
_TOUCHING_MM = 8.0
_SEMANTIC = {SEMANTIC_VERTEBRA: Tissue.BODY, SEMANTIC_DISC: Tissue.DISC, SEMANTIC_CANAL: Tissue.CANAL}
#: A vertebra with less than this part behind the anterior wall of the canal is a body without its arch.
_MINIMUM_ARCH = 0.05


def segmentation_from_labels(
    labels: Volume,
    *,
    lowest_disc: str | None = None,
    convention: str = "auto",
    subregions: Volume | None = None,
) -> SpineSegmentation:
    """Read a label map as a segmentation.

    Maps with our own values (`anatomy.py`) or those of other programs (`conventions.py`) have level names. Maps of
    1 vertebra, 2 disc, 3 canal are separated and named; they have no sacrum, so the levels remain unverified unless
    `lowest_disc` names one.

    :param convention: ``"auto"``, ``"own"`` or a name of `conventions.conventions`.
    :param subregions: SPINEPS's seg-spine mask on the same voxels as the seg-vert mask in `labels`, which ``"auto"``
        then takes for a mask of SPINEPS.
    :raises NothingFoundError: the map contains no disc and no vertebra.
    :raises UnreadableInputError: its values match no convention, several, or not the named one.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    array = labels.array
    values = {float(v) for v in np.unique(array)} - {0.0}
    if not values:
        raise NothingFoundError("The label map is empty.", "Choose the label map of this image.")
    if convention == "auto" and subregions is not None:
        convention = "spineps"
    if convention == "auto" and values <= set(_SEMANTIC):
        return _from_semantic(labels, lowest_disc)
    if convention == "own":
        _check_own(values)
        followed = None
    else:
        followed = named(convention) if convention != "auto" else guess(array, labels.affine, values <= _OWN_VALUES)
    if subregions is not None and (followed is None or followed.tissues):
        raise UnreadableInputError(
            f"Label maps of the convention '{convention}' have no separate subregions.",
            "Leave out --subregions, or choose a convention of SPINEPS.",
        )
    if followed and followed.tissues:
        return _from_tissues(labels, followed, lowest_disc)
    warnings: tuple[str, ...] = ()
    own = array.astype(np.uint8)
    if followed:
        own, warnings = _from_other(labels, followed, subregions)
    if convention != "auto":  # "auto" checks the order itself
        check_order(array, labels.affine, followed.own if followed else {int(v): int(v) for v in values})
    return named_labels(own, labels.affine, lowest_disc, warnings)


def _check_own(values: set[float]) -> None:
    if not values <= _OWN_VALUES:
        strange = ", ".join(f"{v:g}" for v in sorted(values - _OWN_VALUES)[:5])
        raise UnreadableInputError(
            f"The label map contains values that this program does not write ({strange}).",
            "Choose another --convention.",
        )


def named_labels(
    own: NDArray[np.uint8], affine: NDArray[np.float64], lowest_disc: str | None, warnings: tuple[str, ...]
) -> SpineSegmentation:
    """The structures of a map with our own values.

    :param own: uint8 array[i,j,k] of label values (`anatomy.py`).
    :raises NothingFoundError: there is no disc and no vertebra.
    :raises UnreadableInputError: a disc is not between the vertebrae that it is named after.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    values = {float(v) for v in np.unique(own)}
    order = [n for n in VERTEBRA_ORDER if n in USUAL_ORDER or _present(values, n)]
    for upper, missing, lower in (("T11", "T12", "L1"), ("L4", "L5", "S1")):
        if not _present(values, missing) and _touch(own, affine, upper, lower):
            order.remove(missing)
    structures = list_structures(own, affine, tuple(order))
    if not any(s.kind in (Kind.BODY, Kind.DISC) for s in structures):
        raise NothingFoundError(
            "The label map contains no disc and no vertebra.",
            "Choose the label map of this image and its --convention.",
        )
    segmentation = SpineSegmentation(own, affine, structures, True, "labels", warnings)
    check_between(segmentation)
    return rename(segmentation, lowest_disc) if lowest_disc else segmentation


def _present(values: set[float], vertebra: str) -> bool:
    return any(vertebra_value(vertebra) + offset in values for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET))


def _touch(own: NDArray[np.uint8], affine: NDArray[np.float64], upper: str, lower: str) -> bool:
    """Whether the disc below a vertebra touches another one, so that no vertebra is between them."""
    disc, below = own == DISC_OFFSET + vertebra_value(upper), own == vertebra_value(lower)
    if not disc.any() or not below.any():
        return False
    distance = ndimage.distance_transform_edt(~below, voxel_sizes(affine))
    return bool(distance[disc].min() < _TOUCHING_MM)


def _from_other(
    labels: Volume, convention: Convention, subregions: Volume | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Our own values, vertebrae divided into body and arch; warnings."""
    own = translate(labels.array, labels.affine, convention)
    vertebra = np.isin(own, _VERTEBRA_VALUES)
    warnings: list[str] = []
    if subregions is not None:
        tissue = tissues_of(subregions.array, named("spineps-spine"))
        for kind, value in ((Tissue.CANAL, CANAL_VALUE), (Tissue.CORD, CORD_VALUE)):
            own[(tissue == kind) & (own == 0)] = value
        posterior = vertebra & (tissue == Tissue.POSTERIOR)
    else:
        canal, warnings = _lumen(own, labels.affine)
        posterior = split_vertebrae(vertebra, canal, labels.affine)[1]
    own[posterior] += POSTERIOR_OFFSET
    return own, tuple(warnings)


def _lumen(own: NDArray[np.uint8], affine: NDArray[np.float64]) -> tuple[NDArray[np.bool_], list[str]]:
    """Canal and cord, else a substitute for them; a warning if there is none."""
    canal = np.isin(own, (CANAL_VALUE, CORD_VALUE))
    if not canal.any():
        canal = lumen_behind((own > 0) & (own < CORD_VALUE) | (own > DISC_OFFSET), affine)
    return canal, [] if canal.any() else [
        "The label map has neither canal nor arches: each vertebra was treated as a body."
    ]


def divide_whole_vertebrae(own: NDArray[np.uint8], affine: NDArray[np.float64]) -> list[str]:
    """Give the arches of vertebrae the values of posterior elements, in place; return warnings.

    :param own: uint8 array[i,j,k] of label values (`anatomy.py`).
    """
    canal, warnings = _lumen(own, affine)
    posterior = split_vertebrae(np.isin(own, _VERTEBRA_VALUES), canal, affine)[1]
    whole, behind = (np.bincount(part, minlength=256) for part in (own.ravel(), own[posterior]))
    with_arch = np.flatnonzero(behind > _MINIMUM_ARCH * whole)
    own[posterior & np.isin(own, with_arch)] += POSTERIOR_OFFSET
    return warnings


def divide_vertebrae(tissue: NDArray[np.uint8], affine: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A tissue map with the arches that its bodies include as posterior elements.

    :param tissue: uint8 array[i,j,k] of `anatomy.Tissue` values.
    """
    lumen = np.isin(tissue, (Tissue.CANAL, Tissue.CORD))
    posterior = split_vertebrae(tissue == Tissue.BODY, lumen, affine)[1]
    return np.where(posterior, np.uint8(Tissue.POSTERIOR), tissue)


def _from_tissues(labels: Volume, convention: Convention, lowest_disc: str | None) -> SpineSegmentation:
    tissue = tissues_of(labels.array, convention)
    if convention.whole:
        tissue = divide_vertebrae(tissue, labels.affine)
    drawn = Tissue.SACRUM in convention.tissues.values()
    return name_structures(tissue, labels.affine, lowest_disc=lowest_disc, sacrum_drawn=drawn)


def _from_semantic(labels: Volume, lowest_disc: str | None) -> SpineSegmentation:
    tissue = np.zeros(labels.array.shape, np.uint8)
    for value, kind in _SEMANTIC.items():
        tissue[labels.array == value] = kind
    tissue = divide_vertebrae(tissue, labels.affine)
    return name_structures(tissue, labels.affine, lowest_disc=lowest_disc, sacrum_drawn=False)
