"""The one table of structures: label value, name, kind, order along the spine, colour and SNOMED CT code.

Label values of vertebrae follow the VerSe convention (Sekuboyina et al., Med Image Anal 2021): C1-C7 = 1-7,
T1-T12 = 8-19, L1-L6 = 20-25, sacrum = 26, T13 = 28. A disc is 100 + the value of the vertebra above it, the
posterior elements of a vertebra are 200 + its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache


class Kind(str, Enum):
    """What a structure is."""

    BODY = "vertebra"
    POSTERIOR = "posterior_elements"
    DISC = "disc"
    CANAL = "canal"
    CORD = "cord"
    SACRUM = "sacrum"


class Tissue(IntEnum):
    """Classes of the segmentation model (channel index of its output)."""

    BACKGROUND = 0
    BODY = 1
    POSTERIOR = 2
    DISC = 3
    CANAL = 4
    CORD = 5
    SACRUM = 6


#: Tissue of each kind of structure, as models learn it.
TISSUE_OF = {
    Kind.BODY: Tissue.BODY,
    Kind.POSTERIOR: Tissue.POSTERIOR,
    Kind.DISC: Tissue.DISC,
    Kind.CANAL: Tissue.CANAL,
    Kind.CORD: Tissue.CORD,
    Kind.SACRUM: Tissue.SACRUM,
}


class Region(IntEnum):
    """Regions of the spine that the model assigns to vertebral bodies; 0 means none."""

    AXIS = 1
    CERVICAL = 2
    THORACIC = 3
    LUMBAR = 4


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
    """Label value of a vertebra.

    >>> vertebra_value("L4"), vertebra_value("S1")
    (23, 26)
    """
    if name == "S1":
        return SACRUM_VALUE
    if name == "T13":
        return T13_VALUE
    region, number = name[0], int(name[1:])
    return {"C": 0, "T": 7, "L": 19}[region] + number


def region_of(name: str) -> Region:
    """Region of a vertebra with a body: C2 is a separate region; S1 counts as lumbar.

    :raises KeyError: the name is C1, which has no body, or not a vertebra.
    """
    if name == "C1":
        raise KeyError(name)
    if name == "C2":
        return Region.AXIS
    return {"C": Region.CERVICAL, "T": Region.THORACIC, "L": Region.LUMBAR, "S": Region.LUMBAR}[name[0]]


def disc_name(upper: str, lower: str) -> str:
    """Name of the disc between two vertebrae.

    >>> disc_name("L4", "L5")
    'L4-L5'
    """
    return f"{upper}-{lower}"


@dataclass(frozen=True)
class Code:
    """A coded concept (scheme SCT is SNOMED CT)."""

    value: str
    meaning: str
    scheme: str = "SCT"


#: DICOM PS3.16 CID 7603 (vertebrae) and 7604 (discs), as listed by pydicom 3.0. A structure without a specific code
#: there has a general one, and its level is in its name: T13 and L6 the code of any vertebra, their discs the code of
#: the vertebral column (PS3.16 has no code for any disc), posterior elements the code of any vertebral arch.
_VERTEBRA_CODES = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003", "C6": "36054005",
    "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008", "T4": "73071006", "T5": "56401006",
    "T6": "45296009", "T7": "62487009", "T8": "11068009", "T9": "82687006", "T10": "7610001", "T11": "12989004",
    "T12": "23215003", "L1": "66794005", "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003",
}  # fmt: skip
_DISC_CODES = {
    "C2-C3": "1078209008", "C3-C4": "58820006", "C4-C5": "49400002", "C5-C6": "73959003", "C6-C7": "75095006",
    "C7-T1": "37414007", "T1-T2": "40908007", "T2-T3": "6004007", "T3-T4": "2620004", "T4-T5": "82965004",
    "T5-T6": "72692000", "T6-T7": "74401007", "T7-T8": "28693002", "T8-T9": "9188009", "T9-T10": "113209001",
    "T10-T11": "34959001", "T11-T12": "1537001", "T12-L1": "76206002", "L1-L2": "80064006", "L2-L3": "67459009",
    "L3-L4": "62551000", "L4-L5": "84020006", "L5-S1": "715056000",
}  # fmt: skip
_VERTEBRA = Code("51282000", "Vertebra")
_ARCH = Code("40265002", "Arch of vertebra")
COLUMN = Code("421060004", "Structure of vertebral column")
_SACRUM = Code("54735007", "Sacrum")
_CANAL = Code("61853006", "Spinal canal structure")
_CORD = Code("2748008", "Spinal cord")


def code_of(kind: Kind, level: str) -> Code:
    """SNOMED CT code of a structure; a general one if its level has none."""
    if kind is Kind.BODY and level in _VERTEBRA_CODES:
        return Code(_VERTEBRA_CODES[level], f"{level} vertebra")
    if kind is Kind.DISC and level in _DISC_CODES:
        return Code(_DISC_CODES[level], f"{level.replace('-', '/')} disc")
    general = {
        Kind.BODY: _VERTEBRA,
        Kind.POSTERIOR: _ARCH,
        Kind.DISC: COLUMN,
        Kind.SACRUM: _SACRUM,
        Kind.CANAL: _CANAL,
        Kind.CORD: _CORD,
    }
    return general[kind]


Colour = tuple[int, int, int]

#: Neighbouring levels differ in colour, also if T13 or L6 is missing between them (so at least three in turn);
#: vertebrae are warm, discs green; canal and cord differ from both.
_BODY_COLOURS: tuple[Colour, ...] = ((232, 190, 122), (216, 128, 104), (198, 150, 196), (240, 160, 80))
_DISC_COLOURS: tuple[Colour, ...] = ((104, 204, 112), (52, 158, 140), (172, 206, 88))
_SINGLE_COLOURS: dict[Kind, Colour] = {
    Kind.SACRUM: (170, 140, 110),
    Kind.CANAL: (80, 200, 245),
    Kind.CORD: (250, 232, 80),
}


def colour_of(kind: Kind, level: str) -> Colour:
    """Display colour of a structure, 0-255 RGB."""
    if kind in _SINGLE_COLOURS:
        return _SINGLE_COLOURS[kind]
    place = VERTEBRA_ORDER.index(level.partition("-")[0])
    if kind is Kind.DISC:
        return _DISC_COLOURS[place % len(_DISC_COLOURS)]
    red, green, blue = _BODY_COLOURS[place % len(_BODY_COLOURS)]
    return (red, green, blue) if kind is Kind.BODY else (red * 7 // 10, green * 7 // 10, blue * 7 // 10)


@dataclass(frozen=True)
class StructureInfo:
    """One row of the table of all structures.

    :ivar colour: display colour, 0-255 RGB.
    """

    value: int
    name: str
    kind: Kind
    level: str
    code: Code
    colour: Colour


@lru_cache(maxsize=1)
def all_structures() -> tuple[StructureInfo, ...]:
    """Every structure that can be named: vertebrae with their posterior elements and discs, sacrum, canal, cord."""
    found = []
    for place, name in enumerate(VERTEBRA_ORDER[:-1]):
        value = vertebra_value(name)
        found.append((value, name, Kind.BODY, name))
        found.append((POSTERIOR_OFFSET + value, f"{name} posterior elements", Kind.POSTERIOR, name))
        if name != "C1":
            found += [
                (DISC_OFFSET + value, disc_name(name, lower), Kind.DISC, disc_name(name, lower))
                for lower in _lower_neighbours(place)
            ]
    found += [
        (SACRUM_VALUE, "Sacrum", Kind.SACRUM, "S1"),
        (CANAL_VALUE, "Spinal canal", Kind.CANAL, ""),
        (CORD_VALUE, "Spinal cord", Kind.CORD, ""),
    ]
    return tuple(
        StructureInfo(value, name, kind, level, code_of(kind, level), colour_of(kind, level))
        for value, name, kind, level in found
    )


@lru_cache(maxsize=1)
def _info_of() -> dict[tuple[Kind, str], StructureInfo]:
    return {(s.kind, s.level): s for s in all_structures()}


def structure_info(kind: Kind, level: str) -> StructureInfo:
    """The row of one structure.

    >>> structure_info(Kind.DISC, "L4-L5").value
    123
    >>> structure_info(Kind.CANAL, "").code
    Code(value='61853006', meaning='Spinal canal structure', scheme='SCT')

    :param level: ``"L4"``, ``"L4-L5"``, ``"S1"`` of the sacrum, empty of canal and cord.
    :raises KeyError: there is no such structure.
    """
    return _info_of()[kind, level]


def _lower_neighbours(place: int) -> list[str]:
    """Vertebrae that can be directly below: T12 is followed by T13 or L1, L5 by L6 or S1."""
    below = [VERTEBRA_ORDER[place + 1]]
    if below[0] in ("T13", "L6"):
        below.append(VERTEBRA_ORDER[place + 2])
    return below
