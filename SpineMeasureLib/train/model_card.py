"""The text of a model card: what the model is, what it learned from, what it scored, where it is weak."""

from __future__ import annotations

from typing import Any

from ..anatomy import Region
from ..evaluate.labelled_sets import PARTLY_LABELLED
from ..evaluate.page import group_rows
from ..evaluate.scores import STRUCTURES
from ..segment.bundle import Bundle
from ..segment.preprocess import IN_PLANE_MM

INTENDED_USE = "Research; not for diagnosis."
_REGIONS = (
    f"- Regions, predicted for each body in addition: {', '.join(r.name.lower() for r in Region)}; learned from the "
    "synthetic set and from real sets with known levels."
)


_WEAKNESSES = (
    "",
    "## Where it is weak",
    "",
    "- Cervical and thoracic bones and discs were learned from synthetic images only, as no real ones were labelled; "
    "results there were inspected, not scored.",
    "- T1 and STIR were imitated by synthetic images and by real T2 images with changed contrast; no real T1 or STIR "
    "image was used.",
    "- Implants, tumours and fractures with canal compromise were not labelled in any training case.",
    "",
)


def model_card(metadata: dict[str, Any], bundle: Bundle) -> str:
    """Write the model card of a bundle from its metadata."""
    scores = metadata["eval_metrics"]
    lines = [*_model(metadata, bundle), *_cross_validated(scores)]
    if scores.get("partly_labelled"):
        lines += _partly_labelled(scores["partly_labelled"])
    if "reliability" in scores:
        lines += _reliability(scores["reliability"])
    lines += _WEAKNESSES
    if "synthetic_test" in metadata:
        lines += _synthetic(metadata["synthetic_test"])
    return "\n".join(lines)


def _model(metadata: dict[str, Any], bundle: Bundle) -> list[str]:
    """Describe the network and its training sets."""
    options = metadata["training"]["options"]
    return [
        f"# {metadata['name']} {metadata['version']}",
        "",
        f"{metadata['task']}. {metadata['intended_use']}",
        "",
        f"- Network: MONAI DynUNet, 2D, filters {options['filters']}; input: a sagittal slice, its two neighbours and "
        f"the slices about 4 mm away, at {IN_PLANE_MM} mm in plane; space-to-depth before it, depth-to-space after it.",
        f"- Classes: {', '.join(metadata['label_classes'].values())}.",
        *([_REGIONS] if _predicts_regions(metadata) else []),
        f"- Weights: {bundle.weights_path.stat().st_size} bytes, SHA-256 `{bundle.sha256}`.",
        f"- Trained for {options['minutes']:g} minutes on {options['device']} ({_threads(options['threads'])}), "
        f"{metadata['training']['steps']} steps, seed {options['seed']}.{metadata['training']['note']}",
        "",
        "## Trained on",
        "",
        "| set | patients | what, licence |",
        "|---|---|---|",
        *(f"| {s['name']} | {s['patients']} | {s['what']} |" for s in metadata["data_source"]),
        "",
        "The sacrum class was learned from a region below the lowest labelled disc, derived from the disc's position, "
        "not from an expert's mask: it anchors level names and should not be measured. Bodies and posterior elements "
        "of SPIDER are separated at the front wall of the canal. Real cord labels come from three cervical cases only.",
        "",
    ]


def _cross_validated(scores: dict[str, Any]) -> list[str]:
    """Report Dice, discs and agreement of the values."""
    lines = [
        f"## Cross-validated by patient on lumbar_t2_space ({scores['patients']} patients, real)",
        "",
        "Each patient was scored by a model that never saw it, at the image's full resolution. These models saw "
        f"{', '.join(scores['sets_of_folds'])}; minutes "
        f"{', '.join(f'{m:g}' for m in scores['minutes_of_folds'])}, steps "
        f"{', '.join(map(str, scores['steps_of_folds']))}.",
        "",
        "| Dice | mean | 95 % interval | worst patient |",
        "|---|---|---|---|",
    ]
    for name in STRUCTURES:
        s = scores[f"dice_{name}"]
        low, high = s["interval_95"]
        lines.append(f"| {name} | {s['mean']:.3f} | {low:.3f} - {high:.3f} | {s['worst']:.3f} |")
    lines += [
        "",
        f"Discs found: {scores['discs_found'][0]} of {scores['discs_found'][1]}; not in the expert's labels: "
        f"{scores['discs_extra']}. Patients with every disc found and in order: "
        f"{scores['patients_with_all_discs_in_order'][0]} of {scores['patients_with_all_discs_in_order'][1]}. "
        f"Discs with the expert's level name, taking the lowest disc in the expert's mask as L5-S1: "
        f"{scores['discs_named_as_expert'][0]} of {scores['discs_named_as_expert'][1]}.",
        "",
        "Model masks against expert masks, both measured by the same code:",
        "",
        "| quantity | n | MAE mm | bias mm | 95 % limits of agreement | ICC(A,1) |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {key} | {a['count']} | {a['mae']:.2f} | {a['bias']:+.2f} | {a['lower']:+.2f} .. {a['upper']:+.2f} "
        f"| {a['icc']:.3f} |"
        for key, a in scores.items()
        if "." in key
    ]


def _threads(count: int) -> str:
    return "all threads" if not count else "1 thread" if count == 1 else f"{count} threads"


def _predicts_regions(metadata: dict[str, Any]) -> bool:
    channels: int = metadata["network_data_format"]["outputs"]["pred"]["num_channels"]
    return channels > len(metadata["label_classes"])


def _reliability(numbers: dict[str, Any]) -> list[str]:
    return [
        "",
        "Confidence of a value: the probability that it is within 1 mm (AP depths and listhesis 2 mm) of the value "
        "measured on an expert's masks, from how sharply the model delineated the two ends of its line; fitted on "
        f"these patients. Of {numbers['values']} values, each with a calibration that never saw its patient, "
        f"{numbers['within_tolerance']:.0%} are within tolerance; Brier score {numbers['brier']:.3f} "
        f"({numbers['brier_of_mean']:.3f} without looking at the image). "
        f"{numbers['flagged']} values have a confidence below 0.5 and are flagged: their mean absolute error is "
        f"{numbers['mae_flagged_mm']} mm, that of the other values {numbers['mae_others_mm']} mm.",
    ]


def _partly_labelled(scores: dict[str, dict[str, float]]) -> list[str]:
    return [
        "",
        "Other real sets, each patient again scored by a model that never saw it (these models saw no patient of the "
        "two vertebra sets); Dice of the one structure that a set labels:",
        "",
        "| set | structure | patients | mean | worst |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {PARTLY_LABELLED[name][0]} | {s['patients']} | {s['mean']:.3f} | {s['worst']:.3f} |"
            for name, s in scores.items()
        ),
    ]


def _synthetic(test: dict[str, Any]) -> list[str]:
    """Report scores on the synthetic test set and its worst cases."""
    lines = [
        f"## Synthetic test set ({test['cases']} synthetic spines, never used in training)",
        "",
        "Not to be compared with the real scores above: images and labels come from this project's generator.",
        "",
        "| Dice | mean | 95 % interval |",
        "|---|---|---|",
    ]
    for name in STRUCTURES:
        s = test[f"{name}.dice"]
        lines.append(f"| {name} | {s['mean']:.3f} | {s['interval_95'][0]:.3f} - {s['interval_95'][1]:.3f} |")
    lines += [
        "",
        f"Discs found: {test['discs_found'][0]} of {test['discs_found'][1]}; extra: {test['discs_extra']}.",
        "",
        "| | cases | vertebra | disc | canal | discs found | named correctly if sacrum or C2 is in view |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in group_rows(test["by_group"])]
    lines += ["", "Worst synthetic case of each structure:", ""]
    for picture in test["pictures"]:
        lines += [f"![{picture['structure']}]({picture['file']})", "", picture["caption"], ""]
    return lines
