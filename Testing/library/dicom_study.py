"""An MR study of one identified (made-up) patient, written from a volume: classic slices or one enhanced file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from SpineMeasureLib.orientation import LPS_TO_RAS
from SpineMeasureLib.volume import Volume

#: Everything that could give the patient away; none of it may be in an output that was not asked for as DICOM.
IDENTITY = (
    "Mustermann", "Erika", "PID-4711", "19640812", "ACC-9981", "Hausarzt", "Klinikum", "Radiologa", "20250301",
    "OLD-5566", "Zebrastrasse", "0555-1234", "Glasbl", "SER-4242", "Hauptplatz",
)  # fmt: skip


def _identified(study: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = "Mustermann^Erika", "PID-4711"
    ds.PatientBirthDate, ds.PatientSex = "19640812", "F"
    ds.PatientAge, ds.PatientWeight, ds.PatientSize = "061Y", "70", "1.7"
    ds.StudyInstanceUID, ds.StudyID = study, "77"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20250301", "101500", "ACC-9981"
    ds.StudyDescription = "MR spine"
    ds.ReferringPhysicianName, ds.InstitutionName = "Hausarzt^Otto", "Klinikum"
    ds.OperatorsName = "Radiologa^Rita"
    ds.OtherPatientIDs, ds.PatientComments = "OLD-5566", "lives in Zebrastrasse"
    ds.PatientTelephoneNumbers, ds.Occupation, ds.InstitutionAddress = "0555-1234", "Glasbl\u00e4ser", "Hauptplatz 9"
    return ds


def _acquired(ds: Dataset, series: str, frame_of_reference: str, number: int, description: str) -> None:
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber, ds.SeriesDescription = "MR", series, number, description
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20250301"
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "102000"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = frame_of_reference, ""
    ds.Manufacturer, ds.ManufacturerModelName = "Phantom", "Phantom 1.5T"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "SER-4242", "1"
    ds.BodyPartExamined, ds.PatientPosition, ds.MagneticFieldStrength = "LSPINE", "HFS", "1.5"


def _pixels(ds: Dataset, data: np.ndarray) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = data.shape[-2:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.WindowCenter, ds.WindowWidth = "500", "1000"
    ds.PixelData = np.ascontiguousarray(data, np.uint16).tobytes()


def _file(ds: Dataset, sop_class: str) -> None:
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _geometry(volume: Volume) -> tuple[np.ndarray, np.ndarray, list[float], list[float], float]:
    """Slices [slice, row, column] along the volume's coarsest axis, LPS positions, orientation, pixel spacing, step."""
    axis = int(np.argmax(volume.spacing))
    order = [a for a in range(3) if a != axis]
    affine = LPS_TO_RAS @ volume.affine
    columns, rows = (affine[:3, a] / volume.spacing[a] for a in order)
    data = volume.array.transpose(axis, order[1], order[0])
    positions = np.array([affine[:3, 3] + n * affine[:3, axis] for n in range(len(data))])
    spacing = [round(volume.spacing[order[1]], 6), round(volume.spacing[order[0]], 6)]
    return data, positions, [round(float(x), 8) for x in (*columns, *rows)], spacing, volume.spacing[axis]


def write_study(folder: Path, volume: Volume, number: int = 5, description: str = "t2_tse_sag", **tags: Any) -> Path:
    """Write a volume as a classic MR series; array axes other than the coarsest become columns and rows.

    :param tags: attributes to set on (or, with None, to take from) every image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, positions, orientation, spacing, step = _geometry(volume)
    study, series, frame = (str(tags.pop(key, None) or generate_uid()) for key in ("study", "series", "frame"))
    for n, pixels in enumerate(data):
        ds = _identified(study)
        _acquired(ds, series, frame, number, description)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "SE", "SK", "", "2D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = "3500", "100", "15"
        ds.AcquisitionNumber, ds.InstanceNumber = 1, n + 1
        ds.SliceThickness, ds.SpacingBetweenSlices, ds.PixelSpacing = f"{step:.6f}", f"{step:.6f}", spacing
        ds.ImagePositionPatient = [round(float(x), 6) for x in positions[n]]
        ds.ImageOrientationPatient = orientation
        _pixels(ds, pixels)
        _file(ds, MRImageStorage)
        for keyword, value in tags.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        ds.save_as(folder / f"IM{number:03d}{n:04d}", enforce_file_format=True)
    return folder


def write_enhanced(folder: Path, volume: Volume, order: list[int]) -> Path:
    """Write a volume as one enhanced MR file with its slices in the given order; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    data, positions, orientation, spacing, step = _geometry(volume)
    ds = _identified(generate_uid())
    _acquired(ds, generate_uid(), generate_uid(), 6, "t2_tse_sag")
    ds.InstanceNumber, ds.NumberOfFrames = 1, len(order)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SPINE", "NONE"]
    _pixels(ds, data[order])
    _file(ds, EnhancedMRImageStorage)
    measures, plane = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = spacing, f"{step:.6f}"
    plane.ImageOrientationPatient = orientation
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    ds.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for n in order:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [round(float(x), 6) for x in positions[n]]
        group.PlanePositionSequence = [place]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    path = folder / "enhanced.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path
