"""The bundled sample: synthetic lumbar MRI with coil shading, partial volume and noise, and its true values.

``python -m SpineMeasureLib.phantom.sample FOLDER`` writes the sample case that ships with the project.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..io.write import write_volume
from ..orientation import from_matvec
from ..volume import Volume
from .geometry import Array, slice_points
from .sample_shape import SpineShape, lumbar_shape, truth
from .sample_tissues import CONTRASTS, Textures, coil, materials


@dataclass(frozen=True)
class SyntheticCase:
    """An image with its true labels (values of `anatomy`) and true measurements."""

    image: Volume
    labels: Volume
    truth: list[dict[str, object]]


def synthesize(
    seed: int,
    contrast: str = "t2",
    spacing: tuple[float, float, float] = (3.6, 0.75, 0.75),
    shape: tuple[int, int, int] = (15, 352, 288),
    only: Sequence[int] | None = None,
) -> SyntheticCase:
    """Make a lumbar case, the same for the same seed.

    :param contrast: a name in `CONTRASTS`.
    :param spacing: mm between slices, rows, columns.
    :param shape: slices, rows, columns.
    :param only: numbers of the slices to make; the others contain noise. All if None.
    """
    rng = np.random.default_rng(seed)
    spine = lumbar_shape(rng)
    affine = _sagittal_affine(rng, spine, spacing, shape)
    signal = np.array(CONTRASTS[contrast])
    textures = Textures(rng)
    image, labels = np.zeros(shape), np.zeros(shape, np.uint8)
    for k in range(shape[0]) if only is None else only:
        image[k], labels[k] = _slice(spine, affine, k, shape, signal, textures)
    image = ndimage.gaussian_filter(image, (0, 0.55, 0.55))
    noise = 0.016
    image = np.hypot(image + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    stored = np.clip(image * 900, 0, 32767).astype(np.int16)
    return SyntheticCase(Volume(stored, affine), Volume(labels, affine), truth(spine))


def _slice(
    spine: SpineShape, affine: Array, k: int, shape: tuple[int, int, int], signal: Array, textures: Textures
) -> tuple[Array, NDArray[np.uint8]]:
    """Compute signal and labels [rows, columns] of slice `k`; the signal is the mean of three layers of the slice."""
    layers = []
    for offset in (-0.33, 0.0, 0.33):
        points = slice_points(affine, k + offset, shape)
        material, label = materials(spine, points, textures)
        layers.append(signal[material] * textures.at(points, material))
        if offset == 0.0:
            labels = label
    return np.mean(layers, axis=0) * coil(slice_points(affine, k, shape), spine), labels


def _sagittal_affine(
    rng: np.random.Generator, spine: SpineShape, spacing: tuple[float, float, float], shape: tuple[int, int, int]
) -> Array:
    """Return the affine of a sagittal stack, a few degrees oblique: slices left to right, rows down, columns back."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", rng.normal(0, 2.5, 3), degrees=True).as_matrix()
    axes = turn @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
    matrix = axes * np.array(spacing)
    middle = np.array(spine.bodies[2].origin) + [0, -22.0, -8.0]
    return from_matvec(matrix, middle - matrix @ ((np.array(shape) - 1) / 2))


SAMPLE_SEED = 11


def write_sample(folder: Path, seed: int = SAMPLE_SEED) -> None:
    """Write the sample case: image, true labels, true measurements."""
    case = synthesize(seed)
    write_volume(case.image, folder / "lumbar_t2.nii.gz")
    write_volume(case.labels, folder / "lumbar_t2_labels.nii.gz")
    about = "Synthetic: no person was imaged. Values follow from the shapes, not from voxels."
    content = {"about": about, "seed": seed, "values": case.truth}
    (folder / "lumbar_t2_truth.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
