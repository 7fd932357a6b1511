"""MetaImage files (.mha, .mhd): their header, and their voxels inside it, beside it or in several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadableInputError
from ...orientation import directions, voxel_sizes
from ..checks import MINIMUM_SLICES
from .header import RawImage, affine_from_lps, check_size, check_spacing, no_spacing, undirected, unusual
from .voxels import DataFiles, from_pattern, read_data

_MOST_HEADER = 1 << 20
_TYPES = {
    "met_char": "i1", "met_uchar": "u1", "met_short": "i2", "met_ushort": "u2", "met_int": "i4", "met_uint": "u4",
    "met_long": "i4", "met_ulong": "u4", "met_long_long": "i8", "met_ulong_long": "u8", "met_float": "f4",
    "met_double": "f8",
}  # fmt: skip
#: Names under which programs state directions and the place of the first voxel.
_DIRECTIONS = ("transformmatrix", "rotation", "orientation")
_ORIGINS = ("offset", "position", "origin")


def read_metaimage(path: Path, as_labels: bool = False) -> RawImage:
    """Read a MetaImage file.

    :raises UnreadableInputError: not MetaImage, damaged or cut off, or its data file is missing.
    :raises DimensionError: 2D, 4D or several values per voxel.
    :raises SpacingError: voxel sizes are missing or negative.
    :raises TooLargeError: see `check_size`.
    """
    fields, names, start = _read_header(path)
    sizes = _integers(path, fields, "dimsize")
    if not sizes or min(sizes) < 1:
        raise unusual(path, "its size is missing")
    components = (_integers(path, fields, "elementnumberofchannels") or [1])[0]
    check_size(path, sizes[:3], components, int(np.prod(sizes[3:], dtype=float)), 1 if as_labels else MINIMUM_SLICES)
    affine, warnings = _grid(path, fields, len(sizes))
    data = _data(path, fields, names, start)
    flat = read_data(path, data, sizes, _dtype(path, fields))
    return RawImage(flat.reshape(sizes[:3][::-1]).T, affine, warnings)


def _read_header(path: Path) -> tuple[dict[str, str], list[str], int]:
    """Fields by lower-case name, file names listed after ``ElementDataFile = LIST``, and where the header ends."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while "elementdatafile" not in fields and (line := file.readline(_MOST_HEADER)):
            name, equals, value = line.decode("utf-8", "surrogateescape").partition("=")
            if not equals and name.strip() or file.tell() > _MOST_HEADER:
                break
            fields[name.strip().lower()] = value.strip()
        if "ndims" not in fields or "elementdatafile" not in fields:
            raise UnreadableInputError(f"{path.name} is not a MetaImage file.", "Copy or export it again.")
        start = file.tell()
        is_list = fields["elementdatafile"].upper().startswith("LIST")
        rest = file.read(_MOST_HEADER).decode("utf-8", "surrogateescape") if is_list else ""
    return fields, rest.split(), start


def _numbers(path: Path, fields: dict[str, str], *names: str) -> list[float]:
    """The numbers of the first of some fields that is there; none if none is."""
    text = next((fields[name] for name in names if name in fields), "")
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise unusual(path, f"'{text[:40]}' is not a row of numbers") from error


def _integers(path: Path, fields: dict[str, str], name: str) -> list[int]:
    found = _numbers(path, fields, name)
    if not np.isfinite(found).all():
        raise unusual(path, f"its {name} is not a row of whole numbers")
    return [int(number) for number in found]


def _grid(path: Path, fields: dict[str, str], dimensions: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """4x4 to RAS mm, and warnings."""
    try:
        spacing = _numbers(path, fields, "elementspacing", "elementsize")[:3]
    except UnreadableInputError as error:
        raise no_spacing(path) from error
    check_spacing(path, spacing)
    origin = [*_numbers(path, fields, *_ORIGINS), 0.0, 0.0, 0.0][:3]
    matrix = _numbers(path, fields, *_DIRECTIONS)
    if not matrix or _is_unset(fields, matrix, origin):
        affine, warning = undirected(spacing, origin)
        return affine, (warning,)
    if len(matrix) != dimensions**2:
        raise unusual(path, "its directions do not fit its dimensions")
    # One row for each array axis.
    axes = np.reshape(matrix, (dimensions, dimensions))[:3, :3].T
    if not (voxel_sizes(axes) > 0).all():
        raise unusual(path, "a direction has no length")
    return affine_from_lps(directions(axes) * spacing, origin), ()


def _is_unset(fields: dict[str, str], matrix: list[float], origin: list[float]) -> bool:
    """Whether directions and place are those that a program writes which was given none."""
    is_unknown = set(fields.get("anatomicalorientation", "")) == {"?"}
    is_identity = matrix == np.eye(round(len(matrix) ** 0.5)).ravel().tolist()
    return is_unknown and is_identity and not any(origin)


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[Any]:
    code = _TYPES.get(fields.get("elementtype", "").lower())
    if code is None:
        raise unusual(path, f"its type of values ({fields.get('elementtype', 'none')}) is not supported")
    big = any(_is_true(fields, name) for name in ("binarydatabyteordermsb", "elementbyteordermsb"))
    return np.dtype((">" if big else "<") + code)


def _is_true(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "").lower() in ("true", "t", "1", "yes")


def _data(path: Path, fields: dict[str, str], listed: list[str], start: int) -> DataFiles:
    is_text = fields.get("binarydata", "true").lower() in ("false", "f", "0", "no")
    codec = "text" if is_text else "zlib" if _is_true(fields, "compresseddata") else "raw"
    named = fields["elementdatafile"]
    if named.upper() == "LOCAL":
        return DataFiles((path.name,), codec, start)
    skipped = (_integers(path, fields, "headersize") or [0])[0]
    names = listed or from_pattern(named) or [named]
    if codec == "zlib":
        return DataFiles(tuple(names), codec, max(0, skipped))
    return DataFiles(tuple(names), codec, skipped=skipped)
