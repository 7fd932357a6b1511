"""Label maps of other programs: made from the sample's labels to each convention, read back with the same names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE, DISC_OFFSET, POSTERIOR_OFFSET, SACRUM_VALUE, Kind
from SpineMeasureLib.errors import NothingFoundError, OptionError, UnreadableInputError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.labels.conventions import conventions
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

from .published_labels import PUBLISHED, own_value


@pytest.fixture(scope="module")
def own(sample_folder: Path) -> Volume:
    return read_volume(sample_folder / "lumbar_t2_labels.nii.gz")


@pytest.fixture(scope="module")
def reference(own: Volume) -> SpineSegmentation:
    return segmentation_from_labels(own)


def body_of(values: np.ndarray) -> np.ndarray:
    """Our label values with every posterior element given to its vertebra, as other programs have it."""
    whole = values.copy()
    whole[values > POSTERIOR_OFFSET] -= POSTERIOR_OFFSET
    return whole


def written_as(own: Volume, name: str) -> Volume:
    """The map as another program would have written it, by the list that it publishes."""
    whole = body_of(own.array)
    out = np.zeros(own.array.shape, np.uint8)
    for structure, theirs in PUBLISHED[name].items():
        out[whole == own_value(structure)] = theirs
    return Volume(out, own.affine)


def subregions_of(own: Volume) -> Volume:
    """SPINEPS's seg-spine mask."""
    out = np.zeros(own.array.shape, np.uint8)
    vertebra = (own.array < SACRUM_VALUE) & (own.array > 0)
    out[vertebra] = 49
    # A layer of endplate between body and disc.
    disc = (own.array > DISC_OFFSET) & (own.array < POSTERIOR_OFFSET)
    out[vertebra & ndimage.binary_dilation(disc)] = 62
    out[own.array > POSTERIOR_OFFSET] = 41
    out[disc] = 100
    out[own.array == SACRUM_VALUE] = 26
    out[own.array == CORD_VALUE] = 60
    out[own.array == CANAL_VALUE] = 61
    return Volume(out, own.affine)


def instances_of(own: Volume, spine: Volume) -> Volume:
    """SPINEPS's seg-vert mask: both endplates at a disc carry the number of the vertebra above it."""
    out = written_as(own, "spineps").array.copy()
    plates = spine.array == 62
    disc = np.where((own.array > DISC_OFFSET) & (own.array < POSTERIOR_OFFSET), own.array, 0)
    near = ndimage.distance_transform_edt(disc == 0, return_distances=False, return_indices=True)
    out[plates] = disc[tuple(near[:, plates])] - DISC_OFFSET + 200
    return Volume(out, own.affine)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def same(
    found: SpineSegmentation, reference: SpineSegmentation, kinds: tuple[Kind, ...], least: float, cut: bool = True
) -> None:
    """Every structure of some kinds has its name and its voxels.

    :param cut: whether the voxels of vertebrae cut by the field of view count too; above the topmost ring there is
        nothing that tells body and arch apart.
    """
    wanted = {s.name: s for s in reference.structures if s.kind in kinds}
    have = {s.name: s for s in found.structures if s.kind in kinds}
    assert have.keys() == wanted.keys()
    for name, structure in wanted.items():
        if not cut and "cut_by_field_of_view" in structure.flags:
            continue
        assert dice(found.mask(have[name]), reference.mask(structure)) > least, name


ALL = (Kind.BODY, Kind.DISC, Kind.CANAL)


@pytest.mark.parametrize("given", ["spider", "auto"])
def test_spider_masks_are_named_from_below(given: str, own: Volume, reference: SpineSegmentation) -> None:
    mask = written_as(own, "spider")
    assert {1, 100, 201} <= set(np.unique(mask.array))
    same(segmentation_from_labels(mask, convention=given), reference, ALL[:2], 0.95)


def test_partly_visible_vertebrae_of_spider_keep_their_names(own: Volume, reference: SpineSegmentation) -> None:
    mask = written_as(own, "spider")
    top = max(v for v in np.unique(mask.array) if v < 100)
    mask.array[mask.array == top] += 100
    same(segmentation_from_labels(mask), reference, (Kind.BODY,), 0.95)


@pytest.mark.parametrize("given", ["totalspineseg", "auto"])
def test_totalspineseg_masks_keep_their_names(given: str, own: Volume, reference: SpineSegmentation) -> None:
    mask = written_as(own, "totalspineseg")
    assert {2, 45, 50, 95, 100} <= set(np.unique(mask.array))
    same(segmentation_from_labels(mask, convention=given), reference, (*ALL, Kind.CORD, Kind.SACRUM), 0.95)


def test_spineps_masks_together_give_names_and_subregions(own: Volume, reference: SpineSegmentation) -> None:
    spine = subregions_of(own)
    found = segmentation_from_labels(instances_of(own, spine), convention="spineps", subregions=spine)
    same(found, reference, (Kind.BODY, Kind.POSTERIOR, Kind.DISC, Kind.CANAL, Kind.CORD, Kind.SACRUM), 0.99)


def test_subregions_make_a_mask_without_arches_one_of_spineps(own: Volume) -> None:
    spine = subregions_of(own)
    mask = np.where((own.array < POSTERIOR_OFFSET) & ~np.isin(own.array, (CANAL_VALUE, CORD_VALUE)), own.array, 0)
    found = segmentation_from_labels(Volume(mask, own.affine), subregions=spine)
    assert np.array_equal(found.labels == CANAL_VALUE, own.array == CANAL_VALUE)
    with pytest.raises(UnreadableInputError, match="subregions"):
        segmentation_from_labels(Volume(mask, own.affine), convention="own", subregions=spine)


@pytest.mark.parametrize("name", ["spineps", "veridah"])
def test_the_instance_mask_alone_is_divided_behind_its_bodies(
    name: str, own: Volume, reference: SpineSegmentation
) -> None:
    found = segmentation_from_labels(instances_of(own, subregions_of(own)), convention=name)
    same(found, reference, (Kind.DISC,), 0.99)
    same(found, reference, (Kind.BODY,), 0.9, cut=False)


def test_the_subregion_mask_alone_is_named_here(own: Volume, reference: SpineSegmentation) -> None:
    found = segmentation_from_labels(subregions_of(own))
    assert found.anchor == "sacrum"
    same(found, reference, (Kind.BODY, Kind.DISC), 0.9)


def test_t13_and_l6_of_veridah_are_read(own: Volume) -> None:
    mask = written_as(own, "veridah").array.copy()
    lifted = mask.copy()
    for old, new in ((24, 25), (23, 24), (22, 23), (21, 22), (20, 21), (19, 20), (18, 28)):
        lifted[mask == old] = new
        lifted[mask == DISC_OFFSET + old] = DISC_OFFSET + new
    found = segmentation_from_labels(Volume(lifted, own.affine), convention="veridah")
    names = [s.level for s in found.of_kind(Kind.BODY)]
    assert names[0] == "T13" and names[-1] == "L6"
    assert {"T13-L1", "L5-L6", "L6-S1"} <= {s.level for s in found.of_kind(Kind.DISC)}


def test_totalsegmentator_vertebrae_are_named(own: Volume, reference: SpineSegmentation) -> None:
    found = segmentation_from_labels(written_as(own, "totalsegmentator"), convention="totalsegmentator")
    same(found, reference, (Kind.BODY, Kind.SACRUM), 0.9, cut=False)
    assert not found.of_kind(Kind.DISC)


def test_organs_beside_the_spine_are_left_out(own: Volume, reference: SpineSegmentation) -> None:
    mask = written_as(own, "totalsegmentator-total")
    mask.array[:, :3] = 5  # liver
    found = segmentation_from_labels(mask, convention="totalsegmentator-total")
    same(found, reference, (Kind.BODY,), 0.9, cut=False)


def test_total_mr_is_separated_and_named_from_the_sacrum(own: Volume, reference: SpineSegmentation) -> None:
    whole = body_of(own.array)
    out = np.zeros(own.array.shape, np.uint8)
    out[(whole > 0) & (whole < SACRUM_VALUE)] = 19
    out[whole > DISC_OFFSET] = 20
    out[whole == SACRUM_VALUE] = 18
    out[np.isin(whole, (CANAL_VALUE, CORD_VALUE))] = 21
    found = segmentation_from_labels(Volume(out, own.affine), convention="totalsegmentator-total-mr")
    same(found, reference, (Kind.DISC,), 0.9)


def test_our_own_map_is_still_our_own(own: Volume, reference: SpineSegmentation) -> None:
    assert np.array_equal(segmentation_from_labels(own, convention="own").labels, reference.labels)
    assert np.array_equal(segmentation_from_labels(own).labels, own.array)


@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5, 6, 7), (20, 21, 22, 120, 121, 220, 221)])
def test_maps_that_fit_several_conventions_are_not_guessed(values: tuple[int, ...]) -> None:
    array = np.zeros((6, 6, 60), np.uint8)
    for place, value in enumerate(values):
        row = 4 * place if values[0] == 1 else 50 - 4 * place
        array[2:4, 2:4, row : row + 3] = value
    with pytest.raises(UnreadableInputError, match=r"matches several.*--convention"):
        segmentation_from_labels(Volume(array, np.eye(4)))


def test_values_that_a_named_convention_lacks_are_refused(own: Volume) -> None:
    with pytest.raises(UnreadableInputError, match="'spider' does not have"):
        segmentation_from_labels(written_as(own, "totalspineseg"), convention="spider")
    with pytest.raises(OptionError, match=r"not a known convention.*spider"):
        segmentation_from_labels(own, convention="nonsense")
    with pytest.raises(UnreadableInputError, match="does not write"):
        segmentation_from_labels(written_as(own, "spider"), convention="own")


@pytest.mark.parametrize("named_as", ["own", "spineps"])
def test_a_named_convention_whose_vertebrae_would_stand_on_their_head_is_refused(own: Volume, named_as: str) -> None:
    upside_down = written_as(own, "totalsegmentator")  # numbered from the sacrum up; the others from the head down
    with pytest.raises(UnreadableInputError, match="from head to sacrum"):
        segmentation_from_labels(upside_down, convention=named_as)


def test_a_map_without_any_spine_is_refused() -> None:
    array = np.zeros((4, 4, 4), np.uint8)
    array[1, 1, 1] = 5
    with pytest.raises(NothingFoundError, match="no discs or vertebrae"):
        segmentation_from_labels(Volume(array, np.eye(4)), convention="totalsegmentator-total")


def test_the_manual_lists_every_convention() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "label-maps.md").read_text()
    for name, convention in conventions().items():
        assert f"| `{name}` |" in text, convention.what
