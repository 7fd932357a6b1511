"""Regional angles of spines whose bodies and discs bend by known angles: sums of these bends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, Kind, disc_name
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.alignment import regional_levels
from SpineMeasureLib.phantom import Canal, Element, Grid, Spine, lumbar, pose, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation

THICK = Grid((4.0, 0.6, 0.6))
SMALL = {"half_depth": 10.0, "half_width": 12.0, "power": 3.0}


def chain(first: str, last: str, body: Element, disc: Element, **bends: float) -> Spine:
    """Bodies and discs from `last` up to `first`, bending as `body` and `disc` do but for some `bends` by name."""
    names = USUAL_ORDER[USUAL_ORDER.index(first) : USUAL_ORDER.index(last) + 1][::-1]
    elements: list[Element] = []
    for lower, upper in zip(names, [*names[1:], ""], strict=True):
        elements.append(replace(body, name=lower, bend=bends.get(lower, body.bend)))
        if upper:
            name = disc_name(upper, lower)
            elements.append(replace(disc, name=name, bend=bends.get(name.replace("-", "_"), disc.bend)))
    return Spine(tuple(elements), Canal(behind=18.0, half_ap=6.0, half_width=8.0))


Rows = dict[tuple[str, str, str], Measurement]


def by_key(rows: list[Measurement]) -> Rows:
    return {r.key: r for r in rows}


def angles(spine: Spine) -> dict[str, float | None]:
    return {r.level: r.value for r in measure(voxelise(spine, THICK)) if r.quantity in ("lordosis", "kyphosis")}


@pytest.fixture(scope="module")
def thoracic() -> SpineSegmentation:
    """T3 to L1, every body and disc open behind; T4 by 5 degrees."""
    body, disc = Element("", Kind.BODY, 15.0, -3.0, **SMALL), Element("", Kind.DISC, 5.0, -1.0, **SMALL)
    return voxelise(chain("T3", "L1", body, disc, T4=-5.0, T12=-4.0).moved(pose((20, 3, 4))), THICK)


@pytest.fixture(scope="module")
def kyphotic(thoracic: SpineSegmentation) -> Rows:
    return by_key(measure(thoracic))


def test_kyphosis_is_the_angle_between_t4_s_upper_and_t12_s_lower_endplate(kyphotic: Rows) -> None:
    """5 and 4 degrees of T4 and T12, 7 bodies of 3 and 8 discs of 1 between them: kyphosis counts positive."""
    row = kyphotic["T4-T12", "kyphosis", "cobb"]
    assert row.value == pytest.approx(5 + 4 + 7 * 3 + 8 * 1, abs=1.0)
    assert row.unit == "deg" and row.flags == ()


def test_segmental_angles_of_a_kyphotic_spine_are_negative(kyphotic: Rows) -> None:
    assert kyphotic["T8-T9", "segmental_angle", "cobb"].value == pytest.approx(-(3 + 1 + 3), abs=1.0)
    assert kyphotic["T4-T5", "segmental_angle", "cobb"].value == pytest.approx(-(5 + 1 + 3), abs=1.0)
    assert {r.level for r in kyphotic.values() if r.quantity in ("lordosis", "kyphosis")} == {"T4-T12"}


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_cervical_lordosis_is_the_angle_between_the_lower_endplates_of_c2_and_c7(turn: float) -> None:
    """C2 itself does not count: its upper endplate is the dens."""
    body, disc = Element("", Kind.BODY, 13.0, 1.0, **SMALL), Element("", Kind.DISC, 5.0, 3.0, **SMALL)
    spine = chain("C2", "T1", body, disc, C2=8.0, C7=2.0, C7_T1=-4.0)
    expected = 5 * 3.0 + 4 * 1.0 + 2.0
    assert angles(spine.moved(pose((turn, 0, 0)))) == {"C2-C7": pytest.approx(expected, abs=1.0)}


def test_a_cervical_kyphosis_is_a_negative_lordosis() -> None:
    body, disc = Element("", Kind.BODY, 13.0, -1.0, **SMALL), Element("", Kind.DISC, 5.0, -2.0, **SMALL)
    assert angles(chain("C2", "C7", body, disc)) == {"C2-C7": pytest.approx(-(5 * 2.0 + 5 * 1.0), abs=1.0)}


def test_lumbar_lordosis_reaches_the_sacrum_below_l6_too() -> None:
    """Six discs of 7 and six bodies of 2 degrees."""
    shifted = {"S1": "S1", "L5": "L6", "L4": "L5", "L3": "L4", "L2": "L3", "L1": "L2", "T12": "L1"}
    spine = lumbar(upper="T12").moved(pose((-15, 3, 4)))
    elements = tuple(replace(e, name="-".join(shifted[n] for n in e.name.split("-"))) for e in spine.elements)
    row = by_key(measure(voxelise(replace(spine, elements=elements))))["L1-S1", "lordosis", "cobb"]
    assert row.value == pytest.approx(6 * 7.0 + 6 * 2.0, abs=1.0)
    assert row.note == "" and row.flags == ()


def test_lordosis_without_a_sacrum_uses_the_disc_s_own_surface_and_says_so() -> None:
    case = voxelise(lumbar(upper="L1").moved(pose((-15, 3, 4))))
    sacrum = next(s for s in case.structures if s.kind is Kind.SACRUM)
    labels = np.where(case.labels == sacrum.value, 0, case.labels).astype(np.uint8)
    rest = tuple(s for s in case.structures if s is not sacrum)
    row = by_key(measure(replace(case, labels=labels, structures=rest)))["L1-S1", "lordosis", "cobb"]
    assert row.value == pytest.approx(5 * 7.0 + 5 * 2.0, abs=1.0)
    assert "low_confidence" in row.flags and "sacral endplate" in row.note


def test_an_angle_has_the_flags_of_both_ends_and_is_as_doubtful_as_the_more_doubtful_one(
    thoracic: SpineSegmentation, kyphotic: Rows
) -> None:
    marks = {"T4": (0.97, ("level_unverified",)), "T12": (0.81, ("fused_or_absent_disc",))}
    structures = tuple(
        replace(s, confidence=marks.get(s.level, (0.99, ()))[0], flags=marks.get(s.level, (0.99, ()))[1])
        for s in thoracic.structures
    )
    rows = by_key(measure(replace(thoracic, structures=structures)))
    row = rows["T4-T12", "kyphosis", "cobb"]
    assert row.flags == ("level_unverified", "fused_or_absent_disc", "low_confidence")
    for level, flags in (
        ("T4-T5", ("level_unverified",)),
        ("T11-T12", ("fused_or_absent_disc", "low_confidence")),
        ("T7-T8", ()),
    ):
        segmental = rows[level, "segmental_angle", "cobb"]
        assert (segmental.flags, segmental.confidence, segmental.note) == (flags, None, "")
    assert kyphotic["T4-T12", "kyphosis", "cobb"].flags == ()


def test_no_angle_is_measured_at_a_body_that_the_image_cuts(thoracic: SpineSegmentation) -> None:
    """Cropped through T4: its upper endplate is the border of the image."""
    value = next(s.value for s in thoracic.structures if s.level == "T4")
    row = int(np.argwhere(thoracic.labels == value)[:, 2].mean())
    rows = by_key(measure(replace(thoracic, labels=thoracic.labels[:, :, :row])))
    assert ("T4-T12", "kyphosis", "cobb") not in rows and ("T4-T5", "segmental_angle", "cobb") not in rows
    assert rows["T6-T7", "segmental_angle", "cobb"].value == pytest.approx(-7.0, abs=1.0)


def test_regional_angles_need_both_their_ends() -> None:
    assert regional_levels(["L1", "L2", "L3", "L4", "L5", "L1-L2", "L5-S1"]) == {"L1", "L5-S1"}
    assert regional_levels(["T3", "T4", "T12", "L1", "L6-S1"]) == {"T4", "T12", "L1", "L6-S1"}
    assert regional_levels(["C2", "C3", "C6", "T4", "L1"]) == frozenset()
    assert regional_levels(["C2", "C7"]) == {"C2", "C7"}
