"""Label lists as other programs publish them, typed from their pages and never from the table under test."""

from __future__ import annotations

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE, DISC_OFFSET, SACRUM_VALUE, vertebra_value

_VERTEBRAE = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7",
    "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12",
    "L1", "L2", "L3", "L4", "L5",
]  # fmt: skip
_DISCS = [f"{upper}-{lower}" for upper, lower in zip(_VERTEBRAE[1:], [*_VERTEBRAE[2:], "S1"], strict=True)]


def _numbered(names: list[str], first: int) -> dict[str, int]:
    """Consecutive values from the head down."""
    return {name: first + n for n, name in enumerate(names)}


def _upwards(names: list[str], first: int) -> dict[str, int]:
    """Consecutive values from the sacrum up."""
    return _numbered(names[::-1], first)


#: neuropoly/totalspineseg, totalspineseg/resources/labels_maps/tss_map.json (there "SC", "CSF", "sacrum", "L5-S").
_TOTALSPINESEG = {
    "Spinal cord": 1, "Spinal canal": 2,
    "C1": 11, "C2": 12, "C3": 13, "C4": 14, "C5": 15, "C6": 16, "C7": 17,
    "T1": 21, "T2": 22, "T3": 23, "T4": 24, "T5": 25, "T6": 26, "T7": 27, "T8": 28, "T9": 29, "T10": 30, "T11": 31,
    "T12": 32, "L1": 41, "L2": 42, "L3": 43, "L4": 44, "L5": 45, "L6": 46, "Sacrum": 50,
    "C2-C3": 63, "C3-C4": 64, "C4-C5": 65, "C5-C6": 66, "C6-C7": 67, "C7-T1": 71, "T1-T2": 72, "T2-T3": 73,
    "T3-T4": 74, "T4-T5": 75, "T5-T6": 76, "T6-T7": 77, "T7-T8": 78, "T8-T9": 79, "T9-T10": 80, "T10-T11": 81,
    "T11-T12": 82, "T12-L1": 91, "L1-L2": 92, "L2-L3": 93, "L3-L4": 94, "L4-L5": 95, "L5-S1": 100,
}  # fmt: skip

#: Hendrik-code/spineps, README, "Labels" (vertebrae X, their discs 100 + X) and Hendrik-code/TPTBox,
#: TPTBox/core/vert_constants.py, Vertebra_Instance (what X is).
_SPINEPS = {
    **_numbered(_VERTEBRAE, 1), "L6": 25, "Sacrum": 26, "T13": 28,
    **_numbered(_DISCS, 102), "T12-T13": 119, "T13-L1": 128, "L5-L6": 124, "L6-S1": 125,
}  # fmt: skip

#: Values of structures by name, as `Structure.name` has it.
PUBLISHED: dict[str, dict[str, int]] = {
    "totalspineseg": _TOTALSPINESEG,
    "spineps": _SPINEPS,
    # VERIDAH corrects the numbers in SPINEPS's masks, by the same list (Moeller et al., arXiv 2601.14066).
    "veridah": _SPINEPS,
    # grand-challenge.org, algorithm spider-baseline-iis: vertebrae numbered from the bottom (L5 = 1), canal 100, discs
    # numbered from the bottom (L5/S1 = 201). The canal includes the cord.
    "spider": {"Spinal canal": 100, "Spinal cord": 100, **_upwards(_VERTEBRAE, 1), **_upwards(_DISCS, 201)},
    # wasserth/TotalSegmentator, totalsegmentator/map_to_binary.py, class_map: "vertebrae_mr" and "total".
    "totalsegmentator": {"Sacrum": 1, **_upwards(_VERTEBRAE, 2)},
    "totalsegmentator-total": {"Sacrum": 25, **_upwards(_VERTEBRAE, 27), "Spinal cord": 79},
}

#: Hendrik-code/spineps, README, "Labels" of the subregion mask, and the further body regions of TPTBox's Location.
SPINEPS_SUBREGIONS = {
    "Sacrum": 26, "Arcus_Vertebrae": 41, "Spinosus_Process": 42, "Costal_Process_Left": 43, "Costal_Process_Right": 44,
    "Superior_Articular_Left": 45, "Superior_Articular_Right": 46, "Inferior_Articular_Left": 47,
    "Inferior_Articular_Right": 48, "Vertebra_Corpus_border": 49, "Vertebra_Corpus": 50, "Dens_axis": 51,
    "Vertebral_Body_Endplate_Superior": 52, "Vertebral_Body_Endplate_Inferior": 53, "Spinal_Cord": 60,
    "Spinal_Canal": 61, "Endplate": 62, "Vertebra_Disc": 100,
}  # fmt: skip

#: totalsegmentator/map_to_binary.py, class_map["total_mr"]: what belongs to the spine.
TOTAL_MR = {"sacrum": 18, "vertebrae": 19, "intervertebral_discs": 20, "spinal_cord": 21}


def own_value(name: str) -> int:
    """Our label value of a structure, bodies and arches alike."""
    known = {"Spinal cord": CORD_VALUE, "Spinal canal": CANAL_VALUE, "Sacrum": SACRUM_VALUE}
    upper, _, lower = name.partition("-")
    return known[name] if name in known else vertebra_value(upper) + (DISC_OFFSET if lower else 0)
