"""Laws that hold for every spine: moving it changes nothing, enlarging it enlarges its lengths alone."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import Element, lumbar, pose, scaled, truth, voxelise

FEW = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SPINE = lumbar(upper="L4")
APART = ("disc_area", "disc_volume", "disc_width", "canal_area", "body_biconcavity_ratio")

angles = st.tuples(st.floats(-30, 30), st.floats(-25, 25), st.floats(-25, 25))
shifts = st.tuples(*(st.floats(-40, 40) for _ in range(3)))


def by_key(rows: list[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    return {r.key: r for r in rows}


@FEW
@given(turn=angles, shift=shifts)
def test_rigid_motion_changes_nothing_beyond_the_voxels(
    turn: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    moved = SPINE.moved(pose(turn, shift))
    rows = by_key(measure(voxelise(moved)))
    limits = {"mm": 0.35, "deg": 1.0, "ratio": 0.03}
    for key, value in truth(SPINE).items():
        if key[1] not in APART:
            assert abs(rows[key].value - value) <= limits[rows[key].unit], (key, rows[key].value, value)


@FEW
@given(factor=st.floats(0.7, 1.4))
def test_scaling_scales_lengths_and_leaves_angles_and_ratios(factor: float) -> None:
    turned = pose((7, 5, 4))
    small = by_key(measure(voxelise(SPINE.moved(turned))))
    large = by_key(measure(voxelise(scaled(SPINE, factor).moved(turned))))
    power = {"mm": 1, "deg": 0, "ratio": 0}
    limits = {"mm": 0.4, "deg": 1.0, "ratio": 0.03}
    for key, row in small.items():
        if row.value is None or row.unit not in power or key[1] in APART or key[1].endswith("compression"):
            continue
        expected = row.value * factor ** power[row.unit]
        assert large[key].value is not None, key
        assert abs(large[key].value - expected) <= limits[row.unit], (key, large[key].value, expected)


@FEW
@given(height=st.floats(4, 13), bend=st.floats(-6, 9))
def test_a_thicker_or_more_wedged_disc_measures_so(height: float, bend: float) -> None:
    disc = Element("", Kind.DISC, height, bend)
    if disc.height_at(0, -17) < 1.5 or disc.height_at(0, 17) < 1.5:
        return
    spine = lumbar(upper="L4", disc=disc).moved(pose((6, 4, 5)))
    rows, true = by_key(measure(voxelise(spine))), truth(spine)
    for quantity, method in (
        ("disc_height_anterior", "chord10"),
        ("disc_height_middle", "chord50"),
        ("disc_height_posterior", "chord90"),
        ("disc_height", "dabbs"),
    ):
        key = ("L4-L5", quantity, method)
        assert abs(rows[key].value - true[key]) <= 0.3, (key, rows[key].value, true[key])
