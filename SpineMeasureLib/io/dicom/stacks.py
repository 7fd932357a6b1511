"""Stacks of parallel slices among the images of one DICOM series: by plane, station, contrast and acquisition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..checks import MINIMUM_SLICES
from .frames import CONTRAST, REPETITION, Frame

#: Slices nearer than this are at the same place.
SAME_PLACE_MM = 0.01
#: So are images nearer than this fraction of the usual step, if they can be divided: repeated after a small movement.
#: The usual step is a high percentile, because the steps between repeated images are small.
_SAME_PART, _USUAL_STEP = 0.2, 80
#: Positions are reported to the user in whole mm.
_APART_MM = 1.0


def places(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Return the positions in mm along the normal of the first frame."""
    return np.array([frame.position for frame in frames]) @ frames[0].normal


def stacks_of(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Return the stacks of at least `MINIMUM_SLICES` parallel images in one DICOM series.

    If several images are at the same places, there is one stack per station, contrast and acquisition.
    """
    found = [part for parallel in _grouped(frames, Frame.is_parallel) for part in _divided(parallel)]
    return [stack for stack in found if len(stack) >= MINIMUM_SLICES]


def what_differs(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> str:
    """Return what distinguishes a stack of a series from the others, in words; empty if there is only one."""
    if len(stacks) == 1:
        return ""
    found = _contrast_that_differs(stack, stacks)
    if not found and len({s[0].orientation.tobytes() for s in stacks}) == 1:
        here = [s for s in stacks if _share_a_place(stack, s)]
        repetition = _repetition_that_differs(stack, here) if len(here) > 1 else []
        if len(here) < len(stacks) or not repetition:
            found += _where_it_begins(stack, stacks)
        found += repetition
    return ", ".join(found)


def _share_a_place(one: Sequence[Frame], other: Sequence[Frame]) -> bool:
    """Return whether any two images of the stacks are at the same position: they are repetitions, in any order."""
    here, there = (np.array([frame.position for frame in stack]) for stack in (one, other))
    return bool((np.linalg.norm(here[:, None] - there, axis=2) < _APART_MM).any())


def _where_it_begins(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> list[str]:
    """Return the place of the first image along the normal, if it is not that of all stacks."""
    begins = [s[int(np.argmin(places(s)))].position for s in (stack, *stacks)]
    if np.ptp(begins, axis=0).max() < _APART_MM:
        return []
    return [f"at {', '.join(f'{x:.0f}' for x in begins[0])} mm"]


def _grouped(frames: Sequence[Frame], belongs: Callable[[Frame, Frame], bool]) -> list[list[Frame]]:
    """Group frames; each frame of a group belongs to its first one."""
    groups: list[list[Frame]] = []
    for frame in frames:
        home = next((group for group in groups if belongs(frame, group[0])), None)
        if home is None:
            groups.append([frame])
        else:
            home.append(frame)
    return groups


def _divided(stack: list[Frame]) -> list[list[Frame]]:
    parts = [stack]
    for divide in (_by_station, _by_contrast, _by_acquisition):
        parts = [one for part in parts for one in (divide(part) if _is_repeated(part) else [part])]
    return parts


def _is_repeated(stack: Sequence[Frame]) -> bool:
    return len(np.unique(_slots(stack))) < len(stack)


def _slots(stack: Sequence[Frame]) -> NDArray[np.intp]:
    """Return the places as whole numbers, equal for images that are too near to be neighbours in a stack."""
    along = places(stack)
    order = np.argsort(along)
    steps = np.diff(along[order], prepend=along[order[:1]])
    same = max(SAME_PLACE_MM, _SAME_PART * float(np.percentile(steps, _USUAL_STEP)))
    slots = np.empty(len(stack), np.intp)
    slots[order] = np.cumsum(steps > same)
    return slots


def _by_station(stack: list[Frame]) -> list[list[Frame]]:
    return _grouped(stack, lambda frame, first: not frame.is_beside(first))


def _by_contrast(stack: list[Frame]) -> list[list[Frame]]:
    return _grouped(stack, lambda frame, first: frame.contrast == first.contrast)


def _by_acquisition(stack: list[Frame]) -> list[list[Frame]]:
    """Return the repeated acquisitions, by the first attribute that gives whole stacks; else the images as they are."""
    for n in range(len(REPETITION)):
        parts = _by_value(stack, n) or _by_order(stack, n)
        if parts:
            return parts
    return [stack]


def _by_value(stack: list[Frame], n: int) -> list[list[Frame]]:
    """Return stacks of equal values; an empty list unless each is complete and contains no position twice."""
    parts = _grouped(stack, lambda frame, first: frame.repetition[n] == first.repetition[n])
    is_whole = all(len(part) >= MINIMUM_SLICES and not _is_repeated(part) for part in parts)
    return parts if is_whole else []


def _by_order(stack: list[Frame], n: int) -> list[list[Frame]]:
    """Return stacks of the first, second ... value at each position; empty unless counts match and values differ."""
    at_place: dict[int, list[Frame]] = defaultdict(list)
    for slot, frame in zip(_slots(stack), stack, strict=True):
        at_place[int(slot)].append(frame)
    counts = {len(frames) for frames in at_place.values()}
    if len(counts) > 1 or len(at_place) < MINIMUM_SLICES:
        return []
    for frames in at_place.values():
        if len({frame.repetition[n] for frame in frames}) < len(frames):
            return []
        frames.sort(key=lambda frame: _order(frame.repetition[n]))
    return [list(part) for part in zip(*at_place.values(), strict=True)]


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return 0.0, value


def _contrast_that_differs(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> list[str]:
    found: list[str] = []
    for n, (name, _, _) in enumerate(CONTRAST):
        values = [s[0].contrast[n].split("/") for s in stacks]
        if len(set(map(tuple, values))) == 1 or (name == "echo" and found):
            continue
        own = stack[0].contrast[n].split("/")
        others = [word for word in own if not all(word in value for value in values)]
        found.append(f"{name} {'/'.join(others or own)}")
    return found


def _repetition_that_differs(stack: Sequence[Frame], stacks: Sequence[Sequence[Frame]]) -> list[str]:
    """Return the first attribute whose smallest value is another in each stack, with that of this one."""
    for n, (name, _, _) in enumerate(REPETITION):
        smallest = {min((frame.repetition[n] for frame in s), key=_order) for s in stacks}
        if len(smallest) == len(stacks):
            return [f"{name} {min((frame.repetition[n] for frame in stack), key=_order) or 'not stated'}"]
    return []
