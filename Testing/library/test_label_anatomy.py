"""Label maps whose values or names mean something else: refused in a sentence, not measured."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, DISC_OFFSET, Kind, vertebra_value
from SpineMeasureLib.errors import SpineMeasureError, UnreadableInputError
from SpineMeasureLib.io.label_file import read_label_file
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.spine import Spine
from SpineMeasureLib.measure.vertebra import measure_body
from SpineMeasureLib.phantom import Grid, lumbar, pose, voxelise
from SpineMeasureLib.segment.labels.by_name import segmentation_from_segments
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.labels.plausible import check_anatomy
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

from .label_files import Part, write_seg_nrrd


@pytest.fixture(scope="module")
def whole() -> SpineSegmentation:
    return voxelise(lumbar(upper="L2").moved(pose((6, 4, 5))), Grid((2.0, 1.0, 1.0)))


def tissues(labels: np.ndarray) -> list[np.ndarray]:
    """Masks of vertebrae, discs and canal."""
    canal = labels == CANAL_VALUE
    discs = labels > DISC_OFFSET
    return [(labels > 0) & ~canal & ~discs & (labels < CANAL_VALUE), discs, canal]


@pytest.mark.parametrize("order", [p for p in permutations((1, 2, 3)) if p != (1, 2, 3)])
@pytest.mark.parametrize("sample", [False, True])
def test_values_in_another_order_are_refused(
    order: tuple[int, ...], sample: bool, whole: SpineSegmentation, sample_folder: Path
) -> None:
    source = read_volume(sample_folder / "lumbar_t2_labels.nii.gz") if sample else whole.as_volume()
    array = np.zeros(source.array.shape, np.uint8)
    for value, mask in zip(order, tissues(source.array), strict=True):
        array[mask] = value
    with pytest.raises(SpineMeasureError) as caught:
        check_anatomy(segmentation_from_labels(Volume(array, source.affine)))
    assert caught.value.exit_code in (11, 19, 33)
    if order == (2, 1, 3):
        assert caught.value.exit_code == 11 and "larger" in caught.value.message
        assert "1 vertebra, 2 disc, 3 canal" in caught.value.hint
    if order == (3, 2, 1):
        assert caught.value.exit_code == 11 and "canal" in caught.value.message


@pytest.mark.parametrize("sample", [False, True])
def test_the_right_order_is_not_refused(sample: bool, whole: SpineSegmentation, sample_folder: Path) -> None:
    source = read_volume(sample_folder / "lumbar_t2_labels.nii.gz") if sample else whole.as_volume()
    array = np.zeros(source.array.shape, np.uint8)
    for value, mask in zip((1, 2, 3), tissues(source.array), strict=True):
        array[mask] = value
    for volume in (Volume(array, source.affine), source):
        check_anatomy(segmentation_from_labels(volume))


@pytest.mark.parametrize(
    ("gone", "wrong"),
    [
        ("L2", {"L3-L4": "L2-L3"}),
        ("L2", {"L3-L4": "L1-L2"}),
        ("S1", {"L4-L5": "L5-S1"}),
        ("L3", {"L3-L4": "L1-L2"}),
        ("L4", {"L3-L4": "L2-L3"}),
        ("", {"L3-L4": "L4-L5", "L4-L5": "L3-L4"}),
        ("all", {"L3-L4": "L4-L5", "L4-L5": "L3-L4"}),
    ],
)
def test_a_disc_with_the_name_of_another_is_refused(
    gone: str, wrong: dict[str, str], whole: SpineSegmentation, tmp_path: Path
) -> None:
    """Also where one of the vertebrae that it is named after is not drawn."""
    kept = [s for s in whole.structures if s.level != gone and (not gone or gone not in s.level or s.level in wrong)]
    if gone == "all":
        kept = [s for s in kept if s.kind is Kind.DISC]
    kept = [s for s in kept if s.kind is not Kind.DISC or s.level in wrong or s.level not in wrong.values()]
    for names, refused in ((wrong, True), ({}, False)):
        parts = [Part(whole.mask(s), names.get(s.level, s.name)) for s in kept]
        path = write_seg_nrrd(tmp_path / "mask.seg.nrrd", whole.affine, parts)
        file = read_label_file(path, whole.as_volume())
        if refused:
            with pytest.raises(UnreadableInputError, match="is not between|are not in the order"):
                segmentation_from_segments(file)
        else:
            segmentation_from_segments(file)


def test_every_row_without_a_value_says_why(whole: SpineSegmentation) -> None:
    """Structures that no measuring line crosses as it should."""
    labels = whole.labels.copy()
    body, disc = vertebra_value("L4"), DISC_OFFSET + vertebra_value("L3")
    hollow = np.argwhere(labels == body)
    centre = hollow.mean(axis=0).astype(int)
    labels[:, centre[1] - 30 : centre[1] + 30, centre[2] - 4 : centre[2] + 4][
        labels[:, centre[1] - 30 : centre[1] + 30, centre[2] - 4 : centre[2] + 4] == body
    ] = 0
    middle = np.argwhere(labels == disc).mean(axis=0).astype(int)
    labels[:, middle[1] - 3 : middle[1] + 3][labels[:, middle[1] - 3 : middle[1] + 3] == disc] = 0
    rows = measure(replace(whole, labels=labels))
    empty = [row for row in rows if row.value is None]
    assert empty and not [row.key for row in empty if not row.note]
    spine = Spine(whole)
    piece = spine.bodies["L4"]
    assert piece is not None
    beside = replace(piece, frame=replace(piece.frame, origin=piece.frame.origin + 80 * piece.frame.right))
    empty = [row for row in measure_body("L4", beside) if row.value is None]
    assert {r.quantity for r in empty} >= {"body_height_middle", "body_depth", "body_biconcavity_ratio"}
    assert all(row.note for row in empty)
