"""``spinemeasure train segmentation``: cross-validation, the final model and its bundle, from one data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..errors import InputNotFoundError, SpineMeasureError
from ..progress import Progress, silent
from ..segment.network import SpineNet
from .bundle_card import write_bundle
from .crossval import write_scores
from .data import folds, synthetic
from .evaluate import CaseScore, score_folder
from .segmentation import TrainingOptions, load_cases, train
from .synth.cases import write_cases

CROSS_VALIDATED = "lumbar_t2_space"

#: Sets and sampling weights: folds train without the sets that only the final model sees.
FOLD_SETS = {"lumbar_t2_space": 0.64, "cervical_t2": 0.06}
FINAL_SETS = {"lumbar_t2_space": 0.48, "vertebrae_t2": 0.08, "vertebrae_water": 0.07, "cervical_t2": 0.07}
#: Synthetic cases made for every model, and how often it sees one of them.
SYNTHETIC_CASES, SYNTHETIC_SHARE = 110, 0.30


@dataclass(frozen=True)
class Plan:
    """What one call trains.

    :ivar data: folder with the sets of `data.ADAPTERS`.
    :ivar work: checkpoints, scores and plots; a run that was stopped goes on from here.
    :ivar bundle: where the final model is written; nowhere when None.
    :ivar only: fold numbers (``"0"``) or ``"final"`` to do a part, so that parts can run side by side; empty for all.
    """

    data: Path
    work: Path
    bundle: Path | None = None
    folds: int = 3
    only: tuple[str, ...] = ()
    options: TrainingOptions = TrainingOptions()


def run(plan: Plan, progress: Progress = silent) -> None:
    """Train what `plan` names, then score and write the bundle once all its parts are there.

    :raises InputNotFoundError: the data folder holds no case of the cross-validated set.
    """
    patients = sorted(p.name.split("_")[0] for p in (plan.data / CROSS_VALIDATED).glob("*_image.nii.gz"))
    if not patients:
        raise InputNotFoundError(f"There is no {CROSS_VALIDATED} in the data folder.", "Name the folder that holds it.")
    parts = plan.only or (*(str(n) for n in range(plan.folds)), "final")
    test = folds(patients, plan.folds)
    for part in parts:
        held_out = () if part == "final" else tuple(_fold(test, part))
        _train_part(plan, part, held_out, progress)
    if all(_checkpoint(plan, str(n)).exists() for n in range(plan.folds)) and "final" in parts:
        summary = cross_validate(plan, test, progress)
        if plan.bundle:
            log = json.loads(_checkpoint(plan, "final").with_suffix(".json").read_text())
            write_bundle(plan.bundle, load_checkpoint(_checkpoint(plan, "final"), plan.options), log, summary)


def _fold(test: list[list[str]], part: str) -> list[str]:
    try:
        return test[int(part)]
    except (ValueError, IndexError) as error:
        raise SpineMeasureError(
            f"There is no fold '{part}'.", f"Folds are 0 to {len(test) - 1}, or 'final'."
        ) from error


def _checkpoint(plan: Plan, part: str) -> Path:
    return plan.work / f"fold_{part}.pt"


def _train_part(plan: Plan, part: str, held_out: tuple[str, ...], progress: Progress) -> None:
    sets = FINAL_SETS if part == "final" else FOLD_SETS
    progress(f"load {part}", 0.0, "")
    write_cases(plan.data / "anatomy", plan.work / "synthetic", SYNTHETIC_CASES, progress=progress)
    cases = load_cases(plan.data, list(sets), held_out) + list(synthetic(plan.work / "synthetic"))
    options = replace(plan.options, datasets={**sets, "synthetic": SYNTHETIC_SHARE}, exclude=held_out)
    train(cases, options, _checkpoint(plan, part), lambda _, fraction, text: progress(f"train {part}", fraction, text))


def load_checkpoint(path: Path, options: TrainingOptions) -> SpineNet:
    """The averaged weights of a training checkpoint, ready for inference."""
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    network = SpineNet(filters=options.filters)
    network.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k != "n_averaged"})
    return network.eval()


def cross_validate(plan: Plan, test: list[list[str]], progress: Progress = silent) -> dict[str, object]:
    """Score every patient with the fold that never saw it; tables and plots go to the work folder."""
    scores: list[CaseScore] = []
    device = torch.device(plan.options.device)
    for n, patients in enumerate(test):
        network = load_checkpoint(_checkpoint(plan, str(n)), plan.options).to(device)
        for patient in patients:
            progress("score", len(scores) / sum(map(len, test)), patient)
            scores += score_folder(plan.data / CROSS_VALIDATED, [patient], network, device)
    logs = [json.loads(_checkpoint(plan, str(n)).with_suffix(".json").read_text()) for n in range(len(test))]
    budgets: dict[str, object] = {
        "minutes_of_folds": [log["options"]["minutes"] for log in logs],
        "steps_of_folds": [log["steps"] for log in logs],
        "sets_of_folds": list(logs[0]["options"]["datasets"]),
    }
    return write_scores(scores, plan.work, "cross_validation", budgets)
