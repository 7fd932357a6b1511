"""The units of values: decimals, printed sign and UCUM code of each."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import Code


@dataclass(frozen=True)
class Unit:
    """A unit.

    :ivar decimals: with which values are shown; files keep more.
    :ivar sign: as it is printed behind a value; empty for ratios.
    """

    decimals: int
    sign: str
    code: Code


#: By the name in `Measurement.unit`.
UNITS: dict[str, Unit] = {
    "mm": Unit(1, "mm", Code("mm", "millimeter", "UCUM")),
    "mm2": Unit(0, "mm\u00b2", Code("mm2", "square millimeter", "UCUM")),
    "mm3": Unit(0, "mm\u00b3", Code("mm3", "cubic millimeter", "UCUM")),
    "deg": Unit(1, "\u00b0", Code("deg", "degree", "UCUM")),
    "ratio": Unit(2, "", Code("1", "no units", "UCUM")),
    "%": Unit(1, "%", Code("%", "percent", "UCUM")),
}


def number(value: float | None, unit: str, *, sign: str = "", missing: str = "\u2013") -> str:
    """A value as it is shown, without its unit.

    >>> number(8.26, "mm"), number(0.314, "ratio"), number(-0.04, "deg"), number(None, "mm", missing="-")
    ('8.3', '0.31', '0.0', '-')

    :param sign: ``"+"`` to show the sign of positive values too.
    """
    if value is None:
        return missing
    text = f"{value:{sign}.{UNITS[unit].decimals}f}"
    return text[1:] if text.startswith("-") and not float(text) else text
