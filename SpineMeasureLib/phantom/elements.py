"""Spines of closed-form shape: a chain of bodies and discs in turn, and a canal behind them.

Each element is between two planes that are inclined to each other by `bend` degrees about an axis in the element's own
mid-plane, and within a superelliptic cylinder along the element's axis. The canal is swept along the same planes: its
centreline is an arc perpendicular to both, and its cross-section is the same everywhere. Local coordinates of an
element are (v, u, s) = (right, anterior, superior) mm; its mid-plane is s = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import cos, gamma, radians, tan

import numpy as np
from numpy.typing import NDArray

from ..anatomy import USUAL_ORDER, Kind, disc_name
from ..orientation import from_matvec
from .geometry import Array, distance_within, rotation, superellipse


@dataclass(frozen=True)
class Canal:
    """Cross-section of the canal: an ellipse, indented in front by a bulge if `dent` is not 0.

    :ivar behind: distance of its centre behind the axis of the elements, mm.
    :ivar half_ap: half its AP diameter without the bulge.
    :ivar dent: how far a round bulge of radius `dent_radius` reaches into it from the front, mm.
    :ivar cord: half AP and half transverse diameter of the cord, 0 without cord.
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
        """Return whether points are inside; u from the centre of the canal, anterior positive."""
        ellipse = (u / self.half_ap) ** 2 + (v / self.half_width) ** 2 <= 1
        if self.dent <= 0:
            return ellipse
        centre = self.half_ap - self.dent + self.dent_radius
        return ellipse & ((u - centre) ** 2 + v**2 > self.dent_radius**2)

    def within(self, u: Array, v: Array) -> Array:
        """Return the distance inside its wall in mm, negative outside; exact at the wall (see `Element.within`)."""
        ellipse = distance_within(u, v, self.half_ap, self.half_width, 2.0)
        if self.dent <= 0:
            return ellipse
        bulge: Array = np.hypot(u - (self.half_ap - self.dent + self.dent_radius), v) - self.dent_radius
        return np.minimum(ellipse, bulge)

    def area(self) -> float:
        """Compute the true area: the ellipse minus the bulge (by quadrature over 20000 steps across)."""
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
    :ivar about: direction in the mid-plane in which it opens, degrees: 0 anterior, 90 right.
    :ivar half_depth: half its AP depth, mm.
    :ivar half_width: half its width, mm.
    :ivar power: 2 an ellipse, 6 nearly a box.
    :ivar forward: displacement of the element, and of all above it, forward of the element below, mm.
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
        """Unit vector (right, anterior) towards the side where it opens."""
        return np.array([np.sin(radians(self.about)), np.cos(radians(self.about))])

    def height_at(self, v: float, u: float) -> float:
        """Return the true height along its axis at a place of its mid-plane.

        >>> Element("L4-L5", Kind.DISC, height=10.0).height_at(0.0, 5.0)
        10.0
        """
        return self.height + 2 * self.slope * float(self.opening @ (v, u))

    def footprint(self, v: Array, u: Array) -> Array:
        """Negative inside its cylinder."""
        return superellipse(u, v, self.half_depth, self.half_width, self.power) - 1

    def within(self, v: Array, u: Array) -> Array:
        """Return the distance inside its cylinder in mm, negative outside; exact at the wall, first order near it."""
        return distance_within(u, v, self.half_depth, self.half_width, self.power)

    def between(self, v: Array, u: Array, s: Array) -> Array:
        """Return the distance from the nearer of its two planes in mm, negative outside them."""
        right, front = self.opening.tolist()
        distance: Array = (self.height / 2 + self.slope * (right * v + front * u) - np.abs(s)) * self._upright
        return distance

    @property
    def _upright(self) -> float:
        return cos(radians(self.bend / 2))

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
        """True centroid (v, u, 0), displaced towards the opening side."""
        across, along = self._moment(1, 3), self._moment(3, 1)
        shift = 2 * self.slope * self.opening * (across, along) / self.volume
        return np.array([*shift, 0.0])

    def turn(self, part: float) -> Array:
        """Return the rotation from the mid-plane to the upper plane (part 0.5) or to the lower one (-0.5)."""
        v, u = self.opening
        return rotation((-u, v, 0.0), -part * self.bend) if self.bend else np.eye(3)


@dataclass(frozen=True)
class Spine:
    """Elements from the lowest up, the canal, and the pose of the lowest element (4x4, local to RAS)."""

    elements: tuple[Element, ...]
    canal: Canal = field(default_factory=Canal)
    pose: Array = field(default_factory=lambda: np.eye(4))

    def frames(self) -> list[Array]:
        """Return the 4x4 matrix of every element, local (v, u, s) to RAS mm."""
        found, base = [], self.pose
        for element in self.elements:
            up = from_matvec(np.eye(3), (0, 0, element.height / 2))
            middle = base @ from_matvec(element.turn(0.5), (0, element.forward, 0)) @ up
            found.append(middle)
            base = middle @ up @ from_matvec(element.turn(0.5))
        return found

    def moved(self, pose: Array) -> Spine:
        """Move the spine by a rigid motion (4x4) of RAS space."""
        return replace(self, pose=pose @ self.pose)

    def named(self, name: str) -> tuple[Element, Array]:
        """Return an element and its frame."""
        return next((e, f) for e, f in zip(self.elements, self.frames(), strict=True) if e.name == name)


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
    """Make a lumbar spine with wedge-shaped discs and slightly wedged bodies.

    >>> [element.name for element in lumbar("L5", "L3").elements]
    ['L5', 'L4-L5', 'L4', 'L3-L4', 'L3']

    :param scoliosis: degrees by which each disc opens to the right instead of to the front.
    :param slip: displacement of L4 forward of L5, mm.
    """
    disc = disc or Element("", Kind.DISC, 10.0, 7.0)
    body = body or Element("", Kind.BODY, 27.0, 2.0, power=3.0)
    if scoliosis:
        disc = replace(disc, bend=scoliosis, about=90.0)
    names = ["S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11"]
    elements = _column(names[names.index(lower) : names.index(upper) + 1], body, disc)
    elements = [replace(e, forward=slip) if e.name == "L4" else e for e in elements]
    return Spine(tuple(elements), canal or Canal())


def long_spine() -> Spine:
    """Make a straight spine of twenty vertebrae above the sacrum, C5 to S1, as long as a whole-spine image shows."""
    names = ["S1", *reversed(USUAL_ORDER[USUAL_ORDER.index("C5") : USUAL_ORDER.index("S1")])]
    return Spine(tuple(_column(names, Element("", Kind.BODY, 22.0, power=3.0), Element("", Kind.DISC, 7.0))))


def _column(names: Sequence[str], body: Element, disc: Element) -> list[Element]:
    """Stack bodies named from the lowest up, with a disc between neighbours."""
    elements: list[Element] = []
    for name in names:
        if elements:
            elements.append(replace(disc, name=disc_name(name, elements[-1].name)))
        elements.append(replace(body, name=name, kind=Kind.SACRUM if name == "S1" else Kind.BODY))
    return elements


def scaled(spine: Spine, factor: float) -> Spine:
    """Enlarge a spine by `factor`."""
    elements = tuple(
        replace(e, height=e.height * factor, half_depth=e.half_depth * factor, half_width=e.half_width * factor,
                forward=e.forward * factor)
        for e in spine.elements
    )  # fmt: skip
    c = spine.canal
    canal = replace(c, behind=c.behind * factor, half_ap=c.half_ap * factor, half_width=c.half_width * factor,
                    dent=c.dent * factor, dent_radius=c.dent_radius * factor)  # fmt: skip
    return replace(spine, elements=elements, canal=canal)
