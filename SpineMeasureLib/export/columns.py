"""The columns of measurements.csv and of the table in the scene: name, type, unit, meaning and content of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..measure.types import MODEL_PROBABILITY, WITHIN_TOLERANCE, Acceptance, Measurement, Point

Cell = str | float | None


@dataclass(frozen=True)
class Column:
    """One column.

    :ivar kind: ``"text"``, ``"number"``, ``"boolean"`` (true or false) or ``"time"`` (ISO 8601 UTC).
    :ivar unit: of a number; ``"as unit"`` if the column "unit" of the same row gives it.
    :ivar text: its meaning, and the meaning of an empty cell.
    :ivar of: the cell of a value; None for a missing number.
    """

    name: str
    kind: Literal["text", "number", "boolean", "time"]
    unit: str
    text: str
    of: Callable[[Measurement], Cell]

    @property
    def numeric(self) -> bool:
        """True if it contains numbers."""
        return self.kind == "number"


def _automatic_value(m: Measurement) -> float | None:
    return (m.automatic or m).value


def _accepted(m: Measurement) -> Acceptance:
    return m.accepted or Acceptance("", "")


def _coordinate(end: Literal["p1", "p2"], axis: int) -> Callable[[Measurement], Cell]:
    def of(m: Measurement) -> float | None:
        point: Point | None = getattr(m, end)
        return None if point is None else point[axis]

    return of


def _ends() -> list[Column]:
    ends: tuple[tuple[Literal["p1", "p2"], str], ...] = (
        ("p1", "first end of the line (superior or anterior)"),
        ("p2", "second end of the line (inferior or posterior)"),
    )
    axes = (("r", "towards the right"), ("a", "towards anterior"), ("s", "towards superior"))
    return [
        Column(f"{end}_{letter}", "number", "mm", f"{what}, {way}; empty for a value that is not a line",
               _coordinate(end, n))
        for end, what in ends
        for n, (letter, way) in enumerate(axes)
    ]  # fmt: skip


#: First column of measurements.csv; the table of a scene has one case and omits it.
CASE_ID = Column("case_id", "text", "", "identifies the image: derived only from its voxels and geometry",
                 lambda m: "")  # fmt: skip

#: The last column: whether a value comes before others of its quantity and level.
SHOWN_FIRST = "shown_first"

COLUMNS: tuple[Column, ...] = (
    Column("level", "text", "", "L4-L5 for a disc or the canal at it, L4 for a vertebra, L1-S1 for a region",
           lambda m: m.level),
    Column("quantity", "text", "", "what was measured; see the list of quantities", lambda m: m.quantity),
    Column("method", "text", "", "how it was measured; see the list of quantities", lambda m: m.method),
    Column("value", "number", "as unit", "the current value; empty if there is none, see the note",
           lambda m: m.value),
    Column("unit", "text", "", "mm, mm2, mm3, deg, ratio or %", lambda m: m.unit),
    Column("boundary", "text", "", "dural_sac, outer_dura if CSF is dark, disc_surface if no endplate shows, or empty",
           lambda m: m.boundary),
    Column("source", "text", "", "automatic, or edited if a person moved its line or one that it is derived from",
           lambda m: m.source),
    Column("automatic_value", "number", "as unit", "the value measured from the segmentation, also for an edited value",
           _automatic_value),
    Column("snapped", "text", "", "ends of an edited line that snapped to an edge of the image, p1, p2 or p1 p2; other"
           " ends that were moved were placed freely", lambda m: " ".join(m.snapped)),
    Column("accepted", "boolean", "", "true if a person accepted the value; an edit alone is not an acceptance",
           lambda m: "true" if m.accepted else "false"),
    Column("reviewer", "text", "", "who accepted the value; empty if not accepted, or not recorded",
           lambda m: _accepted(m).reviewer),
    Column("accepted_time", "time", "", "when the value was accepted; empty if it was not",
           lambda m: _accepted(m).time),
    Column("flags", "text", "", "reasons to doubt the value, separated by spaces; see the list of flags",
           lambda m: " ".join(m.flags)),
    Column("note", "text", "", "why the value is missing, or a remark on it", lambda m: m.note),
    *_ends(),
    Column("confidence", "number", "ratio", "probability, 0 to 1, that the value is within its tolerance; empty if it"
           " is not calibrated, for label maps, edited values and rows without a value",
           lambda m: m.confidence),
    Column("confidence_kind", "text", "", f"{WITHIN_TOLERANCE}: calibrated probability that the value is within the "
           f"tolerance of an expert's; {MODEL_PROBABILITY}: only in files of version 0.2 and older",
           lambda m: m.confidence_kind),
    Column("confidence_tolerance", "number", "mm", f"tolerance of {WITHIN_TOLERANCE}; empty for others",
           lambda m: m.confidence_tolerance),
    Column("repeatability", "number", "as unit", "standard deviation over the neighbouring planes; empty if unknown",
           lambda m: m.repeatability),
    Column("reference_mean", "number", "as unit", "published mean of the same definition and level; not a cut-off",
           lambda m: m.reference.mean if m.reference else None),
    Column("reference_sd", "number", "as unit", "published standard deviation; empty if the source gives none",
           lambda m: m.reference.sd if m.reference else None),
    Column("reference_source", "text", "", "citation of the reference",
           lambda m: m.reference.source if m.reference else ""),
    Column(SHOWN_FIRST, "boolean", "", "false if reports, pictures and lines show another value of the same quantity",
           lambda m: "false" if m.second else "true"),
)  # fmt: skip
