"""The trained model as a MONAI bundle: metadata, network definition, and a model card with its measured numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

from ..anatomy import Region, Tissue
from ..evaluate.page import group_rows
from ..evaluate.scores import PARTLY_LABELLED, STRUCTURES
from ..segment.bundle import DEFAULT_BUNDLE, Bundle, save_bundle
from ..segment.network import SpineNet
from ..segment.preprocess import IN_PLANE_MM

#: Versions of the bundled model, the newest last. New weights need a new one; a test knows the SHA-256 of each.
MODEL_CHANGES = {
    "0.1.0": "First model: lumbar T2.",
    "0.2.0": (
        "Sees five slices; also trained on synthetic spines of all regions and contrasts; distinguishes the region of "
        "each body; confidence calibrated on cross-validation."
    ),
}
INTENDED_USE = "Research; not for diagnosis."

#: What each training set is, with its licence as far as it is known.
SOURCES = {
    "lumbar_t2_space": (
        "Sagittal T2 SPACE slabs of patients with low back pain, vertebra/disc/canal drawn by experts; SPIDER, "
        "van der Graaf et al., Sci Data 2024; CC BY 4.0"
    ),
    "vertebrae_t2": (
        "Sagittal T2 TSE of healthy adults, vertebral bodies; redistributed under GPLv3 by the FastCleverSeg project, "
        "the original owner's terms are not known to us"
    ),
    "vertebrae_water": (
        "Water images of healthy adults, vertebral bodies; redistributed under GPLv3 by the FastCleverSeg project, "
        "the original owner's terms are not known to us"
    ),
    "cervical_t2": "Cervico-thoracic 3D T2 of healthy adults, cord; NeuroPoly 2014; MIT",
    "synthetic": (
        "Synthetic images of all regions and contrasts, labels known by construction (`train/synth`), bent from "
        "open anatomy: cervical meshes (ArtiSynth, BSD-like), sacrum (R. Remus, BSD-3), CT label map of T1-L5 (MIT)"
    ),
}


_REGIONS = (
    f"- Regions, told of bodies beside them: {', '.join(r.name.lower() for r in Region)}; learned from the synthetic "
    "set and the numbered real ones."
)


def write_bundle(folder: Path, network: SpineNet, log: dict[str, Any], summary: dict[str, Any]) -> Bundle:
    """Write configs, weights and docs/README.md (the model card).

    :param log: training log of the final model, as written beside its checkpoint; what is said there as ``note`` goes
        into the card.
    :param summary: cross-validated scores from `crossval.summarise`.
    """
    options = log["options"]
    patients = dict.fromkeys(options["datasets"], 0)
    for patient in log["cases"]:
        patients[_set_of(patient)] += 1
    tissues = [t.name.lower() for t in Tissue]
    regions = [f"{r.name.lower()} body" for r in Region]
    metadata: dict[str, object] = {
        "name": DEFAULT_BUNDLE,
        "version": list(MODEL_CHANGES)[-1],
        "changelog": MODEL_CHANGES,
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"safetensors": "0.4"},
        "task": "Segmentation of vertebrae, discs, spinal canal, cord and sacrum in spine MRI",
        "description": "2.5D network on sagittal slices; see docs/README.md.",
        "authors": "SpineMeasure developers",
        "copyright": "SpineMeasure developers, Apache-2.0",
        "data_source": [{"name": name, "patients": count, "what": SOURCES[name]} for name, count in patients.items()],
        "data_type": "MRI",
        "intended_use": INTENDED_USE,
        "label_classes": {str(n): name for n, name in enumerate(tissues)},
        "eval_metrics": {key: value for key, value in summary.items() if key != "calibration"},
        "calibration": summary.get("calibration", {}),
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "MR",
                    "num_channels": network.slices,
                    "spatial_shape": [f"{network.divisor}*n", f"{network.divisor}*n"],
                    "spacing_mm": [IN_PLANE_MM, IN_PLANE_MM],
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": {
                        "0": "slice about 4 mm to the left",
                        "1": "left neighbour",
                        "2": "slice",
                        "3": "right neighbour",
                        "4": "slice about 4 mm to the right",
                    },
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "logits; softmax over the tissues, and over the regions that follow them",
                    "num_channels": len(tissues + regions),
                    "spatial_shape": [f"{network.divisor}*n", f"{network.divisor}*n"],
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {str(n): name for n, name in enumerate(tissues + regions)},
                }
            },
        },
        "training": {
            "options": options,
            "steps": log["steps"],
            "curve": log["curve"][::20],
            "note": log.get("note", ""),
        },
    }
    bundle = save_bundle(folder, network, metadata)
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "README.md").write_text(model_card(metadata, bundle), encoding="utf-8")
    return bundle


def _set_of(patient: str) -> str:
    prefixes = {
        "spider": "lumbar_t2_space",
        "vb2": "vertebrae_t2",
        "vb3": "vertebrae_water",
        "cervical": "cervical_t2",
        "synthetic": "synthetic",
    }
    return next(name for prefix, name in prefixes.items() if patient.startswith(prefix))


def model_card(metadata: dict[str, Any], bundle: Bundle) -> str:
    """The model card: what it is, what it learned from, what it scored, where it is weak."""
    scores = metadata["eval_metrics"]
    options = metadata["training"]["options"]
    lines = [
        f"# {metadata['name']} {metadata['version']}",
        "",
        f"{metadata['task']}. {metadata['intended_use']}",
        "",
        f"- Network: MONAI DynUNet, 2D, filters {options['filters']}, on a sagittal slice with its two "
        f"neighbours and those about 4 mm away, at "
        f"{IN_PLANE_MM} mm in-plane, space-to-depth in front, depth-to-space behind.",
        f"- Classes: {', '.join(metadata['label_classes'].values())}.",
        *([_REGIONS] if _tells_regions(metadata) else []),
        f"- Weights: {bundle.weights_path.stat().st_size} bytes, SHA-256 `{bundle.sha256}`.",
        f"- Trained {options['minutes']:g} minutes on {options['device']} ({options['threads'] or 'all'} threads), "
        f"{metadata['training']['steps']} steps, seed {options['seed']}.{metadata['training']['note']}",
        "",
        "## Trained on",
        "",
        "| set | patients | what, licence |",
        "|---|---|---|",
        *(f"| {s['name']} | {s['patients']} | {s['what']} |" for s in metadata["data_source"]),
        "",
        "The sacrum class was learned from a region under the lowest labelled disc, derived from the disc's position "
        "and drawn by no expert: it anchors level names and is not to be measured. Bodies and posterior elements of "
        "SPIDER are told apart by the front wall of the canal. Real cord labels come from three cervical cases only.",
        "",
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
    for name in ("vertebra", "disc", "canal"):
        s = scores[f"dice_{name}"]
        low, high = s["interval_95"]
        lines.append(f"| {name} | {s['mean']:.3f} | {low:.3f} - {high:.3f} | {s['worst']:.3f} |")
    lines += [
        "",
        f"Discs found: {scores['discs_found'][0]} of {scores['discs_found'][1]}; not in the expert's labels: "
        f"{scores['discs_extra']}. Patients with every disc found and in order: "
        f"{scores['patients_with_all_discs_in_order'][0]} of {scores['patients_with_all_discs_in_order'][1]}. "
        f"Discs with the expert's name, where the lowest one that the expert drew counts as L5-S1: "
        f"{scores['discs_named_as_expert'][0]} of {scores['discs_named_as_expert'][1]}.",
        "",
        "Model masks against expert masks, both measured by the same code:",
        "",
        "| quantity | n | MAE mm | bias mm | 95 % limits of agreement | ICC(A,1) |",
        "|---|---|---|---|---|---|",
    ]
    for key, a in scores.items():
        if "." in key:
            lines.append(
                f"| {key} | {a['count']} | {a['mae']:.2f} | {a['bias']:+.2f} | {a['lower']:+.2f} .. {a['upper']:+.2f} "
                f"| {a['icc']:.3f} |"
            )
    if scores.get("partly_labelled"):
        lines += _partly_labelled(scores["partly_labelled"])
    if "reliability" in scores:
        lines += _reliability(scores["reliability"])
    lines += [
        "",
        "## Where it is weak",
        "",
        "- Cervical and thoracic bones and discs were learned from synthetic images alone: no real one was labelled; "
        "results there were looked at, not scored.",
        "- T1 and STIR were imitated: synthetic images, and real T2 ones with changed contrast; no real one was seen.",
        "- Implants, tumours and fractures with canal compromise were not labelled in any training case.",
        "",
        *(_synthetic(metadata["synthetic_test"]) if "synthetic_test" in metadata else ()),
    ]
    return "\n".join(lines)


def _tells_regions(metadata: dict[str, Any]) -> bool:
    channels: int = metadata["network_data_format"]["outputs"]["pred"]["num_channels"]
    return channels > len(metadata["label_classes"])


def _reliability(numbers: dict[str, Any]) -> list[str]:
    return [
        "",
        "Confidence of a value: the probability that it lies within 1 mm (AP depths and listhesis 2 mm) of the one "
        "measured on an expert's masks, from how sharply the model drew the two ends of its line; fitted on these "
        f"patients. Of {numbers['values']} values, each with a calibration that never saw its patient, "
        f"{numbers['within_tolerance']:.0%} lie within; Brier score {numbers['brier']:.3f} "
        f"({numbers['brier_of_mean']:.3f} without looking at the image). "
        f"{numbers['flagged']} have a confidence below 0.5 and are flagged: they are {numbers['mae_flagged_mm']} mm "
        f"off on average, the others {numbers['mae_others_mm']} mm.",
    ]


def _partly_labelled(scores: dict[str, dict[str, float]]) -> list[str]:
    return [
        "",
        "Other real sets, each patient again by a model that never saw it (of the two vertebra sets these models saw "
        "no patient at all); Dice of the one structure that a set labels:",
        "",
        "| set | structure | patients | mean | worst |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {PARTLY_LABELLED[name][0]} | {s['patients']} | {s['mean']:.3f} | {s['worst']:.3f} |"
            for name, s in scores.items()
        ),
    ]


def _synthetic(told: dict[str, Any]) -> list[str]:
    """Scores on the synthetic test set and its worst cases."""
    lines = [
        f"## Synthetic test set ({told['cases']} made-up spines, seen by no model)",
        "",
        "Not to be compared with the real scores above: images and labels come from the project's own generator.",
        "",
        "| Dice | mean | 95 % interval |",
        "|---|---|---|",
    ]
    for name in STRUCTURES:
        s = told[f"{name}.dice"]
        lines.append(f"| {name} | {s['mean']:.3f} | {s['interval_95'][0]:.3f} - {s['interval_95'][1]:.3f} |")
    lines += [
        "",
        f"Discs found: {told['discs_found'][0]} of {told['discs_found'][1]}; extra: {told['discs_extra']}.",
        "",
        "| | cases | vertebra | disc | canal | discs found | named right where sacrum or C2 is in view |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in group_rows(told["by_group"])]
    lines += ["", "The worst synthetic case of each structure:", ""]
    for picture in told["pictures"]:
        lines += [f"![{picture['structure']}]({picture['file']})", "", picture["caption"], ""]
    return lines
