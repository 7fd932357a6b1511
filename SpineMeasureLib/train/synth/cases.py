"""Synthetic MRI of any part of the spine, with true labels: template, pose, tissues, sequence, scanner.

After the idea of Billot et al., SynthSeg, Med Image Anal 2023 (labels known by construction, contrast at random), with
anatomy that is deformed rather than copied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SACRUM_VALUE,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Tissue,
    vertebra_value,
)
from ...io.write import write_volume
from ...orientation import apply_affine, corners, from_matvec, voxel_sizes
from ...phantom.geometry import slice_points
from ...progress import Progress, silent
from ...volume import Volume
from .chain import VARIANTS
from .pose import PoseMap, Subject, pose_map, random_subject
from .template import STEP_MM, Template, build_template
from .tissues import CONTRASTS, Material, Textures, bone_and_sac, random_contrast, random_signal, surroundings

Array = NDArray[np.float64]

#: Where a field of view is centred, by region.
REGIONS: dict[str, tuple[str, ...]] = {
    "cervical": ("C4", "C5", "C6", "C7"),
    "thoracic": ("T4", "T6", "T8", "T10"),
    "thoracolumbar": ("T12", "L1", "L2"),
    "lumbar": ("L3", "L4"),
}


@dataclass(frozen=True)
class SyntheticSpine:
    """A case with its true labels (values of `anatomy`) and a description."""

    image: Volume
    labels: Volume
    about: dict[str, object]


class Maker:
    """Generator of cases from one template."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self._material = bone_and_sac(template)

    def case(
        self, seed: int, region: str | None = None, contrast: str | None = None, disease: float = 0.5
    ) -> SyntheticSpine:
        """Make a case, the same for the same seed.

        :param region: a name in `REGIONS`; random if None.
        :param contrast: a name in `tissues.CONTRASTS`; random if None.
        :param disease: probability of each kind of disease being present.
        """
        rng = np.random.default_rng(seed)
        region = region or str(rng.choice(list(REGIONS), p=(0.42, 0.22, 0.14, 0.22)))
        contrast = contrast or random_contrast(rng)
        subject = random_subject(self.template, rng, str(rng.choice(REGIONS[region])), disease)
        affine, shape = _stack(rng, region)
        box = corners(affine, [n + 1 for n in shape])
        pose = pose_map(subject, box.min(axis=0) - 8, box.max(axis=0) + 8, rng)
        signal, labels = self._slices(pose, affine, shape, contrast, rng)
        image = _scanned(signal, affine, rng)
        findings = _seen(subject, labels)
        about: dict[str, object] = {
            "seed": seed,
            "region": region,
            "contrast": contrast,
            "slice_mm": round(float(voxel_sizes(affine)[0]), 2),
            "vertebrae": next((name for name, v in VARIANTS.items() if v.finding in findings), "usual"),
            "findings": findings,
        }
        return SyntheticSpine(Volume(image, affine), Volume(labels, affine), about)

    def _slices(
        self, pose: PoseMap, affine: Array, shape: tuple[int, int, int], contrast: str, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        textures, person = Textures(rng), int(rng.integers(2**31))
        chain = pose.subject.chain
        table = _signal_table(contrast, pose.subject.worn, rng)
        fused = rng.random(len(VERTEBRA_ORDER)) < 0.01
        signal = np.zeros(shape, np.float32)
        labels = np.zeros(shape, np.uint8)
        for k, moved in enumerate(_moved(affine, shape[0], rng)):
            points = slice_points(moved, k, shape)
            around = surroundings(self.template, chain.in_body(_places(pose, moved, k, shape)), textures, person)
            for offset in (-0.3, 0.3, 0.0):
                place, above = chain.in_template(_places(pose, moved, k + offset, shape))
                tissue, level, material = self._look_up(place)
                level = chain.levels[above, level]
                material = np.where(material == Material.AIR, around, material)
                _roots(material, tissue, place, self.template)
                block = (tissue == Tissue.DISC) & fused[level]
                material = np.where(block, Material.MARROW, material).astype(np.uint8)
                signal[k] += table[level, material] / 3
            labels[k] = _label_values(np.where(block, Tissue.BODY, tissue), level)
            signal[k] *= textures.unevenness(points, material)
        return signal, labels

    def _look_up(self, place: Array) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        template = self.template
        index = np.rint((place - template.origin) / STEP_MM).astype(np.int64)
        size = np.array(template.tissue.shape)
        valid = ((index >= 0) & (index < size)).all(axis=-1)
        i, j, k = np.moveaxis(np.clip(index, 0, size - 1), -1, 0)
        found = [np.where(valid, field[i, j, k], 0) for field in (template.tissue, template.level, self._material)]
        return found[0], found[1], found[2]


def write_cases(
    anatomy: Path, folder: Path, count: int, seed: int = 0, progress: Progress = silent, balanced: bool = False
) -> None:
    """Write `count` cases as ``synthetic<seed>_image.nii.gz``, ``_labels.nii.gz`` and ``_about.json``.

    Existing cases are kept, so an interrupted run resumes.

    :param anatomy: folder that `template.build_template` reads.
    :param balanced: regions, contrasts and amounts of disease (none, usual, much) take turns; otherwise random.
    :raises InputNotFoundError: there is no such folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(seed, seed + count) if not (folder / f"synthetic{n:05d}_about.json").exists()]
    maker = Maker(build_template(anatomy)) if missing else None
    for done, n in enumerate(missing):
        assert maker is not None
        progress("synthesize", done / len(missing), f"{done} of {len(missing)}")
        case = maker.case(n, **_turn(n)) if balanced else maker.case(n)
        write_volume(case.image, folder / f"synthetic{n:05d}_image.nii.gz")
        write_volume(case.labels, folder / f"synthetic{n:05d}_labels.nii.gz")
        (folder / f"synthetic{n:05d}_about.json").write_text(json.dumps(case.about, indent=1) + "\n", encoding="utf-8")


def _turn(n: int) -> dict[str, Any]:
    """Choose what case `n` of a balanced set shows: all combinations in 84 cases."""
    regions, contrasts, diseases = list(REGIONS), list(CONTRASTS), (0.0, 0.5, 1.0)
    return {"region": regions[n % 4], "contrast": contrasts[n % 7], "disease": diseases[n % 3]}


def _stack(rng: np.random.Generator, region: str) -> tuple[Array, tuple[int, int, int]]:
    """Return affine and shape of a sagittal stack around the origin, slightly oblique as in patients."""
    from scipy.spatial.transform import Rotation

    wide, thin = rng.random() < 0.15, rng.random() < 0.3
    between = float(rng.uniform(0.9, 1.6) if thin or wide else rng.uniform(2.2, 4.6))
    pixel = float(rng.uniform(0.6, 1.0))
    count = int(np.clip(rng.uniform(34, 60) / between, 9, 30))
    if wide:  # the whole width of the bodies, and soft tissue on both sides
        width = rng.uniform(70, 110)
        between = max(between, width / 60)
        count = int(width / between)
    height = rng.uniform(160, 260) if region == "cervical" else rng.uniform(220, 380)
    depth = rng.uniform(130, 240)
    shape = (count, int(height / pixel), int(depth / pixel))
    turn = Rotation.from_euler("xyz", rng.normal(0, 3.0, 3), degrees=True).as_matrix()
    axes = turn @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]]) * [between, pixel, pixel]
    middle = np.array([rng.normal(0, 4), rng.normal(-5, 12), rng.normal(0, 15)])
    return from_matvec(axes, middle - axes @ ((np.array(shape) - 1) / 2)), shape


def _moved(affine: Array, count: int, rng: np.random.Generator) -> list[Array]:
    """Return the affine of each slice after patient motion: odd and even slices are acquired in two passes.

    Labels follow what the slice shows, as an annotator would segment it.
    """
    step = rng.normal(0, 0.6, 3) * (rng.random() < 0.2)
    own = rng.normal(0, 0.25, (count, 3)) * (rng.random() < 0.2)
    slices = np.repeat(affine[None], count, axis=0)
    slices[:, :3, 3] += own + np.outer(np.arange(count) % 2, step)
    return list(slices)


def _places(pose: PoseMap, affine: Array, k: float, shape: tuple[int, int, int]) -> Array:
    """Return the places of a slice's pixels in the chain, computed at every other pixel and interpolated."""
    half = (shape[1] // 2 + 2, shape[2] // 2 + 2)
    rows, columns = np.meshgrid(np.arange(half[0]) * 2.0, np.arange(half[1]) * 2.0, indexing="ij")
    index = np.stack([np.full(half, k), rows, columns], axis=-1)
    nodes = pose(apply_affine(affine, index))
    for axis in (0, 1):
        middle = (nodes + np.roll(nodes, -1, axis=axis)) / 2
        nodes = np.stack([nodes, middle], axis=axis + 1).reshape(
            (*nodes.shape[:axis], 2 * nodes.shape[axis], *nodes.shape[axis + 1 :])
        )
    places: Array = nodes[: shape[1], : shape[2]]
    return places


def _signal_table(contrast: str, worn_discs: frozenset[str], rng: np.random.Generator) -> Array:
    """Return the signal [level, material] of this person in this sequence; bodies and discs differ between levels."""
    levels = len(VERTEBRA_ORDER)
    signal = random_signal(contrast, rng)
    table = np.repeat(signal[None], levels, axis=0)
    table[:, Material.MARROW] *= np.exp(rng.normal(0, 0.07, levels))
    narrow = 0.5 * np.isin(VERTEBRA_ORDER, list(worn_discs))
    worn = np.clip(rng.normal(rng.uniform(0.1, 0.9), 0.3, levels) + narrow, 0, 1)
    nucleus, annulus = signal[Material.NUCLEUS], signal[Material.ANNULUS]
    table[:, Material.NUCLEUS] = nucleus + (annulus * 1.2 - nucleus) * worn
    return np.clip(table, 0, 1.3)


def _roots(material: NDArray[np.uint8], tissue: NDArray[np.uint8], place: Array, template: Template) -> None:
    """Add strands of the cauda equina in the sac below L1, in place."""
    side, ahead, s = np.moveaxis(place, -1, 0)
    top = template.centres[USUAL_ORDER.index("L1")] + 6
    strands = np.sin(side * 2.6 + 0.06 * s) + 0.6 * np.sin(ahead * 3.1 + 0.11 * s)
    material[(tissue == Tissue.CANAL) & (s < top) & (strands > 0.35) & (np.abs(side) < 7)] = Material.ROOTS


def _label_values(tissue: NDArray[np.uint8], level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    value = np.array([vertebra_value(name) for name in VERTEBRA_ORDER])[level]
    labels = np.zeros(tissue.shape, np.uint8)
    for kind, number in (
        (Tissue.BODY, value),
        (Tissue.POSTERIOR, value + POSTERIOR_OFFSET),
        (Tissue.DISC, value + DISC_OFFSET),
        (Tissue.CANAL, CANAL_VALUE),
        (Tissue.CORD, CORD_VALUE),
        (Tissue.SACRUM, SACRUM_VALUE),
    ):
        labels = np.where(tissue == kind, number, labels).astype(np.uint8)
    return labels


def _seen(subject: Subject, labels: NDArray[np.uint8]) -> list[str]:
    """Return the findings of levels that are in the image."""
    present = set(np.unique(labels).tolist())
    shown = {name for name in VERTEBRA_ORDER if vertebra_value(name) in present}
    named = [set(text.split()) & set(VERTEBRA_ORDER) for text in subject.findings]
    return [text for text, names in zip(subject.findings, named, strict=True) if not names or names & shown]


def _scanned(signal: NDArray[np.float32], affine: Array, rng: np.random.Generator) -> NDArray[np.int16]:
    """Apply coil shading, blur, ringing, signal voids and Rician noise."""
    image: NDArray[np.floating] = signal
    shape = image.shape
    back = np.linspace(0, 1, shape[2])[None, None]  # columns run backward
    image = image * (1 - float(rng.uniform(0, 0.75)) * (1 - back) ** float(rng.uniform(0.7, 2)))
    if rng.random() < 0.4:
        image = image * _coil_ends(shape[1], affine, rng)[:, None]
    coarse = rng.normal(0, float(rng.uniform(0.05, 0.3)), (2, 4, 4))
    smooth = ndimage.zoom(coarse, np.array(shape) / coarse.shape, order=1)
    image = image * np.exp(smooth[: shape[0], : shape[1], : shape[2]])
    if rng.random() < 0.06:
        image = _metal(image, affine, rng)
    if rng.random() < 0.25:
        image = _ghosts(image, rng)
    sigma = rng.uniform(0.3, 0.9, 2)
    image = ndimage.gaussian_filter(image, (0, *sigma))
    if rng.random() < 0.3:  # truncated k-space along the rows
        keep = int(shape[1] * rng.uniform(0.5, 0.8) / 2)
        spectrum = np.fft.rfft(image, axis=1)
        spectrum[:, keep:] = 0
        image = np.fft.irfft(spectrum, n=shape[1], axis=1)
    noise = float(rng.uniform(0.004, 0.05))
    image = np.hypot(image + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    return np.clip(image * 900, 0, 32767).astype(np.int16)


def _coil_ends(rows: int, affine: Array, rng: np.random.Generator) -> Array:
    """Return the gain of each row: a surface coil receives little from the last 5 to 8 cm at one or both ends."""
    place = np.arange(rows) * float(voxel_sizes(affine)[1])
    gain = np.ones(rows)
    for away in (place, place[-1] - place):
        if rng.random() < 0.8:
            rise = np.clip(away / rng.uniform(50, 80), 0, 1)
            minimum = rng.uniform(0.1, 0.3)
            gain *= minimum + (1 - minimum) * rise**2 * (3 - 2 * rise)
    return gain


def _ghosts(image: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Add copies of moving structures along the phase direction, at equal distances.

    Throat, chest or abdomen move, or the brightest structures: pulsating fluid, or fat that shifts with respiration.
    Each copy has a different phase; copies that leave the image on one side wrap around to the other.
    """
    axis = 1 if rng.random() < 0.7 else 2
    ahead = np.linspace(1, 0, image.shape[2]) - rng.uniform(0.45, 0.7)  # columns run backward
    moving = image * np.clip(ahead / 0.1, 0, 1)
    if rng.random() < 0.5:
        dark, bright = np.percentile(image, (88, 98))
        moving = image * np.clip((image - dark) / (bright - dark + 1e-6), 0, 1)
    apart = int(image.shape[axis] * rng.uniform(0.05, 0.2))
    strength = float(rng.uniform(0.1, 0.4))
    real, imaginary = image, np.zeros_like(image)
    for number in (-2, -1, 1, 2):
        copy = np.roll(moving, number * apart, axis=axis) * (strength / abs(number))
        phase = rng.uniform(0, 2 * np.pi)
        real, imaginary = real + np.cos(phase) * copy, imaginary + np.sin(phase) * copy
    ghosted: NDArray[np.floating] = np.hypot(real, imaginary)
    return ghosted


def _metal(image: NDArray[np.floating], affine: Array, rng: np.random.Generator) -> NDArray[np.floating]:
    """Add a signal void with a bright rim, as around screws."""
    spacing = voxel_sizes(affine)
    centre = np.array(image.shape) * rng.uniform(0.3, 0.7, 3)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in image.shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm((grid - centre) * spacing / (1.0, 1.0, 2.0), axis=-1)
    radius = rng.uniform(4, 12)
    image = np.where(distance < radius, 0.02, image)
    return np.where((distance >= radius) & (distance < radius + 2), image + 0.6, image)
