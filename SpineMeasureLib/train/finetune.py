"""Fine-tune a bundle on corrected cases: score held-out patients before and after, write a new bundle."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..errors import InputNotFoundError, OutputError
from ..evaluate.labelled_sets import folds
from ..evaluate.model_scores import score_tissues
from ..evaluate.score_tables import summarise
from ..evaluate.scores import CaseScore
from ..progress import Progress, silent
from ..segment.bundle import Bundle, load_network, open_bundle
from ..segment.network import SpineNet
from .corrected_cases import DATASET, CorrectedCase, read_corrected
from .loop import TrainingOptions, train
from .tuned_bundle import Row, Tuning, comparison, write_tuned

#: A quarter of the rate of a training from scratch: what was learned is adjusted, not replaced.
LEARNING_RATE = 5e-4
#: Half old weights, half new weights.
BLEND = 0.5


@dataclass(frozen=True)
class FineTuning:
    """Which bundle to fine-tune, on which cases.

    :ivar parent: bundle to start from; it is never changed.
    :ivar data: nnU-Net data set of ``spinemeasure export training``.
    :ivar target: folder of the new bundle; if None, beside the parent and named after it.
    :ivar work: folder of the checkpoint from which an interrupted run resumes; none is kept if None.
    :ivar parts: number of parts into which the patients are divided; one part is held out.
    :ivar blend: fraction of the new weights in the result, the rest are the parent's: learns less from the cases,
        forgets much less of other images (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).
    """

    parent: Path
    data: Path
    target: Path | None = None
    work: Path | None = None
    parts: int = 3
    blend: float = BLEND
    options: TrainingOptions = TrainingOptions()


@dataclass(frozen=True)
class Tuned:
    """Result of a fine-tuning.

    :ivar held_out: names of the cases that were scored and not trained on.
    """

    bundle: Bundle
    held_out: tuple[str, ...]
    rows: tuple[Row, ...]


def fine_tune(plan: FineTuning, progress: Progress = silent) -> Tuned:
    """Score, train, score again, write.

    :raises OutputError: the new bundle already exists or cannot be written.
    :raises InputNotFoundError: there are fewer than two patients.
    :raises ModelError: the bundle is damaged or of another version.
    """
    target = _free_target(plan)
    bundle = open_bundle(plan.parent)
    progress("load", 0.0, "")
    cases = read_corrected(plan.data)
    held_out, kept = split_by_patient(cases, plan.parts)
    training = [case.as_training_case() for case in kept]
    device = torch.device(plan.options.device)
    options = replace(plan.options, datasets={DATASET: 1.0}, learning_rate=LEARNING_RATE)
    before = _scores(held_out, load_network(bundle).to(device), device, "score before", progress)
    with ExitStack() as stack:
        work = plan.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spinemeasure-")))
        checkpoint = work / f"finetune_{_identity(bundle, kept)}.pt"
        network = train(training, options, checkpoint, progress, start=load_network(bundle))
        log = json.loads(checkpoint.with_suffix(".json").read_text(encoding="utf-8"))
    blended(network, load_network(bundle), plan.blend)
    after = _scores(held_out, network.to(device), device, "score after", progress)
    names = tuple(case.name for case in held_out)
    rows = tuple(comparison(before, after))
    summaries = (summarise(before), summarise(after))
    tuning = Tuning(bundle, names, tuple(case.name for case in kept), plan.blend, rows, summaries, log)
    return Tuned(write_tuned(target, network, tuning), names, tuple(row for row in rows if not row.case))


def split_by_patient(cases: Sequence[CorrectedCase], parts: int) -> tuple[list[CorrectedCase], list[CorrectedCase]]:
    """Split into cases held out and cases to learn from; no patient is in both, the same data give the same split.

    :raises InputNotFoundError: all cases are of one patient.
    """
    patients = sorted({case.patient for case in cases})
    if len(patients) < 2:
        raise InputNotFoundError(
            "The data set contains cases of one patient only, so none can be held out.", "Add cases of other patients."
        )
    test = set(folds(patients, min(max(parts, 2), len(patients)))[0])
    return [c for c in cases if c.patient in test], [c for c in cases if c.patient not in test]


@torch.no_grad()
def blended(network: SpineNet, parent: SpineNet, part: float) -> None:
    """Move every weight of `network` towards the parent's, in place, keeping a fraction `part` of the new one."""
    for new, old in zip(network.parameters(), parent.parameters(), strict=True):
        new.lerp_(old.to(new.device), 1 - part)


def _free_target(plan: FineTuning) -> Path:
    parent = plan.parent.absolute()
    target = (plan.target or parent.with_name(f"{parent.name}_finetuned")).absolute()
    if target.exists():
        raise OutputError(f"{target.name} already exists.", "Choose a new folder with --out.")
    existing = next(place for place in target.parents if place.exists())
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{existing.name} cannot be written to.", "Choose another folder with --out.")
    return target


def _identity(bundle: Bundle, cases: Sequence[CorrectedCase]) -> str:
    """Identify parent and cases: a checkpoint of others is not resumed."""
    digest = hashlib.sha256(bundle.sha256.encode())
    for case in cases:
        digest.update(case.name.encode() + case.tissues.array.tobytes())
        digest.update(b"" if case.levels is None else case.levels.tobytes())
    return digest.hexdigest()[:10]


def _scores(
    cases: Sequence[CorrectedCase], network: SpineNet, device: torch.device, stage: str, progress: Progress
) -> list[CaseScore]:
    scores = []
    for n, case in enumerate(cases):
        progress(stage, n / len(cases), case.name)
        scores.append(score_tissues(case.name, case.image, case.tissues, network.eval(), device))
    return scores
