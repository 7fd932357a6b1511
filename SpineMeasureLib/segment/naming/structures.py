"""The list of structures in a map of label values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SACRUM_VALUE,
    Kind,
    disc_name,
    vertebra_value,
)
from ...field_of_view import CUT, at_border
from ...segmentation import Structure

#: Value, name, kind and level of a structure.
_Entry = tuple[int, str, Kind, str]


def list_structures(
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
    chain: tuple[str, ...],
    confidence: NDArray[np.uint8] | None = None,
    flags: Mapping[int, tuple[str, ...]] | None = None,
    verified: bool = True,
) -> tuple[Structure, ...]:
    """Describe every label that is present, from head to sacrum, then canal and cord.

    :param labels: uint8 array[i,j,k] of label values.
    :param affine: 4x4, voxel index to RAS mm.
    :param chain: vertebra names from head to sacrum; gives each disc the name of its lower vertebra.
    :param confidence: uint8 array[i,j,k], probability times 255.
    :param flags: further flags by label value.
    """
    inside = labels > 0
    counts = np.bincount(labels[inside], minlength=256)
    sums = np.bincount(labels[inside], confidence[inside], minlength=256) if confidence is not None else None
    cut = at_border(labels, affine)
    found = []
    for value, name, kind, level in _entries(chain):
        if not counts[value]:
            continue
        marks = list((flags or {}).get(value, ()))
        if not verified and level:
            marks.append("level_unverified")
        if cut[value] and kind not in (Kind.CANAL, Kind.CORD):
            marks.append(CUT)
        sure = float(sums[value] / counts[value] / 255) if sums is not None else None
        found.append(Structure(value, name, kind, level, sure, tuple(marks)))
    return tuple(found)


def _entries(chain: tuple[str, ...]) -> list[_Entry]:
    """Every structure that the vertebrae of a chain can have."""
    found: list[_Entry] = []
    for index, vertebra in enumerate(chain):
        value = vertebra_value(vertebra)
        if vertebra == "S1":
            found.append((SACRUM_VALUE, "Sacrum", Kind.SACRUM, "S1"))
            continue
        found.append((value, vertebra, Kind.BODY, vertebra))
        found.append((POSTERIOR_OFFSET + value, f"{vertebra} posterior elements", Kind.POSTERIOR, vertebra))
        if index + 1 < len(chain):
            level = disc_name(vertebra, chain[index + 1])
            found.append((DISC_OFFSET + value, level, Kind.DISC, level))
    found.append((CANAL_VALUE, "Spinal canal", Kind.CANAL, ""))
    found.append((CORD_VALUE, "Spinal cord", Kind.CORD, ""))
    return found
