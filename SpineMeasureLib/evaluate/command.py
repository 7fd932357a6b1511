"""``spinemeasure evaluate``: a model, or segmentations that are there already, judged against expert masks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..anatomy import SACRUM_VALUE, vertebra_value
from ..case_folder import LABELS, is_case_folder, require_finished, require_unedited
from ..errors import InputNotFoundError, NothingFoundError, SpineMeasureError
from ..files import atomic_folder, json_object, require_place
from ..grid import on_grid_of
from ..io.read import read_volume
from ..orientation import slice_order
from ..progress import Progress, silent
from ..segment import segment_volume
from ..segment.existing import segmentation_from_labels
from ..segmentation import SpineSegmentation
from ..train.data import ADAPTERS, TrainingCase
from ..volume import Volume
from .agreement import bootstrap_interval
from .crossval import write_scores
from .overlap import MEASURES, Overlap
from .page import write_page, write_worst
from .scores import (
    PARTLY_LABELLED,
    STRUCTURES,
    CaseScore,
    compare,
    compare_partly,
    nothing_found,
    of_kinds,
    reference_mask,
)

#: Less of a sacrum than this, a rim at the border, anchors no names.
_SACRUM_IN_VIEW_MM3 = 5000.0
Predict = Callable[[str, Volume], SpineSegmentation]


@dataclass(frozen=True)
class Evaluated:
    """One case of a dataset.

    :ivar score: None for a set that labels too little to compare discs and values.
    :ivar about: what ``<case>_about.json`` says of it; empty where there is none.
    """

    name: str
    image: Volume
    predicted: SpineSegmentation
    labels: Volume
    overlaps: dict[str, Overlap]
    score: CaseScore | None
    about: dict[str, object]

    def masks(self, structure: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Bool arrays[i,j,k] of a structure: as predicted, as labelled."""
        if structure not in STRUCTURES:
            kind = next(entry[1] for entry in PARTLY_LABELLED.values() if entry[0] == structure)
            return of_kinds(self.predicted, kind), self.labels.array > 0
        return of_kinds(self.predicted, *STRUCTURES[structure][1]), reference_mask(self.labels, structure)


def evaluate(
    prediction: Path, dataset: Path, out: Path, device: str = "auto", progress: Progress = silent
) -> dict[str, object]:
    """Judge `prediction` on every case of `dataset`; tables, plots and a page with pictures go to `out`.

    A case in which `prediction` finds nothing counts with Dice 0. Other errors begin with the name of their case.

    :param prediction: a model bundle, or a folder with ``<case>.nii.gz`` or ``<case>/labels.nii.gz`` for every case.
    :param dataset: folder with ``<case>_image.nii.gz`` and ``<case>_labels.nii.gz`` (1 vertebra, 2 disc, 3 canal, or
        values of `anatomy`), or one of the training sets that label less. Cases with a ``<case>_about.json`` (see
        `synth.cases.write_cases`) are also told apart by region and contrast.
    :return: the summary that is also written as ``summary.json``.
    :raises InputNotFoundError: a case, or the segmentation of a case, is missing.
    :raises GeometryMismatchError: labels or segmentation of a case do not lie on the voxels of its image.
    :raises OutputError: `out` cannot be written.
    """
    require_place(out, ("evaluation.csv", "overlaps.csv", "summary.json"))
    predict, about = _predictor(prediction, device)
    cases = _cases(dataset)
    partial = {c.patient: c for c in ADAPTERS[dataset.name](dataset.parent)} if dataset.name in PARTLY_LABELLED else {}
    done: list[Evaluated] = []
    for name, image_path, labels_path in cases:
        progress("evaluate", len(done) / len(cases), name)
        about_case = dataset / f"{name}_about.json"
        told = (json_object(about_case) if about_case.exists() else None) or {}
        try:
            done.append(_judge(name, image_path, labels_path, predict, partial.get(name), told))
        except SpineMeasureError as error:
            raise type(error)(f"{name}: {error.message}", error.hint) from error
    with atomic_folder(out) as folder:
        summary: dict[str, object] = {**about, "dataset": dataset.name, "cases": len(done), **_overlap_summary(done)}
        if empty := [case.name for case in done if not case.predicted.structures]:
            summary["nothing_found"] = empty
        scores = [case.score for case in done if case.score]
        if scores:
            summary |= {**write_scores(scores, folder, "evaluation"), **_by_group(done)}
        _write_overlaps(done, folder / "overlaps.csv")
        summary["worst"] = write_worst(done, folder)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
        write_page(done, summary, folder)
    return summary


def _cases(dataset: Path) -> list[tuple[str, Path, Path]]:
    found = []
    for image in sorted(dataset.glob("*_image.nii.gz")):
        name = image.name.removesuffix("_image.nii.gz")
        labels = next((p for kind in ("labels", "cord") if (p := dataset / f"{name}_{kind}.nii.gz").exists()), None)
        if labels:
            found.append((name, image, labels))
    if not found:
        raise InputNotFoundError(
            f"{dataset} holds no case.", "A case is <name>_image.nii.gz with <name>_labels.nii.gz beside it."
        )
    return found


def _predictor(prediction: Path, device: str) -> tuple[Predict, dict[str, object]]:
    if (prediction / "configs").is_dir():
        from ..segment.bundle import open_bundle

        bundle = open_bundle(prediction)
        about: dict[str, object] = {"model": bundle.name, "model_version": bundle.version, "sha256": bundle.sha256}
        return lambda name, image: segment_volume(image, bundle=prediction, device=device), about
    if not prediction.is_dir():
        raise InputNotFoundError(f"There is no folder {prediction}.", "Name a model bundle or a folder of label maps.")

    def read(name: str, image: Volume) -> SpineSegmentation:
        for path in (prediction / name / "labels.nii.gz", prediction / f"{name}.nii.gz"):
            if path.exists():
                if is_case_folder(path.parent):
                    require_finished(path.parent, (LABELS,))
                    require_unedited(path.parent)
                return segmentation_from_labels(on_grid_of(image, read_volume(path)))
        raise InputNotFoundError(f"{prediction} holds no labels of it.", f"Put them there as {name}.nii.gz.")

    return read, {"segmentations": prediction.name}


def _judge(
    name: str,
    image_path: Path,
    labels_path: Path,
    predict: Predict,
    partial: TrainingCase | None,
    about: dict[str, object],
) -> Evaluated:
    image = read_volume(image_path)
    labels = on_grid_of(image, read_volume(labels_path))
    try:
        predicted = predict(name, image)
    except NothingFoundError:
        predicted = nothing_found(image)
    if partial is None:
        score = compare(name, predicted, labels)
        return Evaluated(name, image, predicted, labels, score.overlaps, score, about)
    overlaps = {PARTLY_LABELLED[partial.dataset][0]: compare_partly(predicted, partial)}
    return Evaluated(name, image, predicted, labels, overlaps, None, about)


def _by_group(done: Sequence[Evaluated]) -> dict[str, object]:
    """Dice, discs and names by region, contrast and count of vertebrae, where the cases tell theirs.

    Names count where the sacrum or C2 is in view: elsewhere they cannot be known, and with an unusual count often not
    even there. A disc is named by the vertebra above it.
    """
    groups: dict[str, object] = {}
    with_anchor = {case.name for case in done if case.about and _anchor_in_view(case.labels)}
    for what in ("region", "contrast", "vertebrae"):
        for value in sorted({str(case.about[what]) for case in done if what in case.about}):
            cases = [c for c in done if c.about.get(what) == value and c.score]
            scores = [c.score for c in cases if c.score]
            anchored = [c.score for c in cases if c.score and c.name in with_anchor]
            pairs = [pair for score in anchored for pair in score.discs.pairs]
            groups[f"{what} {value}"] = {
                "cases": len(scores),
                **{f"dice_{s}": round(float(np.mean([x.dice[s] for x in scores])), 3) for s in STRUCTURES},
                "discs_found": [
                    sum(len(x.discs.pairs) for x in scores),
                    sum(len(x.discs.pairs) + len(x.discs.missed) for x in scores),
                ],
                "discs_extra": sum(len(x.discs.extra) for x in scores),
                "named_right_where_anchored": [sum(a.value == b.value for a, b in pairs), len(pairs)],
            }
    return {"by_group": groups} if groups else {}


def _anchor_in_view(labels: Volume) -> bool:
    """Enough of the sacrum, or a C2 that the upper border does not cut."""
    if np.count_nonzero(labels.array == SACRUM_VALUE) * np.prod(labels.spacing) > _SACRUM_IN_VIEW_MM3:
        return True
    second = slice_order(labels.array == vertebra_value("C2"), labels.affine)  # rows run upward
    return bool(second.any() and not second[:, -1].any())


def _overlap_summary(done: Sequence[Evaluated]) -> dict[str, object]:
    """Means over cases with 95 % bootstrap intervals, per structure and measure."""
    summary: dict[str, object] = {}
    for structure in done[0].overlaps:
        for measure in MEASURES:
            values = [v for case in done if np.isfinite(v := getattr(case.overlaps[structure], measure))]
            if values:
                low, high = bootstrap_interval(values)
                summary[f"{structure}.{measure}"] = {
                    "mean": round(float(np.mean(values)), 4),
                    "interval_95": [round(low, 4), round(high, 4)],
                    "cases": len(values),
                }
    return summary


def _write_overlaps(done: Sequence[Evaluated], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "structure", *MEASURES])
        for case in done:
            for structure, found in case.overlaps.items():
                writer.writerow([case.name, structure, *(f"{v:.4f}" for v in found.row().values())])
