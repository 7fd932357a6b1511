"""Canal and cord measurements at disc level and mid-vertebral level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .canal_line import CrossSection, cross_section, transverse
from .derived import derive
from .disc import depth_line
from .fields import Field
from .rows import Shared, length, row
from .spine import Piece, Spine
from .types import Measurement

Array = NDArray[np.float64]

_MINIMUM_WITHIN_MM = 5
#: Area needs slices this thin; thicker ones blur the lumen's sides.
_THIN_SLICES_MM = 1.5
#: References of the compression ratio: averaged over 20 mm, beginning 10 mm above and below (Fehlings, Spine 1999).
_REFERENCE_MM = range(10, 31, 4)


def measure_canal(spine: Spine, level: str, piece: Piece, place: str) -> list[Measurement]:
    """Canal (and cord) rows at the height of a disc (``"disc_level"``) or body (``"mid_vertebral"``)."""
    flags = tuple(f for f in piece.flags() if f != "cut_by_field_of_view")
    common = Shared(None, flags, piece.structure.confidence)
    if spine.line is None or spine.canal is None:
        note = "no canal is segmented"
        return _no_canal(level, place, common, note)
    index = spine.line.crossing(piece.frame.origin, piece.frame.superior)
    section = cross_section(spine.canal, spine.line, index, piece.frame.origin) if index is not None else None
    if index is None or section is None:
        note = "the canal does not reach this level"
        return _no_canal(level, place, common, note)
    common = replace(common, plane=section.plane)
    area_flags: tuple[str, ...] = ()
    if np.linalg.norm(spine.affine[:3, :3], axis=0).max() > _THIN_SLICES_MM:
        area_flags = ("low_confidence",)
    if spine.canal.cut_across and _at_slab_edge(spine.canal, section):
        area_flags = (*area_flags, "cut_by_field_of_view")
    spread = _spread(spine, index, piece)
    rows = [
        row(level, "canal_ap", place, section.diameter, ends=section.ends, spread=spread, shared=common),
        row(level, "canal_area", place, section.area, common.flagged(*area_flags)),
    ]
    if place == "disc_level":
        rows.append(_minimum(spine, level, piece, index, section, common))
        rows.append(_compression(spine.canal, spine, level, piece, index, "canal_compression", common))
    rows += _cord_rows(spine, level, piece, index, section, place, common, area_flags)
    return rows


def _no_canal(level: str, place: str, common: Shared, note: str) -> list[Measurement]:
    wanted = [("canal_ap", place), ("canal_area", place)]
    if place == "disc_level":
        wanted += [("canal_ap_minimum", "within_5mm"), ("canal_compression", "1-mi/mean(ma,mb)")]
    return [row(level, quantity, method, None, common, note=note) for quantity, method in wanted]


def _at_slab_edge(field: Field, section: CrossSection) -> bool:
    """True where the section widens up to the first or last slice, so that its area misses a part."""
    ends = transverse(field, section)
    if ends is None:
        return True
    margin = [field.at(np.asarray(e + s * 3.0 * section.across)[None])[0] for e, s in zip(ends, (1, -1), strict=True)]
    indices = [field.ras_to_index[:3, :3] @ e + field.ras_to_index[:3, 3] for e in ends]
    shape = np.array(field.values.shape)
    near = [bool(((i < 5.5) | (i > shape - 6.5)).any()) for i in indices]
    return any(near) and bool(np.isfinite(margin).all())


def _sections(field: Field, spine: Spine, indices: list[int], target: Array) -> list[CrossSection]:
    assert spine.line is not None
    inside = [i for i in indices if 0 <= i < len(spine.line.points)]
    found = []
    for i in inside:
        # The target moves along so that the AP direction does not lean towards the level in the middle.
        shift = spine.line.points[i] - spine.line.points[spine.line.nearest(target)]
        key = (id(field), i, target.tobytes())
        if key not in spine.sections:
            spine.sections[key] = cross_section(field, spine.line, i, target + shift)
        section = spine.sections[key]
        if section is not None:
            found.append(section)
    return found


def _spread(spine: Spine, index: int, piece: Piece) -> float | None:
    assert spine.canal is not None
    near = _sections(spine.canal, spine, [index - 3, index, index + 3], piece.frame.origin)
    return float(np.std([s.diameter for s in near], ddof=1)) if len(near) == 3 else None


def _minimum(spine: Spine, level: str, piece: Piece, index: int, section: CrossSection, common: Shared) -> Measurement:
    assert spine.canal is not None
    near = range(index - _MINIMUM_WITHIN_MM, index + _MINIMUM_WITHIN_MM + 1)
    sections = _sections(spine.canal, spine, list(near), piece.frame.origin)
    # The middle one of each three neighbours: a single section that is off must not make the least value.
    middles = [sorted(sections[n - 1 : n + 2], key=lambda s: s.diameter)[1] for n in range(1, len(sections) - 1)]
    least = min([*middles, section], key=lambda s: s.diameter)
    shared = replace(common, plane=least.plane)
    return row(level, "canal_ap_minimum", "within_5mm", least.diameter, shared, ends=least.ends)


def _compression(
    field: Field,
    spine: Spine,
    level: str,
    piece: Piece,
    index: int,
    quantity: str,
    common: Shared,
) -> Measurement:
    """1 - least diameter / mean of the references above and below."""
    target = piece.frame.origin
    here = _sections(field, spine, list(range(index - _MINIMUM_WITHIN_MM, index + _MINIMUM_WITHIN_MM + 1)), target)
    above = _sections(field, spine, [index - i for i in _REFERENCE_MM], target)
    below = _sections(field, spine, [index + i for i in _REFERENCE_MM], target)
    if not here or min(len(above), len(below)) < len(_REFERENCE_MM):
        note = "the references 10 to 30 mm above and below are not wholly in view"
        return row(level, quantity, "1-mi/mean(ma,mb)", None, note=note, shared=common)
    reference = (np.mean([s.diameter for s in above]) + np.mean([s.diameter for s in below])) / 2
    return row(level, quantity, "1-mi/mean(ma,mb)", float(1 - min(s.diameter for s in here) / reference), shared=common)


def _cord_rows(
    spine: Spine,
    level: str,
    piece: Piece,
    index: int,
    canal: CrossSection,
    place: str,
    common: Shared,
    area_flags: tuple[str, ...],
) -> list[Measurement]:
    if spine.cord is None or spine.line is None:
        return []
    if spine.cord.at(canal.centre[None])[0] < -10:
        return []
    section = cross_section(spine.cord, spine.line, index, piece.frame.origin)
    if section is None or section.area < 5.0:
        return []
    sides = transverse(spine.cord, section)
    rows = [
        row(level, "cord_ap", place, section.diameter, ends=section.ends, shared=common),
        row(level, "cord_transverse", place, length(sides) if sides else None, ends=sides, shared=common),
        row(level, "cord_area", place, section.area, common.flagged(*area_flags)),
        row(level, "cord_occupancy", place, section.area / canal.area, common.flagged(*area_flags)),
    ]
    if place == "disc_level":
        rows.append(_compression(spine.cord, spine, level, piece, index, "cord_compression", common))
    return rows


def torg_pavlov(spine: Spine, rows: list[Measurement]) -> list[Measurement]:
    """Mid-vertebral canal diameter over body depth (Torg et al., J Bone Joint Surg Am 1986)."""
    found = []
    for level, body in spine.bodies.items():
        canal = next((r.value for r in rows if r.key == (level, "canal_ap", "mid_vertebral")), None)
        depth = depth_line(body.field, body.frame) if body else None
        if body is None:
            continue
        shared = Shared(None, body.flags(), body.structure.confidence)
        if canal is None or depth is None or body.field.cut_in_slice:
            note = "the body or the canal behind it is not wholly in view"
            found.append(row(level, "torg_pavlov_ratio", "canal_body", None, shared, note=note))
        else:
            ratio = derive("torg_pavlov_ratio", "canal_body", (canal, length(depth)))
            found.append(row(level, "torg_pavlov_ratio", "canal_body", ratio, shared))
    return found
