"""A subject deformed from the straight template: curvature, size, heights, disease.

Everything is a backward map: for points in space (RAS mm) it gives the place (l, a, s) in the person's straight spine
(`chain.Chain`) that is visible there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ...segment.naming.sizes import usual_step
from .chain import VARIANTS, Chain
from .template import Template

Array = NDArray[np.float64]

_STEP_MM = 1.0
#: Spacing of the grid on which the map is computed; it is interpolated between the nodes.
_COARSE_MM = 4.0
_BACK_WALL_MM = {"C": -8.0, "T": -13.0, "L": -18.0}
#: Front and back of the rims of the bodies in the template.
_RIMS_MM = {"C": (8.0, -8.5), "T": (15.0, -11.0), "L": (17.0, -15.0)}
#: Height of the disc below a vertebra, mm, by region or name (Gilad & Nissan, Spine 1986; Kunkel et al., J Anat 2011;
#: lumbar values rounded from 30 SPIDER patients).
_USUAL_DISC_MM = {"C": 5.0, "T": 4.5, "T10": 5.5, "T11": 6.0, "T12": 7.0, "L": 10.0, "L1": 8.5, "L2": 9.5, "L5": 9.0}


@dataclass(frozen=True)
class Bump:
    """A local displacement, Gaussian about the place (l, a, s).

    :ivar axis: 1 forward, 2 upward.
    """

    axis: int
    centre: tuple[float, float, float]
    width: tuple[float, float, float]
    size: float


@dataclass
class Subject:
    """One random person.

    :ivar chain: the vertebrae and their places in the template.
    :ivar ends: s of the upper and lower ends of all bodies in this person, ascending, and `chain_ends` in the
        chain: heights of bodies and discs change between them.
    :ivar line, right, forward, up: line through the bodies and its frame, every `_STEP_MM`.
    :ivar scale: size of this person over the template, sideways and forward.
    :ivar worn: names of the vertebrae above worn discs.
    :ivar bumps: bulges, hernias, fractures, Schmorl's nodes, spurs.
    :ivar slips: (s, mm) of listheses: everything above s is displaced forward by this distance.
    :ivar findings: variants and diseases, in words.
    """

    chain: Chain
    chain_ends: Array
    ends: Array
    line: Array
    right: Array
    forward: Array
    up: Array
    scale: tuple[float, float]
    worn: frozenset[str] = frozenset()
    bumps: list[Bump] = field(default_factory=list)
    slips: list[tuple[float, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def random_subject(template: Template, rng: np.random.Generator, around: str, disease: float = 0.5) -> Subject:
    """Make a random person whose vertebra `around` is at the origin of RAS space.

    :param disease: probability of each kind of disease being present.
    """
    findings: list[str] = []
    size = float(np.exp(rng.normal(-0.02, 0.08)))
    shares = np.array([variant.share for variant in VARIANTS.values()]) * disease
    shares[0] = 1 - shares.sum()
    variant = str(rng.choice(list(VARIANTS), p=shares))
    chain = Chain.of(template, variant)
    findings += [VARIANTS[variant].finding] * (variant != "usual")
    chain_ends, ends, worn = _heights(chain, template, rng, size, disease, findings)
    s = np.arange(0, ends[-1], _STEP_MM)
    source = np.interp(s, ends, chain_ends)
    level = chain.order.index(around if around in chain.order else "L1")
    middle = int(np.interp((chain.tops[level] + chain.bottoms[level]) / 2, chain_ends, ends) / _STEP_MM)
    source_s = source - chain.longer * (source > chain.cut)
    turn = np.interp(source_s, template.stations, template.kyphosis) * rng.normal(1.0, 0.25)
    turn += _smooth_noise(rng, len(s), 22.0) * 0.08
    turn[source > chain.tops[chain.order.index("C7")]] += rng.normal(0, 0.08)
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
    subject = Subject(chain, chain_ends, ends, line, right, np.cross(up, right), up, scale, worn, findings=findings)
    _disease(subject, rng, disease)
    _spurs(subject, rng)
    return subject


def _smooth_noise(rng: np.random.Generator, count: int, width: float) -> Array:
    noise = ndimage.gaussian_filter1d(rng.normal(size=count), width)
    scaled: Array = noise / noise.std()
    return scaled


def _heights(
    chain: Chain, template: Template, rng: np.random.Generator, size: float, disease: float, findings: list[str]
) -> tuple[Array, Array, frozenset[str]]:
    """Return ends of the bodies in the chain and in the person, and the vertebrae above worn discs."""
    order = range(len(chain.order) - 1, 0, -1)  # sacrum to C2
    chain_ends = np.array([0.0, *(x for n in order for x in (max(chain.bottoms[n], 1.0), chain.tops[n]))])
    chain_ends = np.append(chain_ends, template.stations[-1] + chain.longer)
    heights = np.diff(chain_ends) * size
    heights[2:-1] *= _usual_over_template(chain)
    is_disc = np.zeros(len(heights), bool)
    is_disc[2:-1:2] = True
    heights *= np.exp(rng.normal(0, np.where(is_disc, 0.14, 0.05)))
    worn = is_disc & (rng.random(len(heights)) < 0.25) & (rng.random() < disease)
    heights[worn] *= rng.uniform(0.3, 0.8, worn.sum())
    names = [chain.order[order[(i - 2) // 2 + 1]] for i in np.flatnonzero(worn)]
    findings += [f"narrow {name} disc" for name in names]
    if rng.random() < disease * (0.8 if "L6" in chain.order else 0.12):
        names.append(chain.order[-2])
        heights[2] *= rng.uniform(0.25, 0.5) / (0.6 if worn[2] else 1.0)
        findings.append(f"rudimentary {names[-1]} disc")
    ends = np.concatenate([[0.0], np.cumsum(heights)])
    return chain_ends, ends, frozenset(names)


def _usual_over_template(chain: Chain) -> Array:
    """Return usual heights divided by template heights, lowest disc to C2; a few template bodies are crushed."""
    found = []
    for n in range(len(chain.order) - 2, 0, -1):
        name, disc = chain.order[n], chain.bottoms[n] - chain.tops[n + 1]
        usual_disc = _USUAL_DISC_MM.get(name, _USUAL_DISC_MM[name[0]])
        body = chain.tops[n] - chain.bottoms[n]
        usual_body = body if name == "C2" else usual_step(name) - usual_disc
        found += [usual_disc / disc, usual_body / body]
    return np.array(found)


def _scoliosis(
    rng: np.random.Generator, count: int, disease: float, findings: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return tilt in the frontal plane and axial rotation along the line (radians)."""
    strong = rng.random() < 0.3 * disease
    if strong:
        findings.append("scoliosis")
    wave = _smooth_noise(rng, count, 45.0)
    tilt = wave * (rng.uniform(4, 11) if strong else 1.5) + rng.normal(0, 2.5)
    rotation = _smooth_noise(rng, count, 45.0) * (rng.uniform(2, 8) if strong else 1.5) + rng.normal(0, 3.0)
    return np.radians(tilt), np.radians(rotation)


def _disease(subject: Subject, rng: np.random.Generator, disease: float) -> None:
    """Make bulges and hernias, crushed endplates, Schmorl's nodes, slips."""
    chain = subject.chain
    for n, name in enumerate(chain.order[1:-1], start=1):
        between = (chain.bottoms[n] + chain.tops[n + 1]) / 2
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
            subject.bumps.append(Bump(2, (0.0, 6.0, chain.tops[n] - 1.0), (22.0, 14.0, 6.0), crush))
            subject.findings.append(f"crushed {name}")
        if name[0] != "C" and rng.random() < 0.1 * disease:
            below = rng.random() < 0.5
            place = chain.bottoms[n] if below else chain.tops[n]
            depth = rng.uniform(2.0, 5.0) * (-1 if below else 1)
            centre = (rng.normal(0, 6), rng.normal(0, 5), place)
            subject.bumps.append(Bump(2, centre, (5.0, 5.0, 4.0), depth))
            subject.findings.append(f"Schmorl's node of {name}")
        if name in ("L3", "L4", "L5", "C4", "C5") and rng.random() < 0.12 * disease:
            slip = rng.uniform(2.0, 8.0) * (0.5 if name[0] == "C" else 1.0) * (1 if rng.random() < 0.75 else -0.6)
            subject.slips.append((float(between), float(slip)))
            subject.findings.append(f"slipped {name}")


def _spurs(subject: Subject, rng: np.random.Generator) -> None:
    """Make osteophytes at the corners of the bodies beside worn discs, more often in front than behind."""
    chain = subject.chain
    for n, name in enumerate(chain.order[1:-1], start=1):
        if name not in subject.worn or rng.random() < 0.3:
            continue
        small = 0.6 if name[0] == "C" else 1.0
        front, back = _RIMS_MM[name[0]]
        for s in (float(chain.bottoms[n]) + 1.0, float(chain.tops[n + 1]) - 1.0):
            for wall, share, maximum in ((front, 0.8, -8.0), (back, 0.45, 4.0)):
                if rng.random() < share:
                    width = (rng.uniform(7, 14) * small, 4.5 * small, rng.uniform(1.8, 3.0))
                    size = rng.uniform(0.4, 1.0) * maximum * small
                    subject.bumps.append(Bump(1, (float(rng.normal(0, 4)), wall - size / 2, s), width, size))
        subject.findings.append(f"spurs about the {name} disc")


@dataclass(frozen=True)
class PoseMap:
    """Map from points in a box of space to the chain; made by `pose_map`."""

    low: Array
    places: NDArray[np.float64]  # [3, x, y, z] on the coarse grid
    subject: Subject

    def __call__(self, points: Array) -> Array:
        """Return the places (l, a, s) in the chain of RAS points [..., 3]."""
        index = np.moveaxis((points - self.low) / _COARSE_MM, -1, 0)
        place = np.stack([ndimage.map_coordinates(c, index, order=1, mode="nearest") for c in self.places], axis=-1)
        for s, slip in self.subject.slips:
            above = np.clip((place[..., 2] - s) / 6.0 + 0.5, 0, 1) * np.exp(-np.clip(place[..., 2] - s, 0, None) / 45)
            place[..., 1] -= slip * above
        for bump in self.subject.bumps:
            near = np.abs(place[..., 2] - bump.centre[2]) < 4 * bump.width[2]
            away = (place[near] - bump.centre) / bump.width
            place[near, bump.axis] += bump.size * np.exp(-0.5 * (away**2).sum(axis=-1))
        return place


def pose_map(subject: Subject, low: Array, high: Array, rng: np.random.Generator) -> PoseMap:
    """Compute the backward map over the box from `low` to `high` (RAS mm), with a smooth random warp."""
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
            np.interp(s, subject.ends, subject.chain_ends),
        ]
    )
    return PoseMap(low, place, subject)
