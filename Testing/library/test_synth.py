"""Synthetic spines: inside of meshes, where points of a bent spine come from, labels that follow from the shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from SpineMeasureLib.anatomy import (
    CANAL_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SACRUM_VALUE,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Tissue,
    vertebra_value,
)
from SpineMeasureLib.errors import InputNotFoundError
from SpineMeasureLib.evaluate.labelled_sets import synthetic
from SpineMeasureLib.segment.naming.sizes import usual_step
from SpineMeasureLib.train.synth import cases, pose
from SpineMeasureLib.train.synth.cases import REGIONS, Maker, write_cases
from SpineMeasureLib.train.synth.chain import VARIANTS, Chain
from SpineMeasureLib.train.synth.pose import Bump, pose_map, random_subject
from SpineMeasureLib.train.synth.template import STEP_MM, Template, build_template, inside_mesh

BODY_MM, DISC_MM, SACRUM_MM = 20.0, 6.0, 60.0


def straight_template() -> Template:
    """Bodies of 32 x 30 x 20 mm with discs of 6 mm between them, a sac and arches behind, on a sacrum of 60 mm."""
    length = SACRUM_MM + (len(USUAL_ORDER) - 1) * (BODY_MM + DISC_MM) + 40
    shape = (100, 130, round(length / STEP_MM))
    origin = np.array([-40.0, -70.0, 0.0])
    side, ahead, s = (origin[n] + np.arange(shape[n]) * STEP_MM for n in range(3))
    column = (np.abs(side) < 16)[:, None, None] & (np.abs(ahead) < 15)[None, :, None]
    arch = (np.abs(side) < 5)[:, None, None] & ((ahead < -36) & (ahead > -56))[None, :, None]
    tissue, level = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    bottoms, tops = np.zeros(len(USUAL_ORDER)), np.zeros(len(USUAL_ORDER))
    tops[-1] = SACRUM_MM
    tissue[column & (s < SACRUM_MM)] = Tissue.SACRUM
    level[column & (s < SACRUM_MM)] = len(USUAL_ORDER) - 1
    for n in range(len(USUAL_ORDER) - 2, -1, -1):
        bottoms[n] = tops[n + 1] + DISC_MM
        tops[n] = bottoms[n] + BODY_MM
        disc, body = (s >= tops[n + 1]) & (s < bottoms[n]), (s >= bottoms[n]) & (s < tops[n])
        for where, kind in (
            (column & disc, Tissue.DISC),
            (column & body, Tissue.BODY),
            (arch & body, Tissue.POSTERIOR),
        ):
            tissue[where], level[where] = kind, n
    sac = np.hypot(side[:, None] / 8, (ahead[None] + 25) / 7) < 1
    tissue[sac] = Tissue.CANAL
    return Template(tissue, level, origin, (tops + bottoms) / 2, tops, bottoms, s, np.zeros(len(s)))


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker(straight_template())


def test_the_inside_of_a_closed_mesh_is_found_from_its_triangles() -> None:
    corners = np.array([[x, y, z] for x in (-5.0, 5.0) for y in (-4.0, 4.0) for z in (-3.0, 3.0)])
    quads = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
    faces = np.array([[corners[q[i]] for i in triangle] for q in quads for triangle in ((0, 1, 2), (0, 2, 3))])
    grid = np.stack(np.meshgrid(*(np.arange(-7, 7, 0.73) + 0.11 for _ in range(3)), indexing="ij"), axis=-1)
    expected = (np.abs(grid) < [5, 4, 3]).all(axis=-1)
    assert np.array_equal(inside_mesh(faces, grid), expected)


def test_without_anatomy_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="no anatomy"):
        build_template(tmp_path)


@pytest.mark.parametrize("around", ["C5", "T8", "L3"])
def test_the_vertebra_asked_for_lies_at_the_origin(maker: Maker, around: str) -> None:
    rng = np.random.default_rng(4)
    subject = random_subject(maker.template, rng, around, disease=0.0)
    place = pose_map(subject, np.full(3, -40.0), np.full(3, 40.0), rng)(np.zeros((1, 3)))[0]
    centre = maker.template.centres[USUAL_ORDER.index(around)]
    assert np.abs(place - [0, 0, centre]).max() < 5.0


def test_a_bulge_brings_what_lies_ahead_of_it_backward(maker: Maker) -> None:
    rng = np.random.default_rng(1)
    subject = random_subject(maker.template, rng, "L4", disease=0.0)
    pose = pose_map(subject, np.full(3, -40.0), np.full(3, 40.0), rng)
    point = np.array([[0.0, -15.0, 0.0]])
    before = pose(point)[0]
    subject.bumps.append(Bump(1, tuple(before), (5.0, 5.0, 5.0), 3.0))
    assert pose(point)[0] - before == pytest.approx([0, 3.0, 0], abs=1e-6)


@pytest.mark.parametrize("region", list(REGIONS))
def test_labels_run_down_the_spine_without_a_gap(maker: Maker, region: str) -> None:
    case = maker.case(5, region)
    assert case.image.array.shape == case.labels.array.shape
    up = -case.image.affine[2, 1]  # rows run downward
    assert up > 0
    middles = {}
    for name in USUAL_ORDER[:-1]:
        for value in (vertebra_value(name), vertebra_value(name) + DISC_OFFSET):
            rows = np.nonzero(case.labels.array == value)[1]
            if len(rows) > 300:
                middles[value] = rows.mean()
    expected = [v for n in USUAL_ORDER[:-1] for v in (vertebra_value(n), vertebra_value(n) + DISC_OFFSET)]
    shown = [v for v in expected if v in middles]
    assert len(shown) >= 9
    assert [middles[v] for v in shown] == sorted(middles[v] for v in shown)
    inner = expected[expected.index(shown[1]) : expected.index(shown[-2]) + 1]
    assert set(inner) <= set(shown)
    assert CANAL_VALUE in case.labels.array and (case.labels.array > POSTERIOR_OFFSET).any()


def test_the_same_number_gives_the_same_case_and_another_one_another(maker: Maker) -> None:
    first, again, other = maker.case(7, "cervical"), maker.case(7, "cervical"), maker.case(8, "cervical")
    assert np.array_equal(first.image.array, again.image.array) and first.about == again.about
    assert first.image.array.shape != other.image.array.shape or (first.image.array != other.image.array).any()


def test_contrasts_differ_as_their_names_say(maker: Maker) -> None:
    def brightness(contrast: str, value: int) -> float:
        ratios = []
        for seed in range(2):
            case = maker.case(seed, "lumbar", contrast)
            bodies = np.isin(case.labels.array, [vertebra_value(n) for n in USUAL_ORDER[:-1]])
            ratios.append(case.image.array[case.labels.array == value].mean() / case.image.array[bodies].mean())
        return float(np.mean(ratios))

    assert brightness("t2", CANAL_VALUE) > 1.3
    assert brightness("t1", CANAL_VALUE) < 1.0


def test_cases_are_written_once_and_read_as_training_cases(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "build_template", lambda _: maker.template)
    write_cases(tmp_path, tmp_path / "set", 1, 3)
    before = (tmp_path / "set" / "synthetic00003_image.nii.gz").stat().st_mtime_ns
    write_cases(tmp_path, tmp_path / "set", 2, 3)
    assert (tmp_path / "set" / "synthetic00003_image.nii.gz").stat().st_mtime_ns == before
    about = json.loads((tmp_path / "set" / "synthetic00004_about.json").read_text())
    assert about["seed"] == 4 and about["region"] in REGIONS
    found = list(synthetic(tmp_path / "set"))
    assert [case.patient for case in found] == ["synthetic00003", "synthetic00004"]
    for case in found:
        assert set(np.unique(case.codes)) <= set(range(len(Tissue)))
        assert {Tissue.BODY, Tissue.DISC, Tissue.CANAL} <= set(np.unique(case.codes))


def test_the_sacrum_is_labelled_below_the_lowest_disc(maker: Maker) -> None:
    case = maker.case(2, "lumbar")
    rows = {v: np.nonzero(case.labels.array == v)[1].mean() for v in (SACRUM_VALUE, vertebra_value("L5") + DISC_OFFSET)}
    assert rows[SACRUM_VALUE] > rows[vertebra_value("L5") + DISC_OFFSET]


@pytest.mark.parametrize(("variant", "count"), [("usual", 25), ("L6", 26), ("T13", 26), ("-L5", 24), ("-T12", 24)])
def test_a_chain_has_its_vertebrae_in_order_and_its_discs_between_them(maker: Maker, variant: str, count: int) -> None:
    chain = Chain.of(maker.template, variant)
    assert len(chain.order) == count
    assert list(chain.order) == [name for name in VERTEBRA_ORDER if name in chain.order]
    assert chain.tops[:-1] - chain.bottoms[:-1] == pytest.approx(BODY_MM)
    assert chain.bottoms[:-1] - chain.tops[1:] == pytest.approx(DISC_MM)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_each_body_of_a_chain_is_seen_as_itself_across_the_cut(maker: Maker, variant: str) -> None:
    chain = Chain.of(maker.template, variant)
    for name, top, bottom in zip(chain.order[:-1], chain.tops, chain.bottoms, strict=False):
        s = np.linspace(bottom + 1, top - 1, 9)
        place, above = chain.in_template(np.stack([0 * s, 0 * s, s], axis=-1))
        tissue, level, _ = maker._look_up(place)
        assert (tissue == Tissue.BODY).all()
        assert {VERTEBRA_ORDER[n] for n in chain.levels[above, level]} == {name}


def person(maker: Maker, monkeypatch: pytest.MonkeyPatch, variant: str, seed: int = 5, region: str = "lumbar"):  # type: ignore[no-untyped-def]
    """A case of a person with this count of vertebrae."""
    sure = {name: replace(made, share=2.0 * (name == variant != "usual")) for name, made in VARIANTS.items()}
    monkeypatch.setattr(pose, "VARIANTS", sure)
    return maker.case(seed, region)


def rows_of(labels: np.ndarray, *values: int) -> list[float]:
    return [float(np.nonzero(labels == value)[1].mean()) for value in values]


@pytest.mark.parametrize(
    ("variant", "region", "chain"),
    [
        ("L6", "lumbar", ("L3", "L4", "L5", "L6", "S1")),
        ("-L5", "lumbar", ("L1", "L2", "L3", "L4", "S1")),
        ("T13", "thoracolumbar", ("T11", "T12", "T13", "L1", "L2")),
        ("-T12", "thoracolumbar", ("T10", "T11", "L1", "L2")),
    ],
)
def test_labels_of_an_odd_count_run_down_the_spine_in_order(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, variant: str, region: str, chain: tuple[str, ...]
) -> None:
    case = person(maker, monkeypatch, variant, region=region)
    values = [v for name in chain[:-1] for v in (vertebra_value(name), vertebra_value(name) + DISC_OFFSET)]
    rows = rows_of(case.labels.array, *values, vertebra_value(chain[-1]))
    assert rows == sorted(rows)
    assert case.about["vertebrae"] == variant
    missing = VARIANTS[variant].missing
    assert not missing or not np.isin([vertebra_value(missing) + n for n in (0, 100, 200)], case.labels.array).any()


def test_a_person_with_four_lumbar_vertebrae_has_one_disc_fewer(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    def lumbar_discs(variant: str) -> int:
        labels = person(maker, monkeypatch, variant).labels.array
        return int(np.isin([vertebra_value(f"L{n}") + DISC_OFFSET for n in range(1, 7)], labels).sum())

    assert [lumbar_discs(v) for v in ("-L5", "usual", "L6")] == [4, 5, 6]


def test_healthy_persons_have_the_usual_vertebrae(maker: Maker) -> None:
    rng = np.random.default_rng(0)
    assert all(random_subject(maker.template, rng, "L3", 0.0).chain.order == USUAL_ORDER for _ in range(20))


def test_steps_of_healthy_persons_are_the_usual_ones_whatever_the_template(maker: Maker) -> None:
    """The template's bodies are all 20 mm high; a person's grow from neck to loin as those of the living."""
    ratios = []
    for seed in range(12):
        subject = random_subject(maker.template, np.random.default_rng(seed), "T12", 0.0)
        low, high = subject.ends[2:-2:2], subject.ends[3:-1:2]  # of the discs, from the sacrum up
        steps = np.diff((low + high) / 2)  # L5, L4 ... C3
        usual = np.array([usual_step(name) for name in USUAL_ORDER[2:-1][::-1]])
        ratios.append(steps / usual / np.median(steps / usual))
    assert np.allclose(np.mean(ratios, axis=0), 1.0, atol=0.06)
    assert 0.02 < np.std(ratios) < 0.1


def test_spurs_lengthen_the_corner_of_a_body(maker: Maker) -> None:
    rng = np.random.default_rng(1)
    subject = random_subject(maker.template, rng, "L4", disease=0.0)
    pose_of = pose_map(subject, np.full(3, -40.0), np.full(3, 40.0), rng)
    subject.worn = frozenset({"L4"})
    for _ in range(20):  # by chance a disc stays without
        pose._spurs(subject, rng)
    corner = subject.chain.bottoms[subject.chain.order.index("L4")] + 1.0
    line = np.stack([np.zeros(81), np.linspace(-40, 40, 81), np.full(81, -BODY_MM / 2 + 1)], axis=-1)
    bumps, subject.bumps = subject.bumps, []
    before = pose_of(line)
    subject.bumps = [b for b in bumps if b.size < 0 and abs(b.centre[2] - corner) < 1e-6][:1]
    after = pose_of(line)
    assert len(subject.bumps) == 1
    assert (after[:, 1] < 15).sum() > (before[:, 1] < 15).sum()


def test_motion_changes_the_image_and_not_the_labels(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    ghosts: list[int] = []
    monkeypatch.setattr(cases, "_ghosts", lambda image, rng: ghosts.append(1) or image)
    for seed in range(20):  # one case of four has ghosts
        still = maker.case(seed, "cervical", "t1")
        if ghosts:
            break
    monkeypatch.undo()
    moved = maker.case(seed, "cervical", "t1")
    assert np.array_equal(moved.labels.array, still.labels.array)
    assert not np.array_equal(moved.image.array, still.image.array)


def test_labels_move_with_the_slice_that_was_taken_later() -> None:
    affine = np.diag([4.0, 0.7, 0.7, 1.0])
    moved = [cases._moved(affine, 12, np.random.default_rng(seed)) for seed in range(40)]
    shifts = np.array([[m[:3, 3] for m in stack] for stack in moved])
    assert (np.abs(shifts).max(axis=(1, 2)) == 0).mean() > 0.4  # most patients lie still
    assert 0.5 < np.abs(shifts).max() < 4.0


def test_a_balanced_set_shows_every_region_with_every_contrast_and_amount_of_disease() -> None:
    turns = [tuple(cases._turn(n).values()) for n in range(100000, 100084)]
    assert len(set(turns)) == 84
