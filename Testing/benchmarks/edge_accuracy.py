"""Accuracy of measurements between edges of the image, beside measurements on the masks, on closed-form images.

    python -m Testing.benchmarks.edge_accuracy [--only TEXT ...] [--worst N] [--summary]

Both are compared with the same truth: from marrow to marrow for heights, from wall to wall of the sac for diameters.
Prints mean absolute error, bias and largest error in mm for every condition, way to draw the masks and kind of value,
over all levels and poses; "on mask" counts edge values with the flag ``edge_not_found``, "missing" edge values without
a number. `--only` runs the conditions whose title contains one of the texts, `--summary` prints one line per condition.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure import measure
from SpineMeasureLib.phantom import (
    SPACE,
    T1,
    T2,
    T2_DARK_DISC,
    T2_MEDIUM_DISC,
    WATER,
    Canal,
    Element,
    Grid,
    Habit,
    Scan,
    Signal,
    Spine,
    edge_truth,
    lumbar,
    pose,
    render,
    voxelise,
)
from SpineMeasureLib.volume import Volume

Key = tuple[str, str, str]
#: Two poses, so that boundaries cross the voxels at different angles and places.
POSES = (pose((6, 3, 4), (0.3, 0.17, 0.11)), pose((-14, -5, 8), (1.4, 0.31, 0.42)))
EXACT = "exact"
HABITS = {
    EXACT: Habit(),
    "discs thinner by 1 mm a side": Habit(disc=-1.0),
    "endplates given to bodies": Habit(disc=-1.0, body=1.0),
    "eroded by 0.5 mm": Habit(everything=-0.5),
    "dilated by 0.5 mm": Habit(everything=0.5),
}
USUAL = (EXACT, "discs thinner by 1 mm a side")


@dataclass(frozen=True)
class Condition:
    """A spine, how it is scanned and how its masks are drawn."""

    title: str
    spine: Spine
    signal: Signal = T2
    scan: Scan = Scan(snr=20)
    grid: Grid = SPACE
    habits: tuple[str, ...] = USUAL
    poses: tuple[np.ndarray, ...] = POSES


def conditions() -> Iterator[Condition]:
    """List the conditions; each changes one thing of a T2 image of 0.9 x 0.47 x 0.47 mm, SNR 20, 1 mm endplates."""
    base = Condition("T2", lumbar(lower="S1", upper="L4"))
    contrasts = {"T2": T2, "T2 medium disc": T2_MEDIUM_DISC, "T2 dark disc": T2_DARK_DISC, "T1": T1, "water": WATER}
    for name, signal in contrasts.items():
        yield replace(base, title=f"{name}, every mask", signal=signal, habits=tuple(HABITS))
        for plate in (0.5, 1.5):
            yield replace(base, title=f"{name}, plate {plate} mm", signal=replace(signal, plate_mm=plate))
        for thickness in (3.0, 4.0, 5.0):
            title = f"{name}, slices {thickness:.0f} mm"
            yield replace(base, title=title, signal=signal, grid=Grid((thickness, 0.5, 0.5)))
    for name, roots in (("T2", 480.0), ("T1", 240.0)):
        yield replace(base, title=f"{name} with roots", signal=replace(contrasts[name], roots=roots))
    for snr in (10, 20, 50, None):
        yield replace(base, title=f"SNR {snr}", scan=Scan(snr=snr, seed=3))
    for seed in (0, 1):
        yield replace(base, title=f"bias field 30 %, seed {seed}", scan=Scan(snr=20, bias=0.3, seed=seed))
    for width in (0.5, 1.5):
        yield replace(base, title=f"PSF {width} px", scan=Scan(fwhm_mm=width * SPACE.spacing[1], snr=20))
    for turn in ((0, 0, 0), (30, 0, 0), (0, 25, 0), (0, 0, 25), (20, -20, 15)):
        for thickness, grid in ((0.9, SPACE), (4, Grid((4.0, 0.5, 0.5)))):
            poses = (pose(turn, (0.2, 0.1, 0.3)),)
            yield replace(base, title=f"turned {turn}, slices {thickness} mm", poses=poses, grid=grid)
    spines = {
        "thin discs 4 mm": lumbar("S1", "L4", disc=Element("", Kind.DISC, 4.0, 3.0)),
        "thin discs 4 mm, dark, plate 1.5": lumbar("S1", "L4", disc=Element("", Kind.DISC, 4.0, 3.0)),
        "wedge 14 degrees": lumbar("S1", "L4", disc=Element("", Kind.DISC, 11.0, 14.0)),
        "slip 5 mm": lumbar("S1", "L4", slip=5.0),
        "narrowed canal 8 mm": lumbar("S1", "L4", canal=Canal(dent=6.0)),
        "severe stenosis 3 mm": lumbar("S1", "L4", canal=Canal(dent=11.0)),
        "scoliosis 6 degrees a disc": lumbar("S1", "L4", scoliosis=6.0),
        "cord": lumbar("S1", "L4", canal=Canal(cord=(3.5, 6.0))),
    }
    for title, spine in spines.items():
        signal = replace(T2_DARK_DISC, plate_mm=1.5) if "plate 1.5" in title else T2
        yield replace(base, title=title, spine=spine, signal=signal)


def mask_key(key: Key) -> Key:
    """Return the row on the masks that measures the same distance."""
    level, quantity, method = key
    if method == "wall":
        return level, quantity, "disc_level" if "-" in level else "mid_vertebral"
    if method == "cortex":
        return level, quantity, "chord50" if quantity == "body_height_middle" else "corner"
    return level, quantity, method.replace("endplate_", "").replace("endplate", "chord")


def kind(key: Key) -> str:
    """Return the kind of value, a line of the table."""
    level, quantity, method = key
    if method == "wall":
        return f"{quantity}, {'disc level' if '-' in level else 'mid-vertebral'}"
    return "body heights" if method == "cortex" else quantity


@dataclass(frozen=True)
class Error:
    """Errors in mm of one value, None if it has no number."""

    where: str
    habit: str
    key: Key
    mask: float | None
    edge: float | None
    on_mask: bool


def images(condition: Condition) -> list[tuple[Spine, Volume]]:
    """Make the images of a condition, one for each pose."""
    spines = [condition.spine.moved(place) for place in condition.poses]
    return [(s, render(s, voxelise(s, condition.grid), condition.signal, condition.scan)) for s in spines]


def errors(condition: Condition, habit: str, posed: list[tuple[Spine, Volume]]) -> list[Error]:
    """Measure the images of a condition with masks drawn by a habit."""
    found = []
    for n, (spine, image) in enumerate(posed):
        rows = {row.key: row for row in measure(voxelise(spine, condition.grid, habit=HABITS[habit]), image)}
        for key, true in edge_truth(spine).items():
            mask, edge = rows.get(mask_key(key)), rows.get(key)
            off = [None if row is None or row.value is None else row.value - true for row in (mask, edge)]
            flagged = edge is not None and "edge_not_found" in edge.flags
            found.append(Error(f"{condition.title}, {habit}, pose {n}", habit, key, off[0], off[1], flagged))
    return found


def summary(values: list[float | None]) -> str:
    """Return mean absolute error, bias and largest error."""
    e = np.array([v for v in values if v is not None])
    return f"{np.abs(e).mean():7.2f}{e.mean():7.2f}{np.abs(e).max():6.2f}" if e.size else f"{'-':>7}{'-':>7}{'-':>6}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT")
    parser.add_argument("--worst", type=int, default=20, help="how many of the largest edge errors to list")
    parser.add_argument("--summary", action="store_true", help="all values of a condition together")
    options = parser.parse_args()
    everything: list[Error] = []
    head = f"{'MAE':>7}{'bias':>7}{'max':>6}"
    print(f"{'condition, masks, value':88}{'n':>4} mask{head} edge{head} on mask missing")
    for condition in conditions():
        if not any(text in condition.title for text in options.only):
            continue
        posed = images(condition)
        for habit in condition.habits:
            everything += (found := errors(condition, habit, posed))
            if options.summary:
                _print(f"{condition.title} | {habit}", found)
            else:
                _print_kinds(f"{condition.title} | {habit}", found)
    print()
    _print_kinds("everything", everything)
    for habit in HABITS:
        _print_kinds(f"everything | {habit}", [e for e in everything if e.habit == habit])
    worst = sorted((e for e in everything if e.edge is not None), key=lambda e: -abs(e.edge or 0))
    for error in worst[: options.worst]:
        mask = "-" if error.mask is None else f"{error.mask:.2f}"
        flag = ", on mask" if error.on_mask else ""
        print(f"{error.edge:7.2f} (mask {mask}{flag})  {' '.join(error.key)}: {error.where}")


def _print_kinds(title: str, found: list[Error]) -> None:
    kinds: dict[str, list[Error]] = defaultdict(list)
    for error in found:
        kinds[kind(error.key)].append(error)
    for name, some in kinds.items():
        _print(f"{title} | {name}", some)


def _print(title: str, some: list[Error]) -> None:
    on_mask, missing = sum(e.on_mask for e in some), sum(e.edge is None for e in some)
    masks, edges = summary([e.mask for e in some]), summary([e.edge for e in some])
    print(f"{title:88}{len(some):4}     {masks}     {edges} {on_mask:7} {missing:7}", flush=True)


if __name__ == "__main__":
    main()
