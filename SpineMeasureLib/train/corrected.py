"""Corrected cases as ``spinemeasure export training`` leaves them (nnU-Net v2), read for fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..anatomy import Tissue
from ..errors import InputNotFoundError, UnreadableInputError
from ..files import UNFINISHED, json_object
from ..grid import on_grid_of
from ..io.read import read_volume
from ..volume import Volume
from . import targets
from .data import TrainingCase, training_case

DATASET = "corrected"


@dataclass(frozen=True)
class CorrectedCase:
    """One case with the tissue of every voxel.

    :ivar patient: cases of the same patient have the same; never on both sides of a comparison.
    :ivar tissues: uint8, values of `anatomy.Tissue`, on the voxels of the image.
    :ivar levels: uint8 array[i,j,k], label values of `anatomy`; None where the level names are not verified.
    """

    name: str
    patient: str
    image: Volume
    tissues: Volume
    levels: NDArray[np.uint8] | None = None

    def as_training_case(self) -> TrainingCase:
        """The case as the training loop takes it."""
        return training_case(self.patient, DATASET, self.image, known_codes(self.tissues.array), self.levels)


def known_codes(tissue: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Target codes of a tissue map. A case without cord or sacrum does not say where they are not."""
    codes = tissue.copy()
    if not (tissue == Tissue.CORD).any():
        codes[tissue == Tissue.CANAL] = targets.CANAL_OR_CORD
    if not (tissue == Tissue.SACRUM).any():
        codes[tissue == Tissue.BACKGROUND] = targets.BACKGROUND_OR_SACRUM
    return codes


def read_corrected(folder: Path) -> list[CorrectedCase]:
    """All cases of a data set, by name.

    :raises InputNotFoundError: there is no data set, or no case in it.
    :raises UnreadableInputError: its labels are not those of this program, a file is damaged, or adding a case was
        interrupted.
    :raises GeometryMismatchError: a label map does not lie on the voxels of its image.
    """
    stated = _json(folder / "dataset.json")
    if stated.get(UNFINISHED):
        raise UnreadableInputError("Adding a case to the data set was interrupted.", "Add that case again.")
    labels = stated.get("labels")
    if labels != {tissue.name.lower(): int(tissue) for tissue in Tissue}:
        raise UnreadableInputError(
            "The labels of the data set are not those of this program.", "Make it with 'spinemeasure export training'."
        )
    names = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").glob("*.nii.gz"))
    if not names:
        raise InputNotFoundError("The data set holds no case.", "Add cases with 'spinemeasure export training'.")
    return [_read_case(folder, name) for name in names]


def _read_case(folder: Path, name: str) -> CorrectedCase:
    image = read_volume(folder / "imagesTr" / f"{name}_0000.nii.gz")
    tissues = on_grid_of(image, read_volume(folder / "labelsTr" / f"{name}.nii.gz"))
    if not np.isin(tissues.array, [int(tissue) for tissue in Tissue]).all():
        raise UnreadableInputError(f"The label map of {name} has unknown values.", "Export the case again.")
    provenance = folder / "provenance" / f"{name}.json"
    about = _json(provenance) if provenance.exists() else {}
    named = folder / "levels" / f"{name}.nii.gz"
    levels = None
    if about.get("levels_verified") and named.exists():
        levels = on_grid_of(image, read_volume(named)).array.astype(np.uint8)
    patient = str(about.get("patient", name))
    return CorrectedCase(name, patient, image, Volume(tissues.array.astype(np.uint8), tissues.affine), levels)


def _json(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise InputNotFoundError(f"There is no {path.name} in the data folder.", "Name an nnU-Net data set.")
    content = json_object(path)
    if content is None:
        raise UnreadableInputError(f"{path.name} in the data folder is damaged.", "Export the cases again.")
    return content
