"""Tissues of the sample: material, label and signal at any point of the spine and of the torso around it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    POSTERIOR_OFFSET,
    SACRUM_VALUE,
    vertebra_value,
)
from .geometry import Array
from .sample_shape import Body, SpineShape, canal_coordinates, inside_body, inside_disc


class Material(IntEnum):
    """Tissues that differ in signal."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    GUT = 3
    VESSEL = 4
    CORTEX = 5
    MARROW = 6
    NUCLEUS = 7
    ANNULUS = 8
    CSF = 9
    ROOTS = 10
    CORD = 11
    LIGAMENT = 12
    DARK_DISC = 13


#: Signal of each material, 0..1, as in the named weighting (relative, not physical units).
CONTRASTS: dict[str, tuple[float, ...]] = {
    "t2": (0.0, 0.72, 0.15, 0.20, 0.04, 0.05, 0.36, 0.52, 0.10, 0.95, 0.48, 0.42, 0.06, 0.13),
    "t1": (0.0, 0.85, 0.30, 0.30, 0.06, 0.05, 0.50, 0.33, 0.22, 0.14, 0.24, 0.32, 0.10, 0.26),
    "stir": (0.0, 0.06, 0.22, 0.30, 0.05, 0.04, 0.13, 0.52, 0.12, 0.95, 0.45, 0.38, 0.06, 0.14),
}


#: Thickness of the cortex of a body.
CORTEX_MM = 0.9
#: Thickness of the dura, and of the space between the dural sac and the bone around it, mm.
_DURA_MM, _EPIDURAL_MM = 0.8, 1.6


class Textures:
    """Smooth random fields over space, fixed for a case, that make tissue inhomogeneous."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._fine = ndimage.gaussian_filter(rng.normal(size=(64, 128, 128)), 1.0)
        self._coarse = ndimage.gaussian_filter(rng.normal(size=(32, 48, 48)), 1.5)
        self._fine /= self._fine.std()
        self._coarse /= self._coarse.std()

    def coarse(self, points: Array, scale_mm: float) -> Array:
        """Sample a unit-variance field at RAS points; its features are about twice `scale_mm`."""
        return self._sample(self._coarse, points / scale_mm)

    def _sample(self, field: Array, index: Array) -> Array:
        sampled: Array = ndimage.map_coordinates(field, np.moveaxis(index, -1, 0), order=1, mode="grid-wrap")
        return sampled

    def at(self, points: Array, material: NDArray[np.int64]) -> Array:
        """Return the factor on the signal, about 1."""
        amount = np.array([0, 0.08, 0.22, 0.35, 0.2, 0.2, 0.13, 0.08, 0.15, 0.05, 0.12, 0.05, 0.2, 0.2])[material]
        fine = self._sample(self._fine, points / 0.8)
        return np.clip(1 + amount * (0.7 * fine + 0.6 * self.coarse(points, 4.0)), 0.1, 2.0)


def coil(points: Array, spine: SpineShape) -> Array:
    """Return the sensitivity of a posterior coil array, which falls off towards the front."""
    front = points[..., 1] - spine.bodies[2].origin[1]
    sensitivity: Array = 1.0 / (1.0 + np.exp((front - 25.0) / 26.0)) * 1.15 + 0.10
    near = np.exp(np.clip(-(front + 72.0) / 40.0, -3, 1.2))
    return sensitivity * (1 + 0.5 * near)


def materials(spine: SpineShape, points: Array, textures: Textures) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return material and label of points [rows, columns, 3]."""
    material = _torso(spine, points, textures)
    label = np.zeros(points.shape[:2], np.uint8)
    flat = points.reshape(-1, 3)
    nearest, forward, sideways = canal_coordinates(spine.canal, flat)
    index = nearest.reshape(points.shape[:2])
    ahead, aside = forward.reshape(points.shape[:2]), sideways.reshape(points.shape[:2])
    radii = spine.canal.radii[index]
    ring = _around_sac(ahead, aside, radii, 0.0)
    material[(_around_sac(ahead, aside, radii, _EPIDURAL_MM) < 1.0) & (index > 0)] = Material.FAT
    _sacrum(spine, points, material, label)
    for body in spine.bodies:
        _posterior(spine, body, points, ahead, aside, radii, material, label)
    for body in spine.bodies:
        _body(spine, body, points, material, label)
    for disc in spine.discs:
        inside = inside_disc(disc, points)
        x, y, _ = np.moveaxis(disc.local(points), -1, 0)
        core = (2 * x / disc.depth + 0.12) ** 2 / 0.42 + (2 * y / disc.width) ** 2 / 0.5 < 1
        cleft = np.abs(disc.local(points)[..., 2]) < 0.09 * disc.height_at(x)
        bright = Material.DARK_DISC if disc.dark > 0.6 else Material.NUCLEUS
        material[inside] = np.where(core[inside] & ~cleft[inside], bright, Material.ANNULUS)
        label[inside] = DISC_OFFSET + vertebra_value(disc.level.split("-")[0])
    dura = (_around_sac(ahead, aside, radii, _DURA_MM) < 1.0) & (index > 0) & (label == 0)
    material[dura] = Material.LIGAMENT
    _sac(spine, points, index, ahead, aside, ring, material, label)
    return material, label


def _around_sac(ahead: Array, aside: Array, radii: Array, beyond: float) -> Array:
    """Return a value that is less than 1 inside a tube `beyond` mm wider than the dural sac."""
    inside: Array = np.hypot(ahead / (radii[..., 0] + beyond), aside / (radii[..., 1] + beyond))
    return inside


def _torso(spine: SpineShape, points: Array, textures: Textures) -> NDArray[np.int64]:
    """Fill in skin, fat, muscle, bowel and vessels around the spine."""
    middle = spine.bodies[2].origin
    x, y, z = (points[..., n] - middle[n] for n in range(3))
    wave = textures.coarse(points, 9.0)
    back = -78.0 + 10.0 * np.cos((z + 15) / 70.0) - 4.0 * np.exp(-((x / 14.0) ** 2))
    material = np.full(x.shape, int(Material.GUT))
    material[wave > 0.7] = Material.FAT
    retro = (y < 30 + 3 * wave) & (y > -20)
    material[retro] = Material.FAT
    muscle = (y < 8) & (y > back + 15 + 1.5 * wave) & (np.abs(x) > 3)
    streak = textures.coarse(points * [1.0, 1.0, 0.25], 3.0) > 1.25
    material[muscle] = np.where(streak[muscle], Material.FAT, Material.MUSCLE)
    material[(y <= back + 15 + 1.5 * wave)] = Material.FAT
    midline = (np.abs(x) <= 3) & (y < -20) & (y > back + 15)
    material[midline] = Material.LIGAMENT
    for right, front, radius in ((-9.0, 33.0, 9.5), (13.0, 31.0, 10.0)):
        material[np.hypot(x - right - 0.03 * z, y - front - 0.08 * np.abs(z)) < radius] = Material.VESSEL
    material[(y <= back) | (y > 165)] = Material.AIR
    material[(np.abs(y - back) < 1.2)] = Material.MUSCLE
    return material


def _body(spine: SpineShape, body: Body, points: Array, material: NDArray[np.int64], label: NDArray[np.uint8]) -> None:
    whole, core = inside_body(spine, body, points), inside_body(spine, body, points, CORTEX_MM)
    x, y, z = np.moveaxis(body.local(points), -1, 0)
    material[whole] = Material.CORTEX
    material[core] = Material.MARROW
    vein = core & (x < -body.depth * 0.18) & (np.abs(z) < 1.3) & (np.abs(y) < 6)
    material[vein] = Material.FAT
    label[whole] = vertebra_value(body.name)


def _posterior(
    spine: SpineShape,
    body: Body,
    points: Array,
    ahead: Array,
    aside: Array,
    radii: Array,
    material: NDArray[np.int64],
    label: NDArray[np.uint8],
) -> None:
    """Add pedicles, laminae, facets and the spinous process of one vertebra, in place."""
    x, y, z = np.moveaxis(body.local(points), -1, 0)
    wall = -body.depth / 2
    back = wall - 21.0  # behind the sac
    parts = []
    pedicle = (np.abs(np.abs(y) - 13.5) / 4.5) ** 2 + ((z - 5.5) / 7.0) ** 2 < 1
    parts.append(pedicle & (x < wall + 4) & (x > wall - 16))
    outer = _around_sac(ahead, aside, radii, _EPIDURAL_MM + 5.5)
    inner = _around_sac(ahead, aside, radii, _EPIDURAL_MM)
    lower = -13.0 - 0.25 * np.abs(y)
    parts.append((outer < 1) & (inner > 1) & (ahead < -radii[..., 0] * 0.2) & (z < 3) & (z > lower))
    for shift, rise in ((-3.0, -15.0), (2.0, 8.0)):
        facet = ((np.abs(y) - 17.0) / 6.0) ** 2 + ((x - wall + 19.0 + shift) / 5.5) ** 2 + ((z - rise) / 8.5) ** 2 < 1
        parts.append(facet)
    slope = 0.28 * (x - back)
    thick = 3.2 + 1.2 * np.clip((back - x) / 25.0, 0, 1)
    spinous = (np.abs(y) < thick) & (x < back + 3) & (x > back - 26)
    parts.append(spinous & (np.abs(z + 9.0 - slope) < 9.5 + 0.06 * (back - x)))
    soft = ndimage.gaussian_filter(np.logical_or.reduce(parts).astype(np.float32), 1.6)
    whole = (soft > 0.5) & (inner > 1)
    core = ndimage.binary_erosion(whole, iterations=1)
    material[whole] = Material.CORTEX
    material[core] = Material.MARROW
    label[whole] = POSTERIOR_OFFSET + vertebra_value(body.name)
    flavum = (inner > 1) & (outer < 0.8) & (ahead < 0) & (z <= lower) & (z > lower - 14)
    material[flavum & (label == 0)] = Material.LIGAMENT
    # Fat behind the sac forms pads between the laminae.
    pad = flavum & (np.abs(aside) < 5) & (outer < 0.8 - 0.1 * np.abs(z - lower + 7) / 7)
    material[pad & (label == 0)] = Material.FAT


def _sacrum(spine: SpineShape, points: Array, material: NDArray[np.int64], label: NDArray[np.uint8]) -> None:
    """Add S1 to S3, in place: tapering blocks below the lowest disc that bend backward, with disc remnants between."""
    disc = spine.discs[0]
    x, y, z = np.moveaxis(disc.local(points), -1, 0)
    down = -z - disc.height_at(x) / 2 - 0.3
    bend = 0.0016 * np.clip(down, 0, None) ** 2
    taper = np.clip(1.0 - 0.0085 * np.clip(down, 0, None), 0.3, 1)
    forward = x + 0.12 * down + bend
    half = disc.depth / 2 * taper
    inside = (down > 0) & (down < 78) & (np.abs(forward + 2.0) < half) & (np.abs(y) < disc.width / 2 * 1.05)
    core = (down > 1) & (down < 77) & (np.abs(forward + 2.0) < half - 1.1) & (np.abs(y) < disc.width / 2)
    remnant = np.min([np.abs(down - place) for place in (29.0, 53.0)], axis=0) < 1.6
    material[inside] = Material.CORTEX
    material[core] = Material.MARROW
    material[core & remnant] = Material.ANNULUS
    label[inside] = SACRUM_VALUE


def _sac(
    spine: SpineShape,
    points: Array,
    index: NDArray[np.int64],
    ahead: Array,
    aside: Array,
    ring: Array,
    material: NDArray[np.int64],
    label: NDArray[np.uint8],
) -> None:
    """Add CSF, the cord down to L1, and below it the roots of the cauda equina at the back, in place."""
    sac = ring < 1
    sac &= (index > 0) & (index < len(spine.canal.points) - 1)
    material[sac] = Material.CSF
    label[sac] = CANAL_VALUE
    conus = next(b for b in spine.bodies if b.name == "L1").origin
    height = points[..., 2] - conus[2]
    size = np.clip(1.0 + height / 22.0, 0, 1)
    cord = sac & (height > -22) & (np.hypot((ahead + 1.0) / (4.2 * size + 0.01), aside / (5.2 * size + 0.01)) < 1)
    strands = np.sin(aside * 2.6 + 0.35 * points[..., 2] / 6) + 0.6 * np.sin(ahead * 3.1 + points[..., 2] / 9)
    roots = sac & ~cord & (height < 6) & (ring < 0.88) & (strands > 0.35) & (ahead < 1.0 + 0.02 * (height + 60))
    material[roots] = Material.ROOTS
    material[cord] = Material.CORD
    label[cord] = CORD_VALUE
