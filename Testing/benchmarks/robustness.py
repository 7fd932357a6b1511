"""How much accuracy is lost when the same scan is turned, thicker, coarser, cropped or inverted.

    python Testing/benchmarks/robustness.py BUNDLE DATASET [CASE ...]

DATASET is the folder of ``lumbar_t2_space``, ``vertebrae_t2`` or ``vertebrae_water``; the model of BUNDLE never saw the
cases. Prints, for every change, the mean Dice of what the set labels, the loss against the unchanged scans, and how
many of their discs were found. A change that moves more than 60 % of what is labelled in a case out of the image is not
scored.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
import torch

from SpineMeasureLib.anatomy import SEMANTIC_CANAL, SEMANTIC_DISC
from SpineMeasureLib.evaluate.labelled_sets import ADAPTERS, PARTLY_LABELLED
from SpineMeasureLib.evaluate.model_scores import score_case, score_partly
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import from_sitk, to_sitk, write_volume
from SpineMeasureLib.segment.bundle import load_network, open_bundle
from SpineMeasureLib.segment.network import SpineNet
from SpineMeasureLib.volume import Volume

Pair = tuple[Volume, Volume]
#: Less than this part of what is labelled left in the image is not scored.
_LEAST_LEFT = 0.4


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


def five_vertebrae(image: Volume, labels: Volume) -> Pair | None:
    """Cut to the height of the middle five vertebrae, between the discs that bound them; None if none are known."""
    if labels.array.max() > SEMANTIC_CANAL:
        return None
    upward = int(np.argmax(np.abs(image.affine[2, :3])))
    discs = SimpleITK.RelabelComponent(
        SimpleITK.ConnectedComponent(to_sitk(Volume((labels.array == SEMANTIC_DISC).astype(np.uint8), labels.affine))),
        500,
    )
    pieces = from_sitk(discs).array
    places = sorted(float(np.argwhere(pieces == n)[:, upward].mean()) for n in np.unique(pieces) if n)
    if len(places) < 6:
        return None
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


CHANGES: dict[str, Callable[[Volume, Volume], Pair | None]] = {
    "turned 25 deg in the sagittal plane": turned((1, 0, 0), 25),
    "turned 15 deg about the long axis": turned((0, 0, 1), 15),
    "turned 25 deg about the long axis": turned((0, 0, 1), 25),
    "tilted 15 deg sideways": turned((0, 1, 0), 15),
    "tilted 25 deg sideways": turned((0, 1, 0), 25),
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


@dataclass(frozen=True)
class Score:
    """Of one case: Dice of what its set labels, discs found, discs labelled."""

    dice: dict[str, float]
    found: int
    labelled: int


def score(network: SpineNet, image: Volume, labels: Volume, dataset: str) -> Score:
    """Score a case as if it were in its set."""
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / dataset
        place.mkdir()
        write_volume(image, place / "case_image.nii.gz")
        write_volume(labels, place / "case_labels.nii.gz")
        if dataset in PARTLY_LABELLED:
            (case,) = ADAPTERS[dataset](Path(folder))
            return Score({PARTLY_LABELLED[dataset][0]: score_partly(place, case, network, device).dice}, 0, 0)
        one = score_case(place, "case", network, device)
        return Score(one.dice, len(one.discs.pairs), len(one.discs.pairs) + len(one.discs.missed))


def labelled_ml(labels: Volume) -> float:
    """How much is labelled."""
    return np.count_nonzero(labels.array) * abs(float(np.linalg.det(labels.affine[:3, :3]))) / 1000


def row(title: str, scores: dict[str, Score], base: dict[str, Score]) -> str:
    """A line of the table."""
    if not scores:
        return f"{title} | not scored"
    cells = []
    for name in next(iter(scores.values())).dice:
        dice = np.mean([one.dice[name] for one in scores.values()])
        before = np.mean([base[case].dice[name] for case in scores])
        cells.append(f"{dice:.3f} ({before - dice:+.3f})")
    found, labelled = (sum(getattr(one, name) for one in scores.values()) for name in ("found", "labelled"))
    return " | ".join([title, str(len(scores)), *cells, f"{found} of {labelled}" if labelled else "-"])


def main(bundle: Path, dataset: Path, cases: list[str]) -> None:
    """Print the table."""
    network = load_network(open_bundle(bundle))
    cases = cases or sorted(p.name.removesuffix("_image.nii.gz") for p in dataset.glob("*_image.nii.gz"))
    original = {
        c: (read_volume(dataset / f"{c}_image.nii.gz"), read_volume(dataset / f"{c}_labels.nii.gz")) for c in cases
    }
    base = {case: score(network, *pair, dataset.name) for case, pair in original.items()}
    print(" | ".join(["change", "cases", *(f"{name} Dice (loss)" for name in base[cases[0]].dice), "discs found"]))
    print(row("none", base, base), flush=True)
    for title, change in CHANGES.items():
        scores = {}
        for case, pair in original.items():
            changed = change(*pair)
            if changed and labelled_ml(changed[1]) > _LEAST_LEFT * labelled_ml(pair[1]):
                scores[case] = score(network, *changed, dataset.name)
        print(row(title, scores, base), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
