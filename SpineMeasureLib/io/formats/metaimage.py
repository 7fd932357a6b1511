"""MetaImage files (.mha, .mhd): their header, and their voxels inside it, beside it or in several files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadableInputError
from ...orientation import directions, voxel_sizes
from ..checks import MINIMUM_SLICES
from .header import RawImage, affine_from_lps, check_size, check_spacing, no_spacing, undirected, unusual
from .text_header import TextHeader, read_text_header
from .voxels import DataFiles, read_data

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
    header = read_text_header(path, "=", "elementdatafile", ends_when_blank=False)
    if not {"ndims", "elementdatafile"} <= set(header.fields):
        raise UnreadableInputError(f"{path.name} is not a MetaImage file.", "Copy or export it again.")
    sizes = header.integers("dimsize")
    if not sizes or min(sizes) < 1:
        raise unusual(path, "its size is missing")
    components = header.integers("elementnumberofchannels", "1")[0]
    check_size(path, sizes[:3], components, int(np.prod(sizes[3:], dtype=float)), 1 if as_labels else MINIMUM_SLICES)
    affine, warnings = _grid(path, header.fields, len(sizes))
    is_big = any(_is_true(header.fields, name) for name in ("binarydatabyteordermsb", "elementbyteordermsb"))
    flat = read_data(path, _data_files(header), sizes, header.dtype("elementtype", _TYPES, is_big))
    return RawImage(flat.reshape(sizes[:3][::-1]).T, affine, warnings)


def _numbers(path: Path, fields: Mapping[str, str], *names: str) -> list[float]:
    """Return the numbers of the first of these fields that is present; an empty list if all are missing."""
    text = next((fields[name] for name in names if name in fields), "")
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise unusual(path, f"'{text[:40]}' is not a row of numbers") from error


def _grid(path: Path, fields: Mapping[str, str], dimensions: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the 4x4 affine to RAS mm, and warnings."""
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


def _is_unset(fields: Mapping[str, str], matrix: list[float], origin: list[float]) -> bool:
    """Return whether directions and position are the defaults that a program writes without information."""
    is_unknown = set(fields.get("anatomicalorientation", "")) == {"?"}
    is_identity = matrix == np.eye(round(len(matrix) ** 0.5)).ravel().tolist()
    return is_unknown and is_identity and not any(origin)


def _is_true(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "").lower() in ("true", "t", "1", "yes")


def _data_files(header: TextHeader) -> DataFiles:
    fields = header.fields
    is_text = fields.get("binarydata", "true").lower() in ("false", "f", "0", "no")
    codec = "text" if is_text else "zlib" if _is_true(fields, "compresseddata") else "raw"
    named = fields["elementdatafile"]
    if named.upper() == "LOCAL":
        return header.data_files("", codec, 0)
    skipped = header.integers("headersize", "0")[0]
    # Where the voxels are the last bytes of the file (-1), compression leaves nothing to skip.
    return header.data_files(named, codec, max(0, skipped) if codec == "zlib" else skipped)
