"""A value against a published mean as a small SVG: a dot, the mean as a tick, the SD as a band where one is given."""

from __future__ import annotations

from ...measure.types import Measurement

_WIDTH, _HEIGHT, _EDGE = 100.0, 14.0, 4.0
#: How far the scale goes at least: in standard deviations, or without one as a part of the mean.
_SPREADS, _SHARE = 3.0, 0.5


def band_chart(m: Measurement, outside: bool) -> str:
    """The chart of a value; empty without a value or a reference.

    :param outside: whether the dot is filled with the colour of values that are named in the summary.
    """
    if m.value is None or m.reference is None:
        return ""
    mean, sd = m.reference.mean, m.reference.sd
    reach = max(_SPREADS * sd if sd is not None else _SHARE * abs(mean), 1.1 * abs(m.value - mean), 1e-6)

    def x(value: float) -> float:
        return _WIDTH / 2 + (value - mean) / reach * (_WIDTH / 2 - _EDGE)

    middle = _HEIGHT / 2
    parts = [f'<line class="axis" x1="0" x2="{_WIDTH:g}" y1="{middle:g}" y2="{middle:g}"/>']
    if sd is not None:
        parts.append(
            f'<rect class="sd" x="{x(mean - sd):.1f}" y="2" width="{x(mean + sd) - x(mean - sd):.1f}" height="10"/>'
        )
    parts.append(f'<line class="mean" x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="1" y2="{_HEIGHT - 1:g}"/>')
    kind = "value outside" if outside else "value"
    parts.append(f'<circle class="{kind}" cx="{x(m.value):.1f}" cy="{middle:g}" r="3.4"/>')
    spread = "" if sd is None else f", SD {sd:g}"
    label = f"{m.value:.1f} {m.unit}, published mean {mean:g}{spread}"
    return (
        f'<svg class="band" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
