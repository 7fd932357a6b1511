"""What the report says of each value: which rows, in which order, in which words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...measure.definitions import definition
from ...measure.flags import in_words
from ...measure.types import Measurement

Column = tuple[str, str, str]

#: Summary of the discs: heading, quantity, method.
SUMMARY: tuple[Column, ...] = (
    ("anterior", "disc_height_anterior", "chord10"),
    ("middle", "disc_height_middle", "chord50"),
    ("posterior", "disc_height_posterior", "chord90"),
    ("AP depth", "disc_depth", "depth50"),
    ("index", "disc_height_index", "dhi_mean3"),
    ("wedge", "disc_wedge", "wedge"),
    ("slip", "listhesis", "posterior_corners"),
    ("at disc", "canal_ap", "disc_level"),
    ("minimum", "canal_ap_minimum", "within_5mm"),
)

#: Rows of one disc level, in this order, where they are measured.
LEVEL: tuple[tuple[str, str], ...] = (
    *((quantity, method) for _, quantity, method in SUMMARY[:5]),
    ("disc_height_mean", "mean3"),
    ("disc_wedge", "wedge"),
    ("segmental_angle", "cobb"),
    ("listhesis", "posterior_corners"),
    ("canal_ap", "disc_level"),
    ("canal_ap_minimum", "within_5mm"),
    ("canal_area", "disc_level"),
    ("canal_compression", "1-mi/mean(ma,mb)"),
    ("cord_ap", "disc_level"),
    ("cord_area", "disc_level"),
    ("cord_compression", "1-mi/mean(ma,mb)"),
)

#: Summary of the vertebrae.
BODIES: tuple[Column, ...] = (
    ("anterior", "body_height_anterior", "corner"),
    ("middle", "body_height_middle", "chord50"),
    ("posterior", "body_height_posterior", "corner"),
    ("AP depth", "body_depth", "depth50"),
    ("wedge ratio", "body_wedge_ratio", "anterior_posterior"),
    ("crush ratio", "body_crush_ratio", "posterior_neighbours"),
    ("canal AP", "canal_ap", "mid_vertebral"),
    ("Torg-Pavlov", "torg_pavlov_ratio", "canal_body"),
)

_ALIGNMENT = ("lordosis", "kyphosis")
_UNITS = {"ratio": "", "deg": "\u00b0", "mm2": "mm\u00b2", "mm3": "mm\u00b3"}
#: Said once at the head of the report, or by the empty cell itself, or by the mark of an edited value.
_SAID_ELSEWHERE = ("level_unverified", "not_measurable", "edited")


def disc_levels(measurements: Iterable[Measurement]) -> list[str]:
    """Disc levels from head to sacrum."""
    return list(dict.fromkeys(m.level for m in measurements if m.quantity == "disc_height_middle"))


def body_levels(measurements: Iterable[Measurement]) -> list[str]:
    """Vertebrae from head to sacrum."""
    return list(dict.fromkeys(m.level for m in measurements if m.quantity == "body_height_middle"))


def alignment(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Regional angles."""
    return [m for m in measurements if m.quantity in _ALIGNMENT]


def shown(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Every row that the report prints, in the order of printing."""
    by_key = {m.key: m for m in measurements}
    keys = [(level, *row) for level in disc_levels(measurements) for row in LEVEL]
    keys += [(level, q, m) for level in body_levels(measurements) for _, q, m in BODIES]
    return [by_key[key] for key in keys if key in by_key] + alignment(measurements)


def number(value: float | None, unit: str) -> str:
    """A value as the report prints it: ratios with two decimals, areas and volumes with none, others with one."""
    if value is None:
        return "\u2013"
    digits = {"ratio": 2, "mm2": 0, "mm3": 0}.get(unit, 1)
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not float(text) else text


def unit_text(unit: str) -> str:
    """A unit as the report prints it."""
    return _UNITS.get(unit, unit)


def is_edited(m: Measurement) -> bool:
    """Whether a person moved the line of the value, or one that it follows from."""
    return m.source == "edited"


def unaccepted_edits(measurements: Sequence[Measurement], accepted_by: str) -> str:
    """The warning that a report needs if values in it were edited and nobody accepted them; else empty.

    :param accepted_by: who accepts the whole case.
    """
    values = _values(measurements)
    count = 0 if accepted_by else sum(is_edited(m) and m.accepted is None for m in values)
    if not count:
        return ""
    return f"{count} of {len(values)} values {'was' if count == 1 else 'were'} edited by hand and not accepted."


def state(measurements: Sequence[Measurement], accepted_by: str) -> str:
    """How many values are edited, accepted and by whom, and doubtful.

    :param accepted_by: who accepts the whole case.
    """
    values = _values(measurements)
    accepted, edited = [m.accepted for m in values if m.accepted], sum(map(is_edited, values))
    doubtful = sum("low_confidence" in m.flags for m in values)
    reviewers = ", ".join(dict.fromkeys(a.reviewer for a in accepted if a.reviewer))
    by = f" by {reviewers}" if reviewers else ""
    parts = [f"{edited} of {len(values)} values edited by hand."] if edited else []
    if accepted_by:
        parts.append(f"Accepted by {accepted_by}.")
    elif len(accepted) == len(values) > 0:
        parts.append(f"All values accepted{by or ', without a name'}.")
    elif accepted:
        parts.append(f"{len(accepted)} of {len(values)} values accepted{by}; the others are not.")
    else:
        parts.append("No value accepted." if edited else "Automatic values, not yet accepted.")
    if doubtful:
        parts.append(f"{doubtful} of {len(values)} values {'has' if doubtful == 1 else 'have'} low confidence.")
    return " ".join(parts)


def _values(measurements: Sequence[Measurement]) -> list[Measurement]:
    """What the report prints and has a value."""
    return [m for m in shown(measurements) if m.value is not None]


def remarks(measurements: Iterable[Measurement | None], without: Iterable[str] = ()) -> str:
    """Flags in words, and notes, each once; those of values that there are: `reasons` says why others are missing.

    :param without: flags that are said elsewhere.
    """
    silent = {*_SAID_ELSEWHERE, *without}
    found = [m for m in measurements if m and m.value is not None]
    flags = [in_words(flag) for m in found for flag in m.flags if flag not in silent]
    notes = [m.note for m in found if m.note]
    return "; ".join(dict.fromkeys([*flags, *notes]))


def shared_flags(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Flags that every one of several values has, to be said once."""
    values = [m for m in measurements if m.value is not None]
    if len(values) < 2:
        return ()
    first = (flag for flag in values[0].flags if flag not in _SAID_ELSEWHERE)
    return tuple(flag for flag in first if all(flag in m.flags for m in values))


def reasons(measurements: Iterable[Measurement]) -> list[str]:
    """Why values are missing, each reason once with what it is that is missing."""
    missing: dict[str, list[str]] = {}
    for m in measurements:
        if m.value is None:
            title = definition(m.quantity, m.method).title
            missing.setdefault(m.note or "not measurable", []).append(title[0].lower() + title[1:])
    return [f"{', '.join(titles)}: {reason}" for reason, titles in missing.items()]
