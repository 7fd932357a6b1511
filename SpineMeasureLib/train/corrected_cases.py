"""Corrected cases written by ``spinemeasure export training`` (nnU-Net v2), read for fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..anatomy import Tissue
from ..errors import InputNotFoundError, UnreadableInputError
from ..evaluate.labelled_sets import LabelledCase, labelled_case
from ..evaluate.voxel_codes import BACKGROUND_OR_SACRUM, CANAL_OR_CORD
from ..files import UNFINISHED, json_object
from ..grid import on_grid_of
from ..io.read import read_volume
from ..volume import Volume

DATASET = "corrected"


@dataclass(frozen=True)
class CorrectedCase:
    """One case with the tissue of every voxel.

    :ivar patient: the same for all cases of one patient, who is never both held out and learned from.
    :ivar tissues: uint8, values of `anatomy.Tissue`, on the voxels of the image.
    :ivar levels: uint8 array[i,j,k], label values of `anatomy`; None if the level names are not verified.
    """

    name: str
    patient: str
    image: Volume
    tissues: Volume
    levels: NDArray[np.uint8] | None = None

    def as_training_case(self) -> LabelledCase:
        """Convert to the form that the training loop takes."""
        return labelled_case(self.patient, DATASET, self.image, known_codes(self.tissues.array), self.levels)


def known_codes(tissue: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert a tissue map to `voxel_codes`. A case without cord or sacrum does not say where they are absent.

    >>> known_codes(np.array([Tissue.BACKGROUND, Tissue.CANAL, Tissue.DISC], np.uint8)).tolist()
    [7, 8, 3]
    """
    codes = tissue.copy()
    if not (tissue == Tissue.CORD).any():
        codes[tissue == Tissue.CANAL] = CANAL_OR_CORD
    if not (tissue == Tissue.SACRUM).any():
        codes[tissue == Tissue.BACKGROUND] = BACKGROUND_OR_SACRUM
    return codes


def read_corrected(folder: Path) -> list[CorrectedCase]:
    """Read all cases of a data set, sorted by name.

    :raises InputNotFoundError: there is no data set, or it contains no case.
    :raises UnreadableInputError: its labels are not the labels of this program, a file is damaged, or adding a case
        was interrupted.
    :raises GeometryMismatchError: a label map is not on the voxels of its image.
    """
    stated = _json(folder / "dataset.json")
    if stated.get(UNFINISHED):
        raise UnreadableInputError("Adding a case to the data set was interrupted.", "Add that case again.")
    labels = stated.get("labels")
    if labels != {tissue.name.lower(): int(tissue) for tissue in Tissue}:
        raise UnreadableInputError(
            "The data set does not use the labels of this program.",
            "Create it with 'spinemeasure export training'.",
        )
    names = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").glob("*.nii.gz"))
    if not names:
        raise InputNotFoundError("The data set contains no case.", "Add cases with 'spinemeasure export training'.")
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
        raise InputNotFoundError(f"There is no {path.name} in the data folder.", "Specify an nnU-Net data set.")
    content = json_object(path)
    if content is None:
        raise UnreadableInputError(f"{path.name} in the data folder is damaged.", "Export the cases again.")
    return content
