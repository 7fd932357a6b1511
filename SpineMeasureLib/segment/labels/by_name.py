"""Named structures from segments that a file describes: by their names and codes, whatever their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...anatomy import DISC_OFFSET, POSTERIOR_OFFSET, TISSUE_OF, Kind, structure_info, vertebra_value
from ...errors import NothingFoundError, UnreadableInputError
from ...io.label_segments import LabelFile, Segment
from ...segmentation import SpineSegmentation
from ..naming.instances import name_structures
from .anchors import Anchor, lowest_disc_of
from .by_value import divide_vertebrae, divide_whole_vertebrae, named_labels
from .conventions import check_order
from .names import Beside, What, is_dural_sac, is_single, meaning_of_code, meaning_of_name

#: If segments overlap, the later kind of these gets the voxel: the cord is in the canal, and whole vertebrae often
#: overlap canal and discs.
_ORDER = (Kind.SACRUM, Kind.BODY, Kind.POSTERIOR, Kind.CANAL, Kind.DISC, Kind.CORD)
#: Kinds whose names carry a level.
_LEVELLED = (Kind.BODY, Kind.POSTERIOR, Kind.DISC)
#: Several segments may be parts of one structure of these kinds.
_OF_PARTS = (Kind.POSTERIOR, Kind.SACRUM, Kind.CANAL, Kind.CORD)
#: A named vertebra names the structure that covers at least this part of it.
_COVERED = 0.5


def segmentation_from_segments(file: LabelFile, *, lowest_disc: str | None = None) -> SpineSegmentation:
    """Read the segments of a file as structures.

    Single vertebrae and discs keep their levels. One segment for all vertebrae or discs is separated, and named after
    single vertebrae in the same file, else like a map of 1 vertebra, 2 disc, 3 canal.

    :raises UnreadableInputError: segments with unknown names, or names that contradict each other or the anatomy.
    :raises NothingFoundError: none of them is a vertebra or a disc.
    :raises LevelNameError: `lowest_disc` is unknown or does not fit.
    """
    warnings = list(file.warnings)
    found = _without_groups(_recognised(file, warnings), warnings)
    kinds = {kind for kind, _ in found.values()}
    if not kinds & {Kind.BODY, Kind.DISC}:
        names = ", ".join(segment.name for segment in found) or "none is part of the spine"
        raise NothingFoundError(
            f"No segment of the label file is a disc or a vertebra ({names}).",
            "Name the segments as L4, L4-L5 and so on, or vertebrae, discs, canal.",
        )
    if any(kind in _LEVELLED and not level for kind, level in found.values()):
        return _separated(file, found, lowest_disc, warnings)
    own = _painted(file, {s: _value(what) for s, what in found.items()}, found, warnings)
    return _named(own, file, Kind.POSTERIOR in kinds, lowest_disc, warnings)


def _recognised(file: LabelFile, warnings: list[str]) -> dict[Segment, What]:
    """Segments of the spine that have voxels.

    :raises UnreadableInputError: name and code of a segment are unknown, or a vertebra or disc occurs twice.
    """
    found: dict[Segment, What] = {}
    unknown, beside = [], []
    for segment in _present(file, warnings):
        what = _meaning(segment, warnings)
        if what is None:
            unknown.append(segment.name)
        elif isinstance(what, Beside):
            beside.append(segment.name)
        else:
            found[segment] = what
    if unknown:
        raise UnreadableInputError(
            f"The label file has segments with unknown names: {', '.join(unknown)}.",
            "Name them as L4, L4-L5, sacrum, spinal canal and so on (or vertebrae, discs, canal), delete them, or "
            "choose a --convention for their values.",
        )
    every = list(found.values())
    twice = {what for what in every if what[1] and what[0] not in _OF_PARTS and every.count(what) > 1}
    if twice:
        names = ", ".join(segment.name for segment, what in found.items() if what in twice)
        raise UnreadableInputError(
            f"Several segments of the label file are the same vertebra or disc: {names}.", "Rename or join them."
        )
    if beside:
        warnings.append(f"Segments that are not vertebrae, discs, canal or cord were left out: {', '.join(beside)}.")
    sacs = [s for s, what in found.items() if what[0] is Kind.CANAL and is_dural_sac(s.name)]
    wider = [s for s, what in found.items() if what[0] is Kind.CANAL and s not in sacs] if sacs else []
    if wider:
        warnings.append(
            f"The file has both canal and dural sac; the sac was used, left out: {', '.join(s.name for s in wider)}."
        )
    return {s: what for s, what in found.items() if s not in wider}


def _present(file: LabelFile, warnings: list[str]) -> list[Segment]:
    """The segments that have voxels."""
    layers = file.volume.array.shape[3]
    values = [{int(v) for v in np.unique(file.volume.array[..., n])} - {0} for n in range(layers)]
    there = [s for s in file.segments if s.layer < layers and s.value in values[s.layer]]
    nameless = sorted(value for n in range(layers) for value in values[n] - {s.value for s in there if s.layer == n})
    if nameless:
        listed = ", ".join(map(str, nameless[:5]))
        warnings.append(f"Values of the label file that belong to no segment were left out: {listed}.")
    return there


def _meaning(segment: Segment, warnings: list[str]) -> What | Beside | None:
    """What a segment is: by its name, else by the tag of this program, else by its code."""
    by_name = next((what for name in segment.names if (what := meaning_of_name(name))), None)
    noted = (Kind(segment.kind), segment.level) if segment.kind in [kind.value for kind in Kind] else None
    by_code = meaning_of_code(segment.code)
    if not by_name:
        return noted or by_code
    if isinstance(by_name, tuple) and by_code and by_code != by_name:
        same_kind = by_code[0] is by_name[0]
        if same_kind and not by_name[1]:
            return by_code
        if not same_kind or by_code[1]:
            warnings.append(f"The code of segment '{segment.name}' means another structure; its name was used.")
    return by_name


def _without_groups(found: dict[Segment, What], warnings: list[str]) -> dict[Segment, What]:
    """Leave out segments of several vertebrae or discs if there are single ones of that kind."""
    single = {kind for kind, level in found.values() if kind in _LEVELLED and level}
    left = {s: what for s, what in found.items() if is_single(what) or what[0] not in single}
    if len(left) < len(found):
        names = ", ".join(s.name for s in found if s not in left)
        warnings.append(f"Segments of several structures were left out, as there are single ones: {names}.")
    return left


def _painted(
    file: LabelFile, values: Mapping[Segment, int], found: Mapping[Segment, What], warnings: list[str]
) -> NDArray[np.uint8]:
    """uint8 array[i,j,k] of values; warns about overlaps, except of cord and canal."""
    out = np.zeros(file.volume.array.shape[:3], np.uint8)
    owners: dict[int, Segment] = {}
    overlaps: dict[str, int] = {}
    for segment in sorted(found, key=lambda s: _ORDER.index(found[s][0])):
        mask = file.volume.array[..., segment.layer] == segment.value
        for value, count in zip(*np.unique(out[mask], return_counts=True), strict=True):
            if value and value != values[segment] and found[segment][0] is not Kind.CORD:
                overlaps[f"{owners[int(value)].name} and {segment.name}"] = int(count)
        out[mask] = values[segment]
        owners[values[segment]] = segment
    if overlaps:
        worst = sorted(overlaps, key=lambda pair: -overlaps[pair])
        more = f" and {len(worst) - 3} more pairs" if len(worst) > 3 else ""
        warnings.append(
            f"Segments overlap ({'; '.join(worst[:3])}{more}): the cord takes precedence over discs, canal, "
            "arches and bodies."
        )
    return out


def _value(what: What) -> int:
    kind, level = what
    if kind in _LEVELLED:
        offset = {Kind.DISC: DISC_OFFSET, Kind.POSTERIOR: POSTERIOR_OFFSET}.get(kind, 0)
        return offset + vertebra_value(level.partition("-")[0])
    return structure_info(kind, level).value


def _named(
    own: NDArray[np.uint8], file: LabelFile, has_arches: bool, lowest_disc: str | None, warnings: list[str]
) -> SpineSegmentation:
    """Read a map with our own values, in which every structure has a level."""
    affine = file.volume.affine
    values = {int(v): int(v) for v in np.unique(own)}
    check_order(own, affine, values, "their names", "Correct the names of the segments.")
    if not has_arches:
        warnings += divide_whole_vertebrae(own, affine)
    return named_labels(own, affine, lowest_disc, tuple(warnings))


def _separated(
    file: LabelFile, found: Mapping[Segment, What], lowest_disc: str | None, warnings: list[str]
) -> SpineSegmentation:
    """Separate vertebrae or discs that are one segment; single ones in the file give their names."""
    affine = file.volume.affine
    tissue = _painted(file, {s: int(TISSUE_OF[kind]) for s, (kind, _) in found.items()}, found, warnings)
    kinds = {kind for kind, _ in found.values()}
    if Kind.POSTERIOR not in kinds:
        tissue = divide_vertebrae(tissue, affine)

    def named(lowest: str | None) -> SpineSegmentation:
        return name_structures(tissue, affine, lowest_disc=lowest, sacrum_drawn=Kind.SACRUM in kinds)

    segmentation = named(lowest_disc)
    anchors = _anchors(file, found, segmentation)
    if anchors and not lowest_disc:
        segmentation = named(lowest_disc_of(segmentation, anchors, "Names of segments"))
    return SpineSegmentation(
        segmentation.labels,
        affine,
        segmentation.structures,
        segmentation.level_verified,
        "labels" if anchors and not lowest_disc else segmentation.anchor,
        (*warnings, *segmentation.warnings),
    )


def _anchors(file: LabelFile, found: Mapping[Segment, What], segmentation: SpineSegmentation) -> Sequence[Anchor]:
    """The names that single vertebrae and discs give to the separated structures."""
    anchors = []
    for segment, (kind, level) in found.items():
        if kind not in (Kind.BODY, Kind.DISC) or not level:
            continue
        inside = segmentation.labels[file.volume.array[..., segment.layer] == segment.value]
        counts = np.bincount(inside, minlength=256)
        best = max(segmentation.of_kind(kind), key=lambda s: counts[s.value], default=None)
        if best and counts[best.value] > _COVERED * sum(counts[s.value] for s in segmentation.of_kind(kind)):
            anchors.append(Anchor(kind, best.level, level))
    return anchors
