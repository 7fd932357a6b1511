"""Everything that the measurements of one case share: fields, frames and endplates of its structures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..anatomy import Kind, vertebra_value
from ..field_of_view import cut_lumen
from ..orientation import apply_affine, apply_inverse, voxel_sizes
from ..segmentation import SpineSegmentation, Structure
from ..volume import Volume
from .canal_line import Centreline, CrossSection, centreline
from .case_edges import CaseEdges, find_edges
from .endplates import lower_endplate
from .fields import Field, intervals, make_field
from .frames import Endplate, Frame, endplate_line, endplate_points, fit_plane, make_frame, thin_axis, unit
from .image_slices import ImageSlices

Array = NDArray[np.float64]

#: Fewer slices than this through a structure make its plane and width uncertain.
FEW_SLICES = 3
#: Areas and widths across slices require slices at most this thick; thicker ones blur the sides.
THIN_SLICES_MM = 1.5
_LATERAL_MM = 12.0
#: Farther than this beyond the end of the canal, its centreline does not define the anterior direction.
_BEYOND_CANAL_MM = 10.0
#: Cosine between the canal and the line to a neighbour below which the canal direction is rejected.
_ALONG = 0.6
#: Sine of the angle to the spine above which the posterior elements define the anterior direction.
_ACROSS = 0.7
_LEVEL_FLAGS = ("level_unverified", "fused_or_absent_disc", "cut_by_field_of_view")


@dataclass(frozen=True)
class Piece:
    """A structure with its field and frame."""

    structure: Structure
    field: Field
    frame: Frame
    upper: Endplate | None
    lower: Endplate | None

    def flags(self) -> tuple[str, ...]:
        """Return the flags that every value measured on it carries."""
        found = [f for f in self.structure.flags if f in _LEVEL_FLAGS]
        if self.frame.fallback:
            found.append("frame_fallback")
        if self.field.slices < FEW_SLICES:
            found.append("few_slices")
        if self.field.cut_in_slice:
            found.append("cut_by_field_of_view")
        return tuple(found)


class Spine:
    """Fields, frames and endplates of one case, built once.

    :param image: in the space of the segmentation, on any voxels; without it, or if it shows none of the structures,
        there are no lines between edges of the image.
    :ivar discs: by level name, head to sacrum.
    :ivar bodies: by vertebra name, head to sacrum.
    :ivar edges: edges of the image; None if there are none.
    """

    def __init__(self, segmentation: SpineSegmentation, image: Volume | None = None) -> None:
        self.segmentation = segmentation
        self.affine = segmentation.affine
        self._boxes = ndimage.find_objects(segmentation.labels, max_label=255)
        lumen = self._mask_of_kinds(Kind.CANAL, Kind.CORD)
        outside = self.segmentation.outside
        self._cut = cut_lumen(lumen, outside, self.affine) if outside is not None else None
        self.line: Centreline | None = centreline(lumen, self.affine)
        self.canal: Field | None = make_field(lumen, self.affine) if self.line else None
        #: Cross-sections already made, by field, place along the centreline and target.
        self.sections: dict[tuple[int, float, bytes], CrossSection | None] = {}
        cord = self._mask_of_kinds(Kind.CORD)
        self.cord: Field | None = make_field(cord, self.affine) if cord.any() else None
        self._body_fields = {s.level: self._field(s) for s in segmentation.of_kind(Kind.BODY)}
        self._sacrum = {s.level: self._field(s) for s in segmentation.of_kind(Kind.SACRUM)}
        arches = [self._centre(s) for s in segmentation.of_kind(Kind.POSTERIOR)]
        self._arches = np.array([c for c in arches if c is not None]).reshape(-1, 3)
        disc_fields = {s.level: self._field(s) for s in segmentation.of_kind(Kind.DISC)}
        self._middles = [f.centroid for f in (*self._body_fields.values(), *disc_fields.values()) if f]
        self.discs = {s.level: self._disc(s, disc_fields[s.level]) for s in segmentation.of_kind(Kind.DISC)}
        self.bodies = {s.level: self._body(s, self._body_fields[s.level]) for s in segmentation.of_kind(Kind.BODY)}
        self.edges: CaseEdges | None = find_edges(self, ImageSlices(image)) if image is not None else None
        self._sacral_endplate()

    def _sacral_endplate(self) -> None:
        """Replace the endplate of a model's sacrum by the edge in the image, or leave it out.

        The model learned the sacrum from a region derived from the lowest disc (see its card): it names levels, and
        does not end where the bone ends.
        """
        if self.edges is None and self.segmentation.certainty is None:
            return
        for level, disc in self.discs.items():
            if disc is None or level.partition("-")[2] in self.bodies:
                continue
            pair = self.edges.discs.get(level) if self.edges else None
            found = lower_endplate(pair) if pair else None
            if found is not None or self.segmentation.certainty is not None:
                self.discs[level] = replace(disc, lower=found)

    @property
    def thickness(self) -> float:
        """Distance between slices in mm."""
        return float(voxel_sizes(self.affine).max())

    def is_cord(self, field: Field) -> bool:
        """Return whether a field is that of the cord, of its mask or its wall."""
        return field is self.cord or (self.edges is not None and field is self.edges.cord)

    def at_border(self, points: Array) -> bool:
        """Return whether one of the RAS points [n, 3] is in an outermost voxel of the image or outside it.

        Also if the label file cuts off the lumen of the canal there.
        """
        index = apply_inverse(self.affine, points)
        last = np.array(self.segmentation.labels.shape) - 1
        if ((index < 0.5) | (index > last - 0.5)).any():
            return True
        return self._cut is not None and bool(self._cut[tuple(np.rint(index).astype(int).T)].any())

    def _mask_of_kinds(self, *kinds: Kind) -> NDArray[np.bool_]:
        values = [s.value for kind in kinds for s in self.segmentation.of_kind(kind)]
        table = np.zeros(256, bool)
        table[values] = True
        mask: NDArray[np.bool_] = table[self.segmentation.labels]
        return mask

    def _field(self, structure: Structure) -> Field | None:
        box = self._boxes[structure.value - 1]
        if box is None:
            return None
        return make_field(self.segmentation.labels == structure.value, self.affine, box, self.segmentation.outside)

    def _centre(self, structure: Structure) -> Array | None:
        box = self._boxes[structure.value - 1]
        if box is None:
            return None
        index = np.argwhere(self.segmentation.labels[box] == structure.value).mean(axis=0) + [s.start for s in box]
        return apply_affine(self.affine, index)

    def towards_anterior(self, centroid: Array, up: Array) -> tuple[Array, bool]:
        """Return the direction from the canal centreline to a centroid.

        If no canal reaches the level, the direction from the posterior elements unless they are far below it along the
        spine (`up`), else the anterior direction of the image: (direction, False).
        """
        if self.line is not None:
            index = self.line.nearest(centroid)
            away = centroid - self.line.points[index]
            if abs(away @ self.line.tangents[index]) < _BEYOND_CANAL_MM:
                return away, True
        if len(self._arches):
            behind = self._arches[np.argsort(np.linalg.norm(self._arches - centroid, axis=1))[:2]].mean(axis=0)
            away = centroid - behind
            across = np.linalg.norm(away - (away @ up) * up)
            if away[1] > _BEYOND_CANAL_MM and across > _ACROSS * np.linalg.norm(away):
                return away, False
        return np.array([0.0, 1.0, 0.0]), False

    def _up(self, centroid: Array) -> Array:
        """Return the rough direction along the spine at a centroid, towards the head.

        The tangent of the canal, unless it is across the line to the nearest bodies and discs: stray pieces of canal
        can turn its end.
        """
        tangent: Array | None = None
        if self.line is not None:
            tangent = self.line.tangents[self.line.nearest(centroid)]
        others = sorted(self._middles, key=lambda c: float(np.linalg.norm(c - centroid)))[1:3]
        chain = [unit(other - centroid) for other in others]
        chain = [direction if direction[2] > 0 else -direction for direction in chain]
        if tangent is not None and (not chain or max(tangent @ direction for direction in chain) > _ALONG):
            return tangent
        return chain[0] if chain else np.array([0.0, 0.0, 1.0])

    def _disc(self, structure: Structure, field: Field | None) -> Piece | None:
        if field is None:
            return None
        upper_name, _, lower_name = structure.level.partition("-")
        above = self._body_fields.get(upper_name)
        below = self._body_fields.get(lower_name) or self._sacrum.get(lower_name)
        up = self._up(field.centroid)
        anterior, has_canal = self.towards_anterior(field.centroid, up)
        frame = make_frame(field.centroid, thin_axis(field, up, anterior), anterior, fallback=True)
        planes = None
        for _ in range(2):
            field = field.along(frame.axes)
            above, below = (near and near.along(frame.axes) for near in (above, below))
            depth, width = _extent(field, frame)
            surfaces = [
                endplate_points(frame, field, body, side, depth, width)
                for body, side in ((above, True), (below, False))
            ]
            planes = [fit_plane(points, frame.superior) for points, _ in surfaces]
            normals = [plane[1] for plane in planes if plane is not None and plane[1] @ frame.superior > 0.5]
            if len(normals) < 2:
                break
            frame = make_frame(field.centroid, normals[0] + normals[1], anterior, fallback=not has_canal)
        ends: list[Endplate | None] = [None, None]
        if planes is not None and len(normals) == 2:
            for n, (plane, body, (_, own)) in enumerate(zip(planes, (above, below), surfaces, strict=True)):
                if plane is not None:
                    into_body = frame.superior if n == 0 else -frame.superior
                    bounded, inwards = (body, into_body) if own and body else (field, -into_body)
                    ends[n] = endplate_line(frame, plane[0], plane[1], bounded, inwards, own)
        return Piece(structure, field, frame, ends[0], ends[1])

    def _body(self, structure: Structure, field: Field | None) -> Piece | None:
        if field is None:
            return None
        up = self._up(field.centroid)
        anterior, has_canal = self.towards_anterior(field.centroid, up)
        frame = make_frame(field.centroid, up, anterior, fallback=True)
        ends: list[Endplate | None] = [None, None]
        for _ in range(2):
            field = field.along(frame.axes)
            depth, width = _extent(field, frame)
            planes = [fit_plane(points, frame.superior) for points in _body_surfaces(frame, field, depth, width)]
            if any(plane is None or plane[1] @ frame.superior < 0.6 for plane in planes):
                return Piece(structure, field, frame, None, None)
            normals = [plane[1] for plane in planes if plane is not None]
            frame = make_frame(field.centroid, normals[0] + normals[1], anterior, fallback=not has_canal)
        for n, plane in enumerate(planes):
            if plane is not None:
                inwards = -frame.superior if n == 0 else frame.superior
                ends[n] = endplate_line(frame, plane[0], plane[1], field, inwards, True)
        return Piece(structure, field, frame, ends[0], ends[1])

    def body_of(self, level: str) -> Piece | None:
        """Return the body of a vertebra, None if it is not segmented."""
        return self.bodies.get(level)

    def level_order(self) -> list[str]:
        """Return the names of the bodies from head to sacrum."""
        return sorted(self.bodies, key=lambda name: 19.5 if name == "T13" else vertebra_value(name))


def _extent(field: Field, frame: Frame) -> tuple[float, float]:
    """Return half the depth (mm) of a structure, and half the width over which its endplates are fitted."""
    depth = intervals(field, frame.origin[None], frame.anterior, 40.0)[0]
    width = intervals(field, frame.origin[None], frame.right, 40.0)[0]
    half_depth = float(depth[1] - depth[0]) / 2 if np.isfinite(depth).all() else 12.0
    half_width = float(width[1] - width[0]) / 2 * 0.7 if np.isfinite(width).all() else 3.0
    return max(half_depth, 4.0), min(max(half_width, 0.0), _LATERAL_MM)


def _body_surfaces(frame: Frame, field: Field, half_depth: float, half_width: float) -> tuple[Array, Array]:
    """Return the points [n, 3] of a body's upper and lower surface."""
    u = np.arange(-0.75 * half_depth, 0.75 * half_depth + 0.01, 1.0)
    v = np.arange(-half_width, half_width + 0.01, 1.0)
    grid = np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2)
    origins = frame.origin + grid[:, :1] * frame.anterior + grid[:, 1:] * frame.right
    stretch = intervals(field, origins, frame.superior, 30.0)
    keep = np.isfinite(stretch).all(axis=1)
    lower, upper = (origins[keep] + ends[keep, None] * frame.superior for ends in stretch.T)
    return upper, lower
