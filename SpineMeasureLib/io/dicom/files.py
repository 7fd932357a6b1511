"""DICOM files: the images in a folder, their headers, and the number of damaged files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UnreadableInputError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

#: Files of these endings may lack the DICOM preamble.
_ENDINGS = (".dcm", ".ima")
#: How the files begin that macOS writes beside others on foreign discs (AppleDouble, as ._x.dcm, and AppleSingle).
_APPLE = (b"\x00\x05\x16\x07", b"\x00\x05\x16\x00")
#: Number of bytes at the start of a file that show whether it is DICOM.
START_BYTES = 132
#: Storage classes whose objects have rows, unless they are cut off: MR, enhanced MR, its colour and converted kinds.
_MR_IMAGES = tuple(f"1.2.840.10008.5.1.4.1.1.4{end}" for end in ("", ".1", ".3", ".4"))
#: Modalities of objects that are made from images: segmentations and structured reports.
_RESULTS = ("SEG", "SR")
#: A file without preamble begins with an element of one of these groups, little endian, of a number below this.
_FIRST_GROUPS, _FIRST_ELEMENT = (b"\x02\x00", b"\x08\x00"), 0x20


@dataclass(frozen=True)
class Headers:
    """Headers of the images among some files.

    :ivar images: without their pixels; `filename` is their path.
    :ivar damaged: number of DICOM files whose header cannot be read.
    :ivar results: modalities of what was made from images: ``"SEG"`` and ``"SR"``.
    """

    images: tuple[FileDataset, ...]
    damaged: int
    results: frozenset[str] = frozenset()


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its preamble, its ending, or the element that it begins with."""
    with path.open("rb") as file:
        return begins_as_dicom(path.name, file.read(START_BYTES))


def begins_as_dicom(name: str, start: bytes) -> bool:
    """Return whether a file is DICOM, from its name and its first `START_BYTES` bytes; see `is_dicom`."""
    if start[:4] in _APPLE:
        return False
    if start[128:START_BYTES] == b"DICM" or name.lower().endswith(_ENDINGS):
        return True
    return start[:2] in _FIRST_GROUPS and int.from_bytes(start[2:4], "little") < _FIRST_ELEMENT


def read_headers(path: Path) -> Headers:
    """Return the headers of every image (whatever has rows) in a folder, subfolders included, a DICOMDIR or one file.

    Segmentations, reports, presentation states, documents and files of other kinds are passed over.

    :raises UnreadableInputError: a DICOMDIR that is damaged.
    """
    import pydicom

    images, damaged, results = [], 0, set()
    for file in files_of(path):
        try:
            if not is_dicom(file):
                continue
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            if header.get("Modality") in _RESULTS:
                results.add(str(header.Modality))
            elif "Rows" in header:
                images.append(header)
            elif header.get("SOPClassUID", "") in ("", *_MR_IMAGES):
                damaged += 1
        except Exception:  # damaged bytes end in any exception of the parser
            damaged += 1
    return Headers(tuple(images), damaged, frozenset(results))


def files_of(path: Path) -> Sequence[Path]:
    """Return every file in a folder, subfolders included, the files that a DICOMDIR names, or the file itself."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and not _is_of_macos(p.relative_to(path)))
    return _files_of_dicomdir(path) if path.name.upper() == "DICOMDIR" else [path]


def _is_of_macos(path: Path) -> bool:
    """Return whether macOS added a file: folder settings, files of attributes, extra entries of its archives."""
    return path.name.startswith("._") or path.name == ".DS_Store" or "__MACOSX" in path.parts


def _files_of_dicomdir(path: Path) -> Sequence[Path]:
    """Return the files that a DICOMDIR names, as far as they are there, in its folder (PS3.10, 8.2: names in parts)."""
    import pydicom

    try:
        records = list(pydicom.dcmread(path).DirectoryRecordSequence)
    except Exception as error:  # as above
        raise UnreadableInputError(f"{path.name} is damaged.", "Specify the folder that contains it.") from error
    found = []
    for record in records:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else list(parts)
        for spelled in (parts, [part.lower() for part in parts]):  # copies of discs lose the upper case
            file = path.parent.joinpath(*spelled)
            if file.is_file():
                found.append(file)
                break
    return found
