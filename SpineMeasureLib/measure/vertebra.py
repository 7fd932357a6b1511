"""Vertebral body measurements: heights, depth, shape ratios, and slip between neighbours."""

from __future__ import annotations

from .chords import chord, depth_line
from .derived import derive
from .frames import alike
from .rows import Ends, Shared, length, row
from .spine import Piece, Spine
from .types import Measurement


def measure_body(level: str, body: Piece) -> list[Measurement]:
    """Measure heights, depth, wedge and biconcavity ratio of one body."""
    common = Shared(body.frame.plane, body.flags(), body.structure.confidence)
    upper, lower = body.upper, body.lower
    if body.field.cut_in_slice or upper is None or lower is None:
        reason = (
            "the body is cut by the field of view" if body.field.cut_in_slice else "an endplate could not be fitted"
        )
        wanted = (
            ("body_height_anterior", "corner"),
            ("body_height_middle", "chord50"),
            ("body_height_posterior", "corner"),
        )
        depth = None if body.field.cut_in_slice else depth_line(body.field, body.frame)
        return [
            *(row(level, q, m, None, note=reason, shared=common) for q, m in wanted),
            _depth(level, depth, common, "" if depth else reason),
        ]
    depth = depth_line(body.field, body.frame)
    middle = chord(body.field, body.frame, depth, 0.5) if depth else None
    anterior, posterior = (upper.anterior, lower.anterior), (upper.posterior, lower.posterior)
    ha, hp = length(anterior), length(posterior)
    hm = length(middle) if middle else None
    missed = "" if middle else "the body is not crossed at mid-height or mid-depth by its measuring lines"
    return [
        row(level, "body_height_anterior", "corner", ha, ends=anterior, shared=common),
        row(level, "body_height_middle", "chord50", hm, ends=middle, note=missed, shared=common),
        row(level, "body_height_posterior", "corner", hp, ends=posterior, shared=common),
        _depth(level, depth, common, "" if depth else missed),
        *(
            row(level, quantity, method, derive(quantity, method, heights), note=note, shared=common)
            for quantity, method, heights, note in (
                ("body_wedge_ratio", "anterior_posterior", (ha, hp), ""),
                ("body_biconcavity_ratio", "middle_posterior", (hm, hp), missed),
            )
        ),
    ]


def _depth(level: str, depth: Ends | None, common: Shared, note: str = "") -> Measurement:
    value = length(depth) if depth else None
    return row(level, "body_depth", "depth50", value, ends=depth, note=note, shared=common)


def crush_ratios(spine: Spine, rows: list[Measurement]) -> list[Measurement]:
    """Return the posterior height of each body over the mean of its neighbours' posterior heights."""
    posterior = {r.level: r.value for r in rows if r.key[1:] == ("body_height_posterior", "corner")}
    found = []
    order = spine.level_order()
    for n, level in enumerate(order):
        mine = posterior.get(level)
        near = [posterior.get(other) for other in order[max(0, n - 1) : n + 2] if other != level]
        if mine is None:
            continue
        body = spine.bodies[level]
        flags = body.flags() if body else ()
        value = derive("body_crush_ratio", "posterior_neighbours", (mine, *near))
        note = "" if value is not None else "no neighbouring body is completely in view"
        found.append(row(level, "body_crush_ratio", "posterior_neighbours", value, Shared(None, flags), note=note))
    return found


def measure_slip(level: str, disc: Piece) -> list[Measurement]:
    """Listhesis: offset of the posterior corners along the lower endplate, positive with the upper one forward."""
    common = Shared(disc.frame.plane, disc.flags(), disc.structure.confidence)
    upper, lower = disc.upper, disc.lower
    if upper is None or lower is None or not (upper.own and lower.own):
        note = "a facing endplate is not segmented"
        methods = ("posterior_corners", "posterior_corners_percent")
        return [row(level, "listhesis", method, None, note=note, shared=common) for method in methods]
    if not alike(upper, lower):
        common = common.flagged("low_confidence")
    along = (lower.anterior - lower.posterior) / length((lower.anterior, lower.posterior))
    slip = float((upper.posterior - lower.posterior) @ along)
    foot = lower.posterior + slip * along
    percent = 100 * slip / length((lower.anterior, lower.posterior))
    return [
        row(level, "listhesis", "posterior_corners", slip, ends=(foot, lower.posterior), shared=common),
        row(level, "listhesis", "posterior_corners_percent", percent, shared=common),
    ]
