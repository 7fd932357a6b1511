"""Levels named by points of discs, as the Spinal Cord Toolbox, TotalSpineSeg and 3D Slicer write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.errors import InputNotFoundError, LevelNameError, SpineMeasureError, UnreadableInputError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.labels.disc_points import named_by_points, read_disc_points
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

#: From the Spinal Cord Toolbox and TotalSpineSeg's levels_maps.json.
NUMBERS = {"C2-C3": 3, "C7-T1": 8, "T12-L1": 20, "L1-L2": 21, "L2-L3": 22, "L3-L4": 23, "L4-L5": 24, "L5-S1": 25}


@pytest.fixture(scope="module")
def own(sample_folder: Path) -> Volume:
    return read_volume(sample_folder / "lumbar_t2_labels.nii.gz")


@pytest.fixture(scope="module")
def made(own: Volume) -> SpineSegmentation:
    return segmentation_from_labels(own)


def places(made: SpineSegmentation, behind_mm: float = 0.0) -> dict[str, np.ndarray]:
    """RAS of the posterior tip of each disc near the middle, moved backwards into the canal."""
    found = {}
    for disc in made.of_kind(Kind.DISC):
        points = np.argwhere(made.mask(disc)) @ made.affine[:3, :3].T + made.affine[:3, 3]
        central = points[np.abs(points[:, 0] - points[:, 0].mean()) < 5]
        found[disc.level] = central[central[:, 1].argmin()] - [0, behind_mm, 0]
    return found


def write_nifti(path: Path, own: Volume, points: dict[int, np.ndarray]) -> Path:
    array = np.zeros(own.array.shape, np.uint8)
    for number, point in points.items():
        index = np.rint((np.linalg.inv(own.affine) @ [*point, 1])[:3]).astype(int)
        array[tuple(np.clip(index, 0, np.array(array.shape) - 1))] = number
    write_volume(Volume(array, own.affine), path)
    return path


def named(own: Volume, path: Path, lowest_disc: str | None = None) -> SpineSegmentation:
    return named_by_points(
        lambda lowest: segmentation_from_labels(own, lowest_disc=lowest), read_disc_points(path), lowest_disc
    )


@pytest.mark.parametrize("behind_mm", [0.0, 8.0, 14.0])
def test_numbers_name_the_discs_that_the_points_are_at_or_behind(
    behind_mm: float, own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    every = places(made, behind_mm)
    numbered = {NUMBERS[level]: every[level] for level in ("L1-L2", "L3-L4", "L5-S1")} | {49: [900, 900, 900]}
    found = named(own, write_nifti(tmp_path / "p.nii.gz", own, numbered))
    assert found.anchor == "user" and found.level_verified
    assert np.array_equal(found.labels, made.labels)
    shifted = {NUMBERS[level] - 1: every[level] for level in ("L2-L3", "L3-L4", "L4-L5")}
    found = named(own, write_nifti(tmp_path / "q.nii.gz", own, shifted))
    assert found.of_kind(Kind.DISC)[-1].level == "L4-L5"
    assert np.array_equal(found.labels == 122, made.labels == 123)


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_named_points_of_slicer_are_read(system: str, own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    every = places(made)
    sign = np.array([-1, -1, 1]) if system == "LPS" else np.ones(3)
    renamed = {"L4-L5": "L3/4", "L3-L4": "disc L2-L3"}
    points = [
        {"label": name, "position": list(every[level] * sign), "positionStatus": "defined"}
        for level, name in renamed.items()
    ]
    undefined = {"label": "F-3", "position": [0, 0, 0], "positionStatus": "undefined"}
    content = {"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": [*points, undefined]}]}
    (tmp_path / "p.mrk.json").write_text(json.dumps(content))
    lines = ["# Markups fiducial file version = 5.2", f"# CoordinateSystem = {system}"]
    lines.append("# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID")
    for n, point in enumerate(points):
        lines.append(f"{n},{','.join(map(str, point['position']))},0,0,0,1,1,1,0,{point['label']},,")
    (tmp_path / "p.fcsv").write_text("\n".join(lines) + "\n")
    for name in ("p.mrk.json", "p.fcsv"):
        assert named(own, tmp_path / name).of_kind(Kind.DISC)[-1].level == "L4-L5", name


def test_a_name_can_say_that_there_is_a_sixth_lumbar_vertebra(
    own: Volume, made: SpineSegmentation, tmp_path: Path
) -> None:
    every = places(made)
    points = [
        {"label": name, "position": [float(x) for x in every[level] * [-1, -1, 1]]}
        for level, name in (("L5-S1", "L6-S1"), ("L4-L5", "L5-L6"))
    ]
    (tmp_path / "p.mrk.json").write_text(json.dumps({"markups": [{"controlPoints": points}]}))
    found = named(own, tmp_path / "p.mrk.json")
    assert [disc.level for disc in found.of_kind(Kind.DISC)][-2:] == ["L5-L6", "L6-S1"]


def test_contradictions_are_refused(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    every = places(made)
    skipped = write_nifti(tmp_path / "a.nii.gz", own, {25: every["L5-S1"], 22: every["L3-L4"]})
    with pytest.raises(LevelNameError, match="in an order that does not fit"):
        named(own, skipped)
    one = every["L4-L5"]
    twice = write_nifti(tmp_path / "b.nii.gz", own, {24: one, 23: one - own.affine[:3, 1] * 2 + own.affine[:3, 2]})
    with pytest.raises(LevelNameError, match="contradict each other"):
        named(own, twice)
    right = write_nifti(tmp_path / "c.nii.gz", own, {25: every["L5-S1"]})
    with pytest.raises(LevelNameError, match="name the lowest disc L5-S1, not L4-L5"):
        named(own, right, "L4-L5")
    assert named(own, right, "l5/s1").anchor == "user"


def test_points_away_from_every_disc_name_nothing(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    every = places(made)
    body = (every["L3-L4"] + every["L4-L5"]) / 2 + [0, 120, 0]
    away = write_nifti(tmp_path / "a.nii.gz", own, {24: body})
    with pytest.raises(LevelNameError, match="None of the disc points"):
        named(own, away)
    found = named(own, write_nifti(tmp_path / "b.nii.gz", own, {8: body, 25: every["L5-S1"]}))
    assert any("C7-T1" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("name", "content", "error", "sentence"),
    [
        ("p.mrk.json", "{", UnreadableInputError, "not a markups file"),
        ("p.mrk.json", '{"markups": [{"controlPoints": []}]}', LevelNameError, "has no points"),
        (
            "p.mrk.json",
            '{"markups": [{"controlPoints": [{"label": "F-1", "position": [1, 2, 3]}]}]}',
            LevelNameError,
            "'F-1'",
        ),
        ("p.fcsv", "a,b,c\n", UnreadableInputError, "not a list of points"),
        ("none.fcsv", None, InputNotFoundError, "no file"),
    ],
)
def test_files_that_are_no_points_are_refused(
    name: str, content: str | None, error: type[SpineMeasureError], sentence: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=sentence):
        read_disc_points(tmp_path / name)


def test_label_maps_and_strange_numbers_are_no_points(own: Volume, made: SpineSegmentation, tmp_path: Path) -> None:
    write_volume(Volume((own.array == 123).astype(np.uint8) * 24, own.affine), tmp_path / "discs.nii.gz")
    with pytest.raises(UnreadableInputError, match="whole structures"):
        read_disc_points(tmp_path / "discs.nii.gz")
    with pytest.raises(LevelNameError, match="not numbers of discs: 99"):
        read_disc_points(write_nifti(tmp_path / "p.nii.gz", own, {99: places(made)["L4-L5"]}))


def test_points_name_the_levels_of_a_run(
    own: Volume, made: SpineSegmentation, sample_folder: Path, tmp_path: Path
) -> None:
    plain = np.zeros(own.array.shape, np.uint8)
    for kind, value in ((Kind.BODY, 1), (Kind.POSTERIOR, 1), (Kind.SACRUM, 1), (Kind.DISC, 2), (Kind.CANAL, 3)):
        for structure in made.of_kind(kind):
            plain[made.mask(structure)] = value
    write_volume(Volume(plain, own.affine), tmp_path / "plain.nii.gz")
    points = write_nifti(tmp_path / "p.nii.gz", own, {24: places(made)["L5-S1"]})
    job = Job(
        sample_folder / "lumbar_t2.nii.gz", tmp_path / "out", tmp_path / "plain.nii.gz", disc_points=points,
        measure=False, scene=False, picture=False,
    )  # fmt: skip
    done = run(job)
    assert done.segmentation.anchor == "user" and done.segmentation.of_kind(Kind.DISC)[-1].level == "L4-L5"
    assert not any("guess" in warning or "estimated" in warning for warning in done.warnings)
