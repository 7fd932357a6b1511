"""``spinemeasure train segmentation``: train a base, the folds of a cross-validation and the final model.

The base sees synthetic cases only. All other models start from it, so no fold can have seen its patients through it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputNotFoundError, OptionError
from ..evaluate.labelled_sets import PARTLY_LABELLED, folds, synthetic
from ..evaluate.model_scores import score_case, score_partly
from ..evaluate.score_tables import write_scores
from ..evaluate.scores import CaseScore
from ..progress import Progress, part_of, silent
from ..segment.network import SpineNet
from .loop import TrainingOptions, load_cases, train
from .model_bundle import write_bundle
from .synth.cases import write_cases

CROSS_VALIDATED = "lumbar_t2_space"

#: Sets and sampling weights; some sets are seen by the final model only.
FOLD_SETS = {"lumbar_t2_space": 0.64, "cervical_t2": 0.06}
FINAL_SETS = {"lumbar_t2_space": 0.48, "vertebrae_t2": 0.08, "vertebrae_water": 0.07, "cervical_t2": 0.07}
#: Number of synthetic cases, and how often the folds and the final model see one of them.
SYNTHETIC_CASES, SYNTHETIC_SHARE = 160, 0.30
#: Peak learning rate of models that start from the base: low enough to keep what it learned.
_RATE_FROM_BASE = 1.2e-3
#: In the last part of the time of folds and final model nearly all cases are real and little augmented: that part, the
#: share that is synthetic even then, and the learning rate at its start.
_FINISH, _FINISH_SYNTHETIC, _FINISH_RATE = 0.25, 0.12, 6e-4


@dataclass(frozen=True)
class Plan:
    """What one call trains.

    :ivar data: folder with the sets of `labelled_sets.ADAPTERS`.
    :ivar work: checkpoints, scores and plots; an interrupted run resumes from here.
    :ivar bundle: folder of the final model; not written if None.
    :ivar only: ``"base"``, fold numbers (``"0"``) or ``"final"`` to train a part; empty for all. The base comes first,
        the others can run in parallel.
    """

    data: Path
    work: Path
    bundle: Path | None = None
    folds: int = 3
    only: tuple[str, ...] = ()
    options: TrainingOptions = TrainingOptions()


def run(plan: Plan, progress: Progress = silent) -> None:
    """Train what `plan` names; score and write the bundle as soon as all parts exist.

    :raises InputNotFoundError: the data folder contains no case of the cross-validated set.
    :raises OptionError: a part does not exist.
    """
    test = held_out(plan)
    if not any(fold[CROSS_VALIDATED] for fold in test):
        raise InputNotFoundError(
            f"There is no {CROSS_VALIDATED} in the data folder.", "Specify the folder that contains it."
        )
    parts = plan.only or ("base", *(str(n) for n in range(plan.folds)), "final")
    for part in parts:
        whole = part in ("base", "final")
        _train_part(plan, part, () if whole else tuple(p for s in _fold(test, part).values() for p in s), progress)
    if all(_trained(plan, str(n)) for n in range(plan.folds)) and "final" in parts:
        summary = cross_validate(plan, test, progress)
        if plan.bundle:
            log, base = (_log(plan, part) for part in ("final", "base"))
            log["note"] = (
                " It and the cross-validated models started from a model trained on the synthetic set only, for "
                f"{base['options']['minutes']:g} minutes, {base['steps']} steps; in the last {_FINISH:.0%} of their "
                "time they saw hardly any synthetic cases."
            )
            write_bundle(plan.bundle, load_checkpoint(_checkpoint(plan, "final"), plan.options), log, summary)


def held_out(plan: Plan) -> list[dict[str, list[str]]]:
    """Return for every fold the patients of each set that it must not see and is scored on."""
    split = []
    for name in (CROSS_VALIDATED, *PARTLY_LABELLED):
        paths = [p for kind in ("labels", "cord") for p in (plan.data / name).glob(f"*_{kind}.nii.gz")]
        split.append((name, folds([p.name.rpartition("_")[0] for p in paths], plan.folds)))
    return [{name: parts[n] for name, parts in split} for n in range(plan.folds)]


def _fold(test: list[dict[str, list[str]]], part: str) -> dict[str, list[str]]:
    if part not in map(str, range(len(test))):
        raise OptionError(f"There is no fold '{part}'.", f"The parts are 'base', 0 to {len(test) - 1} and 'final'.")
    return test[int(part)]


def _stages(plan: Plan, part: str) -> list[Path]:
    """Return the checkpoints of a part, one for each of its stages; the base has one stage."""
    return [plan.work / f"{stage}_{part}.pt" for stage in (("fold",) if part == "base" else ("fold", "finished"))]


def _checkpoint(plan: Plan, part: str) -> Path:
    """Return the checkpoint of a part's last stage: start of the other parts, scored, or written as the bundle."""
    return _stages(plan, part)[-1]


def _trained(plan: Plan, part: str) -> bool:
    """Return whether a part is complete: the log is written last."""
    return _checkpoint(plan, part).with_suffix(".json").exists()


def _log(plan: Plan, part: str) -> dict[str, Any]:
    """Return the log of a part's first stage, with the time and the steps of all stages."""
    logs = [json.loads(path.with_suffix(".json").read_text()) for path in _stages(plan, part)]
    options = {**logs[0]["options"], "minutes": sum(log["options"]["minutes"] for log in logs)}
    return {**logs[0], "options": options, "steps": sum(log["steps"] for log in logs)}


def _train_part(plan: Plan, part: str, unseen: tuple[str, ...], progress: Progress) -> None:
    progress(f"load {part}", 0.0, "")
    write_cases(plan.data / "anatomy", plan.work / "synthetic", SYNTHETIC_CASES, progress=progress)
    cases = list(synthetic(plan.work / "synthetic"))

    stage = f"train {part}"
    if part == "base":
        options = replace(plan.options, datasets={"synthetic": 1.0}, final_augmentation=plan.options.augmentation)
        train(cases, options, _checkpoint(plan, part), part_of(progress, 0, 1, stage))
        return
    if not _trained(plan, "base"):
        raise InputNotFoundError(
            "The base that all parts start from does not exist yet.", "Train it first: --only base."
        )
    sets = FINAL_SETS if part == "final" else FOLD_SETS
    cases += load_cases(plan.data, list(sets), unseen)
    first = replace(
        plan.options,
        datasets=_shares(sets, SYNTHETIC_SHARE),
        exclude=unseen,
        learning_rate=_RATE_FROM_BASE,
        minutes=(1 - _FINISH) * plan.options.minutes,
    )
    last = replace(
        first,
        datasets=_shares(sets, _FINISH_SYNTHETIC),
        learning_rate=_FINISH_RATE,
        light_from=0.0,
        minutes=_FINISH * plan.options.minutes,
    )
    base = load_checkpoint(_checkpoint(plan, "base"), plan.options)
    begun, finished = _stages(plan, part)
    network = train(cases, first, begun, part_of(progress, 0, 1 - _FINISH, stage), base)
    train(cases, last, finished, part_of(progress, 1 - _FINISH, 1, stage), network)


def _shares(sets: dict[str, float], synthetic_share: float) -> dict[str, float]:
    """Return how often each set is sampled if `synthetic_share` of all samples are synthetic."""
    real = sum(sets.values())
    return {
        **{name: (1 - synthetic_share) * share / real for name, share in sets.items()},
        "synthetic": synthetic_share,
    }


def load_checkpoint(path: Path, options: TrainingOptions) -> SpineNet:
    """Load the averaged weights of a training checkpoint, ready for inference."""
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    network = SpineNet(filters=options.filters)
    network.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k != "n_averaged"})
    return network.eval()


def cross_validate(plan: Plan, test: list[dict[str, list[str]]], progress: Progress = silent) -> dict[str, object]:
    """Score every patient with the fold that never saw it; write tables and plots to the work folder."""
    scores: list[CaseScore] = []
    partly: dict[str, list[float]] = {name: [] for name in PARTLY_LABELLED}
    partly_labelled = load_cases(plan.data, list(PARTLY_LABELLED))
    device = torch.device(plan.options.device)
    for n, patients in enumerate(test):
        network = load_checkpoint(_checkpoint(plan, str(n)), plan.options).to(device)
        for patient in patients[CROSS_VALIDATED]:
            progress("score", n / len(test), patient)
            scores.append(score_case(plan.data / CROSS_VALIDATED, patient, network, device))
        for case in partly_labelled:
            if case.patient in patients[case.dataset]:
                progress("score", (n + 0.7) / len(test), case.patient)
                partly[case.dataset].append(score_partly(plan.data / case.dataset, case, network, device).dice)
    logs = [_log(plan, str(n)) for n in range(len(test))]
    budgets: dict[str, object] = {
        "minutes_of_folds": [log["options"]["minutes"] for log in logs],
        "steps_of_folds": [log["steps"] for log in logs],
        "sets_of_folds": list(logs[0]["options"]["datasets"]),
        "partly_labelled": {
            name: {"patients": len(found), "mean": round(float(np.mean(found)), 4), "worst": round(min(found), 4)}
            for name, found in partly.items()
            if found
        },
    }
    summary = {**write_scores(scores, plan.work, "cross_validation"), **budgets}
    (plan.work / "cross_validation_summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary
