"""From a tissue map to named structures: every vertebra, disc, canal, cord and the sacrum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...anatomy import SACRUM_VALUE, Tissue, disc_name
from ...errors import NothingFoundError
from ...orientation import from_slice_order, slice_order, slice_spacing
from ...segmentation import SpineSegmentation
from .chain import Slot, find_chain
from .column import Column, find_column
from .levels import Naming, RegionShares, name_chain
from .paint import first_levels, paint_canal, paint_chain, paint_posterior
from .sacrum import largest_piece, settle_sacrum
from .sizes import Size
from .structures import list_structures
from .top import dens_seen, is_axis, regions_seen, without_above_axis
from .trim import trim_bodies


def name_structures(
    tissue: NDArray[np.uint8],
    affine: NDArray[np.float64],
    *,
    confidence: NDArray[np.uint8] | None = None,
    regions: NDArray[np.uint8] | None = None,
    lowest_disc: str | None = None,
    sacrum_drawn: bool = True,
) -> SpineSegmentation:
    """Separate and name the structures of a tissue map.

    :param tissue: uint8 array[i,j,k] of `anatomy.Tissue` values, any storage orientation.
    :param affine: 4x4, voxel index to RAS mm.
    :param confidence: uint8 array[i,j,k], probability of the tissue times 255, if a model predicted the map; voxels
        far beside a body are then left out.
    :param regions: uint8 array[i,j,k], the most probable `anatomy.Region` of a body at each voxel, if predicted.
    :param lowest_disc: name of the lowest disc in view, given by the user.
    :param sacrum_drawn: False if the map comes from masks without a sacrum.
    :raises NothingFoundError: there is no disc and no vertebra.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit, or there are more vertebrae than a spine has.
    """
    whole = slice_order(tissue, affine)
    columns = _columns_in_use(whole)
    ordered = np.ascontiguousarray(whole[:, :, columns])
    mm = np.array(slice_spacing(affine))
    told = None if regions is None else slice_order(regions, affine)[:, :, columns]
    found = _Found.of(ordered, told, mm, is_predicted=confidence is not None)
    ordered, column = found.tissue, found.column
    naming = name_chain(
        _sizes(found.slots, ordered.shape[1] * mm[1]),
        lowest_disc=lowest_disc,
        sacrum=found.sacrum,
        dens=found.dens,
        sacrum_drawn=sacrum_drawn,
        regions=_per_level(found.slots, found.regions),
    )
    warnings = list(found.warnings)
    if not naming.verified:
        warnings.append(_guess_in_words(naming, found.sacrum or found.dens > 1))
    warnings += _counted_in_words(found.slots, naming)
    painted = np.zeros(whole.shape, np.uint8)
    labels = painted[:, :, columns]
    flags = paint_chain(labels, column, found.slots, naming.vertebrae)
    if found.sacrum:
        labels[largest_piece(ordered == Tissue.SACRUM) & (labels == 0)] = SACRUM_VALUE
    paint_posterior(labels, ordered, column, found.slots, naming.vertebrae, mm)
    paint_canal(labels, ordered, mm, naming.verified)
    if not labels.any():
        raise _nothing_found()
    native = np.ascontiguousarray(from_slice_order(painted, affine))
    structures = list_structures(native, affine, naming.vertebrae, confidence, flags, naming.verified)
    return SpineSegmentation(native, affine, structures, naming.verified, naming.anchor, tuple(warnings))


@dataclass(frozen=True)
class _Found:
    """What was found in a tissue map [slice, row, column], before the levels are named.

    :ivar tissue: the map, with the sacrum corrected.
    :ivar slots: vertebrae from head to sacrum.
    :ivar sacrum: whether the last one is the sacrum.
    :ivar dens: likelihood ratio that the first one is C2.
    :ivar regions: by body label, what the model predicted of its region.
    """

    tissue: NDArray[np.uint8]
    column: Column
    slots: list[Slot]
    sacrum: bool
    dens: float
    regions: dict[int, RegionShares]
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls, tissue: NDArray[np.uint8], regions: NDArray[np.uint8] | None, mm: NDArray[np.float64], is_predicted: bool
    ) -> _Found:
        """Find discs, bodies and sacrum.

        :raises NothingFoundError: there is no disc and no vertebra.
        """
        column = find_column(tissue, (float(mm[0]), float(mm[1]), float(mm[2])))
        if column is None:
            raise _nothing_found()
        warnings = []
        settled = settle_sacrum(column, tissue, mm)
        if settled is not None:
            tissue, column = settled.tissue, settled.column
            if settled.left_out:
                warnings.append("A disc within the sacrum (S1-S2) was left out.")
        if is_predicted:
            column = trim_bodies(column, mm)
        seen = {} if regions is None else regions_seen(column, regions)
        if seen and (below := without_above_axis(column, seen)) is not column:
            column = below
            warnings.append("Structures segmented above C2 were left out.")
        dens = dens_seen(column, tissue, mm)
        if column.bodies and (dens > 1 or is_axis(seen.get(column.bodies[0].label))):
            # Long because of its dens, not because two bodies are fused.
            column = replace(column, bodies=(replace(column.bodies[0], levels=1), *column.bodies[1:]))
        slots = find_chain(column, settled is not None)
        return cls(tissue, column, slots, settled is not None, dens, seen, tuple(warnings))


def _nothing_found() -> NothingFoundError:
    return NothingFoundError(
        "No vertebra and no disc was found in the image.", "Check that it is a spine MRI with the spine in view."
    )


def _columns_in_use(ordered: NDArray[np.uint8]) -> slice:
    """The columns of [slice, row, column] that are not empty: the spine needs only a part of them."""
    used = np.flatnonzero(ordered.any(axis=(0, 1)))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(None)


def _sizes(slots: list[Slot], height: float) -> list[Size]:
    """Sizes of the vertebrae that are completely in view, one per level.

    :param height: of the image, mm.
    """
    sizes: list[Size] = []
    for index, slot in enumerate(slots):
        body, above = slot.body, slots[index - 1].disc if index else None
        if body is None or body.levels > 1:
            sizes += [Size()] * slot.levels
            continue
        half = body.length / 2 + 1
        whole = half < body.centre[1] < height - half
        step = above.position - slot.disc.position if above and slot.disc else None
        sizes.append(Size(body.depth if whole else None, step))
    return sizes


def _per_level(slots: list[Slot], seen: dict[int, RegionShares]) -> list[RegionShares | None]:
    """Predicted region of each vertebra; None if it has no body, or shares a fused one."""
    shares: list[RegionShares | None] = []
    for slot in slots:
        shares += [seen.get(slot.body.label) if slot.body and slot.body.levels == 1 else None] * slot.levels
    return shares


def _guess_in_words(naming: Naming, anchored: bool) -> str:
    reason = "Neither the sacrum nor the dens is in view"
    if anchored:
        reason = "The apparent sacrum or dens does not fit the size and appearance of the vertebrae"
    sentence = f"{reason}: the level names are "
    if naming.probability:
        other = f"; next most likely: lowest disc {disc_name(*naming.runner_up[-2:])}" if naming.runner_up[1:] else ""
        sentence += f"estimated from the size and appearance of the vertebrae ({naming.probability:.0%}{other})"
    else:
        sentence += "a guess"
    return f"{sentence}. Name the lowest disc (--lowest-disc) to confirm them."


def _counted_in_words(slots: list[Slot], naming: Naming) -> list[str]:
    """A warning about vertebrae that were not found but counted, if there are any."""
    counted = [naming.vertebrae[level] for slot, level in first_levels(slots) if slot.counted]
    return (
        [f"Not found, but counted because of the gap between their neighbours: {', '.join(counted)}."]
        if counted
        else []
    )
