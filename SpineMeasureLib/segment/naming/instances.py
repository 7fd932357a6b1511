"""From a tissue map to named structures: every vertebra, disc, canal, cord and the sacrum."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

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
    Kind,
    Region,
    Tissue,
    disc_name,
    vertebra_value,
)
from ...errors import LevelNameError, NothingFoundError
from ...field_of_view import CUT, at_border
from ...orientation import from_slice_order, slice_order, slice_spacing
from ...segmentation import SpineSegmentation, Structure
from .chain import Slot, find_chain
from .column import Body, Column, arc_positions, find_column, forward_of, pieces_of, tangent_at
from .levels import DENS_LIKELY, DENS_SEEN, Naming, RegionShares, name_chain, name_from_below, parse_disc
from .sacrum import largest_piece, settle_sacrum
from .sizes import Size
from .trim import trim_bodies

_SMALLEST_CANAL = 0.05
_SHORTEST_CORD_MM = 20.0
_SMALLEST_POSTERIOR_MM3 = 60.0
#: Posterior elements lie lower than their body by about this part of the step between levels.
_POSTERIOR_DROP = 0.35
#: AP depth (mm) below which the bodies under C2 are cervical; depth of the dens over that of the body of C2 (about 11
#: over 16 mm; Panjabi et al., Spine 1991).
_DEEPEST_BELOW_DENS_MM = 21.0
_TAPER_OF_DENS = 0.85
#: Length of the body of C2 with its dens over that of the bodies below: at least; where its taper is not seen.
_TALL, _TALLER = 1.35, 1.7
#: Part of the top body that a model must draw as C2.
_SURELY_AXIS = 0.75
#: Between two cervical bodies there are 5 mm of disc; so much above a body without one is the end of the column.
_FREE_ABOVE_C2_MM = 4.0


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
    :param confidence: uint8 array[i,j,k], probability of the tissue times 255, where a model drew the map; what such a
        one draws far beside a body is left out.
    :param regions: uint8 array[i,j,k], the likeliest `anatomy.Region` of a body at each voxel, where a model told it.
    :param lowest_disc: name of the lowest disc in view, given by the user.
    :param sacrum_drawn: False where the map comes from masks without a sacrum.
    :raises NothingFoundError: no disc and no vertebra.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit, or there are more vertebrae than a spine has.
    """
    whole = slice_order(tissue, affine)
    columns = _columns_in_use(whole)
    ordered = np.ascontiguousarray(whole[:, :, columns])
    spacing = slice_spacing(affine)
    column = find_column(ordered, spacing)
    if column is None:
        raise NothingFoundError(
            "No vertebra and no disc was found in the image.", "Check that it is a spine MRI with the spine in view."
        )
    warnings: list[str] = []
    settled = settle_sacrum(column, ordered, np.array(spacing), warnings)
    if settled is not None:
        ordered, column = settled
    if confidence is not None:
        trim_bodies(column, np.array(spacing))
    seen = {} if regions is None else _regions_seen(column, slice_order(regions, affine)[:, :, columns])
    if seen and _leave_out_above_axis(column, seen):
        warnings.append("What was drawn as a vertebra above C2 was left out.")
    dens = _dens_seen(column, ordered, spacing)
    if column.bodies and (dens > 1 or _is_axis(seen.get(column.bodies[0].label))):
        column.bodies[0].levels = 1  # long for its dens, not because two bodies are fused
    slots = find_chain(column, settled is not None)
    chain = _sizes(slots, ordered.shape[1] * spacing[1])
    naming = name_chain(
        chain,
        lowest_disc=lowest_disc,
        sacrum=settled is not None,
        dens=dens,
        sacrum_drawn=sacrum_drawn,
        regions=_per_level(slots, seen),
    )
    if not naming.verified:
        warnings.append(_guess_in_words(naming, settled is not None or dens > 1))
    warnings += _counted_in_words(slots, naming)
    painted = np.zeros(whole.shape, np.uint8)
    labels = painted[:, :, columns]
    flags = _paint_chain(labels, column, slots, naming)
    if settled is not None:
        labels[largest_piece(ordered == Tissue.SACRUM) & (labels == 0)] = SACRUM_VALUE
    _paint_posterior(labels, ordered, column, slots, naming, spacing)
    _paint_canal(labels, ordered, spacing, naming.verified)
    if np.count_nonzero(labels) == 0:
        raise NothingFoundError("No vertebra and no disc was found in the image.", "Check that it is a spine MRI.")
    native = np.ascontiguousarray(from_slice_order(painted, affine))
    structures = list_structures(native, affine, naming.vertebrae, confidence, flags, naming.verified)
    return SpineSegmentation(native, affine, structures, naming.verified, naming.anchor, tuple(warnings))


def _columns_in_use(ordered: NDArray[np.uint8]) -> slice:
    """The columns of [slice, row, column] that hold anything: the spine takes a part of them only."""
    used = np.flatnonzero(ordered.any(axis=(0, 1)))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(None)


def _sizes(slots: list[Slot], height: float) -> list[Size]:
    """Sizes of the vertebrae that are wholly in view, one per level.

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


def _regions_seen(column: Column, told: NDArray[np.uint8]) -> dict[int, RegionShares]:
    """How much of each body, by its label, lies in each region."""
    inside, bodies, count = column.body_labels > 0, int(column.body_labels.max()) + 1, len(Region) + 1
    voxels = np.bincount(column.body_labels[inside] * count + told[inside], minlength=bodies * count)
    votes = voxels.reshape(bodies, count)[:, 1:]
    return {body.label: tuple((votes[body.label] / max(votes[body.label].sum(), 1)).tolist()) for body in column.bodies}


def _is_axis(shares: RegionShares | None) -> bool:
    """Whether a body was drawn as C2, and not a part of it alone, as where C3 is joined to it."""
    return shares is not None and shares[0] > _SURELY_AXIS


def _leave_out_above_axis(column: Column, seen: dict[int, RegionShares]) -> bool:
    """Take bodies and discs above C2 out of the column, as drawn in the base of the skull; False where there are none.

    C2 is a body drawn as such with a cervical one below it.
    """
    for place, (body, below) in enumerate(zip(column.bodies, column.bodies[1:], strict=False)):
        cervical = seen[below.label][Region.CERVICAL - Region.AXIS] > 0.5
        if place and cervical and _is_axis(seen[body.label]):
            column.bodies = column.bodies[place:]
            above = sum(disc.position > body.position for disc in column.discs)
            column.discs = column.discs[above:]
            column.disc_labels = np.maximum(column.disc_labels - above, 0)
            return True
    return False


def _per_level(slots: list[Slot], seen: dict[int, RegionShares]) -> list[RegionShares | None]:
    """What was seen of the region of each vertebra; None where there is no body, or one of two vertebrae."""
    shares: list[RegionShares | None] = []
    for slot in slots:
        shares += [seen.get(slot.body.label) if slot.body and slot.body.levels == 1 else None] * slot.levels
    return shares


def _guess_in_words(naming: Naming, anchored: bool) -> str:
    reason = "Neither the sacrum nor the dens is in view"
    if anchored:
        reason = "What looks like the sacrum or the dens does not fit the size and appearance of the vertebrae"
    sentence = f"{reason}: the level names are "
    if naming.probability:
        other = f"; next most likely: lowest disc {disc_name(*naming.runner_up[-2:])}" if naming.runner_up[1:] else ""
        sentence += f"estimated from the size and appearance of the vertebrae ({naming.probability:.0%}{other})"
    else:
        sentence += "a guess"
    return f"{sentence}. Name the lowest disc (--lowest-disc) to confirm them."


def _counted_in_words(slots: list[Slot], naming: Naming) -> list[str]:
    """A sentence on vertebrae that were not found but counted; none where there are none."""
    counted, level = [], 0
    for slot in slots:
        counted += [naming.vertebrae[level]] * slot.counted
        level += slot.levels
    return [f"Not found, but counted for the room left between the others: {', '.join(counted)}."] if counted else []


def _dens_seen(column: Column, tissue: NDArray[np.uint8], spacing: tuple[float, float, float]) -> float:
    """How much likelier what is seen on top of the column is if that is C2; 1 where it says nothing.

    C2 is a small, tall top body, not cut, with canal behind all of it. It tapers towards its dens; where the arch of C1
    was drawn with it, it does not, but there is no bone between it and the border of the image.
    """
    if len(column.bodies) < 4:
        return 1.0
    top, others = column.bodies[0], column.bodies[1:4]
    rows = np.flatnonzero(np.isin(tissue, (Tissue.CANAL, Tissue.CORD)).any(axis=(0, 2)))
    tip = top.centre[1] + top.length / 2
    beyond = tissue.shape[1] * spacing[1] - tip
    canal_behind = len(rows) > 0 and rows[-1] * spacing[1] > tip - 2
    tall = top.length / float(np.median([b.length for b in others]))
    small = float(np.median([b.depth for b in others])) < _DEEPEST_BELOW_DENS_MM
    if not (canal_behind and tall > _TALL and small and beyond > 2):
        return 1.0
    if _taper(column, top, np.array(spacing)) < _TAPER_OF_DENS:
        return DENS_SEEN
    return DENS_LIKELY if tall > _TALLER and beyond > _FREE_ABOVE_C2_MM else 1.0


def _taper(column: Column, body: Body, mm: NDArray[np.float64]) -> float:
    """AP depth of the upper third of a body over that of its lower third: two fused bodies are alike in both."""
    points = np.argwhere(column.body_labels == body.label) * mm
    up = tangent_at(column.curve, body.position)
    height = (points - body.centre) @ up
    low, high = np.percentile(height, [2, 98])
    third = (high - low) / 3
    ahead = (points - body.centre) @ forward_of(up)
    upper, lower = ahead[height > high - third], ahead[height < low + third]
    depths = [float(np.subtract(*np.percentile(part, [95, 5]))) for part in (upper, lower) if len(part)]
    return depths[0] / depths[1] if len(depths) == 2 and depths[1] else 1.0


def _paint_chain(
    labels: NDArray[np.uint8], column: Column, slots: list[Slot], naming: Naming
) -> dict[int, tuple[str, ...]]:
    """Write bodies and discs; return flags by label value."""
    flags: dict[int, tuple[str, ...]] = {}
    body_lut = np.zeros(max((b.label for b in column.bodies), default=0) + 1, np.uint8)
    disc_lut = np.zeros(len(column.discs) + 1, np.uint8)
    order = {id(disc): n + 1 for n, disc in enumerate(column.discs)}
    level = 0
    for index, slot in enumerate(slots):
        value = vertebra_value(naming.vertebrae[level])
        if slot.body:
            body_lut[slot.body.label] = value
            if slot.body.levels > 1 or (slot.disc is None and index < len(slots) - 1):
                flags[value] = ("fused_or_absent_disc",)
        level += slot.levels
        if slot.disc:
            upper = vertebra_value(naming.vertebrae[level - 1])
            disc_lut[order[id(slot.disc)]] = DISC_OFFSET + upper
    body = body_lut[np.minimum(column.body_labels, len(body_lut) - 1)]
    labels[body > 0] = body[body > 0]
    disc_values = disc_lut[np.minimum(column.disc_labels, len(disc_lut) - 1)]
    labels[disc_values > 0] = disc_values[disc_values > 0]
    return flags


def _paint_posterior(
    labels: NDArray[np.uint8],
    tissue: NDArray[np.uint8],
    column: Column,
    slots: list[Slot],
    naming: Naming,
    spacing: tuple[float, float, float],
) -> None:
    """Give each piece of the posterior elements to the vertebra at whose height it hangs.

    A piece longer than a level (arches joined by the network) is divided voxel by voxel.
    """
    mm = np.array(spacing)
    pieces, kept = pieces_of(tissue == Tissue.POSTERIOR, float(mm.prod()), _SMALLEST_POSTERIOR_MM3)
    names, places = [], []
    level = 0
    for slot in slots:
        if slot.body:
            names.append(vertebra_value(naming.vertebrae[level]))
            places.append(slot.body.position)
        level += slot.levels
    if not names or not len(kept):
        return
    steps = -np.diff(places)
    step = float(np.median(steps)) if len(steps) else 30.0
    homes = np.array(places) - _POSTERIOR_DROP * step
    values = np.array(names) + POSTERIOR_OFFSET
    boxes = ndimage.find_objects(pieces)
    for number in kept:
        box = boxes[number - 1]
        voxels = np.argwhere(pieces[box] == number) + [s.start for s in box]
        sample = voxels[:: max(1, len(voxels) // 400)]
        position, distance = arc_positions(column.curve, sample * mm)
        _, row, forward = sample.mean(axis=0) * mm
        if distance.min() > 80 or forward > np.interp(row, column.curve[:, 1], column.curve[:, 2]):
            continue  # far away, or in front of the middle of the bodies
        if np.ptp(position) < 1.3 * step:
            nearest = int(np.abs(homes - position.mean()).argmin())
            if abs(homes[nearest] - position.mean()) < step:
                labels[tuple(voxels.T)] = values[nearest]
            continue
        # Position along the spine varies smoothly: find it on the sample and take the nearest sample's for the rest.
        from scipy.spatial import cKDTree

        owner = np.abs(homes[None, :] - position[:, None]).argmin(axis=1)
        _, nearest_sample = cKDTree(sample * mm).query(voxels * mm)
        labels[tuple(voxels.T)] = values[owner[nearest_sample]]


def _paint_canal(
    labels: NDArray[np.uint8], tissue: NDArray[np.uint8], spacing: tuple[float, float, float], verified: bool
) -> None:
    """Write canal and cord; specks dropped.

    A stretch of cord too short to be one counts as canal, and so does what lies below the top of L3 where the levels
    are known: the cord ends between T12 and the upper third of L3 (Saifuddin et al., Spine 1998).
    """
    voxel = float(np.prod(spacing))
    lumen = np.isin(tissue, (Tissue.CANAL, Tissue.CORD))
    pieces, kept = pieces_of(lumen, voxel, 50.0)
    if not len(kept):
        return
    sizes = np.bincount(pieces[lumen])
    kept = kept[sizes[kept] > _SMALLEST_CANAL * sizes[1:].max()]
    lumen = np.isin(pieces, kept) & (labels == 0)
    cord = lumen & (tissue == Tissue.CORD)
    third_lumbar = np.flatnonzero((labels == vertebra_value("L3")).any(axis=(0, 2)))
    if verified and len(third_lumbar):
        cord[:, : third_lumbar[-1] + 1] = False
    labels[lumen] = CANAL_VALUE
    stretches, _ = pieces_of(cord, voxel, 0.0)
    for number, box in enumerate(ndimage.find_objects(stretches), start=1):
        if (box[1].stop - box[1].start) * spacing[1] >= _SHORTEST_CORD_MM:
            labels[box][stretches[box] == number] = CORD_VALUE


def list_structures(
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
    chain: tuple[str, ...],
    confidence: NDArray[np.uint8] | None = None,
    flags: dict[int, tuple[str, ...]] | None = None,
    verified: bool = True,
) -> tuple[Structure, ...]:
    """Describe every label that is there, from head to sacrum, then canal and cord.

    :param labels: uint8 array[i,j,k] of label values.
    :param chain: vertebra names from head to sacrum; gives each disc the name of its lower vertebra.
    """
    inside = labels > 0
    counts = np.bincount(labels[inside], minlength=256)
    sums = np.bincount(labels[inside], confidence[inside], minlength=256) if confidence is not None else None
    cut = at_border(labels, affine)
    found = []

    def add(value: int, name: str, kind: Kind, level: str) -> None:
        if not counts[value]:
            return
        marks = list((flags or {}).get(value, ()))
        if not verified and level:
            marks.append("level_unverified")
        if cut[value] and kind not in (Kind.CANAL, Kind.CORD):
            marks.append(CUT)
        sure = float(sums[value] / counts[value] / 255) if sums is not None else None
        found.append(Structure(value, name, kind, level, sure, tuple(marks)))

    for index, vertebra in enumerate(chain):
        value = vertebra_value(vertebra)
        if vertebra == "S1":
            add(SACRUM_VALUE, "Sacrum", Kind.SACRUM, "S1")
            continue
        add(value, vertebra, Kind.BODY, vertebra)
        add(POSTERIOR_OFFSET + value, f"{vertebra} posterior elements", Kind.POSTERIOR, vertebra)
        if index + 1 < len(chain):
            level = disc_name(vertebra, chain[index + 1])
            add(DISC_OFFSET + value, level, Kind.DISC, level)
    add(CANAL_VALUE, "Spinal canal", Kind.CANAL, "")
    add(CORD_VALUE, "Spinal cord", Kind.CORD, "")
    return tuple(found)


def rename(segmentation: SpineSegmentation, lowest_disc: str) -> SpineSegmentation:
    """The same structures with the lowest disc named by the user; all levels follow, those below it too.

    What is left below the last vertebra that follows is sacrum.

    :raises LevelNameError: the name is unknown or does not fit.
    """
    names = names_by_lowest(segmentation, lowest_disc)
    table = np.zeros(256, np.uint8)
    for old, new in names.items():
        for offset in (0, DISC_OFFSET, POSTERIOR_OFFSET):
            table[vertebra_value(old) + offset] = vertebra_value(new) + offset
    for value in (CANAL_VALUE, CORD_VALUE):
        table[value] = value
    labels = table[segmentation.labels]
    structures = list_structures(labels, segmentation.affine, tuple(dict.fromkeys(names.values())))
    return replace(segmentation, labels=labels, structures=structures, level_verified=True, anchor="user")


def names_by_lowest(segmentation: SpineSegmentation, lowest_disc: str) -> dict[str, str]:
    """New names of the vertebrae, from head to sacrum by their present names, if the lowest disc is called so.

    :raises LevelNameError: the name is unknown or does not fit.
    """
    discs = segmentation.of_kind(Kind.DISC)
    if not discs:
        raise LevelNameError("There is no disc to name.", "Leave out --lowest-disc.")
    upper, lower = parse_disc(lowest_disc)
    old_chain = _chain_of(segmentation)
    above = old_chain.index(discs[-1].level.split("-")[1]) + 1
    naming = name_from_below(above, upper, lower, "user")
    following = list(naming.vertebrae) + _order_below(lower, old_chain[above - 1 :])
    return dict(zip(old_chain, following, strict=True))


def _order_below(lower: str, old: Sequence[str]) -> list[str]:
    """Names of the vertebrae below the lowest disc.

    :param lower: the new name of the vertebra below that disc.
    :param old: its old name and those of the vertebrae below it.
    """
    if lower == old[0]:
        return list(old[1:])
    order = [n for n in VERTEBRA_ORDER[VERTEBRA_ORDER.index(lower) + 1 :] if n in USUAL_ORDER]
    return [*order, *["S1"] * len(old)][: len(old) - 1]


def _chain_of(segmentation: SpineSegmentation) -> list[str]:
    """Vertebra names from the topmost to the lowest that the structures mention, none left out between.

    A disc such as L4-S1 says that there is none between its vertebrae.
    """
    kinds = (Kind.BODY, Kind.DISC, Kind.SACRUM)
    levels = [s.level.split("-") for s in segmentation.structures if s.kind in kinds]
    left_out = {"T13", "L6"}
    for level in levels:
        left_out.update(_span(level)[1:-1])
    named = {name for level in levels for name in level}
    return [name for name in _span(named) if name in named or name not in left_out]


def _span(names: Collection[str]) -> tuple[str, ...]:
    """Every vertebra from the topmost to the lowest of `names`."""
    places = [VERTEBRA_ORDER.index(name) for name in names]
    return VERTEBRA_ORDER[min(places) : max(places) + 1]
