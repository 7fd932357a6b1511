"""The rows of the report, their order, and their remarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...measure.definitions import body_levels, definition, disc_levels, listed, shown_ends
from ...measure.flags import in_words
from ...measure.types import Measurement

#: Meaning of the sign of two quantities.
SIGNS = "Wedge: positive if open anteriorly. Slip (listhesis): positive if the upper vertebra is displaced anteriorly."
#: Flags shown elsewhere: at the head of the report, by the empty cell, or by the mark of an edited value.
_SHOWN_ELSEWHERE = ("level_unverified", "not_measurable", "edited")


def alignment(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return the regional angles."""
    return [m for m in measurements if definition(m.quantity, m.method, m.level).at == "region"]


def shown(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return every row that the report prints, in the order of printing."""
    by_key = {m.key: m for m in measurements}
    ends = shown_ends(measurements)
    keys = [(level, *d.key) for level in disc_levels(measurements) for d in listed("disc", ends)]
    keys += [(level, *d.key) for level in body_levels(measurements) for d in listed("body", ends)]
    return [by_key[key] for key in keys if key in by_key] + alignment(measurements)


def unaccepted_edits(measurements: Sequence[Measurement], accepted_by: str) -> str:
    """Return the warning of a report with values that were edited but not accepted; else empty.

    :param accepted_by: who accepts the whole case.
    """
    values = _values(measurements)
    count = 0 if accepted_by else sum(m.is_edited and m.accepted is None for m in values)
    if not count:
        return ""
    return f"{count} of {len(values)} values {'was' if count == 1 else 'were'} edited by hand but not accepted."


def state(measurements: Sequence[Measurement], accepted_by: str) -> str:
    """Return the numbers of edited, accepted and doubtful values, and the reviewers.

    :param accepted_by: who accepts the whole case.
    """
    values = _values(measurements)
    accepted, edited = [m.accepted for m in values if m.accepted], sum(m.is_edited for m in values)
    doubtful = sum("low_confidence" in m.flags for m in values)
    reviewers = ", ".join(dict.fromkeys(a.reviewer for a in accepted if a.reviewer))
    by = f" by {reviewers}" if reviewers else ""
    parts = [f"{edited} of {len(values)} values edited by hand."] if edited else []
    if accepted_by:
        parts.append(f"Accepted by {accepted_by}.")
    elif len(accepted) == len(values) > 0:
        parts.append(f"All values accepted{by or ' (reviewer not recorded)'}.")
    elif accepted:
        parts.append(f"{len(accepted)} of {len(values)} values accepted{by}.")
    else:
        parts.append("No values accepted." if edited else "Automatic values, not yet accepted.")
    if doubtful:
        parts.append(f"{doubtful} of {len(values)} values {'has' if doubtful == 1 else 'have'} low confidence.")
    return " ".join(parts)


def _values(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the rows of the report that have a value."""
    return [m for m in shown(measurements) if m.value is not None]


def remarks(measurements: Iterable[Measurement | None], without: Iterable[str] = ()) -> str:
    """Return the flags in words, and notes, each once, of rows with a value; for the others see `reasons`.

    :param without: flags shown elsewhere.
    """
    silent = {*_SHOWN_ELSEWHERE, *without}
    found = [m for m in measurements if m and m.value is not None]
    flags = [in_words(flag) for m in found for flag in m.flags if flag not in silent]
    notes = [m.note for m in found if m.note]
    return "; ".join(dict.fromkeys([*flags, *notes]))


def shared_flags(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Return the flags that all of several values have, to be shown once."""
    values = [m for m in measurements if m.value is not None]
    if len(values) < 2:
        return ()
    first = (flag for flag in values[0].flags if flag not in _SHOWN_ELSEWHERE)
    return tuple(flag for flag in first if all(flag in m.flags for m in values))


def reasons(measurements: Iterable[Measurement]) -> list[str]:
    """Return why values are missing: each reason once, with the missing quantities."""
    missing: dict[str, list[str]] = {}
    for m in measurements:
        if m.value is None:
            missing.setdefault(m.note or "not measurable", []).append(definition(m.quantity, m.method, m.level).phrase)
    return [f"{', '.join(phrases)}: {reason}" for reason, phrases in missing.items()]
