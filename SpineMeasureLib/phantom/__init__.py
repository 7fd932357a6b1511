"""Spines of closed-form shape whose true values are known from formulas, for tests, benchmarks and the bundled sample.

`elements` is a chain of bodies and discs with plane endplates and an elliptic canal, `voxels` its label map on a grid,
`signal` its MRI image on the same voxels; `truth` are the values that `measure` should find between edges of the
labels, `edge_truth` those between edges of the image. The sample (`sample`) has curved endplates, posterior elements,
surroundings and MRI signal; its image must not change, so it keeps its shape (`sample_shape`) and shares the
`geometry`. Images for training are made from real anatomy by `train.synth`.

>>> spine = lumbar("L5", "L4")
>>> segmentation = voxelise(spine, Grid((4.0, 0.5, 0.5)))
>>> round(truth(spine)["L4-L5", "disc_depth", "depth50"], 6)
34.0
"""

from .elements import Canal, Element, Spine, long_spine, lumbar, scaled
from .geometry import pose, rotation
from .signal import T1, T2, T2_DARK_DISC, T2_MEDIUM_DISC, WATER, Scan, Signal, render
from .true_values import edge_truth, truth
from .voxels import ISOTROPIC, SAGITTAL_2D, SPACE, Grid, Habit, voxelise

__all__ = [
    "ISOTROPIC", "SAGITTAL_2D", "SPACE", "T1", "T2", "T2_DARK_DISC", "T2_MEDIUM_DISC", "WATER", "Canal", "Element",
    "Grid", "Habit", "Scan", "Signal", "Spine", "edge_truth", "long_spine", "lumbar", "pose", "render", "rotation",
    "scaled", "truth", "voxelise",
]  # fmt: skip
