"""How much accuracy is lost when the same scan is turned, thicker, coarser, cropped or inverted.

    python Testing/benchmarks/robustness.py BUNDLE DATASET [CASE ...]

DATASET holds ``<case>_image.nii.gz`` and ``<case>_labels.nii.gz`` (1 vertebra, 2 disc, 3 canal) that the model of
BUNDLE never saw. Prints, for every change, the mean Dice and the loss against the unchanged scan, and how many discs
were found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
import torch

from SpineMeasureLib.anatomy import SEMANTIC_DISC, SEMANTIC_VERTEBRA
from SpineMeasureLib.segment.bundle import load_network, open_bundle
from SpineMeasureLib.train.evaluate import CaseScore, score_case
from SpineMeasureLib.volume import Volume, from_sitk, read_volume, to_sitk

Pair = tuple[Volume, Volume]
STRUCTURES = ("vertebra", "disc", "canal")


def turned(axis: tuple[float, float, float], degrees: float) -> Callable[[Volume, Volume], Pair]:
    """The patient turned about `axis` (RAS) through the middle of the image, on the same grid."""

    def change(image: Volume, labels: Volume) -> Pair:
        grid = to_sitk(image)
        middle = grid.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in grid.GetSize()])
        lps = np.array(axis) * [-1, -1, 1]
        turn = SimpleITK.VersorTransform([float(x) for x in lps], float(np.radians(degrees)), middle)
        return _sampled(image, grid, False, turn), _sampled(labels, grid, True, turn)

    return change


def resliced(spacing: tuple[float | None, float | None, float | None]) -> Callable[[Volume, Volume], Pair]:
    """Averaged to coarser voxels: (left-right, posterior-anterior, inferior-superior) mm; None keeps."""

    def change(image: Volume, labels: Volume) -> Pair:
        grid = to_sitk(image)
        axes = np.argmax(np.abs(image.affine[:3, :3]), axis=0)
        wanted = [spacing[axis] or old for axis, old in zip(axes, grid.GetSpacing(), strict=True)]
        size = [
            max(1, round(n * old / new)) for n, old, new in zip(grid.GetSize(), grid.GetSpacing(), wanted, strict=True)
        ]
        coarse = SimpleITK.Image(size, SimpleITK.sitkUInt8)
        coarse.SetSpacing(wanted)
        coarse.SetDirection(grid.GetDirection())
        first = [(new / old - 1) / 2 for new, old in zip(wanted, grid.GetSpacing(), strict=True)]
        coarse.SetOrigin(grid.TransformContinuousIndexToPhysicalPoint(first))
        blurred = grid
        for axis, (new, old) in enumerate(zip(wanted, grid.GetSpacing(), strict=True)):
            if new > old * 1.01:  # the slice profile of the coarser voxel, about Gaussian
                blurred = SimpleITK.RecursiveGaussian(
                    blurred, new / 2.355, False, SimpleITK.RecursiveGaussianImageFilter.ZeroOrder, axis
                )
        return _sampled(from_sitk(blurred), coarse, False), _sampled(labels, coarse, True)

    return change


def five_vertebrae(image: Volume, labels: Volume) -> Pair:
    """Cut to the height of the middle five vertebrae, between the discs that bound them."""
    upward = int(np.argmax(np.abs(image.affine[2, :3])))
    discs = SimpleITK.RelabelComponent(
        SimpleITK.ConnectedComponent(to_sitk(Volume((labels.array == SEMANTIC_DISC).astype(np.uint8), labels.affine))),
        500,
    )
    pieces = from_sitk(discs).array
    places = sorted(float(np.argwhere(pieces == n)[:, upward].mean()) for n in np.unique(pieces) if n)
    if len(places) < 6:
        return image, labels
    start = (len(places) - 6) // 2
    low, high = int(places[start]), int(places[start + 5]) + 1
    cut = [slice(None)] * 3
    cut[upward] = slice(low, high)
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, upward] * low
    return Volume(image.array[tuple(cut)], affine), Volume(labels.array[tuple(cut)], affine)


def inverted(image: Volume, labels: Volume) -> Pair:
    """Bright for dark."""
    top = np.percentile(image.array, 99.9)
    return Volume((top - np.minimum(image.array, top)).astype(np.float32), image.affine), labels


CHANGES: dict[str, Callable[[Volume, Volume], Pair]] = {
    "unchanged": lambda image, labels: (image, labels),
    "turned 25 deg in the sagittal plane": turned((1, 0, 0), 25),
    "turned 15 deg about the long axis": turned((0, 0, 1), 15),
    "tilted 15 deg sideways": turned((0, 1, 0), 15),
    "slices of 5 mm": resliced((5.0, None, None)),
    "half the resolution": resliced((None, 0.94, 0.94)),
    "cropped to five vertebrae": five_vertebrae,
    "inverted": inverted,
}


def _sampled(
    volume: Volume, grid: SimpleITK.Image, labels: bool, transform: SimpleITK.Transform | None = None
) -> Volume:
    how = SimpleITK.sitkNearestNeighbor if labels else SimpleITK.sitkLinear
    image = to_sitk(volume)
    transform = transform or SimpleITK.Transform(3, SimpleITK.sitkIdentity)
    return from_sitk(SimpleITK.Resample(image, grid, transform, how, 0.0, image.GetPixelID()))


def main(bundle: Path, dataset: Path, cases: list[str]) -> None:
    """Print the table."""
    network, device = load_network(open_bundle(bundle)), torch.device("cpu")
    cases = cases or sorted(p.name.removesuffix("_image.nii.gz") for p in dataset.glob("*_image.nii.gz"))
    base: dict[str, float] = {}
    print(f"{len(cases)} cases | " + " | ".join(f"{name} Dice (loss)" for name in STRUCTURES) + " | discs found")
    for title, change in CHANGES.items():
        scores: list[CaseScore] = []
        for case in cases:
            image, labels = (read_volume(dataset / f"{case}_{kind}.nii.gz") for kind in ("image", "labels"))
            image, labels = change(image, labels)
            if np.isin((SEMANTIC_VERTEBRA, SEMANTIC_DISC), labels.array).all():
                scores.append(score_case(case, image, labels, network, device))
        means = {name: float(np.mean([s.dice[name] for s in scores])) for name in STRUCTURES}
        base = base or means
        found = sum(len(s.discs.pairs) for s in scores)
        wanted = found + sum(len(s.discs.missed) for s in scores)
        cells = [f"{means[name]:.3f} ({base[name] - means[name]:+.3f})" for name in STRUCTURES]
        print(f"{title} | {' | '.join(cells)} | {found} of {wanted}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
