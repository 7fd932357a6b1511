"""Judging a model on cases it never saw: masks against expert masks, and numbers measured on both by the same code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Kind, Tissue, all_structures
from ..certainty import Certainty, blurs, calibration_key
from ..errors import NothingFoundError
from ..measure import measure
from ..measure.definitions import methods
from ..measure.types import Measurement
from ..segment.inference import predict_tissue
from ..segment.labels.by_value import segmentation_from_labels
from ..segment.naming.instances import name_structures
from ..segment.network import SpineNet
from ..segment.preprocess import slice_order, slice_spacing
from ..segmentation import SpineSegmentation
from ..train import targets
from ..train.data import TrainingCase
from ..volume import Volume, read_volume
from .agreement import DiscMatch, match_discs
from .overlap import Overlap, overlap
from .reliability import Doubt

#: What is compared between the two sets of masks: the lines at discs.
COMPARED = tuple(d.key for d in methods() if d.at == "disc" and d.editable)


Rows = dict[tuple[str, str, str], Measurement]

#: Structures that are compared, with their value in a map of 1 vertebra, 2 disc, 3 canal, and their kinds here.
STRUCTURES = {
    "vertebra": (SEMANTIC_VERTEBRA, (Kind.BODY, Kind.POSTERIOR)),
    "disc": (SEMANTIC_DISC, (Kind.DISC,)),
    "canal": (SEMANTIC_CANAL, (Kind.CANAL, Kind.CORD)),
}

#: Sets that label one structure, and not everywhere: its name, kind and tissue, the code for "not that".
PARTLY_LABELLED = {
    "vertebrae_t2": ("body", Kind.BODY, Tissue.BODY, targets.NOT_BODY),
    "vertebrae_water": ("body", Kind.BODY, Tissue.BODY, targets.NOT_BODY),
    "cervical_t2": ("cord", Kind.CORD, Tissue.CORD, targets.NOT_CORD),
}


@dataclass(frozen=True)
class CaseScore:
    """Scores of one patient.

    :ivar overlaps: structure -> agreement of the masks over the whole image.
    :ivar pairs: (level, quantity, predicted value, expert value) of every value of `COMPARED` that both masks gave.
    :ivar doubts: every length that both masks gave, with the model's doubt about it; empty for masks of no model.
    """

    patient: str
    overlaps: dict[str, Overlap]
    discs: DiscMatch
    pairs: tuple[tuple[str, str, float, float], ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def dice(self) -> dict[str, float]:
        """Dice of every structure."""
        return {name: found.dice for name, found in self.overlaps.items()}


def score_case(patient: str, image: Volume, labels: Volume, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment and name `image` as `measure` does, and compare with expert `labels` (1 vertebra, 2 disc, 3 canal)."""
    return compare(patient, _segmented(image, network, device), labels)


def score_tissues(patient: str, image: Volume, tissues: Volume, network: SpineNet, device: torch.device) -> CaseScore:
    """Segment `image` and compare with a corrected map of `anatomy.Tissue` values."""
    table = np.zeros(len(Tissue), np.uint8)
    table[[Tissue.BODY, Tissue.POSTERIOR]] = SEMANTIC_VERTEBRA
    table[Tissue.DISC] = SEMANTIC_DISC
    table[[Tissue.CANAL, Tissue.CORD]] = SEMANTIC_CANAL
    labels = Volume(table[tissues.array], tissues.affine)
    return compare(patient, _segmented(image, network, device), labels)


def _segmented(image: Volume, network: SpineNet, device: torch.device) -> SpineSegmentation:
    """What the model finds; empty where that is nothing."""
    result = predict_tissue(image, network, device)
    try:
        named = name_structures(result.tissue, image.affine, confidence=result.probability, regions=result.region)
    except NothingFoundError:
        return nothing_found(image)
    return replace(named, certainty=Certainty(result.probability))


def nothing_found(image: Volume) -> SpineSegmentation:
    """The segmentation of an image in which nothing was found: the Dice of all that it shows is 0."""
    return SpineSegmentation(np.zeros(image.array.shape, np.uint8), image.affine, (), False, "nothing found")


def compare(patient: str, predicted: SpineSegmentation, labels: Volume) -> CaseScore:
    """Compare a segmentation with `labels` on the same voxels: 1 vertebra, 2 disc, 3 canal, or values of `anatomy`."""
    i, j, k = np.linalg.norm(labels.affine[:3, :3], axis=0)
    reference = segmentation_from_labels(labels)
    overlaps = {
        name: overlap(of_kinds(predicted, *kinds), reference_mask(labels, name), (float(i), float(j), float(k)))
        for name, (_, kinds) in STRUCTURES.items()
    }
    match = match_discs(reference, predicted)
    if not match.pairs:
        return CaseScore(patient, overlaps, match, ())
    ours, theirs = _rows(predicted), _rows(reference)
    doubts = _doubts(patient, ours, theirs, match, predicted)
    return CaseScore(patient, overlaps, match, _pairs(ours, theirs, match), doubts)


def compare_partly(predicted: SpineSegmentation, case: TrainingCase) -> Overlap:
    """Compare the one structure that a case of `PARTLY_LABELLED` labels, where its labels say something."""
    _, kind, tissue, other = PARTLY_LABELLED[case.dataset]
    mine = slice_order(of_kinds(predicted, kind), predicted.affine)
    known = np.isin(case.codes, (tissue, other))
    return overlap(mine, case.codes == tissue, slice_spacing(predicted.affine), known)


def reference_mask(labels: Volume, structure: str) -> NDArray[np.bool_]:
    """Every voxel of one of `STRUCTURES` in a map of 1 vertebra, 2 disc, 3 canal, or of values of `anatomy`."""
    value, kinds = STRUCTURES[structure]
    if labels.array.max() <= SEMANTIC_CANAL:
        return labels.array == value
    return np.isin(labels.array, [s.value for s in all_structures() if s.kind in kinds])


def of_kinds(segmentation: SpineSegmentation, *kinds: Kind) -> NDArray[np.bool_]:
    """Every voxel of the named structures of some kinds."""
    return np.isin(segmentation.labels, [s.value for kind in kinds for s in segmentation.of_kind(kind)])


def _rows(segmentation: SpineSegmentation) -> Rows:
    return {row.key: row for row in measure(segmentation) if row.value is not None}


def _pairs(ours: Rows, theirs: Rows, match: DiscMatch) -> tuple[tuple[str, str, float, float], ...]:
    pairs = []
    for expert_disc, disc in match.pairs:
        for quantity, method in COMPARED:
            a, b = ours.get((disc.level, quantity, method)), theirs.get((expert_disc.level, quantity, method))
            if a and b and a.value is not None and b.value is not None:
                pairs.append((expert_disc.level, quantity, a.value, b.value))
    return tuple(pairs)


def _doubts(
    patient: str, ours: Rows, theirs: Rows, match: DiscMatch, predicted: SpineSegmentation
) -> tuple[Doubt, ...]:
    if predicted.certainty is None:
        return ()
    level_of: dict[str, str] = {}
    for expert, disc in match.pairs:
        level_of |= {expert.level: disc.level, **dict(zip(expert.level.split("-"), disc.level.split("-"), strict=True))}
    found, lines = [], []
    for (level, quantity, method), row in theirs.items():
        mine = ours.get((level_of.get(level, ""), quantity, method))
        if mine and mine.p1 and mine.p2 and mine.value is not None and row.value is not None and mine.unit == "mm":
            found.append((calibration_key(mine), abs(mine.value - row.value)))
            lines.append((mine.p1, mine.p2))
    blur = blurs(predicted.certainty.probability, predicted.affine, lines)
    return tuple(Doubt(patient, key, float(b), error) for (key, error), b in zip(found, blur, strict=True))


def score_folder(folder: Path, patients: list[str], network: SpineNet, device: torch.device) -> list[CaseScore]:
    """Score the named patients of a folder of ``*_image.nii.gz`` and ``*_labels.nii.gz``."""
    scores = []
    for patient in patients:
        image = read_volume(folder / f"{patient}_image.nii.gz")
        labels = read_volume(folder / f"{patient}_labels.nii.gz")
        scores.append(score_case(patient, image, labels, network, device))
    return scores


def score_partly(folder: Path, case: TrainingCase, network: SpineNet, device: torch.device) -> Overlap:
    """Score the one structure that a case of `PARTLY_LABELLED`, whose image lies in `folder`, labels."""
    image = read_volume(folder / f"{case.patient}_image.nii.gz")
    return compare_partly(_segmented(image, network, device), case)
