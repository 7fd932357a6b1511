"""The two lines at the head of a report, and values drawn against published means."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.export.overview import _OUTLINES, _PAGE, _SPINE, margins, write_overview
from SpineMeasureLib.export.overview_table import BAD, curves, reference_words
from SpineMeasureLib.export.report.impression import impression, is_outside
from SpineMeasureLib.export.report.level import band_chart
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.types import Measurement, Reference
from SpineMeasureLib.phantom import lumbar, voxelise
from SpineMeasureLib.volume import Volume

HEIGHT = Measurement("L4-L5", "disc_height_middle", "chord50", 8.0, "mm", reference=Reference(12.0, None, "somebody"))
CANAL = Measurement("T5", "canal_ap", "mid_vertebral", 9.0, "mm", reference=Reference(12.0, 1.4, "somebody"))
SLIP = Measurement("L4-L5", "listhesis", "posterior_corners", 4.2, "mm")
NARROW = Measurement("L3-L4", "canal_compression", "1-mi/mean(ma,mb)", 0.31, "ratio")


@pytest.mark.parametrize(
    ("value", "mean", "sd", "outside"),
    [
        (9.1, 12.0, None, False), (8.9, 12.0, None, True), (15.1, 12.0, None, True), (14.9, 12.0, None, False),
        (9.3, 12.0, 1.4, False), (9.1, 12.0, 1.4, True), (14.9, 12.0, 1.4, True), (11.0, 12.0, 0.4, True),
        (None, 12.0, None, False),
    ],
)  # fmt: skip
def test_outside_is_two_sd_or_without_one_a_quarter_of_the_mean(
    value: float | None, mean: float, sd: float | None, outside: bool
) -> None:
    assert is_outside(replace(HEIGHT, value=value, reference=Reference(mean, sd, "somebody"))) is outside
    assert not is_outside(replace(HEIGHT, value=value, reference=None))


def test_the_lines_name_levels_values_and_thresholds() -> None:
    anterior = replace(HEIGHT, quantity="disc_height_anterior", method="chord10", value=7.0)
    against, others = impression([anterior, HEIGHT, CANAL, SLIP, NARROW])
    assert against == (
        "More than 2 SD or 25% from the published mean (25% if no SD published; mean in brackets), 3 values compared: "
        "L4-L5 disc height, segment anterior 7.0 (12.0), middle 8.0 (12.0); T5 canal, segment AP 9.0 (12.0)."
    )
    assert "Listhesis of 3 mm or more: L4-L5 4.2 mm anterior." in others
    assert others.endswith("narrowed by 25% or more relative to 10 to 30 mm above and below: L3-L4 canal 31%.")


def test_only_values_that_are_shown_first_are_compared() -> None:
    between_masks = replace(HEIGHT, value=7.3, second=True)
    between_edges = replace(HEIGHT, method="endplate50", value=10.6)
    assert impression([between_edges, between_masks])[0].endswith("1 value compared: none.")
    assert impression([between_masks])[0] == "No published means for these levels."
    by_walls, by_masks = replace(NARROW, method="wall"), replace(NARROW, second=True)
    assert impression([by_walls, by_masks])[1].endswith("above and below: L3-L4 canal 31%.")


def test_what_is_not_there_is_said_and_an_sd_is_named_only_where_one_is_given() -> None:
    against, others = impression([replace(HEIGHT, reference=None)])
    assert against == "No published means for these levels."
    assert others == "Listhesis: not measured. Canal narrowing: not measured."
    assert impression([HEIGHT])[0].startswith(
        "More than 25% from the published mean (no SD published; mean in brackets), 1 value compared: "
    )
    assert impression([CANAL])[0].startswith(
        "More than 2 SD from the published mean (mean in brackets), 1 value compared: "
    )
    calm = [replace(HEIGHT, value=12.0), replace(SLIP, value=-2.9), replace(NARROW, value=-0.06)]
    assert [line.count("none") for line in impression(calm)] == [1, 2]
    assert "4.2 mm posterior" in impression([replace(SLIP, value=-4.2)])[1]


def test_doubtful_values_are_marked_and_many_are_counted() -> None:
    assert "8.0 (12.0) (?)" in impression([HEIGHT.flagged("low_confidence")])[0]
    slips = [replace(SLIP, level=f"L{n}-L{n + 1}") for n in range(9)]
    assert impression(slips)[1].count("anterior") == 6 and "; 3 more." in impression(slips)[1]


def places(svg: str) -> dict[str, float]:
    """Where along the chart its parts are."""
    value = re.search(r'class="value[^"]*" cx="([\d.]+)"', svg)
    mean = re.search(r'class="mean" x1="([\d.]+)"', svg)
    assert value and mean
    found = {"value": float(value[1]), "mean": float(mean[1])}
    if band := re.search(r'class="sd" x="([\d.]+)" y="2" width="([\d.]+)"', svg):
        found |= {"from": float(band[1]), "to": float(band[1]) + float(band[2])}
    return found


@pytest.mark.parametrize("value", [0.5, 9.0, 12.0, 14.0, 60.0])
def test_the_chart_puts_mean_band_and_value_on_one_scale(value: float) -> None:
    found = places(band_chart(replace(CANAL, value=value), False))
    per_mm = (found["to"] - found["mean"]) / 1.4
    assert found["mean"] - found["from"] == pytest.approx(1.4 * per_mm, abs=0.2)
    assert found["value"] - found["mean"] == pytest.approx((value - 12.0) * per_mm, abs=4.0 if value == 60 else 1.0)
    assert all(0 <= place <= 100 for place in found.values())


def test_no_band_is_drawn_where_no_sd_is_given() -> None:
    chart = band_chart(HEIGHT, True)
    assert set(places(chart)) == {"value", "mean"} and "SD" not in chart and 'class="value outside"' in chart
    assert "SD 1.4" in band_chart(CANAL, False)
    assert band_chart(replace(HEIGHT, value=None), False) == band_chart(replace(HEIGHT, reference=None), False) == ""


def test_the_key_of_the_overview_claims_an_sd_only_where_one_is_given() -> None:
    assert reference_words([None, None]) == "published mean"
    assert reference_words([1.0, 1.5]) == "published mean \u00b1 SD"
    assert reference_words([None, 1.5]) == "published mean (\u00b1 SD if given)"


@pytest.mark.parametrize("extent", [(0.0, 60.0, 0.0, 700.0), (0.0, 120.0, 0.0, 220.0), (0.0, 90.0, 0.0, 80.0)])
def test_the_numbers_beside_the_picture_have_the_same_room_at_any_length(
    extent: tuple[float, float, float, float],
) -> None:
    """Picture and margins fit the page, and the margin of the discs is 2.1 inches wide: enough for three numbers."""
    front, back = margins(extent)
    width, height = _SPINE[2] * _PAGE[0], _SPINE[3] * _PAGE[1]
    mm_per_inch = max((extent[3] - extent[2]) / height, (extent[1] - extent[0] + front + back) / width)
    assert (front / mm_per_inch, back / mm_per_inch) == pytest.approx((2.1, 0.6))


def test_the_overview_is_drawn_of_any_number_of_levels_and_without_a_canal(tmp_path: Path) -> None:
    one = voxelise(lumbar(upper="L5"))
    canal = next(s for s in one.structures if s.kind is Kind.CANAL)
    bare = replace(
        one,
        labels=np.where(one.labels == canal.value, 0, one.labels).astype(np.uint8),
        structures=tuple(s for s in one.structures if s is not canal),
    )
    for case in (one, bare, voxelise(lumbar(upper="L1"))):
        write_overview(Volume(case.labels * 3.0, case.affine), case, measure(case), tmp_path / "overview.png")
        head = (tmp_path / "overview.png").read_bytes()[:24]
        assert struct.unpack(">II", head[16:]) == (1600, 1000)


def test_colours_of_the_overview_mean_one_thing_each() -> None:
    colours = [curve.colour for group in curves([]) for curve in group] + [colour for *_, colour in _OUTLINES] + [BAD]
    assert len(set(colours)) == len(colours)
    assert {kind for _, kinds, _ in _OUTLINES for kind in kinds} == set(Kind)
