"""Analytic spines: bodies, discs and a canal of closed-form shape, their label map on any grid, and their true values.

A spine is a chain of elements (bodies and discs in turn). Each element lies between two planes that lean by `bend`
degrees against one another about an axis in the element's own mid-plane, and within a superelliptic cylinder along the
element's axis: |u / depth|^p + |v / width|^p <= 1. The canal is swept along the same planes, so that its centreline is
an arc perpendicular to both of them and its cross-section is the same everywhere. Local coordinates of an element are
(v, u, s) = (right, anterior, superior) mm, its mid-plane is s = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import gamma, radians, tan

import numpy as np
from numpy.typing import NDArray

from SpineMeasureLib.anatomy import CANAL_VALUE, CORD_VALUE, DISC_OFFSET, Kind, disc_name, vertebra_value
from SpineMeasureLib.segmentation import SpineSegmentation, Structure

Array = NDArray[np.float64]


def rotation(axis: Array | tuple[float, float, float], degrees: float) -> Array:
    """3x3 rotation about an axis."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Array = np.eye(3) + np.sin(radians(degrees)) * k + (1 - np.cos(radians(degrees))) * k @ k
    return turned


@dataclass(frozen=True)
class Canal:
    """Cross-section of the canal: an ellipse, flattened in front by a bulge where `dent` is not 0.

    :ivar behind: distance of its centre behind the elements' axis, mm.
    :ivar half_ap: half its AP diameter without the bulge.
    :ivar dent: how far a round bulge of radius `dent_radius` reaches into it from the front, mm.
    :ivar cord: half AP and half transverse diameter of the cord, 0 for none.
    """

    behind: float = 27.0
    half_ap: float = 7.0
    half_width: float = 10.0
    dent: float = 0.0
    dent_radius: float = 9.0
    cord: tuple[float, float] = (0.0, 0.0)

    @property
    def ap(self) -> float:
        """True AP diameter through the middle."""
        return 2 * self.half_ap - self.dent

    def inside(self, u: Array, v: Array) -> NDArray[np.bool_]:
        """True inside; u from the canal's centre, anterior positive."""
        ellipse = (u / self.half_ap) ** 2 + (v / self.half_width) ** 2 <= 1
        if self.dent <= 0:
            return ellipse
        centre = self.half_ap - self.dent + self.dent_radius
        return ellipse & ((u - centre) ** 2 + v**2 > self.dent_radius**2)

    def area(self) -> float:
        """True area: the ellipse, less the bulge (by quadrature in 1 um steps across)."""
        v = np.linspace(-self.half_width, self.half_width, 20001)
        front = self.half_ap * np.sqrt(np.maximum(0, 1 - (v / self.half_width) ** 2))
        ends = front.copy()
        if self.dent > 0:
            under = np.abs(v) < self.dent_radius
            bulge = np.where(under, self.half_ap - self.dent + self.dent_radius, np.inf)
            bulge[under] -= np.sqrt(self.dent_radius**2 - v[under] ** 2)
            ends = np.minimum(front, np.maximum(bulge, -front))
        return float(np.trapezoid(ends + front, v))


@dataclass(frozen=True)
class Element:
    """A body or disc.

    :ivar height: along its axis, mm.
    :ivar bend: angle between its two planes, degrees.
    :ivar about: direction (degrees) in the mid-plane to which it opens: 0 anterior, 90 right.
    :ivar half_depth: half its AP depth, mm.
    :ivar half_width: half its width, mm.
    :ivar power: 2 an ellipse, 6 nearly a box.
    :ivar forward: the element (and all above) lies this far forward of the one below, mm.
    """

    name: str
    kind: Kind
    height: float
    bend: float = 0.0
    about: float = 0.0
    half_depth: float = 17.0
    half_width: float = 23.0
    power: float = 2.5
    forward: float = 0.0

    @property
    def slope(self) -> float:
        """Rise of the upper plane per mm towards the opening side."""
        return tan(radians(self.bend / 2))

    @property
    def opening(self) -> Array:
        """Unit vector (right, anterior) to the side where it opens."""
        return np.array([np.sin(radians(self.about)), np.cos(radians(self.about))])

    def height_at(self, v: float, u: float) -> float:
        """True height along its axis at a place of its mid-plane."""
        return self.height + 2 * self.slope * float(self.opening @ (v, u))

    def footprint(self, v: Array, u: Array) -> Array:
        """Negative inside its cylinder."""
        return np.abs(u / self.half_depth) ** self.power + np.abs(v / self.half_width) ** self.power - 1

    def _moment(self, alpha: float, beta: float) -> float:
        p = self.power
        scale = 4 / p**2 * self.half_depth**alpha * self.half_width**beta
        return scale * gamma(alpha / p) * gamma(beta / p) / gamma(1 + (alpha + beta) / p)

    @property
    def volume(self) -> float:
        """True volume in mm3."""
        return self._moment(1, 1) * self.height

    @property
    def centroid(self) -> Array:
        """True centroid (v, u, 0): nearer to the opening side."""
        across, along = self._moment(1, 3), self._moment(3, 1)
        shift = 2 * self.slope * self.opening * (across, along) / self.volume
        return np.array([*shift, 0.0])

    def turn(self, part: float) -> Array:
        """Rotation from the mid-plane towards the upper plane (part 0.5) or the lower (-0.5)."""
        v, u = self.opening
        return rotation((-u, v, 0.0), -part * self.bend) if self.bend else np.eye(3)


@dataclass(frozen=True)
class Spine:
    """Elements from the lowest up, the canal, and where the lowest lies (4x4, local to RAS)."""

    elements: tuple[Element, ...]
    canal: Canal = field(default_factory=Canal)
    pose: Array = field(default_factory=lambda: np.eye(4))

    def frames(self) -> list[Array]:
        """4x4 of every element, local (v, u, s) to RAS mm."""
        found, base = [], self.pose
        for element in self.elements:
            middle = base @ _rigid(element.turn(0.5), (0, element.forward, 0)) @ _rigid(np.eye(3), _up(element))
            found.append(middle)
            base = middle @ _rigid(np.eye(3), _up(element)) @ _rigid(element.turn(0.5))
        return found

    def moved(self, pose: Array) -> Spine:
        """The same spine under a rigid motion (4x4) of RAS space."""
        return replace(self, pose=pose @ self.pose)

    def named(self, name: str) -> tuple[Element, Array]:
        """An element and its frame."""
        return next((e, f) for e, f in zip(self.elements, self.frames(), strict=True) if e.name == name)


def _up(element: Element) -> tuple[float, float, float]:
    return (0.0, 0.0, element.height / 2)


def _rigid(turn: Array, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = shift
    return matrix


def pose(degrees: tuple[float, float, float] = (0, 0, 0), shift: tuple[float, float, float] = (0, 0, 0)) -> Array:
    """A rigid motion: turns about R, A and S in that order, then a shift in mm."""
    return _rigid(
        rotation((0, 0, 1), degrees[2]) @ rotation((0, 1, 0), degrees[1]) @ rotation((1, 0, 0), degrees[0]), shift
    )


def lumbar(
    lower: str = "S1",
    upper: str = "L1",
    *,
    disc: Element | None = None,
    body: Element | None = None,
    canal: Canal | None = None,
    scoliosis: float = 0.0,
    slip: float = 0.0,
) -> Spine:
    """A lumbar spine: wedge discs, slightly wedged bodies.

    :param scoliosis: degrees by which each disc opens to the right instead of to the front.
    :param slip: mm by which L4 lies forward of L5.
    """
    disc = disc or Element("", Kind.DISC, 10.0, 7.0)
    body = body or Element("", Kind.BODY, 27.0, 2.0, power=3.0)
    names = ["S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11"]
    names = names[names.index(lower) : names.index(upper) + 1]
    elements: list[Element] = []
    for n, name in enumerate(names):
        kind = Kind.SACRUM if name == "S1" else Kind.BODY
        elements.append(replace(body, name=name, kind=kind, forward=slip if name == "L4" else 0.0))
        if n + 1 < len(names):
            joint = replace(disc, name=disc_name(names[n + 1], name))
            if scoliosis:
                joint = replace(joint, bend=scoliosis, about=90.0)
            elements.append(joint)
    return Spine(tuple(elements), canal or Canal())


@dataclass(frozen=True)
class Grid:
    """How the image is stored.

    :ivar spacing: mm along the array axes, which run along the columns of `axes`.
    :ivar axes: 3x3, direction of each array axis in RAS; may be left-handed.
    :ivar half_extent: half the field of view in mm along each array axis; None fits the spine with a margin.
    """

    spacing: tuple[float, float, float] = (4.0, 0.5, 0.5)
    axes: Array = field(default_factory=lambda: np.eye(3))
    half_extent: tuple[float | None, float | None, float | None] = (None, None, None)


SAGITTAL_2D = Grid()
SPACE = Grid((0.9, 0.47, 0.47))
ISOTROPIC = Grid((1.0, 1.0, 1.0))


def voxelise(spine: Spine, grid: Grid = SAGITTAL_2D, *, flags: tuple[str, ...] = ()) -> SpineSegmentation:
    """Label map of a spine: the label of what lies at each voxel's centre.

    :raises ValueError: a structure falls between the voxels.
    """
    frames = spine.frames()
    corners = np.concatenate([_box(e, spine.canal) @ f[:3, :3].T + f[:3, 3] for e, f in _zip(spine, frames)])
    directions = grid.axes / np.linalg.norm(grid.axes, axis=0)
    local = corners @ np.linalg.inv(directions).T
    low, high = local.min(axis=0) - 5, local.max(axis=0) + 5
    middle = (low + high) / 2
    half = [(h - m) if e is None else e for e, h, m in zip(grid.half_extent, high, middle, strict=True)]
    spacing = np.array(grid.spacing)
    shape = np.ceil(2 * np.array(half) / spacing).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = directions @ (middle - (shape - 1) / 2 * spacing)
    labels = np.zeros(shape, np.uint8)
    for element, frame in _zip(spine, frames):
        _paint(labels, affine, element, frame, spine.canal)
    return SpineSegmentation(labels, affine, _structures(spine, flags), True, "labels")


def _zip(spine: Spine, frames: list[Array]) -> list[tuple[Element, Array]]:
    return list(zip(spine.elements, frames, strict=True))


def _box(element: Element, canal: Canal) -> Array:
    back = max(element.half_depth, canal.behind + canal.half_ap)
    rise = element.height / 2 + abs(element.slope) * max(back, element.half_width)
    return np.array([[v, u, s] for v in (-1, 1) for u in (-back, element.half_depth) for s in (-rise, rise)]) * (
        max(element.half_width, canal.half_width), 1, 1
    )  # fmt: skip


def _paint(labels: NDArray[np.uint8], affine: Array, element: Element, frame: Array, canal: Canal) -> None:
    to_index = np.linalg.inv(affine) @ frame
    box = _box(element, canal) @ to_index[:3, :3].T + to_index[:3, 3]
    start = np.maximum(np.floor(box.min(axis=0)).astype(int), 0)
    stop = np.minimum(np.ceil(box.max(axis=0)).astype(int) + 1, labels.shape)
    if (stop <= start).any():
        return
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(start, stop, strict=True)), indexing="ij"), -1)
    back = np.linalg.inv(to_index)
    v, u, s = np.moveaxis(index @ back[:3, :3].T + back[:3, 3], -1, 0)
    q = element.opening[0] * v + element.opening[1] * u
    between = np.abs(s) <= element.height / 2 + element.slope * q
    part = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    part[between & (element.footprint(v, u) <= 0)] = _value(element)
    v, u = _swept(element, v, u, s)
    part[between & canal.inside(u + canal.behind, v)] = CANAL_VALUE
    if canal.cord[0] > 0:
        part[between & (((u + canal.behind) / canal.cord[0]) ** 2 + (v / canal.cord[1]) ** 2 <= 1)] = CORD_VALUE


def _swept(element: Element, v: Array, u: Array, s: Array) -> tuple[Array, Array]:
    """Place of a point within the cross-section that is swept from the lower plane to the upper about their hinge."""
    if not element.bend:
        return v, u
    right, front = element.opening
    q, along = right * v + front * u, -front * v + right * u
    hinge = -element.height / (2 * element.slope)
    q = hinge + np.sign(-hinge) * np.hypot(q - hinge, s)
    return right * q - front * along, front * q + right * along


def _value(element: Element) -> int:
    if element.kind is Kind.DISC:
        return DISC_OFFSET + vertebra_value(element.name.partition("-")[0])
    return vertebra_value(element.name)


def _structures(spine: Spine, flags: tuple[str, ...]) -> tuple[Structure, ...]:
    found = []
    for e in reversed(spine.elements):
        name = "Sacrum" if e.kind is Kind.SACRUM else e.name
        found.append(Structure(_value(e), name, e.kind, e.name, None, flags))
    found.append(Structure(CANAL_VALUE, "Spinal canal", Kind.CANAL, ""))
    if spine.canal.cord[0] > 0:
        found.append(Structure(CORD_VALUE, "Spinal cord", Kind.CORD, ""))
    return tuple(found)


def _reach(inside: Element, start: Array, direction: Array) -> float:
    """Distance along a line (v, u) from a point inside a footprint to its edge, by bisection."""
    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        v, u = (start + middle * direction)[:2]
        low, high = (middle, high) if inside.footprint(np.array(v), np.array(u)) < 0 else (low, middle)
    return low


def _sagittal(spine: Spine, element: Element) -> tuple[Array, Array]:
    """Centroid and anterior direction of an element, both local: anterior points from the canal to the centroid."""
    centre = element.centroid
    anterior = centre - (0.0, -spine.canal.behind, 0.0)
    return centre, anterior / np.linalg.norm(anterior)


def truth(spine: Spine) -> dict[tuple[str, str, str], float]:
    """True values by (level, quantity, method)."""
    found: dict[tuple[str, str, str], float] = {}
    for element in spine.elements:
        if element.kind is Kind.DISC:
            found |= _disc_truth(spine, element)
        elif element.kind is Kind.BODY:
            found |= _body_truth(spine, element)
    for place, kind in (("disc_level", Kind.DISC), ("mid_vertebral", Kind.BODY)):
        for element in spine.elements:
            if element.kind is kind:
                found[element.name, "canal_ap", place] = spine.canal.ap
                found[element.name, "canal_area", place] = spine.canal.area()
    return found | _angle_truth(spine)


def _depth(spine: Spine, element: Element) -> tuple[Array, Array, float, float]:
    centre, anterior = _sagittal(spine, element)
    return centre, anterior, _reach(element, centre, anterior), _reach(element, centre, -anterior)


def _disc_truth(spine: Spine, disc: Element) -> dict[tuple[str, str, str], float]:
    centre, anterior, front, back = _depth(spine, disc)
    depth = front + back

    def height(part: float) -> float:
        place = centre + (front - part * depth) * anterior
        return disc.height_at(float(place[0]), float(place[1]))

    heights = {p: height(p) for p in (0.1, 0.5, 0.9)}
    ends = _corners(spine, disc)
    middle = [(a + p) / 2 for a, p in ends]
    along = (ends[1][0] - ends[1][1]) / np.linalg.norm(ends[1][0] - ends[1][1])
    slip = float((ends[0][1] - ends[1][1]) @ along)
    up, low = (np.array([(a - p) @ anterior, (a - p)[2]]) for a, p in ends)
    wedge = np.degrees(np.arctan2(up[1], up[0]) - np.arctan2(low[1], low[0]))
    mean3 = sum(heights.values()) / 3
    above = next((e for e in spine.elements if e.name == disc.name.partition("-")[0]), None)
    values = {
        ("disc_height_anterior", "chord10"): heights[0.1],
        ("disc_height_middle", "chord50"): heights[0.5],
        ("disc_height_posterior", "chord90"): heights[0.9],
        ("disc_height_mean", "area_depth"): heights[0.5],
        ("disc_height_mean", "mean3"): mean3,
        ("disc_height", "dabbs"): float(sum(np.linalg.norm(ends[0][n] - ends[1][n]) for n in (0, 1))) / 2,
        ("disc_height", "hurxthal"): float(np.linalg.norm(middle[0] - middle[1])),
        ("disc_depth", "depth50"): depth,
        ("disc_area", "area"): heights[0.5] * depth,
        ("disc_volume", "volume"): disc.volume,
        ("farfan_index", "farfan"): (heights[0.1] + heights[0.9]) / depth,
        ("disc_wedge", "wedge"): float(wedge),
        ("listhesis", "posterior_corners"): slip,
    }
    right = np.cross(anterior, (0, 0, 1))
    values["disc_width", "width50"] = _reach(disc, centre, right) + _reach(disc, centre, -right)
    if above is not None:
        _, _, ahead, behind = _depth(spine, above)
        values["disc_height_index", "dhi_mean3"] = mean3 / (ahead + behind)
    return {(disc.name, q, m): v for (q, m), v in values.items()}


def _corners(spine: Spine, disc: Element) -> list[tuple[Array, Array]]:
    """(anterior, posterior) ends of the upper and lower endplate line, in the disc's local coordinates."""
    centre, anterior = _sagittal(spine, disc)
    _, frame = spine.named(disc.name)
    found = []
    for sign, name in zip((1, -1), disc.name.split("-"), strict=True):
        body, body_frame = spine.named(name)
        rise = np.array([*(disc.opening * disc.slope * sign), 0.0])
        start = centre + (0, 0, sign * (disc.height / 2 + disc.slope * float(disc.opening @ centre[:2])))
        along = anterior + (0, 0, float(rise @ anterior))
        to_body = np.linalg.inv(body_frame) @ frame
        begin, direction = to_body[:3, :3] @ start + to_body[:3, 3], to_body[:3, :3] @ along
        ends = [_reach(body, begin, direction), _reach(body, begin, -direction)]
        found.append((start + ends[0] * along, start - ends[1] * along))
    return found


def _body_truth(spine: Spine, body: Element) -> dict[tuple[str, str, str], float]:
    centre, anterior, front, back = _depth(spine, body)
    places = (centre + front * anterior, centre + (front - back) / 2 * anterior, centre - back * anterior)
    ha, hm, hp = (body.height_at(float(p[0]), float(p[1])) for p in places)
    values = {
        ("body_height_anterior", "corner"): ha,
        ("body_height_middle", "chord50"): hm,
        ("body_height_posterior", "corner"): hp,
        ("body_depth", "depth50"): front + back,
        ("body_wedge_ratio", "anterior_posterior"): ha / hp,
        ("body_biconcavity_ratio", "middle_posterior"): hm / hp,
        ("torg_pavlov_ratio", "canal_body"): spine.canal.ap / (front + back),
    }
    return {(body.name, q, m): v for (q, m), v in values.items()}


def _angle_truth(spine: Spine) -> dict[tuple[str, str, str], float]:
    """Segmental angles and lordosis: bends add up where every element opens to the front or the back."""
    if any(e.about % 180 for e in spine.elements):
        return {}
    found = {}
    bends = [e.bend * (1 if e.about == 0 else -1) for e in spine.elements]
    names = [e.name for e in spine.elements]
    for n, element in enumerate(spine.elements):
        if element.kind is Kind.DISC and spine.elements[n - 1].kind is Kind.BODY:
            found[element.name, "segmental_angle", "cobb"] = sum(bends[n - 1 : n + 2])
    if "S1" in names and "L1" in names:
        found["L1-S1", "lordosis", "cobb"] = sum(bends[names.index("S1") + 1 : names.index("L1") + 1])
    return found


def scaled(spine: Spine, factor: float) -> Spine:
    """The spine `factor` times as large."""
    elements = tuple(
        replace(e, height=e.height * factor, half_depth=e.half_depth * factor, half_width=e.half_width * factor,
                forward=e.forward * factor)
        for e in spine.elements
    )  # fmt: skip
    c = spine.canal
    canal = replace(c, behind=c.behind * factor, half_ap=c.half_ap * factor, half_width=c.half_width * factor,
                    dent=c.dent * factor, dent_radius=c.dent_radius * factor)  # fmt: skip
    return replace(spine, elements=elements, canal=canal)
