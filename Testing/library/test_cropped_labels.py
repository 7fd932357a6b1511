"""Label files that cover a part of the image: what they cut off is flagged, what they only touch is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import CANAL_VALUE, Kind
from SpineMeasureLib.field_of_view import CUT, mark_cut_by_file
from SpineMeasureLib.io.label_file import read_label_file
from SpineMeasureLib.io.label_segments import LabelFile
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import Grid, lumbar, pose, voxelise
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.segment.labels.by_name import segmentation_from_segments
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

from .label_files import Part, part_of, write_dicom_seg, write_seg_nrrd

Rows = dict[tuple[str, str, str], Measurement]


@pytest.fixture(scope="module", params=[(4.0, 0.7, 0.7), (1.0, 1.0, 1.0)], ids=["slices", "cubes"])
def whole(request: pytest.FixtureRequest) -> SpineSegmentation:
    spine = lumbar(upper="L3").moved(pose((6, 4, 5)))
    return voxelise(spine, Grid(request.param))


@pytest.fixture(scope="module")
def truth(whole: SpineSegmentation) -> Rows:
    return by_key(segmentation_from_labels(whole.as_volume()))


def by_key(segmentation: SpineSegmentation) -> Rows:
    return {row.key: row for row in measure(segmentation)}


def marked(file: LabelFile) -> SpineSegmentation:
    """As the pipeline makes it of a label file."""
    if file.segments:
        return mark_cut_by_file(segmentation_from_segments(file), file.volume.outside)
    return mark_cut_by_file(segmentation_from_labels(file.single()), file.volume.outside)


def cropped(whole: SpineSegmentation, axis: int, low: int, high: int, folder: Path) -> SpineSegmentation:
    start, stop = [0, 0, 0], list(whole.labels.shape)
    start[axis], stop[axis] = low, high
    write_volume(part_of(whole.as_volume(), start, stop), folder / "mask.nii.gz")
    return marked(read_label_file(folder / "mask.nii.gz", whole.as_volume()))


def middle(whole: SpineSegmentation, value: int, axis: int) -> int:
    return int(np.argwhere(whole.labels == value)[:, axis].mean())


def flagged(segmentation: SpineSegmentation) -> set[str]:
    return {s.name for s in segmentation.structures if CUT in s.flags}


def silently_wrong(rows: Rows, truth: Rows) -> list[object]:
    """Rows of discs, bodies and canal that are off by more than 5 % and 0.2 and do not say that they are doubtful."""
    return [
        (key, row.value, truth[key].value, row.flags)
        for key, row in rows.items()
        if key in truth and row.value is not None and truth[key].value is not None
        if key[1].startswith(("disc_height", "disc_depth", "disc_area", "disc_volume", "body_", "canal_", "cord_"))
        if abs(row.value - truth[key].value) > 0.05 * abs(truth[key].value) + 0.2
        if not {CUT, "low_confidence"} & set(row.flags)
    ]


@pytest.mark.parametrize("value", ["L5-S1", "L4-L5", "L4"])
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("end", ["low", "high"])
def test_what_a_face_cuts_through_is_flagged(
    value: str, axis: int, end: str, whole: SpineSegmentation, truth: Rows, tmp_path: Path
) -> None:
    structure = next(s for s in whole.structures if s.level == value)
    place = middle(whole, structure.value, axis)
    size = whole.labels.shape[axis]
    found = cropped(whole, axis, *((place, size) if end == "low" else (0, place)), tmp_path)
    assert value in flagged(found)
    assert value in found.warnings[-1] and "covers only part of the image" in found.warnings[-1]
    rows = by_key(found)
    assert all(CUT in row.flags for key, row in rows.items() if key[0] == value)
    assert not silently_wrong(rows, truth)


def test_a_canal_cut_off_behind_is_flagged_there(whole: SpineSegmentation, truth: Rows, tmp_path: Path) -> None:
    lumen = np.argwhere(whole.labels == CANAL_VALUE)
    low, high = (int(np.quantile(lumen[:, 1], q)) for q in (0.1, 0.5))
    for place in (low, high):
        found = cropped(whole, 1, place, whole.labels.shape[1], tmp_path)
        rows = by_key(found)
        wrong = [
            key
            for key, row in rows.items()
            if key[1] in ("canal_ap", "canal_ap_minimum") and row.value is not None
            if abs(row.value - (truth[key].value or 0)) > 0.5
        ]
        assert wrong and all(CUT in rows[key].flags for key in wrong)
        assert "Spinal canal" in found.warnings[-1]


def test_a_file_of_some_slices_has_no_volume_or_width(whole: SpineSegmentation, truth: Rows, tmp_path: Path) -> None:
    centre, half = whole.labels.shape[0] // 2, round(9 / np.linalg.norm(whole.affine[:3, 0]))
    found = cropped(whole, 0, centre - half, centre + half, tmp_path)
    rows = by_key(found)
    assert rows["L4-L5", "disc_width", "width50"].value is None
    for quantity, method in (("disc_volume", "volume"), ("disc_width", "width50")):
        assert CUT in rows["L4-L5", quantity, method].flags
    height = rows["L4-L5", "disc_height_middle", "chord50"]
    assert height.value == pytest.approx(truth[height.key].value, abs=0.25) and CUT not in height.flags
    assert CUT in rows["L4-L5", "canal_area", "disc_level"].flags
    assert "L4-L5" in found.warnings[-1]


def test_a_file_as_tight_as_its_structures_is_measured_as_the_whole(
    whole: SpineSegmentation, truth: Rows, tmp_path: Path
) -> None:
    box = np.argwhere(whole.labels)
    tight = part_of(whole.as_volume(), box.min(axis=0), box.max(axis=0) + 1)
    write_volume(tight, tmp_path / "mask.nii.gz")
    found = marked(read_label_file(tmp_path / "mask.nii.gz", whole.as_volume()))
    assert not found.warnings and not flagged(found)
    rows = by_key(found)
    assert rows.keys() == truth.keys()
    for key, row in rows.items():
        assert (row.value, row.flags) == (truth[key].value, truth[key].flags), key


@pytest.mark.parametrize("kind", ["layers", "seg", "nan"])
def test_every_kind_of_file_keeps_where_it_ends(
    kind: str, whole: SpineSegmentation, truth: Rows, tmp_path: Path
) -> None:
    """Cut through L4-L5 from in front."""
    disc = next(s for s in whole.structures if s.level == "L4-L5")
    place = middle(whole, disc.value, 1)
    image = whole.as_volume()
    part = part_of(image, (0, 0, 0), (image.array.shape[0], place, image.array.shape[2]))
    parts = [Part(part.array == s.value, s.name) for s in whole.structures]
    if kind == "layers":
        path = write_seg_nrrd(tmp_path / "mask.seg.nrrd", part.affine, parts, layered=True)
    elif kind == "seg":
        path = write_dicom_seg(tmp_path / "mask.dcm", part.affine, parts, axis=0)
    else:
        path = tmp_path / "mask.nii.gz"
        array = image.array.astype(np.float32)
        array[:, place:] = np.nan
        write_volume(Volume(array, image.affine), path)
    found = marked(read_label_file(path, image))
    assert "L4-L5" in flagged(found) and "L4-L5" in found.warnings[-1]
    assert not silently_wrong(by_key(found), truth)


def test_the_command_tells_where_a_label_file_ends(whole: SpineSegmentation, tmp_path: Path) -> None:
    disc = next(s for s in whole.structures if s.level == "L4-L5")
    image = whole.as_volume()
    rng = np.random.default_rng(1)
    write_volume(replace(image, array=rng.integers(1, 900, image.array.shape).astype(np.int16)), tmp_path / "x.nii.gz")
    stop = (*image.array.shape[:2], middle(whole, disc.value, 2))
    write_volume(part_of(image, (0, 0, 0), stop), tmp_path / "mask.nii.gz")
    job = Job(tmp_path / "x.nii.gz", tmp_path / "out", tmp_path / "mask.nii.gz", scene=False, picture=False)
    result = run(job)
    assert any("covers only part of the image" in w for w in result.warnings)
    rows = [r for r in result.measurements if r.level == "L4-L5"]
    assert rows and all(CUT in r.flags for r in rows)
    assert any(s.kind is Kind.DISC and CUT not in s.flags for s in result.segmentation.structures)
