"""Training targets that say what is known of a voxel and no more.

A set that does not label a structure leaves it unlabelled, not background. Each voxel therefore carries a code for
the set of tissues it may be; the loss asks only that the probability of that set is high (marginal loss, Shi et al.,
Med Image Anal 2021).
"""

from __future__ import annotations

import torch

from ..anatomy import Tissue

N_TISSUES = len(Tissue)

#: Codes 0-6 are the tissues themselves; these stand for several.
BACKGROUND_OR_SACRUM = 7
CANAL_OR_CORD = 8
NOT_BODY = 9
NOT_CORD = 10
UNKNOWN = 11

_SEVERAL = {
    BACKGROUND_OR_SACRUM: {Tissue.BACKGROUND, Tissue.SACRUM},
    CANAL_OR_CORD: {Tissue.CANAL, Tissue.CORD},
    NOT_BODY: set(Tissue) - {Tissue.BODY},
    NOT_CORD: set(Tissue) - {Tissue.CORD},
    UNKNOWN: set(Tissue),
}


def allowed_table() -> torch.Tensor:
    """Bool tensor [codes, tissues]: which tissues each code allows."""
    table = torch.zeros(len(Tissue) + len(_SEVERAL), N_TISSUES, dtype=torch.bool)
    for tissue in Tissue:
        table[tissue, tissue] = True
    for code, tissues in _SEVERAL.items():
        table[code, [int(t) for t in tissues]] = True
    return table


class PartialLabelLoss(torch.nn.Module):
    """Marginal cross-entropy plus soft Dice over the tissues that are decided in each voxel."""

    allowed: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("allowed", allowed_table())

    def forward(self, logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Loss of logits [batch, tissues, rows, columns] against codes [batch, rows, columns] (int64)."""
        allowed = self.allowed[codes].movedim(-1, 1)
        log_probability = torch.log_softmax(logits.float(), dim=1)
        log_set = torch.logsumexp(log_probability.masked_fill(~allowed, -1e4), dim=1)
        known = codes != UNKNOWN
        entropy = -(log_set * known).sum() / known.sum().clamp(min=1)

        decided = allowed.sum(dim=1, keepdim=True) == 1
        target = (allowed & decided).float()
        valid = (decided | ~allowed).float()
        probability = log_probability.exp() * valid
        axes = (0, 2, 3)
        overlap = (probability * target).sum(axes)
        size = probability.sum(axes) + target.sum(axes)
        present = target.sum(axes) > 0
        dice = (2 * overlap + 1.0) / (size + 1.0)
        return entropy + (1.0 - dice)[present].mean() if present.any() else entropy
