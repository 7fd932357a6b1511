"""The table of structures, and the files made from it."""

from __future__ import annotations

import json

import pytest

from SpineMeasureLib.anatomy import VERTEBRA_ORDER, Kind, all_structures, code_of, vertebra_name, vertebra_value
from SpineMeasureLib.export.terminology import colour_table, terminology_json
from SpineMeasureLib.resources import data_path


@pytest.mark.parametrize(("name", "value"), [("C1", 1), ("T1", 8), ("T12", 19), ("L5", 24), ("L6", 25), ("T13", 28)])
def test_vertebrae_have_the_values_of_the_verse_convention(name: str, value: int) -> None:
    assert vertebra_value(name) == value
    assert vertebra_name(value) == name


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


def test_neighbouring_levels_differ_in_colour() -> None:
    bodies = [s for s in all_structures() if s.kind is Kind.BODY]
    assert all(a.colour != b.colour for a, b in zip(bodies, bodies[1:], strict=False))


def test_shipped_terminology_and_colours_are_in_step_with_the_table() -> None:
    assert data_path("Resources/SpineMeasure.term.json").read_text() == terminology_json()
    assert data_path("Resources/SpineMeasure.ctbl").read_text() == colour_table()
    assert json.loads(terminology_json())["SegmentationCategoryTypeContextName"] == "SpineMeasure"
