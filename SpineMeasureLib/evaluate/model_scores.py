"""Scores of a network on labelled cases: segment and name as `measure` does, then compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Tissue
from ..certainty import Certainty
from ..errors import NothingFoundError
from ..io.read import read_volume
from ..segment.inference import predict_tissue
from ..segment.naming.instances import name_structures
from ..segment.network import SpineNet
from ..segmentation import SpineSegmentation, segmentation_on
from ..volume import Volume
from .labelled_sets import LabelledCase
from .overlap import Overlap
from .scores import CaseScore, compare, compare_partly, nothing_found


def score_case(folder: Path, patient: str, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment and name ``<patient>_image.nii.gz`` of `folder`, and compare with ``<patient>_labels.nii.gz``.

    The labels are 1 vertebra, 2 disc, 3 canal.
    """
    image, labels = (read_volume(folder / f"{patient}_{what}.nii.gz") for what in ("image", "labels"))
    return compare(patient, segment_with(image, network, device), image, labels)


def score_tissues(patient: str, image: Volume, tissues: Volume, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment `image` and compare with a corrected map of `anatomy.Tissue` values."""
    table = np.zeros(len(Tissue), np.uint8)
    table[[Tissue.BODY, Tissue.POSTERIOR]] = SEMANTIC_VERTEBRA
    table[Tissue.DISC] = SEMANTIC_DISC
    table[[Tissue.CANAL, Tissue.CORD]] = SEMANTIC_CANAL
    labels = Volume(table[tissues.array], tissues.affine)
    return compare(patient, segment_with(image, network, device), image, labels)


def segment_with(image: Volume, network: SpineNet, device: torch.device) -> SpineSegmentation:
    """Segment and name `image`; the result is empty if nothing is found."""
    result = predict_tissue(image, network, device)
    try:
        named = name_structures(result.tissue, result.affine, confidence=result.probability, regions=result.region)
    except NothingFoundError:
        return nothing_found(image)
    return segmentation_on(image, replace(named, certainty=Certainty(result.probability)))


def score_partly(folder: Path, case: LabelledCase, network: SpineNet, device: torch.device) -> Overlap:
    """Score the one structure that a case of `PARTLY_LABELLED` labels; its image is in `folder`."""
    image = read_volume(folder / f"{case.patient}_image.nii.gz")
    return compare_partly(segment_with(image, network, device), case)
