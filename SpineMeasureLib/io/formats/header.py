"""What the headers of all image files have in common: the grid that they state, and the checks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DimensionError, SpacingError, TooLargeError, UnreadableInputError
from ...orientation import LPS_TO_RAS, from_matvec
from ..checks import MAXIMUM_VOXELS, MINIMUM_SLICES

FROM_SCANNER = "Export it again from the scanner's images."
NO_DIRECTIONS = "The file does not state the image orientation; directions may be wrong."
_STACK = " Its slices are assumed to be sagittal, rows from front to back and columns from head to foot."
#: Voxels this much longer along one axis than along both others indicate a stack of slices.
_STACK_RATIO = 1.5


@dataclass(frozen=True)
class RawImage:
    """What a file contains.

    :ivar array: array[i,j,k] in the file's order, first axis fastest; array[i,j,k,layer] of layered labels.
    :ivar affine: 4x4, voxel index to RAS mm.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    warnings: tuple[str, ...] = ()


def no_spacing(path: Path) -> SpacingError:
    return SpacingError(f"{path.name} does not state its voxel size.", "Export it with its voxel spacing.")


def unusual(path: Path, what: str) -> UnreadableInputError:
    """Return the error for a header that cannot be interpreted."""
    return UnreadableInputError(f"The header of {path.name} cannot be read: {what}.", "Export it again.")


def check_size(
    path: Path, size: Sequence[int], components: int = 1, volumes: int = 1, fewest_slices: int = MINIMUM_SLICES
) -> None:
    """Refuse anything but one 3D image of grey values of a usable size.

    :param size: voxels along the axes of space.
    :raises DimensionError: 2D, 4D or several values per voxel.
    :raises TooLargeError: more than `MAXIMUM_VOXELS`.
    """
    if components > 1:
        raise DimensionError(
            f"{path.name} has {components} values per voxel (colour or vectors).", "Use a greyscale image."
        )
    if volumes > 1:
        raise DimensionError(f"{path.name} contains {volumes} volumes (4D).", "Save one of them separately.")
    if len(size) != 3 or min(size) < fewest_slices:
        fewest = min(size) if len(size) == 3 else 1
        raise DimensionError(f"{path.name} is not a 3D image: it has {fewest} slice(s).", "Use the complete series.")
    voxels = np.prod(size, dtype=float)
    if voxels > MAXIMUM_VOXELS:
        raise TooLargeError(
            f"{path.name} has {voxels:.2g} voxels, more than the {MAXIMUM_VOXELS:.0e} handled.", "Crop it to the spine."
        )


def check_spacing(path: Path, sizes: Sequence[float]) -> None:
    """Refuse voxel sizes that are missing, zero, negative or not numbers."""
    if len(sizes) < 3 or not np.isfinite(sizes).all() or 0 in sizes:
        raise no_spacing(path)
    if min(sizes) < 0:
        raise SpacingError(f"{path.name} states a negative voxel size: it may be mirrored.", FROM_SCANNER)


def affine_from_lps(axes: NDArray[np.float64], origin: Sequence[float]) -> NDArray[np.float64]:
    """Make a 4x4 to RAS from the step along each array axis (columns of a 3x3) and the first voxel, both in LPS mm."""
    return LPS_TO_RAS @ from_matvec(axes, origin)


def undirected(spacing: Sequence[float], origin: Sequence[float] = (0, 0, 0)) -> tuple[NDArray[np.float64], str]:
    """Return the grid of a file that does not state directions, and the warning about it.

    Without directions Slicer and ITK assume axes right-left, front-back and foot-head. That cannot be right for a stack
    of thick slices stored one after the other: only a sagittal one can be measured, and images are stored row by row
    from the top, which in a sagittal image means from front to back and from head to foot.

    :param spacing: mm along the array axes.
    :param origin: first voxel, LPS mm.
    :return: (4x4 to RAS, warning).
    """
    step = np.diag(np.asarray(spacing, float))
    if spacing[2] <= _STACK_RATIO * max(spacing[:2]):
        return affine_from_lps(step, origin), NO_DIRECTIONS
    sagittal = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
    return affine_from_lps(sagittal @ step, origin), NO_DIRECTIONS + _STACK


def beside(path: Path, name: str) -> Path:
    """Return the file that a header names, relative to it; letter case is ignored, as on the system that wrote it.

    :raises UnreadableInputError: it is missing, or is outside the header's folder.
    """
    parts = name.replace("\\", "/").split("/")
    if not name or parts[0] == "" or ":" in parts[0] or ".." in parts:
        raise UnreadableInputError(
            f"{path.name} names a data file outside its own folder.",
            "Put both files into one folder, and name the data file without a path.",
        )
    found = path.parent
    for part in parts:
        exact = found / part
        if not exact.exists() and found.is_dir():
            exact = next((p for p in sorted(found.iterdir()) if p.name.lower() == part.lower()), exact)
        found = exact
    if not found.is_file():
        raise UnreadableInputError(
            f"{parts[-1]}, which contains the voxels of {path.name}, is missing.", "Put both files into one folder."
        )
    return found
