"""Labelled MRI, to evaluate on and to train with: one adapter per set, all in the same slice order and voxel codes.

Arrays here are [slice, row, column]: slices left to right, rows inferior to superior, columns posterior to anterior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..anatomy import (
    SEMANTIC_CANAL,
    SEMANTIC_DISC,
    SEMANTIC_VERTEBRA,
    TISSUE_OF,
    VERTEBRA_ORDER,
    Kind,
    Tissue,
    all_structures,
    region_of,
    vertebra_value,
)
from ..io.read import read_volume
from ..orientation import slice_order, slice_spacing
from ..segment.labels.by_value import segmentation_from_labels
from ..segment.preprocess import normalised_intensity
from ..segment.split import split_vertebrae
from ..volume import Volume
from .voxel_codes import BACKGROUND_OR_SACRUM, CANAL_OR_CORD, NOT_BODY, NOT_CORD, UNKNOWN

#: Smaller pieces of a label are artefacts of resampling: a third of the slabs have such rims around their discs.
_SPECK_MM3 = 40.0
#: Down to this depth below the lowest disc a voxel is certainly S1; deeper it may be sacrum or background.
_S1_DEPTH_MM = 16.0
_S1_WIDTH = 0.75


_REGION_OF_VALUE = np.zeros(256, np.uint8)
for _name in VERTEBRA_ORDER[1:-1]:
    _REGION_OF_VALUE[vertebra_value(_name)] = region_of(_name)


@dataclass(frozen=True)
class LabelledCase:
    """One image and what its labels say of each voxel.

    :ivar patient: unique over all sets; cases are split by it.
    :ivar image: uint8 [slice, row, column], 0-255 after clipping to percentiles.
    :ivar codes: uint8 [slice, row, column], see `voxel_codes`.
    :ivar spacing: mm between slices, rows, columns.
    :ivar regions: uint8 [slice, row, column], `anatomy.Region` of each voxel of a body; 0 elsewhere and if unknown.
        None if no region is known.
    :ivar repaintable: a T2 image with all bones, discs and the canal labelled; see `train.repaint`.
    """

    patient: str
    dataset: str
    image: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    spacing: tuple[float, float, float]
    regions: NDArray[np.uint8] | None = None
    repaintable: bool = False


def labelled_case(
    patient: str, dataset: str, image: Volume, codes: NDArray[np.uint8], levels: NDArray[np.uint8] | None = None
) -> LabelledCase:
    """Make a case from an image, codes, and label values of `anatomy` for its bodies if these are known."""
    intensity = (normalised_intensity(image.array) * 255).round().astype(np.uint8)
    return LabelledCase(
        patient,
        dataset,
        np.ascontiguousarray(slice_order(intensity, image.affine)),
        np.ascontiguousarray(slice_order(codes, image.affine)),
        slice_spacing(image.affine),
        None if levels is None else np.ascontiguousarray(slice_order(_REGION_OF_VALUE[levels], image.affine)),
    )


def lumbar_t2_space(root: Path) -> Iterator[LabelledCase]:
    """Read SPIDER T2 SPACE slabs: vertebra, disc and canal by experts, S1 by `sacrum_codes`."""
    for path in sorted((root / "lumbar_t2_space").glob("*_image.nii.gz")):
        image = read_volume(path)
        labels = read_volume(path.with_name(path.name.replace("image", "labels"))).array
        body, posterior = split_vertebrae(labels == SEMANTIC_VERTEBRA, labels == SEMANTIC_CANAL, image.affine)
        codes = np.zeros(labels.shape, np.uint8)
        codes[body] = Tissue.BODY
        codes[posterior] = Tissue.POSTERIOR
        codes[labels == SEMANTIC_DISC] = Tissue.DISC
        codes[labels == SEMANTIC_CANAL] = CANAL_OR_CORD
        codes[_specks(labels, _SPECK_MM3 / float(np.prod(image.spacing)))] = UNKNOWN
        levels = segmentation_from_labels(Volume(labels, image.affine)).labels
        case = labelled_case(path.name.split("_")[0], "lumbar_t2_space", image, codes, levels)
        sacrum_codes(case.codes, case.spacing)
        yield replace(case, repaintable=True)


def _specks(labels: NDArray[np.generic], voxels: float) -> NDArray[np.bool_]:
    """Find the pieces of each label that have fewer than `voxels` voxels."""
    small = np.zeros(labels.shape, bool)
    for value in (SEMANTIC_VERTEBRA, SEMANTIC_DISC, SEMANTIC_CANAL):
        pieces, _ = ndimage.label(labels == value)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = labels.size
        small |= (sizes < voxels)[pieces]
    return small


def sacrum_codes(codes: NDArray[np.uint8], spacing: tuple[float, float, float]) -> None:
    """Mark S1 below the lowest disc, in place: a weak label from the disc's position, not segmented by an expert.

    The core under the disc's lower surface is SACRUM; everything else below the disc may be sacrum or background.
    """
    pieces, count = ndimage.label(codes == Tissue.DISC)
    if not count:
        return
    sizes = np.bincount(pieces.ravel())[1:]
    boxes = ndimage.find_objects(pieces)
    large = [n for n in range(count) if sizes[n] > 0.2 * np.median(sizes)]
    lowest = min(large, key=lambda n: boxes[n][1].start)
    points = np.argwhere(pieces == lowest + 1)[:, 1:] * spacing[1:]
    centre = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - centre, full_matrices=False)
    normal = axes[1] * (-1 if axes[1][0] > 0 else 1)
    along = np.array([-normal[1], normal[0]])
    half = np.percentile(np.abs((points - centre) @ along), 95)
    thickness = np.percentile((points - centre) @ normal, 95)
    rows, columns = np.arange(codes.shape[1]) * spacing[1], np.arange(codes.shape[2]) * spacing[2]
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    depth = (grid - centre) @ normal - thickness
    aside = np.abs((grid - centre) @ along)
    background = codes == Tissue.BACKGROUND
    codes[background & (depth > 0)[None]] = BACKGROUND_OR_SACRUM
    core = (depth > 1.5) & (depth < _S1_DEPTH_MM) & (aside < half * _S1_WIDTH)
    codes[background & core[None]] = Tissue.SACRUM


def _bodies_only(root: Path, dataset: str) -> Iterator[LabelledCase]:
    for path in sorted((root / dataset).glob("*_image.nii.gz")):
        image = read_volume(path)
        labels = read_volume(path.with_name(path.name.replace("image", "labels"))).array.astype(np.uint8)
        codes = np.where(labels > 0, np.uint8(Tissue.BODY), np.uint8(NOT_BODY))
        case = labelled_case(path.name.split("_image")[0], dataset, image, codes, labels)  # 24 is L5, as in `anatomy`
        # Only some levels are labelled: a body above or below the labelled ones is unknown.
        rows = np.flatnonzero((case.codes == Tissue.BODY).any(axis=(0, 2)))
        case.codes[:, : rows[0]] = UNKNOWN
        case.codes[:, rows[-1] + 1 :] = UNKNOWN
        yield case


def vertebrae_t2(root: Path) -> Iterator[LabelledCase]:
    """Read vertebral bodies on T2 of healthy adults."""
    return _bodies_only(root, "vertebrae_t2")


def vertebrae_water(root: Path) -> Iterator[LabelledCase]:
    """Read vertebral bodies on water images of healthy adults."""
    return _bodies_only(root, "vertebrae_water")


def cervical_t2(root: Path) -> Iterator[LabelledCase]:
    """Read the cord on cervico-thoracic T2 of healthy adults."""
    for path in sorted((root / "cervical_t2").glob("*_cord.nii.gz")):
        image = read_volume(path.with_name(path.name.replace("cord", "image")))
        cord = read_volume(path).array > 0.5
        codes = np.where(cord, np.uint8(Tissue.CORD), np.uint8(NOT_CORD))
        yield labelled_case(path.name.split("_")[0], "cervical_t2", image, codes)


def synthetic(folder: Path) -> Iterator[LabelledCase]:
    """Read synthetic cases (`train.synth.cases.write_cases`), in which everything is labelled."""
    table = np.zeros(256, np.uint8)
    for structure in all_structures():
        table[structure.value] = TISSUE_OF[structure.kind]
    for path in sorted(folder.glob("*_image.nii.gz")):
        labels = read_volume(path.with_name(path.name.replace("image", "labels"))).array
        levels = labels.astype(np.uint8)
        yield labelled_case(path.name.split("_")[0], "synthetic", read_volume(path), table[levels], levels)


ADAPTERS: dict[str, Callable[[Path], Iterator[LabelledCase]]] = {
    "lumbar_t2_space": lumbar_t2_space,
    "vertebrae_t2": vertebrae_t2,
    "vertebrae_water": vertebrae_water,
    "cervical_t2": cervical_t2,
}

#: Sets that label one structure, and not everywhere: its name, kind and tissue, and the code for "anything else".
PARTLY_LABELLED = {
    "vertebrae_t2": ("body", Kind.BODY, Tissue.BODY, NOT_BODY),
    "vertebrae_water": ("body", Kind.BODY, Tissue.BODY, NOT_BODY),
    "cervical_t2": ("cord", Kind.CORD, Tissue.CORD, NOT_CORD),
}


def folds(patients: list[str], count: int, seed: int = 0) -> list[list[str]]:
    """Split patients into `count` disjoint test folds of nearly equal size, the same for the same seed.

    >>> folds(["a", "b", "c", "d", "e"], 2)
    [['b', 'c', 'd'], ['a', 'e']]
    """
    order = np.random.default_rng(seed).permutation(sorted(set(patients)))
    return [sorted(str(p) for p in order[n::count]) for n in range(count)]
