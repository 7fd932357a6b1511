"""Spines of closed-form shape whose true values are known from formulas, for tests, benchmarks and the bundled sample.

`elements` is a chain of bodies and discs with plane endplates and an elliptic canal, `voxels` its label map on a grid,
`truth` every value that `measure` should find. The sample (`sample`) has curved endplates, posterior elements,
surroundings and MRI signal; its image must not change, so it keeps its shape (`sample_shape`) and shares the
`geometry`. Images for training are made from real anatomy by `train.synth`.

>>> spine = lumbar("L5", "L4")
>>> segmentation = voxelise(spine, Grid((4.0, 0.5, 0.5)))
>>> round(truth(spine)["L4-L5", "disc_depth", "depth50"], 6)
34.0
"""

from .elements import Canal, Element, Spine, long_spine, lumbar, scaled
from .geometry import pose, rotation
from .true_values import truth
from .voxels import ISOTROPIC, SAGITTAL_2D, SPACE, Grid, voxelise

__all__ = [
    "ISOTROPIC", "SAGITTAL_2D", "SPACE", "Canal", "Element", "Grid", "Spine", "long_spine", "lumbar", "pose",
    "rotation", "scaled", "truth", "voxelise",
]  # fmt: skip
