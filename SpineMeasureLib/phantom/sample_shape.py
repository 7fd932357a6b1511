"""Shape of the sample: a lumbar spine with curved endplates whose measurements follow from its formulas.

Bodies, discs, canal and posterior elements are implicit shapes around a chain of disc planes. Sizes follow Panjabi et
al. (Spine 1992) for bodies and Zhou et al. (Eur Spine J 2000) for discs, with variation per subject. RAS mm throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..anatomy import disc_name
from .geometry import Array, Frame, superellipse

#: From the sacrum upward: vertebra, body height, depth, width (mm), wedge of the body and tilt of the disc below (deg).
_LUMBAR = (
    ("L5", 27.5, 34.5, 50.0, 8.0, 12.0),
    ("L4", 27.5, 34.5, 48.0, 3.0, 9.0),
    ("L3", 27.5, 34.0, 46.0, 1.0, 6.0),
    ("L2", 27.0, 33.5, 43.0, 0.0, 4.0),
    ("L1", 26.0, 32.5, 41.0, -2.0, 2.0),
    ("T12", 25.0, 31.0, 39.0, -3.0, 1.0),
    ("T11", 23.0, 29.5, 37.0, -3.0, 0.0),
)
#: Disc below each of these: anterior, middle and posterior height at 10, 50 and 90 % of the depth (mm).
_DISC_HEIGHTS = {
    "L5": (12.0, 11.0, 6.5),
    "L4": (11.5, 11.5, 7.5),
    "L3": (10.0, 10.8, 7.2),
    "L2": (8.8, 9.6, 6.6),
    "L1": (7.4, 8.2, 5.8),
    "T12": (6.2, 6.8, 5.0),
    "T11": (5.2, 5.6, 4.4),
}
#: AP and transverse diameter of the dural sac at the disc below each vertebra (mm).
_SAC = {"L5": (11.0, 15.0), "L4": (12.5, 16.5), "L3": (13.0, 17.0), "L2": (13.8, 17.5), "L1": (14.5, 18.0)}
_SAC_ABOVE = (14.5, 17.5)
_SACRAL_SLOPE = 38.0
ENDPLATE_MM = 0.8
#: Power of the superellipse of discs and bodies.
_RIM = 2.6


@dataclass(frozen=True)
class Disc(Frame):
    """A disc: a slab with a quadratic height profile in its frame.

    :ivar heights: at 10, 50 and 90 % of the depth from anterior.
    :ivar dark: 0 healthy and bright .. 1 degenerate and dark.
    """

    level: str
    depth: float
    width: float
    heights: tuple[float, float, float]
    dark: float

    def height_at(self, x: Array) -> Array:
        """Return the height in mm at x mm anterior of the centre."""
        place = np.clip(0.5 - x / self.depth, 0.0, 1.0)
        height: Array = np.maximum(np.polyval(np.polyfit((0.1, 0.5, 0.9), self.heights, 2), place), 0.5)
        return height


@dataclass(frozen=True)
class Body(Frame):
    """A vertebral body between two disc planes."""

    name: str
    depth: float
    width: float
    upper: int | None
    lower: int


@dataclass(frozen=True)
class Sac:
    """The dural sac: an elliptical tube around a centreline from the sacrum upward.

    :ivar points: [n, 3], 0.5 mm apart.
    :ivar radii: [n, 2], AP and transverse half axes.
    """

    points: Array
    tangents: Array
    radii: Array


@dataclass(frozen=True)
class SpineShape:
    """Discs and bodies from the sacrum upward; `bodies[n]` is above `discs[n]`, the sacrum below `discs[0]`."""

    discs: tuple[Disc, ...]
    bodies: tuple[Body, ...]
    canal: Sac


def _direction(tilt_deg: float, lean_deg: float) -> tuple[Array, Array]:
    """Return superior and anterior direction of a plane tilted forward and leaning to the right."""
    tilt, lean = np.radians([tilt_deg, lean_deg])
    superior = np.array([np.sin(lean), np.sin(tilt) * np.cos(lean), np.cos(tilt) * np.cos(lean)])
    anterior = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    anterior -= (anterior @ superior) * superior
    return superior, anterior / np.linalg.norm(anterior)


def lumbar_shape(rng: np.random.Generator, scoliosis_deg: float = 3.0) -> SpineShape:
    """Make a lumbar spine from S1 to T11 with random size, lordosis and degeneration, and slight scoliosis."""
    size = rng.normal(1.0, 0.05)
    lordosis = rng.normal(1.0, 0.15)
    tilt = _SACRAL_SLOPE * lordosis
    narrowed = {name: rng.random() < 0.25 for name in _DISC_HEIGHTS}
    place = np.zeros(3)
    discs, bodies, planes = [], [], []
    lean = 0.0
    for n, (name, height, depth, width, body_wedge, disc_wedge) in enumerate(_LUMBAR):
        lower = _LUMBAR[n - 1][0] if n else "S1"
        factor = rng.normal(1.0, 0.07) * (0.62 if narrowed[name] else 1.0)
        shrunk = [max(1.5, h * size * factor * rng.normal(1, 0.03)) for h in _DISC_HEIGHTS[name]]
        tilt -= disc_wedge * lordosis / 2
        superior, anterior = _direction(tilt, lean)
        thick = shrunk[1]
        place = place + superior * thick / 2
        dark = 0.9 if narrowed[name] else float(rng.uniform(0.05, 0.45))
        discs.append(
            Disc(place, anterior, superior, disc_name(name, lower), depth * size * 0.97, width * size * 0.97,
                 (shrunk[0], shrunk[1], shrunk[2]), dark)
        )  # fmt: skip
        planes.append((place, anterior, depth * size))
        place = place + superior * thick / 2
        tilt -= disc_wedge * lordosis / 2 + body_wedge * lordosis / 2
        lean += scoliosis_deg * np.cos(0.9 * n) / 2
        superior, anterior = _direction(tilt, lean)
        tall = height * size * rng.normal(1, 0.03)
        middle = place + superior * tall / 2
        upper = n + 1 if n + 1 < len(_LUMBAR) else None
        bodies.append(Body(middle, anterior, superior, name, depth * size, width * size, upper, n))
        planes.append((middle, anterior, depth * size))
        place = place + superior * tall
        tilt -= body_wedge * lordosis / 2
    return SpineShape(tuple(discs), tuple(bodies), _canal(rng, discs, planes, size))


def _canal(
    rng: np.random.Generator, discs: Sequence[Disc], planes: Sequence[tuple[Array, Array, float]], size: float
) -> Sac:
    """Make a smooth tube behind discs and bodies, continued into the sacrum and beyond the top."""
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import gaussian_filter1d

    names = list(_DISC_HEIGHTS)
    knots, radii = [], []
    first = discs[0]
    for down, back in ((46.0, 31.0), (23.0, 27.0)):
        knots.append(first.origin - first.superior * down - first.anterior * back)
        radii.append((3.5 if down > 30 else 6.5, 8.0 if down > 30 else 11.0))
    for n, (place, anterior, depth) in enumerate(planes):
        ap, across = _SAC.get(names[n // 2], _SAC_ABOVE)
        tight = 0.72 if n % 2 == 0 and discs[n // 2].dark > 0.8 and rng.random() < 0.6 else 1.0
        wide = 1.0 if n % 2 == 0 else 1.05
        radius = ap * size * tight * wide * rng.normal(1, 0.03) / 2
        fat = 5.0 if n == 0 else 2.0
        knots.append(place - anterior * (depth / 2 + fat + radius))
        radii.append((radius, across * size * wide / 2))
    above, below = np.array(knots[-1]), np.array(knots[-3])
    knots.append(above + (above - below) / np.linalg.norm(above - below) * 45.0)
    radii.append(radii[-1])
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    t = np.arange(0, chord[-1], 0.5)
    # The sac is straighter than the bones in front of it.
    points = gaussian_filter1d(CubicSpline(chord, knots)(t), 9.0 / 0.5, axis=0, mode="nearest")[10:-10]
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    shape = np.stack([np.interp(t, chord, [r[k] for r in radii]) for k in (0, 1)], axis=1)
    shape = gaussian_filter1d(shape, 3.0 / 0.5, axis=0, mode="nearest")[10:-10]
    return Sac(points, tangents, shape)


def canal_coordinates(canal: Sac, points: Array) -> tuple[NDArray[np.int64], Array, Array]:
    """Return nearest centreline index, and offset (anterior, right) in mm, of points [n, 3]."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(canal.points).query(points)
    offset = points - canal.points[index]
    tangent = canal.tangents[index]
    forward = np.array([0.0, 1.0, 0.0]) - tangent[:, 1:2] * tangent
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    ahead = np.einsum("ij,ij->i", offset, forward)
    aside = np.einsum("ij,ij->i", offset, np.cross(forward, tangent))
    return index, ahead, aside


def inside_disc(disc: Disc, points: Array) -> NDArray[np.bool_]:
    """Return whether points [..., 3] are in the disc."""
    x, y, z = np.moveaxis(disc.local(points), -1, 0)
    rim = superellipse(x, y, disc.depth / 2, disc.width / 2, _RIM) < 1
    return rim & (np.abs(z) < disc.height_at(x) / 2)


def inside_body(shape: SpineShape, body: Body, points: Array, shrink: float = 0.0) -> NDArray[np.bool_]:
    """Return whether points [..., 3] are in a body whose surface is moved inward by `shrink` mm."""
    x, y, z = np.moveaxis(body.local(points), -1, 0)
    half_height = 14.0
    waist = 1.0 - 0.09 * np.clip(1.0 - (z / half_height) ** 2, 0, 1)
    depth, width = body.depth * waist - 2 * shrink, body.width * waist - 2 * shrink
    inside = superellipse(x, y, depth / 2, width / 2, _RIM) < 1
    gap = ENDPLATE_MM * (0.3 if shrink == 0 else 1.0) + shrink
    below = shape.discs[body.lower]
    u, _, w = np.moveaxis(below.local(points), -1, 0)
    inside &= w > below.height_at(u) / 2 + gap
    if body.upper is not None:
        above = shape.discs[body.upper]
        u, _, w = np.moveaxis(above.local(points), -1, 0)
        inside &= w < -above.height_at(u) / 2 - gap
    else:
        inside &= z < 12.0 - shrink
    return inside


def truth(shape: SpineShape) -> list[dict[str, object]]:
    """Compute the true values of the shape from its formulas: heights, depth and canal AP at every disc."""
    rows: list[dict[str, object]] = []
    for disc in shape.discs:
        for name, method, place in (("anterior", 10, 0.1), ("middle", 50, 0.5), ("posterior", 90, 0.9)):
            band = place + np.linspace(-0.05, 0.05, 101)
            value = float(disc.height_at((0.5 - band) * disc.depth).mean())
            rows.append(_row(disc.level, f"disc_height_{name}", f"chord{method}", value))
        rows.append(_row(disc.level, "disc_depth", "depth50", disc.depth))
        rows.append(_row(disc.level, "canal_ap", "disc_level", _sac_at(shape.canal, disc.origin, disc.superior)))
    rows += [
        _row(body.name, "canal_ap", "mid_vertebral", _sac_at(shape.canal, body.origin, body.superior))
        for body in shape.bodies
    ]
    return rows


def _sac_at(canal: Sac, origin: Array, normal: Array) -> float:
    side = (canal.points - origin) @ normal
    passages = np.flatnonzero(np.diff(np.sign(side)))
    near = passages[np.argmin(np.linalg.norm(canal.points[passages] - origin, axis=1))]
    return float(2 * canal.radii[near, 0])


def _row(level: str, quantity: str, method: str, value: float) -> dict[str, object]:
    return {"level": level, "quantity": quantity, "method": method, "value": round(value, 3), "unit": "mm"}
