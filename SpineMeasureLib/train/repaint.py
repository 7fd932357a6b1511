"""A real T2 image as another sequence might show it: its own anatomy and texture, signals of the synthetic tissues.

The labels say which voxels are bone, disc and lumen; how bright a voxel is on T2 says what it holds there (cortex or
marrow, annulus or nucleus, roots or fluid) and, around the spine, whether it is air, muscle or fat.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..anatomy import Tissue
from .synth.tissues import Material, random_contrast, random_signal
from .targets import CANAL_OR_CORD, UNKNOWN

#: Codes of each whole; the materials of its dark edge, its darker and its brighter part; the quantile of its brightness
#: on T2 that is the brighter one's, and what the darker one has of that.
_WHOLES = (
    ((Tissue.BODY, Tissue.POSTERIOR), (Material.CORTEX, Material.CORTEX, Material.MARROW), 0.5, 0.3),
    ((Tissue.DISC,), (Material.CORTEX, Material.ANNULUS, Material.NUCLEUS), 0.95, 0.35),
    ((Tissue.CANAL, Tissue.CORD, CANAL_OR_CORD), (Material.ROOTS, Material.ROOTS, Material.CSF), 0.8, 0.4),
    ((), (Material.CORTEX, Material.MUSCLE, Material.FAT), 0.9, 0.35),
)
#: Darker voxels show nothing.
_DARK = 0.02
#: Brightness 0 .. 2 is told apart in so many steps.
_STEPS = 2048


def repaint(image: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Draw a sequence and show what is in a T2 image as that one would.

    :param image: float32 [slices, rows, columns], 0..1.
    :param codes: int64 alike, codes of `targets`; everything that is no bone, disc or lumen counts as surroundings.
    """
    return repaint_as(random_signal(random_contrast(rng), rng), image, codes)


def repaint_as(signal: np.ndarray, image: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Show what is in a T2 image with the given `signal` of each `Material`; see `repaint`."""
    whole_of = torch.full((UNKNOWN + 1,), len(_WHOLES) - 1)
    for number, (tissues, *_) in enumerate(_WHOLES):
        whole_of[[int(tissue) for tissue in tissues]] = number
    whole = whole_of[codes]
    step = (image * (_STEPS / 2)).long().clamp(0, _STEPS - 1)
    painted = torch.zeros_like(image)
    for number, (_, (edge, darker, brighter), quantile, part) in enumerate(_WHOLES):
        mask = whole == number
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
