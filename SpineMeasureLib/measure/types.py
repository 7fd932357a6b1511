"""The result of measuring: one `Measurement` per value, with everything needed to draw and check it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Point = tuple[float, float, float]
#: The ends of a line, as the fields of `Measurement` that hold them.
End = Literal["p1", "p2"]
ENDS: tuple[End, End] = ("p1", "p2")

#: Kinds of confidence. Calibrated on cross-validation: probability that the value is within a tolerance of the value
#: measured on an expert's masks (`certainty.Calibrated`).
WITHIN_TOLERANCE = "probability_within_tolerance"
#: In files of version 0.2 and older: mean model probability of the voxels of the measured structure.
MODEL_PROBABILITY = "mean_model_probability"


@dataclass(frozen=True)
class Plane:
    """An oriented measuring plane in RAS mm: a point and two orthonormal in-plane axes; normal = x_axis x y_axis."""

    origin: Point
    x_axis: Point
    y_axis: Point


@dataclass(frozen=True)
class Reference:
    """A published reference value shown beside a measurement, never a diagnosis."""

    mean: float
    sd: float | None
    source: str


@dataclass(frozen=True)
class Acceptance:
    """Who accepted a value, and when.

    :ivar reviewer: name or initials; empty if none was given.
    :ivar time: ISO 8601 UTC; empty if it is not known.
    """

    reviewer: str
    time: str


@dataclass(frozen=True)
class Measurement:
    """One value of one quantity at one level, by one named method.

    >>> height = Measurement("L4-L5", "disc_height_middle", "chord50", 7.3, "mm")
    >>> height.key
    ('L4-L5', 'disc_height_middle', 'chord50')
    >>> height.flagged("few_slices").flags
    ('few_slices',)

    :ivar level: ``"L4-L5"`` for discs and disc-level canal rows, ``"L4"`` for vertebrae, ``"L1-S1"`` for alignment.
    :ivar quantity: id of the quantity, e.g. ``"disc_height_middle"``, ``"canal_ap"``.
    :ivar method: name of the method, e.g. ``"chord50"``; see `definitions`.
    :ivar value: in `unit`; None if it could not be measured (see flags and note).
    :ivar unit: ``"mm"``, ``"mm2"``, ``"mm3"``, ``"deg"``, ``"ratio"`` or ``"%"``.
    :ivar p1: first endpoint of the line in RAS mm (superior or anterior end), None for values that are not lines.
    :ivar p2: second endpoint in RAS mm (inferior or posterior end).
    :ivar plane: the measuring plane.
    :ivar boundary: ``"dural_sac"`` for canal rows, or ``"outer_dura"`` if CSF is as dark as the dura;
        ``"disc_surface"`` for heights between edges of a disc whose bony endplates the image does not show; else empty.
    :ivar source: ``"automatic"``, or ``"edited"`` if a person moved its line or one that it follows from.
    :ivar accepted: who accepted the value and when; None until somebody does. An edit alone is not an acceptance.
    :ivar flags: why the value is doubtful; names as in `flags`.
    :ivar confidence: 0..1, see `confidence_kind`; None for label maps, edited values and rows without a value.
    :ivar confidence_kind: `WITHIN_TOLERANCE`, `MODEL_PROBABILITY`, or empty if there is no confidence or, in files of
        version 0.1, its kind is not recorded.
    :ivar confidence_tolerance: the tolerance that `WITHIN_TOLERANCE` speaks of, in mm.
    :ivar second: another row of the same quantity at the same level is shown first, with its line; see
        `definitions.shown_first`.
    :ivar repeatability: spread (standard deviation) over the neighbouring planes in `unit`.
    :ivar automatic: the automatic value, if another one replaces it: an edited value, or one that was accepted before
        the segmentation changed.
    :ivar snapped: the ends of an edited line that were dragged onto an edge of the image, see `snap`; other ends that
        were moved were placed freely.
    """

    level: str
    quantity: str
    method: str
    value: float | None
    unit: str
    p1: Point | None = None
    p2: Point | None = None
    plane: Plane | None = None
    boundary: str = ""
    source: str = "automatic"
    flags: tuple[str, ...] = ()
    confidence: float | None = None
    repeatability: float | None = None
    reference: Reference | None = None
    note: str = ""
    automatic: Measurement | None = None
    accepted: Acceptance | None = None
    confidence_kind: str = ""
    confidence_tolerance: float | None = None
    second: bool = False
    snapped: tuple[End, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the row in a case."""
        return (self.level, self.quantity, self.method)

    @property
    def is_edited(self) -> bool:
        """True if a person moved the line of the value, or one that it follows from."""
        return self.source == "edited"

    def without_certainty(self) -> Measurement:
        """Return the measurement without confidence and repeatability, which belong to an automatic value."""
        return replace(self, confidence=None, confidence_kind="", confidence_tolerance=None, repeatability=None)

    def flagged(self, *flags: str) -> Measurement:
        """Return the measurement with more flags."""
        return replace(self, flags=tuple(dict.fromkeys((*self.flags, *flags))))


#: Fields that JSON holds as they are.
_PLAIN = (
    "level", "quantity", "method", "value", "unit", "boundary", "source", "confidence", "confidence_kind",
    "confidence_tolerance", "repeatability", "note", "second",
)  # fmt: skip
_OF_A_VALUE = ("confidence", "confidence_kind", "confidence_tolerance", "repeatability")


def measurement_from_dict(row: Mapping[str, Any]) -> Measurement:
    """Return the measurement that `dataclasses.asdict` made `row` from, perhaps by way of JSON.

    Fields at their default may be missing; unknown ones are ignored.

    :raises KeyError, TypeError, ValueError: it is not a measurement.
    """
    plain = {k: row[k] for k in _PLAIN if k in row}
    plane, reference, automatic = row.get("plane"), row.get("reference"), row.get("automatic")
    accepted = row.get("accepted")
    if plain.get("value") is None:  # version 0.1 wrote the confidence of the structure
        plain = {k: v for k, v in plain.items() if k not in _OF_A_VALUE}
    if plain.get("source") == "accepted":  # up to version 0.1 acceptance replaced the source of the value
        plain["source"] = "edited" if "edited" in row.get("flags", ()) else "automatic"
        accepted = {"reviewer": "", "time": ""}
    return Measurement(
        **plain,
        p1=point_from_json(row.get("p1")),
        p2=point_from_json(row.get("p2")),
        plane=Plane(*(_need(point_from_json(plane[k])) for k in ("origin", "x_axis", "y_axis"))) if plane else None,
        flags=tuple(row.get("flags", ())),
        snapped=ends_from_json(row.get("snapped", ())),
        reference=Reference(reference["mean"], reference.get("sd"), reference["source"]) if reference else None,
        automatic=measurement_from_dict(automatic) if automatic else None,
        accepted=Acceptance(accepted["reviewer"], accepted["time"]) if accepted else None,
    )


def point_from_json(value: Any) -> Point | None:
    """Return three numbers as a point, None as None.

    :raises TypeError, ValueError: it is something else.
    """
    if value is None:
        return None
    r, a, s = (float(c) for c in value)
    return (r, a, s)


def ends_from_json(names: Iterable[Any]) -> tuple[End, ...]:
    """Return names of ends in the order of `ENDS`; unknown ones are ignored."""
    known = set(names)
    return tuple(end for end in ENDS if end in known)


def _need(point: Point | None) -> Point:
    if point is None:
        raise ValueError("a plane without a point")
    return point
