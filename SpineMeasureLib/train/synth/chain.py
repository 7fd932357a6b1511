"""Which vertebrae a person has: the usual ones, or one more or fewer.

The template is cut through the middle of a body and rejoined higher or lower, so that the stretch between the middles
of two neighbouring bodies occurs twice or not at all. Every place along the person's straight spine (``chain s``, mm)
has a place in the template (``template s``) and a name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...anatomy import USUAL_ORDER, VERTEBRA_ORDER
from .template import Template

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """A number of vertebrae.

    :ivar cut: two bodies of the template: the lower half of the first and the upper half of the second make one body.
    :ivar share: share of persons with this number if every disease is present; far above reality, to be learned.
    """

    added: str
    missing: str
    cut: tuple[str, str]
    share: float
    finding: str


#: By the additional vertebra, or with a minus the missing one.
VARIANTS: dict[str, Variant] = {
    "usual": Variant("", "", ("L4", "L4"), 0.0, ""),
    "L6": Variant("L6", "", ("L4", "L5"), 0.14, "six lumbar vertebrae: L6 on the sacrum"),
    "-L5": Variant("", "L5", ("L5", "L4"), 0.14, "four lumbar vertebrae: L4 on the sacrum"),
    "T13": Variant("T13", "", ("T11", "T12"), 0.07, "13 thoracic vertebrae: T13"),
    "-T12": Variant("", "T12", ("T12", "T11"), 0.07, "11 thoracic vertebrae: T11 on L1"),
}


@dataclass(frozen=True)
class Chain:
    """A person's vertebrae, straightened. Below the cut, chain s is template s; above it, `longer` mm more.

    :ivar order: their names, from C1 to S1.
    :ivar tops: chain s of the upper and of the lower (`bottoms`) end of each body, by `order`.
    :ivar levels: index into `VERTEBRA_ORDER` of each level of the template, [below the cut, above it].
    """

    order: tuple[str, ...]
    cut: float
    longer: float
    tops: Array
    bottoms: Array
    levels: NDArray[np.uint8]

    @classmethod
    def of(cls, template: Template, variant: str = "usual") -> Chain:
        """Make the chain of a variant, a name in `VARIANTS`."""
        made = VARIANTS[variant]
        kept = [n for n in VERTEBRA_ORDER if (n in USUAL_ORDER or n == made.added) and n != made.missing]
        low, high = (USUAL_ORDER.index(name) for name in made.cut)
        cut, longer = template.centres[low], template.centres[low] - template.centres[high]
        from_head = np.arange(len(kept)).clip(max=len(USUAL_ORDER) - 1)
        from_sacrum = (np.arange(len(kept)) - len(kept) + len(USUAL_ORDER)).clip(0)
        tops = np.where(from_sacrum > low, template.tops[from_sacrum], template.tops[from_head] + longer)
        bottoms = np.where(from_sacrum >= low, template.bottoms[from_sacrum], template.bottoms[from_head] + longer)
        values = np.array([VERTEBRA_ORDER.index(name) for name in kept])
        template_levels = np.arange(len(USUAL_ORDER))
        below = values[(template_levels + len(kept) - len(USUAL_ORDER)).clip(0)]
        above = values[template_levels.clip(max=len(kept) - 1)]
        levels = np.stack([below, above]).astype(np.uint8)
        return cls(tuple(kept), float(cut), float(longer), tops, bottoms, levels)

    def in_template(self, place: Array) -> tuple[Array, NDArray[np.intp]]:
        """Convert places in the chain [..., 3] to template places (l, a, s), and 1 above the cut, 0 below it."""
        above = (place[..., 2] > self.cut).astype(np.intp)
        found = place.copy()
        found[..., 2] -= self.longer * above
        return found, above

    def in_body(self, place: Array) -> Array:
        """Convert places around the spine: as `in_template`, but stretched at the cut instead of interrupted there."""
        found = place.copy()
        found[..., 2] -= self.longer * np.clip((place[..., 2] - self.cut) / 200 + 0.5, 0, 1)
        return found
