"""The DICOM images that a segmentation and its measurements refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...anatomy import Code
from ...errors import DependencyError, DicomSeriesError
from ...io.dicom.frames import as_text, value_of
from ...orientation import apply_inverse
from ...quiet import quiet_dicom
from ...volume import Volume
from .references import referable
from .values import CHARACTERS as CHARACTERS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MANUFACTURER = "SpineMeasure"
#: Names this program among observers (PS3.16 TID 1004); derived from a UUID (PS3.5 B.2).
DEVICE_UID = "2.25.13470194054320918028810088999453161255"


@dataclass(frozen=True)
class DicomSource:
    """Headers of the images of a volume.

    :ivar images: one classic image for each k, or a single multi-frame image: the attributes that derived objects
        inherit and refer to, corrected to conform to the standard.
    :ivar frame_numbers: of a multi-frame image, the number (from 1) of the frame at each k; else empty.
    :ivar warnings: the attributes of the images that had to be changed, without values.
    """

    images: tuple[Dataset, ...]
    frame_numbers: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @property
    def frame_of_reference(self) -> str:
        """UID of the patient coordinate system."""
        return str(self.images[0].FrameOfReferenceUID)

    def series_number(self, nth: int) -> int:
        """Number of the n-th series derived from the images: 501, 502 from series 5."""
        number = abs(int(self.images[0].SeriesNumber))
        return (number % 10_000_000) * 100 + nth

    def reference(self, k: int) -> tuple[str, str, list[int] | None]:
        """SOP class, SOP instance and frame numbers of the image at slice k."""
        image = self.images[0] if self.frame_numbers else self.images[k]
        return image.SOPClassUID, image.SOPInstanceUID, [self.frame_numbers[k]] if self.frame_numbers else None

    def in_frame_order(self, labels: NDArray[Any]) -> NDArray[Any]:
        """array[i,j,k] as array [frame, row, column], a frame for every frame of the images."""
        slices = np.ascontiguousarray(labels.transpose(2, 1, 0))
        if not self.frame_numbers:
            return slices
        frames = np.zeros((int(self.images[0].NumberOfFrames), *slices.shape[1:]), labels.dtype)
        frames[np.array(self.frame_numbers) - 1] = slices
        return frames


def read_source(volume: Volume) -> DicomSource:
    """Read the headers of the images of a volume.

    Invalid attributes are corrected or left empty; `DicomSource.warnings` names them.

    :raises DicomSeriesError: it was not read from DICOM, or its images cannot be referred to.
    :raises DependencyError: pydicom is not installed.
    """
    if not volume.frames:
        raise DicomSeriesError(
            "The image was not read from DICOM files, so no DICOM objects can refer to it.", "Use the DICOM series."
        )
    try:
        import pydicom
    except ImportError as error:
        raise missing_package(error) from error
    with quiet_dicom():
        files = list(dict.fromkeys(frame.file for frame in volume.frames))
        headers = [pydicom.dcmread(file, stop_before_pixels=True, force=True) for file in files]
        is_multiframe = bool(headers[0].get("PerFrameFunctionalGroupsSequence"))
        _check(headers, is_multiframe)
        images, warnings = referable(headers, volume, is_multiframe)
    return DicomSource(images, tuple(f.index + 1 for f in volume.frames) if is_multiframe else (), warnings)


def _check(headers: Sequence[Dataset], is_multiframe: bool) -> None:
    """Refuse images that one object cannot refer to."""
    if len({as_text(value_of(header, "SeriesInstanceUID")) for header in headers}) > 1:
        raise DicomSeriesError("The slices belong to several series.", "Export one series.")
    if is_multiframe and len(headers) > 1:
        raise DicomSeriesError(
            "The series consists of several multi-frame files, which one segmentation object cannot refer to.",
            "Export it as one multi-frame file or as single slices.",
        )
    if is_multiframe and not all(
        "PlanePositionSequence" in group for group in headers[0].PerFrameFunctionalGroupsSequence
    ):
        raise DicomSeriesError(
            "Some frames of the image have no position, so a segmentation object cannot refer to them.",
            "Export the series again from the archive.",
        )


def missing_package(error: ImportError) -> DependencyError:
    """The error if pydicom or highdicom is not installed."""
    return DependencyError(
        f"DICOM objects need the package '{error.name}', which is not installed.",
        "Install it with: pip install 'spinemeasure[dicom]'.",
    )


def concept(code: Code) -> Any:
    """A `Code` as highdicom takes it."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def equipment(provenance: dict[str, object]) -> dict[str, Any]:
    """The equipment attributes of SEG and SR.

    The serial number is the start of the model's SHA-256, which distinguishes "devices" of this kind.
    """
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": "SpineMeasure",
        "software_versions": __version__,
        "device_serial_number": str(provenance.get("model_sha256", "none"))[:16],
    }


def person_name(name: str) -> str:
    """A name as DICOM writes persons: ``"Family^Given"``; without a caret it is a family name."""
    return name if "^" in name else f"{name}^"


def algorithm_of(provenance: dict[str, object]) -> tuple[str, str, dict[str, str]]:
    """Name, version and parameters of the source of the segmentation: the model, or a label map given by the user."""
    if "model" in provenance:
        parameters = {"sha256": str(provenance["model_sha256"])} if "model_sha256" in provenance else {}
        return f"SpineMeasure {provenance['model']}", str(provenance.get("model_version", "")), parameters
    return "Label map given by the user", __version__, {}


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a DICOM file (Part 10) in one step.

    :raises OutputError: the file cannot be written.
    """
    from ...files import atomic_path

    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def nearest_slice(volume_affine: NDArray[np.float64], slices: int, points: Sequence[Sequence[float]]) -> int:
    """Return the k of the slice nearest to the middle of some points (RAS mm)."""
    middle = apply_inverse(volume_affine, np.mean(np.asarray(points, float), axis=0))
    return int(np.clip(np.rint(middle[2]), 0, slices - 1))
