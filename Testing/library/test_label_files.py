"""Files with labels as people have them: segments with names, DICOM SEG, masks of a part of the image."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from SpineMeasureLib.anatomy import Kind, code_of
from SpineMeasureLib.errors import GeometryMismatchError, NothingFoundError, SpineMeasureError, UnreadableInputError
from SpineMeasureLib.io.label_file import read_label_file
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.segment.labels.by_name import segmentation_from_segments
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segmentation import SpineSegmentation, Structure
from SpineMeasureLib.volume import Volume

from .label_files import Part, part_of, reordered, write_dicom_seg, write_seg_nrrd


@pytest.fixture(scope="module")
def own(sample_folder: Path) -> Volume:
    return read_volume(sample_folder / "lumbar_t2_labels.nii.gz")


@pytest.fixture(scope="module")
def made(own: Volume) -> SpineSegmentation:
    return segmentation_from_labels(own)


def parts(made: SpineSegmentation, name: object = None, coded: bool = False) -> list[Part]:
    """A part for each structure, discs first: an order that no table of values has."""
    found = sorted(made.structures, key=lambda s: (s.kind is not Kind.DISC, s.kind is not Kind.CANAL, -s.value))
    return [
        Part(
            made.mask(s),
            name(s) if callable(name) else s.name,
            ("SCT", code_of(s.kind, s.level).value, "-") if coded else None,
        )
        for s in found
    ]


def read(path: Path, own: Volume) -> SpineSegmentation:
    return segmentation_from_segments(read_label_file(path, own))


def usual_name(structure: Structure) -> str:
    """As other programs name them."""
    names = {
        Kind.BODY: f"vertebra {structure.level}",
        Kind.DISC: f"IVD {structure.level.replace('-', '/')}",
        Kind.POSTERIOR: f"{structure.level} arch",
        Kind.CANAL: "thecal sac",
    }
    return names.get(structure.kind, structure.name.lower())


def test_names_count_and_values_do_not(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, parts(made, usual_name))
    found = read(path, own)
    assert np.array_equal(found.labels, made.labels)
    assert found.anchor == "labels" and found.level_verified and not found.warnings


def test_layers_are_read_also_those_of_an_old_slicer(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    every = [dataclasses.replace(p, fields={"LabelValue": None, "Layer": None}) for p in parts(made, usual_name)]
    found = read(write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, every, layered=True), own)
    assert np.array_equal(found.labels, made.labels)


def test_codes_count_if_names_say_nothing(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    coded = [p for p in parts(made, coded=True) if "posterior" not in p.name]
    coded = [dataclasses.replace(p, name=f"Segment_{n}") for n, p in enumerate(coded)]
    found = read(write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, coded), own)
    for kind in (Kind.DISC, Kind.CANAL, Kind.SACRUM):
        for structure in made.of_kind(kind):
            assert np.array_equal(found.labels == structure.value, made.mask(structure)), structure.name


def test_single_structures_win_over_groups_and_overlaps_are_reported(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    every = parts(made, usual_name)
    bodies = {s.level: made.mask(s) for s in made.of_kind(Kind.BODY)}
    swollen = [
        dataclasses.replace(p, mask=ndimage.binary_dilation(p.mask)) if p.name == "vertebra L4" else p for p in every
    ]
    groups = [Part(made.labels > 0, "Spine"), Part(np.any(list(bodies.values()), axis=0), "Vertebrae")]
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, [*groups, *swollen], layered=True)
    found = read(path, own)
    for kind in (Kind.DISC, Kind.CANAL, Kind.POSTERIOR):
        for structure in made.of_kind(kind):
            assert np.array_equal(found.labels == structure.value, made.mask(structure)), structure.name
    said = " ".join(found.warnings)
    assert "Spine" in said and "Vertebrae" in said and "vertebra L4 and IVD" in said


def test_unknown_names_are_refused_by_name(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    every = parts(made)
    every[1] = dataclasses.replace(every[1], name="Segment_7")
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, every)
    with pytest.raises(UnreadableInputError, match=r"unknown names: Segment_7\."):
        read(path, own)


def test_what_is_beside_the_spine_and_what_is_empty_does_no_harm(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    corner = np.zeros(own.array.shape, bool)
    corner[:2, :2, :2] = True
    further = [Part(corner & (made.labels == 0), "psoas muscle"), Part(corner & False, "Segment_9")]
    found = read(write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, [*parts(made), *further]), own)
    assert np.array_equal(found.labels, made.labels)
    assert any("psoas muscle" in w for w in found.warnings)
    alone = write_seg_nrrd(tmp_path / "b.seg.nrrd", own.affine, further[:1])
    with pytest.raises(NothingFoundError):
        read(alone, own)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"L3": "L4", "L4": "L3"}, "are not in the order"),
        ({"L3": "L4"}, "same vertebra or disc: L4, L4"),
        ({"L1-L2": "L2-L3", "L2-L3": "L3-L4", "L3-L4": "x"}, "unknown names: x"),
        ({"L3-L4": "kidney", "L2-L3": "L3-L4", "L1-L2": "L2-L3"}, "is not between"),
    ],
)
def test_names_that_contradict_the_anatomy_are_refused(
    names: dict[str, str], sentence: str, own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, parts(made, lambda s: names.get(s.name, s.name)))
    with pytest.raises(UnreadableInputError, match=sentence):
        read(path, own)


def test_discs_in_one_segment_are_named_after_the_vertebrae_beside_it(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    discs = np.any([made.mask(s) for s in made.of_kind(Kind.DISC)], axis=0)
    lifted = {"L5": "L4", "L4": "L3", "L3": "L2", "L2": "L1", "L1": "T12", "T12": "T11", "T11": "T10"}
    others = [
        Part(made.mask(s), lifted.get(s.level, s.level))
        for s in made.of_kind(Kind.BODY)
        if s.level in lifted and made.mask(s).sum()
    ]
    canal = Part(made.mask(made.of_kind(Kind.CANAL)[0]), "canal")
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, [Part(discs, "Bandscheiben"), *others, canal])
    found = read(path, own)
    assert found.anchor == "labels" and found.level_verified
    by_name = {s.level: s for s in found.of_kind(Kind.DISC)}
    wanted = next(s for s in made.of_kind(Kind.DISC) if s.level == "L3-L4")
    same = (found.labels == by_name["L2-L3"].value) & made.mask(wanted)
    assert same.sum() > 0.95 * made.mask(wanted).sum()


def test_of_canal_and_dural_sac_the_sac_is_taken(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    canal = made.mask(made.of_kind(Kind.CANAL)[0])
    every = [p for p in parts(made) if p.name != "Spinal canal"]
    wide = ndimage.binary_dilation(canal) & (made.labels == 0) | canal
    path = write_seg_nrrd(
        tmp_path / "a.seg.nrrd",
        own.affine,
        [*every, Part(wide, "canal"), Part(canal, "dural sac")],
        layered=True,
    )
    found = read(path, own)
    assert np.array_equal(found.labels == 61, canal)
    assert any("sac was used" in w for w in found.warnings)


def test_a_named_convention_counts_instead_of_names(own: Volume, sample_folder: Path, tmp_path: Path) -> None:
    values = [int(v) for v in np.unique(own.array) if v]
    strange = [Part(own.array == v, f"Segment_{v}") for v in values]
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", own.affine, strange, values=values)
    job = Job(sample_folder / "lumbar_t2.nii.gz", tmp_path / "out", path, scene=False, picture=False, measure=False)
    with pytest.raises(UnreadableInputError, match="unknown names"):
        run(job)
    done = run(dataclasses.replace(job, convention="own"))
    assert np.array_equal(done.segmentation.labels, own.array)


@pytest.fixture(scope="module")
def coarse(own: Volume) -> Volume:
    """Every third voxel of the middle of the image: few enough frames, one for each slice and segment."""
    place = np.diag([1.0, 3.0, 3.0, 1.0])
    place[:3, 3] = 0, 88, 72
    return Volume(own.array[:, 88:264:3, 72:216:3].copy(), own.affine @ place)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize(("axis", "backwards"), [(0, False), (2, True), (1, True)])
def test_dicom_seg_of_other_programs_is_placed_by_its_positions(
    kind: str, axis: int, backwards: bool, coarse: Volume, tmp_path: Path
) -> None:
    made = segmentation_from_labels(coarse)
    path = write_dicom_seg(
        tmp_path / "seg.dcm", coarse.affine, parts(made, usual_name), kind, axis, backwards, empty_frames=backwards
    )
    found = read(path, coarse)
    assert np.array_equal(found.labels, made.labels)
    assert any("fractions" in w for w in found.warnings) == (kind == "FRACTIONAL")
    # A folder that contains only that file is the same.
    assert np.array_equal(read(tmp_path, coarse).labels, made.labels)


def test_dicom_seg_is_known_by_its_codes_old_ones_too(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    coded = [p for p in parts(made, coded=True) if "posterior" not in p.name]
    coded = [dataclasses.replace(p, name="Segment") for p in coded]
    canal = next(n for n, p in enumerate(coded) if p.code and p.code[1] == "61853006")
    coded[canal] = dataclasses.replace(coded[canal], code=("SRT", "T-1151F", "-"))
    found = read(write_dicom_seg(tmp_path / "seg.dcm", own.affine, coded), own)
    assert {s.level for s in found.of_kind(Kind.DISC)} == {s.level for s in made.of_kind(Kind.DISC)}
    assert np.array_equal(found.labels == 61, made.labels == 61)


def test_dicom_seg_of_another_place_or_examination_is_noticed(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    shifted = own.affine.copy()
    shifted[:3, 3] += 0.5 * own.affine[:3, 1]
    path = write_dicom_seg(tmp_path / "seg.dcm", shifted, parts(made))
    with pytest.raises(GeometryMismatchError, match="shifted"):
        read(path, own)
    path = write_dicom_seg(tmp_path / "seg.dcm", own.affine, parts(made), frame_of_reference="1.2.9")
    image = dataclasses.replace(own, meta={"dicom": {"FrameOfReferenceUID": "1.2.8"}})
    assert any("frame of reference" in w for w in read(path, image).warnings)


def test_a_damaged_dicom_seg_and_several_in_a_folder_are_refused(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    path = write_dicom_seg(tmp_path / "seg.dcm", own.affine, parts(made))
    (tmp_path / "copy.dcm").write_bytes(path.read_bytes())
    with pytest.raises(UnreadableInputError, match="2 DICOM SEG files"):
        read(tmp_path, own)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UnreadableInputError, match="damaged"):
        read(path, own)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("flips", [(), (0, 2)])
def test_a_cropped_or_padded_mask_is_placed_back(
    order: tuple[int, int, int], flips: tuple[int, ...], own: Volume, tmp_path: Path
) -> None:
    inside = np.argwhere(own.array)
    cropped = part_of(own, inside.min(axis=0), inside.max(axis=0) + 1)
    padded = part_of(own, (-2, -7, -1), np.add(own.array.shape, (3, 1, 9)))
    for mask in (cropped, padded):
        write_volume(reordered(mask, order, flips), tmp_path / "mask.nii.gz")
        file = read_label_file(tmp_path / "mask.nii.gz", own)
        assert np.array_equal(file.single().array, own.array)
        assert not file.warnings and not file.segments


def test_what_lies_outside_the_image_is_cut_off_with_a_warning(own: Volume, tmp_path: Path) -> None:
    half = part_of(own, (0, 0, 0), (own.array.shape[0], own.array.shape[1], own.array.shape[2] // 2))
    write_volume(own, tmp_path / "mask.nrrd")
    file = read_label_file(tmp_path / "mask.nrrd", half)
    assert np.array_equal(file.single().array, half.array)
    assert "cut off" in file.warnings[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a @ np.array([[1, 0, 0, 0], [0, 1, 0, 0.4], [0, 0, 1, 0], [0, 0, 0, 1]]), "shifted"),
        (lambda a: a @ np.diag([1, 1.1, 1, 1]), "its voxels are"),
        (lambda a: np.diag([1, 1, 1, 1]) @ _turned(3) @ a, "rotated by 3.0 degrees relative"),
        (lambda a: a @ np.array([[1, 0, 0, 0], [0, 1, 0, 900], [0, 0, 1, 0], [0, 0, 0, 1]]), "another part"),
    ],
)
def test_a_mask_off_the_image_s_lattice_is_refused_with_the_reason(
    change: object, sentence: str, own: Volume, tmp_path: Path
) -> None:
    assert callable(change)
    write_volume(Volume(own.array, change(own.affine)), tmp_path / "mask.nii.gz")
    with pytest.raises(GeometryMismatchError, match=sentence):
        read_label_file(tmp_path / "mask.nii.gz", own)


def _turned(degrees: float) -> np.ndarray:
    turn, angle = np.eye(4), np.radians(degrees)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def _with_hole(array: np.ndarray) -> np.ndarray:
    found = np.nan_to_num(array)
    found[tuple(n // 2 for n in array.shape)] = np.nan
    return found


def test_a_mask_mirrored_from_front_to_back_is_refused(own: Volume, sample_folder: Path, tmp_path: Path) -> None:
    directions = np.abs(own.affine[1, :3])
    write_volume(Volume(np.flip(own.array, int(directions.argmax())), own.affine), tmp_path / "mask.nii.gz")
    job = Job(
        sample_folder / "lumbar_t2.nii.gz", tmp_path / "out", tmp_path / "mask.nii.gz", scene=False, picture=False
    )
    with pytest.raises(GeometryMismatchError, match="mirrored from front to back"):
        run(job)


def test_labels_as_floating_point_numbers(own: Volume, tmp_path: Path) -> None:
    floats = own.array.astype(np.float32)
    floats[:, :2] = np.where(floats[:, :2] > 0, floats[:, :2], np.nan)
    write_volume(Volume(floats, own.affine), tmp_path / "mask.nrrd")
    file = read_label_file(tmp_path / "mask.nrrd", own)
    assert np.array_equal(file.single().array, own.array) and "NaN" in file.warnings[0]
    for wrong, sentence in (
        (floats / 2, "whole numbers"),
        (np.where(floats > 9, np.inf, floats), "infinite"),
        (_with_hole(floats), "within"),
    ):
        write_volume(Volume(wrong, own.affine), tmp_path / "mask.nrrd")
        with pytest.raises(SpineMeasureError, match=sentence):
            read_label_file(tmp_path / "mask.nrrd", own)


def test_a_mask_of_two_slices_is_a_label_map_too(own: Volume, tmp_path: Path) -> None:
    axis = int(np.argmin(own.array.shape))
    low, high = [0, 0, 0], list(own.array.shape)
    low[axis], high[axis] = own.array.shape[axis] // 2, own.array.shape[axis] // 2 + 2
    write_volume(part_of(own, low, high), tmp_path / "mask.nii.gz")
    placed = read_label_file(tmp_path / "mask.nii.gz", own).single().array
    assert np.array_equal(np.unique(np.argwhere(placed)[:, axis]), [low[axis], low[axis] + 1])
