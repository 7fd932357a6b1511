"""The definition of every value and where it is shown: everything that lists quantities follows from this table.

To add a quantity, add a `Definition` here and return its row from the measuring function. The command line, the data
dictionary, the report, the overview, the panels' filters and the DICOM report follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

from ..anatomy import COLUMN, Code, Kind, code_of
from .types import Measurement

#: Titles that begin with a name.
_NAMES = ("Farfan", "Torg")

At = Literal["disc", "body", "region"]
Method = tuple[str, str]
#: What the ends of a line lie on: edges of the image, or the boundary of the segmentation.
EndsOn = Literal["edges", "masks"]

#: Values of `Definition.group`, in the order in which filters offer them.
GROUPS = ("Disc", "Canal and cord", "Vertebra", "Alignment")
#: Designator of our private DICOM coding scheme.
SCHEME = "99SPINEMEASURE"


@dataclass(frozen=True)
class Definition:
    """What a value is, how it is coded, and where it is shown.

    >>> definition("disc_height_middle", "chord50").title
    'Disc height, middle'

    :ivar quantity: id of the quantity; the method is the second half of the key.
    :ivar unit: a name in `units.UNITS`.
    :ivar concept: the general quantity in DICOM (PS3.16 TID 300).
    :ivar code: value of the private DICOM method code; it belongs to this definition alone.
    :ivar at: the kind of level that has it.
    :ivar group: the filter of the panels that shows it.
    :ivar site: DICOM finding site if it differs from that of the level.
    :ivar over: heading of several columns in the summary tables, over its own `heading`.
    :ivar heading: of its column in the summary tables; empty if it has none.
    :ivar listed: the report lists it at its level, although it has no column.
    :ivar editable: its line can be dragged.
    :ivar ends_on: if there is the same value with the ends of its lines on something else: what they are on here. Only
        one of the two is shown in the summary tables and can be dragged at a time; see `shown_first`.
    """

    quantity: str
    method: str
    unit: str
    title: str
    text: str
    concept: Code
    code: str
    source: str = ""
    boundary: str = ""
    at: At = "disc"
    group: str = "Disc"
    site: Code | None = None
    over: str = ""
    heading: str = ""
    listed: bool = False
    editable: bool = False
    ends_on: EndsOn | None = None

    @property
    def key(self) -> Method:
        """Quantity and method."""
        return self.quantity, self.method

    @property
    def phrase(self) -> str:
        """The title as part of a sentence: ``"disc height, middle"``; names keep their capital."""
        return self.title if self.title.startswith(_NAMES) else self.title[0].lower() + self.title[1:]


_HEIGHT = Code("121207", "Height", "DCM")
_DEPTH = Code("131197000", "Depth")
_DIAMETER = Code("81827009", "Diameter")
_AREA = Code("42798000", "Area")
_ANGLE = Code("1483009", "Angle")
_COBB = Code("285285000", "Cobb angle")
_PRIVATE = partial(Code, scheme=SCHEME)
_WEDGE, _CRUSH = _PRIVATE("SM-BWR", "Body wedge ratio"), _PRIVATE("SM-BCR", "Body crush ratio")
_BICONCAVITY = _PRIVATE("SM-BBR", "Body biconcavity ratio")
_CANAL, _CORD = code_of(Kind.CANAL, ""), code_of(Kind.CORD, "")

_SAC = "dural_sac"
_PLANE = "in the level's own sagittal plane through the disc centroid"
_BAND = "averaged over a band of 30 % of the height, at most 3 mm"
_CHORD = f"length of the chord along the disc normal at {{}} % of the AP depth (from anterior), averaged over a band of 10 % of the depth, {_PLANE}"  # noqa: E501
_AP = (
    "distance between the boundary crossings of the line through the centroid of the cross-section perpendicular to "
    "the canal centreline, directed at the {0} centroid, averaged over 3 mm along the centreline, at the point where "
    "the mid-plane of the {0} crosses the centreline"
)
_THIN = "unreliable if slices are thicker than 1.5 mm"
_ENDPLATES, _SEGMENT = "disc height, endplates", "disc height, segment"
_CORTICES, _BODY_SEGMENT = "body height, edges", "body height, segment"
_OF_DISC, _OF_BODY, _CANAL_AP, _BEHIND_BODY = "disc", "body", "canal AP", "mid-vertebral"
_ENDPLATE = (
    "distance between the bony endplates above and below the disc, found as edges between marrow and endplate in the "
    f"image, along the disc normal at {{}} % of the AP depth between the walls of the facing bodies (from anterior), "
    f"averaged over a band of 10 % of the depth, {_PLANE}; larger than the chord of the disc's segment by both plates"
)
_CORTEX = (
    "distance between the edges of the marrow at the upper and the lower endplate in the image, along the body's axis "
    "at {} % of its AP depth (from anterior), averaged over a band of 10 % of the depth"
)
_WALL = (
    "the boundary is the wall in the image: one closed, smooth surface of edges around the whole {} at once, not that "
    "of the segmentation"
)
_LI = "Li et al., IEEE Trans Pattern Anal Mach Intell 2006 (optimal surface)"
_FROM_ENDPLATES = "of the heights between endplates"
_FROM_CORTEX = "of the heights between edges of the marrow"
_FARFAN = "Farfan et al., J Bone Joint Surg Am 1972"
_GENANT = "Genant et al., J Bone Miner Res 1993"
_FEHLINGS = "Fehlings et al., Spine 1999"

_disc = partial(Definition, at="disc", group="Disc")
_of_canal = partial(Definition, group="Canal and cord", site=_CANAL, boundary=_SAC)
_of_cord = partial(Definition, group="Canal and cord", site=_CORD)
_body = partial(Definition, at="body", group="Vertebra")
_angle = partial(Definition, concept=_COBB, group="Alignment", site=COLUMN)
_slip = partial(Definition, concept=_PRIVATE("SM-SLIP", "Listhesis"), group="Alignment")


def _both(
    make: Callable[..., Definition], what: str, *definition: Any, over: str = "", **more: Any
) -> Iterator[Definition]:
    """Yield the definition of a value by the walls in the image, then by the boundary of the segmentation.

    :param what: canal or cord.
    :param definition: quantity, method by the segmentation, unit, title, text, concept, code, source.
    """
    quantity, method, unit, title, text, concept, code, *source = definition
    walls, segment = (f"{over}, {by}" if over else "" for by in ("walls", "segment"))
    by_wall = f"{text}; {_WALL.format(what)}"
    source_of_wall = "; ".join([*source, _LI])
    yield make(quantity, "wall", unit, f"{title}, walls", by_wall, concept, f"{code}-W", source_of_wall, over=walls,
               ends_on="edges", **more)  # fmt: skip
    yield make(quantity, method, unit, title, text, concept, code, *source, over=segment, ends_on="masks", **more)


_canal, _cord = partial(_both, _of_canal, "canal"), partial(_both, _of_cord, "cord")


def _cord_at(place: str, at: At, code: str, listed: bool) -> Iterator[Definition]:
    """Yield the values of the cord that are measured both at discs and behind bodies."""
    words = place.replace("mid_", "mid-").replace("_", " ")
    yield from _cord("cord_ap", place, "mm", f"Cord AP, {words}",
                     "AP diameter of the cord in the cross-section of the canal", _DIAMETER, f"SM-SCAP-{code}", at=at,
                     listed=listed)  # fmt: skip
    yield from _cord("cord_transverse", place, "mm", f"Cord transverse, {words}",
                     f"transverse diameter through the centroid of the cord; {_THIN}", _DIAMETER, f"SM-SCT-{code}",
                     at=at)  # fmt: skip
    yield from _cord("cord_area", place, "mm2", f"Cord area, {words}",
                     "area of the cord in the cross-section of the canal", _AREA, f"SM-SCA-{code}", at=at,
                     listed=listed)  # fmt: skip
    yield from _cord("cord_occupancy", place, "ratio", f"Cord occupancy, {words}", "cord area / canal area",
                     _PRIVATE("SM-OCC", "Cord area to canal area ratio"), f"SM-OCC-{code}", at=at)  # fmt: skip


#: In the order of the report.
_ALL = (
    *(
        _disc(f"disc_height_{place}", f"endplate{percent}", "mm", f"Disc height, {place}, endplates",
              _ENDPLATE.format(percent), _HEIGHT, f"SM-DH-EP{percent}", _LI, over=_ENDPLATES, heading=place,
              editable=True, ends_on="edges")
        for place, percent in (("anterior", 10), ("middle", 50), ("posterior", 90))
    ),
    _disc("disc_height_anterior", "chord10", "mm", "Disc height, anterior", _CHORD.format(10), _HEIGHT,
          "SM-DH-CHORD10", over=_SEGMENT, heading="anterior", editable=True, ends_on="masks"),
    _disc("disc_height_middle", "chord50", "mm", "Disc height, middle", _CHORD.format(50), _HEIGHT,
          "SM-DH-CHORD50", over=_SEGMENT, heading="middle", editable=True, ends_on="masks"),
    _disc("disc_height_posterior", "chord90", "mm", "Disc height, posterior", _CHORD.format(90), _HEIGHT,
          "SM-DH-CHORD90", over=_SEGMENT, heading="posterior", editable=True, ends_on="masks"),
    _disc("disc_height_mean", "area_depth", "mm", "Disc height, mean", "sagittal area / AP depth", _HEIGHT,
          "SM-DH-AREADEP", ends_on="masks"),
    _disc("disc_height_mean", "endplate_area_depth", "mm", "Disc height, mean, endplates",
          "area between the bony endplates in the image / AP depth between the walls of the facing bodies", _HEIGHT,
          "SM-DH-EPAREA", _LI, ends_on="edges"),
    _disc("disc_height_mean", "endplate_mean3", "mm", "Disc height, mean of three, endplates",
          f"(anterior + middle + posterior) / 3; {_FROM_ENDPLATES}", _HEIGHT, "SM-DH-EPMEAN3", listed=True,
          ends_on="edges"),
    _disc("disc_height_mean", "mean3", "mm", "Disc height, mean of three", "(anterior + middle + posterior) / 3",
          _HEIGHT, "SM-DH-MEAN3", listed=True, ends_on="masks"),
    _disc("disc_height", "dabbs", "mm", "Disc height (Dabbs)",
          "mean of the anterior and the posterior corner-to-corner distance between the facing endplates", _HEIGHT,
          "SM-DH-DABBS", "Dabbs & Dabbs, Spine 1990"),
    _disc("disc_height", "hurxthal", "mm", "Disc height (Hurxthal)",
          "distance between the midpoints of the facing endplates", _HEIGHT, "SM-DH-HURXTHAL",
          "Hurxthal, Am J Roentgenol 1968"),
    _disc("disc_depth", "depth50", "mm", "Disc AP depth", f"AP extent at mid-height, {_BAND}, {_PLANE}", _DEPTH,
          "SM-DD-DEPTH50", over=_OF_DISC, heading="AP depth", editable=True),
    _disc("disc_width", "width50", "mm", "Disc width",
          f"right-left extent at mid-height; only if the whole disc is in the field of view; {_THIN}",
          Code("103355008", "Width"), "SM-DW-WIDTH50"),
    _disc("disc_area", "area", "mm2", "Disc sagittal area", f"area {_PLANE}", _AREA, "SM-DA-SAGITTAL"),
    _disc("disc_volume", "volume", "mm3", "Disc volume",
          "number of voxels times voxel volume; flagged if the disc is cut by the field of view",
          Code("118565006", "Volume"), "SM-DV-VOXELS"),
    _disc("disc_height_index", "dhi_endplate_mean3", "ratio", "Disc height index, endplates",
          "mean of the anterior, middle and posterior height / mid AP depth of the vertebral body above; "
          f"{_FROM_ENDPLATES}", _PRIVATE("SM-DHI", "Disc height index"), "SM-DHI-EPMEAN3", over=_OF_DISC,
          heading="index", ends_on="edges"),
    _disc("disc_height_index", "dhi_mean3", "ratio", "Disc height index",
          "mean of the anterior, middle and posterior height / mid AP depth of the vertebral body above",
          _PRIVATE("SM-DHI", "Disc height index"), "SM-DHI-MEAN3", over=_OF_DISC, heading="index",
          ends_on="masks"),
    _disc("farfan_index", "farfan_endplate", "ratio", "Farfan index, endplates",
          f"(anterior + posterior height) / AP depth of the disc; {_FROM_ENDPLATES}",
          _PRIVATE("SM-FARFAN", "Farfan index"), "SM-FARFAN-EP", _FARFAN, ends_on="edges"),
    _disc("farfan_index", "farfan", "ratio", "Farfan index", "(anterior + posterior height) / AP depth",
          _PRIVATE("SM-FARFAN", "Farfan index"), "SM-FARFAN-M", _FARFAN, ends_on="masks"),
    _disc("disc_wedge", "wedge", "deg", "Disc wedge angle",
          "angle between the two facing endplates in the sagittal plane, positive if open anteriorly", _ANGLE,
          "SM-DWEDGE-M", over=_OF_DISC, heading="wedge"),
    _angle("segmental_angle", "cobb", "deg", "Segmental angle",
           "upper endplate of the upper body to lower endplate of the lower body, positive if lordotic",
           code="SM-SEG-COBB", listed=True),
    _slip("listhesis", "posterior_corners", "mm", "Listhesis",
          "offset of the posterior corners along the lower endplate, positive if the upper vertebra is displaced"
          " anteriorly", code="SM-SLIP-MM", over=_OF_DISC, heading="slip"),
    _slip("listhesis", "posterior_corners_percent", "%", "Listhesis, percent",
          "that offset as a percentage of the length of the lower endplate", code="SM-SLIP-PC",
          source="Taillard, J Bone Joint Surg Am 1954"),
    *_canal("canal_ap", "disc_level", "mm", "Canal AP, disc level", _AP.format("disc"), _DIAMETER, "SM-CAP-DISC",
            over=_CANAL_AP, heading="at disc", editable=True),
    *_canal("canal_ap_minimum", "within_5mm", "mm", "Canal AP, minimum",
            "smallest AP diameter of the canal within 5 mm of the disc plane along the centreline: of the section in"
            " that plane and of the medians of three sections 1 mm apart; sections narrowed by an end of the canal are"
            " excluded", _DIAMETER, "SM-CAP-MIN5", over=_CANAL_AP, heading="minimum"),
    *_canal("canal_area", "disc_level", "mm2", "Canal area, disc level", f"area of the cross-section; {_THIN}", _AREA,
            "SM-CA-DISC", listed=True),
    *_canal("canal_compression", "1-mi/mean(ma,mb)", "ratio", "Maximum canal compromise (MCC)",
            "1 - minimum AP diameter (the value 'Canal AP, minimum') / mean of the references above and below, each"
            " averaged over 20 mm, starting 10 mm away; negative if the canal is not narrower at the disc",
            _PRIVATE("SM-MCC", "Maximum canal compromise"), "SM-MCC-M", _FEHLINGS, listed=True),
    *_cord_at("disc_level", "disc", "DISC", listed=True),
    *_cord("cord_compression", "1-mi/mean(ma,mb)", "ratio", "Maximum spinal cord compression (MSCC)",
           "as the maximum canal compromise, but with the minimum AP diameter of the cord near the disc plane",
           _PRIVATE("SM-MSCC", "Maximum spinal cord compression"), "SM-MSCC-M", _FEHLINGS, listed=True),
    *(
        _body(f"body_height_{place}", "cortex", "mm", f"Body height, {place}, edges", _CORTEX.format(percent),
              _HEIGHT, f"SM-BH-C{percent}", _LI, over=_CORTICES, heading=place, editable=True, ends_on="edges")
        for place, percent in (("anterior", 10), ("middle", 50), ("posterior", 90))
    ),
    _body("body_height_anterior", "corner", "mm", "Body height, anterior",
          "distance between the anterior endplate corners", _HEIGHT, "SM-BH-ANT", over=_BODY_SEGMENT,
          heading="anterior", editable=True, ends_on="masks"),
    _body("body_height_middle", "chord50", "mm", "Body height, middle",
          "chord along the body's axis at half its depth", _HEIGHT, "SM-BH-MID", over=_BODY_SEGMENT, heading="middle",
          editable=True, ends_on="masks"),
    _body("body_height_posterior", "corner", "mm", "Body height, posterior",
          "distance between the posterior endplate corners", _HEIGHT, "SM-BH-POST",
          over=_BODY_SEGMENT, heading="posterior", editable=True, ends_on="masks"),
    _body("body_depth", "depth50", "mm", "Body AP depth", f"AP extent at mid-height, {_BAND}", _DEPTH,
          "SM-BD-DEPTH50", over=_OF_BODY, heading="AP depth"),
    _body("body_wedge_ratio", "cortex", "ratio", "Body wedge ratio, edges",
          f"anterior / posterior height; {_FROM_CORTEX}", _WEDGE, "SM-BWR-C", _GENANT, over=_OF_BODY,
          heading="wedge ratio", ends_on="edges"),
    _body("body_wedge_ratio", "anterior_posterior", "ratio", "Body wedge ratio", "anterior / posterior height", _WEDGE,
          "SM-BWR-M", _GENANT, over=_OF_BODY, heading="wedge ratio", ends_on="masks"),
    _body("body_biconcavity_ratio", "cortex", "ratio", "Body biconcavity ratio, edges",
          f"middle / posterior height; {_FROM_CORTEX}", _BICONCAVITY, "SM-BBR-C", _GENANT, ends_on="edges"),
    _body("body_biconcavity_ratio", "middle_posterior", "ratio", "Body biconcavity ratio",
          "middle / posterior height", _BICONCAVITY, "SM-BBR-M", _GENANT, ends_on="masks"),
    _body("body_crush_ratio", "cortex", "ratio", "Body crush ratio, edges",
          f"posterior height / mean posterior height of the neighbouring bodies; {_FROM_CORTEX}", _CRUSH, "SM-BCR-C",
          _GENANT, over=_OF_BODY, heading="crush ratio", ends_on="edges"),
    _body("body_crush_ratio", "posterior_neighbours", "ratio", "Body crush ratio",
          "posterior height / mean posterior height of the neighbouring bodies", _CRUSH, "SM-BCR-M", _GENANT,
          over=_OF_BODY, heading="crush ratio", ends_on="masks"),
    *_canal("canal_ap", "mid_vertebral", "mm", "Canal AP, mid-vertebral", _AP.format("body"), _DIAMETER,
            "SM-CAP-BODY", at="body", over=_BEHIND_BODY, heading="canal AP", editable=True),
    *_canal("canal_area", "mid_vertebral", "mm2", "Canal area, mid-vertebral", f"area of the cross-section; {_THIN}",
            _AREA, "SM-CA-BODY", at="body"),
    *_cord_at("mid_vertebral", "body", "BODY", listed=False),
    *_canal("torg_pavlov_ratio", "canal_body", "ratio", "Torg-Pavlov ratio",
            "mid-vertebral canal AP / AP depth of the body; here for the dural sac, so lower than on radiographs",
            _PRIVATE("SM-TORG", "Torg-Pavlov ratio"), "SM-TORG-M", "Torg et al., J Bone Joint Surg Am 1986",
            at="body", site=None, over=_BEHIND_BODY, heading="Torg-Pavlov"),
    _angle("lordosis", "cobb", "deg", "Lordosis",
           "L1-S1: upper endplate of L1 to the sacral endplate; C2-C7: lower endplates of C2 and C7",
           code="SM-LORD-COBB", at="region", listed=True),
    _angle("kyphosis", "cobb", "deg", "Kyphosis", "T4-T12: upper endplate of T4 to lower endplate of T12",
           code="SM-KYPH-COBB", at="region", listed=True),
)  # fmt: skip

#: The values that represent a level in labels, charts and the choice of a line: at a disc the first two, at a vertebra
#: the others, whichever comes first.
MAIN_QUANTITIES = ("disc_height_middle", "canal_ap", "body_height_middle")
#: What is shown first: the ends that depend less on who drew the segmentation (docs/measurements.md).
PREFERRED: EndsOn = "edges"


def methods() -> tuple[Definition, ...]:
    """Return every definition, in the order of the report."""
    return _ALL


def columns(at: At, ends_on: EndsOn) -> tuple[Definition, ...]:
    """Return what the summary tables show of each disc or body, from left to right.

    >>> [d.method for d in columns("disc", "masks") if d.over.startswith("disc height")]
    ['chord10', 'chord50', 'chord90']
    >>> [d.method for d in columns("disc", "edges") if d.over.startswith("disc height")]
    ['endplate10', 'endplate50', 'endplate90']
    """
    return tuple(d for d in _ALL if d.at == at and d.heading and d.ends_on in (None, ends_on))


def listed(at: At, ends_on: EndsOn) -> tuple[Definition, ...]:
    """Return what the report lists at a level, in its order."""
    return tuple(d for d in _ALL if d.at == at and (d.heading or d.listed) and d.ends_on in (None, ends_on))


def shown_first(measurements: Iterable[Measurement], preferred: EndsOn = PREFERRED) -> list[Measurement]:
    """Mark the rows that another row of their quantity comes before: `Measurement.second`.

    Values between edges of the image come before those of masks, or the other way round if these are preferred. In one
    case all levels have the same order, because the two definitions of a height differ by some mm.
    """
    rows = list(measurements)
    ends = [definition(m.quantity, m.method, m.level).ends_on for m in rows]
    have: dict[str, set[EndsOn]] = {}
    for m, on in zip(rows, ends, strict=True):
        if on:
            have.setdefault(m.quantity, set()).add(on)
    return [
        _marked(m, on is not None and on != preferred and len(have[m.quantity]) > 1)
        for m, on in zip(rows, ends, strict=True)
    ]


def _marked(row: Measurement, second: bool) -> Measurement:
    automatic = None if row.automatic is None else replace(row.automatic, second=second)
    return replace(row, second=second, automatic=automatic)


def has_edges(row: Measurement) -> bool:
    """Return whether the ends of a row's line lie on edges of the image."""
    return definition(row.quantity, row.method, row.level).ends_on == "edges"


def shown_ends(measurements: Iterable[Measurement]) -> EndsOn:
    """Return what the ends of the lines lie on that are shown first in a case."""
    first = {definition(m.quantity, m.method, m.level).ends_on for m in measurements if not m.second}
    return "edges" if "edges" in first else "masks"


def has_both_ends(measurements: Iterable[Measurement]) -> bool:
    """Return whether a case has lines between edges and lines between masks, so that either can be shown first."""
    return {"edges", "masks"} <= {definition(m.quantity, m.method, m.level).ends_on for m in measurements}


def disc_levels(measurements: Iterable[Measurement]) -> list[str]:
    """Return the names of the disc levels that were measured, from head to sacrum."""
    return list(dict.fromkeys(m.level for m in measurements if m.quantity == "disc_height_middle"))


def body_levels(measurements: Iterable[Measurement]) -> list[str]:
    """Return the names of the vertebrae that were measured, from head to sacrum."""
    return list(dict.fromkeys(m.level for m in measurements if m.quantity == "body_height_middle"))


@lru_cache
def _by_key() -> dict[Method, tuple[Definition, ...]]:
    found: dict[Method, tuple[Definition, ...]] = {}
    for d in _ALL:
        found[d.key] = (*found.get(d.key, ()), d)
    return found


def definition(quantity: str, method: str, level: str = "") -> Definition:
    """Return the definition of a quantity by a method.

    >>> definition("canal_ap", "wall", "L4").at
    'body'

    :param level: where it was measured; tells apart a method that is used at discs and at bodies.
    :raises KeyError: there is no such definition.
    """
    found = _by_key()[quantity, method]
    at = "disc" if "-" in level or not level else "body"
    return next((d for d in found if d.at == at), found[0])
