"""`Volume`: a 3D image as an array[i,j,k] with its affine to RAS mm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .orientation import voxel_sizes

if TYPE_CHECKING:
    from .io.dicom.frames import Frame


@dataclass(frozen=True)
class Volume:
    """A 3D image and its position in space.

    :ivar array: array[i,j,k].
    :ivar affine: 4x4 float64, voxel index (i, j, k, 1) to RAS mm.
    :ivar meta: what the source states (format, modality, series description, warnings ...), no patient identity.
    :ivar frames: if read from DICOM, the image of each k. They name files, and so perhaps patients: never written.
    :ivar outside: the voxels that had no value (NaN) and were filled (see `background.py`), or that a label file does
        not cover; None if there are none.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    meta: dict[str, object] = field(default_factory=dict)
    frames: tuple[Frame, ...] = field(default=(), repr=False)
    outside: NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k in mm."""
        i, j, k = voxel_sizes(self.affine)
        return float(i), float(j), float(k)

    @property
    def sha256(self) -> str:
        """SHA-256 of voxels and geometry, which identifies an image. Filling NaN around it does not change it."""
        digest = hashlib.sha256(np.ascontiguousarray(filled(self.array)).tobytes())
        digest.update(np.round(self.affine, 4).tobytes())
        return digest.hexdigest()

    @property
    def case_id(self) -> str:
        """``"case"`` and the start of `sha256`: the same for the same image, without anything about the patient."""
        return f"case{self.sha256[:10]}"


def filled(array: NDArray[Any]) -> NDArray[Any]:
    """Replace NaN and infinity with the lowest value of the array (0 if all values are above 0)."""
    if not np.issubdtype(array.dtype, np.floating):
        return array
    finite = np.isfinite(array)
    if finite.all() or not finite.any():
        return array
    return np.where(finite, array, array.dtype.type(min(array[finite].min(), 0)))
