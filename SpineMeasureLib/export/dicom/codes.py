"""Coded concepts of the DICOM objects: standard codes where they exist, else the private scheme 99SPINEMEASURE.

A measurement is post-coordinated, as DICOM PS3.16 TID 300 intends: a general quantity (Height, Diameter, Area ...), the
method and the finding site, all from `measure.definitions`. The method code is private and belongs to exactly one
definition, so quantity and method can be read back without loss. Ratios that PS3.16 does not define have a private
quantity code. Standard codes: PS3.16 CID 7150, CID 7469 and CID 226, as listed by pydicom 3.0.

``python -m SpineMeasureLib.export.dicom.codes docs/dicom.md`` writes the tables of the manual (a test compares them).
"""

from __future__ import annotations

import sys
from pathlib import Path

from ...anatomy import COLUMN, Code, Kind, all_structures, code_of
from ...measure.definitions import SCHEME, definition, methods
from ...measure.flags import FLAGS, in_words
from ...measure.types import MODEL_PROBABILITY, WITHIN_TOLERANCE

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

#: Concept names of properties that TID 300 does not define.
FLAG = Code("SM-FLAG", "Quality flag", SCHEME)
AUTOMATIC_VALUE = Code("SM-AUTO", "Automatic value before editing", SCHEME)
PLACEMENT = Code("SM-PLACED", "Placement of the ends of an edited line", SCHEME)
ACCEPTANCE = Code("SM-ACCEPT", "Acceptance of the value", SCHEME)
ACCEPTED = Code("SM-ACCEPTED", "Accepted by a person", SCHEME)
ACCEPTED_AT = Code("SM-ACCEPT-AT", "Time of acceptance", SCHEME)
BOUNDARY = Code("SM-BOUNDARY", "Boundary measured to", SCHEME)
#: By `Measurement.confidence_kind`; a confidence of unrecorded kind is not written.
CONFIDENCES = {
    MODEL_PROBABILITY: Code("SM-CONF", "Mean model probability inside the structure", SCHEME),
    WITHIN_TOLERANCE: Code("SM-PROB", "Probability of lying within the tolerance of an expert's value", SCHEME),
}
TOLERANCE = Code("SM-TOL", "Tolerance of that probability", SCHEME)
REPEATABILITY = Code("SM-REPEAT", "Standard deviation over neighbouring planes", SCHEME)

#: Code of each boundary that values name: of the canal, and of discs whose endplates cannot be seen.
_BOUNDARIES = {"dural_sac": "SM-B-SAC", "disc_surface": "SM-B-DISC", "outer_dura": "SM-B-DURA"}


def method_code(quantity: str, method: str, level: str) -> Code:
    """Return the measurement method of a definition; one code per quantity, method and kind of level.

    :raises KeyError: there is no such definition.
    """
    found = definition(quantity, method, level)
    return Code(found.code, found.title, SCHEME)


def flag_code(flag: str) -> Code:
    """Return a quality flag; an unknown one has a general code, with its name as the meaning."""
    return Code(FLAGS[flag].code if flag in FLAGS else "SM-F-OTHER", in_words(flag).capitalize(), SCHEME)


def boundary_code(boundary: str) -> Code:
    """Return the boundary of a value.

    :raises KeyError: the boundary is unknown.
    """
    return Code(_BOUNDARIES[boundary], in_words(boundary).capitalize(), SCHEME)


def group_site(level: str) -> Code:
    """Finding site of the measurement group of a level: ``"L4"``, ``"L4-L5"``, or a region such as ``"L1-S1"``."""
    if "-" not in level:
        return code_of(Kind.SACRUM if level == "S1" else Kind.BODY, level)
    is_disc = any(s.kind is Kind.DISC and s.level == level for s in all_structures())
    return code_of(Kind.DISC, level) if is_disc else COLUMN


def code_table() -> str:
    """Return the private scheme as Markdown tables, for docs/dicom.md."""
    lines = ["| quantity, method | concept name | method code | meaning | unit |", "|---|---|---|---|---|"]
    for d in methods():
        concept = f"{d.concept.value} {d.concept.scheme} {d.concept.meaning}"
        lines.append(f"| `{d.quantity}`, `{d.method}` | {concept} | {d.code} | {d.title} | {d.unit} |")
    further = [FLAG, AUTOMATIC_VALUE, PLACEMENT, ACCEPTANCE, ACCEPTED, ACCEPTED_AT, BOUNDARY]
    further += [*CONFIDENCES.values(), TOLERANCE, REPEATABILITY]
    further += [flag_code(f) for f in FLAGS] + [Code("SM-F-OTHER", "another flag, by name", SCHEME)]
    further += [boundary_code(b) for b in _BOUNDARIES]
    lines += ["", "| code | meaning |", "|---|---|", *(f"| {c.value} | {c.meaning} |" for c in further)]
    return "\n".join(lines) + "\n"


def write_tables(manual: Path) -> None:
    """Replace the tables of the private scheme in the manual."""
    text, tables = manual.read_text(encoding="utf-8"), code_table()
    start = text.index(tables.partition("\n")[0])
    manual.write_text(text[:start] + tables + text[text.index("\n## ", start) :], encoding="utf-8")


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
