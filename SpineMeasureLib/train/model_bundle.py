"""Write the trained model as a MONAI bundle: metadata, network definition, weights and model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

from ..anatomy import Region, Tissue
from ..segment.bundle import DEFAULT_BUNDLE, Bundle, save_bundle
from ..segment.network import SpineNet
from ..segment.preprocess import IN_PLANE_MM
from .model_card import INTENDED_USE, model_card

#: Versions of the bundled model, the newest last. New weights need a new version; a test holds the SHA-256 of each.
MODEL_CHANGES = {
    "0.1.0": "First model: lumbar T2.",
    "0.2.0": (
        "Sees five slices; also trained on synthetic spines of all regions and contrasts; distinguishes the region of "
        "each body; confidence calibrated on cross-validation."
    ),
}

#: Description of each training set, with its licence as far as it is known.
SOURCES = {
    "lumbar_t2_space": (
        "Sagittal T2 SPACE slabs of patients with low back pain, vertebra/disc/canal segmented by experts; SPIDER, "
        "van der Graaf et al., Sci Data 2024; CC BY 4.0"
    ),
    "vertebrae_t2": (
        "Sagittal T2 TSE of healthy adults, vertebral bodies; redistributed under GPLv3 by the FastCleverSeg project, "
        "the original owner's terms are unknown"
    ),
    "vertebrae_water": (
        "Water images of healthy adults, vertebral bodies; redistributed under GPLv3 by the FastCleverSeg project, "
        "the original owner's terms are unknown"
    ),
    "cervical_t2": "Cervico-thoracic 3D T2 of healthy adults, cord; NeuroPoly 2014; MIT",
    "synthetic": (
        "Synthetic images of all regions and contrasts, labels known by construction (`train/synth`), deformed from "
        "open anatomy: cervical meshes (ArtiSynth, BSD-like), sacrum (R. Remus, BSD-3), CT label map of T1-L5 (MIT)"
    ),
}


def write_bundle(folder: Path, network: SpineNet, log: dict[str, Any], summary: dict[str, Any]) -> Bundle:
    """Write configs, weights and docs/README.md (the model card).

    :param log: training log of the final model, as written beside its checkpoint; its ``note`` goes into the card.
    :param summary: cross-validated scores from `score_tables.summarise`.
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
        "network_data_format": _data_format(network, tissues + regions),
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


def _data_format(network: SpineNet, outputs: list[str]) -> dict[str, object]:
    """Describe input and output of the network as MONAI's metadata schema asks."""
    slices = (
        "slice about 4 mm to the left",
        "left neighbour",
        "slice",
        "right neighbour",
        "slice about 4 mm to the right",
    )
    common = {"spatial_shape": [f"{network.divisor}*n"] * 2, "dtype": "float32", "is_patch_data": False}
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": network.slices,
        "spacing_mm": [IN_PLANE_MM, IN_PLANE_MM],
        "value_range": [0, 1],
        "channel_def": {str(n): name for n, name in enumerate(slices)},
    }
    pred = {
        "type": "probabilities",
        "format": "logits; softmax over the tissues, and over the regions that follow them",
        "num_channels": len(outputs),
        "value_range": [],
        "channel_def": {str(n): name for n, name in enumerate(outputs)},
    }
    return {"inputs": {"image": common | image}, "outputs": {"pred": common | pred}}


def _set_of(patient: str) -> str:
    prefixes = {
        "spider": "lumbar_t2_space",
        "vb2": "vertebrae_t2",
        "vb3": "vertebrae_water",
        "cervical": "cervical_t2",
        "synthetic": "synthetic",
    }
    return next(name for prefix, name in prefixes.items() if patient.startswith(prefix))
