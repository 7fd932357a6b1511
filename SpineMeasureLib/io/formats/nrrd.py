"""NRRD files (.nrrd, .nhdr): their header, and their voxels inside it, beside it or in several files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadableInputError
from ...orientation import voxel_sizes
from .header import NO_DIRECTIONS, RawImage, affine_from_lps, check_size, check_spacing, no_spacing, undirected, unusual
from .text_header import TextHeader, read_text_header
from .voxels import DataFiles, read_data

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TYPE_OF = {name: code for code, names in _TYPES.items() for name in names}
_CODECS = {
    "raw": "raw", "gzip": "zlib", "gz": "zlib", "bzip2": "bzip2", "bz2": "bzip2",
    "txt": "text", "text": "text", "ascii": "text",
}  # fmt: skip
#: To LPS, by `space`; a time axis may follow ("left-posterior-superior-time", "LPST").
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
#: `kinds` of axes that are not of space.
_TIMES = ("list", "time")


@dataclass(frozen=True)
class _Axes:
    """Numbers of the spatial axes, and how many values the other axes have before and after them."""

    space: list[int]
    components: int
    volumes: int


def read_nrrd(path: Path, as_labels: bool = False) -> RawImage:
    """Read a NRRD file.

    :param as_labels: see `read_file`.

    :raises UnreadableInputError: not NRRD, damaged or cut off, or its data file is missing.
    :raises DimensionError: 2D, 4D or several values per voxel.
    :raises SpacingError: voxel sizes are missing or negative.
    :raises TooLargeError: see `check_size`.
    """
    with path.open("rb") as file:
        if not file.readline(16).startswith(b"NRRD"):
            raise UnreadableInputError(f"{path.name} is not a NRRD file.", "Copy or export it again.")
    header = read_text_header(path, ":", "datafile", ends_when_blank=True)
    sizes = header.integers("sizes")
    if not sizes or min(sizes) < 1:
        raise unusual(path, "its sizes are missing")
    axes = _axes(path, header.fields, sizes)
    size = [sizes[n] for n in axes.space]
    if as_labels:
        check_size(path, size, fewest_slices=1)
    else:
        check_size(path, size, axes.components, axes.volumes)
    affine, warnings = _grid(path, header.fields, axes.space)
    dtype = header.dtype("type", _TYPE_OF, header.fields.get("endian", "").lower() == "big")
    flat = read_data(path, _data_files(header), sizes, dtype)
    layers = [n for n in range(len(sizes)) if n not in axes.space]
    array = flat.reshape(sizes[::-1]).T.transpose(*axes.space, *layers)
    return RawImage(array.reshape(size) if array.size == np.prod(size) else array.reshape(*size, -1), affine, warnings)


def _axes(path: Path, fields: Mapping[str, str], sizes: list[int]) -> _Axes:
    """Find the spatial axes: by direction, else by `kinds`, else the first three that are not single."""
    vectors = _vectors(fields.get("spacedirections", ""))
    kinds = re.findall(r"\S+", fields.get("kinds", "").lower())
    if len(vectors) == len(sizes):
        space = [n for n, vector in enumerate(vectors) if vector is not None]
    elif vectors:
        raise unusual(path, "its directions do not fit its sizes")
    elif len(kinds) == len(sizes) and {"domain", "space"} & set(kinds):
        space = [n for n, kind in enumerate(kinds) if kind in ("domain", "space")]
    else:
        single = [n for n, size in enumerate(sizes) if size == 1] if len(sizes) > 3 else []
        space = [n for n in range(len(sizes)) if n not in single[-(len(sizes) - 3) :]][:3]
    if not space:
        raise unusual(path, "it has no axis of space")
    others = [n for n in range(len(sizes)) if n not in space]
    times = [n for n in others if n > space[-1] or (n < len(kinds) and kinds[n] in _TIMES)]
    return _Axes(
        space,
        int(np.prod([sizes[n] for n in others if n not in times], dtype=float)),
        int(np.prod([sizes[n] for n in times], dtype=float)),
    )


def _vectors(text: str) -> list[list[float] | None]:
    """Return ``(1,0,0) none ...``"""
    found = re.findall(r"\(([^)]*)\)|(none)", text.lower())
    return [None if none else [_float(word) for word in inside.split(",")] for inside, none in found]


def _float(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _grid(path: Path, fields: Mapping[str, str], space: list[int]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the 4x4 affine to RAS mm, and warnings."""
    origin = (_vectors(fields.get("spaceorigin", "")) or [None])[0] or [0.0, 0.0, 0.0]
    signs = _SPACES.get(re.sub(r"-time$|(?<=^...)t$", "", fields.get("space", "").lower()))
    if "spacedirections" in fields:
        vectors = [vector for vector in _vectors(fields["spacedirections"]) if vector is not None]
        if len(vectors) != 3 or any(len(vector) != 3 for vector in (*vectors, origin)):
            raise unusual(path, "its directions are not three-dimensional")
        axes = np.array(vectors, float).T
        check_spacing(path, voxel_sizes(axes).tolist())
        known = np.reshape(signs or (1, 1, 1), (3, 1))
        return affine_from_lps(axes * known, (known[:, 0] * origin).tolist()), () if signs else (NO_DIRECTIONS,)
    words = fields.get("spacings", "").split()
    if len(words) <= max(space):
        raise no_spacing(path)
    spacing = [_float(words[n]) for n in space]
    check_spacing(path, spacing)
    affine, warning = undirected(spacing)
    return affine, (warning,)


def _data_files(header: TextHeader) -> DataFiles:
    encoding = header.fields.get("encoding", "raw")
    if encoding.lower() not in _CODECS:
        raise unusual(header.path, f"its encoding ({encoding}) is not supported")
    lines, skipped = (header.integers(name, "0")[0] for name in ("lineskip", "byteskip"))
    return header.data_files(header.fields.get("datafile", ""), _CODECS[encoding.lower()], skipped, lines)
