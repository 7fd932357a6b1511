"""Writes label files as other programs do: .seg.nrrd as 3D Slicer, DICOM SEG with pydicom alone."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SpineMeasureLib.orientation import LPS_TO_RAS
from SpineMeasureLib.volume import Volume


@dataclass(frozen=True)
class Part:
    """A segment to write: its mask, name, type code and further fields of the header."""

    mask: np.ndarray
    name: str
    code: tuple[str, str, str] | None = None  # scheme, value, meaning
    fields: Mapping[str, str] | None = None


def write_seg_nrrd(
    path: Path, affine: np.ndarray, parts: Sequence[Part], layered: bool = False, values: Sequence[int] = ()
) -> Path:
    """One layer for all segments, or a layer (first axis) for each; values from 1 unless given."""
    values = values or range(1, len(parts) + 1)
    shape = parts[0].mask.shape
    if layered:
        array = np.stack([p.mask.astype(np.uint8) for p in parts], axis=0)
        sizes, none, kinds = (len(parts), *shape), "none ", "list domain domain domain"
    else:
        array = np.zeros(shape, np.uint8)
        for value, part in zip(values, parts, strict=True):
            array[part.mask] = value
        sizes, none, kinds = shape, "", "domain domain domain"
    lps = LPS_TO_RAS @ affine
    vectors = [f"({','.join(repr(float(x)) for x in lps[:3, axis])})" for axis in range(3)]
    lines = [
        "NRRD0004", "type: uint8", f"dimension: {array.ndim}", "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}", f"space directions: {none}{' '.join(vectors)}", f"kinds: {kinds}",
        "encoding: gzip", f"space origin: ({','.join(repr(float(x)) for x in lps[:3, 3])})",
    ]  # fmt: skip
    for n, (value, part) in enumerate(zip(values, parts, strict=True)):
        fields = {
            "ID": f"Segment_{n + 1}",
            "LabelValue": "1" if layered else str(value),
            "Layer": str(n if layered else 0),
            "Name": part.name,
        }
        if part.code:
            fields["Tags"] = (
                "Segmentation.Status:inprogress|TerminologyEntry:Segmentation category and type"
                f"~SCT^123037004^Anatomical Structure~{'^'.join(part.code)}~^^~Anatomic codes~^^~^^|"
            )
        fields |= part.fields or {}
        lines += [f"Segment{n}_{key}:={text}" for key, text in fields.items() if text is not None]
    header = "\n".join(lines) + "\n\n"
    path.write_bytes(header.encode() + gzip.compress(array.tobytes(order="F"), 1))
    return path


def write_dicom_seg(
    path: Path,
    affine: np.ndarray,
    parts: Sequence[Part],
    kind: str = "BINARY",
    axis: int = 2,
    backwards: bool = False,
    empty_frames: bool = False,
    frame_of_reference: str = "1.2.3.4",
) -> Path:
    """A SEG whose frames lie across an array axis.

    :param kind: ``BINARY``, ``FRACTIONAL`` or ``LABELMAP``.
    :param axis: array axis across which the frames lie; within them, the next axis is that of columns.
    :param backwards: frames from the last to the first, columns mirrored.
    :param empty_frames: whether frames without voxels are written too.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.pixels.utils import pack_bits
    from pydicom.sequence import Sequence as Items
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    columns, rows = [(1, 2), (2, 0), (0, 1)][axis]
    lps = LPS_TO_RAS @ affine
    shape = parts[0].mask.shape
    step = lps[:3, :3].copy()
    first = lps[:3, 3].copy()
    if backwards:
        first += step[:, columns] * (shape[columns] - 1)
        step[:, columns] *= -1
    lengths = np.linalg.norm(step, axis=0)
    frames, groups = [], []
    label = np.zeros(shape, np.uint8)
    for number, part in enumerate(parts, start=1):
        label[part.mask] = number
    sources = [(0, label)] if kind == "LABELMAP" else [(n, p.mask) for n, p in enumerate(parts, start=1)]
    for number, mask in sources:
        for place in range(shape[axis])[:: -1 if backwards else 1]:
            plane = np.moveaxis(mask, (rows, columns, axis), (0, 1, 2))[..., place]
            plane = plane[:, ::-1] if backwards else plane
            if not plane.any() and not empty_frames:
                continue
            frames.append(plane * (255 if kind == "FRACTIONAL" else 1))
            group, position, identity = Dataset(), Dataset(), Dataset()
            position.ImagePositionPatient = [f"{x:.6f}" for x in first + step[:, axis] * place]
            group.PlanePositionSequence = Items([position])
            if number:
                identity.ReferencedSegmentNumber = number
                group.SegmentIdentificationSequence = Items([identity])
            groups.append(group)
    dataset, shared, measures, orientation = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [f"{lengths[rows]:.8f}", f"{lengths[columns]:.8f}"]
    measures.SliceThickness = f"{lengths[axis]:.8f}"
    cosines = (step / lengths)[:, [columns, rows]].T.ravel()
    orientation.ImageOrientationPatient = [f"{x:.10f}" for x in cosines]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([orientation])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    classes = {"LABELMAP": "1.2.840.10008.5.1.4.1.1.66.7"}
    dataset.SOPClassUID = classes.get(kind, "1.2.840.10008.5.1.4.1.1.66.4")
    dataset.SOPInstanceUID, dataset.Modality, dataset.SegmentationType = generate_uid(), "SEG", kind
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = shape[rows], shape[columns], len(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue, dataset.SegmentationFractionalType = 255, "PROBABILITY"
    pixels = np.stack(frames).astype(np.uint8)
    raw = pack_bits(pixels.ravel()) if bits == 1 else pixels.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OB"
    segments = []
    for number, part in enumerate(parts, start=1):
        item, coded = Dataset(), Dataset()
        item.SegmentNumber, item.SegmentLabel = number, part.name
        scheme, value, meaning = part.code or ("SCT", "85756007", "Tissue")
        coded.CodingSchemeDesignator, coded.CodeValue, coded.CodeMeaning = scheme, value, meaning
        item.SegmentedPropertyTypeCodeSequence = Items([coded])
        segments.append(item)
    dataset.SegmentSequence = Items(segments)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def reordered(volume: Volume, order: Sequence[int], flips: Sequence[int] = ()) -> Volume:
    """The same voxels, stored with axes in another order and some of the new axes backwards."""
    index = np.eye(4)[:, [*order, 3]]
    array = volume.array.transpose(order)
    for axis in flips:
        index[order[axis], 3] = array.shape[axis] - 1
        index[order[axis], axis] = -1
    return Volume(np.flip(array, tuple(flips)), volume.affine @ index)


def part_of(volume: Volume, low: Sequence[int], high: Sequence[int]) -> Volume:
    """Voxels from `low` up to `high` (negative or beyond the end: padded with zeros)."""
    array = np.zeros([b - a for a, b in zip(low, high, strict=True)], volume.array.dtype)
    taken = [slice(max(a, 0), min(b, n)) for a, b, n in zip(low, high, volume.array.shape, strict=True)]
    put = tuple(slice(t.start - a, t.stop - a) for t, a in zip(taken, low, strict=True))
    array[put] = volume.array[tuple(taken)]
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array(low)
    return Volume(array, affine)
