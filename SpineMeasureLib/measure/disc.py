"""Disc measurements: heights, depth, width, area, volume, index, wedge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .chords import REACH_MM, chord, depth_line
from .definitions import methods
from .derived import derive
from .fields import Field, intervals
from .frames import Frame, alike, tilt
from .rows import Ends, Shared, length, row
from .spine import THIN_SLICES_MM, Piece, Spine
from .types import Measurement

Array = NDArray[np.float64]

_NEIGHBOURS_MM = (-3.0, 3.0)
#: Heights along the disc normal: where they are taken, as a part of the AP depth from anterior.
_CHORDS = {
    ("disc_height_anterior", "chord10"): 0.10,
    ("disc_height_middle", "chord50"): 0.50,
    ("disc_height_posterior", "chord90"): 0.90,
}


def section_area(field: Field, frame: Frame, depth: Ends) -> float:
    """Return the area in mm2 of the disc in the frame's sagittal plane: chords along superior, 0.25 mm apart."""
    step = 0.25
    # The rim bulges past the ends of the mid-height line: look beyond them.
    places = np.arange(-8.0, length(depth) + 8.0, step)
    origins = depth[0] - places[:, None] * frame.anterior
    stretch = intervals(field, origins, frame.superior, REACH_MM)
    return float(np.nansum(stretch[:, 1] - stretch[:, 0]) * step)


def _planes(field: Field, frame: Frame) -> list[tuple[Frame, Ends]]:
    """Return the sagittal plane and its neighbours 3 mm to either side, each with its depth line if it has one."""
    moved = [frame.moved(shift) for shift in (0.0, *_NEIGHBOURS_MM)]
    return [(plane, depth) for plane in moved if (depth := depth_line(field, plane))]


def _spread(field: Field, planes: list[tuple[Frame, Ends]], place: float | None) -> float | None:
    """Return the standard deviation of a height (or the depth) over a plane and its neighbours."""
    found = [depth if place is None else chord(field, plane, depth, place) for plane, depth in planes]
    values = [length(ends) for ends in found if ends is not None]
    return float(np.std(values, ddof=1)) if len(values) >= 3 else None


def measure_disc(spine: Spine, level: str, disc: Piece) -> list[Measurement]:
    """Return every disc row of one level."""
    field, frame = disc.field, disc.frame
    common = Shared(frame.plane, disc.flags(), disc.structure.confidence)
    depth = depth_line(field, frame)
    if depth is None:
        note = "the disc is not crossed at mid-height by its measuring plane"
        return [row(level, *d.key, None, common, note=note) for d in methods() if d.group == "Disc"]
    planes = _planes(field, frame)
    chords = {key: chord(field, frame, depth, place) for key, place in _CHORDS.items()}
    values = {key[0]: length(ends) if ends else None for key, ends in chords.items()}
    rows = [
        row(level, *key, values[key[0]], common, ends=chords[key], spread=_spread(field, planes, place))
        for key, place in _CHORDS.items()
    ]
    area, ap = section_area(field, frame, depth), length(depth)
    anterior, middle, posterior = (values[f"disc_height_{place}"] for place in ("anterior", "middle", "posterior"))
    mean = derive("disc_height_mean", "area_depth", (area, ap))
    mean3 = derive("disc_height_mean", "mean3", (anterior, middle, posterior))
    farfan = derive("farfan_index", "farfan", (anterior, posterior, ap))
    whole = common.flagged("cut_by_field_of_view") if field.cut_across else common
    return [
        *rows,
        row(level, "disc_height_mean", "area_depth", mean, common),
        row(level, "disc_height_mean", "mean3", mean3, common),
        *_endplate_rows(level, disc, common),
        row(level, "disc_depth", "depth50", ap, common, ends=depth, spread=_spread(field, planes, None)),
        _width(spine, level, disc, common),
        row(level, "disc_area", "area", area, common),
        row(level, "disc_volume", "volume", field.volume, whole),
        _height_index(spine, level, mean3, common),
        row(level, "farfan_index", "farfan", farfan, common),
    ]


def _endplate_rows(level: str, disc: Piece, common: Shared) -> list[Measurement]:
    upper, lower = disc.upper, disc.lower
    if upper is None or lower is None:
        note = "no endplate could be fitted on one side of the disc"
        wanted = (("disc_height", "dabbs"), ("disc_height", "hurxthal"), ("disc_wedge", "wedge"))
        return [row(level, q, m, None, note=note, shared=common) for q, m in wanted]
    own = upper.own and lower.own
    if not (own and alike(upper, lower)):
        common = common.flagged("low_confidence")
    note = "" if own else "measured to the disc's own surface, because an endplate is not segmented"
    ends = (upper.middle, lower.middle)
    dabbs = (length((upper.anterior, lower.anterior)) + length((upper.posterior, lower.posterior))) / 2
    wedge = tilt(lower.normal, disc.frame) - tilt(upper.normal, disc.frame)
    return [
        row(level, "disc_height", "dabbs", dabbs, note=note, shared=common),
        row(level, "disc_height", "hurxthal", length(ends), ends=ends, note=note, shared=common),
        row(level, "disc_wedge", "wedge", wedge, note=note, shared=common),
    ]


def _width(spine: Spine, level: str, disc: Piece, common: Shared) -> Measurement:
    if disc.field.cut_across:
        note = "the disc reaches the first or last slice"
        return row(level, "disc_width", "width50", None, common.flagged("cut_by_field_of_view"), note=note)
    if spine.thickness > THIN_SLICES_MM:
        common = common.flagged("low_confidence")
    frame = disc.frame
    stretch = intervals(disc.field, frame.origin[None], frame.right, 40.0)[0]
    ends = (frame.origin + stretch[1] * frame.right, frame.origin + stretch[0] * frame.right)
    return row(level, "disc_width", "width50", length(ends), ends=ends, shared=common)


def _height_index(spine: Spine, level: str, mean3: float | None, common: Shared) -> Measurement:
    above = spine.body_of(level.partition("-")[0])
    body_depth = depth_line(above.field, above.frame) if above else None
    if mean3 is None or above is None or body_depth is None or above.field.cut_in_slice:
        note = "the body above is not completely in view"
        return row(level, "disc_height_index", "dhi_mean3", None, note=note, shared=common)
    index = derive("disc_height_index", "dhi_mean3", (mean3, length(body_depth)))
    return row(level, "disc_height_index", "dhi_mean3", index, shared=common)
