"""Rows of the lines whose ends lie on edges of the image; an end without an edge stays on the mask and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .case_edges import CaseEdges
from .definitions import definition
from .derived import RULES, derive, inputs_of
from .edge_confidence import with_edge_confidence
from .endplates import EdgePair
from .rows import Shared, row
from .spine import Piece, Spine
from .types import Measurement

Array = NDArray[np.float64]

PLACES = {"anterior": 0.10, "middle": 0.50, "posterior": 0.90}
_NO_EDGE = "an end has no edge in the image that can be trusted: it stays on the segmentation"
_DARK_MARROW = "the marrow is as dark as the endplate in this image: measured between the edges of the {}"
_NO_IMAGE_OF_IT = "the image does not show its surroundings"
#: Why an input has no row.
_OUT_OF_VIEW = {
    "disc_height_index": "the body above is not completely in view",
    "body_crush_ratio": "no neighbouring body is completely in view",
}
#: Less than this part of the profiles of an end with a trusted edge is not an edge.
_ENOUGH = 0.5


def disc_edge_rows(spine: Spine, level: str, disc: Piece) -> list[Measurement]:
    """Return the heights of a disc between its bony endplates; none if the case has no image.

    Between the surfaces of the disc, as their boundary says, if the marrow is as dark as the endplates.
    """
    if spine.edges is None:
        return []
    common = Shared(disc.frame.plane, disc.flags())
    pair = spine.edges.discs.get(level)
    note = _note(spine.edges, pair, "disc")
    rows = [
        _height(level, f"disc_height_{p}", f"endplate{round(100 * f)}", pair, f, common, note)
        for p, f in PLACES.items()
    ]
    rows.append(_mean_height(level, pair, common, note))
    # References are of heights between bony endplates.
    return rows if spine.edges.bright_marrow else [replace(r, boundary="disc_surface") for r in rows]


def _mean_height(level: str, pair: EdgePair | None, common: Shared, note: str) -> Measurement:
    if pair is None:
        return row(level, "disc_height_mean", "endplate_area_depth", None, common, note=note)
    inside = (pair.along >= pair.back) & (pair.along <= pair.front)
    area = np.trapezoid((pair.upper - pair.lower)[inside], pair.along[inside])
    whole = common if _trusted(pair, inside) else common.flagged("edge_not_found")
    mean = float(area / (pair.along[inside][-1] - pair.along[inside][0]))
    return row(level, "disc_height_mean", "endplate_area_depth", mean, whole, note=note)


def body_edge_rows(spine: Spine, level: str, body: Piece) -> list[Measurement]:
    """Return the heights of a body between the edges of its marrow; none if the case has no image."""
    if spine.edges is None:
        return []
    common = Shared(body.frame.plane, body.flags())
    pair = None if body.field.cut_in_slice else spine.edges.bodies.get(level)
    note = "the body is cut by the field of view" if body.field.cut_in_slice else _note(spine.edges, pair, "body")
    return [_height(level, f"body_height_{p}", "cortex", pair, f, common, note) for p, f in PLACES.items()]


def _note(edges: CaseEdges, pair: EdgePair | None, what: str) -> str:
    if pair is None:
        return _NO_IMAGE_OF_IT
    return "" if edges.bright_marrow else _DARK_MARROW.format(what)


def _height(
    level: str, quantity: str, method: str, pair: EdgePair | None, place: float, common: Shared, note: str
) -> Measurement:
    if pair is None:
        return row(level, quantity, method, None, common, note=note)
    band = pair.band(place)
    if not _trusted(pair, band):
        common, note = common.flagged("edge_not_found"), _NO_EDGE
    made = row(level, quantity, method, pair.height(place), common, ends=pair.ends(place), note=note)
    return with_edge_confidence(made, pair.strength(place), pair.spread(place)) if made.value is not None else made


def _trusted(pair: EdgePair, band: NDArray[np.bool_]) -> bool:
    found = all(bool(t.trusted[band].mean() >= _ENOUGH) for t in (pair.upper_trace, pair.lower_trace))
    return found and bool((pair.upper > pair.lower)[band].all())


def derived_edge_rows(spine: Spine, rows: Sequence[Measurement]) -> list[Measurement]:
    """Return the means and ratios of heights between edges; none without an image.

    :param rows: of the whole case.
    """
    if spine.edges is None:
        return []
    by_key = {r.key: r for r in rows}
    pieces = {level: piece for level, piece in (*spine.discs.items(), *spine.bodies.items()) if piece}
    bodies, found = spine.level_order(), []
    for rule in RULES:
        what = definition(rule.quantity, rule.method)
        for level, piece in pieces.items() if what.ends_on == "edges" else ():
            if ("-" in level) != (what.at == "disc"):
                continue
            inputs = [by_key.get(key) for key in inputs_of((level, rule.quantity, rule.method), bodies)]
            value = derive(rule.quantity, rule.method, [r.value if r else None for r in inputs])
            flags = {flag for r in inputs if r and r.value is not None for flag in r.flags}
            shared = Shared(None, (*piece.flags(), *sorted(flags)))
            reason = next((r.note for r in inputs if r and r.value is None), _OUT_OF_VIEW.get(rule.quantity, ""))
            made = row(level, rule.quantity, rule.method, value, shared, note=reason if value is None else "")
            if inputs[0] and inputs[0].boundary:
                made = replace(made, boundary=inputs[0].boundary)
            by_key[made.key] = made
            found.append(made)
    return found
