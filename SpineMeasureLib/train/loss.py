"""Training loss for voxels whose tissue is known in part only (marginal loss, Shi et al., Med Image Anal 2021).

Each voxel carries a code of `voxel_codes`, which represents a set of tissues; the loss asks only that the probability
of that set is high.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..anatomy import Tissue
from ..evaluate.voxel_codes import ALLOWED, UNKNOWN
from ..segment.network import tissues_and_regions

#: Weight of the loss of the regions beside that of the tissues, and of each region in it: C2 is one body among many.
_REGION_WEIGHT = 0.3
_WEIGHT_OF_REGION = (4.0, 1.0, 1.0, 1.0)


def allowed_table() -> torch.Tensor:
    """Return the bool tensor [codes, tissues]: which tissues each code allows.

    >>> allowed_table()[UNKNOWN].all().item()
    True
    """
    return torch.tensor([[tissue in ALLOWED[code] for tissue in Tissue] for code in range(len(ALLOWED))])


#: Groups over which Dice is taken. Bone and lumen are groups too: a set that does not distinguish their parts still
#: shows where they are.
DICE_GROUPS: tuple[frozenset[Tissue], ...] = (
    *(frozenset({tissue}) for tissue in Tissue if tissue is not Tissue.BACKGROUND),
    frozenset({Tissue.BODY, Tissue.POSTERIOR}),
    frozenset({Tissue.CANAL, Tissue.CORD}),
)


class PartialLabelLoss(torch.nn.Module):
    """Marginal cross-entropy plus soft Dice over the groups of tissues that are decided in each voxel.

    If the logits include regions, the cross-entropy of the region is added in the voxels where it is known.
    """

    allowed: torch.Tensor
    member: torch.Tensor
    inside: torch.Tensor
    outside: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        allowed = allowed_table()
        member = torch.tensor([[float(tissue in group) for tissue in Tissue] for group in DICE_GROUPS])
        within = allowed.float() @ member.T  # [codes, groups]: how many of a code's tissues are in the group
        self.register_buffer("allowed", allowed)
        self.register_buffer("member", member)
        self.register_buffer("inside", (within == allowed.sum(dim=1, keepdim=True)).float())
        self.register_buffer("outside", (within == 0).float())

    def forward(
        self, logits: torch.Tensor, codes: torch.Tensor, regions: torch.Tensor | None = None, dice: bool = True
    ) -> torch.Tensor:
        """Loss of logits [batch, tissues (and regions), rows, columns] against codes [batch, rows, columns] (int64).

        :param regions: int64 [batch, rows, columns], values of `anatomy.Region`, 0 if unknown or none.
        :param dice: False for cross-entropy alone, whose probabilities are calibrated; Dice makes thin discs too thick.
        """
        logits, region_logits = tissues_and_regions(logits.float())
        loss = self._tissue_loss(logits, codes, dice)
        if regions is None or not region_logits.shape[1] or not (regions > 0).any():
            return loss
        weights = torch.tensor(_WEIGHT_OF_REGION, device=region_logits.device)
        return loss + _REGION_WEIGHT * F.cross_entropy(region_logits, regions - 1, weights, ignore_index=-1)

    def _tissue_loss(self, logits: torch.Tensor, codes: torch.Tensor, dice: bool) -> torch.Tensor:
        allowed = self.allowed[codes].movedim(-1, 1)
        log_probability = torch.log_softmax(logits, dim=1)
        log_set = torch.logsumexp(log_probability.masked_fill(~allowed, -1e4), dim=1)
        known = codes != UNKNOWN
        entropy = -(log_set * known).sum() / known.sum().clamp(min=1)
        if not dice:
            return entropy

        grouped = torch.einsum("bt...,gt->bg...", log_probability.exp(), self.member)
        target = self.inside[codes].movedim(-1, 1)
        valid = target + self.outside[codes].movedim(-1, 1)
        axes = (0, 2, 3)
        probability = grouped * valid
        overlap = (probability * target).sum(axes)
        present = target.sum(axes) > 0
        overlaps = (2 * overlap + 1.0) / (probability.sum(axes) + target.sum(axes) + 1.0)
        return entropy + (1.0 - overlaps)[present].mean() if present.any() else entropy
