"""Structures that are cut off: by the field of view, by voxels without a value, or by the end of a label file.

There are two rules, because a contact means different things:

1. The image ends (at its border, or at voxels without a value): what touches the end has been cut off, as what is
   beyond is unknown. Any contact counts (`at_border`, `mark_cut`).
2. The label file ends, and the image continues. Many files end at the outermost labelled voxel, so whole structures
   touch the faces of the file with few voxels; one that a face cuts off has a section there about as large as its
   largest. The area of the contact counts (`mark_cut_by_file`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .anatomy import Kind
from .orientation import anatomical_axes, voxel_sizes
from .segmentation import SpineSegmentation, Structure

#: Flag of a structure that is cut off.
CUT = "cut_by_field_of_view"
#: A structure is cut off by a contact larger than this fraction of its largest parallel section. In 30 patients
#: (SPIDER), cropped tightly to all, to the lumbar, or to single kinds of structures, 4 of 513 contacts are larger.
_CUT_AREA = 0.45
#: In one row the lumen is cut off if the contact exceeds the first fraction of its width or depth there, which is taken
#: to be at least the second fraction of the usual width or depth.
_CUT_WIDTH, _USUAL_PART = 0.6, 0.5
#: Points up to this far (mm) beyond the cut belong to it.
_BEYOND_MM = 4.0
_EVERY_NEIGHBOUR = np.ones((3, 3, 3), bool)
_LUMEN = (Kind.CANAL, Kind.CORD)

Mask = NDArray[np.bool_]


def at_border(labels: NDArray[np.uint8], affine: NDArray[np.float64]) -> Mask:
    """Return for each of 256 label values whether it touches the border within the slices (rule 1).

    The outermost slices themselves do not count: a stack of slices rarely covers the whole width of the body.
    """
    touching = np.zeros(256, bool)
    for axis in anatomical_axes(affine)[0][1:]:
        for end in (0, -1):
            touching[np.unique(np.take(labels, end, axis))] = True
    return touching


def cut_axes(mask: Mask, outside: Mask | None) -> tuple[bool, bool, bool]:
    """Return along which array axes a structure is cut off by voxels that its file does not cover.

    :param mask: array[i,j,k] of the structure; a part of the array that has a margin around it is enough.
    :param outside: array[i,j,k] of the same shape; None: the file covers everything.
    """
    cut = [False, False, False]
    if outside is None or not outside.any():
        return False, False, False
    for axis, touching in _contacts(mask, outside):
        largest = mask.sum(axis=tuple({0, 1, 2} - {axis})).max(initial=0)
        cut[axis] |= bool(touching.sum() > _CUT_AREA * largest)
    return cut[0], cut[1], cut[2]


def cut_lumen(lumen: Mask, outside: Mask, affine: NDArray[np.float64]) -> Mask:
    """Return the voxels at which the lumen of the canal is cut off, and their neighbours.

    The canal is long and curved, and a face may cut off a small part of it: each row across it counts separately.

    :param affine: 4x4, voxel index to RAS mm.
    """
    ends, sides = _lumen_contacts(lumen, outside, affine)
    cut = ends | sides
    if not cut.any():
        return cut
    near = ndimage.binary_dilation(cut, _EVERY_NEIGHBOUR)
    steps = int(np.ceil(_BEYOND_MM / voxel_sizes(affine).min()))
    beyond: Mask = ndimage.binary_dilation(near, _EVERY_NEIGHBOUR, steps, mask=outside | near)
    return beyond


def _lumen_contacts(lumen: Mask, outside: Mask, affine: NDArray[np.float64]) -> tuple[Mask, Mask]:
    """Return where the lumen is cut off across the spine, and where along it."""
    along = anatomical_axes(affine)[0][2]
    ends, sides = np.zeros(lumen.shape, bool), np.zeros(lumen.shape, bool)
    whole = cut_axes(lumen, outside)
    for axis, touching in _contacts(lumen, outside):
        if axis == along:
            ends |= touching & whole[axis]
            continue
        largest = lumen.sum(axis=3 - axis - along, keepdims=True).max(axis=axis, keepdims=True)
        usual = np.median(largest[largest > 0]) if largest.any() else 0.0
        largest = np.maximum(largest, _USUAL_PART * usual)  # it tapers at its ends
        in_row = touching.sum(axis=tuple({0, 1, 2} - {along}), keepdims=True)
        cut = touching & (in_row > _CUT_WIDTH * largest)
        # From there to where it is whole again: the whole contact counts.
        sides |= ndimage.binary_propagation(cut, _EVERY_NEIGHBOUR, mask=touching)
    return ends, sides


def _contacts(mask: Mask, outside: Mask) -> Iterator[tuple[int, Mask]]:
    """Each axis twice, with the voxels whose next one along it, onwards or backwards, is outside."""
    for axis in range(3):
        for step in (1, -1):
            beyond = np.zeros(mask.shape, bool)
            here, there = [slice(None)] * 3, [slice(None)] * 3
            here[axis], there[axis] = (slice(-1), slice(1, None)) if step > 0 else (slice(1, None), slice(-1))
            beyond[tuple(here)] = outside[tuple(there)]
            yield axis, mask & beyond


def mark_cut(segmentation: SpineSegmentation, outside: Mask | None) -> SpineSegmentation:
    """Flag the structures of an image that touch voxels without a value (rule 1); a warning names them.

    :param outside: `Volume.outside` of the image.
    """
    if outside is None:
        return segmentation
    touching = np.bincount(segmentation.labels[ndimage.binary_dilation(outside, _EVERY_NEIGHBOUR)], minlength=256) > 0
    cut = [s for s in segmentation.structures if touching[s.value]]
    return _flagged(segmentation, cut, cut, "These structures reach the voxels without a value")


def mark_cut_by_file(segmentation: SpineSegmentation, outside: Mask | None) -> SpineSegmentation:
    """Flag the structures that their label file cuts off (rule 2); a warning names them.

    :param outside: array[i,j,k] of the voxels that the file does not cover.
    """
    if outside is None:
        return segmentation
    across = anatomical_axes(segmentation.affine)[0][0]
    boxes = ndimage.find_objects(segmentation.labels, max_label=255)
    cut, named = [], []
    for structure in segmentation.structures:
        box = with_margin(boxes[structure.value - 1], 1)
        mask = segmentation.labels[box] == structure.value
        if structure.kind in _LUMEN:  # `cut_lumen` flags the rows at which it is cut
            if _lumen_contacts(mask, outside[box], segmentation.affine)[1].any():
                named.append(structure)
            continue
        axes = cut_axes(mask, outside[box])
        if any(axes):
            named.append(structure)
        if any(axes[axis] for axis in range(3) if axis != across):
            cut.append(structure)
    what = "The label file covers only part of the image and ends within"
    return _flagged(replace(segmentation, outside=outside), cut, named, what)


def _flagged(
    segmentation: SpineSegmentation, cut: Sequence[Structure], named: Sequence[Structure], what: str
) -> SpineSegmentation:
    """Flag some structures as cut off and name some in a warning, if any."""
    structures = tuple(
        replace(s, flags=tuple(dict.fromkeys((*s.flags, CUT)))) if s in cut else s for s in segmentation.structures
    )
    warnings = [f"{what}: {', '.join(s.name for s in named)}."] if named else []
    return replace(segmentation, structures=structures, warnings=(*segmentation.warnings, *warnings))


def with_margin(box: tuple[slice, ...], width: int) -> tuple[slice, ...]:
    """Return a box widened by some voxels, but not beyond the first voxel of the array."""
    return tuple(slice(max(s.start - width, 0), s.stop + width) for s in box)
