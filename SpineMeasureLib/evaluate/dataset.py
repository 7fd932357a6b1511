"""``spinemeasure evaluate``: compare a model, or existing segmentations, with the expert masks of a dataset."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..anatomy import SACRUM_VALUE, vertebra_value
from ..case_folder import LABELS, is_case_folder, require_finished, require_unedited
from ..errors import InputNotFoundError, NothingFoundError, SpineMeasureError
from ..files import atomic_folder, json_object, require_place
from ..grid import on_grid_of
from ..io.read import read_volume
from ..orientation import slice_order
from ..progress import Progress, silent
from ..segment import segment_volume
from ..segment.labels.by_value import segmentation_from_labels
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .agreement import bootstrap_interval
from .labelled_sets import ADAPTERS, PARTLY_LABELLED, LabelledCase
from .overlap import MEASURES
from .page import write_page, write_worst
from .score_tables import write_scores
from .scores import STRUCTURES, EvaluatedCase, compare, compare_partly, nothing_found

#: A smaller piece of sacrum, a rim at the border of the image, does not anchor level names.
_SACRUM_IN_VIEW_MM3 = 5000.0
Predict = Callable[[str, Volume], SpineSegmentation]


def evaluate(
    prediction: Path, dataset: Path, out: Path, device: str = "auto", progress: Progress = silent
) -> dict[str, object]:
    """Evaluate `prediction` on every case of `dataset`; write tables, plots and a page with pictures to `out`.

    A case in which `prediction` finds nothing counts with Dice 0. The message of any other error starts with the case.

    :param prediction: a model bundle, or a folder with ``<case>.nii.gz`` or ``<case>/labels.nii.gz`` for every case.
    :param dataset: folder with ``<case>_image.nii.gz`` and ``<case>_labels.nii.gz`` (1 vertebra, 2 disc, 3 canal, or
        values of `anatomy`), or one of the training sets that label less. Cases with a ``<case>_about.json`` (see
        `train.synth.cases.write_cases`) are also reported by region and contrast.
    :return: the summary that is also written as ``summary.json``.
    :raises InputNotFoundError: a case, or the segmentation of a case, is missing.
    :raises GeometryMismatchError: labels or segmentation of a case are not on the voxels of its image.
    :raises OutputError: `out` cannot be written.
    """
    require_place(out, ("evaluation.csv", "overlaps.csv", "summary.json"))
    predict, about = _predictor(prediction, device)
    cases = _cases(dataset)
    partial = {c.patient: c for c in ADAPTERS[dataset.name](dataset.parent)} if dataset.name in PARTLY_LABELLED else {}
    done: list[EvaluatedCase] = []
    for name, image_path, labels_path in cases:
        progress("evaluate", len(done) / len(cases), name)
        described = dataset / f"{name}_about.json"
        description = (json_object(described) if described.exists() else None) or {}
        try:
            done.append(_evaluate_case(name, image_path, labels_path, predict, partial.get(name), description))
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
            f"{dataset} does not contain a case.", "A case is <name>_image.nii.gz with <name>_labels.nii.gz beside it."
        )
    return found


def _predictor(prediction: Path, device: str) -> tuple[Predict, dict[str, object]]:
    if (prediction / "configs").is_dir():
        from ..segment.bundle import open_bundle

        bundle = open_bundle(prediction)
        about: dict[str, object] = {"model": bundle.name, "model_version": bundle.version, "sha256": bundle.sha256}
        return lambda name, image: segment_volume(image, bundle=prediction, device=device), about
    if not prediction.is_dir():
        raise InputNotFoundError(
            f"There is no folder {prediction}.", "Specify a model bundle or a folder of label maps."
        )

    def read(name: str, image: Volume) -> SpineSegmentation:
        for path in (prediction / name / "labels.nii.gz", prediction / f"{name}.nii.gz"):
            if path.exists():
                if is_case_folder(path.parent):
                    require_finished(path.parent, (LABELS,))
                    require_unedited(path.parent)
                return segmentation_from_labels(on_grid_of(image, read_volume(path)))
        raise InputNotFoundError(
            f"{prediction} contains no labels for this case.", f"Save them there as {name}.nii.gz."
        )

    return read, {"segmentations": prediction.name}


def _evaluate_case(
    name: str,
    image_path: Path,
    labels_path: Path,
    predict: Predict,
    partial: LabelledCase | None,
    about: dict[str, object],
) -> EvaluatedCase:
    image = read_volume(image_path)
    labels = on_grid_of(image, read_volume(labels_path))
    try:
        predicted = predict(name, image)
    except NothingFoundError:
        predicted = nothing_found(image)
    if partial is None:
        score = compare(name, predicted, image, labels)
        return EvaluatedCase(name, image, predicted, labels, score.overlaps, score, about)
    overlaps = {PARTLY_LABELLED[partial.dataset][0]: compare_partly(predicted, partial)}
    return EvaluatedCase(name, image, predicted, labels, overlaps, None, about)


def _by_group(done: Sequence[EvaluatedCase]) -> dict[str, object]:
    """Return Dice, discs and names by region, contrast and number of vertebrae, for the cases that state theirs.

    Names count if the sacrum or C2 is in view: otherwise they cannot be known, and with an unusual number of vertebrae
    often not even then. A disc is named after the vertebra above it.
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
    """Return whether enough of the sacrum is in view, or a C2 that the upper border does not cut."""
    if np.count_nonzero(labels.array == SACRUM_VALUE) * np.prod(labels.spacing) > _SACRUM_IN_VIEW_MM3:
        return True
    second = slice_order(labels.array == vertebra_value("C2"), labels.affine)  # rows run upward
    return bool(second.any() and not second[:, -1].any())


def _overlap_summary(done: Sequence[EvaluatedCase]) -> dict[str, object]:
    """Return the means over cases with 95 % bootstrap intervals, per structure and measure."""
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


def _write_overlaps(done: Sequence[EvaluatedCase], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "structure", *MEASURES])
        for case in done:
            for structure, found in case.overlaps.items():
                writer.writerow([case.name, structure, *(f"{v:.4f}" for v in found.row().values())])
