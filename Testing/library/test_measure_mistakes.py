"""Mistakes that other measuring tools make: each is looked for here, with the wrong value that it would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind, vertebra_value
from SpineMeasureLib.measure import Measurement, measure, methods
from SpineMeasureLib.phantom import ISOTROPIC, Canal, Element, lumbar, pose, truth, voxelise

DISC = "L4-L5"


def by_key(rows: list[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    return {r.key: r for r in rows}


def test_a_distance_is_not_the_span_of_voxel_centres() -> None:
    """That loses one voxel: 13 mm instead of 14 where voxels are 1 mm."""
    values = []
    for shift in (0.0, 0.25, 0.5, 0.75):
        rows = by_key(measure(voxelise(lumbar(upper="L4").moved(pose((9, 0, 0), (0, shift, 0))), ISOTROPIC)))
        values += [rows[level, "canal_ap", "disc_level"].value for level in ("L4-L5", "L5-S1")]
    assert np.mean(values) == pytest.approx(14.0, abs=0.2)


def test_ap_of_a_compressed_canal_is_not_the_minor_axis_of_an_ellipse() -> None:
    """The bulge leaves 9 mm in the middle, while at the sides more is left and an ellipse fitted to it is thicker."""
    canal = Canal(half_ap=7.0, half_width=11.0, dent=5.0, dent_radius=6.0)
    segmentation = voxelise(lumbar(upper="L4", canal=canal).moved(pose((5, 3, 3))))
    row = by_key(measure(segmentation))[DISC, "canal_ap", "disc_level"]
    assert row.value == pytest.approx(9.0, abs=0.25)
    v, u = np.meshgrid(np.arange(-12, 12, 0.1), np.arange(-8, 8, 0.1))
    inside = canal.inside(u, v)
    minor = 4 * np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([u[inside], v[inside]])))[0])
    assert minor > 10.5  # what the ellipse would have said


def test_ap_is_not_measured_along_an_image_axis() -> None:
    """In a spine bent by 30 degrees the image's AP axis cuts the canal obliquely: 16.2 mm instead of 14."""
    for turn in ((30, 0, 0), (0, 0, 30)):
        segmentation = voxelise(lumbar(upper="L4").moved(pose(turn)))
        row = by_key(measure(segmentation))[DISC, "canal_ap", "disc_level"]
        assert row.value == pytest.approx(14.0, abs=0.25)
        direction = np.subtract(row.p1, row.p2) / row.value
        assert abs(direction[1]) < np.cos(np.radians(20))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned", [0.0, 180.0])
def test_anterior_and_posterior_are_not_swapped(mirrored: bool, turned: float) -> None:
    """Whichever way the image's axes run, even with the patient turned round in it."""
    spine = lumbar(upper="L4", disc=Element("", Kind.DISC, 9.0, 10.0)).moved(pose((5, 0, turned)))
    segmentation = voxelise(spine)
    if mirrored:
        affine = segmentation.affine.copy()
        affine[:3, 3] += affine[:3, 1] * (segmentation.labels.shape[1] - 1)
        affine[:3, 1] *= -1
        segmentation = replace(segmentation, labels=segmentation.labels[:, ::-1], affine=affine)
    rows = by_key(measure(segmentation))
    front = rows[DISC, "disc_height_anterior", "chord10"]
    back = rows[DISC, "disc_height_posterior", "chord90"]
    assert front.value - back.value > 4.0
    assert rows[DISC, "disc_wedge", "wedge"].value == pytest.approx(10.0, abs=1.0)
    canal = np.array(rows[DISC, "canal_ap", "disc_level"].p1)
    assert np.linalg.norm(np.array(back.p1) - canal) < np.linalg.norm(np.array(front.p1) - canal)


def test_each_level_has_its_own_plane_in_scoliosis() -> None:
    spine = lumbar(upper="T11", scoliosis=9.0)
    rows = by_key(measure(voxelise(spine)))
    discs = [e for e in spine.elements if e.kind is Kind.DISC]
    places = [rows[e.name, "disc_height_middle", "chord50"] for e in discs]
    across = [p.plane.origin[0] for p in places]
    assert max(across) - min(across) > 5 * 4.0  # slices
    for element, row in zip(discs, places, strict=True):
        middle = element.height_at(*element.centroid[:2])
        assert row.value == pytest.approx(middle, abs=0.3)
        _, frame = spine.named(element.name)
        true = frame[:3, :3] @ element.centroid + frame[:3, 3]
        assert np.linalg.norm(np.subtract(row.plane.origin, true)) < 1.0


def test_height_is_not_inflated_by_a_rim() -> None:
    """A rim that bulges over the bodies' edges adds a third to volume / area, and nothing to the middle height."""
    disc = Element("", Kind.DISC, 8.0, 4.0)
    plain = voxelise(lumbar(upper="L4", disc=disc).moved(pose((6, 4, 4))))
    wide = replace(disc, half_depth=21.0, half_width=27.0, height=8.0, bend=4.0)
    rim = voxelise(lumbar(upper="L4", disc=wide).moved(pose((6, 4, 4))))
    offset = np.round(np.linalg.inv(rim.affine) @ plain.affine[:, 3])[:3].astype(int)
    assert (offset >= 0).all()
    tall = np.zeros_like(rim.labels)
    for value in np.unique(rim.labels[rim.labels > 100]):
        for axis in (1, 2):
            for step in range(-6, 7):
                tall[np.roll(rim.labels == value, step, axis)] = value
    window = tall[tuple(slice(o, o + n) for o, n in zip(offset, plain.labels.shape, strict=True))]
    labels = plain.labels.copy()
    free = labels[: window.shape[0], : window.shape[1], : window.shape[2]] == 0
    labels[: window.shape[0], : window.shape[1], : window.shape[2]][free] = window[free]
    rows, before = by_key(measure(replace(plain, labels=labels))), by_key(measure(plain))
    volume = (DISC, "disc_volume", "volume")
    assert rows[volume].value > 1.25 * before[volume].value
    assert rows[DISC, "disc_height_middle", "chord50"].value == pytest.approx(8.0, abs=0.3)


def test_a_cleft_does_not_end_a_disc() -> None:
    """A degenerate disc with a vertical gap is as deep as from its front to its back."""
    spine = lumbar(upper="L4").moved(pose((6, 4, 4)))
    whole = voxelise(spine)
    element, frame = spine.named(DISC)
    index = np.moveaxis(np.indices(whole.labels.shape), 0, -1)
    ras = index @ whole.affine[:3, :3].T + whole.affine[:3, 3]
    ahead = (ras - frame[:3, 3]) @ frame[:3, 1]
    value = next(s.value for s in whole.structures if s.level == DISC)
    labels = np.where((whole.labels == value) & (np.abs(ahead - 5.0) < 1.0), 0, whole.labels)
    rows = by_key(measure(replace(whole, labels=labels)))
    true = truth(spine)
    for key in ((DISC, "disc_depth", "depth50"), (DISC, "disc_height_middle", "chord50")):
        assert rows[key].value == pytest.approx(true[key], abs=0.3)


def test_formulas_are_what_the_definitions_say() -> None:
    rows = by_key(measure(voxelise(lumbar(upper="L3", canal=Canal(cord=(3.5, 6.0))).moved(pose((5, 5, 5))))))

    def value(level: str, quantity: str, method: str) -> float:
        found = rows[level, quantity, method].value
        assert found is not None
        return found

    front, middle, back = (
        value(DISC, f"disc_height_{name}", method)
        for name, method in (("anterior", "chord10"), ("middle", "chord50"), ("posterior", "chord90"))
    )
    depth = value(DISC, "disc_depth", "depth50")
    assert value(DISC, "farfan_index", "farfan") == pytest.approx((front + back) / depth)
    assert value(DISC, "disc_height_mean", "mean3") == pytest.approx((front + middle + back) / 3)
    assert value(DISC, "disc_height_mean", "area_depth") == pytest.approx(value(DISC, "disc_area", "area") / depth)
    body = value("L4", "body_depth", "depth50")
    assert value(DISC, "disc_height_index", "dhi_mean3") == pytest.approx((front + middle + back) / 3 / body)
    canal = value("L4", "canal_ap", "mid_vertebral")
    assert value("L4", "torg_pavlov_ratio", "canal_body") == pytest.approx(canal / body)
    share = value(DISC, "cord_area", "disc_level") / value(DISC, "canal_area", "disc_level")
    assert value(DISC, "cord_occupancy", "disc_level") == pytest.approx(share)
    heights = [value("L4", f"body_height_{name}", "corner") for name in ("anterior", "posterior")]
    assert value("L4", "body_wedge_ratio", "anterior_posterior") == pytest.approx(heights[0] / heights[1])
    for row in rows.values():
        if row.p1 is not None and row.value is not None:
            assert np.linalg.norm(np.subtract(row.p1, row.p2)) == pytest.approx(abs(row.value), abs=1e-6), row.key


def test_every_row_has_a_definition_and_every_definition_a_text() -> None:
    defined = {(d.quantity, d.method): d for d in methods()}
    for row in measure(voxelise(lumbar(upper="L1", canal=Canal(cord=(3.0, 5.0))))):
        definition = defined[row.quantity, row.method]
        assert (definition.unit, definition.boundary) == (row.unit, row.boundary)
    assert all(d.text and d.title for d in defined.values())
    assert len({(d.key, d.at) for d in methods()}) == len(methods())
    assert vertebra_value("L4") in np.unique(voxelise(lumbar(upper="L4")).labels)
