"""`Volume`: an array[i,j,k] with its affine to RAS mm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Volume:
    """A 3D image and where it lies.

    :ivar array: array[i,j,k].
    :ivar affine: 4x4 float64, voxel index (i, j, k, 1) to RAS mm.
    :ivar meta: what the source said of itself (format, modality, series description ...), no patient identity.
    """

    array: NDArray[np.generic]
    affine: NDArray[np.float64]
    meta: dict[str, object] = field(default_factory=dict)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k in mm."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))
