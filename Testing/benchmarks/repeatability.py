"""How much values change when the same scan is turned, resliced to 4 mm, noisier or shaded: masks against edges.

    python -m Testing.benchmarks.repeatability DATASET [CASE ...]

DATASET is a folder of ``<case>_image.nii.gz``. Every changed image is segmented again by the bundled model, so the
change of a value is what a user would see. Prints the mean absolute change (mm) of each quantity by both methods. The
bundled model was trained on lumbar_t2_space: it measures repeatability there, not accuracy.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.segment import segment_volume
from SpineMeasureLib.volume import Volume

from .robustness import resliced, turned

#: Quantity, method between masks, and method between edges.
PAIRS = (
    ("disc_height_anterior", "chord10", "endplate10"),
    ("disc_height_middle", "chord50", "endplate50"),
    ("disc_height_posterior", "chord90", "endplate90"),
    ("disc_height_mean", "area_depth", "endplate_area_depth"),
    ("body_height_anterior", "corner", "cortex"),
    ("body_height_middle", "chord50", "cortex"),
    ("body_height_posterior", "corner", "cortex"),
    ("canal_ap", "disc_level", "wall"),
    ("canal_ap", "mid_vertebral", "wall"),
)
Values = dict[tuple[str, str, str], float]


def noisy(image: Volume) -> Volume:
    """Return the image with Gaussian noise of 5 % of its 99th percentile."""
    rng = np.random.default_rng(0)
    level = 0.05 * float(np.percentile(image.array, 99))
    return Volume(np.maximum(image.array + rng.normal(0, level, image.array.shape), 0).astype(np.float32), image.affine)


def shaded(image: Volume) -> Volume:
    """Return the image with a smooth field of +-30 % along and across the spine."""
    ramps = [np.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(3)])
             for axis, n in enumerate(image.array.shape)]  # fmt: skip
    field = 1 + 0.15 * sum(ramps) / 1.5 - 0.15 * ramps[2] ** 2
    return Volume((image.array * field).astype(np.float32), image.affine)


def _both(change: Callable[[Volume, Volume], tuple[Volume, Volume]]) -> Callable[[Volume], Volume]:
    return lambda image: change(image, Volume(np.zeros(image.array.shape, np.uint8), image.affine))[0]


CHANGES: dict[str, Callable[[Volume], Volume]] = {
    "turned 7 degrees": _both(turned((1.0, 0.0, 0.0), 7.0)),
    "4 mm slices": _both(resliced((4.0, None, None))),
    "noise 5 %": noisy,
    "bias field": shaded,
}


def values(image: Volume) -> Values:
    """Segment and measure."""
    rows = measure(segment_volume(image, device="cpu"), image)
    return {row.key: row.value for row in rows if row.value is not None}


def main(folder: Path, cases: list[str]) -> None:
    """Print the table."""
    changes: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for case in cases or sorted(p.name.split("_")[0] for p in folder.glob("*_image.nii.gz")):
        image = read_volume(folder / f"{case}_image.nii.gz")
        before = values(image)
        for title, change in CHANGES.items():
            print(case, title, file=sys.stderr, flush=True)
            after = values(change(image))
            for quantity, *methods in PAIRS:
                for level in {key[0] for key in before if key[1] == quantity}:
                    keys = [(level, quantity, method) for method in methods]
                    if all(key in before and key in after for key in keys):
                        for key in keys:
                            name = (title, quantity, "disc" if "-" in level else "body", key[2])
                            changes[name].append(after[key] - before[key])
    print(f"{'change':18}{'quantity':24}{'at':6}{'method':22}{'n':>4}{'MAE':>7}{'median':>8}{'bias':>7}{'max':>7}")
    for (title, quantity, at, method), found in sorted(changes.items()):
        e = np.array(found)
        print(
            f"{title:18}{quantity:24}{at:6}{method:22}{len(e):4}{np.abs(e).mean():7.2f}{np.median(np.abs(e)):8.2f}"
            f"{e.mean():+7.2f}{np.abs(e).max():7.2f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
