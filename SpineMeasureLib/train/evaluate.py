"""Judging a model on cases it never saw: masks against expert masks, and numbers measured on both by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Tissue
from ..errors import NothingFoundError
from ..measure import measure
from ..measure.types import Measurement
from ..segment.existing import segmentation_from_labels
from ..segment.inference import TissueMap, predict_tissue
from ..segment.instances import name_structures
from ..segment.network import SpineNet
from ..segmentation import SpineSegmentation
from ..volume import Volume, read_volume
from .agreement import DiscMatch, dice, match_discs

#: What is compared between the two sets of masks: quantity, method.
COMPARED = (
    ("disc_height_anterior", "chord10"),
    ("disc_height_middle", "chord50"),
    ("disc_height_posterior", "chord90"),
    ("disc_depth", "depth50"),
    ("canal_ap", "disc_level"),
)


@dataclass(frozen=True)
class CaseScore:
    """Scores of one patient.

    :ivar dice: structure -> Dice over the whole image.
    :ivar pairs: (level, quantity, predicted value, expert value) of every value that both masks gave.
    """

    patient: str
    dice: dict[str, float]
    discs: DiscMatch
    pairs: tuple[tuple[str, str, float, float], ...]


def score_case(patient: str, image: Volume, labels: Volume, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment `image` and compare with expert `labels` (1 vertebra, 2 disc, 3 canal)."""
    expert = {
        "vertebra": labels.array == SEMANTIC_VERTEBRA,
        "disc": labels.array == SEMANTIC_DISC,
        "canal": labels.array == SEMANTIC_CANAL,
    }
    return _score(patient, expert, segmentation_from_labels(labels), predict_tissue(image, network, device), image)


def score_tissues(patient: str, image: Volume, tissues: Volume, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment `image` and compare with a corrected map of `anatomy.Tissue` values."""
    reference = name_structures(tissues.array, tissues.affine)
    return _score(patient, _wholes(tissues.array), reference, predict_tissue(image, network, device), image)


def _wholes(tissue: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    return {
        "vertebra": np.isin(tissue, (Tissue.BODY, Tissue.POSTERIOR)),
        "disc": tissue == Tissue.DISC,
        "canal": np.isin(tissue, (Tissue.CANAL, Tissue.CORD)),
    }


def _score(
    patient: str,
    expert: dict[str, NDArray[np.bool_]],
    reference: SpineSegmentation,
    result: TissueMap,
    image: Volume,
) -> CaseScore:
    found = _wholes(result.tissue)
    overlap = {name: dice(found[name], mask) for name, mask in expert.items()}
    try:
        predicted = name_structures(result.tissue, image.affine, confidence=result.probability)
    except NothingFoundError:
        predicted = SpineSegmentation(np.zeros_like(result.tissue), image.affine, (), False, "nothing found")
    match = match_discs(reference, predicted)
    return CaseScore(patient, overlap, match, _pairs(predicted, reference, match))


def _pairs(
    predicted: SpineSegmentation, reference: SpineSegmentation, match: DiscMatch
) -> tuple[tuple[str, str, float, float], ...]:
    if not match.pairs:
        return ()
    ours, theirs = _values(measure(predicted)), _values(measure(reference))
    pairs = []
    for expert_disc, disc in match.pairs:
        for quantity, method in COMPARED:
            a = ours.get((disc.level, quantity, method))
            b = theirs.get((expert_disc.level, quantity, method))
            if a is not None and b is not None:
                pairs.append((expert_disc.level, quantity, a, b))
    return tuple(pairs)


def _values(rows: list[Measurement]) -> dict[tuple[str, str, str], float]:
    return {row.key: row.value for row in rows if row.value is not None}


def score_folder(folder: Path, patients: list[str], network: SpineNet, device: torch.device) -> list[CaseScore]:
    """Score the named patients of a folder of ``*_image.nii.gz`` and ``*_labels.nii.gz``."""
    scores = []
    for patient in patients:
        image = read_volume(folder / f"{patient}_image.nii.gz")
        labels = read_volume(folder / f"{patient}_labels.nii.gz")
        scores.append(score_case(patient, image, labels, network, device))
    return scores
