"""All edges of one case: of its discs, bodies and canal, found once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..orientation import apply_affine, apply_inverse
from ..volume import Volume
from .canal_line import Centreline
from .endplates import EdgePair, body_edges, disc_edges, marrow_is_bright
from .fields import Field
from .image_slices import ImageSlices
from .wall import WallField, find_wall

if TYPE_CHECKING:
    from .spine import Spine

Array = NDArray[np.float64]

#: Percentile of the signal around the spine that is taken for compact bone's.
_DARKEST = 2.0


@dataclass(frozen=True)
class CaseEdges:
    """Edges by level; a level whose edges the image does not show is missing.

    :ivar bright_marrow: the marrow is brighter than the endplates (T1, T2), so that both endplates are visible.
    """

    discs: Mapping[str, EdgePair]
    bodies: Mapping[str, EdgePair]
    canal: WallField | None
    cord: WallField | None
    bright_marrow: bool


def find_edges(spine: Spine, image: ImageSlices) -> CaseEdges | None:
    """Find the edges of every disc, body and of the canal; None if the image shows none of them."""
    discs = {level: disc for level, disc in spine.discs.items() if disc}
    votes = [v for d in discs.values() if (v := marrow_is_bright(image, d.field, d.frame)) is not None]
    bright = sum(votes) * 2 >= len(votes)
    dark = _bone_signal(spine, image.volume)
    found, bodies = {}, {}
    for level, disc in discs.items():
        upper, _, lower = level.partition("-")
        pair = disc_edges(image, disc.field, disc.frame, bright, (_body(spine, upper), _body(spine, lower)), dark)
        if pair:
            found[level] = pair
    for level, body in spine.bodies.items():
        if body and body.upper and body.lower:
            edges = body_edges(image, body.field, body.frame, bright, dark)
            if edges:
                bodies[level] = edges
    canal, cord = _lumens(spine, image, dark)
    return CaseEdges(found, bodies, canal, cord, bright) if found or bodies or canal else None


def _bone_signal(spine: Spine, image: Volume) -> float:
    box = ndimage.find_objects((spine.segmentation.labels > 0).astype(np.uint8))[0]
    ends = np.array([(part.start, part.stop - 1) for part in box], float)
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    return bone_signal(image, apply_affine(spine.affine, corners))


def bone_signal(image: Volume, around: Array) -> float:
    """Return the signal of compact bone: the lowest that is seen in the smallest box around RAS points [n, 3]."""
    index = apply_inverse(image.affine, around)
    last = np.array(image.array.shape) - 1
    first, stop = np.clip(np.rint([index.min(axis=0), index.max(axis=0)]), 0, last).astype(int)
    values = np.asarray(image.array[tuple(slice(a, b + 1) for a, b in zip(first, stop, strict=True))], np.float64)
    seen = values[np.isfinite(values) & (values > np.nanmin(image.array))]
    return float(np.percentile(seen, _DARKEST)) if seen.size else 0.0


def _body(spine: Spine, level: str) -> Field | None:
    body = spine.bodies.get(level)
    return body.field if body and not body.field.cut_in_slice else None


def _lumens(spine: Spine, image: ImageSlices, dark: float) -> tuple[WallField | None, WallField | None]:
    """Return canal and cord with their walls in the image.

    :param dark: signal of bone.
    """
    places = [p.frame.origin for p in (*spine.discs.values(), *spine.bodies.values()) if p]
    if spine.canal is None or spine.line is None or len(places) < 2:
        return None, None
    column = np.array(sorted(places, key=spine.line.nearest))
    rising = _darker_than_surroundings(spine.canal, spine.cord, spine.line, image)
    canal = find_wall(image, spine.canal, spine.line, column, rising, None if rising else dark)
    return canal, find_wall(image, spine.cord, spine.line, column, not rising) if spine.cord else None


def _darker_than_surroundings(field: Field, cord: Field | None, line: Centreline, image: ImageSlices) -> bool:
    """Return whether the lumen without the cord is darker than what is around it, as CSF is on T1."""
    t = np.arange(-14.0, 14.1, 0.5)
    ahead = np.array([0.0, 1.0, 0.0]) - line.tangents * line.tangents[:, 1:2]
    right = np.cross(ahead, line.tangents)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    points = line.points[:, None] + t[:, None] * ahead[:, None]
    inside, outside = [], []
    for k, where in image.in_slices(points, right, 1.0, 1).items():
        signal, depth = image.at(k, where.points), field.at(where.points)
        within = depth > 1.5 if cord is None else (depth > 0.5) & (cord.at(where.points) < -0.5)
        inside.append(signal[within])
        outside.append(signal[(depth < -1.0) & (depth > -5.0)])
    if not inside:
        return False
    return bool(np.nanmedian(np.concatenate(inside)) < np.nanmedian(np.concatenate(outside)))
