"""Level names where the sacrum is not in view: from the dens, or from the sizes of the vertebrae."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, Kind, Region, Tissue, region_of
from SpineMeasureLib.errors import LevelNameError
from SpineMeasureLib.segment.naming.instances import name_structures
from SpineMeasureLib.segment.naming.levels import DENS_SEEN, Naming, name_chain
from SpineMeasureLib.segment.naming.sizes import _DEPTH_MM, _STEP_MM, Size

AFFINE = np.array([[3.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
BODY, DISC = 13, 5


def neck(top: str, bodies: int = 6) -> np.ndarray:
    """Cervical bodies 16 mm deep and 13 mm high, discs of 5 mm; above them a `top`: "dens", "fused" or "body"."""
    tissue = np.zeros((7, 70, 190), np.uint8)  # i right, j forward, k up
    tissue[2:5, 15:26, 5:185] = Tissue.CANAL
    k = 12
    for _ in range(bodies):
        tissue[1:6, 30:46, k : k + BODY] = Tissue.BODY
        tissue[1:6, 30:46, k + BODY : k + BODY + DISC] = Tissue.DISC
        k += BODY + DISC
    tissue[1:6, 30:46, k : k + 18] = Tissue.BODY
    if top == "dens":
        tissue[2:5, 33:43, k + 18 : k + 34] = Tissue.BODY
    elif top == "fused":
        tissue[1:6, 30:46, k + 18 : k + 34] = Tissue.BODY
    return tissue


def test_the_dens_names_the_neck_from_above() -> None:
    found = name_structures(neck("dens"), AFFINE)
    assert (found.anchor, found.level_verified) == ("dens", True)
    discs = [s.level for s in found.of_kind(Kind.DISC)]
    assert discs == ["C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1"]
    assert all("fused_or_absent_disc" not in s.flags for s in found.structures)


def test_two_joined_bodies_with_nothing_above_them_are_taken_for_c2_only_as_the_sizes_agree() -> None:
    found = name_structures(neck("fused"), AFFINE)
    assert (found.anchor, found.level_verified) == ("dens", True)
    lumbar = np.diag([3.0, 1.8, 1.8, 1.0])  # the same, too large for a neck
    assert not name_structures(neck("fused"), lumbar).level_verified


@pytest.mark.parametrize(("top", "above_mm"), [("fused", 3), ("body", 30)])
def test_what_is_no_dens_anchors_nothing(top: str, above_mm: int) -> None:
    whole = neck(top)
    tip = int(np.nonzero(whole == Tissue.BODY)[2].max())
    found = name_structures(np.ascontiguousarray(whole[:, :, : tip + above_mm]), AFFINE)
    assert not found.level_verified and found.anchor == ""
    assert "estimated from the size and appearance" in found.warnings[-1] and "--lowest-disc" in found.warnings[-1]


def test_a_dens_cut_by_the_field_of_view_anchors_nothing() -> None:
    whole = neck("dens")
    top = int(np.nonzero(whole == Tissue.BODY)[2].max())
    assert not name_structures(np.ascontiguousarray(whole[:, :, : top - 8]), AFFINE).level_verified


def chain(first: str, last: str, person: float = 1.0) -> list[Size]:
    """The mean sizes from `first` to `last`; the discs above the first and below the last are not in view."""
    start, end = USUAL_ORDER.index(first), USUAL_ORDER.index(last)
    sizes = []
    for n in range(start, end + 1):
        step = _STEP_MM[n - 2] * person if start < n < end else None
        sizes.append(Size(_DEPTH_MM[n - 1] * person, step))
    return sizes


def named(sizes: list[Size], **seen: bool) -> Naming:
    return name_chain(sizes, lowest_disc=None, **{"sacrum": False, **seen})


@pytest.mark.parametrize(("first", "last"), [("C3", "T2"), ("T2", "T11"), ("T10", "L5"), ("T9", "L4")])
@pytest.mark.parametrize("person", [0.9, 1.1])
def test_vertebrae_of_mean_size_are_recognised_whatever_the_person_s_size(first: str, last: str, person: float) -> None:
    names = named(chain(first, last, person))
    assert names.vertebrae[0] == first and not names.verified
    assert 0.1 < names.probability < 1.0
    assert abs(USUAL_ORDER.index(names.runner_up[0]) - USUAL_ORDER.index(first)) == 1


def test_more_vertebrae_leave_less_doubt() -> None:
    assert named(chain("T6", "L5")).probability > named(chain("T12", "L3")).probability


def test_a_chain_of_unknown_sizes_is_put_lowest() -> None:
    assert named([Size()] * 7).vertebrae[-1] == "S1"


def test_one_step_across_a_missed_disc_does_not_move_the_names() -> None:
    sizes = chain("C3", "T2")
    sizes[3] = Size(sizes[3].depth, 34.0)
    assert named(sizes).vertebrae[0] == "C3"


def test_the_sacrum_outweighs_sizes_one_level_off_but_not_those_of_a_neck() -> None:
    lumbar = [*chain("T12", "L4"), Size()]
    assert named(lumbar).vertebrae[-2] == "L4"
    anchored = named(lumbar, sacrum=True)
    assert (anchored.vertebrae[-1], anchored.anchor) == ("S1", "sacrum")
    neck_on_a_sacrum = named([*chain("C3", "T3"), Size()], sacrum=True)
    assert neck_on_a_sacrum.vertebrae[0] == "C3" and not neck_on_a_sacrum.verified


@pytest.mark.parametrize(("missing", "added", "names"), [("", "L5", "L6"), ("L5", "", "L4")])
def test_a_spine_from_dens_to_sacrum_is_counted(missing: str, added: str, names: str) -> None:
    sizes = dict(zip(USUAL_ORDER[1:], chain("C2", "S1"), strict=True))
    order = [n for n in USUAL_ORDER[1:] if n != missing for n in ([n, n] if n == added else [n])]
    found = named([sizes[n] for n in order], sacrum=True, dens=DENS_SEEN)
    assert (found.vertebrae[0], found.vertebrae[-2:]) == ("C2", (names, "S1")) and found.verified


def test_more_vertebrae_than_a_spine_has_are_refused() -> None:
    assert named([Size()] * 25).vertebrae[-2:] == ("L5", "S1")
    with pytest.raises(LevelNameError, match="27 vertebrae"):
        named([Size()] * 27)


def drawn_as(first: str, last: str, **other: Region) -> list[tuple[float, ...]]:
    """Regions of a chain as a good model draws them, nine voxels of ten, but for some `other` bodies."""
    names = USUAL_ORDER[USUAL_ORDER.index(first) : USUAL_ORDER.index(last) + 1]
    regions = [other.get(name, region_of(name)) for name in names]
    return [tuple(0.9 if r == mine else 0.1 / 3 for r in Region) for mine in regions]


@pytest.mark.parametrize(("first", "last", "anchor"), [("T7", "L3", ""), ("C4", "T5", "C7-T1")])
def test_where_the_region_changes_names_a_chain_and_verifies_it_where_the_sizes_agree(
    first: str, last: str, anchor: str
) -> None:
    found, by_size = named(chain(first, last), regions=drawn_as(first, last)), named(chain(first, last))
    assert (found.vertebrae[0], found.anchor) == (first, anchor)
    assert found.probability > by_size.probability and not by_size.verified


def test_a_border_drawn_a_level_off_moves_no_name_that_the_sacrum_fixes() -> None:
    sizes = [*chain("T9", "L5"), Size()]
    off = drawn_as("T9", "L5", T12=Region.LUMBAR)
    found = named(sizes, sacrum=True, regions=[*off, None])
    assert (found.vertebrae[-2:], found.anchor) == (("L5", "S1"), "sacrum")
    usual = named(sizes, sacrum=True, regions=[*drawn_as("T9", "L5"), None])
    assert 0.8 < found.probability < usual.probability


def test_a_chain_of_one_region_is_a_guess_within_it() -> None:
    found = named(chain("T3", "T9"), regions=drawn_as("T3", "T9"))
    assert {name[0] for name in found.vertebrae} == {"T"} and not found.verified


def test_one_body_of_the_wrong_region_moves_no_name_that_the_sacrum_fixes() -> None:
    sizes = [*chain("T9", "L5"), Size()]
    regions = [*drawn_as("T9", "L5", L1=Region.THORACIC), None]
    found = named(sizes, sacrum=True, regions=regions)
    assert (found.vertebrae[-2:], found.anchor) == (("L5", "S1"), "sacrum")


def test_a_body_drawn_as_c2_names_a_neck_whose_dens_is_cut() -> None:
    tissue = neck("body")
    regions = np.full(tissue.shape, Region.CERVICAL, np.uint8)
    tip = int(np.nonzero(tissue == Tissue.BODY)[2].max())
    regions[:, :, tip - 16 :] = Region.AXIS
    found = name_structures(tissue, AFFINE, regions=regions)
    assert (found.anchor, found.level_verified) == ("dens", True)
    assert found.of_kind(Kind.DISC)[0].level == "C2-C3"
    assert not name_structures(tissue, AFFINE).level_verified


@pytest.mark.parametrize("disc_too", [False, True])
def test_what_is_drawn_above_c2_is_no_vertebra(disc_too: bool) -> None:
    tissue = np.pad(neck("dens"), ((0, 0), (0, 0), (0, 40)))
    tip = int(np.nonzero(tissue == Tissue.BODY)[2].max())
    tissue[1:6, 30:46, tip + 8 : tip + 22] = Tissue.BODY  # the base of the skull
    if disc_too:
        tissue[1:6, 30:46, tip + 2 : tip + 7] = Tissue.DISC
    regions = np.full(tissue.shape, Region.CERVICAL, np.uint8)
    regions[:, :, tip - 33 : tip + 1] = Region.AXIS
    found = name_structures(tissue, AFFINE, regions=regions)
    assert (found.anchor, found.level_verified) == ("dens", True)
    discs, bodies = found.of_kind(Kind.DISC), found.of_kind(Kind.BODY)
    assert [s.level for s in discs] == ["C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1"]
    assert not np.isin(found.labels[:, :, tip + 1 :], [s.value for s in (*discs, *bodies)]).any()
    assert any("above C2" in warning for warning in found.warnings)


@pytest.mark.parametrize(("drawn_as_c2", "levels"), [(1.0, 1), (0.5, 2)])
def test_a_long_top_body_is_c2_alone_where_nearly_all_of_it_is_drawn_so(drawn_as_c2: float, levels: int) -> None:
    whole = neck("fused")
    tip = int(np.nonzero(whole == Tissue.BODY)[2].max())
    tissue = np.ascontiguousarray(whole[:, :, : tip + 3])  # at the border, so that its shape says nothing
    regions = np.full(tissue.shape, Region.CERVICAL, np.uint8)
    regions[:, :, tip - round(34 * drawn_as_c2) :] = Region.AXIS
    found = name_structures(tissue, AFFINE, regions=regions)
    top = found.of_kind(Kind.BODY)[0]
    assert ("fused_or_absent_disc" in top.flags) == (levels == 2)
    assert found.level_verified == (levels == 1)
    if levels == 1:
        assert (top.level, found.of_kind(Kind.DISC)[0].level) == ("C2", "C2-C3")
