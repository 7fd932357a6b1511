"""Write a fine-tuned model as a bundle: its parent, the cases it learned from, and scores before and after."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluate.score_tables import label
from ..evaluate.scores import COMPARED, STRUCTURES, CaseScore
from ..files import atomic_folder
from ..segment.bundle import Bundle, open_bundle, save_bundle
from ..segment.network import SpineNet
from .model_card import INTENDED_USE

#: Options of the training loop that are written into the metadata.
_REPORTED = ("minutes", "batch", "learning_rate", "weight_decay", "seed", "device", "threads")


@dataclass(frozen=True)
class Row:
    """One line of the table of before and after.

    :ivar case: name of a held-out case; empty for all together.
    """

    case: str
    measure: str
    before: str
    after: str


@dataclass(frozen=True)
class Tuning:
    """What the bundle reports about a fine-tuning.

    :ivar blend: fraction of the new weights, see `finetune.FineTuning`.
    :ivar summaries: `score_tables.summarise` before and after.
    :ivar log: as the training loop writes it beside its checkpoint.
    """

    parent: Bundle
    held_out: tuple[str, ...]
    learned_from: tuple[str, ...]
    blend: float
    rows: tuple[Row, ...]
    summaries: tuple[dict[str, object], dict[str, object]]
    log: dict[str, Any]


def comparison(before: Sequence[CaseScore], after: Sequence[CaseScore]) -> list[Row]:
    """Compare all held-out cases together, then each of them."""
    rows = _rows("", before, after)
    for old, new in zip(before, after, strict=True):
        rows += _rows(old.patient, [old], [new])
    return rows


def _rows(case: str, before: Sequence[CaseScore], after: Sequence[CaseScore]) -> list[Row]:
    cells = [_cells(scores) for scores in (before, after)]
    return [Row(case, measure, cells[0][measure], cells[1][measure]) for measure in cells[0]]


def _cells(scores: Sequence[CaseScore]) -> dict[str, str]:
    """Return the text of each measure; values are compared if the disc was found."""
    found = sum(len(s.discs.pairs) for s in scores)
    total = found + sum(len(s.discs.missed) for s in scores)
    cells = {f"Dice {name}": f"{np.mean([s.dice[name] for s in scores]):.3f}" for name in STRUCTURES}
    cells["discs found"] = f"{found} of {total}"
    cells["false discs"] = str(sum(len(s.discs.extra) for s in scores))
    for what in COMPARED:
        errors = [abs(p.model - p.expert) for s in scores for p in s.pairs if p.what == what]
        text = f"{np.mean(errors):.2f} (n {len(errors)})" if errors else "- (n 0)"
        cells[f"{label(what)}: mean absolute error, mm"] = text
    return cells


def write_tuned(target: Path, network: SpineNet, tuning: Tuning) -> Bundle:
    """Write the new bundle: configs, weights, docs/README.md (the card), docs/before_after.csv.

    Network and data format are copied from the parent.
    """
    metadata = _metadata(target.name, tuning)
    with atomic_folder(target) as folder:
        bundle = save_bundle(folder, network, metadata)
        (folder / "docs").mkdir()
        (folder / "docs" / "README.md").write_text(card(replace(bundle, folder=target), tuning), encoding="utf-8")
        with (folder / "docs" / "before_after.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["case", "measure", "before", "after"])
            writer.writerows([row.case or "all held out", row.measure, row.before, row.after] for row in tuning.rows)
    return open_bundle(target)


def _metadata(name: str, tuning: Tuning) -> dict[str, object]:
    parent = tuning.parent
    version = f"{parent.version.partition('+')[0]}+tuned.{parent.sha256[:8]}"
    sources = parent.metadata.get("data_source")
    own = {
        "name": "corrected cases",
        "cases": len(tuning.learned_from),
        "what": "cases of the user, see docs/README.md",
    }
    before, after = tuning.summaries
    return {
        **{key: value for key, value in parent.metadata.items() if key != "synthetic_test"},  # scores of other weights
        "name": _plain(name),
        "version": version,
        "changelog": {version: f"{parent.name} {parent.version} fine-tuned on {len(tuning.learned_from)} cases"},
        "data_source": [*(sources if isinstance(sources, list) else []), own],
        "fine_tuned_from": {"name": parent.name, "version": parent.version, "sha256": parent.sha256},
        "eval_metrics": {"held_out": [_plain(case) for case in tuning.held_out], "before": before, "after": after},
        "training": {
            "options": {**{key: tuning.log["options"][key] for key in _REPORTED}, "blend": tuning.blend},
            "steps": tuning.log["steps"],
            "curve": tuning.log["curve"],
        },
    }


def _plain(name: str) -> str:
    """Convert the name of a folder or file to one that a bundle may contain (`segment.definition`)."""
    return re.sub(r"[^\w.+-]", "_", name)[:100]


def card(bundle: Bundle, tuning: Tuning) -> str:
    """Write the model card of a fine-tuned bundle."""
    parent, options = tuning.parent, tuning.log["options"]
    lines = [
        f"# {bundle.name} {bundle.version}",
        "",
        f"{bundle.metadata.get('task', 'Segmentation of spine MRI')}. {INTENDED_USE}",
        "",
        f"- Fine-tuned from {parent.name} {parent.version}, SHA-256 `{parent.sha256}`; network and input are the same.",
        f"- SHA-256 of the new weights: `{bundle.sha256}`.",
        f"- {options['minutes']:g} minutes on {options['device']}, {tuning.log['steps']} steps, learning rate "
        f"{options['learning_rate']:g}, seed {options['seed']}; weights: {tuning.blend:g} new, "
        f"{1 - tuning.blend:g} from the original model.",
        f"- Trained on {len(tuning.learned_from)} corrected cases: {', '.join(tuning.learned_from)}.",
        "",
        f"## Before and after, on {len(tuning.held_out)} held-out cases",
        "",
        f"Cases of patients that the fine-tuning did not see: {', '.join(tuning.held_out)}. Scores of each case are in "
        "before_after.csv. Values are compared if the disc was found.",
        "",
        "| | before | after |",
        "|---|---|---|",
        *(f"| {row.measure} | {row.before} | {row.after} |" for row in tuning.rows if not row.case),
        "",
        "## Where it is weak",
        "",
        "- The scores of the original model do not apply to this one: it was not tested on those data again, and may "
        "have become worse on images unlike the corrected cases.",
        "- The table says nothing about images unlike the held-out cases.",
        "",
    ]
    return "\n".join(lines)
