"""Label maps of other programs: what each of their values is, and a map translated into our own values.

Sources:

- SPIDER: van der Graaf et al., Sci Data 2024, doi 10.1038/s41597-024-03090-w; values as in the documentation of the
  challenge's baseline (grand-challenge.org, spider-baseline-iis): 1-24 vertebrae from L5 upwards, 100 canal, 101-124
  vertebrae that are partly in view, 201-223 discs from L5-S1 upwards.
- TotalSpineSeg: neuropoly/totalspineseg, totalspineseg/resources/labels_maps/tss_map.json.
- SPINEPS: Hendrik-code/spineps, README "Labels" (seg-spine mask: subregions; seg-vert mask: vertebra X, the disc
  below it 100 + X, endplates 200 + X), names of X in TPTBox core/vert_constants.py, class Vertebra_Instance.
- VERIDAH renames the vertebrae of SPINEPS's seg-vert mask, with the same values (Moeller et al., arXiv 2601.14066).
- TotalSegmentator: wasserth/TotalSegmentator, totalsegmentator/map_to_binary.py, tasks vertebrae_mr, total, total_mr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import (
    CANAL_VALUE,
    CORD_VALUE,
    DISC_OFFSET,
    SACRUM_VALUE,
    USUAL_ORDER,
    VERTEBRA_ORDER,
    Tissue,
    vertebra_value,
)
from ...errors import OptionError, UnreadableInputError
from ...orientation import ras_order, voxel_sizes
from ..split import lumen_behind

#: Vertebrae from L5 up to C1.
_UPWARDS = tuple(reversed(USUAL_ORDER[:-1]))


@dataclass(frozen=True)
class Convention:
    """The meaning of the values of a program's label map.

    :ivar own: its value -> our value (`anatomy.py`); a vertebra's value includes its arch.
    :ivar endplates: values of endplates, which belong to the vertebra that they touch, whatever their number.
    :ivar tissues: its value -> tissue, of a map without levels; then `own` is empty.
    :ivar whole: whether the label of a vertebra includes its arch.
    :ivar others: whether further values (organs) may occur; they are ignored.
    :ivar guessed: whether "auto" considers it.
    """

    name: str
    what: str
    own: dict[int, int] = field(default_factory=dict)
    endplates: frozenset[int] = frozenset()
    tissues: dict[int, Tissue] = field(default_factory=dict)
    whole: bool = True
    others: bool = False
    guessed: bool = True

    @property
    def program(self) -> str:
        """Name of the program, the first word of `what`."""
        return self.what.replace(",", " ").partition(" ")[0]

    @property
    def values(self) -> frozenset[int]:
        """All its values."""
        return frozenset(self.own) | frozenset(self.tissues) | self.endplates


def _spider() -> dict[int, int]:
    table = {100: CANAL_VALUE}
    for n, name in enumerate(_UPWARDS, start=1):
        table[n] = table[100 + n] = vertebra_value(name)
        if name != "C1":
            table[200 + n] = DISC_OFFSET + vertebra_value(name)
    return table


def _totalspineseg() -> dict[int, int]:
    table = {1: CORD_VALUE, 2: CANAL_VALUE, 50: SACRUM_VALUE, 100: DISC_OFFSET + vertebra_value("L5")}
    for region, count, vertebra, disc in (("C", 7, 10, 60), ("T", 12, 20, 71), ("L", 6, 40, 91)):
        for n in range(1, count + 1):
            table[vertebra + n] = vertebra_value(f"{region}{n}")
            if region != "C" and n < (12 if region == "T" else 5):
                table[disc + n] = DISC_OFFSET + vertebra_value(f"{region}{n}")
    table |= {61 + n: DISC_OFFSET + vertebra_value(f"C{n}") for n in range(2, 7)}
    return table | {71: DISC_OFFSET + vertebra_value("C7"), 91: DISC_OFFSET + vertebra_value("T12")}


def _instances() -> dict[int, int]:
    """SPINEPS's seg-vert mask without endplates."""
    values = [vertebra_value(name) for name in VERTEBRA_ORDER[:-1]]
    return {v: v for v in (SACRUM_VALUE, *values, *(DISC_OFFSET + value for value in values))}


#: SPINEPS numbers both endplates at a disc after the vertebra above it (phase_post.py, add_ivd_ep_vert_label).
_ENDPLATES = frozenset(200 + vertebra_value(name) for name in VERTEBRA_ORDER)

#: SPINEPS's seg-spine mask: TPTBox core/vert_constants.py, class Location.
_SUBREGIONS: dict[int, Tissue] = {
    **dict.fromkeys(range(41, 49), Tissue.POSTERIOR),
    **dict.fromkeys((49, 50, 51, 52, 53, 62), Tissue.BODY),
    26: Tissue.SACRUM,
    60: Tissue.CORD,
    61: Tissue.CANAL,
    100: Tissue.DISC,
}


def _counted(first: int, extra: dict[int, int]) -> dict[int, int]:
    """TotalSegmentator: vertebrae from L5 upwards, one value after another."""
    return {first + n: vertebra_value(name) for n, name in enumerate(_UPWARDS)} | extra


@lru_cache(maxsize=1)
def conventions() -> dict[str, Convention]:
    """Every convention by name."""
    total_mr = {18: Tissue.SACRUM, 19: Tissue.BODY, 20: Tissue.DISC, 21: Tissue.CORD}
    found = (
        Convention("spider", "SPIDER masks: vertebrae from L5 upwards, canal 100, discs 201 and on", _spider()),
        Convention("totalspineseg", "TotalSpineSeg, final output (step 2)", _totalspineseg()),
        Convention("spineps", "SPINEPS seg-vert mask, seg-spine mask with --subregions", _instances(), _ENDPLATES),
        Convention("veridah", "SPINEPS seg-vert mask as VERIDAH names it", _instances(), _ENDPLATES, guessed=False),
        Convention(
            "spineps-spine", "SPINEPS seg-spine mask alone; levels are named here", tissues=_SUBREGIONS, whole=False
        ),
        Convention("totalsegmentator", "TotalSegmentator, task vertebrae_mr", _counted(2, {1: SACRUM_VALUE})),
        Convention(
            "totalsegmentator-total",
            "TotalSegmentator 2, task total",
            _counted(27, {25: SACRUM_VALUE, 26: SACRUM_VALUE, 79: CORD_VALUE}),
            others=True,
            guessed=False,
        ),
        Convention(
            "totalsegmentator-total-mr",
            "TotalSegmentator 2, task total_mr; levels are named here",
            tissues=total_mr,
            others=True,
            guessed=False,
        ),
    )
    return {c.name: c for c in found}


def named(name: str) -> Convention:
    """The convention of a name.

    :raises OptionError: there is no such convention.
    """
    try:
        return conventions()[name]
    except KeyError:
        known = ", ".join(("auto", "own", *conventions()))
        raise OptionError(f"'{name}' is not a known convention of label maps.", f"Use one of {known}.") from None


def guess(array: NDArray, affine: NDArray[np.float64], is_own: bool) -> Convention | None:
    """The convention that a label map follows, None for our own.

    The convention must know all values, and the vertebrae must be in the order of their names.

    :param is_own: whether all values are among our own.
    :raises UnreadableInputError: none fits, or several do.
    """
    values = {int(v) for v in np.unique(array)} - {0}
    fitting = [
        c for c in conventions().values() if c.guessed and values <= c.values and _in_order(array, affine, c.own)
    ]
    if is_own and _in_order(array, affine, {v: v for v in values}):
        # SPINEPS uses nearly the same values: its endplates are our posterior elements, its vertebrae are whole. Our
        # own maps have a canal, or at least no arches.
        twin = next((c for c in fitting if c.endplates), None)
        if twin is None or values & {CANAL_VALUE, CORD_VALUE}:
            return None
        if values & _ENDPLATES:
            raise _unclear(["own", *(c.name for c in fitting)])
        return twin if lumen_behind(np.isin(array, sorted(values)), affine).any() else None
    if not fitting:
        strange = ", ".join(str(v) for v in sorted(values)[:8])
        raise UnreadableInputError(
            f"The values of the label map match no known convention ({strange}{', ...' if len(values) > 8 else ''}).",
            "Choose one with --convention, or use 1 vertebra, 2 disc, 3 canal.",
        )
    if len(fitting) > 1:
        raise _unclear([c.name for c in fitting])
    return fitting[0]


def _unclear(names: list[str]) -> UnreadableInputError:
    return UnreadableInputError(
        f"The label map matches several conventions: {', '.join(names)}.", "Name the right one with --convention."
    )


def _in_order(array: NDArray, affine: NDArray[np.float64], own: dict[int, int]) -> bool:
    """Whether the vertebrae are in the order of their names, downwards."""
    ordered = ras_order(array, affine)
    rows = np.arange(ordered.shape[2])
    places = {vertebra_value(name): place for place, name in enumerate(VERTEBRA_ORDER)}
    largest: dict[int, tuple[int, float]] = {}  # voxels and mean row of each vertebra; the largest label counts
    for value, ours in own.items():
        counts = np.count_nonzero(ordered == value, axis=(0, 1)) if ours in places else np.zeros(1)
        if counts.sum() > largest.get(places.get(ours, -1), (0, 0.0))[0]:
            largest[places[ours]] = (int(counts.sum()), float(counts @ rows / counts.sum()))
    falling = [row for _, (_, row) in sorted(largest.items())]
    return all(upper > lower for upper, lower in zip(falling, falling[1:], strict=False))


def translate(array: NDArray, affine: NDArray[np.float64], convention: Convention) -> NDArray[np.uint8]:
    """A map of named structures in our own values; whole vertebrae keep the value of their body.

    :param affine: 4x4, voxel index to RAS mm.
    :raises UnreadableInputError: it contains values that the convention does not know.
    """
    check_values(array, convention)
    out = np.zeros(array.shape, np.uint8)
    for theirs, ours in convention.own.items():
        out[array == theirs] = ours
    plates = np.isin(array, sorted(convention.endplates))
    vertebrae = np.isin(out, [vertebra_value(name) for name in VERTEBRA_ORDER])
    if plates.any() and vertebrae.any():
        sizes = voxel_sizes(affine)
        nearest = ndimage.distance_transform_edt(~vertebrae, sizes, return_distances=False, return_indices=True)
        out[plates] = out[tuple(nearest[:, plates])]
    return out


def tissues_of(array: NDArray, convention: Convention) -> NDArray[np.uint8]:
    """A map of tissues (`anatomy.Tissue`) of a convention without levels.

    :raises UnreadableInputError: it contains values that the convention does not know.
    """
    check_values(array, convention)
    out = np.zeros(array.shape, np.uint8)
    for theirs, tissue in convention.tissues.items():
        out[array == theirs] = tissue
    return out


def check_order(
    array: NDArray,
    affine: NDArray[np.float64],
    own: dict[int, int],
    whose: str = "its convention",
    hint: str = "Choose another --convention.",
) -> None:
    """Refuse a map with vertebrae that are not in the order of the names of their values, downwards.

    :param own: its value -> our value.
    :param whose: what names them, and `hint`: what to do, for the message.
    :raises UnreadableInputError: they do not.
    """
    if not _in_order(array, affine, own):
        raise UnreadableInputError(
            f"The vertebrae of the label map are not in the order of {whose} from head to sacrum.",
            hint,
        )


def check_values(array: NDArray, convention: Convention) -> None:
    """Refuse values that the convention does not know.

    :raises UnreadableInputError: there are some.
    """
    strange = {float(v) for v in np.unique(array)} - {0.0} - convention.values
    if strange and not convention.others:
        listed = ", ".join(f"{v:g}" for v in sorted(strange)[:5])
        raise UnreadableInputError(
            f"The label map contains values that '{convention.name}' does not have ({listed}).",
            "Choose another --convention.",
        )
