"""Doubtful values say so, and what cannot be measured keeps its row and its reason."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.errors import NothingFoundError
from SpineMeasureLib.export.dicom import codes as dicom_codes
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.measure.chords import depth_line
from SpineMeasureLib.measure.definitions import methods
from SpineMeasureLib.measure.fields import make_field
from SpineMeasureLib.measure.flags import FLAGS
from SpineMeasureLib.measure.frames import make_frame
from SpineMeasureLib.measure.reference import _table
from SpineMeasureLib.measure.spine import Spine
from SpineMeasureLib.phantom import SPACE, Canal, Grid, lumbar, pose, voxelise
from SpineMeasureLib.segmentation import SpineSegmentation

ROOT = Path(__file__).parents[2]


def by_key(rows: list[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    return {r.key: r for r in rows}


def without(segmentation: SpineSegmentation, *kinds: Kind) -> SpineSegmentation:
    """The case with structures of some kinds not segmented."""
    gone = [s.value for s in segmentation.structures if s.kind in kinds]
    labels = np.where(np.isin(segmentation.labels, gone), 0, segmentation.labels).astype(np.uint8)
    return replace(
        segmentation, labels=labels, structures=tuple(s for s in segmentation.structures if s.kind not in kinds)
    )


@pytest.fixture(scope="module")
def whole() -> SpineSegmentation:
    return voxelise(lumbar(upper="L3").moved(pose((6, 4, 5))))


def test_no_value_without_method_and_no_missing_value_without_reason(whole: SpineSegmentation) -> None:
    for case in (whole, without(whole, Kind.CANAL), without(whole, Kind.SACRUM), without(whole, Kind.BODY)):
        for row in measure(case):
            assert row.method
            if row.value is None:
                assert "not_measurable" in row.flags, row.key
                assert row.note, row.key


def test_a_slab_cuts_volume_and_width_but_not_heights() -> None:
    slab = voxelise(lumbar(upper="L4").moved(pose((5, 3, 3))), Grid(SPACE.spacing, half_extent=(9.0, None, None)))
    rows = by_key(measure(slab))
    width = rows["L4-L5", "disc_width", "width50"]
    assert width.value is None
    assert {"cut_by_field_of_view", "not_measurable"} <= set(width.flags)
    assert "cut_by_field_of_view" in rows["L4-L5", "disc_volume", "volume"].flags
    height = rows["L4-L5", "disc_height_middle", "chord50"]
    assert height.value == pytest.approx(10.0, abs=0.25)
    assert "cut_by_field_of_view" not in height.flags


def test_a_body_cut_by_the_image_border_is_not_measured(whole: SpineSegmentation) -> None:
    _, frame = lumbar(upper="L3").moved(pose((6, 4, 5))).named("L3")
    row = int((np.linalg.inv(whole.affine) @ frame[:, 3])[2])
    rows = by_key(measure(replace(whole, labels=whole.labels[:, :, :row])))
    for quantity, method in (("body_height_anterior", "corner"), ("body_depth", "depth50")):
        assert rows["L3", quantity, method].value is None
        assert "cut_by_field_of_view" in rows["L3", quantity, method].flags
    assert rows["L4", "body_height_anterior", "corner"].value is not None
    assert rows["L3-L4", "disc_height_middle", "chord50"].value == pytest.approx(10.0, abs=0.25)


def test_the_lowest_disc_is_measured_without_a_sacrum_and_says_so(whole: SpineSegmentation) -> None:
    rows = by_key(measure(without(whole, Kind.SACRUM)))
    assert rows["L5-S1", "disc_height_middle", "chord50"].value == pytest.approx(10.0, abs=0.25)
    wedge = rows["L5-S1", "disc_wedge", "wedge"]
    assert wedge.value == pytest.approx(7.0, abs=1.0)
    assert "low_confidence" in wedge.flags
    assert wedge.note
    assert rows["L5-S1", "listhesis", "posterior_corners"].value is None
    assert "frame_fallback" not in rows["L5-S1", "disc_height_middle", "chord50"].flags


def test_without_a_canal_the_discs_are_measured_with_a_flag(whole: SpineSegmentation) -> None:
    rows = by_key(measure(without(whole, Kind.CANAL)))
    height = rows["L4-L5", "disc_height_middle", "chord50"]
    assert height.value == pytest.approx(10.0, abs=0.3)
    assert "frame_fallback" in height.flags
    assert rows["L4-L5", "canal_ap", "disc_level"].value is None


def test_without_bodies_the_disc_gives_its_own_frame(whole: SpineSegmentation) -> None:
    rows = by_key(measure(without(whole, Kind.BODY, Kind.SACRUM)))
    assert rows["L4-L5", "disc_height_middle", "chord50"].value == pytest.approx(10.0, abs=0.3)
    assert rows["L4-L5", "disc_height_index", "dhi_mean3"].value is None


def test_flags_of_the_structure_reach_its_rows(whole: SpineSegmentation) -> None:
    marked = tuple(
        replace(s, flags=("level_unverified",), confidence=0.5 if s.kind is Kind.DISC else 0.95)
        for s in whole.structures
    )
    rows = measure(replace(whole, structures=marked))
    assert all("level_unverified" in r.flags for r in rows)
    rows_by_key = by_key(rows)
    assert "low_confidence" in rows_by_key["L4-L5", "disc_height_middle", "chord50"].flags
    assert "low_confidence" not in rows_by_key["L4", "body_height_middle", "chord50"].flags


def test_few_slices_and_thick_slices_are_flagged(whole: SpineSegmentation) -> None:
    rows = by_key(measure(voxelise(lumbar(upper="L4"), Grid(half_extent=(2.0, None, None)))))
    assert "few_slices" in rows["L4-L5", "disc_height_middle", "chord50"].flags
    thick = by_key(measure(whole))
    assert "low_confidence" in thick["L4-L5", "canal_area", "disc_level"].flags
    assert "few_slices" not in thick["L4-L5", "disc_height_middle", "chord50"].flags


def test_repeatability_is_the_spread_over_neighbouring_planes(whole: SpineSegmentation) -> None:
    rows = by_key(measure(whole))
    for key in (("L4-L5", "disc_height_middle", "chord50"), ("L4-L5", "canal_ap", "disc_level")):
        spread = rows[key].repeatability
        assert spread is not None
        assert 0 <= spread < 0.25


def test_regional_angles_only_where_their_levels_are_in_view(whole: SpineSegmentation) -> None:
    assert not [r for r in measure(whole) if r.quantity in ("lordosis", "kyphosis")]
    rows = by_key(measure(voxelise(lumbar(upper="L1"))))
    assert rows["L1-S1", "lordosis", "cobb"].value == pytest.approx(5 * 7.0 + 5 * 2.0, abs=1.0)


def test_canal_rows_name_their_boundary(whole: SpineSegmentation) -> None:
    for row in measure(whole):
        canal = row.quantity.startswith(("canal", "torg"))
        assert (row.boundary == "dural_sac") == canal, row.key


def test_nothing_to_measure_is_an_error(whole: SpineSegmentation) -> None:
    kinds = (Kind.BODY, Kind.DISC, Kind.SACRUM)
    with pytest.raises(NothingFoundError):
        measure(without(whole, *kinds))


def test_a_canal_that_runs_across_the_spine_does_not_turn_its_discs(whole: SpineSegmentation) -> None:
    """Stray pieces of canal can turn the end of its centreline: discs then keep the direction of their neighbours."""
    expected = Spine(whole).discs
    turned = Spine(whole)
    assert turned.line is not None
    across = np.tile([0.8, -0.5, 0.33], (len(turned.line.tangents), 1))
    turned.line = replace(turned.line, tangents=across)
    for structure in whole.of_kind(Kind.DISC):
        disc, plain = turned._disc(structure, turned._field(structure)), expected[structure.level]
        assert disc is not None
        assert plain is not None
        assert disc.frame.superior @ plain.frame.superior > np.cos(np.radians(3))


def test_stray_voxels_break_nothing(whole: SpineSegmentation) -> None:
    """Structures of a few voxels, as noisy label maps hold them."""
    for kept in (1, 5, 40):
        labels = whole.labels.copy()
        for structure in whole.structures:
            if structure.kind is not Kind.CANAL:
                where = np.argwhere(labels == structure.value)[kept:]
                labels[tuple(where.T)] = 0
        rows = measure(replace(whole, labels=labels))
        assert all(r.value is None or np.isfinite(r.value) for r in rows)


def test_references_fit_a_definition_and_never_cross_boundaries() -> None:
    known = {(d.quantity, d.method): d for d in methods()}
    table = _table()
    assert len(table) == 23
    for (_, quantity, method, boundary), reference in table.items():
        assert reference.source
        assert (quantity, method) in known
        assert boundary == known[quantity, method].boundary  # else it would never be shown
    rows = by_key(measure(voxelise(lumbar(upper="L4", canal=Canal()))))
    shown = rows["L4-L5", "disc_height_anterior", "chord10"].reference
    assert shown is not None
    assert (shown.mean, "Onishi" in shown.source) == (10.94, True)
    assert rows["L4-L5", "disc_height", "dabbs"].reference is None
    assert rows["L4", "canal_ap", "mid_vertebral"].reference is None


def test_every_reference_is_the_number_that_its_source_prints() -> None:
    content = json.loads((ROOT / "Resources" / "reference_values.json").read_text(encoding="utf-8"))
    assert {e["source"] for e in content["values"]} == set(content["sources"])
    for e in content["values"]:
        numbers = [float(n) for n in re.findall(r"(?<![\w.])\d+\.\d+", e["found"])]
        assert e["mean"] in numbers and (e["sd"] is None or e["sd"] in numbers), e
        assert not e["sd"] or f"(SD {e['sd']})" in e["found"]
    limits = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert (
        content["checked"] == "abstract"
        and "checked against the abstract" in limits
        and "unchecked against" not in limits
    )


def test_every_flag_and_boundary_is_raised_somewhere() -> None:
    """Strings outside lists of constants: a flag that only lists know is dead."""
    raised: set[str] = set()
    for path in (ROOT / "SpineMeasureLib").rglob("*.py"):
        if path.name in ("flags.py", "codes.py"):
            continue
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
                raised |= {
                    n.value for n in ast.walk(statement) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    assert [flag for flag in FLAGS if flag not in raised] == []
    boundaries = {d.boundary for d in methods()} - {""}
    assert boundaries < set(dicom_codes._BOUNDARIES) <= boundaries | raised


def test_a_collapsed_bent_disc_is_measured_over_its_whole_depth() -> None:
    index = np.indices((5, 100, 60)).astype(float)
    forward, up = index[1] * 0.5 - 25.0, index[2] * 0.5 - 15.0
    arch = 5.0 * (1 - (forward / 16.0) ** 2)  # a straight line at its mid-height ends three quarters of the way
    mask = (np.abs(forward) <= 16.0) & (np.abs(up - arch) <= 1.0)
    field = make_field(mask, np.diag([4.0, 0.5, 0.5, 1.0]))
    frame = make_frame(field.centroid, np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]))
    line = depth_line(field, frame)
    assert line is not None
    assert np.linalg.norm(line[0] - line[1]) == pytest.approx(32.0, abs=1.5)
    assert line[0][1] > line[1][1]
