"""Materials of synthetic cases: the signal of each tissue in each kind of image, and the surroundings of a spine."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import USUAL_ORDER, Tissue
from .template import STEP_MM, Template

Array = NDArray[np.float64]
Codes = NDArray[np.uint8]


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
    BRAIN = 13
    LUNG = 14
    GLAND = 15


#: Signal of each material, 0..1, in the order of `Material` (relative; textbook order of brightness, not measured).
CONTRASTS: dict[str, tuple[float, ...]] = {
    "t2": (0.0, 0.70, 0.15, 0.25, 0.05, 0.05, 0.36, 0.52, 0.10, 0.95, 0.50, 0.42, 0.06, 0.50, 0.06, 0.45),
    "t1": (0.0, 0.90, 0.30, 0.30, 0.08, 0.05, 0.52, 0.33, 0.24, 0.14, 0.26, 0.34, 0.10, 0.38, 0.05, 0.35),
    "stir": (0.0, 0.06, 0.24, 0.32, 0.06, 0.04, 0.14, 0.52, 0.12, 0.95, 0.48, 0.42, 0.06, 0.50, 0.06, 0.55),
    "pd": (0.0, 0.80, 0.42, 0.45, 0.10, 0.06, 0.48, 0.55, 0.30, 0.75, 0.60, 0.62, 0.10, 0.65, 0.08, 0.55),
    "space": (0.0, 0.45, 0.18, 0.25, 0.10, 0.06, 0.28, 0.40, 0.10, 0.95, 0.55, 0.46, 0.08, 0.48, 0.06, 0.40),
    "water": (0.0, 0.08, 0.45, 0.45, 0.35, 0.06, 0.20, 0.60, 0.42, 0.70, 0.55, 0.55, 0.12, 0.60, 0.08, 0.55),
    "gradient_echo": (0.0, 0.35, 0.32, 0.35, 0.75, 0.04, 0.12, 0.62, 0.45, 0.85, 0.60, 0.50, 0.08, 0.5, 0.05, 0.5),
}

#: How often each is chosen.
_SHARES = (0.34, 0.18, 0.16, 0.06, 0.12, 0.07, 0.07)
#: Share of images from an arbitrary sequence, in which all tissues except cortex may have any signal.
_ANY_SEQUENCE = 0.12

_UNEVEN = np.array([0, 0.1, 0.2, 0.35, 0.25, 0.25, 0.12, 0.1, 0.2, 0.06, 0.15, 0.06, 0.25, 0.12, 0.4, 0.2])


def random_contrast(rng: np.random.Generator) -> str:
    """Choose a name in `CONTRASTS`."""
    return str(rng.choice(list(CONTRASTS), p=_SHARES))


def random_signal(contrast: str, rng: np.random.Generator) -> Array:
    """Return the signal of each `Material` in a contrast, varied as protocols vary."""
    signal: Array = np.array(CONTRASTS[contrast]) * np.exp(rng.normal(0, 0.2, len(Material)))
    if rng.random() < _ANY_SEQUENCE:
        signal[1:] = rng.uniform(0.05, 1.0, len(Material) - 1)
        signal[Material.CORTEX] = signal.min()
    return signal


def bone_and_sac(template: Template) -> Codes:
    """Return the material of each template voxel of the spine or next to its sac; AIR elsewhere."""
    tissue = template.tissue
    material = np.zeros(tissue.shape, np.uint8)
    bone = np.isin(tissue, (Tissue.BODY, Tissue.POSTERIOR, Tissue.SACRUM))
    lumen = np.isin(tissue, (Tissue.CANAL, Tissue.CORD))
    disc = tissue == Tissue.DISC
    neck = template.stations > template.tops[USUAL_ORDER.index("C7")]
    beside = ndimage.binary_dilation(lumen, np.ones((3, 1, 1), bool), iterations=12)
    arch = ndimage.binary_closing(tissue == Tissue.POSTERIOR, np.ones((1, 1, 3), bool), iterations=8)
    material[beside] = Material.FAT
    material[arch & ~beside] = Material.LIGAMENT
    material[ndimage.binary_dilation(bone | disc | lumen, iterations=1)] = Material.LIGAMENT
    material[_epidural_fat(lumen) & ~neck] = Material.FAT
    material[bone] = Material.CORTEX
    material[ndimage.binary_erosion(bone, iterations=1)] = Material.MARROW
    for n in range(1, len(USUAL_ORDER)):  # neighbouring bones keep separate rims
        own = bone & (template.level == n)
        box = ndimage.find_objects(own.astype(np.uint8))
        if box:
            rim = own[box[0]] & ~ndimage.binary_erosion(own[box[0]], iterations=1, border_value=1)
            material[box[0]][rim] = Material.CORTEX
    sacrum = (tissue == Tissue.SACRUM) & (material == Material.MARROW)
    for below in (29.0, 52.0):  # remnants of the discs S1-S2 and S2-S3
        at = np.abs(template.stations - (template.tops[-1] - below)) < 1.2
        material[sacrum & at & ~lumen] = Material.ANNULUS
    material[disc] = Material.ANNULUS
    core = ndimage.distance_transform_edt(ndimage.binary_dilation(disc, np.ones((1, 1, 5), bool)), (1, 1, 10))
    material[disc & (core * STEP_MM > 5.0)] = Material.NUCLEUS
    material[lumen] = Material.CSF
    material[tissue == Tissue.CORD] = Material.CORD
    return material


def _epidural_fat(lumen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark up to 4 mm behind the sac."""
    fat = np.zeros_like(lumen)
    for shift in range(1, 6):
        fat[:, :-shift] |= lumen[:, shift:]
    return fat & ~lumen


class Textures:
    """Smooth random fields over space, fixed for a case, that make tissue inhomogeneous."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._field = ndimage.gaussian_filter(rng.normal(size=(48, 64, 64)), 1.2, mode="wrap").astype(np.float32)
        self._field /= self._field.std()

    def at(self, points: Array, scale_mm: float) -> NDArray[np.float32]:
        """Sample a field of unit variance at RAS points; its features are about twice `scale_mm`."""
        index = np.moveaxis(points / scale_mm, -1, 0)
        field: NDArray[np.float32] = ndimage.map_coordinates(self._field, index, order=1, mode="grid-wrap")
        return field

    def unevenness(self, points: Array, material: Codes) -> Array:
        """Return the factor on the signal, about 1."""
        amount = _UNEVEN[material]
        factor: Array = np.clip(1 + amount * (0.7 * self.at(points, 0.9) + 0.6 * self.at(points, 4.0)), 0.1, 2.0)
        return factor


def surroundings(template: Template, place: Array, textures: Textures, seed: int) -> Codes:
    """Return the material around the spine, by template place (l, a, s) [..., 3]: a coarse neck, chest or abdomen.

    :param seed: seed of differences between people (thickness of fat, position of vessels).
    """
    rng = np.random.default_rng(seed)
    side, ahead, s = np.moveaxis(place, -1, 0)
    wave = textures.at(place, 9.0)
    fine = textures.at(place * [1.0, 1.0, 0.35], 2.5)
    c7, l1, c2 = (template.centres[USUAL_ORDER.index(n)] for n in ("C7", "L1", "C2"))
    uneven, depth = s + 8 * wave, np.clip(ahead, -20, 90)  # in front, the throat extends lower and the diaphragm higher
    neck = np.clip((uneven + 0.35 * depth - c7 + 25) / 50, 0, 1)
    chest = np.clip((uneven - 0.4 * depth - l1 + 20) / 60, 0, 1) * (1 - neck)
    back = -(62 - 14 * chest - 2 * neck) - rng.uniform(0, 10) + 3 * wave
    skin = back - rng.uniform(4, 30)
    material = np.full(s.shape, Material.FAT, np.uint8)
    streak = fine > rng.uniform(0.7, 1.8)
    muscle = (ahead < -12) & (ahead > back) & (np.abs(side) > 2.5)
    material[muscle] = np.where(streak[muscle], Material.FAT, Material.MUSCLE)
    midline = (np.abs(side) <= 2.5) & (ahead < -20) & (ahead > back)
    material[midline] = np.where(fine[midline] > 0.2, Material.FAT, Material.LIGAMENT)
    _front(material, side, ahead, s, neck, chest, wave, fine, rng)
    _beside(material, np.abs(side), ahead, s - l1, chest, rng)
    material[ahead <= back] = Material.FAT
    material[(ahead <= skin) | (ahead > _front_skin(neck, rng) + 4 * wave)] = Material.AIR
    _head(material, side, ahead, s - c2, wave, rng)
    return material


def _front_skin(neck: Array, rng: np.random.Generator) -> Array:
    depth: Array = (1 - neck) * rng.uniform(110, 190) + neck * rng.uniform(45, 75)
    return depth


def _front(
    material: Codes,
    side: Array,
    ahead: Array,
    s: Array,
    neck: Array,
    chest: Array,
    wave: NDArray[np.float32],
    fine: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Fill in front of the bodies: bowel and vessels, heart and lungs, throat."""
    wall = 17.0 - 5 * chest - 8 * neck
    front = ahead > wall
    belly = front & (ahead > wall + rng.uniform(8, 28) + 5 * wave)
    material[belly] = np.where(wave[belly] > rng.uniform(0, 1.2), Material.FAT, Material.GUT)
    gas = belly & (wave < -1.6)
    material[gas] = Material.AIR
    psoas = (np.abs(side) > 20 - 4 * chest) & (ahead > -14) & (ahead < wall + 6)
    material[psoas & (neck < 0.5)] = Material.MUSCLE
    lung = (chest > 0.5) & (np.hypot(side / 26, (ahead - wall) / 60) > 1) & (ahead > -25 + 0.2 * np.abs(side))
    material[lung & (np.abs(side) > 14)] = Material.LUNG
    heart = (chest > 0.4) & (ahead > wall + 38 + 4 * wave) & (np.abs(side) < 40)
    material[heart] = np.where(fine[heart] > 0.8, Material.VESSEL, Material.MUSCLE)
    for place, depth, radius in ((rng.normal(-9, 3), 13.0, rng.uniform(7, 12)), (rng.normal(12, 3), 13.0, 9.0)):
        vessel = np.hypot(side - place - 0.02 * (s - 250), ahead - wall - depth) < radius
        material[vessel & (neck < 0.4)] = Material.VESSEL
    throat = neck > 0.6
    thick = rng.uniform(2.5, 5.0) + rng.uniform(6, 12) * np.clip((620 - s) / 60, 0, 1)
    inner = throat & front
    material[inner] = np.where(wave[inner] > 0.9, Material.FAT, Material.MUSCLE)
    airway = inner & (np.abs(side) < 9) & (ahead > wall + thick) & (ahead < wall + thick + rng.uniform(9, 17))
    material[airway] = Material.AIR
    gland = inner & (np.abs(np.abs(side) - 17) < 8) & (ahead > wall + thick) & (ahead < wall + thick + 22) & (s < 640)
    material[gland] = Material.GLAND
    jaw = inner & (s > 660) & (ahead > wall + thick + 18)
    material[jaw] = np.where(wave[jaw] > 0.3, Material.MUSCLE, Material.FAT)


def _beside(material: Codes, aside: Array, ahead: Array, above: Array, chest: Array, rng: np.random.Generator) -> None:
    """Fill in kidneys and ribs for wide stacks; `aside` is the distance from the middle, `above` the height over L1."""
    kidney = ((aside - 54) / 24) ** 2 + ((ahead - 2) / 24) ** 2 + ((above + rng.uniform(0, 50)) / 52) ** 2
    material[(kidney < 1) & (chest < 0.5)] = Material.GLAND
    rib = np.hypot((above + 0.5 * aside) % 24 - 12, ahead + 34 - 0.004 * aside**2)
    ribs = (chest > 0.3) & (aside > 30) & (rib < 6)
    material[ribs] = np.where(rib[ribs] < 4.2, Material.MARROW, Material.CORTEX)


def _head(
    material: Codes, side: Array, ahead: Array, above: Array, wave: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Fill in skull base and brain above C1; `above` is the height over the middle of C2."""
    roof = 38.0 + 0.10 * np.abs(side) + rng.uniform(-2, 3)
    head = above > roof
    clivus = head & (ahead > 0) & (ahead < 9 + 0.25 * (above - roof)) & (above < roof + 28) & (np.abs(side) < 15)
    inside = head & (ahead <= 0) & (ahead > -70) & (above > roof + 2 + 0.15 * np.clip(-ahead - 22, 0, None))
    rim = head & (ahead <= 0) & ~inside & (ahead > -76)
    material[rim] = Material.MARROW
    material[inside] = np.where(wave[inside] > 1.4, Material.CSF, Material.BRAIN)
    stem = inside & (np.abs(ahead + 14) < 9) & (np.abs(side) < 12)
    material[inside & (np.abs(ahead + 14) < 12) & (np.abs(side) < 15) & ~stem] = Material.CSF
    material[stem] = Material.BRAIN
    material[clivus] = Material.MARROW
    sinus = head & (ahead > 14) & (wave > 0.2)
    material[sinus] = Material.AIR
