"""Scores of a segmentation: its masks against expert masks, and values measured on both by the same code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..anatomy import SEMANTIC_CANAL, SEMANTIC_DISC, SEMANTIC_VERTEBRA, Kind, all_structures
from ..certainty import blurs
from ..measure import measure
from ..measure.confidence import calibration_key
from ..measure.definitions import Definition, definition, methods
from ..measure.types import Measurement
from ..orientation import slice_order, slice_spacing
from ..segment.labels.by_value import segmentation_from_labels
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .agreement import DiscMatch, match_discs
from .labelled_sets import PARTLY_LABELLED, LabelledCase
from .overlap import Overlap, overlap
from .reliability import Doubt

#: Values compared between the two sets of masks: every line, between masks and between edges.
COMPARED = tuple(d for d in methods() if d.editable)

Rows = dict[tuple[str, str, str], Measurement]

#: Structures that are compared, with their value in a map of 1 vertebra, 2 disc, 3 canal, and their kinds.
STRUCTURES = {
    "vertebra": (SEMANTIC_VERTEBRA, (Kind.BODY, Kind.POSTERIOR)),
    "disc": (SEMANTIC_DISC, (Kind.DISC,)),
    "canal": (SEMANTIC_CANAL, (Kind.CANAL, Kind.CORD)),
}


class Pair(NamedTuple):
    """One value measured on both sets of masks.

    :ivar level: as the expert names it.
    """

    level: str
    what: Definition
    model: float
    expert: float


@dataclass(frozen=True)
class CaseScore:
    """Scores of one patient.

    :ivar overlaps: structure -> agreement of the masks over the whole image.
    :ivar pairs: every value of `COMPARED` that both masks gave.
    :ivar doubts: every length that both masks gave, with the model's doubt about it; empty if no model made the masks.
    """

    patient: str
    overlaps: dict[str, Overlap]
    discs: DiscMatch
    pairs: tuple[Pair, ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def dice(self) -> dict[str, float]:
        """Dice of every structure."""
        return {name: found.dice for name, found in self.overlaps.items()}


def nothing_found(image: Volume) -> SpineSegmentation:
    """Return an empty segmentation of an image: the Dice of every structure that the image shows is 0."""
    return SpineSegmentation(np.zeros(image.array.shape, np.uint8), image.affine, (), False, "nothing found")


def compare(patient: str, predicted: SpineSegmentation, image: Volume, labels: Volume) -> CaseScore:
    """Compare a segmentation with `labels` on the same voxels: 1 vertebra, 2 disc, 3 canal, or values of `anatomy`.

    :param image: in which both find their edges.
    """
    reference = segmentation_from_labels(labels)
    overlaps = {
        name: overlap(of_kinds(predicted, *kinds), reference_mask(labels, name), labels.spacing)
        for name, (_, kinds) in STRUCTURES.items()
    }
    match = match_discs(reference, predicted)
    if not match.pairs:
        return CaseScore(patient, overlaps, match, ())
    ours, theirs = _rows(predicted, image), _rows(reference, image)
    levels = _levels(match)
    doubts = _doubts(patient, ours, theirs, levels, predicted)
    return CaseScore(patient, overlaps, match, _pairs(ours, theirs, levels), doubts)


def compare_partly(predicted: SpineSegmentation, case: LabelledCase) -> Overlap:
    """Compare the one structure that a case of `PARTLY_LABELLED` labels, in the voxels that its labels cover."""
    _, kind, tissue, other = PARTLY_LABELLED[case.dataset]
    mine = slice_order(of_kinds(predicted, kind), predicted.affine)
    known = np.isin(case.codes, (tissue, other))
    return overlap(mine, case.codes == tissue, slice_spacing(predicted.affine), known)


def reference_mask(labels: Volume, structure: str) -> NDArray[np.bool_]:
    """Return the voxels of one of `STRUCTURES` in a map of 1 vertebra, 2 disc, 3 canal, or of values of `anatomy`."""
    value, kinds = STRUCTURES[structure]
    if labels.array.max() <= SEMANTIC_CANAL:
        return labels.array == value
    return np.isin(labels.array, [s.value for s in all_structures() if s.kind in kinds])


def of_kinds(segmentation: SpineSegmentation, *kinds: Kind) -> NDArray[np.bool_]:
    """Return the voxels of the named structures of some kinds."""
    return np.isin(segmentation.labels, [s.value for kind in kinds for s in segmentation.of_kind(kind)])


def _rows(segmentation: SpineSegmentation, image: Volume) -> Rows:
    return {row.key: row for row in measure(segmentation, image) if row.value is not None}


def _levels(match: DiscMatch) -> dict[str, str]:
    """Return our name of each level that both have, by the expert's: of discs and of the bodies at them."""
    found: dict[str, str] = {}
    for expert, disc in match.pairs:
        found |= {expert.level: disc.level, **dict(zip(expert.level.split("-"), disc.level.split("-"), strict=True))}
    return found


def _pairs(ours: Rows, theirs: Rows, levels: Mapping[str, str]) -> tuple[Pair, ...]:
    compared = {(d.key, d.at) for d in COMPARED}
    pairs = []
    for (level, *method), expert in theirs.items():
        mine = ours.get((levels.get(level, ""), *method))  # type: ignore[arg-type]
        what = definition(expert.quantity, expert.method, level)
        if mine and mine.value is not None and expert.value is not None and (what.key, what.at) in compared:
            pairs.append(Pair(level, what, mine.value, expert.value))
    return tuple(pairs)


def _doubts(
    patient: str, ours: Rows, theirs: Rows, levels: Mapping[str, str], predicted: SpineSegmentation
) -> tuple[Doubt, ...]:
    if predicted.certainty is None:
        return ()
    found, lines = [], []
    for (level, quantity, method), row in theirs.items():
        mine = ours.get((levels.get(level, ""), quantity, method))
        if mine and mine.p1 and mine.p2 and mine.value is not None and row.value is not None and mine.unit == "mm":
            found.append((calibration_key(mine), abs(mine.value - row.value)))
            lines.append((mine.p1, mine.p2))
    blur = blurs(predicted.certainty.probability, predicted.affine, lines)
    return tuple(Doubt(patient, key, float(b), error) for (key, error), b in zip(found, blur, strict=True))


@dataclass(frozen=True)
class EvaluatedCase:
    """One case of a dataset.

    :ivar score: None for a set that labels too little to compare discs and values.
    :ivar about: content of ``<case>_about.json``; empty if there is none.
    """

    name: str
    image: Volume
    predicted: SpineSegmentation
    labels: Volume
    overlaps: dict[str, Overlap]
    score: CaseScore | None
    about: dict[str, object]

    def masks(self, structure: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return bool arrays[i,j,k] of a structure: as predicted, as labelled."""
        if structure not in STRUCTURES:
            kind = next(entry[1] for entry in PARTLY_LABELLED.values() if entry[0] == structure)
            return of_kinds(self.predicted, kind), self.labels.array > 0
        return of_kinds(self.predicted, *STRUCTURES[structure][1]), reference_mask(self.labels, structure)
