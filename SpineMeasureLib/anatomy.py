"""The one table of structures: label value, name, kind, order along the spine, colour and SNOMED CT code.

Label values of vertebrae follow the VerSe convention (Sekuboyina et al., Med Image Anal 2021): C1-C7 = 1-7,
T1-T12 = 8-19, L1-L6 = 20-25, sacrum = 26, T13 = 28. A disc is 100 + the value of the vertebra above it, the
posterior elements of a vertebra are 200 + its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Kind(str, Enum):
    """What a structure is."""

    BODY = "vertebra"
    POSTERIOR = "posterior_elements"
    DISC = "disc"
    CANAL = "canal"
    CORD = "cord"
    SACRUM = "sacrum"


class Tissue(IntEnum):
    """Classes that the segmentation model tells apart (channel index of its output)."""

    BACKGROUND = 0
    BODY = 1
    POSTERIOR = 2
    DISC = 3
    CANAL = 4
    CORD = 5
    SACRUM = 6


#: Label values of a plain semantic label map as in the SPIDER data: 1 vertebra, 2 disc, 3 canal.
SEMANTIC_VERTEBRA, SEMANTIC_DISC, SEMANTIC_CANAL = 1, 2, 3

CORD_VALUE = 60
CANAL_VALUE = 61
SACRUM_VALUE = 26
T13_VALUE = 28
DISC_OFFSET = 100
POSTERIOR_OFFSET = 200

#: Every vertebra that can be named, from head to sacrum.
VERTEBRA_ORDER: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
)

#: The usual spine: no T13, no L6.
USUAL_ORDER: tuple[str, ...] = tuple(name for name in VERTEBRA_ORDER if name not in ("T13", "L6"))


def vertebra_value(name: str) -> int:
    """Label value of vertebra `name` (``"L4"`` -> 23, ``"S1"`` -> 26)."""
    if name == "S1":
        return SACRUM_VALUE
    if name == "T13":
        return T13_VALUE
    region, number = name[0], int(name[1:])
    return {"C": 0, "T": 7, "L": 19}[region] + number


_NAME_OF_VALUE = {vertebra_value(name): name for name in VERTEBRA_ORDER}


def vertebra_name(value: int) -> str:
    """Vertebra name of a label value (inverse of `vertebra_value`).

    :raises KeyError: the value names no vertebra.
    """
    return _NAME_OF_VALUE[value]


def disc_name(upper: str, lower: str) -> str:
    """``disc_name("L4", "L5")`` -> ``"L4-L5"``."""
    return f"{upper}-{lower}"
