"""The chart below the table: disc heights and canal diameters by level, with published values, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..measure.definitions import definition
from ..measure.types import Measurement
from ..measure.units import number
from ..review.case.state import automatic_of, status_of

if TYPE_CHECKING:
    from ..review.session import Key, Session

#: Quantities of the panels: their rows at discs that are shown first.
CHARTS = ("disc_height_middle", "canal_ap")

_LEFT, _RIGHT, _ROW, _TOP, _GAP = 62, 44, 18, 22, 14
_COLOURS = {"automatic": "#1976d2", "edited": "#ef6c00", "flagged": "#c62828", "accepted": "#2e7d32"}


def in_chart(key: Key) -> bool:
    """Return whether a value is in the chart."""
    return key[1] in CHARTS


def strip_chart(session: Session, width: int = 264) -> str:
    """Draw the panels side by side; empty if there is nothing to draw."""
    panels = []
    for quantity in CHARTS:
        rows = [m for m in session.rows if m.quantity == quantity and "-" in m.level and not m.second]
        if any(m.value is not None for m in rows):
            panels.append(_panel(session, rows, definition(quantity, rows[0].method, rows[0].level).title, width))
    return "".join(panels)


def _panel(session: Session, rows: Sequence[Measurement], title: str, width: int) -> str:
    maximum = max(_reach(automatic_of(m), m) for m in rows) or 1.0
    scale = (width - _LEFT - _RIGHT) / maximum
    height = _TOP + _ROW * len(rows) + _GAP
    unit = rows[0].unit
    parts = [
        f'<svg width="{width}" height="{height}" role="img" aria-label="{escape(title)} by level" font-size="11">',
        f'<text x="4" y="14" fill="currentColor" font-weight="bold">{escape(title)} ({escape(unit)})</text>',
    ]
    for place, m in enumerate(rows):
        y = _TOP + _ROW * place + _ROW / 2
        parts.append(f'<text x="4" y="{y + 4:.0f}" fill="currentColor">{escape(m.level)}</text>')
        parts.append(_reference(m, scale, y))
        if m.value is None:
            parts.append(f'<text x="{_LEFT}" y="{y + 4:.0f}" fill="currentColor">-</text>')
            continue
        x = _LEFT + scale * m.value
        colour = _COLOURS[status_of(m)]
        parts.append(f'<line x1="{_LEFT}" x2="{x:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-opacity=".4"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{colour}"/>')
        text = number(m.value, unit)
        parts.append(f'<text x="{width - 4}" y="{y + 4:.0f}" text-anchor="end" fill="currentColor">{text}</text>')
    return "".join(parts) + "</svg>"


def _reach(automatic: Measurement, shown: Measurement) -> float:
    """Return the end of the scale for a row: beyond its automatic value, so that the scale stays during most drags."""
    reference = shown.reference
    published = 0.0 if reference is None else reference.mean + (reference.sd or 0.0)
    return max(1.05 * published, 1.3 * (automatic.value or 0.0), 1.05 * (shown.value or 0.0))


def _reference(m: Measurement, scale: float, y: float) -> str:
    if m.reference is None:
        return ""
    half = max(m.reference.sd or 0.0, 1 / scale)
    x, wide = _LEFT + scale * max(0.0, m.reference.mean - half), 2 * scale * half
    title = escape(f"Published, not a cut-off: {m.reference.mean:g} ({m.reference.source})")
    return (
        f'<rect x="{x:.1f}" y="{y - 6}" width="{wide:.1f}" height="12" fill="currentColor" fill-opacity=".15">'
        f"<title>{title}</title></rect>"
    )
