"""Accuracy of measurements between edges of the image, beside measurements on the masks, on closed-form images.

    python -m Testing.benchmarks.edge_accuracy [--only TEXT ...] [--worst N] [--summary]

Both are compared with the same truth: from marrow to marrow for heights, from wall to wall of the sac for diameters.
Prints mean absolute error, bias and largest error in mm for every condition, way to draw the masks and kind of value,
over all levels and images; "on mask" counts edge values with the flag ``edge_not_found``, "missing" edge values without
a number. `--only` runs the conditions whose title contains one of the texts, `--summary` prints one line per condition.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from SpineMeasureLib.measure import measure

from .edge_conditions import HABITS, Case, Condition, Key, Textured, conditions


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


def errors(condition: Condition | Textured, habit: str, cases: list[Case]) -> list[Error]:
    """Measure the images of a condition with masks drawn by a habit."""
    found = []
    for n, case in enumerate(cases):
        rows = {row.key: row for row in measure(case.masks(habit), case.image)}
        for key, true in case.truth.items():
            mask, edge = rows.get(mask_key(key)), rows.get(key)
            off = [None if row is None or row.value is None else row.value - true for row in (mask, edge)]
            flagged = edge is not None and "edge_not_found" in edge.flags
            found.append(Error(f"{condition.title}, {habit}, image {n}", habit, key, off[0], off[1], flagged))
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
        cases = list(condition.cases())
        for habit in condition.habits:
            everything += (found := errors(condition, habit, cases))
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
