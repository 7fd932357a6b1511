"""Small masks written by the lists that other programs publish are read with the names that these lists give."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, VERTEBRA_ORDER, Kind, Tissue
from SpineMeasureLib.errors import OptionError
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.labels.conventions import conventions, named, tissues_of, translate
from SpineMeasureLib.volume import Volume

from .published_labels import PUBLISHED, SPINEPS_SUBREGIONS, TOTAL_MR, own_value

AFFINE = np.diag([4.0, 2.0, 3.0, 1.0])
BODY, DISC = 6, 2  # rows


def boxes(order: tuple[str, ...]) -> dict[str, tuple[slice, slice, slice]]:
    """Where each structure of a straight spine is: bodies and discs in turn, behind them the canal with a cord."""
    height = len(order) * (BODY + DISC)
    found = {"Spinal canal": np.s_[1:4, 2:8, 0:height], "Spinal cord": np.s_[2:3, 4:6, 0:height]}
    row = 0
    for lower, upper in zip(order[::-1], [*order[-2::-1], ""], strict=True):
        found["Sacrum" if lower == "S1" else lower] = np.s_[0:5, 10:20, row : row + BODY]
        if upper and upper != "C1":
            found[f"{upper}-{lower}"] = np.s_[0:5, 10:20, row + BODY : row + BODY + DISC]
        row += BODY + DISC
    return found


def painted(places: dict[str, tuple[slice, slice, slice]], values: dict[str, int]) -> Volume:
    """A mask of the structures that have a value, the cord over the canal."""
    array = np.zeros((5, 22, max(place[2].stop for place in places.values())), np.uint8)
    for name, place in places.items():
        if name in values:
            array[place] = values[name]
    return Volume(array, AFFINE)


WITH_T13_AND_L6 = tuple(VERTEBRA_ORDER[VERTEBRA_ORDER.index("T10") :])
WITH_L6 = tuple(name for name in WITH_T13_AND_L6 if name != "T13")


@pytest.mark.parametrize(
    ("name", "order"),
    [
        *((name, USUAL_ORDER) for name in PUBLISHED),
        ("spineps", WITH_T13_AND_L6),
        ("veridah", WITH_T13_AND_L6),
        ("totalspineseg", WITH_L6),
    ],
)
def test_every_structure_of_a_published_list_is_read_under_its_name(name: str, order: tuple[str, ...]) -> None:
    places, published = boxes(order), PUBLISHED[name]
    given = painted(places, published)
    found = segmentation_from_labels(given, convention=name)
    by_name = {s.name: found.mask(s) for s in found.structures}
    wanted = {n: v for n, v in published.items() if n in places and not (name == "spider" and n == "Spinal cord")}
    assert by_name.keys() == wanted.keys()
    for structure, value in wanted.items():
        assert np.array_equal(by_name[structure], given.array == value), structure


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_value_is_known_that_the_published_list_lacks(name: str) -> None:
    also = {
        "spider": {100 + n for n in range(1, 25)},  # vertebrae partly in view
        "totalsegmentator-total": {26},  # vertebrae_S1
        "spineps": {101},  # what would be the disc below C1
        "veridah": {101},
    }
    assert named(name).own.keys() - also.get(name, set()) == set(PUBLISHED[name].values())
    assert not named(name).tissues


def test_vertebrae_of_spider_partly_in_view_are_a_hundred_higher() -> None:
    """Values 101 to 124, of the same vertebrae (the algorithm's page: 101-125 for partially visible vertebrae)."""
    places = boxes(USUAL_ORDER)
    cut = {n: v + (100 if "-" not in n and not n.startswith("S") else 0) for n, v in PUBLISHED["spider"].items()}
    own = translate(painted(places, cut).array, AFFINE, named("spider"))
    for vertebra in USUAL_ORDER[:-1]:
        assert (own[places[vertebra]] == own_value(vertebra)).all(), vertebra


def test_s1_of_totalsegmentator_is_sacrum_and_organs_are_left_out() -> None:
    """class_map["total"]: 26 is vertebrae_S1; 1 to 24, 51 to 78 and 80 to 117 are no part of the spine."""
    array = np.arange(118, dtype=np.uint8).reshape(1, 1, 118)
    own = translate(array, np.eye(4), named("totalsegmentator-total"))[0, 0]
    spine = {own_value(n): {v} for n, v in PUBLISHED["totalsegmentator-total"].items()}
    spine[own_value("Sacrum")].add(26)
    assert {int(v): set(np.flatnonzero(own == v)) for v in np.unique(own) if v} == spine


@pytest.mark.parametrize("name", ["spineps", "veridah"])
def test_endplates_of_spineps_belong_to_the_vertebra_that_they_touch(name: str) -> None:
    """README: 200 + X are the endplates of vertebra X; both at a disc carry the number of the vertebra above it."""
    places = boxes(WITH_T13_AND_L6)
    array = painted(places, PUBLISHED[name]).array
    for structure, (*_, rows) in places.items():
        if "-" in structure:
            plate = 100 + PUBLISHED[name][structure]
            array[0:5, 10:20, rows.start - 1] = array[0:5, 10:20, rows.stop] = plate
    own = translate(array, AFFINE, named(name))
    for vertebra in ("Sacrum", *WITH_T13_AND_L6[:-1]):
        assert (own[places[vertebra]] == own_value(vertebra)).all(), vertebra
    # An endplate that touches nothing but its disc goes to the nearest vertebra, whatever its number.
    assert not set(np.unique(own)) & set(range(200, 230))


PARTS = {
    "spineps-spine": {
        Tissue.SACRUM: {"Sacrum"},
        Tissue.POSTERIOR: {
            "Arcus_Vertebrae", "Spinosus_Process", "Costal_Process_Left", "Costal_Process_Right",
            "Superior_Articular_Left", "Superior_Articular_Right", "Inferior_Articular_Left",
            "Inferior_Articular_Right",
        },
        Tissue.BODY: {
            "Vertebra_Corpus_border", "Vertebra_Corpus", "Dens_axis", "Vertebral_Body_Endplate_Superior",
            "Vertebral_Body_Endplate_Inferior", "Endplate",
        },
        Tissue.CORD: {"Spinal_Cord"},
        Tissue.CANAL: {"Spinal_Canal"},
        Tissue.DISC: {"Vertebra_Disc"},
    },
    "totalsegmentator-total-mr": {
        Tissue.SACRUM: {"sacrum"},
        Tissue.BODY: {"vertebrae"},
        Tissue.DISC: {"intervertebral_discs"},
        Tissue.CORD: {"spinal_cord"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "published"), [("spineps-spine", SPINEPS_SUBREGIONS), ("totalsegmentator-total-mr", TOTAL_MR)]
)
def test_every_part_of_a_mask_without_levels_is_its_tissue(name: str, published: dict[str, int]) -> None:
    array = np.array([[sorted(published.values())]], np.uint8)
    found = tissues_of(array, named(name))
    values = {value: structure for structure, value in published.items()}
    parts = {t: {values[int(v)] for v in array[found == t]} for t in Tissue if t is not Tissue.BACKGROUND}
    assert {t: names for t, names in parts.items() if names} == PARTS[name]
    assert named(name).values == set(published.values())


def test_organs_in_total_mr_are_left_out() -> None:
    array = np.arange(51, dtype=np.uint8).reshape(1, 1, 51)
    found = tissues_of(array, named("totalsegmentator-total-mr"))
    assert set(np.flatnonzero(found)) == set(TOTAL_MR.values())


def test_an_unknown_convention_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(OptionError, match="'spine-x' is not a known convention") as caught:
        named("spine-x")
    listed = str(caught.value.hint).removeprefix("Use one of ").removesuffix(".").split(", ")
    assert set(listed) == {"auto", "own", *PUBLISHED, *PARTS}


def test_every_convention_is_compared_with_a_published_list() -> None:
    assert set(conventions()) == {*PUBLISHED, *PARTS}


@pytest.mark.parametrize("name", ["totalspineseg", "spider", "spineps", "totalsegmentator"])
def test_a_mask_written_by_a_published_list_is_recognised(name: str) -> None:
    """No program is named. The mask of TotalSpineSeg separates cord and canal."""
    places = boxes(USUAL_ORDER)
    found = segmentation_from_labels(painted(places, PUBLISHED[name]))
    assert [s.level for s in found.of_kind(Kind.BODY)] == list(USUAL_ORDER[:-1])
    if name == "totalspineseg":
        cord, canal = (found.mask(found.of_kind(kind)[0]) for kind in (Kind.CORD, Kind.CANAL))
        assert cord.sum() < canal.sum() and cord[places["Spinal cord"]].all()
