"""Disc measurements: heights, depth, width, area, volume, index, wedge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .definitions import methods
from .derived import derive
from .fields import Field, intervals
from .frames import Frame, alike, tilt
from .rows import Ends, Shared, length, row
from .spine import THIN_SLICES_MM, Piece, Spine
from .types import Measurement

Array = NDArray[np.float64]

#: Heights are averaged over a band of this part of the depth around their place.
_BAND = 0.10
_BAND_LINES = 9
#: The depth is averaged over a band of this part of the height, at most so many mm, to even out voxel steps.
_DEPTH_BAND = 0.3
_DEPTH_BAND_MM = 3.0
_REACH_MM = 20.0
#: A disc is bent if a straight line at mid-height contains less than this part of its depth.
_STRAIGHT = 0.8
_BENT_MM = 8.0
_NEIGHBOURS_MM = (-3.0, 3.0)
#: Heights along the disc normal: where they are taken, as a part of the AP depth from anterior.
_CHORDS = {
    ("disc_height_anterior", "chord10"): 0.10,
    ("disc_height_middle", "chord50"): 0.50,
    ("disc_height_posterior", "chord90"): 0.90,
}


def depth_line(field: Field, frame: Frame) -> Ends | None:
    """Anterior and posterior end at mid-height, in the frame's sagittal plane; each the mean over a band of heights."""
    middle = intervals(field, frame.origin[None], frame.anterior, 40.0, outermost=True)[0]
    if not np.isfinite(middle).all():
        middle = np.zeros(2)
    # At the thinnest place: a band taller than the thin end of a wedge would cut that end off.
    places = (middle.mean() + np.linspace(-0.4, 0.4, 3) * (middle[1] - middle[0]))[:, None]
    height = intervals(field, frame.origin + places * frame.anterior, frame.superior, _REACH_MM)
    thinnest = np.abs(height[np.isfinite(height).all(axis=1)]).min(initial=_REACH_MM)
    half = min(_DEPTH_BAND_MM / 2, _DEPTH_BAND * thinnest)
    origins = frame.origin + np.linspace(-half, half, _BAND_LINES)[:, None] * frame.superior
    # From edge to edge: a cleft in a degenerate disc does not end it.
    stretch = intervals(field, origins, frame.anterior, 40.0, outermost=True)
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    back, front = stretch.mean(axis=0) if len(stretch) >= _BAND_LINES // 2 + 1 else (0.0, 0.0)
    bent = _bent_line(field, frame, 2.0)
    if bent is not None and front - back < _STRAIGHT * length(bent):
        return _bent_line(field, frame, 0.25)
    return (frame.origin + front * frame.anterior, frame.origin + back * frame.anterior) if front > back else None


def _bent_line(field: Field, frame: Frame, step: float) -> Ends | None:
    """Anterior and posterior end at mid-height, found `step` mm apart: a thin bent disc leaves any straight line."""
    places = np.arange(-40.0, 40.0, step)
    origins = frame.origin + places[:, None] * frame.anterior
    heights = intervals(field, origins, frame.superior, _BENT_MM)
    hit = np.flatnonzero(np.isfinite(heights).all(axis=1))
    if len(hit) < 2:
        return None
    back, front = (origins[n] + heights[n].mean() * frame.superior for n in (hit[0], hit[-1]))
    return front, back


def chord(field: Field, frame: Frame, depth: Ends, place: float) -> Ends | None:
    """Height at a fraction of the depth from anterior: (superior end, inferior end).

    The length is the mean over a band; the line is in the middle of the band.
    """
    fractions = place + np.linspace(-_BAND / 2, _BAND / 2, _BAND_LINES)
    origins = depth[0] + fractions[:, None] * (depth[1] - depth[0])
    stretch = intervals(field, origins, frame.superior, _REACH_MM)
    stretch = stretch[np.isfinite(stretch).all(axis=1)]
    if len(stretch) < _BAND_LINES // 2 + 1:
        return None
    low, high = stretch.mean(axis=0)
    centre = depth[0] + place * (depth[1] - depth[0])
    return centre + high * frame.superior, centre + low * frame.superior


def section_area(field: Field, frame: Frame, depth: Ends) -> float:
    """Area in mm2 of the disc in the frame's sagittal plane: chords along superior, 0.25 mm apart."""
    step = 0.25
    # The rim bulges past the ends of the mid-height line: look beyond them.
    places = np.arange(-8.0, length(depth) + 8.0, step)
    origins = depth[0] - places[:, None] * frame.anterior
    stretch = intervals(field, origins, frame.superior, _REACH_MM)
    return float(np.nansum(stretch[:, 1] - stretch[:, 0]) * step)


def _planes(field: Field, frame: Frame) -> list[tuple[Frame, Ends]]:
    """The sagittal plane and its neighbours 3 mm to either side, each with its depth line, unless it has none."""
    moved = [frame.moved(shift) for shift in (0.0, *_NEIGHBOURS_MM)]
    return [(plane, depth) for plane in moved if (depth := depth_line(field, plane))]


def _spread(field: Field, planes: list[tuple[Frame, Ends]], place: float | None) -> float | None:
    """Standard deviation of a height (or the depth) over a plane and its neighbours."""
    found = [depth if place is None else chord(field, plane, depth, place) for plane, depth in planes]
    values = [length(ends) for ends in found if ends is not None]
    return float(np.std(values, ddof=1)) if len(values) >= 3 else None


def measure_disc(spine: Spine, level: str, disc: Piece) -> list[Measurement]:
    """Every disc row of one level."""
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
