"""Coded concepts of the DICOM objects: standard codes where they exist, else the private scheme 99SPINEMEASURE.

A measurement is post-coordinated, as DICOM PS3.16 TID 300 intends: a general quantity (Height, Diameter, Area ...), the
method, and the finding site. The method code is private and belongs to exactly one row of `measure.definitions`, so
that quantity and method can be read back without loss. Ratios that PS3.16 does not know carry a private quantity code.
Standard codes: PS3.16 CID 7150, CID 7469 and CID 226, as listed by pydicom 3.0.
"""

from __future__ import annotations

from functools import lru_cache

from ...anatomy import COLUMN, Code, Kind, code_of, disc_name
from ...measure.definitions import Definition, methods
from ...measure.flags import in_words, known_flags
from ...measure.types import MODEL_PROBABILITY, WITHIN_TOLERANCE, Measurement

SCHEME = "99SPINEMEASURE"
SCHEME_NAME = "SpineMeasure quantities, methods and flags"
#: Derived from a UUID (PS3.5 B.2).
SCHEME_UID = "2.25.332729855578635706480087144147700486083"

ANATOMICAL_STRUCTURE = Code("91723000", "Anatomical Structure")
MINIMUM = Code("255605001", "Minimum")
POPULATION_MEAN = Code("373098007", "Mean value of population")
POPULATION_SD = Code("121414", "Standard deviation of population", "DCM")
MEASUREMENT_FAILURE = Code("114006", "Measurement failure", "DCM")
USER_CHOSEN = Code("121410", "User chosen value", "DCM")
COMMENT = Code("121106", "Comment", "DCM")
OBSERVER_NAME = Code("121008", "Person Observer Name", "DCM")
MRI_PROCEDURE = Code("25056-3", "MRI unspecified body region", "LN")
IMAGING_REPORT = Code("126000", "Imaging Measurement Report", "DCM")

#: Concept names of what TID 300 has no row for.
FLAG = Code("SM-FLAG", "Quality flag", SCHEME)
AUTOMATIC_VALUE = Code("SM-AUTO", "Automatic value before editing", SCHEME)
ACCEPTANCE = Code("SM-ACCEPT", "Acceptance of the value", SCHEME)
ACCEPTED = Code("SM-ACCEPTED", "Accepted by a person", SCHEME)
ACCEPTED_AT = Code("SM-ACCEPT-AT", "Time of acceptance", SCHEME)
BOUNDARY = Code("SM-BOUNDARY", "Boundary measured to", SCHEME)
#: By `Measurement.confidence_kind`; a confidence whose kind is not recorded is not written.
CONFIDENCES = {
    MODEL_PROBABILITY: Code("SM-CONF", "Mean model probability inside the structure", SCHEME),
    WITHIN_TOLERANCE: Code("SM-PROB", "Probability of lying within the tolerance of an expert's value", SCHEME),
}
TOLERANCE = Code("SM-TOL", "Tolerance of that probability", SCHEME)
REPEATABILITY = Code("SM-REPEAT", "Standard deviation over neighbouring planes", SCHEME)

UNITS: dict[str, Code] = {
    "mm": Code("mm", "millimeter", "UCUM"),
    "mm2": Code("mm2", "square millimeter", "UCUM"),
    "mm3": Code("mm3", "cubic millimeter", "UCUM"),
    "deg": Code("deg", "degree", "UCUM"),
    "ratio": Code("1", "no units", "UCUM"),
    "%": Code("%", "percent", "UCUM"),
}

_HEIGHT = Code("121207", "Height", "DCM")
_DEPTH = Code("131197000", "Depth")
_WIDTH = Code("103355008", "Width")
_DIAMETER = Code("81827009", "Diameter")
_AREA = Code("42798000", "Area")
_VOLUME = Code("118565006", "Volume")
_ANGLE = Code("1483009", "Angle")
_COBB = Code("285285000", "Cobb angle")

#: Quantity concept of each quantity id.
_QUANTITIES: dict[str, Code] = {
    "disc_height": _HEIGHT,
    "disc_height_anterior": _HEIGHT,
    "disc_height_middle": _HEIGHT,
    "disc_height_posterior": _HEIGHT,
    "disc_height_mean": _HEIGHT,
    "disc_depth": _DEPTH,
    "disc_width": _WIDTH,
    "disc_area": _AREA,
    "disc_volume": _VOLUME,
    "disc_height_index": Code("SM-DHI", "Disc height index", SCHEME),
    "farfan_index": Code("SM-FARFAN", "Farfan index", SCHEME),
    "disc_wedge": _ANGLE,
    "canal_ap": _DIAMETER,
    "canal_ap_minimum": _DIAMETER,
    "canal_area": _AREA,
    "canal_compression": Code("SM-MCC", "Maximum canal compromise", SCHEME),
    "cord_ap": _DIAMETER,
    "cord_transverse": _DIAMETER,
    "cord_area": _AREA,
    "cord_occupancy": Code("SM-OCC", "Cord area to canal area ratio", SCHEME),
    "cord_compression": Code("SM-MSCC", "Maximum spinal cord compression", SCHEME),
    "torg_pavlov_ratio": Code("SM-TORG", "Torg-Pavlov ratio", SCHEME),
    "body_height_anterior": _HEIGHT,
    "body_height_middle": _HEIGHT,
    "body_height_posterior": _HEIGHT,
    "body_depth": _DEPTH,
    "body_wedge_ratio": Code("SM-BWR", "Body wedge ratio", SCHEME),
    "body_biconcavity_ratio": Code("SM-BBR", "Body biconcavity ratio", SCHEME),
    "body_crush_ratio": Code("SM-BCR", "Body crush ratio", SCHEME),
    "listhesis": Code("SM-SLIP", "Listhesis", SCHEME),
    "segmental_angle": _COBB,
    "lordosis": _COBB,
    "kyphosis": _COBB,
}

#: Method code value of each definition.
_METHODS: dict[tuple[str, str], str] = {
    ("disc_height_anterior", "chord10"): "SM-DH-CHORD10",
    ("disc_height_middle", "chord50"): "SM-DH-CHORD50",
    ("disc_height_posterior", "chord90"): "SM-DH-CHORD90",
    ("disc_height_mean", "area_depth"): "SM-DH-AREADEP",
    ("disc_height_mean", "mean3"): "SM-DH-MEAN3",
    ("disc_height", "dabbs"): "SM-DH-DABBS",
    ("disc_height", "hurxthal"): "SM-DH-HURXTHAL",
    ("disc_depth", "depth50"): "SM-DD-DEPTH50",
    ("disc_width", "width50"): "SM-DW-WIDTH50",
    ("disc_area", "area"): "SM-DA-SAGITTAL",
    ("disc_volume", "volume"): "SM-DV-VOXELS",
    ("disc_height_index", "dhi_mean3"): "SM-DHI-MEAN3",
    ("farfan_index", "farfan"): "SM-FARFAN-M",
    ("disc_wedge", "wedge"): "SM-DWEDGE-M",
    ("canal_ap", "disc_level"): "SM-CAP-DISC",
    ("canal_ap", "mid_vertebral"): "SM-CAP-BODY",
    ("canal_ap_minimum", "within_5mm"): "SM-CAP-MIN5",
    ("canal_area", "disc_level"): "SM-CA-DISC",
    ("canal_area", "mid_vertebral"): "SM-CA-BODY",
    ("canal_compression", "1-mi/mean(ma,mb)"): "SM-MCC-M",
    ("cord_ap", "disc_level"): "SM-SCAP-DISC",
    ("cord_ap", "mid_vertebral"): "SM-SCAP-BODY",
    ("cord_transverse", "disc_level"): "SM-SCT-DISC",
    ("cord_transverse", "mid_vertebral"): "SM-SCT-BODY",
    ("cord_area", "disc_level"): "SM-SCA-DISC",
    ("cord_area", "mid_vertebral"): "SM-SCA-BODY",
    ("cord_occupancy", "disc_level"): "SM-OCC-DISC",
    ("cord_occupancy", "mid_vertebral"): "SM-OCC-BODY",
    ("cord_compression", "1-mi/mean(ma,mb)"): "SM-MSCC-M",
    ("torg_pavlov_ratio", "canal_body"): "SM-TORG-M",
    ("body_height_anterior", "corner"): "SM-BH-ANT",
    ("body_height_middle", "chord50"): "SM-BH-MID",
    ("body_height_posterior", "corner"): "SM-BH-POST",
    ("body_depth", "depth50"): "SM-BD-DEPTH50",
    ("body_wedge_ratio", "anterior_posterior"): "SM-BWR-M",
    ("body_biconcavity_ratio", "middle_posterior"): "SM-BBR-M",
    ("body_crush_ratio", "posterior_neighbours"): "SM-BCR-M",
    ("listhesis", "posterior_corners"): "SM-SLIP-MM",
    ("listhesis", "posterior_corners_percent"): "SM-SLIP-PC",
    ("segmental_angle", "cobb"): "SM-SEG-COBB",
    ("lordosis", "cobb"): "SM-LORD-COBB",
    ("kyphosis", "cobb"): "SM-KYPH-COBB",
}

#: Code value of each flag of `measure.flags`.
_FLAGS = {
    "cut_by_field_of_view": "SM-F-CUT",
    "few_slices": "SM-F-FEW",
    "low_confidence": "SM-F-LOW",
    "level_unverified": "SM-F-LEVEL",
    "fused_or_absent_disc": "SM-F-FUSED",
    "frame_fallback": "SM-F-FRAME",
    "edited": "SM-F-EDITED",
    "not_measurable": "SM-F-NONE",
}

_BOUNDARIES: dict[str, tuple[str, str]] = {
    "dural_sac": ("SM-B-SAC", "Dural sac"),
}


def quantity_code(quantity: str) -> Code:
    """Concept name of a quantity id.

    :raises KeyError: there is no such quantity.
    """
    return _QUANTITIES[quantity]


def method_code(quantity: str, method: str) -> Code:
    """Measurement method of a definition; one code per quantity and method.

    :raises KeyError: there is no such definition.
    """
    return Code(_METHODS[quantity, method], _definitions()[quantity, method].title, SCHEME)


def definition_of(method: Code) -> Definition:
    """The definition that a method code stands for (inverse of `method_code`).

    :raises KeyError: the code is not one of ours.
    """
    keys = {value: key for key, value in _METHODS.items()}
    return _definitions()[keys[method.value]]


def flag_code(flag: str) -> Code:
    """A quality flag; one that has no code of its own keeps its name as the meaning."""
    return Code(_FLAGS.get(flag, "SM-F-OTHER"), in_words(flag).capitalize(), SCHEME)


def boundary_code(boundary: str) -> Code:
    """What a canal value was measured to.

    :raises KeyError: no known boundary.
    """
    value, meaning = _BOUNDARIES[boundary]
    return Code(value, meaning, SCHEME)


def group_site(level: str) -> Code:
    """Finding site of the measurement group of a level: ``"L4"``, ``"L4-L5"``, or a stretch such as ``"L1-S1"``."""
    upper, _, lower = level.partition("-")
    if not lower:
        return code_of(Kind.SACRUM if upper == "S1" else Kind.BODY, upper)
    return code_of(Kind.DISC, level) if _is_disc(upper, lower) else COLUMN


def site_of(measurement: Measurement) -> Code | None:
    """Finding site of one value where it is not its group's: canal and cord rows, and alignment."""
    part = measurement.quantity.partition("_")[0]
    if part == "canal":
        return code_of(Kind.CANAL, "")
    if part == "cord":
        return code_of(Kind.CORD, "")
    return COLUMN if measurement.quantity in ("segmental_angle", "lordosis", "kyphosis") else None


def _is_disc(upper: str, lower: str) -> bool:
    from ...anatomy import all_structures

    return any(s.kind is Kind.DISC and s.level == disc_name(upper, lower) for s in all_structures())


@lru_cache(maxsize=1)
def _definitions() -> dict[tuple[str, str], Definition]:
    return {(d.quantity, d.method): d for d in methods()}


def code_table() -> str:
    """The private scheme as Markdown tables, for docs/dicom.md (a test keeps it in step)."""
    lines = ["| quantity, method | concept name | method code | meaning | unit |", "|---|---|---|---|---|"]
    for d in methods():
        name, method = quantity_code(d.quantity), method_code(d.quantity, d.method)
        concept = f"{name.value} {name.scheme} {name.meaning}"
        lines.append(f"| `{d.quantity}`, `{d.method}` | {concept} | {method.value} | {method.meaning} | {d.unit} |")
    further = [FLAG, AUTOMATIC_VALUE, ACCEPTANCE, ACCEPTED, ACCEPTED_AT, BOUNDARY]
    further += [*CONFIDENCES.values(), TOLERANCE, REPEATABILITY]
    further += [flag_code(f) for f in known_flags()] + [Code("SM-F-OTHER", "another flag, by name", SCHEME)]
    further += [boundary_code(b) for b in _BOUNDARIES]
    lines += ["", "| code | meaning |", "|---|---|", *(f"| {c.value} | {c.meaning} |" for c in further)]
    return "\n".join(lines) + "\n"
