"""One training sample: a slice with its neighbours and voxel codes, varied in geometry, sampling and contrast.

The ranges are wide on purpose, to cover T1, STIR, 4 mm slices, low resolution and partial fields of view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Tissue
from ..evaluate.labelled_sets import LabelledCase
from ..evaluate.voxel_codes import CANAL_OR_CORD, UNKNOWN
from ..segment.preprocess import IN_PLANE_MM, slices_seen
from .repaint import repaint

#: Distance between the nodes that a warp moves: about one vertebra.
_WARP_NODES_MM = 32.0
#: How often a tilted plane is dark beyond the stack, as in a rotated and resampled image; otherwise the border slice is
#: repeated there.
_OUTSIDE_DARK = 0.5


@dataclass(frozen=True)
class Augmentation:
    """Ranges and probabilities; probabilities per sample.

    :ivar oblique: how often the plane is tilted out of the stack, about both its axes.
    :ivar repaint: how often a `repaintable` case is shown as another sequence might show it.
    :ivar coil: how often the image fades towards one side, as at the end of a surface coil.
    :ivar warp: how often the plane is warped smoothly, by up to `warp_mm` (one standard deviation).
    """

    thickest_slice_mm: float = 5.0
    thick_slices: float = 0.3
    scale: float = 1.25
    rotation_deg: float = 10.0
    shear: float = 0.08
    oblique: float = 0.35
    tilt_deg: float = 8.0
    warp: float = 0.4
    warp_mm: float = 3.0
    low_resolution: float = 0.25
    repaint: float = 0.3
    gamma: float = 0.6
    inversion: float = 0.15
    curve: float = 0.25
    tissue_contrast: float = 0.3
    bias_field: float = 0.4
    coil: float = 0.15
    noise: float = 0.4
    field_cut: float = 0.15


def sample(
    case: LabelledCase, size: tuple[int, int], rng: np.random.Generator, augmentation: Augmentation
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sample a crop of `size` pixels at `IN_PLANE_MM`.

    :return: image float32 [slices, rows, columns] in about 0..1; codes and regions int64 [rows, columns].
    """
    count, spacing = case.image.shape[0], case.spacing[0]
    maximum = max(1, min(int(augmentation.thickest_slice_mm / spacing), count // 3))
    thickness = int(rng.integers(1, maximum + 1)) if rng.random() < augmentation.thick_slices else 1
    middle = int(rng.integers(count))
    row, column, centre = _plane(case, middle, size, rng, augmentation)
    depth = np.full(size, float(middle))
    outside_dark = False
    if rng.random() < augmentation.oblique:
        outside_dark = rng.random() < _OUTSIDE_DARK
        slopes = np.tan(np.radians(rng.normal(0, augmentation.tilt_deg, 2))) * case.spacing[1:] / spacing
        depth += slopes[0] * (row - centre[0]) + slopes[1] * (column - centre[1])
    codes, regions = _targets(case, depth, row, column)
    if outside_dark:
        codes[torch.from_numpy((depth < -0.5) | (depth > count - 0.5))] = Tissue.BACKGROUND
    offsets = np.arange(thickness) - thickness // 2
    shifts = np.array(slices_seen(spacing * thickness))[:, None] * thickness + offsets
    depths = depth + shifts.reshape(-1, 1, 1)
    if not outside_dark:
        depths = np.clip(depths, 0, count - 1)
    image = _intensities(case, depths, row, column).unflatten(0, shifts.shape).mean(dim=1)
    if case.repaintable and rng.random() < augmentation.repaint:
        middles = depths.reshape(*shifts.shape, *size)[:, thickness // 2]
        image = repaint(image, _targets(case, middles, row, column)[0], rng)
    if rng.random() < 0.5:
        image = image.flip(0)
    return _contrast(image, codes, rng, augmentation), codes, regions


def _plane(
    case: LabelledCase, middle: int, size: tuple[int, int], rng: np.random.Generator, augmentation: Augmentation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row and column in the case of every pixel of a rotated, scaled, sheared, warped crop, and its centre.

    The crop is around a point of the spine (four times out of five) or anywhere.
    """
    spacing = np.array(case.spacing[1:])
    codes = case.codes[middle]
    labelled = np.argwhere((codes > 0) & (codes < Tissue.SACRUM + 2))
    if len(labelled) and rng.random() < 0.8:
        centre = labelled[int(rng.integers(len(labelled)))] + rng.normal(0, 12 / spacing)
    else:
        centre = rng.uniform((0, 0), codes.shape)
    log_scale = math.log(augmentation.scale)
    scale = np.exp(rng.uniform(-log_scale, log_scale))
    stretch = np.exp(rng.normal(0, 0.05))
    angle = math.radians(rng.normal(0, augmentation.rotation_deg))
    shear = rng.normal(0, augmentation.shear / 2)
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = matrix @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag([scale * stretch, scale / stretch])
    matrix = np.diag(1 / spacing) @ matrix * IN_PLANE_MM  # output pixels to input pixels
    # Keep the crop mostly inside the image.
    limit = np.array(codes.shape)
    slack = np.minimum(np.abs(matrix) @ (np.array(size) / 2) * 0.8, limit / 2)
    centre = np.clip(centre, slack, limit - slack)

    r = np.arange(size[0])[:, None] - (size[0] - 1) / 2
    c = np.arange(size[1])[None, :] - (size[1] - 1) / 2
    row = centre[0] + matrix[0, 0] * r + matrix[0, 1] * c
    column = centre[1] + matrix[1, 0] * r + matrix[1, 1] * c
    if rng.random() < augmentation.warp:
        shift = _smooth(size, _WARP_NODES_MM, rng) * rng.uniform(0, augmentation.warp_mm)
        row, column = row + shift[0] / spacing[0], column + shift[1] / spacing[1]
    return row, column, centre


def _smooth(size: tuple[int, int], nodes_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Make two smooth random fields [2, rows, columns] of unit variance at nodes `nodes_mm` apart."""
    nodes = [max(4, round(n * IN_PLANE_MM / nodes_mm) + 1) for n in size]
    coarse = torch.from_numpy(rng.standard_normal((1, 2, *nodes)))
    return F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)[0].numpy()


def _targets(
    case: LabelledCase, depth: np.ndarray, row: np.ndarray, column: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return code and region of the voxel nearest to each point, [..., rows, columns]; UNKNOWN outside the case."""
    index = np.stack([np.rint(part) for part in np.broadcast_arrays(depth, row, column)]).astype(np.int64)
    limit = np.array(case.codes.shape).reshape(3, *[1] * depth.ndim)
    outside = ((index < 0) | (index >= limit)).any(axis=0)
    nearest = tuple(np.clip(index, 0, limit - 1))
    codes = np.where(outside, UNKNOWN, case.codes[nearest]).astype(np.int64)
    if case.regions is None:
        return torch.from_numpy(codes), torch.zeros(codes.shape, dtype=torch.int64)
    return torch.from_numpy(codes), torch.from_numpy(np.where(outside, 0, case.regions[nearest]).astype(np.int64))


def _intensities(case: LabelledCase, depths: np.ndarray, row: np.ndarray, column: np.ndarray) -> torch.Tensor:
    """Interpolate the image at depths[n, rows, columns] of each row and column, 0..1; 0 outside the image."""
    box, grid = [], []
    for points, count in zip((depths, row, column), case.image.shape, strict=True):
        low = int(np.clip(np.floor(points.min()), 0, count - 1))
        high = int(np.clip(np.ceil(points.max()) + 1, low + 1, count))
        box.append(slice(low, high))
        grid.append(torch.from_numpy(((2 * (points - low) + 1) / (high - low) - 1).astype(np.float32)))
    part = torch.from_numpy(case.image[tuple(box)].astype(np.float32) / 255.0)
    places = torch.stack(torch.broadcast_tensors(grid[2], grid[1], grid[0]), dim=-1)
    return F.grid_sample(part[None, None], places[None], padding_mode="zeros", align_corners=False)[0, 0]


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
    if rng.random() < augmentation.coil:
        image = image * _coil_end(image.shape[1:], rng)
    if rng.random() < augmentation.low_resolution:
        image = _low_resolution(image, rng)
    if rng.random() < augmentation.noise:
        sigma = float(rng.uniform(0.005, 0.06))
        image = image + sigma * torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
    if rng.random() < augmentation.field_cut:
        image = _field_cut(image, rng)
    return image.contiguous()


def _tissue_contrast(image: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Make each tissue brighter or darker independently: a step towards other sequences."""
    gain = torch.zeros(UNKNOWN + 1)
    gain[: Tissue.SACRUM + 1] = torch.from_numpy(rng.normal(0, 0.22, Tissue.SACRUM + 1).astype(np.float32))
    bone = float(rng.normal(0, 0.25))  # bodies, arches and sacrum contain the same marrow
    gain[[Tissue.BODY, Tissue.POSTERIOR, Tissue.SACRUM]] = bone
    gain[Tissue.BACKGROUND] = 0
    gain[CANAL_OR_CORD] = gain[Tissue.CANAL]
    change = F.avg_pool2d(gain[codes][None, None], 3, 1, 1, count_include_pad=False)[0]
    texture = 0.5 + image  # proportional to the signal, so that texture and dark rims are kept
    return (image + change * texture).clamp(0, 1.5)


def _intensity_curve(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Map intensities by a piecewise linear random curve over 0..1, not always rising."""
    knots = np.linspace(0, 1, 6)
    values = knots + rng.normal(0, 0.16, 6)
    values[0] = 0.0
    mapped = np.interp(image.numpy(), knots, np.clip(values, 0, 1.3))
    return torch.from_numpy(mapped.astype(np.float32))


def _bias_field(size: torch.Size, rng: np.random.Generator) -> torch.Tensor:
    """Make a smooth multiplicative field, exp of a random 4 x 4 grid."""
    coarse = torch.from_numpy(rng.normal(0, 0.25, (1, 1, 4, 4)).astype(np.float32))
    return F.interpolate(coarse, size=tuple(size), mode="bicubic", align_corners=True)[0].exp()


def _coil_end(size: torch.Size, rng: np.random.Generator) -> torch.Tensor:
    """Make a gain that falls to 0.1 - 0.4 in one direction of the plane, over the last fifth to half of the crop."""
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = torch.linspace(-1, 1, size[0])[:, None], torch.linspace(-1, 1, size[1])[None]
    along = rows * math.cos(angle) + columns * math.sin(angle)
    depth = (along.max() - along) / (along.max() - along.min())
    rise = (depth / float(rng.uniform(0.2, 0.5))).clamp(0, 1)
    minimum = float(rng.uniform(0.1, 0.4))
    return minimum + (1 - minimum) * rise**2 * (3 - 2 * rise)


def _low_resolution(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Lose in-plane resolution, independently along rows and columns."""
    factor = rng.uniform(0.35, 0.9, 2)
    size = (max(8, int(image.shape[1] * factor[0])), max(8, int(image.shape[2] * factor[1])))
    small = F.interpolate(image[None], size=size, mode="area")
    return F.interpolate(small, size=tuple(image.shape[1:]), mode="bilinear", align_corners=False)[0]


def _field_cut(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Darken a band along one border, as saturation bands and small fields of view do."""
    image = image.clone()
    axis = int(rng.integers(1, 3))
    width = int(image.shape[axis] * rng.uniform(0.05, 0.3))
    start = 0 if rng.random() < 0.5 else image.shape[axis] - width
    image.narrow(axis, start, width).mul_(float(rng.uniform(0, 0.3)))
    return image
