"""Add scores and pictures of a synthetic test set to a model card. Pictures of patients are never added."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..errors import InputNotFoundError, SpineMeasureError
from ..evaluate.scores import STRUCTURES
from ..files import json_object
from ..segment.bundle import open_bundle, write_metadata
from .model_card import model_card

#: The worst case of each structure is shown.
_PICTURES = tuple(f"worst_{structure}_1.jpg" for structure in STRUCTURES)
_COPIED = ("cases", *(f"{structure}.dice" for structure in STRUCTURES), "discs_found", "discs_extra", "by_group")


def add_synthetic_scores(bundle_folder: Path, evaluation: Path) -> Path:
    """Write the scores of `evaluate.dataset.evaluate` on synthetic cases to metadata.json, docs/ and the card.

    :param evaluation: output folder of that evaluation.
    :return: path of the card.
    :raises InputNotFoundError: there is no evaluation.
    :raises SpineMeasureError: it evaluates another model, or cases that are not marked as synthetic.
    """
    summary = json_object(evaluation / "summary.json") if (evaluation / "summary.json").exists() else None
    if summary is None:
        raise InputNotFoundError(
            f"{evaluation} does not contain an evaluation.", "Specify an output folder of 'spinemeasure evaluate'."
        )
    bundle = open_bundle(bundle_folder)
    if summary.get("sha256") != bundle.sha256:
        raise SpineMeasureError("This is the evaluation of another model.", "Evaluate this bundle.")
    if "by_group" not in summary:
        raise SpineMeasureError(
            "Only synthetic cases may be shown on a model card.", "Evaluate on the synthetic test set."
        )
    scores: dict[str, Any] = {key: summary[key] for key in _COPIED}
    scores["pictures"] = [worst for worst in summary["worst"] if worst["file"] in _PICTURES]
    for picture in scores["pictures"]:
        shutil.copyfile(evaluation / picture["file"], bundle_folder / "docs" / picture["file"])
    metadata = {**bundle.metadata, "synthetic_test": scores}
    write_metadata(bundle_folder, metadata)
    card = bundle_folder / "docs" / "README.md"
    card.write_text(model_card(metadata, bundle), encoding="utf-8")
    return card
