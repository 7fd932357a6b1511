"""Names and codes of segments: every word of a name counts, in several languages."""

from __future__ import annotations

import pytest

from SpineMeasureLib.anatomy import Kind, all_structures
from SpineMeasureLib.io.seg_nrrd import code_of_entry
from SpineMeasureLib.review.mrml.segments import terminology_entry
from SpineMeasureLib.segment.labels.names import (
    Beside,
    is_dural_sac,
    meaning_of_code,
    meaning_of_name,
    structure_of_code,
    structure_of_name,
)


@pytest.mark.parametrize(
    "names, expected",  # noqa: PT006
    [
        (
            ("L4", "l4", "L4 vertebra", "vertebra L4", "vertebrae_L4", "vertebrae_L4.nii.gz", "VertebraL4", "LWK 4"),
            (Kind.BODY, "L4"),
        ),
        (
            ("Fourth lumbar vertebra", "4th lumbar vertebra", "lumbar vertebra 4", "lumbar vertebrae 4 (L4)", "LW4"),
            (Kind.BODY, "L4"),
        ),
        (("BWK12", "Th12", "TH 12", "vertebra D12", "12. Brustwirbel", "T12"), (Kind.BODY, "T12")),
        (
            ("L4-L5", "l4/5", "L4/L5", "L45", "L4L5", "IVD L4-L5", "disc_L4_L5", "intervertebral disc L4/L5"),
            (Kind.DISC, "L4-L5"),
        ),
        (("Bandscheibe LWK 4/5", "LWK4/LWK5", "disc between L4 and L5", "disque L4-L5"), (Kind.DISC, "L4-L5")),
        (("disc_L5_S", "L5S1", "Disc L5-Sacrum", "LWK5/SWK1"), (Kind.DISC, "L5-S1")),
        (("T12-L1", "Th12/L1", "D12-L1"), (Kind.DISC, "T12-L1")),
        (("L6-S1",), (Kind.DISC, "L6-S1")),
        (("L4 spinous process", "arch L4", "L4 pedicle left", "Dornfortsatz L4"), (Kind.POSTERIOR, "L4")),
        (("sacrum", "S1", "S3", "Kreuzbein", "os sacrum"), (Kind.SACRUM, "S1")),
        (
            ("Spinal canal", "canal", "thecal sac", "dural sac", "CSF", "Spinalkanal", "vertebral canal"),
            (Kind.CANAL, ""),
        ),
        (("spinal cord", "SpinalCord", "medulla spinalis", "R\u00fcckenmark", "Myelon"), (Kind.CORD, "")),
        (("Discs", "IVD", "Disc 4", "intervertebral_discs", "Bandscheiben", "Vertebra_Disc"), (Kind.DISC, "")),
        (("vertebrae", "Vertebra 3", "Wirbel", "Wirbelk\u00f6rper", "Vertebral bodies"), (Kind.BODY, "")),
        (("Spine", "vertebral column", "lumbar spine", "Wirbels\u00e4ule"), Beside.SPINE),
        (("L4 nerve root", "T2 lesion", "kidney_left", "L4 superior endplate", "S1-S2", "muscle"), Beside.OTHER),
    ],
)
def test_names_are_known_however_they_are_spelled(names: tuple[str, ...], expected: object) -> None:
    assert {name: meaning_of_name(name) for name in names} == dict.fromkeys(names, expected)


@pytest.mark.parametrize(
    "name",
    [
        "Segment_1", "L4-S2", "T1-L5", "L4 copy", "L4_1", "L4 (2)", "level L4", "disc L4", "D3", "vertebrae L4-L5",
        "medulla oblongata", "T14", "tissue", "bone", "", "canal L4", "left", "L4 anterior wall", "L5-L4", "SC",
    ],
)  # fmt: skip
def test_a_name_with_anything_unknown_in_it_is_not_known(name: str) -> None:
    assert meaning_of_name(name) is None


def test_groups_are_no_single_structure_and_the_sac_is_told_from_the_canal() -> None:
    assert structure_of_name("Discs") is None and structure_of_name("canal") == (Kind.CANAL, "")
    assert is_dural_sac("Thecal sac") and not is_dural_sac("Spinal canal")


def test_every_code_that_one_structure_has_is_known() -> None:
    known = [s for s in all_structures() if structure_of_code(s.code.value) == (s.kind, s.level)]
    assert len(known) == 24 + 23 + 3
    assert meaning_of_code("51282000") == (Kind.BODY, "") and structure_of_code("51282000") is None
    assert meaning_of_code("85756007") is None


def test_terminology_entries_are_read_whatever_stands_where() -> None:
    assert code_of_entry(terminology_entry(Kind.DISC, "L4-L5")) == "84020006"
    bone = "Segmentation~SCT^123037004^Anatomical~SCT^272673000^Bone~^^~Codes~SCT^11994002^L4 vertebra~^^|"
    assert code_of_entry(bone) == "11994002"
    tumour = bone.replace("272673000^Bone", "108369006^Neoplasm")
    assert code_of_entry(tumour) == "108369006"
    assert code_of_entry("") == ""
