"""One training sample: a slice with its neighbours and target codes, varied in geometry, sampling and contrast.

The ranges are wide on purpose: T1, STIR, 4 mm slices, low resolution and partial fields of view must not be foreign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Tissue
from ..segment.preprocess import IN_PLANE_MM, slices_seen
from .data import TrainingCase
from .targets import UNKNOWN


@dataclass(frozen=True)
class Augmentation:
    """Ranges and probabilities; probabilities per sample."""

    thickest_slice_mm: float = 5.0
    thick_slices: float = 0.3
    scale: float = 1.25
    rotation_deg: float = 10.0
    shear: float = 0.08
    low_resolution: float = 0.25
    gamma: float = 0.6
    inversion: float = 0.1
    curve: float = 0.25
    tissue_contrast: float = 0.3
    bias_field: float = 0.4
    noise: float = 0.4
    field_cut: float = 0.15


def sample(
    case: TrainingCase, size: tuple[int, int], rng: np.random.Generator, augmentation: Augmentation
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a crop of `size` pixels at `IN_PLANE_MM`.

    :return: (image float32 [slices, rows, columns] in about 0..1, codes int64 [rows, columns]).
    """
    image, codes = _slices(case, rng, augmentation)
    image, codes = _crop(image, codes, case.spacing[1:], size, rng, augmentation)
    if rng.random() < 0.5:
        image = image.flip(0)
    return _contrast(image, codes, rng, augmentation), codes


def _slices(
    case: TrainingCase, rng: np.random.Generator, augmentation: Augmentation
) -> tuple[torch.Tensor, torch.Tensor]:
    """A slice with those the network sees beside it, made thicker by averaging now and then, and its codes."""
    count, spacing = case.image.shape[0], case.spacing[0]
    most = max(1, min(int(augmentation.thickest_slice_mm / spacing), count // 3))
    thickness = int(rng.integers(1, most + 1)) if rng.random() < augmentation.thick_slices else 1
    centre = int(rng.integers(count))
    # A slice that shows the spine teaches more than a lateral one without it.
    offsets = np.arange(thickness) - thickness // 2
    stack = []
    for shift in slices_seen(spacing * thickness):
        index = np.clip(centre + shift * thickness + offsets, 0, count - 1)
        stack.append(case.image[index].astype(np.float32).mean(axis=0) / 255.0)
    return torch.from_numpy(np.stack(stack)), torch.from_numpy(case.codes[centre])


def _crop(
    image: torch.Tensor,
    codes: torch.Tensor,
    spacing: tuple[float, ...],
    size: tuple[int, int],
    rng: np.random.Generator,
    augmentation: Augmentation,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotated, scaled, sheared crop around a point of the spine (four times of five) or anywhere."""
    rows, columns = codes.shape
    labelled = torch.nonzero((codes > 0) & (codes < Tissue.SACRUM + 2))
    if len(labelled) and rng.random() < 0.8:
        centre = labelled[int(rng.integers(len(labelled)))].numpy() + rng.normal(0, 12 / np.array(spacing))
    else:
        centre = rng.uniform((0, 0), (rows, columns))
    log_scale = math.log(augmentation.scale)
    scale = np.exp(rng.uniform(-log_scale, log_scale))
    stretch = np.exp(rng.normal(0, 0.05))
    angle = math.radians(rng.normal(0, augmentation.rotation_deg))
    shear = rng.normal(0, augmentation.shear / 2)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = matrix @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag([scale * stretch, scale / stretch])
    matrix = np.diag(1 / np.array(spacing)) @ matrix * IN_PLANE_MM  # output pixels to input pixels
    # Keep the crop mostly inside the image.
    half = np.abs(matrix) @ (np.array(size) / 2)
    limit = np.array([rows, columns])
    slack = np.minimum(half * 0.8, limit / 2)
    centre = np.clip(centre, slack, limit - slack)

    r = torch.arange(size[0], dtype=torch.float32) - (size[0] - 1) / 2
    c = torch.arange(size[1], dtype=torch.float32) - (size[1] - 1) / 2
    row = centre[0] + matrix[0, 0] * r[:, None] + matrix[0, 1] * c[None, :]
    column = centre[1] + matrix[1, 0] * r[:, None] + matrix[1, 1] * c[None, :]
    grid = torch.stack([(2 * column + 1) / columns - 1, (2 * row + 1) / rows - 1], dim=-1)[None].float()
    sampled = F.grid_sample(image[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    # Codes shifted by one so that outside the image is told from background.
    shifted = (codes.float() + 1)[None, None]
    nearest = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)[0, 0]
    target = nearest.long() - 1
    target[target < 0] = UNKNOWN
    return sampled, target


def _contrast(
    image: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator, augmentation: Augmentation
) -> torch.Tensor:
    inside = image > 0
    if rng.random() < augmentation.tissue_contrast:
        image = _tissue_contrast(image, codes, rng)
    if rng.random() < augmentation.curve:
        image = _intensity_curve(image, rng)
    if rng.random() < augmentation.gamma:
        image = image.clamp(0, 1) ** float(np.exp(rng.uniform(-0.7, 0.7)))
    if rng.random() < augmentation.inversion:
        image = (1 - image) * inside
    if rng.random() < augmentation.bias_field:
        image = image * _bias_field(image.shape[1:], rng)
    if rng.random() < augmentation.low_resolution:
        image = _low_resolution(image, rng)
    if rng.random() < augmentation.noise:
        sigma = float(rng.uniform(0.005, 0.06))
        image = image + sigma * torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
    if rng.random() < augmentation.field_cut:
        image = _field_cut(image, rng)
    return image.contiguous()


def _tissue_contrast(image: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Make each tissue brighter or darker on its own: a step towards other sequences."""
    gain = torch.zeros(UNKNOWN + 1)
    gain[: Tissue.SACRUM + 1] = torch.from_numpy(rng.normal(0, 0.22, Tissue.SACRUM + 1).astype(np.float32))
    bone = float(rng.normal(0, 0.25))  # bodies, arches and sacrum hold the same marrow
    gain[[Tissue.BODY, Tissue.POSTERIOR, Tissue.SACRUM]] = bone
    gain[Tissue.BACKGROUND] = 0
    gain[8] = gain[Tissue.CANAL]
    change = F.avg_pool2d(gain[codes][None, None], 3, 1, 1, count_include_pad=False)[0]
    texture = 0.5 + image  # proportional to what is there, so that texture and dark rims survive
    return (image + change * texture).clamp(0, 1.5)


def _intensity_curve(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Piecewise linear random curve through 0..1, not always rising."""
    knots = np.linspace(0, 1, 6)
    values = knots + rng.normal(0, 0.16, 6)
    values[0] = 0.0
    mapped = np.interp(image.numpy(), knots, np.clip(values, 0, 1.3))
    return torch.from_numpy(mapped.astype(np.float32))


def _bias_field(size: torch.Size, rng: np.random.Generator) -> torch.Tensor:
    """Smooth multiplicative field, exp of a random 4 x 4 grid."""
    coarse = torch.from_numpy(rng.normal(0, 0.25, (1, 1, 4, 4)).astype(np.float32))
    return F.interpolate(coarse, size=tuple(size), mode="bicubic", align_corners=True)[0].exp()


def _low_resolution(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """In-plane resolution lost, independently along rows and columns."""
    factor = rng.uniform(0.35, 0.9, 2)
    size = (max(8, int(image.shape[1] * factor[0])), max(8, int(image.shape[2] * factor[1])))
    small = F.interpolate(image[None], size=size, mode="area")
    return F.interpolate(small, size=tuple(image.shape[1:]), mode="bilinear", align_corners=False)[0]


def _field_cut(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A dark band along one border, as left by saturation bands and small fields of view."""
    image = image.clone()
    axis = int(rng.integers(1, 3))
    width = int(image.shape[axis] * rng.uniform(0.05, 0.3))
    start = 0 if rng.random() < 0.5 else image.shape[axis] - width
    image.narrow(axis, start, width).mul_(float(rng.uniform(0, 0.3)))
    return image
