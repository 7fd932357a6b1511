"""Canal and cord measurements at disc level and mid-vertebral level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..orientation import voxel_sizes
from .canal_line import Centreline, CrossSection, cross_section, no_lumen, transverse
from .chords import depth_line
from .derived import derive
from .edge_confidence import with_edge_confidence
from .fields import Field, intervals
from .frames import unit
from .rows import Ends, Shared, length, row
from .spine import FEW_SLICES, THIN_SLICES_MM, Piece, Spine
from .types import Measurement
from .wall import WallField

Array = NDArray[np.float64]

_MINIMUM_WITHIN_MM = 5
#: The line of an ellipse that is cut off where its depth is this fraction of the line is half a millimetre too short.
_AS_DEEP = 0.95
#: References of the compression ratio: averaged over 20 mm, beginning 10 mm above and below (Fehlings, Spine 1999).
_REFERENCE_MM = range(10, 31, 4)
#: References from which places without lumen are left out need this many others above and below.
_FEWEST_REFERENCES = 3
#: The lumen is interrupted at most this far by a stenosis; in a longer gap it is not segmented.
_LONGEST_GAP_MM = 40
#: A canal that leaves the slices at a side does so in this last part of its centreline.
_LEAVES_MM = 20
_COMPRESSION = "1-mi/mean(ma,mb)"
#: An edge with less contrast than this part of what is between lumen and surroundings is not seen.
_NO_WALL = 0.05
_FOLLOWS = "an end has no edge in the image that can be trusted: it follows the wall around it"
_DARK_CSF = "CSF is as dark as the dura in this image: measured to the outer surface of the dura"
_NOT_SEEN = "the image does not show the wall of the canal"
_NO_LUMEN = "the canal has no lumen here"
_NOT_NARROWED = "negative: not narrowed here"


@dataclass(frozen=True)
class Lumens:
    """Canal and cord of a case by one definition of their boundary.

    :ivar canal: None if there is none, or the image does not show it.
    :ivar wall: the boundaries are edges of the image, see `wall`; else those of the masks.
    """

    canal: Field | None
    cord: Field | None
    wall: bool

    def method(self, of_masks: str) -> str:
        """Return the name of a method."""
        return "wall" if self.wall else of_masks


def lumens(spine: Spine) -> tuple[Lumens, ...]:
    """Return the lumens of a case: between edges of the image if it has one, and of the masks."""
    of_masks = Lumens(spine.canal, spine.cord, False)
    return (of_masks,) if spine.edges is None else (Lumens(spine.edges.canal, spine.edges.cord, True), of_masks)


def measure_canal(spine: Spine, level: str, piece: Piece, place: str, of: Lumens) -> list[Measurement]:
    """Return the canal (and cord) rows at the height of a disc (``"disc_level"``) or body (``"mid_vertebral"``).

    Where CSF is dark (T1) the wall in the image is the outer surface of the dura, as the boundary of the rows says.
    """
    common = Shared(None, piece.flags(), None if of.wall else piece.structure.confidence)
    if spine.line is None or of.canal is None:
        note = "no canal is segmented" if spine.canal is None else _NOT_SEEN
        return _no_canal(level, place, of, common, note)
    index = spine.line.passage(piece.frame.origin, piece.frame.superior)
    section = _at_level(spine, of.canal, index, piece.frame.origin) if index is not None else None
    if index is None or section is None:
        note = "the canal does not reach this level"
        return _no_canal(level, place, of, common, note)
    common = replace(common, plane=section.plane).flagged(*_doubts(spine, of.canal, section))
    spread = _spread(spine, of.canal, index, piece) if section.area else None
    method = of.method(place)
    diameter = row(level, "canal_ap", method, section.diameter, ends=section.ends, spread=spread, shared=common)
    across = common.flagged(*_doubts_across(spine, of.canal, section))
    rows = [_sure(diameter, of.canal, section), row(level, "canal_area", method, section.area, across)]
    if place == "disc_level":
        narrowest, shared = _narrowest(of.canal, spine, piece, index, section, common)
        rows.append(_minimum(level, of, narrowest, shared))
        rows.append(_compression(of.canal, spine, level, piece, index, "canal_compression", of, narrowest, shared))
    if isinstance(of.canal, WallField) and of.canal.wall.rising:
        rows = [replace(r, boundary="outer_dura", note=r.note or _DARK_CSF) for r in rows]
    return rows + _cord_rows(spine, level, piece, index, section, place, of, common)


def _sure(measurement: Measurement, field: Field, section: CrossSection) -> Measurement:
    """Return the row of a diameter between walls with its confidence; a diameter between masks as it is."""
    if not isinstance(field, WallField) or measurement.value is None or not section.area:
        return measurement
    strengths, spreads = zip(*(field.wall.certainty_at(end) for end in section.ends), strict=True)
    sure = with_edge_confidence(measurement, min(strengths), max(spreads))
    sure = replace(sure, repeatability=measurement.repeatability)
    return sure if min(strengths) > _NO_WALL else replace(sure, note=_FOLLOWS).flagged("edge_not_found")


def _no_canal(level: str, place: str, of: Lumens, common: Shared, note: str) -> list[Measurement]:
    wanted = [("canal_ap", place), ("canal_area", place)]
    if place == "disc_level":
        wanted += [("canal_ap_minimum", "within_5mm"), ("canal_compression", _COMPRESSION)]
    return [row(level, quantity, of.method(method), None, common, note=note) for quantity, method in wanted]


def _doubts(spine: Spine, field: Field, section: CrossSection) -> list[str]:
    """Return the flags of a diameter: the lumen ends there, or its middle is beyond the slices or on too few."""
    obliterated = ["obliterated"] if section.diameter < _pixel(spine) else []
    if not section.area:
        return obliterated + (["cut_by_field_of_view"] if spine.at_border(section.centre[None]) else [])
    sides = transverse(field, section)
    found = obliterated
    if spine.at_border(np.stack([*section.ends, *section.beyond])) or _middle_out_of_view(spine, field, section, sides):
        found.append("cut_by_field_of_view")
    elif len(section.beyond):
        found.append("low_confidence")
    if sides and field.slice_axis is not None:
        across = field.ras_to_index[field.slice_axis, :3] @ (sides[0] - sides[1])
        if round(abs(float(across))) < FEW_SLICES:
            found.append("few_slices")
    return found


def _middle_out_of_view(spine: Spine, field: Field, section: CrossSection, sides: Ends | None) -> bool:
    """Return whether the image cuts off so much of the lumen at a side that its middle may be out of view.

    The lumen is about as deep there as at the line of the diameter, or it is less wide than deep near an end of the
    centreline, where the canal leaves the slices.
    """
    cut = [side for side in sides or () if spine.at_border(side[None])]
    assert spine.line is not None
    at = spine.line.nearest(section.centre)
    at_end = min(at, len(spine.line.points) - 1 - at) < _LEAVES_MM
    if sides and len(cut) == 1 and at_end and length(sides) < section.diameter:
        return True
    for side in cut:
        inwards = unit(section.centre - side)
        start, end = intervals(field, (side + spine.thickness / 2 * inwards)[None], section.anterior, 20.0)[0]
        if end - start > _AS_DEEP * section.diameter:
            return True
    return False


def _doubts_across(spine: Spine, field: Field, section: CrossSection) -> list[str]:
    """Return the flags of the area and the width of a section: slices may miss or blur its sides."""
    found = ["low_confidence"] if spine.thickness > THIN_SLICES_MM else []
    if not section.area:
        return found
    sides = transverse(field, section)
    return found if sides and not spine.at_border(np.stack(sides)) else [*found, "cut_by_field_of_view"]


def _doubts_of_any(spine: Spine, field: Field, sections: Iterable[CrossSection | None]) -> list[str]:
    return sorted({flag for s in sections for flag in (_doubts(spine, field, s) if s else ("low_confidence",))})


def _pixel(spine: Spine) -> float:
    return float(voxel_sizes(spine.affine).min())


def _at_level(spine: Spine, field: Field, index: float, target: Array) -> CrossSection | None:
    """Return the section at a level: without lumen if a stenosis interrupts the canal there, None beyond its ends."""
    assert spine.line is not None
    section = cross_section(field, spine.line, index, target)
    if section is None and _interrupted(field, spine, index, target):
        return no_lumen(spine.line, index, target)
    return section


def _sections(field: Field, spine: Spine, indices: Iterable[float], target: Array) -> list[CrossSection | None]:
    """Return the section at each place of the centreline, None if there is none.

    If a stenosis interrupts the canal there, the section has no lumen.
    """
    assert spine.line is not None
    found: list[CrossSection | None] = []
    for i in indices:
        section = _section(field, spine, i, target)
        if section is None and not spine.is_cord(field) and _interrupted(field, spine, i, target):
            section = no_lumen(spine.line, i, _moved_along(spine.line, i, target))
        found.append(section)
    return found


def _section(field: Field, spine: Spine, index: float, target: Array) -> CrossSection | None:
    assert spine.line is not None
    if not 0 <= index <= len(spine.line.points) - 1:
        return None
    key = (id(field), index, target.tobytes())
    if key not in spine.sections:
        moved = _moved_along(spine.line, index, target)
        spine.sections[key] = cross_section(field, spine.line, index, moved)
    return spine.sections[key]


def _moved_along(line: Centreline, index: float, target: Array) -> Array:
    """Return the target moved along the line, so that the AP direction does not tilt towards its level."""
    moved: Array = target + line.at(index)[0] - line.points[line.nearest(target)]
    return moved


def _interrupted(field: Field, spine: Spine, index: float, target: Array) -> bool:
    """Return whether a place without lumen has lumen above and below it, not too far from each other."""
    gap = 0
    for step in (-1, 1):
        steps = range(1, _LONGEST_GAP_MM + 1)
        gap += next((n for n in steps if _section(field, spine, index + step * n, target)), _LONGEST_GAP_MM + 1)
    return gap <= _LONGEST_GAP_MM


def _whole(sections: Iterable[CrossSection | None]) -> list[CrossSection]:
    """Return the sections that are not narrowed by an end of the lumen."""
    return [s for s in sections if s is not None and not len(s.beyond)]


def _narrowest(
    field: Field, spine: Spine, piece: Piece, index: float, section: CrossSection, common: Shared
) -> tuple[CrossSection | None, Shared]:
    """Find the section with the minimum diameter within 5 mm of a disc's plane, and the flags of all considered.

    Sections narrowed by an end of the lumen are left out. For the others the median of each three neighbours counts, so
    that a single wrong section does not set the minimum. A section without lumen always counts.

    :param section: the one in the disc's plane, which counts by itself.
    """
    found = _near(field, spine, index, piece)
    whole = _whole(found)
    middles = [sorted(whole[n - 1 : n + 2], key=lambda s: s.diameter)[1] for n in range(1, len(whole) - 1)]
    candidates = [*middles, *_whole([section]), *(s for s in whole if not s.area)]
    narrowest = min(candidates, key=lambda s: s.diameter) if candidates else None
    return narrowest, common.flagged(*_doubts_of_any(spine, field, found))


def _near(field: Field, spine: Spine, index: float, piece: Piece) -> list[CrossSection | None]:
    """Return the sections within 5 mm of a disc's plane."""
    steps = range(-_MINIMUM_WITHIN_MM, _MINIMUM_WITHIN_MM + 1)
    return _sections(field, spine, [index + n for n in steps], piece.frame.origin)


def _spread(spine: Spine, field: Field, index: float, piece: Piece) -> float | None:
    near = _whole(_sections(field, spine, [index - 3, index, index + 3], piece.frame.origin))
    return float(np.std([s.diameter for s in near], ddof=1)) if len(near) == 3 else None


def _minimum(level: str, of: Lumens, narrowest: CrossSection | None, shared: Shared) -> Measurement:
    method = of.method("within_5mm")
    if narrowest is None or of.canal is None:
        return row(level, "canal_ap_minimum", method, None, shared, note="the canal ends at this level")
    shared = replace(shared, plane=narrowest.plane)
    made = row(level, "canal_ap_minimum", method, narrowest.diameter, shared, ends=narrowest.ends)
    return _sure(made, of.canal, narrowest)


def _compression(
    field: Field,
    spine: Spine,
    level: str,
    piece: Piece,
    index: float,
    quantity: str,
    of: Lumens,
    narrowest: CrossSection | None,
    shared: Shared,
) -> Measurement:
    """Return 1 - minimum diameter / mean of the references above and below; negative if nothing is narrowed."""
    method = of.method(_COMPRESSION)
    if narrowest is None:
        return row(level, quantity, method, None, shared, note=f"the {quantity.partition('_')[0]} ends at this level")
    target = piece.frame.origin
    above, below = (
        _whole(_sections(field, spine, [index + way * i for i in _REFERENCE_MM], target)) for way in (-1, 1)
    )
    if min(len(above), len(below)) < len(_REFERENCE_MM):
        note = "the references 10 to 30 mm above and below are not completely in view"
        return row(level, quantity, method, None, shared, note=note)
    above, below = ([s for s in side if s.area] for side in (above, below))
    if min(len(above), len(below)) < _FEWEST_REFERENCES:
        note = "the canal has no lumen at most of the references 10 to 30 mm above and below"
        return row(level, quantity, method, None, shared, note=note)
    shared = shared.flagged(*_doubts_of_any(spine, field, [*above, *below]))
    if len(above) + len(below) < 2 * len(_REFERENCE_MM):
        shared = shared.flagged("low_confidence")
    reference = (np.mean([s.diameter for s in above]) + np.mean([s.diameter for s in below])) / 2
    value = float(1 - narrowest.diameter / reference)
    return row(level, quantity, method, value, shared, note=_NOT_NARROWED if round(value, 2) < 0 else "")


def _cord_rows(
    spine: Spine,
    level: str,
    piece: Piece,
    index: float,
    canal: CrossSection,
    place: str,
    of: Lumens,
    common: Shared,
) -> list[Measurement]:
    cord = of.cord
    if cord is None or of.canal is None or spine.line is None:
        return []
    if not canal.area:
        return _no_cord(spine, level, piece, index, place, of, common)
    if cord.at(canal.centre[None])[0] < -10:
        return []
    section = cross_section(cord, spine.line, index, piece.frame.origin)
    if section is None or section.area < 5.0:
        return []
    sides = transverse(cord, section)
    common = common.flagged(*_doubts(spine, cord, section))
    across = common.flagged(*_doubts_across(spine, cord, section))
    both = across.flagged(*_doubts_across(spine, of.canal, canal))
    method = of.method(place)
    rows = [
        row(level, "cord_ap", method, section.diameter, ends=section.ends, shared=common),
        row(level, "cord_transverse", method, length(sides) if sides else None, ends=sides, shared=across),
        row(level, "cord_area", method, section.area, across),
        row(level, "cord_occupancy", method, section.area / canal.area, both),
    ]
    if place == "disc_level":
        narrowest, shared = _narrowest(cord, spine, piece, index, section, common)
        if any(s is not None and not s.area for s in _near(of.canal, spine, index, piece)):
            return [*rows, row(level, "cord_compression", of.method(_COMPRESSION), None, shared, note=_NO_LUMEN)]
        rows.append(_compression(cord, spine, level, piece, index, "cord_compression", of, narrowest, shared))
    return rows


def _no_cord(
    spine: Spine, level: str, piece: Piece, index: float, place: str, of: Lumens, common: Shared
) -> list[Measurement]:
    """Return rows without a value if the cord continues above and below a place without lumen, else none."""
    assert of.cord is not None
    if not _interrupted(of.cord, spine, index, piece.frame.origin):
        return []
    wanted = [(f"cord_{name}", place) for name in ("ap", "transverse", "area", "occupancy")]
    if place == "disc_level":
        wanted.append(("cord_compression", _COMPRESSION))
    return [row(level, quantity, of.method(method), None, common, note=_NO_LUMEN) for quantity, method in wanted]


def torg_pavlov(spine: Spine, rows: list[Measurement]) -> list[Measurement]:
    """Return the mid-vertebral canal diameter over body depth (Torg et al., J Bone Joint Surg Am 1986)."""
    found = []
    for level, body in spine.bodies.items():
        canal = next((r for r in rows if r.key == (level, "canal_ap", "mid_vertebral")), None)
        depth = depth_line(body.field, body.frame) if body else None
        if body is None:
            continue
        shared = Shared(None, body.flags(), body.structure.confidence)
        if canal is None or canal.value is None or depth is None or body.field.cut_in_slice:
            note = "the body or the canal behind it is not completely in view"
            found.append(row(level, "torg_pavlov_ratio", "canal_body", None, shared, note=note))
        else:
            ratio = derive("torg_pavlov_ratio", "canal_body", (canal.value, length(depth)))
            found.append(row(level, "torg_pavlov_ratio", "canal_body", ratio, shared.flagged(*canal.flags)))
    return found
