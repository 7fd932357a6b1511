"""The table of structures, and the files made from it."""

from __future__ import annotations

import json

import pytest

from SpineMeasureLib.anatomy import (
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Kind,
    all_structures,
    code_of,
    colour_of,
    disc_name,
    structure_info,
    vertebra_value,
)
from SpineMeasureLib.export.terminology import colour_table, terminology_json
from SpineMeasureLib.resources import data_path


@pytest.mark.parametrize(("name", "value"), [("C1", 1), ("T1", 8), ("T12", 19), ("L5", 24), ("L6", 25), ("T13", 28)])
def test_vertebrae_have_the_values_of_the_verse_convention(name: str, value: int) -> None:
    assert vertebra_value(name) == value
    assert [n for n in VERTEBRA_ORDER if vertebra_value(n) == value] == [name]


def test_no_two_structures_share_a_name_or_a_value() -> None:
    structures = all_structures()
    assert len({s.name for s in structures}) == len(structures)
    by_value: dict[int, set[str]] = {}
    for s in structures:
        by_value.setdefault(s.value, set()).add(s.level.partition("-")[0])
    # T12 and L5 may be followed by two different vertebrae: the same disc value, the same upper level.
    assert all(len(uppers) == 1 for uppers in by_value.values())
    assert all(0 < s.value < 256 for s in structures)


def test_codes_are_those_of_the_dicom_dictionary() -> None:
    dictionary = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    known = {code for entry in dictionary.values() for code in entry}
    assert {s.code.value for s in all_structures()} <= known
    keyword = {
        code: name for name, entry in dictionary.items() for code in entry if name.endswith(("Vertebra", "Disc"))
    }
    assert keyword[code_of(Kind.BODY, "L4").value] == "L4Vertebra"
    assert keyword[code_of(Kind.DISC, "L5-S1").value] == "L5S1Disc"
    for name in VERTEBRA_ORDER:
        if name not in ("T13", "L6", "S1"):
            assert keyword[code_of(Kind.BODY, name).value] == f"{name}Vertebra"


def test_the_dicom_dictionary_says_the_same_of_each_code() -> None:
    dictionary = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    meanings: dict[str, set[str]] = {}
    for entry in dictionary.values():
        for code, (meaning, _) in entry.items():
            meanings.setdefault(code, set()).add(meaning.removesuffix(" (body structure)"))
    for s in all_structures():
        assert s.code.meaning in meanings[s.code.value]


def test_only_what_has_no_code_of_its_own_carries_a_general_one() -> None:
    general = {s.name for s in all_structures() if s.code.value in ("51282000", "421060004")}
    assert general == {"T13", "L6", "T12-T13", "T13-L1", "L5-L6", "L6-S1"}
    own = [s.code.value for s in all_structures() if s.kind is not Kind.POSTERIOR and s.name not in general]
    assert len(set(own)) == len(own)


@pytest.mark.parametrize("name", ["T12-L1", "T13-L1", "T12-T13", "L5-L6", "L6-S1", "L5-S1", "C2-C3", "C7-T1"])
def test_every_disc_of_a_usual_or_transitional_spine_is_in_the_table(name: str) -> None:
    info = structure_info(Kind.DISC, name)
    assert info.name == info.level == name
    assert info.value == 100 + vertebra_value(name.partition("-")[0])


def test_structures_are_found_by_kind_and_level() -> None:
    assert structure_info(Kind.SACRUM, "S1").name == "Sacrum"
    assert structure_info(Kind.CORD, "").value == 60
    assert structure_info(Kind.POSTERIOR, "L4").name == "L4 posterior elements"
    with pytest.raises(KeyError):
        structure_info(Kind.DISC, "L4-S1")


@pytest.mark.parametrize("order", [USUAL_ORDER, VERTEBRA_ORDER])
@pytest.mark.parametrize("kind", [Kind.BODY, Kind.DISC])
def test_neighbouring_levels_differ_in_colour(order: tuple[str, ...], kind: Kind) -> None:
    levels = order[:-1] if kind is Kind.BODY else [disc_name(a, b) for a, b in zip(order, order[1:], strict=False)][1:]
    colours = [colour_of(kind, level) for level in levels]
    assert all(a != b for a, b in zip(colours, colours[1:], strict=False))


def test_no_body_has_the_colour_of_its_disc_or_of_the_canal() -> None:
    kinds = {kind: {s.colour for s in all_structures() if s.kind is kind} for kind in Kind}
    for first in Kind:
        for second in Kind:
            assert first is second or not kinds[first] & kinds[second]


def test_shipped_terminology_and_colours_are_in_step_with_the_table() -> None:
    assert data_path("Resources/SpineMeasure.term.json").read_text() == terminology_json()
    assert data_path("Resources/SpineMeasure.ctbl").read_text() == colour_table()
    assert json.loads(terminology_json())["SegmentationCategoryTypeContextName"] == "SpineMeasure"
