"""The segmentation network: MONAI's DynUNet on neighbouring sagittal slices, fine in and out, coarse in between.

Space-to-depth in front and depth-to-space behind (Shi et al., CVPR 2016) let the network work at full
in-plane resolution at a quarter of the cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import DynUNet
from torch import nn

from ..anatomy import Tissue
from .definition import N_CHANNELS, NetworkDefinition
from .preprocess import SLICES_SEEN


def tissues_and_regions(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The channels of the tissues, and those of the regions after them (none if it does not predict regions)."""
    return logits[:, : len(Tissue)], logits[:, len(Tissue) :]


class SpineNet(nn.Module):
    """2.5D tissue segmentation of sagittal slices.

    Input: float tensor [batch, slices, rows, columns]; the slice to segment is the middle one, rows run from inferior
    to superior, columns from posterior to anterior. Rows and columns must be multiples of `divisor`.
    Output: logits [batch, classes, rows, columns]: the values of `anatomy.Tissue`, then those of `anatomy.Region`.

    :ivar definition: the arguments that it was made with.
    :raises DefinitionError: one of them is unreasonable.
    """

    def __init__(
        self,
        slices: int = SLICES_SEEN,
        classes: int = N_CHANNELS,
        filters: Sequence[int] = (32, 48, 96, 160, 224),
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.definition = NetworkDefinition(slices, classes, tuple(filters), fold)
        self.slices = slices
        self.predicts_regions = classes > len(Tissue)
        stages = len(filters)
        self.divisor = fold * 2 ** (stages - 1)
        self.fold = nn.PixelUnshuffle(fold)
        self.unet = DynUNet(
            spatial_dims=2,
            in_channels=slices * fold**2,
            out_channels=classes * fold**2,
            kernel_size=[3] * stages,
            strides=[1] + [2] * (stages - 1),
            upsample_kernel_size=[2] * (stages - 1),
            filters=list(filters),
            norm_name=("INSTANCE", {"affine": True}),
            act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        )
        self.unfold = nn.PixelShuffle(fold)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.unfold(self.unet(self.fold(image)))
        return logits
