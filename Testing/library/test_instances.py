"""Instances and level names: from tissue maps, clean or damaged, in any storage."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE, SACRUM_VALUE, Kind, Tissue
from SpineMeasureLib.errors import LevelNameError, NothingFoundError, UnreadableInputError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.naming.instances import name_structures
from SpineMeasureLib.segment.naming.rename import rename
from SpineMeasureLib.segment.split import split_vertebrae
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

SPACING = np.array([4.0, 1.0, 1.0])
BODY_MM, DISC_MM, DEPTH = 26, 9, 34


def column(levels: int = 6, sacrum: bool = True) -> Volume:
    """Straight column of boxes: bodies, discs, canal, spinous processes, sacrum; axes right, anterior, superior."""
    tissue = np.zeros((11, 110, 30 + levels * (BODY_MM + DISC_MM)), np.uint8)
    front = slice(60, 60 + DEPTH)
    tissue[3:8, 42:56, 4:] = Tissue.CANAL
    if sacrum:
        tissue[2:9, front, 2:24] = Tissue.SACRUM
    for n in range(levels):
        low = 25 + n * (BODY_MM + DISC_MM)
        tissue[1:10, front, low : low + DISC_MM - 1] = Tissue.DISC
        tissue[1:10, front, low + DISC_MM : low + DISC_MM + BODY_MM - 1] = Tissue.BODY
        tissue[5, 12:38, low + DISC_MM - 4 : low + DISC_MM + 14] = Tissue.POSTERIOR
    affine = np.diag([*SPACING, 1.0])
    return Volume(tissue, affine)


def names(segmentation: SpineSegmentation, kind: Kind) -> list[str]:
    return [s.level for s in segmentation.of_kind(kind)]


LUMBAR_DISCS = ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
LUMBAR_BODIES = ["T12", "L1", "L2", "L3", "L4", "L5"]


def test_a_sacrum_below_anchors_the_names() -> None:
    spine = column()
    found = name_structures(spine.array, spine.affine)
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.BODY) == LUMBAR_BODIES
    assert names(found, Kind.POSTERIOR) == LUMBAR_BODIES
    assert found.level_verified
    assert found.anchor == "sacrum"
    assert [s.name for s in found.of_kind(Kind.SACRUM)] == ["Sacrum"]


def named(spine: Volume) -> SpineSegmentation:
    return name_structures(spine.array, spine.affine)


def with_s1_s2(height: int, depth: int, share: float) -> Volume:
    """A column whose lowest disc has this height and depth (mm); this share of the bone above it is drawn as sacrum."""
    spine = column(levels=7)
    low = 25
    tissue = spine.array
    tissue[1:10, 60 : 60 + DEPTH, low : low + DISC_MM] = Tissue.BACKGROUND
    tissue[1:10, 60 : 60 + depth, low + 4 : low + 4 + height] = Tissue.DISC
    bone = tissue[1:10, 60 : 60 + DEPTH, low + DISC_MM : low + DISC_MM + BODY_MM - 1]
    bone[:, : round(share * DEPTH)] = Tissue.SACRUM
    return spine


def test_a_rudimentary_disc_below_a_vertebra_drawn_partly_as_sacrum_is_within_the_sacrum() -> None:
    found = named(with_s1_s2(height=4, depth=20, share=0.4))
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.BODY) == LUMBAR_BODIES
    assert "S1-S2" in found.warnings[0]


def test_a_disc_of_full_size_is_the_lowest_one_though_its_vertebra_is_drawn_mostly_as_sacrum() -> None:
    found = named(with_s1_s2(height=7, depth=DEPTH, share=0.75))
    assert names(found, Kind.DISC) == ["T11-T12", *LUMBAR_DISCS]
    assert names(found, Kind.BODY) == ["T11", *LUMBAR_BODIES]
    sizes = [np.count_nonzero(found.mask(s)) for s in found.of_kind(Kind.BODY)]
    assert sizes[-1] > 0.9 * sizes[0]


def test_the_rim_of_the_sacrum_beside_the_lowest_disc_is_no_vertebra() -> None:
    spine = column()
    spine.array[2:9, 60 + DEPTH : 60 + DEPTH + 9, 14:38] = Tissue.SACRUM
    spine.array[2:9, 60 + DEPTH : 60 + DEPTH + 9, 22:27] = Tissue.BODY
    found = named(spine)
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.BODY) == LUMBAR_BODIES


def test_a_top_of_the_sacrum_drawn_as_a_vertebra_is_sacrum_not_part_of_l5() -> None:
    spine = column()
    sacrum = spine.array == Tissue.SACRUM
    top = np.flatnonzero(sacrum.any(axis=(0, 1)))[-1] + 1
    spine.array[:, :, top - 6 : top][sacrum[:, :, top - 6 : top]] = Tissue.BODY
    found = named(spine)
    assert names(found, Kind.BODY) == LUMBAR_BODIES
    assert (found.labels[sacrum] == SACRUM_VALUE).all()


def test_a_disc_below_a_vertebra_drawn_wholly_as_sacrum_is_within_the_sacrum() -> None:
    found = named(with_s1_s2(height=7, depth=DEPTH, share=1.0))
    assert names(found, Kind.DISC) == LUMBAR_DISCS


@pytest.mark.parametrize("known", [True, False])
def test_cord_ends_above_the_third_lumbar_vertebra_where_the_levels_are_known(known: bool) -> None:
    spine = column(sacrum=known)
    spine.array[4:7, 46:52][spine.array[4:7, 46:52] == Tissue.CANAL] = Tissue.CORD
    found = name_structures(spine.array, spine.affine)
    cord = np.flatnonzero((found.labels == CORD_VALUE).any(axis=(0, 1)))
    third = next(s for s in found.of_kind(Kind.BODY) if s.level == "L3")
    top = np.flatnonzero(found.mask(third).any(axis=(0, 1)))[-1]
    assert cord[0] == (top + 1 if known else 4)
    assert (found.labels == CANAL_VALUE).any()


def test_a_speck_of_cord_apart_from_the_cord_counts_as_canal() -> None:
    spine = column()
    high = spine.array.shape[2]
    inner = spine.array[4:7, 46:52]
    for low, top in ((high - 40, high), (high - 60, high - 52)):
        inner[:, :, low:top][inner[:, :, low:top] == Tissue.CANAL] = Tissue.CORD
    found = name_structures(spine.array, spine.affine)
    cord = np.flatnonzero((found.labels == CORD_VALUE).any(axis=(0, 1)))
    assert len(cord) and cord[0] >= high - 40


def test_without_an_anchor_the_names_are_a_guess_and_say_so() -> None:
    spine = column(sacrum=False)
    found = name_structures(spine.array, spine.affine)
    assert not found.level_verified
    assert "estimated from the size and appearance of the vertebrae" in found.warnings[0]
    assert all("level_unverified" in s.flags for s in found.of_kind(Kind.DISC))


@pytest.mark.parametrize(
    ("lowest", "top", "bottom"),
    [
        ("L4-L5", "T11-T12", "L4-L5"),
        ("L6-S1", "L1-L2", "L6-S1"),
        ("t12/l1", "T7-T8", "T12-L1"),
        ("C7-T1", "C2-C3", "C7-T1"),
    ],
)
def test_the_user_names_the_lowest_disc_and_the_chain_follows(lowest: str, top: str, bottom: str) -> None:
    spine = column(sacrum=False)
    found = name_structures(spine.array, spine.affine, lowest_disc=lowest)
    assert names(found, Kind.DISC)[0] == top
    assert names(found, Kind.DISC)[-1] == bottom
    assert found.anchor == "user"


def test_t13_is_named_where_the_user_says_so() -> None:
    spine = column(sacrum=False)
    found = name_structures(spine.array, spine.affine, lowest_disc="T13-L1")
    assert names(found, Kind.DISC)[-2:] == ["T12-T13", "T13-L1"]


@pytest.mark.parametrize("name", ["L5-L4", "S1-S2", "L9-S1", "x", "C1-C2"])
def test_an_unknown_disc_name_is_refused(name: str) -> None:
    spine = column()
    with pytest.raises(LevelNameError, match="not a valid disc level"):
        name_structures(spine.array, spine.affine, lowest_disc=name)


def test_more_vertebrae_than_the_name_allows_are_refused() -> None:
    spine = column(levels=6, sacrum=False)
    with pytest.raises(LevelNameError, match="only"):
        name_structures(spine.array, spine.affine, lowest_disc="C3-C4")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flip", [False, True])
def test_storage_order_changes_no_voxel(order: tuple[int, ...], flip: bool) -> None:
    spine = column()
    affine = spine.affine[:, [*order, 3]].copy()
    array = spine.array.transpose(order)
    if flip:
        affine[:, 3] += affine[:, 1] * (array.shape[1] - 1)
        affine[:, 1] *= -1
        array = array[:, ::-1]
    expected = name_structures(spine.array, spine.affine).labels.transpose(order)
    found = name_structures(np.ascontiguousarray(array), affine).labels
    assert np.array_equal(found, expected[:, ::-1] if flip else expected)


def damage_specks(tissue: np.ndarray) -> None:
    for n, place in enumerate(((0, 5, 5), (10, 100, 100), (2, 8, 150), (9, 20, 60))):
        tissue[place] = (Tissue.DISC, Tissue.BODY, Tissue.DISC, Tissue.CANAL)[n]


def damage_bridge_between_bodies(tissue: np.ndarray) -> None:
    tissue[4:6, 60:64, 40:160] = np.where(tissue[4:6, 60:64, 40:160] == 0, Tissue.BODY, tissue[4:6, 60:64, 40:160])
    tissue[3:5, 90:94, 95:105] = Tissue.BODY  # through a disc


def damage_disc_broken_in_two(tissue: np.ndarray) -> None:
    tissue[:, 74:78, 60:70][tissue[:, 74:78, 60:70] == Tissue.DISC] = 0


def damage_holes_in_bodies(tissue: np.ndarray) -> None:
    tissue[4:6, 70:80, 45:50] = 0


def damage_cavity_far_from_the_spine(tissue: np.ndarray) -> None:
    tissue[2:5, 2:9, 100:112] = Tissue.BODY


@pytest.mark.parametrize(
    "damage",
    [
        damage_specks,
        damage_bridge_between_bodies,
        damage_disc_broken_in_two,
        damage_holes_in_bodies,
        damage_cavity_far_from_the_spine,
    ],
)
def test_damage_changes_no_name(damage) -> None:  # type: ignore[no-untyped-def]
    spine = column()
    damage(spine.array)
    found = name_structures(spine.array, spine.affine)
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.BODY) == LUMBAR_BODIES


def test_a_missing_disc_is_flagged_and_shifts_no_name() -> None:
    spine = column()
    third = 25 + 2 * (BODY_MM + DISC_MM)
    spine.array[:, :, third : third + DISC_MM][spine.array[:, :, third : third + DISC_MM] == Tissue.DISC] = 0
    found = name_structures(spine.array, spine.affine)
    assert names(found, Kind.DISC) == [name for name in LUMBAR_DISCS if name != "L3-L4"]
    assert names(found, Kind.BODY) == LUMBAR_BODIES
    flagged = [s.level for s in found.of_kind(Kind.BODY) if "fused_or_absent_disc" in s.flags]
    assert flagged == ["L3"]


def test_a_block_vertebra_counts_as_two_levels() -> None:
    spine = column()
    low = 25 + 2 * (BODY_MM + DISC_MM)
    spine.array[1:10, 60 : 60 + DEPTH, low - 2 : low + DISC_MM + 1] = Tissue.BODY
    found = name_structures(spine.array, spine.affine)
    assert names(found, Kind.DISC) == [name for name in LUMBAR_DISCS if name != "L3-L4"]
    assert names(found, Kind.BODY)[0] == "T12"


def leaking(pad: int = 4) -> tuple[Volume, np.ndarray]:
    """A column in a stack `pad` slices wider, its lowest body drawn into what lies beside it; and where it truly is."""
    spine = column()
    tissue = np.pad(spine.array, ((pad, pad), (0, 0), (0, 0)))
    low = 25 + DISC_MM
    rows = slice(low, low + BODY_MM - 1)
    there = np.zeros(tissue.shape, bool)
    there[pad + 1 : pad + 10, 60 : 60 + DEPTH, rows] = True
    for beside in (slice(1, pad + 1), slice(pad + 10, -1)):
        tissue[beside, 70 : 70 + DEPTH, rows] = Tissue.BODY
    return Volume(tissue, spine.affine), there


def lowest_body(found: SpineSegmentation) -> np.ndarray:
    return found.labels == next(s.value for s in found.of_kind(Kind.BODY) if s.level == "L5")


def test_what_a_model_drew_far_beside_a_body_is_left_out() -> None:
    spine, there = leaking()
    found = lowest_body(
        name_structures(spine.array, spine.affine, confidence=np.full(spine.array.shape, 230, np.uint8))
    )
    assert found[there].all()
    drawn = (spine.array == Tissue.BODY) & ~there
    beside = drawn & (np.abs(np.arange(drawn.shape[0]) - 9) > 6)[:, None, None]
    assert beside.sum() > 2000 and not found[beside].any()


def test_given_masks_are_never_trimmed() -> None:
    spine, there = leaking()
    assert lowest_body(named(spine)).sum() > 1.5 * there.sum()


def test_thick_slices_of_which_one_shows_the_bodies_are_not_trimmed() -> None:
    spine = column()
    spine.array[np.r_[0:5, 6:11]] = 0
    spine.array[5, 60 : 60 + DEPTH, 0:3] = Tissue.SACRUM
    sure = np.full(spine.array.shape, 230, np.uint8)
    drawn, given = (name_structures(spine.array, spine.affine, confidence=c).labels for c in (sure, None))
    assert np.array_equal(drawn, given)


@pytest.mark.parametrize("slices", [slice(3, 8), slice(5, 6)], ids=["slab", "one slice"])
def test_in_a_stack_narrower_than_the_spine_nothing_is_trimmed(slices: slice) -> None:
    spine = column()
    thin = np.ascontiguousarray(spine.array[slices])
    thin[:, :, 165:200][thin[:, :, 165:200] == Tissue.BODY] = 0  # a body of half height beside whole ones
    sure = np.full(thin.shape, 230, np.uint8)
    drawn, given = (name_structures(thin, spine.affine, confidence=c).labels for c in (sure, None))
    assert np.array_equal(drawn, given)


def test_confidence_is_the_mean_probability_inside() -> None:
    spine = column()
    confidence = np.full(spine.array.shape, 255, np.uint8)
    confidence[spine.array == Tissue.DISC] = 102
    found = name_structures(spine.array, spine.affine, confidence=confidence)
    assert found.of_kind(Kind.DISC)[0].confidence == pytest.approx(0.4)
    assert found.of_kind(Kind.BODY)[0].confidence == pytest.approx(1.0)


def test_an_empty_map_is_refused() -> None:
    with pytest.raises(NothingFoundError):
        name_structures(np.zeros((9, 50, 50), np.uint8), np.diag([4.0, 1, 1, 1]))


def test_posterior_elements_in_front_of_the_bodies_are_none() -> None:
    volume = column()
    stray = volume.array.copy()
    stray[4:7, 100:106, 60:70] = Tissue.POSTERIOR
    found = name_structures(stray, volume.affine)
    assert np.array_equal(found.labels, name_structures(volume.array, volume.affine).labels)


def test_bone_that_lies_apart_from_any_column_is_no_spine() -> None:
    tissue = np.zeros((11, 200, 60), np.uint8)
    tissue[1:10, 5:25, 20:40] = tissue[1:10, 170:190, 20:40] = Tissue.BODY
    with pytest.raises(NothingFoundError, match="No vertebra and no disc"):
        name_structures(tissue, np.diag([*SPACING, 1.0]))


def test_a_disc_and_a_body_drawn_in_the_pelvis_are_no_level() -> None:
    spine = column(sacrum=False)
    below = np.zeros((11, 110, 60), np.uint8)
    below[1:10, 62:92, 10:18] = Tissue.DISC
    below[1:10, 62:92, 18:32] = Tissue.BODY
    tissue = np.concatenate([below, spine.array], axis=2)
    found = name_structures(tissue, spine.affine, lowest_disc="L5-S1")
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.BODY) == LUMBAR_BODIES


def test_discs_without_any_bodies_are_all_kept() -> None:
    spine = column(levels=12)
    spine.array[spine.array == Tissue.BODY] = 0
    assert len(named(spine).of_kind(Kind.DISC)) == 12


def test_renaming_moves_every_structure_together() -> None:
    spine = column()
    found = name_structures(spine.array, spine.affine)
    moved = rename(found, "L4-L5")
    assert names(moved, Kind.DISC) == ["T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5"]
    # What was taken for the sacrum is now the body under L4-L5.
    assert names(moved, Kind.BODY) == ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    back = rename(moved, "L5-S1")
    bodies = [s.value for s in found.of_kind(Kind.BODY)]
    for value in bodies:
        assert np.array_equal(back.labels == value, found.labels == value)


def test_our_own_labels_keep_their_names() -> None:
    spine = column()
    found = name_structures(spine.array, spine.affine, lowest_disc="L6-S1")
    again = segmentation_from_labels(found.as_volume())
    assert [(s.value, s.name) for s in again.structures] == [(s.value, s.name) for s in found.structures]
    assert again.anchor == "labels"


@pytest.mark.parametrize("lowest", ["L4-S1", "T11-L1"])
def test_our_own_labels_of_a_spine_with_a_vertebra_less_keep_their_names(lowest: str) -> None:
    found = rename(named(column()), lowest)
    again = segmentation_from_labels(found.as_volume())
    assert [s.name for s in again.structures] == [s.name for s in found.structures]
    assert [s.name for s in rename(again, lowest).structures] == [s.name for s in found.structures]
    usual = rename(again, "L5-S1")
    assert names(usual, Kind.DISC) == LUMBAR_DISCS


def test_a_vertebra_that_own_labels_miss_is_not_absent_from_the_spine() -> None:
    spine = column()
    labels = named(spine).labels
    labels[np.isin(labels, (24, 124, 224))] = 0  # L5 and its disc
    found = segmentation_from_labels(Volume(labels, spine.affine))
    assert names(found, Kind.DISC)[-1] == "L4-L5"


def without_lowest_disc() -> SpineSegmentation:
    spine = column()
    labels = named(spine).labels
    labels[labels == 124] = 0
    return segmentation_from_labels(Volume(labels, spine.affine))


def test_naming_the_lowest_disc_keeps_a_sacrum_that_it_does_not_touch() -> None:
    found = without_lowest_disc()
    again = rename(found, "L4-L5")
    assert [s.name for s in again.structures] == [s.name for s in found.structures]
    assert np.array_equal(again.labels, found.labels)


def test_what_lies_below_the_lowest_disc_follows_its_name() -> None:
    found = without_lowest_disc()
    higher, lower = rename(found, "L3-L4"), rename(found, "L5-S1")
    assert names(higher, Kind.BODY)[-2:] == ["L4", "L5"] and not higher.of_kind(Kind.SACRUM)
    assert names(lower, Kind.BODY)[-1] == "L5" and lower.of_kind(Kind.SACRUM)
    for moved in (higher, lower):
        assert np.count_nonzero(moved.labels) == np.count_nonzero(found.labels)


def test_a_plain_vertebra_disc_canal_map_is_separated_and_named() -> None:
    spine = column(sacrum=False)
    plain = np.zeros_like(spine.array)
    plain[np.isin(spine.array, (Tissue.BODY, Tissue.POSTERIOR))] = 1
    plain[spine.array == Tissue.DISC] = 2
    plain[spine.array == Tissue.CANAL] = 3
    found = segmentation_from_labels(Volume(plain, spine.affine), lowest_disc="L5-S1")
    assert names(found, Kind.DISC) == LUMBAR_DISCS
    assert names(found, Kind.POSTERIOR) == LUMBAR_BODIES
    assert np.array_equal(
        np.isin(found.labels, [s.value for s in found.of_kind(Kind.BODY)]), spine.array == Tissue.BODY
    )


def test_values_of_no_convention_are_refused() -> None:
    labels = Volume(np.full((8, 8, 8), 99, np.uint8), np.eye(4))
    with pytest.raises(UnreadableInputError, match="99"):
        segmentation_from_labels(labels)


def test_split_gives_every_voxel_to_exactly_one_part() -> None:
    spine = column()
    bone = np.isin(spine.array, (Tissue.BODY, Tissue.POSTERIOR))
    body, posterior = split_vertebrae(bone, spine.array == Tissue.CANAL, spine.affine)
    assert np.array_equal(body, spine.array == Tissue.BODY)
    assert np.array_equal(posterior, spine.array == Tissue.POSTERIOR)


@pytest.mark.real_data
def test_every_disc_of_real_expert_labels_is_found_in_order(data_folder: Path) -> None:
    folder = data_folder / "lumbar_t2_space"
    with (folder / "overview.csv").open() as file:
        counted = {f"spider{int(r['patient']):03d}": int(r["num_discs"]) for r in csv.DictReader(file)}
    for path in sorted(folder.glob("*_labels.nii.gz"))[::6]:
        found = segmentation_from_labels(read_volume(path), lowest_disc="L5-S1")
        discs = names(found, Kind.DISC)
        assert len(discs) == counted[path.name.split("_")[0]], path.name
        assert discs[-4:] == ["L2-L3", "L3-L4", "L4-L5", "L5-S1"]
