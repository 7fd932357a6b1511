"""Accuracy of the measuring code on closed-form spines at 0.5 x 0.5 x 4 mm: prints one line per value.

Run from the repository root: ``.venv/bin/python -m Testing.benchmarks.phantom_accuracy [--spacing 4 0.5 0.5]``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure import measure
from SpineMeasureLib.phantom import Canal, Element, Grid, Spine, lumbar, pose, truth, voxelise

TURNS = (
    (0, 0, 0), (12, 0, 0), (0, 15, 0), (0, 0, 20), (-25, 10, 10),
    (20, -20, 15), (30, 0, 0), (0, 30, 0), (0, 0, 30), (-10, 25, -25),
)  # fmt: skip


def spines() -> dict[str, Spine]:
    """The spines that are posed."""
    return {
        "plain": lumbar(upper="L2"),
        "thin discs": lumbar(upper="L3", disc=Element("", Kind.DISC, 5.0, 4.0)),
        "boxes": lumbar(
            upper="L3",
            disc=Element("", Kind.DISC, 9.0, 10.0, power=6.0),
            body=Element("", Kind.BODY, 26.0, 3.0, power=6.0),
        ),
        "narrowed": lumbar(upper="L3", canal=Canal(dent=5.0)),
        "scoliotic": lumbar(upper="L2", scoliosis=6.0),
    }


def main() -> None:
    """Measure every spine in every pose and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing", nargs=3, type=float, default=(4.0, 0.5, 0.5), help="right, anterior, superior mm")
    grid = Grid(tuple(parser.parse_args().spacing))
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    units = {}
    for spine in spines().values():
        for n, turn in enumerate(TURNS):
            posed = spine.moved(pose(turn, (3.3 * n, 1.17 * n, 0.71 * n)))
            rows = {r.key: r for r in measure(voxelise(posed, grid))}
            for key, value in truth(posed).items():
                row = rows[key]
                units[key[1:]] = row.unit
                errors[key[1], key[2]].append((np.nan if row.value is None else row.value) - value)
    print(f"{'value':44}{'unit':>6}{'n':>5}{'mean abs':>10}{'p95 abs':>9}{'max abs':>9}{'bias':>8}")
    for name, found in errors.items():
        e = np.array(found)
        size = np.abs(e)
        print(
            f"{' / '.join(name):44}{units[name]:>6}{len(e):5}{size.mean():10.3f}{np.percentile(size, 95):9.3f}"
            f"{size.max():9.3f}{e.mean():8.3f}"
        )


if __name__ == "__main__":
    main()
