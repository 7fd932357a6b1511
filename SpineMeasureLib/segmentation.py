"""The result of segmenting: a label array in the geometry of the image, and its structures."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .anatomy import Kind
from .grid import on_grid_of
from .volume import Volume

if TYPE_CHECKING:
    from .certainty import Certainty

#: Flag of a structure with voxels that were changed by hand after the segmentation.
EDITED = "edited"


@dataclass(frozen=True)
class Structure:
    """One named structure of a case.

    :ivar value: label value in `SpineSegmentation.labels`.
    :ivar name: ``"L4"``, ``"L4-L5"``, ``"L4 posterior elements"``, ``"Spinal canal"``, ``"Spinal cord"``, ``"Sacrum"``.
    :ivar level: ``"L4"`` or ``"L4-L5"``; empty for canal and cord.
    :ivar confidence: mean model probability inside the structure, None when a label map was given.
    :ivar flags: e.g. ``level_unverified``, ``cut_by_field_of_view``, ``fused_or_absent_disc``, `EDITED`.
    """

    value: int
    name: str
    kind: Kind
    level: str
    confidence: float | None = None
    flags: tuple[str, ...] = ()


def structure_from_dict(value: int, entry: Mapping[str, Any]) -> Structure:
    """Return the structure of an entry in labels.json."""
    return Structure(
        value, entry["name"], Kind(entry["kind"]), entry["level"], entry["confidence"], tuple(entry["flags"])
    )


@dataclass(frozen=True)
class SpineSegmentation:
    """Named structures of one case on the grid of its image.

    :ivar labels: uint8 array[i,j,k] of label values (`anatomy.py`), same shape and affine as the image.
    :ivar affine: 4x4, voxel index to RAS mm.
    :ivar structures: ordered from head to sacrum, then canal and cord.
    :ivar level_verified: True if an anchor (sacrum, dens or the user) fixed the level names.
    :ivar anchor: what fixed them: ``"sacrum"``, ``"dens"``, ``"user"``, ``"labels"`` or ``""``.
    :ivar certainty: how certain the model was of every voxel; None for label maps.
    :ivar outside: array[i,j,k] of the voxels that the label file does not cover; None if it covers all.
    """

    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    structures: tuple[Structure, ...]
    level_verified: bool
    anchor: str
    warnings: tuple[str, ...] = ()
    provenance: dict[str, object] = field(default_factory=dict)
    certainty: Certainty | None = None
    outside: NDArray[np.bool_] | None = None

    def of_kind(self, kind: Kind) -> tuple[Structure, ...]:
        """The structures of one kind, from head to sacrum."""
        return tuple(s for s in self.structures if s.kind is kind)

    def mask(self, structure: Structure) -> NDArray[np.bool_]:
        """Boolean array[i,j,k] of one structure."""
        return self.labels == structure.value

    def fingerprints(self) -> dict[int, str]:
        """Checksum of the voxels of every structure, by label value; it changes when they are edited."""
        boxes = ndimage.find_objects(self.labels)
        found = {}
        for structure in self.structures:
            box = boxes[structure.value - 1] if structure.value <= len(boxes) else None
            if box is not None:
                mask = self.labels[box] == structure.value
                found[structure.value] = f"{zlib.crc32(np.packbits(mask).tobytes(), mask.size):08x}"
        return found

    def as_volume(self) -> Volume:
        """The label array as a `Volume`."""
        return Volume(self.labels, self.affine)


def segmentation_on(volume: Volume, segmentation: SpineSegmentation) -> SpineSegmentation:
    """Return the segmentation in the image's storage order, after a check that it is on the image's voxels.

    :raises GeometryMismatchError: it is elsewhere.
    """

    def placed(array: NDArray[Any]) -> NDArray[Any]:
        return on_grid_of(volume, Volume(array, segmentation.affine)).array

    certainty, outside = segmentation.certainty, segmentation.outside
    return replace(
        segmentation,
        labels=placed(segmentation.labels),
        affine=volume.affine,
        certainty=certainty and replace(certainty, probability=placed(certainty.probability)),
        outside=None if outside is None else placed(outside),
    )


def label_centres(labels: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Mean index [count, 3] of the voxels of each label from 1 to `count`, the largest; NaN if there are none.

    Like `ndimage.center_of_mass`, which passes over the whole array for each axis and takes ten times as long.
    """
    voxels = np.nonzero(labels)
    values = labels[voxels]
    sums = [np.bincount(values, place, minlength=count + 1)[1:] for place in voxels]
    with np.errstate(invalid="ignore"):
        centres: NDArray[np.float64] = np.stack(sums, axis=1) / np.bincount(values, minlength=count + 1)[1:, None]
    return centres
