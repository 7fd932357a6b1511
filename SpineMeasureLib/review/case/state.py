"""A reviewed case at one moment. It is immutable: undo returns to an earlier state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Literal

from ...anatomy import Kind
from ...measure.derived import Key
from ...measure.types import Acceptance, End, Measurement, Point

Status = Literal["automatic", "edited", "flagged", "accepted"]

#: Flags that need the reader's attention. Others say how a value was measured or apply to the whole case.
DOUBTFUL = frozenset({"low_confidence", "cut_by_field_of_view", "frame_fallback", "fused_or_absent_disc"})
#: Flags of an automatic value that do not apply to an edited one.
_OF_THE_AUTOMATIC_VALUE = frozenset({"low_confidence", "not_measurable", "edge_not_found"})
NO_LINE = "no line"
#: Smaller differences are not visible to the reader.
SAME_VALUE = 0.005


@dataclass(frozen=True)
class Edit:
    """A value that replaces the automatic one; re-measuring never overwrites it.

    :ivar value: None if the reader deleted the line.
    :ivar p1: first end, RAS mm; None for values without a line.
    :ivar p2: second end, RAS mm.
    :ivar time: when it was made, ISO 8601 UTC.
    :ivar base: the automatic value at that time.
    :ivar by_hand: False for an accepted value that re-measuring would have changed.
    :ivar snapped: as `Measurement.snapped`.
    """

    value: float | None
    p1: Point | None
    p2: Point | None
    time: str
    base: float | None
    by_hand: bool = True
    snapped: tuple[End, ...] = ()


@dataclass(frozen=True)
class Row:
    """One value of the case: as measured, with the reader's edit and acceptance.

    :ivar automatic: as measured from the segmentation, never an edited value.
    """

    automatic: Measurement
    edit: Edit | None = None
    accepted: Acceptance | None = None

    @property
    def shown(self) -> Measurement:
        """The value as the reader sees it, unless it is derived from others."""
        automatic, edit = self.automatic, self.edit
        measurement = automatic
        if edit is not None:
            measurement = replace(
                automatic.without_certainty(),
                value=edit.value,
                p1=edit.p1,
                p2=edit.p2,
                source="edited" if edit.by_hand else "automatic",
                flags=edited_flags(automatic.flags) if edit.by_hand else automatic.flags,
                note=self._note(edit),
                automatic=automatic,
                snapped=edit.snapped,
            )
        return self.marked(measurement)

    def marked(self, measurement: Measurement) -> Measurement:
        """Return a value of this row with the acceptance of the row."""
        return replace(measurement, accepted=self.accepted)

    def _note(self, edit: Edit) -> str:
        if edit.value is None:
            return NO_LINE
        now = self.automatic.value
        if now is None:
            return "" if edit.base is None else "this value can no longer be measured on the segmentation"
        if edit.base is None or abs(now - edit.base) > SAME_VALUE:
            return f"the automatic value is now {now:.2f} {self.automatic.unit}"
        return ""


def edited_flags(flags: Iterable[str]) -> tuple[str, ...]:
    """Return the flags of a value that replaces an automatic one."""
    return tuple(dict.fromkeys((*(f for f in flags if f not in _OF_THE_AUTOMATIC_VALUE), "edited")))


def statuses_of(measurement: Measurement) -> tuple[Status, ...]:
    """Return every status of a value, e.g. ``("edited", "accepted")``.

    A value that was edited or accepted has been checked: it is no longer "flagged".
    """
    found: list[Status] = []
    if measurement.source == "edited":
        found.append("edited")
    if measurement.accepted is not None:
        found.append("accepted")
    if not found:
        found.append("flagged" if DOUBTFUL.intersection(measurement.flags) else "automatic")
    return tuple(found)


def status_of(measurement: Measurement) -> Status:
    """Return the status that decides colour and icon: "accepted" takes precedence over "edited"."""
    return statuses_of(measurement)[-1]


def status_text(measurement: Measurement) -> str:
    """Return ``"automatic"``, ``"flagged"``, ``"edited"``, ``"accepted"`` or ``"edited, accepted"``."""
    return ", ".join(statuses_of(measurement))


def automatic_of(measurement: Measurement) -> Measurement:
    """Return the automatic value of a row, also if another value replaces it."""
    return measurement.automatic or replace(measurement, accepted=None)


def difference_of(measurement: Measurement) -> float | None:
    """Return value minus automatic value; None if the automatic value is shown or there is none."""
    automatic = measurement.automatic
    if automatic is None or automatic.value is None or measurement.value is None:
        return None
    return measurement.value - automatic.value


@dataclass(frozen=True)
class State:
    """A whole case.

    :ivar rows: by number, in the order of the table. The number of a row never changes; its level name may.
    :ivar segments: kind and level by segment id.
    :ivar verified: True if an anchor or the user fixed the level names.
    :ivar anchor: ``"sacrum"``, ``"dens"``, a disc between two regions, ``"user"``, ``"labels"`` or ``""``.
    :ivar following: number of the next row.
    """

    rows: Mapping[int, Row]
    segments: Mapping[str, tuple[Kind, str]]
    verified: bool
    anchor: str
    following: int

    def with_rows(self, changed: Mapping[int, Row]) -> State:
        """Return the case with some rows replaced."""
        return replace(self, rows={**self.rows, **changed})

    def segment_of(self, measurement: Measurement) -> str | None:
        """Return the id of the segment on which a value is measured; None if there is none."""
        canal = measurement.quantity.startswith("canal")
        possible = ((Kind.CANAL, ""),) if canal else ((Kind.DISC, measurement.level), (Kind.BODY, measurement.level))
        return next((segment for segment, what in self.segments.items() if what in possible), None)

    def number_of(self) -> dict[Key, int]:
        """Return row numbers by key."""
        return {row.automatic.key: number for number, row in self.rows.items()}


def now() -> str:
    """Return the time, ISO 8601 UTC to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
