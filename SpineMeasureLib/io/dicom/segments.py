"""Reading a DICOM Segmentation (SEG) onto the voxels of an image, whoever wrote it: frames by their positions.

Sources: PS3.3 C.8.20 (Segmentation: binary, fractional, label map), PS3.3 A.51 and A.86.
"""

from __future__ import annotations

import warnings as python_warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...anatomy import all_structures
from ...errors import UnreadableInputError
from ...grid import cut_in_words, place, uncovered
from ...orientation import LPS_TO_RAS, apply_to_vectors, directions
from ...volume import Volume
from ..label_segments import LabelFile, Segment
from ..seg_nrrd import SOME_PART
from .files import files_of, is_dicom
from .frames import Frame, frames_of, values_of

_BINARY_OR_FRACTIONAL, _LABELMAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
_CLASSES = (_BINARY_OR_FRACTIONAL, _LABELMAP)


def find_segmentation(path: Path) -> Path | None:
    """Return the DICOM SEG that a file is or a folder contains; None if there is none.

    :raises UnreadableInputError: a folder contains several.
    """
    import pydicom

    found = []
    for file in files_of(path):
        try:
            if is_dicom(file):
                header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
                if header.get("SOPClassUID") in _CLASSES:
                    found.append(file)
        except Exception:  # damaged bytes end in any exception of the parser
            continue
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:4])
        raise UnreadableInputError(
            f"{path.name} contains {len(found)} DICOM SEG files ({names}).", "Specify one of them."
        )
    return found[0] if found else None


def read_segmentation(path: Path, image: Volume) -> LabelFile:
    """Read a DICOM SEG; overlapping segments are put into several layers.

    :raises GeometryMismatchError: its frames are not on the voxels of the image.
    :raises UnreadableInputError: it is damaged, or its pixels cannot be decoded.
    """
    dataset, pixels = _decoded(path)
    frames, unplaced = frames_of(dataset)
    if unplaced or len(frames) != len(pixels):
        raise UnreadableInputError(
            f"Frames of {path.name} do not state their position.", "Export the segmentation again."
        )
    warnings: list[str] = []
    if str(dataset.get("SegmentationType", "")).upper() == "FRACTIONAL":
        full = int(dataset.get("MaximumFractionalValue") or 255)
        pixels = (2 * pixels.astype(np.uint32) >= full).astype(np.uint8)
        warnings.append(f"{path.name} contains fractions; voxels of at least one half count as part of their segment.")
    own, theirs = _frame_of_reference(image), str(dataset.get("FrameOfReferenceUID", ""))
    if own and theirs and own != theirs:
        warnings.append(
            f"{path.name} has a different frame of reference from the image: check that it belongs to this examination."
        )
    placed = _Layers(image)
    is_labelmap = dataset.SOPClassUID == _LABELMAP
    for frame, plane in zip(frames, pixels, strict=True):
        number = 0 if is_labelmap else _segment_number(dataset, frame.index)
        placed.add(frame, plane, number)
    warnings += cut_in_words(placed.labelled, placed.inside)
    layers, homes = placed.finished()
    described = {int(item.SegmentNumber): item for item in dataset.SegmentSequence if int(item.SegmentNumber)}
    segments = tuple(_segment(homes.get(number, 0), number, item) for number, item in sorted(described.items()))
    volume = Volume(layers, image.affine, {"format": "dicom"}, outside=uncovered(image, placed.covered()))
    return LabelFile(volume, segments, tuple(warnings))


def _decoded(path: Path) -> tuple[Any, NDArray[Any]]:
    """Return the dataset and its pixels, array [frame, row, column]."""
    import pydicom

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")  # pydicom remarks on values that are not used here
            dataset = pydicom.dcmread(path, force=True)
            pixels = dataset.pixel_array.reshape(-1, int(dataset.Rows), int(dataset.Columns))
            list(dataset.SegmentSequence)
    except Exception as error:  # damaged bytes and missing decoders end in any exception
        raise UnreadableInputError(
            f"The segmentation {path.name} is damaged or compressed in a way that cannot be read.",
            "Export it again, uncompressed.",
        ) from error
    return dataset, pixels


def _segment_number(dataset: Any, index: int) -> int:
    return int(values_of(dataset, index)("SegmentIdentificationSequence", ["ReferencedSegmentNumber"]) or 0)


def _frame_of_reference(image: Volume) -> str:
    header = image.meta.get("dicom")
    return str(header.get("FrameOfReferenceUID", "")) if isinstance(header, dict) else ""


class _Layers:
    """Segments on the voxels of an image, in as few layers as their overlaps allow.

    :ivar labelled: voxels that belong to a segment, each segment counted.
    :ivar inside: how many of them are in the image.
    """

    def __init__(self, image: Volume) -> None:
        self._image = image
        self._masks: dict[int, NDArray[Any]] = {}
        self.labelled = self.inside = 0
        self._boxes: list[tuple[slice, slice, slice]] = []

    def add(self, frame: Frame, plane: NDArray[Any], number: int) -> None:
        """Place a frame.

        :param plane: array [row, column].
        :param number: of the segment; 0 if the pixels themselves are numbers of segments.
        """
        labelled = int(np.count_nonzero(plane))
        if not labelled:
            return
        placed = place(self._image, Volume(plane.T[:, :, None], self._affine(frame)))
        self._boxes.append(placed.box)
        self.labelled += labelled
        self.inside += int(np.count_nonzero(placed.array))
        mask = self._masks.get(number)
        if mask is None:
            kind = np.uint16 if number == 0 else bool
            mask = self._masks[number] = np.zeros(self._image.array.shape, kind)
        mask[placed.box] = np.where(placed.array > 0, placed.array, mask[placed.box])

    def covered(self) -> tuple[slice, ...]:
        """Return the image voxels within the frames' edges; all across the frames, as empty ones are often omitted."""
        found = []
        for axis, size in enumerate(self._image.array.shape):
            ranges = [box[axis] for box in self._boxes if all(s.stop > s.start for s in box)]
            flat = all(r.stop - r.start == 1 for r in ranges)
            low, high = min((r.start for r in ranges), default=0), max((r.stop for r in ranges), default=size)
            found.append(slice(0, size) if flat else slice(low, high))
        return tuple(found)

    def finished(self) -> tuple[NDArray[Any], dict[int, int]]:
        """Return the array[i,j,k,layer] of numbers of segments, and the layer of each segment."""
        layers = [self._masks.pop(0).astype(np.uint16)] if 0 in self._masks else []
        homes: dict[int, int] = {}
        for number in sorted(self._masks):
            mask = self._masks.pop(number)
            home = next((n for n, layer in enumerate(layers) if not layer[mask].any()), len(layers))
            if home == len(layers):
                layers.append(np.zeros(mask.shape, np.uint16))
            layers[home][mask] = number
            homes[number] = home
        if not layers:
            layers = [np.zeros(self._image.array.shape, np.uint16)]
        return np.stack(layers, axis=3), homes

    def _affine(self, frame: Frame) -> NDArray[np.float64]:
        """Return the 4x4 affine, index (column, row, 0) to RAS mm; the step between slices is the image's."""
        normal = apply_to_vectors(LPS_TO_RAS, frame.normal)
        along = int(np.abs(directions(self._image.affine).T @ normal).argmax())
        return LPS_TO_RAS @ frame.affine(frame.normal * self._image.spacing[along])


def _segment(layer: int, number: int, item: Any) -> Segment:
    types = item.get("SegmentedPropertyTypeCodeSequence") or [{}]
    regions = item.get("AnatomicRegionSequence") or [{}]
    meanings = [str(types[0].get("CodeMeaning", "") or "")]
    names = [str(item.get("SegmentLabel", "") or ""), str(item.get("SegmentDescription", "") or ""), *meanings]
    code = _snomed(types[0])
    return Segment(layer, number, tuple(names), _snomed(regions[0]) if code in SOME_PART else code)


def _snomed(item: Any) -> str:
    """Return the SNOMED CT code of a coded concept; our structures' codes in the older scheme SRT are translated."""
    value, scheme = str(item.get("CodeValue", "") or ""), str(item.get("CodingSchemeDesignator", "") or "")
    if scheme in ("SRT", "99SDM", "SNM3"):
        from pydicom.sr.coding import Code

        old = Code(value, "SRT", "")
        codes = {structure.code.value for structure in all_structures()}
        return next((code for code in sorted(codes) if Code(code, "SCT", "") == old), "")
    return value if scheme in ("SCT", "SNOMED") else ""
