"""All values of a case as shown; values that are derived from others are kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...anatomy import VERTEBRA_ORDER, Kind
from ...measure.derived import RULES, derive, inputs_of
from ...measure.types import Measurement
from .state import Edit, Row, State, edited_flags, now

_RULE_ORDER = {(r.quantity, r.method): place for place, r in enumerate(RULES)}


class Live:
    """Values by row number.

    :ivar values: what the reader sees; same order as the rows.
    """

    def __init__(self, rows: Mapping[int, Row]) -> None:
        self._rows = dict(rows)
        self.values: dict[int, Measurement] = {number: row.shown for number, row in rows.items()}
        self._inputs = _inputs(rows)
        self._dependents = _dependents(self._inputs)
        for number in self._inputs:
            self.values[number] = self._derived(number)

    def dependents(self, number: int) -> tuple[int, ...]:
        """Return the rows derived from a row, directly or through others, each after its inputs."""
        return self._dependents.get(number, ())

    def update(self, rows: Mapping[int, Row]) -> frozenset[int]:
        """Replace rows and update all that are derived from them.

        :return: numbers of the rows whose value or status changed.
        """
        self._rows.update(rows)
        following = dict.fromkeys(d for number in rows for d in self.dependents(number))
        changed = []
        for number in (*(n for n in rows if n not in following), *sorted(following, key=self._place)):
            value = self._derived(number) if number in self._inputs else self._rows[number].shown
            if value != self.values[number]:
                self.values[number] = value
                changed.append(number)
        return frozenset(changed)

    def _place(self, number: int) -> int:
        return _RULE_ORDER[self._rows[number].automatic.key[1:]]

    def _derived(self, number: int) -> Measurement:
        row = self._rows[number]
        inputs = [None if n is None else self.values[n] for n in self._inputs[number]]
        if row.edit is not None or not any(m is not None and m.automatic is not None for m in inputs):
            return row.shown
        automatic = row.automatic
        value = derive(automatic.quantity, automatic.method, [None if m is None else m.value for m in inputs])
        measurement = replace(
            automatic.without_certainty(),
            value=value,
            source="edited",
            flags=edited_flags(automatic.flags) if value is not None else (*automatic.flags, "edited"),
            note="" if value is not None else "a value that this one is derived from is missing",
            automatic=automatic,
        )
        return row.marked(measurement)


def new_state(
    measurements: Iterable[Measurement], segments: Mapping[str, tuple[Kind, str]], verified: bool, anchor: str
) -> State:
    """Make a case of measurements; values that are already edited or accepted stay so.

    A value that is only derived from edited ones is not an edit: it remains derived.
    """
    rows = {number: _row(m) for number, m in enumerate(measurements)}
    unedited = {
        number: replace(row, edit=None)
        for number, row in rows.items()
        if row.edit is not None and row.edit.by_hand and row.automatic.key[1:] in _RULE_ORDER
    }
    derived = Live({**rows, **unedited}).values
    for number, row in unedited.items():
        if derived[number].value == rows[number].shown.value:
            rows[number] = row
    return State(rows, dict(segments), verified, anchor, len(rows))


def _row(measurement: Measurement) -> Row:
    accepted, automatic = measurement.accepted, measurement.automatic
    if automatic is None:
        return Row(replace(measurement, source="automatic", accepted=None), None, accepted)
    by_hand = measurement.source == "edited"
    edit = Edit(measurement.value, measurement.p1, measurement.p2, now(), automatic.value, by_hand, measurement.snapped)
    return Row(replace(automatic, automatic=None, accepted=None), edit, accepted)


def _inputs(rows: Mapping[int, Row]) -> dict[int, tuple[int | None, ...]]:
    """Return the inputs of every derived row; rows that are inputs of others come first."""
    number_of = {row.automatic.key: number for number, row in rows.items()}
    bodies = sorted({level for level, quantity, _ in number_of if quantity == "body_depth"}, key=VERTEBRA_ORDER.index)
    found = {}
    for key, number in number_of.items():
        inputs = inputs_of(key, bodies)
        if inputs:
            found[number] = tuple(number_of.get(k) for k in inputs)
    return dict(sorted(found.items(), key=lambda item: _RULE_ORDER[rows[item[0]].automatic.key[1:]]))


def _dependents(inputs: Mapping[int, tuple[int | None, ...]]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {}
    # Last rules first: the rows derived from a derived row are known when it is reached.
    for number, sources in reversed(list(inputs.items())):
        for source in sources:
            if source is not None:
                found.setdefault(source, []).extend([number, *found.get(number, [])])
    return {source: tuple(dict.fromkeys(numbers)) for source, numbers in found.items()}
