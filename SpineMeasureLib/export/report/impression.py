"""Two lines at the head of a report: values outside published means, listhesis, narrowing of canal and cord.

Numbers in neutral words, each with its threshold. None is a diagnosis or a cut-off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...measure.definitions import definition
from ...measure.types import Measurement
from ...measure.units import number

TITLE = "Summary of measurements, not for diagnosis"
#: A value is named if it is further from the published mean: in standard deviations, or as a part of a mean without SD.
_SPREADS, _SHARE = 2.0, 0.25
#: Above the error of the measurement (tolerance of 2 mm against experts' masks).
_SLIP_MM = 3.0
#: Narrowing of canal or cord relative to the references above and below (MCC, MSCC).
_NARROWER = 0.25
#: Flags of a value that the reader has to check before anything else.
_DOUBTFUL = ("low_confidence", "cut_by_field_of_view")
#: Maximum number of values named; the others are counted.
_MAXIMUM_NAMED = 6


def impression(measurements: Sequence[Measurement]) -> tuple[str, str]:
    """Return the two lines: values against published means; slips and narrowings.

    A doubtful value is marked with a question mark. Missing values and those that are not shown first do not count.
    """
    shown = [m for m in measurements if not m.second]
    return _against_references(shown), f"{_slips(shown)} {_narrowings(shown)}"


def is_outside(m: Measurement) -> bool:
    """Return whether a value is too far from its published mean for the summary; False without a reference."""
    if m.value is None or m.reference is None:
        return False
    sd = m.reference.sd
    return abs(m.value - m.reference.mean) > (_SPREADS * sd if sd is not None else _SHARE * m.reference.mean)


def _against_references(measurements: Sequence[Measurement]) -> str:
    known = [m for m in measurements if m.reference is not None and m.value is not None]
    if not known:
        return "No published means for these levels."
    limits, notes = [], []
    if any(m.reference and m.reference.sd is not None for m in known):
        limits.append(f"{_SPREADS:g} SD")
    if any(m.reference and m.reference.sd is None for m in known):
        limits.append(f"{_SHARE:.0%}")
        notes.append(f"{limits[-1]} if no SD published" if limits[1:] else "no SD published")
    notes.append("mean in brackets")
    compared = f"{len(known)} value{'' if len(known) == 1 else 's'} compared"
    found = _by_level([m for m in known if is_outside(m)])
    return f"More than {' or '.join(limits)} from the published mean ({'; '.join(notes)}), {compared}: {found}."


def _by_level(found: Sequence[Measurement]) -> str:
    """Return ``"L1-L2 disc height, endplates anterior 4.3 (6.9), middle 5.2 (7.9); L3-L4 ..."``."""
    levels: dict[str, list[str]] = {}
    said: dict[str, str] = {}
    for m in found:
        assert m.value is not None and m.reference is not None
        d = definition(m.quantity, m.method, m.level)
        what, place = (d.over, d.heading) if d.heading else (d.phrase, "")
        name = place if said.get(m.level) == what else f"{what} {place}".strip()
        said[m.level] = what
        levels.setdefault(m.level, []).append(
            f"{name} {number(m.value, m.unit)} ({number(m.reference.mean, m.unit)}){_doubt(m)}"
        )
    return _listed([f"{level} {', '.join(texts)}" for level, texts in levels.items()])


def _slips(measurements: Sequence[Measurement]) -> str:
    slips = [m for m in measurements if m.key[1:] == ("listhesis", "posterior_corners") and m.value is not None]
    if not slips:
        return "Listhesis: not measured."

    def text(m: Measurement) -> str:
        assert m.value is not None
        return f"{number(abs(m.value), m.unit)} mm {'anterior' if m.value > 0 else 'posterior'}"

    found = _named([m for m in slips if m.value is not None and abs(m.value) >= _SLIP_MM], text)
    return f"Listhesis of {_SLIP_MM:g} mm or more: {found}."


def _narrowings(measurements: Sequence[Measurement]) -> str:
    known = [m for m in measurements if m.quantity in ("canal_compression", "cord_compression") and m.value is not None]
    if not known:
        return "Canal narrowing: not measured."

    def text(m: Measurement) -> str:
        return f"{m.quantity.partition('_')[0]} {m.value:.0%}"

    found = _named([m for m in known if m.value is not None and m.value >= _NARROWER], text)
    return f"Canal or cord narrowed by {_NARROWER:.0%} or more relative to 10 to 30 mm above and below: {found}."


def _named(found: Sequence[Measurement], text: Callable[[Measurement], str]) -> str:
    return _listed([f"{m.level} {text(m)}{_doubt(m)}" for m in found])


def _doubt(m: Measurement) -> str:
    return " (?)" if set(_DOUBTFUL).intersection(m.flags) else ""


def _listed(texts: Sequence[str]) -> str:
    """Return ``"L1-L2 ...; L4-L5 ..."``, ``"none"``; values beyond the maximum are counted."""
    if not texts:
        return "none"
    more = f"; {len(texts) - _MAXIMUM_NAMED} more" if len(texts) > _MAXIMUM_NAMED else ""
    return "; ".join(texts[:_MAXIMUM_NAMED]) + more
