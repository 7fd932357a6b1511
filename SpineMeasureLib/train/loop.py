"""The training loop of the segmentation model: seeded, resumable, within a time budget, on CPU or GPU."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..evaluate.labelled_sets import ADAPTERS, LabelledCase
from ..progress import Progress, silent
from ..segment.network import SpineNet
from .augment import Augmentation, sample
from .loss import PartialLabelLoss

#: Crops of equal area, so that the network does not adapt to one shape of field of view.
_SIZES = ((384, 256), (320, 320), (512, 192), (448, 224), (608, 160), (576, 448))
_SIZE_WEIGHTS = (0.3, 0.15, 0.2, 0.2, 0.1, 0.05)
_AREA_PER_SAMPLE = 384 * 256
_AVERAGE_DECAY = 0.995
LIGHT = Augmentation(
    thick_slices=0.1,
    scale=1.12,
    rotation_deg=6.0,
    oblique=0.35,
    tilt_deg=10.0,
    warp=0.3,
    warp_mm=2.0,
    low_resolution=0.1,
    repaint=0.1,
    gamma=0.3,
    inversion=0.07,
    curve=0.05,
    tissue_contrast=0.0,
    bias_field=0.2,
    coil=0.075,
    noise=0.15,
    field_cut=0.03,
)
_SAVE_EVERY_S = 120.0


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that determines a training run.

    :ivar datasets: set name -> weight in sampling; names of `labelled_sets.ADAPTERS`.
    :ivar exclude: patients that the model must never see.
    :ivar minutes: time budget, resumed time included; the learning rate follows the elapsed part of it.
    :ivar light_from: after this fraction of the budget, samples are closer to real images (`final_augmentation`) and
        the Dice term is left out: it finds structures quickly but makes discs 15 % too large.
    """

    datasets: dict[str, float] = field(default_factory=lambda: {"lumbar_t2_space": 1.0})
    exclude: tuple[str, ...] = ()
    minutes: float = 40.0
    light_from: float = 0.7
    batch: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    device: str = "cpu"
    threads: int = 0
    filters: tuple[int, ...] = (32, 48, 96, 160, 224)
    augmentation: Augmentation = field(default_factory=Augmentation)
    final_augmentation: Augmentation = field(default_factory=lambda: LIGHT)


def load_cases(root: Path, datasets: Sequence[str], exclude: Sequence[str] = ()) -> list[LabelledCase]:
    """Load all cases of the named sets except the cases of excluded patients."""
    return [case for name in datasets for case in ADAPTERS[name](root) if case.patient not in set(exclude)]


def train(
    cases: Sequence[LabelledCase],
    options: TrainingOptions,
    checkpoint: Path,
    progress: Progress = silent,
    start: SpineNet | None = None,
) -> SpineNet:
    """Train until the time budget is spent and return the averaged (EMA) weights.

    :param checkpoint: written every two minutes; an existing one is resumed, its elapsed time included.
    :param start: network to continue from, changed in place; otherwise one with random weights and `options.filters`.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    run = _Run((start or SpineNet(filters=options.filters)).to(device), options)
    resumed = checkpoint.exists()
    if resumed:
        run.resume(checkpoint)
    rng = np.random.default_rng((options.seed, run.steps) if resumed else options.seed)
    weights = _case_weights(cases, options.datasets)
    budget = options.minutes * 60
    last, saved, recent = time.monotonic(), time.monotonic(), []
    while run.elapsed < budget:
        rate = _learning_rate(run.elapsed / budget) * options.learning_rate
        light = run.elapsed >= options.light_from * budget
        augmentation = options.final_augmentation if light else options.augmentation
        batch = _batch(cases, weights, options.batch, augmentation, rng)
        recent.append(run.learn([part.to(device) for part in batch], rate, dice=not light))
        now = time.monotonic()
        run.elapsed, last = run.elapsed + now - last, now
        if run.steps % 50 == 0:
            run.curve.append([run.steps, round(run.elapsed), round(float(np.mean(recent)), 4)])
            progress("train", run.elapsed / budget, f"step {run.steps}, loss {np.mean(recent):.3f}")
            recent = []
        if now - saved > _SAVE_EVERY_S:
            run.save(checkpoint)
            saved = now
    run.save(checkpoint)
    patients = sorted({c.patient for c in cases})
    log = {"options": asdict(options), "steps": run.steps, "curve": run.curve, "cases": patients}
    checkpoint.with_suffix(".json").write_text(json.dumps(log, indent=1))
    trained = run.average.module
    assert isinstance(trained, SpineNet)
    return trained.eval()


class _Run:
    """What a checkpoint stores: network, averaged weights, optimizer, seconds, steps and loss curve."""

    _MODULES = ("network", "average", "optimizer")

    def __init__(self, network: SpineNet, options: TrainingOptions) -> None:
        moving = torch.optim.swa_utils.get_ema_multi_avg_fn(_AVERAGE_DECAY)
        self.network = network.train()
        self.average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=moving)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.99)
        )
        self._device = next(network.parameters()).device
        self._loss = PartialLabelLoss().to(self._device)
        self.elapsed, self.steps = 0.0, 0
        self.curve: list[list[float]] = []

    def learn(self, batch: Sequence[torch.Tensor], rate: float, dice: bool) -> float:
        """Make one step with a learning rate on a batch (images, codes, regions) and return the loss."""
        images, codes, regions = batch
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self._device.type, torch.bfloat16, enabled=_has_bfloat16(self._device)):
            logits = self.network(images)
        loss = self._loss(logits, codes, regions, dice=dice)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.steps += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write the checkpoint in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        state = {name: getattr(self, name).state_dict() for name in self._MODULES}
        torch.save({**state, "elapsed": self.elapsed, "step": self.steps, "curve": self.curve}, temporary)
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint."""
        state = torch.load(path, map_location=self._device, weights_only=True)
        for name in self._MODULES:
            getattr(self, name).load_state_dict(state[name])
        self.elapsed, self.steps, self.curve = state["elapsed"], state["step"], state["curve"]


def _has_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 is faster on the device; a processor that only emulates it is slower."""
    return device.type == "cuda" or (device.type == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


def _learning_rate(fraction: float) -> float:
    """Warm-up over the first 3 %, then half a cosine to 1 %."""
    warm = min(1.0, fraction / 0.03 + 0.05)
    return float(warm * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(1.0, fraction)))))


def _case_weights(cases: Sequence[LabelledCase], datasets: dict[str, float]) -> np.ndarray:
    """Return the probability of each case such that each set is sampled with its weight."""
    sizes = {name: sum(c.dataset == name for c in cases) for name in datasets}
    weights = np.array([datasets[c.dataset] / sizes[c.dataset] for c in cases])
    return weights / weights.sum()


def _batch(
    cases: Sequence[LabelledCase], weights: np.ndarray, batch: int, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    size = _SIZES[rng.choice(len(_SIZES), p=_SIZE_WEIGHTS)]
    count = max(1, round(batch * _AREA_PER_SAMPLE / (size[0] * size[1])))
    chosen = rng.choice(len(cases), size=count, p=weights)
    samples = [sample(cases[n], size, rng, augmentation) for n in chosen]
    images, codes, regions = (torch.stack(parts) for parts in zip(*samples, strict=True))
    return images, codes, regions
