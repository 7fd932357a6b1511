"""Training: targets of partly labelled sets, samples, agreement, and a short real run that is resumed."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from SpineMeasureLib.anatomy import Kind, Region, Tissue, all_structures  # noqa: E402
from SpineMeasureLib.errors import InputNotFoundError  # noqa: E402
from SpineMeasureLib.evaluate.agreement import absolute_agreement_icc, agreement, dice  # noqa: E402
from SpineMeasureLib.evaluate.labelled_sets import LabelledCase, folds, sacrum_codes  # noqa: E402
from SpineMeasureLib.evaluate.voxel_codes import CANAL_OR_CORD, UNKNOWN  # noqa: E402
from SpineMeasureLib.io.write import write_volume  # noqa: E402
from SpineMeasureLib.phantom.sample import synthesize  # noqa: E402
from SpineMeasureLib.segment.bundle import load_network, open_bundle  # noqa: E402
from SpineMeasureLib.segment.network import N_CHANNELS  # noqa: E402
from SpineMeasureLib.segment.preprocess import slices_seen  # noqa: E402
from SpineMeasureLib.train import augment  # noqa: E402
from SpineMeasureLib.train.augment import Augmentation, sample  # noqa: E402
from SpineMeasureLib.train.from_scratch import Plan, held_out, load_checkpoint, run  # noqa: E402
from SpineMeasureLib.train.loop import TrainingOptions, train  # noqa: E402
from SpineMeasureLib.train.loss import PartialLabelLoss  # noqa: E402
from SpineMeasureLib.train.repaint import repaint_as  # noqa: E402
from SpineMeasureLib.train.synth.tissues import CONTRASTS, Material  # noqa: E402
from SpineMeasureLib.volume import Volume  # noqa: E402


def striped_case(patient: str = "a") -> LabelledCase:
    """Bright bodies, dark discs and a bright canal in a column, like a spine seen from far."""
    codes = np.zeros((6, 240, 160), np.uint8)
    codes[:, 40:220, 80:140] = Tissue.BODY
    for row in range(60, 220, 40):
        codes[:, row : row + 12, 80:140] = Tissue.DISC
    codes[:, :, 50:70] = CANAL_OR_CORD
    brightness = np.zeros(12)
    brightness[[Tissue.BODY, Tissue.DISC, CANAL_OR_CORD]] = 150, 60, 240
    noise = np.random.default_rng(0).normal(0, 8, codes.shape)
    image = np.clip(brightness[codes] + noise, 0, 255).astype(np.uint8)
    return LabelledCase(patient, "striped", image, codes, (4.0, 1.0, 1.0))


def logits_for(tissue: int) -> torch.Tensor:
    logits = torch.zeros(1, len(Tissue), 4, 4)
    logits[:, tissue] = 12.0
    return logits


@pytest.mark.parametrize("tissue", [Tissue.CANAL, Tissue.CORD])
def test_loss_accepts_any_tissue_that_a_code_allows(tissue: Tissue) -> None:
    codes = torch.full((1, 4, 4), CANAL_OR_CORD)
    assert PartialLabelLoss()(logits_for(tissue), codes) < 0.01


def test_loss_rejects_a_tissue_that_a_code_excludes() -> None:
    codes = torch.full((1, 4, 4), CANAL_OR_CORD)
    assert PartialLabelLoss()(logits_for(Tissue.DISC), codes) > 5


def test_the_region_of_a_body_is_learned_where_it_is_known() -> None:
    codes = torch.full((1, 4, 4), int(Tissue.BODY))
    logits = torch.zeros(1, N_CHANNELS, 4, 4)
    logits[:, Tissue.BODY] = 12.0
    logits[:, len(Tissue) + Region.LUMBAR - 1] = 12.0
    loss = PartialLabelLoss()
    known = torch.full((1, 4, 4), int(Region.LUMBAR))
    assert loss(logits, codes, known) < 0.01
    assert loss(logits, codes, torch.full_like(known, Region.AXIS)) > 1
    assert loss(logits, codes, torch.zeros_like(known)) == loss(logits, codes)
    assert loss(logits[:, : len(Tissue)], codes, known) == loss(logits, codes)  # a model that tells no regions


def test_without_dice_the_loss_is_least_at_the_true_probability() -> None:
    """Cross-entropy alone is calibrated: where three voxels of ten are disc, 0.3 is the best probability for all."""
    codes = torch.full((1, 1, 10), int(Tissue.BACKGROUND))
    codes[..., :3] = Tissue.DISC

    def loss(probability: float, dice: bool) -> float:
        logits = torch.full((1, len(Tissue), 1, 10), -20.0)
        logits[:, Tissue.DISC] = float(np.log(probability))
        logits[:, Tissue.BACKGROUND] = float(np.log(1 - probability))
        return float(PartialLabelLoss()(logits, codes, dice=dice))

    candidates = np.linspace(0.1, 0.9, 17)
    assert min(candidates, key=lambda p: loss(p, False)) == pytest.approx(0.3)
    assert min(candidates, key=lambda p: loss(p, True)) > 0.32


def test_dice_covers_the_lumen_of_a_set_that_does_not_tell_cord_from_canal() -> None:
    codes = torch.full((1, 4, 4), int(Tissue.BACKGROUND))
    codes[:, :, :2] = CANAL_OR_CORD
    split = torch.zeros(1, len(Tissue), 4, 4)
    split[:, Tissue.CANAL, :, :2] = split[:, Tissue.CORD, :, :2] = split[:, Tissue.BACKGROUND, :, 2:] = 12.0
    missed = torch.zeros(1, len(Tissue), 4, 4)
    missed[:, Tissue.BACKGROUND] = 12.0
    loss = PartialLabelLoss()
    assert loss(split, codes) < 0.01
    entropy_alone = 0.5 * 12.0
    assert loss(missed, codes) > entropy_alone


def test_unknown_voxels_carry_no_gradient() -> None:
    codes = torch.full((1, 4, 4), UNKNOWN)
    codes[0, 0, 0] = Tissue.DISC
    logits = torch.randn(1, len(Tissue), 4, 4, requires_grad=True)
    PartialLabelLoss()(logits, codes).backward()
    assert logits.grad is not None
    assert logits.grad[:, :, 0, 0].abs().sum() > 0
    assert logits.grad[:, :, 1:, 1:].abs().sum() == 0


def test_sacrum_is_marked_under_the_lowest_disc_and_nothing_else_is_changed() -> None:
    case = striped_case()
    before = case.codes.copy()
    before[:, :60] = np.where(before[:, :60] == Tissue.BODY, 0, before[:, :60])  # the lowest disc, then S1
    codes = before.copy()
    sacrum_codes(codes, (4.0, 0.5, 0.5))
    changed = codes != before
    assert (codes[changed] >= Tissue.SACRUM).all() and (before[changed] == 0).all()
    rows = np.argwhere(codes == Tissue.SACRUM)[:, 1]
    assert rows.max() < 60 and rows.max() > 50


def test_folds_are_disjoint_complete_and_repeatable() -> None:
    patients = [f"p{n}" for n in range(31)]
    split = folds(patients, 3)
    assert sorted(sum(split, [])) == sorted(patients)
    assert split == folds(patients[::-1], 3)
    assert max(map(len, split)) - min(map(len, split)) <= 1


def test_every_labelled_patient_of_every_set_is_held_out_by_one_fold(tmp_path) -> None:  # type: ignore[no-untyped-def]
    files = {
        "lumbar_t2_space": [f"spider{n:03d}_labels" for n in range(7)],
        "cervical_t2": ["cervical11_cord", "cervical18_cord", "cervical20_image", "cervical21_cord"],
        "vertebrae_t2": ["vb2_02_labels"],
    }
    for name, cases in files.items():
        (tmp_path / name).mkdir()
        for case in cases:
            (tmp_path / name / f"{case}.nii.gz").touch()
    split = held_out(Plan(tmp_path, tmp_path, folds=3))
    assert len(split) == 3
    for name, cases in files.items():
        labelled = [case.rpartition("_")[0] for case in cases if "image" not in case]
        assert sorted(patient for fold in split for patient in fold[name]) == sorted(labelled)
    assert [len(fold["cervical_t2"]) for fold in split] == [1, 1, 1]


OFF = Augmentation(
    thick_slices=0, scale=1.0, rotation_deg=0, shear=0, oblique=0, warp=0, low_resolution=0, gamma=0, inversion=0,
    repaint=0, curve=0, tissue_contrast=0, bias_field=0, coil=0, noise=0, field_cut=0,
)  # fmt: skip


def test_plain_sample_keeps_the_image_and_its_codes_together() -> None:
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(8):
        image, codes, _ = sample(striped_case(), (192, 192), rng, OFF)
        assert image.shape == (5, 192, 192) and codes.shape == (192, 192)
        middle = image[2].numpy()
        for code, brightness in ((Tissue.DISC, 60), (CANAL_OR_CORD, 240)):
            if (codes == code).sum() > 2 * 192:  # less is the edge of a stripe, half of what lies beside it
                seen += 1
                assert middle[codes == code].mean() == pytest.approx(brightness / 255, abs=0.1)
    assert seen > 8


def test_tilted_and_warped_planes_show_each_voxel_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "_OUTSIDE_DARK", 0.0)  # what is dark beyond the stack has a test of its own
    rng = np.random.default_rng(4)
    volume = ndimage.gaussian_filter(rng.normal(size=(15, 120, 120)), (1.5, 6, 6)) > 0
    image = np.where(volume, 200, 40).astype(np.uint8)
    case = LabelledCase("made up", "made up", image, volume.astype(np.uint8), (2.0, 0.5, 0.5))
    tilted = replace(OFF, oblique=1.0, warp=1.0, tilt_deg=12.0)
    outside = 0
    for _ in range(6):
        seen, codes, _ = sample(case, (96, 96), rng, tilted)
        inside = codes != UNKNOWN
        outside += int((~inside).sum())
        middle = seen[2]
        wrong = (middle > 120 / 255) != (codes == 1)
        assert (wrong & inside).sum() / inside.sum() < 0.03  # the voxels that the plane cuts between two others
    assert outside > 0


def test_beyond_the_stack_a_tilted_plane_is_dark_background_or_goes_on_unknown() -> None:
    image = np.full((9, 160, 160), 200, np.uint8)
    case = LabelledCase("made up", "made up", image, np.full(image.shape, Tissue.BODY, np.uint8), (2.0, 0.5, 0.5))
    dark = goes_on = 0
    for seed in range(12):
        seen, codes, _ = sample(case, (96, 96), np.random.default_rng(seed), replace(OFF, oblique=1.0, tilt_deg=20.0))
        background, unknown = (
            ndimage.binary_erosion(codes == code, iterations=3) for code in (Tissue.BACKGROUND, UNKNOWN)
        )
        dark += bool(background.any())
        assert (seen[2].numpy()[background] < 0.5).all()  # it fades over half a slice
        goes_on += not background.any() and bool((seen[2].numpy()[unknown] > 0.7).any())
    assert dark > 1 and goes_on > 1


def test_the_end_of_a_coil_darkens_one_side_and_leaves_the_codes() -> None:
    darker = 0
    for seed in range(8):
        plain, codes, _ = sample(striped_case(), (192, 192), np.random.default_rng(seed), OFF)
        faded, same, _ = sample(striped_case(), (192, 192), np.random.default_rng(seed), replace(OFF, coil=1.0))
        assert torch.equal(codes, same)
        gain = (faded / plain)[plain > 0.1]
        assert gain.min() >= 0.1 and gain.max() == pytest.approx(1.0)
        darker += bool(gain.min() < 0.6)
    assert darker > 4


def test_a_t2_image_is_repainted_as_another_sequence_would_show_it() -> None:
    case = striped_case()
    image = torch.from_numpy(case.image[:1].astype(np.float32) / 255)
    codes = torch.from_numpy(case.codes[:1].astype(np.int64))
    painted = repaint_as(np.array(CONTRASTS["t1"]), image, codes)
    inside = {code: ndimage.binary_erosion(case.codes[0] == code, iterations=2) for code in np.unique(case.codes)}
    fluid, marrow = (painted[0].numpy()[inside[c]].mean() for c in (CANAL_OR_CORD, Tissue.BODY))
    assert fluid == pytest.approx(CONTRASTS["t1"][Material.CSF], abs=0.02)
    assert marrow == pytest.approx(CONTRASTS["t1"][Material.MARROW], abs=0.02)
    assert np.std(painted[0].numpy()[inside[Tissue.BODY]]) > 0.01  # its texture is still there


def test_only_cases_that_allow_it_are_repainted() -> None:
    case, always = striped_case(), replace(OFF, repaint=1.0)
    for seed in range(3):
        plain, codes, _ = sample(case, (192, 192), np.random.default_rng(seed), OFF)
        assert torch.equal(sample(case, (192, 192), np.random.default_rng(seed), always)[0], plain)
        allowed = replace(case, repaintable=True)
        painted, same, _ = sample(allowed, (192, 192), np.random.default_rng(seed), always)
        assert torch.equal(codes, same) and not torch.allclose(painted, plain, atol=0.1)


def test_samples_carry_the_region_of_each_body() -> None:
    plain = striped_case()
    regions = np.where(plain.codes == Tissue.BODY, np.uint8(Region.THORACIC), np.uint8(0))
    case = replace(plain, regions=regions)
    for seed in range(4):
        _, codes, told = sample(case, (192, 192), np.random.default_rng(seed), Augmentation())
        assert torch.equal(told == Region.THORACIC, codes == Tissue.BODY)
        assert not sample(plain, (192, 192), np.random.default_rng(seed), Augmentation())[2].any()


def test_augmented_samples_are_finite_and_differ() -> None:
    rng = np.random.default_rng(2)
    drawn = [sample(striped_case(), (192, 192), rng, Augmentation())[0] for _ in range(12)]
    assert all(torch.isfinite(image).all() for image in drawn)
    assert all(not torch.equal(drawn[0], other) for other in drawn[1:])


def test_training_learns_and_goes_on_from_its_checkpoint(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("SpineMeasureLib.train.loop._AVERAGE_DECAY", 0.9)  # few steps, short memory
    ticks = map(float, itertools.count())  # a step a second, however busy the machine is
    monkeypatch.setattr("SpineMeasureLib.train.loop.time", SimpleNamespace(monotonic=ticks.__next__))
    options = TrainingOptions(
        datasets={"striped": 1.0}, minutes=1.5, filters=(8, 16, 16), batch=1, threads=1, learning_rate=1e-2
    )
    checkpoint = tmp_path / "model.pt"
    train([striped_case()], options, checkpoint)
    first = json.loads(checkpoint.with_suffix(".json").read_text())
    assert torch.load(checkpoint, weights_only=True)["elapsed"] == 90
    network = train([striped_case()], replace(options, minutes=2.0), checkpoint)
    second = json.loads(checkpoint.with_suffix(".json").read_text())
    assert (first["steps"], second["steps"]) == (89, 118)  # a run's first step takes two of these seconds
    case = striped_case()
    seen = [3 + n for n in slices_seen(case.spacing[0])]
    image = torch.from_numpy(case.image[seen, 24:216, :] / np.float32(255))[None]
    tissue = network(image)[:, : len(Tissue)].argmax(dim=1)[0].numpy()
    codes = case.codes[3, 24:216, :]
    assert dice(tissue == Tissue.BODY, codes == Tissue.BODY) > 0.7


def test_agreement_of_shifted_values_is_pure_bias() -> None:
    y = [5.0, 7.0, 9.0, 12.0]
    result = agreement([v + 0.5 for v in y], y)
    assert result.bias == pytest.approx(0.5) and result.sd == pytest.approx(0.0) and result.mae == pytest.approx(0.5)
    assert result.icc < 1


def test_icc_matches_the_published_example() -> None:
    # Shrout & Fleiss, Psychol Bull 1979, table 2 (six targets, judges 1 to 4): ICC(2,1) = 0.29. The formula is the one
    # used here for two judges; with mean squares BMS, JMS, EMS it must reproduce that table.
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert absolute_agreement_icc(table) == pytest.approx(0.29, abs=0.005)


def test_agreement_needs_three_pairs() -> None:
    with pytest.raises(ValueError, match="three pairs"):
        agreement([1.0, 2.0], [1.0, 2.0])


def test_folds_need_the_base_start_from_it_and_end_in_a_bundle(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Three patients and one synthetic case as files; a learning rate of 0 keeps what a part starts from."""
    monkeypatch.setattr("SpineMeasureLib.train.from_scratch.SYNTHETIC_CASES", 1)
    for rate in ("_RATE_FROM_BASE", "_FINISH_RATE"):
        monkeypatch.setattr(f"SpineMeasureLib.train.from_scratch.{rate}", 0.0)
    for sets in ("FOLD_SETS", "FINAL_SETS"):
        monkeypatch.setattr(f"SpineMeasureLib.train.from_scratch.{sets}", {"lumbar_t2_space": 0.7})
    lumbar, made_up = tmp_path / "data" / "lumbar_t2_space", tmp_path / "work" / "synthetic"
    case = synthesize(3, spacing=(4.5, 1.0, 1.0), shape=(9, 240, 160))
    spine = case.labels.array
    semantic = np.zeros(spine.shape, np.uint8)
    for value, kinds in enumerate(((Kind.BODY, Kind.POSTERIOR), (Kind.DISC,), (Kind.CANAL,)), start=1):
        semantic[np.isin(spine, [s.value for s in all_structures() if s.kind in kinds])] = value
    for folder, names in ((lumbar, ("spider001", "spider002", "spider003")), (made_up, ("synthetic00000",))):
        folder.mkdir(parents=True)
        for name in names:
            write_volume(case.image, folder / f"{name}_image.nii.gz")
            labels = semantic if folder is lumbar else spine
            write_volume(Volume(labels, case.image.affine), folder / f"{name}_labels.nii.gz")
    (made_up / "synthetic00000_about.json").write_text("{}")
    options = TrainingOptions(minutes=0.001, filters=(8, 16, 16), batch=1, threads=1)

    def part(name: str) -> dict[str, torch.Tensor]:
        run(Plan(tmp_path / "data", tmp_path / "work", only=(name,), options=options))
        last = "fold_base.pt" if name == "base" else f"finished_{name}.pt"
        return load_checkpoint(tmp_path / "work" / last, options).state_dict()

    with pytest.raises(InputNotFoundError, match="base"):
        part("0")
    unfinished = tmp_path / "work" / "fold_base.pt"
    unfinished.touch()
    with pytest.raises(InputNotFoundError, match="base"):
        part("0")
    unfinished.unlink()
    base, fold = part("base"), part("0")
    assert all(torch.equal(base[key], fold[key]) for key in base)
    seen = {n: json.loads((tmp_path / "work" / f"fold_{n}.json").read_text())["cases"] for n in ("base", "0")}
    assert seen["base"] == ["synthetic00000"]
    assert len(seen["0"]) == 3 and "synthetic00000" in seen["0"]
    stages = [json.loads((tmp_path / "work" / f"{name}_0.json").read_text()) for name in ("fold", "finished")]
    assert stages[1]["options"]["datasets"]["synthetic"] < stages[0]["options"]["datasets"]["synthetic"]
    assert stages[0]["cases"] == stages[1]["cases"]

    run(Plan(tmp_path / "data", tmp_path / "work", tmp_path / "bundle", options=options))
    bundle = open_bundle(tmp_path / "bundle")
    assert load_network(bundle).predicts_regions
    card = (tmp_path / "bundle" / "docs" / "README.md").read_text()
    assert "3 patients, real" in card and "axis, cervical, thoracic, lumbar" in card
    assert "trained on the synthetic set only, for 0.001 minutes" in card
    assert "Trained for 0.001 minutes" in card
