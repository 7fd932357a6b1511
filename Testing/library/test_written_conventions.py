"""Labels written in the values of other programs, checked against lists that those programs publish."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SACRUM_VALUE,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Kind,
    vertebra_value,
)
from SpineMeasureLib.case_folder import OUTPUTS, earlier_outputs
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segment.labels.written import WRITTEN, written_in
from SpineMeasureLib.segment.naming.structures import list_structures
from SpineMeasureLib.segmentation import SpineSegmentation, Structure
from SpineMeasureLib.volume import Volume

from .published_labels import PUBLISHED

USUAL = ("C1", "C2", "C3", "C7", "T1", "T2", "T11", "T12", "L1", "L2", "L4", "L5", "S1")
VARIANT = ("T11", "T12", "T13", "L1", "L4", "L5", "L6", "S1")


def structures(names: tuple[str, ...]) -> SpineSegmentation:
    """A voxel of every structure of a chain of vertebrae."""
    values = [CANAL_VALUE, CORD_VALUE]
    for name in names:
        values.append(vertebra_value(name))
        if name != "S1":
            values += [vertebra_value(name) + POSTERIOR_OFFSET]
        if name not in ("C1", "S1"):
            values.append(vertebra_value(name) + DISC_OFFSET)
    labels = np.zeros((3, 3, len(values) + 2), np.uint8)
    labels[1, 1, 1:-1] = values
    order = VERTEBRA_ORDER if set(names) & {"T13", "L6"} else USUAL_ORDER
    found = list_structures(labels, np.eye(4), order)
    return SpineSegmentation(labels, np.eye(4), found, True, "user")


def _said(warnings: list[str]) -> list[str]:
    """The structures of which the warning says that they have no label; none without a warning."""
    return warnings[0].split(" has no label for ")[1].split("; ")[0].split(", ") if warnings else []


@pytest.mark.parametrize("chain", [USUAL, VARIANT])
@pytest.mark.parametrize("name", WRITTEN)
def test_every_structure_gets_the_published_value_or_is_reported(name: str, chain: tuple[str, ...]) -> None:
    made = structures(chain)
    volume, warnings = written_in(made, name)
    published = PUBLISHED[name]
    said = _said(warnings)
    for structure in made.structures:
        value = int(volume.array[made.labels == structure.value][0])
        vertebra = structure.level if structure.kind is Kind.POSTERIOR else structure.name
        if vertebra in published:
            assert value == published[vertebra], structure.name
        if value == 0:
            assert structure.name in said
        else:
            assert structure.name not in said


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("totalspineseg", {"T13", "T13-L1", "T12-T13", "L5-L6", "L6-S1"}),
        ("spider", {"T13", "T13-L1", "L6", "L5-L6", "L6-S1", "Sacrum"}),
        ("spineps", {"Spinal canal", "Spinal cord"}),
        ("totalsegmentator", {"Spinal canal", "Spinal cord", "T13", "L6", "L4-L5", "L6-S1"}),
    ],
)
def test_what_cannot_be_said_is_left_out_and_reported(name: str, missing: set[str]) -> None:
    made = structures(VARIANT)
    volume, warnings = written_in(made, name)
    said = set(_said(warnings))
    assert missing <= said
    for structure in made.structures:
        assert (volume.array[made.labels == structure.value] == 0).all() == (structure.name in said)


def test_vertebrae_partly_in_view_have_values_of_their_own_in_spider() -> None:
    made = structures(USUAL)

    def cut(structure: Structure) -> Structure:
        flags = ("cut_by_field_of_view",) if structure.name == "T11" else ()
        return dataclasses.replace(structure, flags=flags)

    made = dataclasses.replace(made, structures=tuple(map(cut, made.structures)))
    volume, _ = written_in(made, "spider")
    assert volume.array[made.labels == 18] == 107 and volume.array[made.labels == 218] == 107
    assert volume.array[made.labels == 19] == 6


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_map_is_read_back_with_the_same_names(name: str, sample_folder: Path) -> None:
    own = read_volume(sample_folder / "lumbar_t2_labels.nii.gz")
    made = segmentation_from_labels(own)
    volume, _ = written_in(made, name)
    again = segmentation_from_labels(volume, convention=name)
    kinds = (Kind.BODY,) if name == "totalsegmentator" else (Kind.BODY, Kind.DISC)
    for kind in kinds:
        assert [s.level for s in again.of_kind(kind)] == [s.level for s in made.of_kind(kind)]
    if Kind.DISC in kinds:
        for disc in made.of_kind(Kind.DISC):
            assert np.array_equal(again.labels == disc.value, made.mask(disc))


def test_the_files_are_outputs_of_the_folder_that_a_later_run_removes(sample_folder: Path, tmp_path: Path) -> None:
    names = ["labels_spider.nii.gz", "labels_totalspineseg.nii.gz"]
    assert set(names) <= set(OUTPUTS) and len([n for n in OUTPUTS if n.startswith("labels_")]) == len(WRITTEN)
    job = Job(
        sample_folder / "lumbar_t2.nii.gz", tmp_path / "out", sample_folder / "lumbar_t2_labels.nii.gz",
        measure=False, scene=False, picture=False, write_conventions=("spider", "totalspineseg"),
    )  # fmt: skip
    done = run(job)
    assert set(names) <= set(done.files) and set(names) <= set(earlier_outputs(tmp_path / "out"))
    assert "SPIDER has no label for Sacrum; it was not written to labels_spider.nii.gz." in done.warnings
    sacrum = read_volume(tmp_path / "out" / "labels_totalspineseg.nii.gz").array == 50
    assert np.array_equal(sacrum, done.segmentation.labels == SACRUM_VALUE)
    assert isinstance(read_volume(tmp_path / "out" / "labels_spider.nii.gz"), Volume)
    run(dataclasses.replace(job, write_conventions=("spider",)))
    assert not (tmp_path / "out" / names[1]).exists() and (tmp_path / "out" / names[0]).exists()
