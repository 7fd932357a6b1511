"""The voxels that a text header describes: after it in the same file, in another file, or in several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadableInputError
from .header import beside
from .stream import Stream, damaged, padding_bytes, read_voxels, too_much

#: Maximum number of files of one image: one for each slice.
_MAXIMUM_FILES = 10_000
_PATTERN = re.compile(r"(\S*%0?\d{0,2}d\S*)((?:\s+-?\d{1,9}){2,})\s*")
_NUMBER = re.compile(r"%(0?\d{0,2})d")


@dataclass(frozen=True)
class DataFiles:
    """Where the voxels of an image are.

    :ivar names: files, relative to the header; each contains an equal part of the voxels.
    :ivar codec: as `Stream` takes it, or ``"text"`` (numbers in words).
    :ivar start: where the data begins in each file, bytes.
    :ivar lines: lines to skip from there on.
    :ivar skipped: bytes to skip then, after decompression; -1 if the voxels are the last bytes of the file.
    """

    names: tuple[str, ...]
    codec: str = "raw"
    start: int = 0
    lines: int = 0
    skipped: int = 0


def from_pattern(text: str) -> list[str]:
    """Return the files that ``slice%03d.raw 1 20 1`` (first, last, step) names; none if `text` is not a pattern."""
    found = _PATTERN.fullmatch(text)
    if not found:
        return []
    first, last, step = [*(int(word) for word in found[2].split()), 1][:3]
    numbers = range(first, last + 1, max(1, step))[:_MAXIMUM_FILES]
    return [_NUMBER.sub(lambda place, n=n: format(n, f"{place[1]}d"), found[1]) for n in numbers]


def read_data(path: Path, data: DataFiles, sizes: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read the voxels that a header describes.

    :param path: the header.
    :param sizes: along all axes.
    :return: flat array in the byte order of this computer.
    :raises UnreadableInputError: a file is missing, damaged, cut off or too long, or is outside the header's
        folder.
    """
    count, padding = int(np.prod(sizes)), padding_bytes(sizes, dtype, len(data.names))
    if count % len(data.names):
        raise UnreadableInputError(f"{path.name} does not match the number of its data files.", "Export it again.")
    each = count // len(data.names)
    parts = [
        _read(path if name == path.name else beside(path, name), data, each, dtype, padding) for name in data.names
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read(path: Path, data: DataFiles, count: int, dtype: np.dtype[Any], padding: int) -> NDArray[Any]:
    with path.open("rb") as file:
        file.seek(data.start)
        for _ in range(data.lines):
            if not file.readline():
                raise damaged(path)
        if data.codec == "text":
            return _numbers(path, file, count, dtype)
        if data.skipped < 0:
            at = path.stat().st_size - count * dtype.itemsize
            if at < 0:
                raise damaged(path)
            file.seek(at)
        stream = Stream(path, file, data.codec)
        stream.skip(max(0, data.skipped))
        return read_voxels(path, stream, count, dtype, padding)


def _numbers(path: Path, file: BinaryIO, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        found = np.array(file.read().replace(b",", b" ").split(), dtype=np.float64)
    except ValueError as error:
        raise damaged(path) from error
    if len(found) < count:
        raise damaged(path)
    if len(found) > count:
        raise too_much(path)
    return found.astype(dtype.newbyteorder("="))
