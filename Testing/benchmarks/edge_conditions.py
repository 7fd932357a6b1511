"""Images whose measurements between edges are known, for `edge_accuracy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from SpineMeasureLib.anatomy import Kind
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
from SpineMeasureLib.phantom.sample import synthesize
from SpineMeasureLib.phantom.sample_shape import ENDPLATE_MM
from SpineMeasureLib.phantom.sample_tissues import CORTEX_MM
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segmentation import SpineSegmentation
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
class Case:
    """An image, its true values and its masks by a habit (a key of `HABITS`)."""

    truth: dict[Key, float]
    image: Volume
    masks: Callable[[str], SpineSegmentation]


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

    def cases(self) -> Iterator[Case]:
        """Make the image of every pose."""
        for place in self.poses:
            yield self._case(self.spine.moved(place))

    def _case(self, spine: Spine) -> Case:
        image = render(spine, voxelise(spine, self.grid), self.signal, self.scan)
        top = spine.elements[-1].name  # without a disc above, its upper end is no endplate
        truth = {key: value for key, value in edge_truth(spine).items() if (key[0], key[2]) != (top, "cortex")}
        return Case(truth, image, lambda habit: voxelise(spine, self.grid, habit=HABITS[habit]))


@dataclass(frozen=True)
class Textured:
    """A spine as in the bundled sample: curved endplates, textured marrow, vein, roots, posterior elements, coil.

    Its masks leave the endplates to nobody. Slices of 4 mm, made of pixels a third as wide; a minute for each seed.
    """

    title: str
    contrast: str
    seeds: tuple[int, ...] = (1, 2)
    habits: tuple[str, ...] = (EXACT,)

    def cases(self) -> Iterator[Case]:
        """Make the image of every seed."""
        for seed in self.seeds:
            yield self._case(seed)

    def _case(self, seed: int) -> Case:
        slices, rows, columns = 7, 200, 170
        made = synthesize(seed, self.contrast, (4.0, 0.5 / 3, 0.5 / 3), (slices, 3 * rows, 3 * columns))
        shape = (slices, rows, 3, columns, 3)
        affine = made.image.affine @ np.diag([1, 3, 3, 1])
        affine[:3, 3] = (made.image.affine @ [0, 1, 1, 1])[:3]
        image = Volume(made.image.array.reshape(shape).mean(axis=(2, 4)).astype(np.float32), affine)
        labels = Volume(np.ascontiguousarray(made.labels.array[:, 1::3, 1::3]), affine)
        truth = {}
        for row in made.truth:
            level, quantity, method, value = (row[name] for name in ("level", "quantity", "method", "value"))
            if quantity == "canal_ap":
                truth[level, quantity, "wall"] = value
            elif method.startswith("chord") and level != "L5-S1":
                truth[level, quantity, method.replace("chord", "endplate")] = value + 2 * (ENDPLATE_MM + CORTEX_MM)
        segmentation = segmentation_from_labels(labels)
        inside = {level for level, *_ in truth if _inside(segmentation, level)}
        return Case({k: v for k, v in truth.items() if k[0] in inside}, image, lambda _: segmentation)


def _inside(segmentation: SpineSegmentation, level: str) -> bool:
    """Return whether a structure is in the image, clear of its upper and lower border."""
    rows = [np.flatnonzero(segmentation.mask(s).any(axis=(0, 2))) for s in segmentation.structures if s.level == level]
    return any(len(r) and r[0] > 8 and r[-1] < segmentation.labels.shape[1] - 9 for r in rows)


def conditions() -> Iterator[Condition | Textured]:
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
    for contrast in ("t2", "t1", "stir"):
        yield Textured(f"textured {contrast}", contrast)
