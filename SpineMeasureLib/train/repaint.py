"""A real T2 image as another sequence might show it: real anatomy and texture, signals of the synthetic tissues.

The labels say which voxels are bone, disc and lumen; the brightness of a voxel on T2 says what it contains (cortex or
marrow, annulus or nucleus, roots or fluid) and, around the spine, whether it is air, muscle or fat.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Tissue
from ..evaluate.voxel_codes import CANAL_OR_CORD, UNKNOWN
from .synth.tissues import Material, random_contrast, random_signal

#: Codes of each group; the materials of its dark edge, its darker and its brighter part; the quantile of its brightness
#: on T2 that belongs to the brighter part, and the fraction of it that the darker part has.
_GROUPS = (
    ((Tissue.BODY, Tissue.POSTERIOR), (Material.CORTEX, Material.CORTEX, Material.MARROW), 0.5, 0.3),
    ((Tissue.DISC,), (Material.CORTEX, Material.ANNULUS, Material.NUCLEUS), 0.95, 0.35),
    ((Tissue.CANAL, Tissue.CORD, CANAL_OR_CORD), (Material.ROOTS, Material.ROOTS, Material.CSF), 0.8, 0.4),
    ((), (Material.CORTEX, Material.MUSCLE, Material.FAT), 0.9, 0.35),
)
#: Darker voxels contain no signal.
_DARK = 0.02
#: Number of steps into which brightness 0 .. 2 is divided.
_STEPS = 2048


def repaint(image: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Choose a sequence at random and show a T2 image as that sequence would.

    :param image: float32 [slices, rows, columns], 0..1.
    :param codes: int64, same shape, see `voxel_codes`; everything but bone, disc and lumen counts as surroundings.
    """
    return repaint_as(random_signal(random_contrast(rng), rng), image, codes)


def repaint_as(signal: np.ndarray, image: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Show a T2 image with the given `signal` of each `Material`; see `repaint`."""
    group_of = torch.full((UNKNOWN + 1,), len(_GROUPS) - 1)
    for number, (tissues, *_) in enumerate(_GROUPS):
        group_of[[int(tissue) for tissue in tissues]] = number
    group = group_of[codes]
    step = (image * (_STEPS / 2)).long().clamp(0, _STEPS - 1)
    painted = torch.zeros_like(image)
    for number, (_, (edge, darker, brighter), quantile, part) in enumerate(_GROUPS):
        mask = group == number
        shown = image[mask & (image > _DARK)].numpy()
        if not len(shown):
            continue
        bright = np.quantile(shown, quantile)
        knots = np.array([_DARK, 0.4 * part * bright, part * bright, bright, 2 * bright])
        values = (0.0, signal[edge], signal[darker], signal[brighter], 1.15 * signal[brighter])
        curve = np.interp(np.linspace(0, 2, _STEPS), knots, values).astype(np.float32)
        share = F.avg_pool2d(mask.float(), 3, 1, 1, count_include_pad=False)  # borders share their pixels
        painted += share * torch.from_numpy(curve)[step]
    return painted
