"""``spinemeasure train segmentation``: cross-validation, the final model and its bundle, from one data folder.

All models start from one that saw synthetic cases alone (the base): no fold can have seen its patients through it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputNotFoundError, OptionError
from ..evaluate.crossval import write_scores
from ..evaluate.scores import PARTLY_LABELLED, CaseScore, score_folder, score_partly
from ..progress import Progress, part_of, silent
from ..segment.network import SpineNet
from .bundle_card import write_bundle
from .data import folds, synthetic
from .segmentation import TrainingOptions, load_cases, train
from .synth.cases import write_cases

CROSS_VALIDATED = "lumbar_t2_space"

#: Sets and sampling weights: folds train without the sets that only the final model sees.
FOLD_SETS = {"lumbar_t2_space": 0.64, "cervical_t2": 0.06}
FINAL_SETS = {"lumbar_t2_space": 0.48, "vertebrae_t2": 0.08, "vertebrae_water": 0.07, "cervical_t2": 0.07}
#: Synthetic cases made, and how often the folds and the final model see one of them.
SYNTHETIC_CASES, SYNTHETIC_SHARE = 160, 0.30
#: Peak learning rate of what starts from the base: it is to keep what that one knows.
_RATE_FROM_BASE = 1.2e-3
#: Last part of the time of folds and final model, in which nearly all cases are real and little varied; what of them is
#: synthetic even then, and the learning rate it begins with.
_FINISH, _FINISH_SYNTHETIC, _FINISH_RATE = 0.25, 0.12, 6e-4


@dataclass(frozen=True)
class Plan:
    """What one call trains.

    :ivar data: folder with the sets of `data.ADAPTERS`.
    :ivar work: checkpoints, scores and plots; a run that was stopped goes on from here.
    :ivar bundle: where the final model is written; nowhere when None.
    :ivar only: ``"base"``, fold numbers (``"0"``) or ``"final"`` to do a part; empty for all. The base comes first,
        the others can run side by side.
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
    :raises OptionError: there is no such part.
    """
    test = held_out(plan)
    if not any(fold[CROSS_VALIDATED] for fold in test):
        raise InputNotFoundError(f"There is no {CROSS_VALIDATED} in the data folder.", "Name the folder that holds it.")
    parts = plan.only or ("base", *(str(n) for n in range(plan.folds)), "final")
    for part in parts:
        whole = part in ("base", "final")
        _train_part(plan, part, () if whole else tuple(p for s in _fold(test, part).values() for p in s), progress)
    if all(_trained(plan, str(n)) for n in range(plan.folds)) and "final" in parts:
        summary = cross_validate(plan, test, progress)
        if plan.bundle:
            log, base = (_log(plan, part) for part in ("final", "base"))
            log["note"] = (
                " It and the cross-validated models went on from one that had seen the synthetic set alone for "
                f"{base['options']['minutes']:g} minutes, {base['steps']} steps; the last {_FINISH:.0%} of their time "
                "they saw hardly any synthetic cases."
            )
            write_bundle(plan.bundle, load_checkpoint(_checkpoint(plan, "final"), plan.options), log, summary)


def held_out(plan: Plan) -> list[dict[str, list[str]]]:
    """For every fold the patients of each set that it must not see, and is scored on."""
    split = []
    for name in (CROSS_VALIDATED, *PARTLY_LABELLED):
        paths = [p for kind in ("labels", "cord") for p in (plan.data / name).glob(f"*_{kind}.nii.gz")]
        split.append((name, folds([p.name.rpartition("_")[0] for p in paths], plan.folds)))
    return [{name: parts[n] for name, parts in split} for n in range(plan.folds)]


def _fold(test: list[dict[str, list[str]]], part: str) -> dict[str, list[str]]:
    if part not in map(str, range(len(test))):
        raise OptionError(f"There is no fold '{part}'.", f"Parts are 'base', 0 to {len(test) - 1} and 'final'.")
    return test[int(part)]


def _stages(plan: Plan, part: str) -> list[Path]:
    """Checkpoints of a part, one for each of its stages; the base has a single one."""
    return [plan.work / f"{stage}_{part}.pt" for stage in (("fold",) if part == "base" else ("fold", "finished"))]


def _checkpoint(plan: Plan, part: str) -> Path:
    """Checkpoint of a part's last stage: what the others start from, what is scored, what becomes the bundle."""
    return _stages(plan, part)[-1]


def _trained(plan: Plan, part: str) -> bool:
    """Whether its time was up: the log is written last."""
    return _checkpoint(plan, part).with_suffix(".json").exists()


def _log(plan: Plan, part: str) -> dict[str, Any]:
    """The log of a part's first stage, with the time and the steps of all."""
    logs = [json.loads(path.with_suffix(".json").read_text()) for path in _stages(plan, part)]
    options = {**logs[0]["options"], "minutes": sum(log["options"]["minutes"] for log in logs)}
    return {**logs[0], "options": options, "steps": sum(log["steps"] for log in logs)}


def _train_part(plan: Plan, part: str, unseen: tuple[str, ...], progress: Progress) -> None:
    progress(f"load {part}", 0.0, "")
    write_cases(plan.data / "anatomy", plan.work / "synthetic", SYNTHETIC_CASES, progress=progress)
    cases = list(synthetic(plan.work / "synthetic"))

    told = f"train {part}"
    if part == "base":
        options = replace(plan.options, datasets={"synthetic": 1.0}, final_augmentation=plan.options.augmentation)
        train(cases, options, _checkpoint(plan, part), part_of(progress, 0, 1, told))
        return
    if not _trained(plan, "base"):
        raise InputNotFoundError("The base that all parts start from is not there.", "Train it first: --only base.")
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
    network = train(cases, first, begun, part_of(progress, 0, 1 - _FINISH, told), base)
    train(cases, last, finished, part_of(progress, 1 - _FINISH, 1, told), network)


def _shares(sets: dict[str, float], made_up: float) -> dict[str, float]:
    """How often each set is drawn where a part of all that is seen is synthetic."""
    real = sum(sets.values())
    return {**{name: (1 - made_up) * share / real for name, share in sets.items()}, "synthetic": made_up}


def load_checkpoint(path: Path, options: TrainingOptions) -> SpineNet:
    """The averaged weights of a training checkpoint, ready for inference."""
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    network = SpineNet(filters=options.filters)
    network.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k != "n_averaged"})
    return network.eval()


def cross_validate(plan: Plan, test: list[dict[str, list[str]]], progress: Progress = silent) -> dict[str, object]:
    """Score every patient with the fold that never saw it; tables and plots go to the work folder."""
    scores: list[CaseScore] = []
    partly: dict[str, list[float]] = {name: [] for name in PARTLY_LABELLED}
    partly_labelled = load_cases(plan.data, list(PARTLY_LABELLED))
    device = torch.device(plan.options.device)
    for n, patients in enumerate(test):
        network = load_checkpoint(_checkpoint(plan, str(n)), plan.options).to(device)
        for patient in patients[CROSS_VALIDATED]:
            progress("score", n / len(test), patient)
            scores += score_folder(plan.data / CROSS_VALIDATED, [patient], network, device)
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
