"""What a row says besides its value: unit, flags, confidence, note, repeatability and published reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.measure.canal_line import CrossSection
from SpineMeasureLib.measure.derived import derive, inputs_of
from SpineMeasureLib.measure.reference import with_reference
from SpineMeasureLib.measure.rows import Shared, length, row
from SpineMeasureLib.measure.types import Measurement, Plane

HEIGHT = ("L4-L5", "disc_height_middle", "chord50")
ENDS = (np.array([1.0, 2.0, 9.0]), np.array([1.0, 5.0, 5.0]))
PLANE = Plane((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def test_a_row_has_what_its_structure_and_its_definition_say() -> None:
    found = row(*HEIGHT, 5.0, Shared(PLANE, ("few_slices",), 0.9), ends=ENDS, spread=0.4)
    assert found == Measurement(
        *HEIGHT, 5.0, "mm", (1.0, 2.0, 9.0), (1.0, 5.0, 5.0), PLANE, flags=("few_slices",), repeatability=0.4,
    )  # fmt: skip
    assert length(ENDS) == pytest.approx(5.0)
    assert row("L4-L5", "canal_ap", "disc_level", 12.0, Shared()).boundary == "dural_sac"
    assert (found.key, found.source, found.reference, found.automatic, found.accepted) == (
        HEIGHT,
        "automatic",
        *[None] * 3,
    )


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_row_without_a_value_has_no_line_and_a_reason(value: float | None) -> None:
    found = row(*HEIGHT, value, Shared(PLANE, ("few_slices",), 0.2), ends=ENDS, spread=0.4)
    assert (found.value, found.p1, found.p2, found.repeatability) == (None, None, None, None)
    assert (found.confidence, found.confidence_kind) == (None, "")
    assert found.flags == ("few_slices", "not_measurable") and "could not be measured" in found.note
    assert row(*HEIGHT, value, Shared(), note="the disc is cut").note == "the disc is cut"
    assert row(*HEIGHT, 5.0, Shared()).note == ""


@pytest.mark.parametrize(
    ("value", "spread", "confidence", "doubtful"),
    [
        (8.0, 1.9, None, False), (8.0, 2.1, None, True), (-8.0, 1.9, None, False), (-8.0, 2.1, None, True),
        (8.0, None, 0.86, False), (8.0, None, 0.84, True), (8.0, 0.1, None, False), (8.0, None, None, False),
    ],
)  # fmt: skip
def test_a_spread_of_a_quarter_or_a_probability_below_085_is_doubtful(
    value: float, spread: float | None, confidence: float | None, doubtful: bool
) -> None:
    found = row(*HEIGHT, value, Shared(confidence=confidence), spread=spread)
    assert found.flags == (("low_confidence",) if doubtful else ())


def test_flags_are_not_repeated_and_keep_their_order() -> None:
    shared = Shared(flags=("few_slices", "low_confidence")).flagged("few_slices", "frame_fallback")
    assert row(*HEIGHT, 8.0, shared).flags == ("few_slices", "low_confidence", "frame_fallback")
    marked = row(*HEIGHT, 8.0, Shared(confidence=0.5)).flagged("edited", "low_confidence")
    assert marked.flags == ("low_confidence", "edited")
    sure = replace(marked, confidence=0.5)
    assert sure.without_certainty().confidence is None and sure.confidence == 0.5


@pytest.mark.parametrize(
    ("level", "quantity", "method", "boundary", "mean", "sd", "source"),
    [
        ("L1-L2", "disc_height_anterior", "endplate10", "", 6.91, None, "Mansur et al., J Lumbini Med Coll 2020"),
        ("L5-S1", "disc_height_anterior", "chord10", "", 12.41, None, "Onishi et al., Interdiscip Neurosurg 2019"),
        ("L4-L5", "disc_height_posterior", "endplate90", "", 8.09, None, "Mansur et al., J Lumbini Med Coll 2020"),
        ("C4", "cord_ap", "mid_vertebral", "", 8.7, None, "Sherman et al., AJNR 1990"),
        ("T5", "canal_ap", "mid_vertebral", "dural_sac", 12.3, 1.3, "Keimyung Med J 1988"),
    ],
)
def test_a_published_value_is_shown_beside_the_same_quantity_at_the_same_level(
    level: str, quantity: str, method: str, boundary: str, mean: float, sd: float | None, source: str
) -> None:
    found = with_reference(Measurement(level, quantity, method, 7.0, "mm", boundary=boundary))
    assert found.value == 7.0 and found.reference is not None
    assert (found.reference.mean, found.reference.sd) == (mean, sd)
    assert found.reference.source.startswith(source)
    for other in (
        Measurement("T13", quantity, method, 7.0, "mm", boundary=boundary),
        Measurement(level, quantity, "another", 7.0, "mm", boundary=boundary),
        Measurement(level, quantity, method, 7.0, "mm", boundary="osseous"),
    ):
        assert with_reference(other).reference is None


@pytest.mark.parametrize(
    ("quantity", "method", "inputs", "value"),
    [
        ("disc_height_mean", "area_depth", (300.0, 40.0), 7.5),
        ("disc_height_mean", "mean3", (9.0, 10.0, 5.0), 8.0),
        ("disc_height_index", "dhi_mean3", (8.0, 32.0), 0.25),
        ("farfan_index", "farfan", (9.0, 6.0, 30.0), 0.5),
        ("body_wedge_ratio", "anterior_posterior", (24.0, 30.0), 0.8),
        ("body_biconcavity_ratio", "middle_posterior", (27.0, 30.0), 0.9),
        ("body_crush_ratio", "posterior_neighbours", (18.0, 22.0, 26.0), 0.75),
        ("torg_pavlov_ratio", "canal_body", (14.0, 20.0), 0.7),
    ],
)
def test_derived_values_follow_from_their_inputs(
    quantity: str, method: str, inputs: tuple[float, ...], value: float
) -> None:
    assert derive(quantity, method, inputs) == pytest.approx(value)
    for n in range(len(inputs)):
        unknown = derive(quantity, method, (*inputs[:n], None, *inputs[n + 1 :]))
        assert (unknown is None) is not (quantity == "body_crush_ratio" and n > 0)
    assert derive(quantity, method, inputs[:1]) is None
    with pytest.raises(KeyError):
        derive(quantity, "another", inputs)


BODIES = ["T11", "T12", "T13", "L1", "L2"]


@pytest.mark.parametrize(
    ("key", "levels"),
    [
        (("T12-T13", "disc_height_index", "dhi_mean3"), ["T12-T13", "T12"]),
        (("T12", "body_crush_ratio", "posterior_neighbours"), ["T12", "T11", "T13"]),
        (("T11", "body_crush_ratio", "posterior_neighbours"), ["T11", "T12"]),
        (("L2", "body_crush_ratio", "posterior_neighbours"), ["L2", "L1"]),
        (("L1", "torg_pavlov_ratio", "canal_body"), ["L1", "L1"]),
        (("L1-L2", "farfan_index", "farfan"), ["L1-L2"] * 3),
        (("L1-L2", "disc_height_middle", "chord50"), []),
    ],
)
def test_inputs_are_at_the_same_level_the_vertebra_above_or_the_neighbours(
    key: tuple[str, str, str], levels: list[str]
) -> None:
    assert [level for level, _, _ in inputs_of(key, BODIES)] == levels


def section(diameter: float) -> CrossSection:
    ends = (np.array([0.0, diameter / 2, 0.0]), np.array([0.0, -diameter / 2, 0.0]))
    return CrossSection(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), ends, 1.0, np.empty((0, 3)))


def test_a_section_is_in_the_plane_of_its_two_directions() -> None:
    found = section(13.0)
    assert found.diameter == pytest.approx(13.0)
    assert (found.plane.origin, found.plane.x_axis, found.plane.y_axis) == ((0, 0, 0), (1, 0, 0), (0, 1, 0))
