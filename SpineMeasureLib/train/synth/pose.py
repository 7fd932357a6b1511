"""A subject bent from the straight template: curvature, size, heights, disease; where each point came from.

Everything is a backward map: for points in space (RAS mm) the place (l, a, s) in the template that is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ...anatomy import USUAL_ORDER
from .template import Template

Array = NDArray[np.float64]

_STEP_MM = 1.0
#: Spacing of the grid on which the map is computed; between its nodes it is interpolated.
_COARSE_MM = 4.0
_L1, _T1, _C7 = (USUAL_ORDER.index(name) for name in ("L1", "T1", "C7"))
_BACK_WALL_MM = {"C": -8.0, "T": -13.0, "L": -18.0}


@dataclass(frozen=True)
class Bump:
    """A local displacement of the template place, Gaussian about (l, a, s).

    :ivar axis: 1 forward, 2 upward.
    """

    axis: int
    centre: tuple[float, float, float]
    width: tuple[float, float, float]
    size: float


@dataclass
class Subject:
    """One random person.

    :ivar ends: s of the upper and lower ends of all bodies in this person, ascending, and `template_ends` in the
        template: heights of bodies and discs change between them.
    :ivar line, right, forward, up: line through the bodies and its frame, every `_STEP_MM`.
    :ivar scale: size of this person over the template, sideways and forward.
    :ivar bumps: bulges, hernias, fractures, Schmorl's nodes.
    :ivar slips: (s, mm) of listheses: all above s lies forward by so much.
    :ivar findings: what was made, in words.
    """

    template_ends: Array
    ends: Array
    line: Array
    right: Array
    forward: Array
    up: Array
    scale: tuple[float, float]
    bumps: list[Bump] = field(default_factory=list)
    slips: list[tuple[float, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def random_subject(template: Template, rng: np.random.Generator, around: str, disease: float = 0.5) -> Subject:
    """A person whose vertebra `around` lies at the origin of RAS space.

    :param disease: probability of each kind of disease being present.
    """
    findings: list[str] = []
    size = float(np.exp(rng.normal(-0.02, 0.08)))
    template_ends, ends = _heights(template, rng, size, disease, findings)
    s = np.arange(0, ends[-1], _STEP_MM)
    source = np.interp(s, ends, template_ends)
    middle = int(np.interp(_centre(template, around), template_ends, ends) / _STEP_MM)
    turn = np.interp(source, template.stations, template.kyphosis) * rng.normal(1.0, 0.25)
    turn += _smooth_noise(rng, len(s), 22.0) * 0.08
    turn[source > template.tops[_C7]] += rng.normal(0, 0.08)
    angle = np.cumsum(turn) * _STEP_MM
    window = slice(max(0, middle - 90), middle + 90)
    angle = np.radians(angle - angle[window].mean() + rng.normal(0, 6.0))
    tilt, rotation = _scoliosis(rng, len(s), disease, findings)
    up = np.stack([np.sin(tilt), np.sin(angle) * np.cos(tilt), np.cos(angle) * np.cos(tilt)], axis=-1)
    right = np.stack([np.cos(rotation), np.sin(rotation), np.zeros_like(s)], axis=-1)
    right -= (right * up).sum(axis=1, keepdims=True) * up
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    line = np.cumsum(up, axis=0) * _STEP_MM
    line -= line[middle]
    scale = (size * float(np.exp(rng.normal(0, 0.05))), size * float(np.exp(rng.normal(0, 0.05))))
    subject = Subject(template_ends, ends, line, right, np.cross(up, right), up, scale, findings=findings)
    _disease(subject, template, rng, disease)
    return subject


def _centre(template: Template, name: str) -> float:
    return float(template.centres[USUAL_ORDER.index(name)])


def _smooth_noise(rng: np.random.Generator, count: int, width: float) -> Array:
    noise = ndimage.gaussian_filter1d(rng.normal(size=count), width)
    scaled: Array = noise / noise.std()
    return scaled


def _heights(
    template: Template, rng: np.random.Generator, size: float, disease: float, findings: list[str]
) -> tuple[Array, Array]:
    """Ends of the bodies in the template and in the person."""
    order = range(len(USUAL_ORDER) - 1, 0, -1)  # sacrum to C2
    template_ends = np.array([0.0, *(x for n in order for x in (max(template.bottoms[n], 1.0), template.tops[n]))])
    template_ends = np.append(template_ends, template.stations[-1])
    heights = np.diff(template_ends) * size
    is_disc = np.zeros(len(heights), bool)
    is_disc[2:-1:2] = True
    heights *= np.exp(rng.normal(0, np.where(is_disc, 0.14, 0.05)))
    worn = is_disc & (rng.random(len(heights)) < 0.25) & (rng.random() < disease)
    heights[worn] *= rng.uniform(0.3, 0.8, worn.sum())
    findings += [f"narrow {USUAL_ORDER[order[(i - 2) // 2 + 1]]} disc" for i in np.flatnonzero(worn)]
    ends = np.concatenate([[0.0], np.cumsum(heights)])
    return template_ends, ends


def _scoliosis(
    rng: np.random.Generator, count: int, disease: float, findings: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tilt in the frontal plane and axial rotation along the line (radians)."""
    strong = rng.random() < 0.3 * disease
    if strong:
        findings.append("scoliosis")
    wave = _smooth_noise(rng, count, 45.0)
    tilt = wave * (rng.uniform(4, 11) if strong else 1.5) + rng.normal(0, 2.5)
    rotation = _smooth_noise(rng, count, 45.0) * (rng.uniform(2, 8) if strong else 1.5) + rng.normal(0, 3.0)
    return np.radians(tilt), np.radians(rotation)


def _disease(subject: Subject, template: Template, rng: np.random.Generator, disease: float) -> None:
    """Bulges and hernias, crushed endplates, Schmorl's nodes, slips."""
    for n in range(1, len(USUAL_ORDER) - 1):
        name = USUAL_ORDER[n]
        between = (template.bottoms[n] + template.tops[n + 1]) / 2
        wall = _BACK_WALL_MM[name[0]]
        if rng.random() < 0.25 * disease:
            hernia = rng.random() < 0.4
            size = rng.uniform(2.0, 5.0) if hernia else rng.uniform(0.8, 2.2)
            aside = rng.normal(0, 4.0) if hernia else 0.0
            width = (6.0 if hernia else 14.0, 5.0, 4.0)
            subject.bumps.append(Bump(1, (aside, wall - 1.0, between), width, size))
            subject.findings.append(f"{'herniated' if hernia else 'bulging'} {name} disc")
        if name[0] != "C" and rng.random() < 0.06 * disease:
            crush = rng.uniform(2.0, 7.0)
            subject.bumps.append(Bump(2, (0.0, 6.0, template.tops[n] - 1.0), (22.0, 14.0, 6.0), crush))
            subject.findings.append(f"crushed {name}")
        if name[0] != "C" and rng.random() < 0.1 * disease:
            below = rng.random() < 0.5
            place = template.bottoms[n] if below else template.tops[n]
            depth = rng.uniform(2.0, 5.0) * (-1 if below else 1)
            centre = (rng.normal(0, 6), rng.normal(0, 5), place)
            subject.bumps.append(Bump(2, centre, (5.0, 5.0, 4.0), depth))
            subject.findings.append(f"Schmorl's node of {name}")
        if name in ("L3", "L4", "L5", "C4", "C5") and rng.random() < 0.12 * disease:
            slip = rng.uniform(2.0, 8.0) * (0.5 if name[0] == "C" else 1.0) * (1 if rng.random() < 0.75 else -0.6)
            subject.slips.append((float(between), float(slip)))
            subject.findings.append(f"slipped {name}")


@dataclass(frozen=True)
class PoseMap:
    """Where points of a box of space lie in the template; made by `pose_map`."""

    low: Array
    places: NDArray[np.float64]  # [3, x, y, z] on the coarse grid
    subject: Subject

    def __call__(self, points: Array) -> Array:
        """Template places (l, a, s) of RAS points [..., 3]."""
        index = np.moveaxis((points - self.low) / _COARSE_MM, -1, 0)
        place = np.stack([ndimage.map_coordinates(c, index, order=1, mode="nearest") for c in self.places], axis=-1)
        for s, slip in self.subject.slips:
            above = np.clip((place[..., 2] - s) / 6.0 + 0.5, 0, 1) * np.exp(-np.clip(place[..., 2] - s, 0, None) / 45)
            place[..., 1] -= slip * above
        for bump in self.subject.bumps:
            away = (place - bump.centre) / bump.width
            near = (away**2).sum(axis=-1)
            place[..., bump.axis] += bump.size * np.exp(-0.5 * near)
        return place


def pose_map(subject: Subject, low: Array, high: Array, rng: np.random.Generator) -> PoseMap:
    """The backward map over the box from `low` to `high` (RAS mm), with a smooth random warp."""
    shape = np.ceil((high - low) / _COARSE_MM).astype(int) + 2
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1) * _COARSE_MM + low
    for size, width in ((1.0, 3.0), (0.5, 1.2)):
        warp = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), width) for _ in range(3)], axis=-1)
        grid = grid + warp / warp.std() * size
    _, nearest = cKDTree(subject.line).query(grid)
    offset = grid - subject.line[nearest]
    s = nearest * _STEP_MM + np.clip((offset * subject.up[nearest]).sum(axis=-1), -2, 2)
    place = np.stack(
        [
            (offset * subject.right[nearest]).sum(axis=-1) / subject.scale[0],
            (offset * subject.forward[nearest]).sum(axis=-1) / subject.scale[1],
            np.interp(s, subject.ends, subject.template_ends),
        ]
    )
    return PoseMap(low, place, subject)
