"""The images as derived objects refer to them: valid UIDs, classes, frames and geometry."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...io.dicom.frames import Frame, as_text, value_of, values_of
from .header import Changes, inherited
from .values import CHARACTERS, is_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ...volume import Volume

#: Shorter texts in place of a UID may be placeholders that images of other patients share.
_SHORTEST_OWN_NAME = 10
_OF_SERIES = ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName")


def referable(
    headers: Sequence[Dataset], volume: Volume, is_multiframe: bool
) -> tuple[tuple[Dataset, ...], tuple[str, ...]]:
    """The images with only those attributes that derived objects inherit and need, all of them valid.

    Attributes of the whole series are taken from the first image.

    :param headers: of the files of the volume's frames, in that order.
    :return: (images, warnings that name the changed attributes).
    """
    from pydicom.dataset import Dataset

    changes = Changes()
    first, frames = headers[0], volume.frames
    common = inherited(first, changes)
    common.SpecificCharacterSet = CHARACTERS
    common.Modality = "MR"
    common.SeriesNumber = _whole(first, "SeriesNumber")
    common.Rows, common.Columns = frames[0].size
    named = as_text(value_of(first, "SOPInstanceUID")).strip()
    spare = named if is_uid(named) else volume.sha256
    common.StudyInstanceUID = _uid(first, "StudyInstanceUID", f"study of {spare}", changes)
    common.SeriesInstanceUID = _uid(first, "SeriesInstanceUID", f"series of {spare}", changes)
    common.FrameOfReferenceUID = _uid(first, "FrameOfReferenceUID", f"frame of reference of {spare}", changes)
    changes.several += [keyword for keyword in _OF_SERIES if len({as_text(value_of(h, keyword)) for h in headers}) > 1]
    measures = _measures(headers, frames, changes)
    names = _instance_uids(headers, frames, spare, changes)
    images = []
    for n, (header, name) in enumerate(zip(headers, names, strict=True)):
        image = Dataset()
        image.update(common)
        image.SOPClassUID = _sop_class(header, is_multiframe, changes)
        image.SOPInstanceUID = name
        if is_multiframe:
            _add_groups(image, header, frames, measures)
        else:
            for keyword, value in {**measures, **_plane(frames[0], frames[n].position)}.items():
                setattr(image, keyword, value)
        images.append(image)
    return tuple(images), tuple(changes.sentences())


def _whole(header: Dataset, keyword: str) -> int:
    try:
        return int(value_of(header, keyword) or 0)
    except (TypeError, ValueError):  # several values
        return 0


def _uid(header: Dataset, keyword: str, otherwise: str, changes: Changes) -> str:
    """The UID of an attribute; an invalid one is replaced, always by the same UID."""
    found = as_text(value_of(header, keyword)).strip()
    if is_uid(found):
        return found
    changes.uids.append(keyword)
    return _made_of(found if len(found) >= _SHORTEST_OWN_NAME else f"{found} {otherwise}")


def _made_of(text: str) -> str:
    """A UID derived from a text (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, text).int}"


def _instance_uids(headers: Sequence[Dataset], frames: Sequence[Frame], spare: str, changes: Changes) -> list[str]:
    """SOP instance UIDs of the files, each different."""
    stated = []
    for header in headers:
        found = as_text(value_of(header, "SOPInstanceUID")).strip()
        in_file = as_text(value_of(header.file_meta, "MediaStorageSOPInstanceUID")).strip()
        stated.append(found if is_uid(found) or not is_uid(in_file) else in_file)
    names = []
    for n, found in enumerate(stated):
        if is_uid(found) and stated.count(found) == 1:
            names.append(found)
        else:
            changes.uids.append("SOPInstanceUID")
            is_own = len(found) >= _SHORTEST_OWN_NAME and stated.count(found) == 1
            names.append(_made_of(found if is_own else f"{found} {spare} {frames[n].position.round(3)}"))
    return names


def _sop_class(header: Dataset, is_multiframe: bool, changes: Changes) -> str:
    from pydicom.uid import UID, EnhancedMRImageStorage, MRImageStorage

    for dataset, keyword in ((header, "SOPClassUID"), (header.file_meta, "MediaStorageSOPClassUID")):
        uid = as_text(value_of(dataset, keyword)).strip()
        if UID(uid).keyword.endswith("ImageStorage"):
            return uid
        changes.corrected.append("SOPClassUID")
    return str(EnhancedMRImageStorage if is_multiframe else MRImageStorage)


def _measures(headers: Sequence[Dataset], frames: Sequence[Frame], changes: Changes) -> dict[str, Any]:
    """Pixel spacing and thickness; a missing thickness is replaced by the step between slices."""
    along = np.array([frame.position for frame in frames]) @ frames[0].normal
    step = round(float(abs(np.median(np.diff(along)))), 5)
    value = values_of(headers[0], frames[0].index)
    thickness = _length(value("PixelMeasuresSequence", ["SliceThickness"]))
    if thickness is None:
        changes.measured.append("SliceThickness")
    return {
        "PixelSpacing": [_ds(x) for x in frames[0].pixel_spacing],
        "SliceThickness": _ds(thickness or step),
        "SpacingBetweenSlices": _ds(step),
    }


def _length(value: Any) -> float | None:
    try:
        return float(value) if 0 < float(value) < np.inf else None
    except (TypeError, ValueError):
        return None


def _plane(first: Frame, position: Any) -> dict[str, Any]:
    return {
        "ImagePositionPatient": [_ds(x) for x in position],
        "ImageOrientationPatient": [_ds(x) for x in first.orientation],
    }


def _ds(number: float) -> str:
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(round(float(number), 8))


def _add_groups(image: Dataset, header: Dataset, frames: Sequence[Frame], measures: dict[str, Any]) -> None:
    """Functional groups of a multi-frame image: geometry of the stack for all frames, a position for each."""
    groups = header.PerFrameFunctionalGroupsSequence
    image.NumberOfFrames = len(groups)
    image.SharedFunctionalGroupsSequence = [
        _group(
            PixelMeasuresSequence=_group(**measures),
            PlaneOrientationSequence=_group(ImageOrientationPatient=[_ds(x) for x in frames[0].orientation]),
        )
    ]
    image.PerFrameFunctionalGroupsSequence = [
        _group(PlanePositionSequence=_group(ImagePositionPatient=[_ds(x) for x in _position(group)]))
        for group in groups
    ]


def _position(group: Dataset) -> list[float]:
    return [float(x) for x in group.PlanePositionSequence[0].ImagePositionPatient]


def _group(**values: Any) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, [value] if isinstance(value, Dataset) else value)
    return item
