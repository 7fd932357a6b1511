"""The definition of every value, in one place: the command line, the manual and the report print these texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Definition:
    """What a value is.

    :ivar editable: its line is offered for dragging.
    """

    quantity: str
    method: str
    unit: str
    title: str
    text: str
    source: str = ""
    boundary: str = ""
    editable: bool = False


_PLANE = "in the level's own sagittal plane through the disc centroid"
_BAND = "mean over a band of 30 % of the height, at most 3 mm"
_CHORD = f"length of the chord along the disc normal at {{}} % of the AP depth from anterior, mean over a band of 10 % of the depth, {_PLANE}"  # noqa: E501
_AP = (
    "distance between the boundary crossings of the line through the centroid of the cross-section perpendicular to "
    "the canal's centreline, in the direction to the {} centroid, mean over a band of 3 mm along the centreline"
)
_SAC = "dural_sac"

_ALL = (
    Definition("disc_height_anterior", "chord10", "mm", "Disc height, anterior", _CHORD.format(10), editable=True),
    Definition("disc_height_middle", "chord50", "mm", "Disc height, middle", _CHORD.format(50), editable=True),
    Definition("disc_height_posterior", "chord90", "mm", "Disc height, posterior", _CHORD.format(90), editable=True),
    Definition("disc_height_mean", "area_depth", "mm", "Disc height, mean", "sagittal area / AP depth"),
    Definition("disc_height_mean", "mean3", "mm", "Disc height, mean of three", "(anterior + middle + posterior) / 3"),
    Definition(
        "disc_height", "dabbs", "mm", "Disc height (Dabbs)",
        "mean of the distances between the anterior and between the posterior corners of the facing endplates",
        "Dabbs & Dabbs, Spine 1990",
    ),
    Definition(
        "disc_height", "hurxthal", "mm", "Disc height (Hurxthal)",
        "distance between the midpoints of the facing endplates",
        "Hurxthal, Am J Roentgenol 1968",
    ),
    Definition(
        "disc_depth", "depth50", "mm", "Disc AP depth",
        f"extent along anterior at mid-height, {_BAND}, {_PLANE}", editable=True,
    ),
    Definition(
        "disc_width", "width50", "mm", "Disc width",
        "extent to right and left at mid-height; only where the whole disc is in the field of view; doubtful where"
        " slices are thicker than 1.5 mm",
    ),
    Definition("disc_area", "area", "mm2", "Disc sagittal area", f"area {_PLANE}"),
    Definition("disc_volume", "volume", "mm3", "Disc volume", "voxels times voxel volume; flagged where it is cut"),
    Definition(
        "disc_height_index", "dhi_mean3", "ratio", "Disc height index",
        "mean of the three heights / mid AP depth of the vertebral body above",
    ),
    Definition(
        "farfan_index", "farfan", "ratio", "Farfan index", "(anterior + posterior height) / AP depth",
        "Farfan et al., J Bone Joint Surg Am 1972",
    ),
    Definition(
        "disc_wedge", "wedge", "deg", "Disc wedge angle",
        "angle between the two facing endplates in the sagittal plane, positive open anteriorly",
    ),
    Definition(
        "canal_ap", "disc_level", "mm", "Canal AP, disc level",
        _AP.format("disc") + ", where the disc's mid-plane meets the centreline", boundary=_SAC, editable=True,
    ),
    Definition(
        "canal_ap", "mid_vertebral", "mm", "Canal AP, mid-vertebral",
        _AP.format("body") + ", where the body's mid-plane meets the centreline", boundary=_SAC, editable=True,
    ),
    Definition(
        "canal_ap_minimum", "within_5mm", "mm", "Canal AP, minimum",
        "minimum AP diameter of the canal within 5 mm of the disc plane along the centreline: of the section in"
        " that plane and the medians of three sections 1 mm apart; sections that an end of the canal narrows are left"
        " out", boundary=_SAC,
    ),
    Definition(
        "canal_area", "disc_level", "mm2", "Canal area, disc level",
        "area of the cross-section; doubtful where slices are thicker than 1.5 mm", boundary=_SAC,
    ),
    Definition(
        "canal_area", "mid_vertebral", "mm2", "Canal area, mid-vertebral",
        "area of the cross-section; doubtful where slices are thicker than 1.5 mm", boundary=_SAC,
    ),
    Definition(
        "canal_compression", "1-mi/mean(ma,mb)", "ratio", "Maximum canal compromise (MCC)",
        "1 - minimum AP diameter (the value of 'Canal AP, minimum') / mean of the references, each over 20 mm from"
        " 10 mm above and below; negative if the canal is not narrower at the disc than there",
        "Fehlings et al., Spine 1999", _SAC,
    ),
    *(
        Definition(quantity, place, unit, f"{title}, {place.replace('_', ' ')}", text)
        for place in ("disc_level", "mid_vertebral")
        for quantity, unit, title, text in (
            ("cord_ap", "mm", "Cord AP", "AP diameter of the cord in the canal's cross-section"),
            (
                "cord_transverse", "mm", "Cord transverse",
                "diameter across, through the cord's centroid; doubtful where slices are thicker than 1.5 mm",
            ),
            ("cord_area", "mm2", "Cord area", "area of the cord in the canal's cross-section"),
            ("cord_occupancy", "ratio", "Cord occupancy", "cord area / canal area"),
        )
    ),
    Definition(
        "cord_compression", "1-mi/mean(ma,mb)", "ratio", "Maximum spinal cord compression (MSCC)",
        "as the maximum canal compromise, with the minimum AP diameter of the cord within 5 mm of the disc plane",
        "Fehlings et al., Spine 1999",
    ),
    Definition(
        "torg_pavlov_ratio", "canal_body", "ratio", "Torg-Pavlov ratio",
        "mid-vertebral canal AP / AP depth of the body; here of the dural sac, so lower than on radiographs",
        "Torg et al., J Bone Joint Surg Am 1986", _SAC,
    ),
    Definition(
        "body_height_anterior", "corner", "mm", "Body height, anterior",
        "distance between the anterior endplate corners",
        editable=True,
    ),
    Definition(
        "body_height_middle", "chord50", "mm", "Body height, middle", "chord along the body's axis at half its depth",
        editable=True,
    ),
    Definition(
        "body_height_posterior", "corner", "mm", "Body height, posterior",
        "distance between the posterior endplate corners",
        editable=True,
    ),
    Definition("body_depth", "depth50", "mm", "Body AP depth", f"extent along anterior at mid-height, {_BAND}"),
    Definition("body_wedge_ratio", "anterior_posterior", "ratio", "Body wedge ratio", "anterior / posterior height",
               "Genant et al., J Bone Miner Res 1993"),
    Definition("body_biconcavity_ratio", "middle_posterior", "ratio", "Body biconcavity ratio",
               "middle / posterior height", "Genant et al., J Bone Miner Res 1993"),
    Definition("body_crush_ratio", "posterior_neighbours", "ratio", "Body crush ratio",
               "posterior height / mean posterior height of the neighbouring bodies",
               "Genant et al., J Bone Miner Res 1993"),
    Definition("listhesis", "posterior_corners", "mm", "Listhesis",
               "offset of the posterior corners along the lower endplate, positive when the upper vertebra is "
               "displaced anteriorly"),
    Definition("listhesis", "posterior_corners_percent", "%", "Listhesis, percent",
               "the same over the length of the lower endplate", "Taillard, J Bone Joint Surg Am 1954"),
    Definition("segmental_angle", "cobb", "deg", "Segmental angle",
               "upper endplate of the upper body to lower endplate of the lower body, positive lordotic"),
    Definition("lordosis", "cobb", "deg", "Lordosis",
               "L1-S1: upper endplate of L1 to the sacral endplate; C2-C7: lower endplates of C2 and C7"),
    Definition("kyphosis", "cobb", "deg", "Kyphosis", "T4-T12: upper endplate of T4 to lower endplate of T12"),
)  # fmt: skip


def methods() -> tuple[Definition, ...]:
    """Every definition, in the order of the report."""
    return _ALL


@lru_cache
def _by_key() -> dict[tuple[str, str], Definition]:
    return {(d.quantity, d.method): d for d in _ALL}


def definition(quantity: str, method: str) -> Definition:
    """The definition of a quantity by a method.

    :raises KeyError: there is none.
    """
    return _by_key()[quantity, method]
