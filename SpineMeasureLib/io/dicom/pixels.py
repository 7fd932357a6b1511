"""DICOM pixels: the decoded images of files, in whichever transfer syntax they are."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DicomSeriesError, UnreadableInputError
from ...files import require_utf8
from ...quiet import quiet_dicom, quiet_libraries
from .frames import Frame, value_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_OF_PIXELS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData",
)  # fmt: skip
#: Transfer syntaxes of uncompressed pixels: little and big endian; empty if none is named.
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "")
#: What the JPEG library prints about bytes that it cannot decode and replaces.
_DAMAGED_JPEG = re.compile(r"Corrupt JPEG data: (?!\d+ extraneous)|Premature end of JPEG")


class PixelFiles:
    """Pixels of frames; the last file stays decoded, as its frames are usually needed together.

    SimpleITK decodes, so compressed transfer syntaxes work as far as GDCM knows them; a file that it refuses is tried
    again without the attributes that do not concern pixels, then with the decoders that pydicom finds. GDCM gives all
    frames of a file the slope and intercept of one: if they differ, stored values are decoded and scaled here.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._path: Path | None = None
        self._frames: NDArray[Any] = np.empty(0)
        rescales: dict[Path, set[tuple[float, float]]] = {}
        for frame in frames:
            rescales.setdefault(frame.file, set()).add(frame.rescale)
        self._scaled_here = {path for path, found in rescales.items() if len(found) > 1}

    def pixels(self, frame: Frame) -> NDArray[Any]:
        """Return the array [row, column] of one frame.

        :raises DicomSeriesError: the pixels are damaged, or in a transfer syntax that cannot be decoded.
        """
        is_scaled_here = frame.file in self._scaled_here
        if frame.file != self._path:
            with quiet_dicom():
                self._frames = _decode_stored(frame.file) if is_scaled_here else _decode(frame.file)
            self._path = frame.file
        if self._frames.shape[-2:] != frame.size or self._frames.size <= frame.index * np.prod(frame.size):
            raise DicomSeriesError(f"The pixels of {frame.file.name} do not match its header.", "Export it again.")
        pixels = self._frames.reshape(-1, *frame.size)[frame.index]
        return pixels * frame.rescale[0] + frame.rescale[1] if is_scaled_here else pixels


def _decode(path: Path) -> NDArray[Any]:
    """Return the pixels [frame, row, column] of a file, with its rescale slope and intercept applied."""
    require_utf8(path, UnreadableInputError)
    if _is_cut_off(path):
        raise _undecodable(path)
    try:
        return _read(path)
    except RuntimeError as error:
        for copy in (_bare, _unpacked):
            dataset = _prepared(copy, path)
            if dataset is not None:
                with suppress(RuntimeError):
                    return _decode_dataset(dataset)
        raise _undecodable(path) from error


def _read(path: Path) -> NDArray[Any]:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with quiet_libraries() as printed:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    if any(_DAMAGED_JPEG.search(line) for line in printed):
        raise _undecodable(path)
    return pixels


def _decode_stored(path: Path) -> NDArray[Any]:
    """Return the stored pixels of a multi-frame file, decoded from a copy without rescale slopes."""
    import pydicom

    dataset = pydicom.dcmread(path)
    for group in (*dataset.get("SharedFunctionalGroupsSequence", ()), *dataset.PerFrameFunctionalGroupsSequence):
        group.pop("PixelValueTransformationSequence", None)
    try:
        return _decode_dataset(dataset)
    except RuntimeError as error:
        raise _undecodable(path) from error


def _decode_dataset(dataset: Dataset) -> NDArray[Any]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "image.dcm"
        dataset.save_as(copy)
        return _read(copy)


def _prepared(copy: Callable[[Path], Dataset], path: Path) -> Dataset | None:
    try:
        return copy(path)
    except Exception:  # damaged headers and decoders raise various exceptions
        return None


def _bare(path: Path) -> Dataset:
    """Return the pixels with only the attributes that describe them: GDCM also fails on attributes it does not need."""
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    for tag in tuple(dataset.keys()):
        keyword = pydicom.datadict.keyword_for_tag(tag)
        if keyword not in _OF_PIXELS or (keyword != "PixelData" and value_of(dataset, keyword) is None):
            del dataset[tag]
    is_enhanced = "PerFrameFunctionalGroupsSequence" in dataset
    dataset.SOPClassUID = pydicom.uid.EnhancedMRImageStorage if is_enhanced else pydicom.uid.MRImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    if len(dataset.PixelData) == _bytes_of_pixels(dataset) and _syntax(dataset) not in _UNCOMPRESSED:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian  # plain, whatever its syntax is called
    return dataset


def _unpacked(path: Path) -> Dataset:
    """Return the pixels as pydicom's decoders unpack them."""
    dataset = _bare(path)
    dataset.decompress()
    return dataset


def _undecodable(path: Path) -> DicomSeriesError:
    """Return the error for a file whose pixels cannot be decoded; it names the transfer syntax if it is compressed."""
    import pydicom

    syntax = _syntax(pydicom.dcmread(path, stop_before_pixels=True, force=True))
    if syntax in _UNCOMPRESSED:
        return DicomSeriesError(
            f"The pixels of {path.name} cannot be decoded.", "Export the series again, uncompressed."
        )
    name = pydicom.uid.UID(syntax).name
    named = f"{name} ({syntax})" if name != syntax else syntax
    return DicomSeriesError(
        f"The pixels of {path.name} cannot be decoded: they are damaged, or the transfer syntax {named} is not "
        "supported here.",
        "Export the series again, uncompressed (Explicit VR Little Endian), or convert it with 'gdcmconv --raw'.",
    )


def _is_cut_off(path: Path) -> bool:
    """Return whether a file ends before its uncompressed pixels do: GDCM fills up what is missing."""
    import pydicom

    with path.open("rb") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        left = path.stat().st_size - file.tell()
    return _syntax(header) in _UNCOMPRESSED and left < _bytes_of_pixels(header)


def _syntax(dataset: Dataset) -> str:
    return str(value_of(dataset.file_meta, "TransferSyntaxUID") or "")


def _bytes_of_pixels(header: Dataset) -> int:
    frames = int(value_of(header, "NumberOfFrames") or 1)
    return frames * int(header.Rows) * int(header.Columns) * int(header.BitsAllocated) // 8
