"""Small MR images of noise in DICOM files, with any attribute changed: what scanners write, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SAGITTAL = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])  # columns: row direction, column direction, normal (LPS)
AXIAL = np.eye(3)
ROWS, COLUMNS, STEP, PIXEL, ORIGIN = 12, 10, 4.0, (0.8, 0.6), (5.0, -20.0, 30.0)


def write_series(
    folder: Path,
    count: int = 6,
    axes: np.ndarray = SAGITTAL,
    places: list[float] | None = None,
    change: Callable[[Dataset, int], None] | None = None,
    **tags: Any,
) -> np.ndarray:
    """Write a classic MR series with shuffled file names; returns its pixels [slice, row, column]."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 2000, (count, ROWS, COLUMNS)).astype(np.uint16)
    series = generate_uid()
    names = rng.permutation(count)
    for n in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = series, "1.2.3", "1.2.4"
        ds.PatientName, ds.PatientID = "Doe^Jane", "secret-7"
        ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "MR", 1, "t2 sag"
        ds.InstanceNumber = int(names[n]) + 1
        place = places[n] if places else n * STEP
        ds.ImagePositionPatient = [float(x) for x in np.array(ORIGIN) + place * axes[:, 2]]
        ds.ImageOrientationPatient = [float(x) for x in (*axes[:, 0], *axes[:, 1])]
        ds.PixelSpacing = list(PIXEL)
        ds.SliceThickness = STEP
        ds.Rows, ds.Columns, ds.SamplesPerPixel = ROWS, COLUMNS, 1
        ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "MONOCHROME2", 16, 16, 15
        ds.PixelRepresentation = 0
        ds.PixelData = pixels[n].tobytes()
        for tag, value in tags.items():
            setattr(ds, tag, value)
        if change:
            change(ds, n)
        ds.save_as(folder / f"{tags.get('SeriesNumber', 1)}-{names[n]:03d}.dcm", enforce_file_format=True)
    return pixels


def _group(**values: Any) -> list[Dataset]:
    """One item of a functional group."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return [item]


def write_enhanced(
    folder: Path,
    frames: Sequence[dict[str, Any]],
    is_shared: bool = True,
    change: Callable[[Dataset], None] | None = None,
) -> np.ndarray:
    """Write enhanced.dcm, one enhanced multi-frame MR file; returns its pixels [frame, row, column].

    :param frames: of each frame its ``place`` (slice number; without one it does not say where it lies) and, if
        wanted, ``axes``, ``echo`` (ms), ``type`` (frame type), ``slope``, ``b``.
    :param is_shared: whether orientation and pixel spacing stand in the shared functional groups, else in each frame's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(4).integers(1, 2000, (len(frames), ROWS, COLUMNS)).astype(np.uint16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = generate_uid(), "1.2.3", "1.2.4"
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "MR", 4, "t2 sag"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.NumberOfFrames, ds.PixelData = len(frames), pixels.tobytes()

    def orientation(axes: np.ndarray) -> list[float]:
        return [float(x) for x in (*axes[:, 0], *axes[:, 1])]

    shared, groups = Dataset(), []
    if is_shared:
        shared.PixelMeasuresSequence = _group(PixelSpacing=list(PIXEL), SliceThickness=STEP)
        shared.PlaneOrientationSequence = _group(ImageOrientationPatient=orientation(frames[0].get("axes", SAGITTAL)))
    for frame in frames:
        group, axes = Dataset(), frame.get("axes", SAGITTAL)
        if "place" in frame:
            position = np.array(ORIGIN) + frame["place"] * STEP * axes[:, 2]
            group.PlanePositionSequence = _group(ImagePositionPatient=[float(x) for x in position])
        if not is_shared:
            group.PixelMeasuresSequence = _group(PixelSpacing=list(PIXEL), SliceThickness=STEP)
            group.PlaneOrientationSequence = _group(ImageOrientationPatient=orientation(axes))
        if "echo" in frame:
            group.MREchoSequence = _group(EffectiveEchoTime=float(frame["echo"]))
        if "type" in frame:
            group.MRImageFrameTypeSequence = _group(FrameType=frame["type"])
        if "slope" in frame:
            group.PixelValueTransformationSequence = _group(RescaleSlope=str(frame["slope"]), RescaleIntercept="3")
        if "b" in frame:
            group.MRDiffusionSequence = _group(DiffusionBValue=float(frame["b"]))
        groups.append(group)
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], groups
    if change:
        change(ds)
    ds.save_as(folder / "enhanced.dcm", enforce_file_format=True)
    return pixels
