"""The network over a whole image: tissue of every voxel and how sure the network is of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray

from ..anatomy import Region, Tissue
from ..errors import OutOfMemoryError
from ..grid import in_slice_order
from ..progress import ESTIMATE, Progress, part_of, silent
from ..volume import Volume
from .device import describe
from .network import SpineNet, tissues_and_regions
from .preprocess import IN_PLANE_MM, normalised_intensity, slices_seen

#: Slices closer together than this are averaged in groups: the network was not trained on thinner ones.
_THINNEST_SLICE_MM = 0.75
#: A slice larger than this (pixels at IN_PLANE_MM) is run in overlapping tiles.
_LARGEST_TILE = 704
_GPU_SLICES = 8
#: Per thread of an AMD EPYC, measured on the sample (15 slices of 528 x 432 pixels in 5.3 s of processor time).
_PIXELS_PER_SECOND = 0.65e6
#: A stack of more slices than this extends beyond the spine: every fourth slice is scanned to find the spine.
_MANY_SLICES = 48
_SCAN_STEP = 4
#: A slice with fewer pixels (at IN_PLANE_MM) other than background does not show the spine.
_FEWEST_PIXELS = 200
#: Probabilities of neighbouring slices are averaged with Gaussian weights of this width: thin slices show
#: nearly the same, thick ones do not.
_ACROSS_MM = 0.8
#: Lumen is divided between canal and cord by their shares in a window of this many pixels at IN_PLANE_MM.
_CORD_WINDOW = 7


@dataclass(frozen=True)
class TissueMap:
    """The prediction of the network for the voxels of the image, in slice order.

    :ivar tissue: uint8 array[slice, row, column], values of `anatomy.Tissue`.
    :ivar probability: the same shape, probability of that tissue times 255; 0 in slices far from the spine.
    :ivar region: the same shape, most probable `anatomy.Region` of a body there; None if the model does not predict it.
    :ivar affine: 4x4, index (slice, row, column) to RAS mm.
    """

    tissue: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    region: NDArray[np.uint8] | None
    affine: NDArray[np.float64]
    device: str
    warnings: tuple[str, ...]


def predict_tissue(volume: Volume, network: SpineNet, device: torch.device, progress: Progress = silent) -> TissueMap:
    """Run the network over the sagittal slices.

    Slices are taken along the array axis nearest to right-left. Out of memory on a GPU continues on the CPU.

    :raises DeviceError: memory ran out on the CPU.
    """
    warnings: list[str] = []
    ordered = in_slice_order(volume)
    spacing, image = ordered.spacing, ordered.array
    group = max(1, round(_THINNEST_SLICE_MM / spacing[0])) if spacing[0] < _THINNEST_SLICE_MM else 1
    stack = _network_slices(normalised_intensity(image), group, spacing)
    if device.type == "cpu":
        seconds = expected_seconds(stack)
        progress(ESTIMATE, 0.0, f"The model needs about {seconds} s for {len(stack)} slices on {describe(device)}.")
    tissue = np.zeros(image.shape, np.uint8)
    probability = np.zeros(image.shape, np.uint8)
    region = np.zeros(image.shape, np.uint8) if network.predicts_regions else None
    while True:
        try:
            found = _spine_slices(stack, spacing[0] * group, network.to(device), device, progress)
            for n, scores in _shared(found, spacing[0] * group):
                slices = slice(n * group, (n + 1) * group)
                tissue[slices], probability[slices] = _on_grid(scores[: len(Tissue)], image.shape[1:])
                if region is not None:
                    region[slices] = _likeliest(scores[len(Tissue) :], image.shape[1:]) + Region.AXIS
            break
        except torch.OutOfMemoryError as error:
            if device.type == "cpu":
                raise OutOfMemoryError(
                    "The computer has too little memory for this image.", "Crop it to the spine."
                ) from error
            warnings.append(f"The memory of {describe(device)} ran out; the segmentation continued on the CPU.")
            device = torch.device("cpu")
            torch.cuda.empty_cache()
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            raise OutOfMemoryError(
                "The computer has too little memory for this image.", "Crop it to the spine."
            ) from error

    return TissueMap(tissue, probability, region, ordered.affine, describe(device), tuple(warnings))


def expected_seconds(stack: torch.Tensor) -> int:
    """Seconds that the network takes on the processor for slices [slices, rows, columns] at `IN_PLANE_MM`.

    For a stack that extends beyond the spine fewer slices are segmented, so this is a maximum.
    """
    return math.ceil(stack.numel() / _PIXELS_PER_SECOND / torch.get_num_threads())


def _network_slices(image: NDArray[np.float32], group: int, spacing: tuple[float, float, float]) -> torch.Tensor:
    """Slices at the network's in-plane spacing, [slices, rows, columns]."""
    count = -(-image.shape[0] // group)
    averaged = np.stack([image[n * group : (n + 1) * group].mean(axis=0) for n in range(count)])
    size = tuple(max(1, round(n * d / IN_PLANE_MM)) for n, d in zip(averaged.shape[1:], spacing[1:], strict=True))
    stack = torch.from_numpy(averaged)[:, None]
    return F.interpolate(stack, size=size, mode="bilinear", antialias=True, align_corners=False)[:, 0]


def _spine_slices(
    stack: torch.Tensor, spacing: float, network: SpineNet, device: torch.device, progress: Progress
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (slice number, probabilities) of every slice in turn, or of those near the spine if there are many."""
    count = len(stack)
    seen = slices_seen(spacing)
    if count <= _MANY_SLICES:
        yield from _run(stack, range(count), seen, network, device, progress)
        return
    share = 0.4
    scan = _run(stack, range(0, count, _SCAN_STEP), seen, network, device, part_of(progress, 0.0, share))
    shown = [n for n, scores in scan if int((scores[Tissue.BACKGROUND] < 0.5).sum()) >= _FEWEST_PIXELS]
    if shown:
        near = range(max(0, shown[0] - _SCAN_STEP + 1), min(count, shown[-1] + _SCAN_STEP))
        yield from _run(stack, near, seen, network, device, part_of(progress, share, 1.0))


def _shared(found: Iterator[tuple[int, torch.Tensor]], spacing: float) -> Iterator[tuple[int, torch.Tensor]]:
    """Average the probabilities of consecutive slices with their neighbours'; the first and last count twice."""
    side = math.exp(-0.5 * (spacing / _ACROSS_MM) ** 2)
    before: tuple[int, torch.Tensor] | None = None
    current: tuple[int, torch.Tensor] | None = None
    for after in found:
        if current is not None:
            yield current[0], _blend((before or current)[1], current[1], after[1], side)
        before, current = current, after
    if current is not None:
        yield current[0], _blend((before or current)[1], current[1], current[1], side)


def _blend(before: torch.Tensor, current: torch.Tensor, after: torch.Tensor, side: float) -> torch.Tensor:
    return (current + side * (before + after)) / (1 + 2 * side) if side > 0.01 else current


def _run(
    stack: torch.Tensor,
    wanted: Sequence[int],
    seen: Sequence[int],
    network: SpineNet,
    device: torch.device,
    progress: Progress,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (slice number, probabilities [tissues, rows, columns]) of the wanted slices, block by block."""
    count, rows, columns = stack.shape
    divisor = network.divisor
    padded = F.pad(stack, (0, -columns % divisor, 0, -rows % divisor))
    tile = tuple(min(n, _LARGEST_TILE // divisor * divisor) for n in padded.shape[1:])
    inferer = SlidingWindowInferer(roi_size=tile, sw_batch_size=1, overlap=0.25, mode="gaussian")
    block = _GPU_SLICES if device.type == "cuda" else 1
    with torch.inference_mode():
        for first in range(0, len(wanted), block):
            numbers = wanted[first : first + block]
            inputs = torch.stack([padded[[min(max(n + k, 0), count - 1) for k in seen]] for n in numbers]).to(device)
            with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
                logits = network(inputs) if tile == tuple(padded.shape[1:]) else inferer(inputs, network)
            assert isinstance(logits, torch.Tensor)
            parts = tissues_and_regions(logits.float()[:, :, :rows, :columns])
            scores = torch.cat([torch.softmax(part, dim=1) for part in parts], dim=1).cpu()
            yield from zip(numbers, scores, strict=True)
            done = first + len(numbers)
            progress("segment", done / len(wanted), f"slice {numbers[-1] + 1} of {count}")


def _on_grid(scores: torch.Tensor, size: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Most probable tissue of each pixel of the image's grid, from probabilities [tissues, rows, columns] of a slice,
    and its probability times 255."""
    native = F.interpolate(cord_settled(scores[None]), size=size, mode="bilinear", align_corners=False)
    best, index = most_probable(native)
    return index[0].to(torch.uint8).numpy(), (best[0] * 255).round().to(torch.uint8).numpy()


def _likeliest(scores: torch.Tensor, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Channel with the highest score at each pixel of the image's grid, from [channels, rows, columns] of a slice."""
    index = scores.argmax(dim=0).to(torch.uint8)
    nearest: NDArray[np.uint8] = F.interpolate(index[None, None], size=size, mode="nearest-exact")[0, 0].numpy()
    return nearest


def cord_settled(scores: torch.Tensor) -> torch.Tensor:
    """Probabilities [batch, tissues, rows, columns] at `IN_PLANE_MM` in which the lumen is divided between canal and
    cord as it is in the neighbourhood."""
    lumen = scores[:, Tissue.CANAL] + scores[:, Tissue.CORD]
    cord, whole = (F.avg_pool2d(part, _CORD_WINDOW, 1, _CORD_WINDOW // 2) for part in (scores[:, Tissue.CORD], lumen))
    settled = scores.clone()
    settled[:, Tissue.CORD] = lumen * cord / whole.clamp(min=1e-3)
    settled[:, Tissue.CANAL] = lumen - settled[:, Tissue.CORD]
    return settled


def most_probable(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tissue of each pixel from probabilities [batch, tissues, rows, columns], and how probable it is.

    Bone (body or posterior) and lumen (canal or cord) compete as wholes, so that uncertainty within one of them does
    not assign the pixel to a third tissue.
    """
    bone = scores[:, Tissue.BODY] + scores[:, Tissue.POSTERIOR]
    lumen = scores[:, Tissue.CANAL] + scores[:, Tissue.CORD]
    wholes = (
        (Tissue.BACKGROUND, scores[:, Tissue.BACKGROUND]),
        (Tissue.BODY, bone),
        (Tissue.DISC, scores[:, Tissue.DISC]),
        (Tissue.CANAL, lumen),
        (Tissue.SACRUM, scores[:, Tissue.SACRUM]),
    )
    best, place = torch.stack([score for _, score in wholes], dim=1).max(dim=1)
    index = torch.tensor([tissue for tissue, _ in wholes], device=scores.device)[place]
    for whole, part in ((Tissue.BODY, Tissue.POSTERIOR), (Tissue.CANAL, Tissue.CORD)):
        index[(index == whole) & (scores[:, part] > scores[:, whole])] = part
    return best, index
