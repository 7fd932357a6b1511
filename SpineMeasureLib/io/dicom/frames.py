"""DICOM images: every frame of a file, classic or enhanced, and its position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...orientation import from_matvec

#: Direction cosines that differ by more than this belong to different stacks (localisers, mixed planes).
_SAME_DIRECTION = 0.01
#: Images at the same place along the normal that are further apart in the plane belong to different stations.
_SAME_STATION_MM = 1.0
#: What distinguishes images at the same place: name for the user, group of an enhanced frame, tags.
CONTRAST = (
    ("TE", "MREchoSequence", ("EffectiveEchoTime", "EchoTime")),
    ("type", "MRImageFrameTypeSequence", ("FrameType", "ImageType")),
    ("time point", "FrameContentSequence", ("TemporalPositionIndex", "TemporalPositionIdentifier")),
    ("b", "MRDiffusionSequence", ("DiffusionBValue",)),
    ("echo", "MREchoSequence", ("EchoNumbers",)),
)
#: What distinguishes repeated acquisitions of one place, from the surest on. The values may differ between the slices
#: of one acquisition too.
REPETITION = (
    ("acquisition", "FrameContentSequence", ("FrameAcquisitionNumber", "AcquisitionNumber")),
    ("trigger time", "CardiacSynchronizationSequence", ("NominalCardiacTriggerDelayTime", "TriggerTime")),
    ("acquired at", "FrameContentSequence", ("FrameAcquisitionDateTime", "AcquisitionDateTime", "AcquisitionTime")),
    ("content time", "FrameContentSequence", ("ContentTime",)),
    ("series time", "FrameContentSequence", ("SeriesTime",)),
    ("image", "FrameContentSequence", ("InstanceNumber",)),
)
#: Value of the first of some tags that a frame has: in one of its functional groups, or in its file.
Lookup = Callable[[str, Sequence[str]], Any]


@dataclass(frozen=True)
class Frame:
    """One 2D image and its position (DICOM patient coordinates, LPS mm).

    :ivar index: place among the frames of its file.
    :ivar orientation: direction of rows (along columns), then of columns.
    :ivar pixel_spacing: mm between rows, between columns.
    :ivar size: rows, columns.
    :ivar contrast: values of `CONTRAST`: echo time, image type, time point, b-value, echo number, as text.
    :ivar repetition: values of `REPETITION`, as text.
    :ivar rescale: slope and intercept of a frame of a multi-frame file; (1, 0) if there are none.
    """

    file: Path
    index: int
    sop_uid: str
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing: tuple[float, float]
    size: tuple[int, int]
    contrast: tuple[str, ...]
    repetition: tuple[str, ...] = ()
    rescale: tuple[float, float] = (1.0, 0.0)

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal of the image plane."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    def affine(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """4x4, index (column, row, slice) to LPS mm, of a stack that begins with this image; `step` to the next."""
        axes = (self.orientation[:3] * self.pixel_spacing[1], self.orientation[3:] * self.pixel_spacing[0], step)
        return from_matvec(np.stack(axes, axis=1), self.position)

    @property
    def kind(self) -> tuple[str, ...]:
        """Values of the image type: ``("ORIGINAL", "PRIMARY", "M", ...)``."""
        return tuple(self.contrast[1].upper().split("/"))

    @property
    def b_value(self) -> str:
        """Diffusion weighting in s/mm2, as text; may be empty."""
        return self.contrast[3]

    def is_parallel(self, other: Frame) -> bool:
        """Return whether both can be slices of one stack."""
        return (
            self.size == other.size
            and np.allclose(self.pixel_spacing, other.pixel_spacing, rtol=1e-3)
            and np.allclose(self.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION)
        )

    def is_beside(self, other: Frame) -> bool:
        """Return whether a parallel image is shifted in the plane, as another station of the spine is."""
        offset = other.position - self.position
        return bool(np.linalg.norm(offset - (offset @ self.normal) * self.normal) > _SAME_STATION_MM)


def frames_of(image: Any) -> tuple[list[Frame], int]:
    """Return the frames of one file, and the number of frames that do not state their position.

    Coloured images have no frames. Mosaics (several slices in one picture) count as images without a position.
    """
    if int(value_of(image, "SamplesPerPixel") or 1) > 1:
        return [], 0
    count = int(value_of(image, "NumberOfFrames") or 1)
    if len(image.get("PerFrameFunctionalGroupsSequence") or [{}]) != count:
        return [], count
    made = [_frame(image, index) for index in range(count)]
    frames = [frame for frame in made if frame and "MOSAIC" not in frame.kind]
    return frames, count - len(frames)


def values_of(image: Any, index: int) -> Lookup:
    """Look up values of a frame: in its own functional groups, in the shared ones, in the file."""
    own = (image.get("PerFrameFunctionalGroupsSequence") or [{}])[index]
    shared = (image.get("SharedFunctionalGroupsSequence") or [{}])[0]
    groups = [group for group in (own, shared) if len(group)]

    def value(sequence: str, tags: Sequence[str]) -> Any:
        held = [group[sequence][0] for group in groups if sequence in group and len(group[sequence].value)]
        found = (value_of(one, tag) for one in (*held, image) for tag in tags)
        return next((one for one in found if one is not None), None)

    return value


def value_of(dataset: Any, tag: str) -> Any:
    """Return the value of an attribute; None if it is missing or malformed, such as a number with letters."""
    try:
        element = dataset[tag]
    except Exception:  # missing or malformed; pydicom raises various exceptions
        return None
    return _numbers_of(element.value) if element.VR in ("DS", "IS") else element.value


def _numbers_of(value: Any) -> Any:
    """Return numbers that pydicom left as text because they are malformed: decimal commas are read, others are None."""
    if isinstance(value, str):
        try:
            return float(value.replace(",", "."))
        except ValueError:
            return None
    if isinstance(value, Sequence):
        found = [_numbers_of(one) for one in value]
        return None if None in found else found
    return value


def _frame(image: Any, index: int) -> Frame | None:
    """Return one frame; None if it does not state its position."""
    value = values_of(image, index)
    position = _numbers(value("PlanePositionSequence", ["ImagePositionPatient"]), 3)
    orientation = _numbers(value("PlaneOrientationSequence", ["ImageOrientationPatient"]), 6)
    spacing = _numbers(value("PixelMeasuresSequence", ["PixelSpacing"]), 2)
    if position is None or orientation is None or spacing is None:
        return None
    axes = orientation.reshape(2, 3)
    if not np.allclose(axes @ axes.T, np.eye(2), atol=_SAME_DIRECTION):
        return None
    slope = value("PixelValueTransformationSequence", ["RescaleSlope"])
    intercept = value("PixelValueTransformationSequence", ["RescaleIntercept"])
    return Frame(
        file=Path(image.filename),
        index=index,
        sop_uid=as_text(value_of(image, "SOPInstanceUID")),
        position=position,
        orientation=orientation,
        pixel_spacing=(float(spacing[0]), float(spacing[1])),
        size=(int(image.Rows), int(image.Columns)),
        contrast=tuple(as_text(value(sequence, tags)) for _, sequence, tags in CONTRAST),
        repetition=tuple(as_text(value(sequence, tags)) for _, sequence, tags in REPETITION),
        rescale=(_number(slope, 1.0), _number(intercept, 0.0)),
    )


def _numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        return None
    found = np.array(value, dtype=float)
    return found if np.isfinite(found).all() else None


def _number(value: Any, otherwise: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):  # missing, several values, no number
        return otherwise


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return "/".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
