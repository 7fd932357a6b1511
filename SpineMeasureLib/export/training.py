"""Corrected cases as training data: an nnU-Net v2 data set of tissues, or a BIDS derivative with level names.

Layouts: nnU-Net v2, documentation/dataset_format.md; BIDS 1.10, "Imaging data type: segmentations" (derivatives).
Only voxels and geometry of the source are written: no file name, no header, no UID.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..anatomy import TISSUE_OF, Kind, Tissue, all_structures
from ..errors import OptionError, OutputError
from ..files import UNFINISHED, atomic_folder, json_object
from ..io.write import write_volume
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .runinfo import versions

#: Folders of the nnU-Net data set and how the files of a case end there.
_NNUNET_PARTS = {"imagesTr": "_0000.nii.gz", "labelsTr": ".nii.gz", "levels": ".nii.gz", "provenance": ".json"}
_BIDS_VERSION = "1.10.0"
#: Accepted BIDS suffixes of an MRI.
SUFFIXES = ("T1w", "T2w", "PDw", "T2starw", "FLAIR", "MESE", "UNIT1")


@dataclass(frozen=True)
class TrainingCase:
    """One corrected case.

    :ivar name: letters and digits; if empty, it is derived from the voxels.
    :ivar editor: who corrected it.
    :ivar patient: a pseudonym of the patient, shared by all cases of the patient; empty if each patient has one case.
    """

    volume: Volume
    segmentation: SpineSegmentation
    measurements: Sequence[Measurement]
    name: str = ""
    editor: str = ""
    patient: str = ""

    @cached_property
    def image_sha256(self) -> str:
        """SHA-256 of voxels and geometry of the image."""
        return self.volume.sha256

    @property
    def identifier(self) -> str:
        """The given name, or the `case_id` of the image.

        :raises OptionError: the given name has characters other than letters and digits.
        """
        if self.name:
            if not re.fullmatch(r"[A-Za-z0-9]+", self.name):
                raise OptionError(f"'{self.name}' cannot name a case.", "Use only letters and digits.")
            return self.name
        return self.volume.case_id

    def tissues(self) -> NDArray[np.uint8]:
        """Array[i,j,k] of `anatomy.Tissue` values, the target of the segmentation model."""
        table = np.zeros(256, np.uint8)
        for s in self.segmentation.structures:
            table[s.value] = TISSUE_OF[s.kind]
        found: NDArray[np.uint8] = table[self.segmentation.labels]
        return found

    def provenance(self) -> dict[str, object]:
        """The origin of the labels, and the changes by a person."""
        labels = np.ascontiguousarray(self.segmentation.labels)
        edited = [
            {
                "level": m.level,
                "quantity": m.quantity,
                "method": m.method,
                "unit": m.unit,
                "automatic": m.automatic.value if m.automatic else None,
                "edited": m.value,
            }
            for m in self.measurements
            if m.automatic is not None
        ]
        source = self.segmentation.provenance
        return {
            "made_by": {k: v for k, v in source.items() if k.startswith("model")} or "label map given by the user",
            "editor": self.editor,
            "patient": self.patient or self.identifier,
            "edited_lines": edited,
            "image_sha256": self.image_sha256,
            "labels_sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
            "levels_verified": self.segmentation.level_verified,
            "levels_from": self.segmentation.anchor,
            "versions": versions(),
        }


def add_to_nnunet(case: TrainingCase, folder: Path) -> int:
    """Add a case to imagesTr and labelsTr (tissues) and write dataset.json; adding a case again replaces it.

    nnU-Net does not read the further folders: ``levels`` (label values of `anatomy`) and ``provenance``.

    :param folder: the data set, usually named ``DatasetNNN_Name``.
    :return: number of cases in the data set.
    :raises OutputError: the folder contains a data set with other labels, a case of another image with this name or
        an incompletely added case, or cannot be written to.
    """
    labels = {tissue.name.lower(): int(tissue) for tissue in Tissue}
    stated = _json(folder / "dataset.json")
    if stated is not None and stated.get("labels") != labels:
        raise OutputError("The folder contains a data set with other labels.", "Choose another folder.")
    _check_same_image(case, _json(folder / "provenance" / f"{case.identifier}.json"))
    parts = {part: _stems(folder / part, ending) for part, ending in _NNUNET_PARTS.items()}
    _refuse_half_added(stated, list(parts.values()), case.identifier)
    count = len(parts["labelsTr"] | {case.identifier})
    with atomic_folder(folder, marker="dataset.json") as temporary:
        for part in _NNUNET_PARTS:
            (temporary / part).mkdir()
        image = Volume(_plain(case.volume.array), case.volume.affine)
        write_volume(image, temporary / "imagesTr" / f"{case.identifier}_0000.nii.gz")
        write_volume(Volume(case.tissues(), case.volume.affine), temporary / "labelsTr" / f"{case.identifier}.nii.gz")
        write_volume(case.segmentation.as_volume(), temporary / "levels" / f"{case.identifier}.nii.gz")
        _dump(case.provenance(), temporary / "provenance" / f"{case.identifier}.json")
        content = {
            "name": "SpineMeasure",
            "channel_names": {"0": "MRI"},
            "labels": labels,
            "numTraining": count,
            "file_ending": ".nii.gz",
        }
        _dump(content, temporary / "dataset.json")
    return count


def add_to_bids(case: TrainingCase, folder: Path, suffix: str = "T2w") -> int:
    """Add a case to a BIDS derivative: image, and segmentation (dseg) with the label values of `anatomy`.

    :param suffix: contrast of the image: ``"T2w"``, ``"T1w"`` ...
    :return: number of subjects in the data set.
    :raises OptionError: the suffix is unknown.
    :raises OutputError: the folder contains another data set or a case of another image with this
        name, or cannot be written to.
    """
    if suffix not in SUFFIXES:
        raise OptionError(f"'{suffix}' is not a BIDS suffix of an MRI.", f"Use one of {', '.join(SUFFIXES)}.")
    made_by = {"Name": "SpineMeasure", "Version": __version__}
    description = {
        "Name": "Corrected spine segmentations",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made_by],
    }
    stated = _json(folder / "dataset_description.json")
    if stated is not None and [g.get("Name") for g in stated.get("GeneratedBy", [])] != [made_by["Name"]]:
        raise OutputError("The folder contains a data set of another program.", "Choose another folder.")
    subject = f"sub-{case.identifier}"
    sidecar = _json(folder / subject / "anat" / f"{subject}_desc-spine_dseg.json")
    _check_same_image(case, sidecar and sidecar.get("Provenance"))
    _refuse_half_added(stated, _bids_parts(folder), subject)
    count = len({path.name for path in folder.glob("sub-*")} | {subject})
    with atomic_folder(folder, marker="dataset_description.json") as temporary:
        anat = temporary / subject / "anat"
        anat.mkdir(parents=True)
        image = Volume(_plain(case.volume.array), case.volume.affine)
        write_volume(image, anat / f"{subject}_{suffix}.nii.gz")
        write_volume(case.segmentation.as_volume(), anat / f"{subject}_desc-spine_dseg.nii.gz")
        sidecar = {"Manual": bool(case.editor), "Provenance": case.provenance()}
        _dump(sidecar, anat / f"{subject}_desc-spine_dseg.json")
        _dump(description, temporary / "dataset_description.json")
        (temporary / "desc-spine_dseg.tsv").write_text(_lookup(), encoding="ascii")
    return count


def _check_same_image(case: TrainingCase, stated: dict | None) -> None:
    """Refuse to replace a case of another image with the same name."""
    if (stated or {}).get("image_sha256", case.image_sha256) != case.image_sha256:
        raise OutputError(
            f"The data set contains a case '{case.identifier}' of another image.", "Give this case another name."
        )


def _stems(folder: Path, ending: str) -> set[str]:
    return {path.name.removesuffix(ending) for path in folder.glob(f"*{ending}")}


def _bids_parts(folder: Path) -> list[set[str]]:
    """Names of the subjects that have an image, a segmentation and its sidecar."""
    files = [path.name for path in folder.glob("sub-*/anat/sub-*")]
    images = [name for name in files if name.endswith(tuple(f"_{suffix}.nii.gz" for suffix in SUFFIXES))]
    others = ([name for name in files if name.endswith(end)] for end in ("_dseg.nii.gz", "_dseg.json"))
    return [{name.partition("_")[0] for name in names} for names in (images, *others)]


def _refuse_half_added(stated: dict | None, parts: Sequence[set[str]], identifier: str) -> None:
    """Refuse a data set in which another case is incomplete because adding it was interrupted.

    :param stated: contents of the file that is written last.
    :param parts: names of the cases in every part of the data set.
    """
    if stated is not None and not stated.get(UNFINISHED):
        return
    half = set[str]().union(*parts) - parts[0].intersection(*parts) - {identifier}
    if half:
        name = min(half)
        raise OutputError(f"Adding '{name}' to the data set was interrupted.", "Add that case again first.")


def _lookup() -> str:
    """Table of label values, names and colours, as BIDS defines it."""
    lines = ["index\tname\tabbreviation\tcolor"]
    seen: set[int] = set()
    for s in sorted(all_structures(), key=lambda s: s.value):
        if s.value not in seen:
            seen.add(s.value)
            name = s.name if s.kind is not Kind.DISC else f"Disc below {s.level.partition('-')[0]}"
            lines.append(f"{s.value}\t{name}\t{s.name.replace(' ', '_')}\t#{bytes(s.colour).hex()}")
    return "\n".join(lines) + "\n"


def _plain(array: NDArray) -> NDArray:
    """Voxels in a type that every NIfTI reader supports."""
    return array if array.dtype in (np.uint8, np.int16, np.int32, np.float32, np.uint16) else array.astype(np.float32)


def _json(path: Path) -> dict | None:
    if not path.is_file():
        return None
    content = json_object(path)
    if content is None:
        raise OutputError(f"{path.name} in the folder is damaged.", "Choose another folder.")
    return content


def _dump(content: object, path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
