"""The bytes of image files, compressed or not: read once, to the end, so that every checksum is verified."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import TooLargeError, UnreadableInputError

GZIP_START, BZIP2_START = b"\x1f\x8b", b"BZh"
#: Bytes read at once; deflate makes them at most a thousand times as many.
_READ_BYTES = 1 << 17
_UNPACK_BYTES = 1 << 24
#: Programs pad the last block of a file. Of further data this much is read, to reach the checksum.
_BLOCK_BYTES, _MAXIMUM_EXTRA = 1 << 12, 1 << 20


def damaged(path: Path) -> UnreadableInputError:
    """Return the error for a file whose bytes were changed or lost."""
    return UnreadableInputError(f"{path.name} is damaged or truncated.", "Copy or export it again.")


def too_much(path: Path) -> UnreadableInputError:
    """Return the error for a file that is longer than its image: its header is damaged or belongs to another image."""
    return UnreadableInputError(f"{path.name} contains more data than its header describes.", "Export it again.")


def padding_bytes(size: Sequence[int], dtype: np.dtype[Any], files: int = 1) -> int:
    """Return how many bytes may follow raw voxels: less than a block, and less than if a size were too small by one."""
    layer = int(np.prod(size)) // max(size) * dtype.itemsize
    return max(0, min(_BLOCK_BYTES, layer // files) - 1)


class Stream:
    """The uncompressed bytes of a file, from its present position to its end.

    Both zlib and bzip2 check their checksums when the end of a compressed stream is read, so a stream has to be
    finished (`finish`) before its bytes are trusted.

    :param codec: ``"raw"``, ``"zlib"`` (gzip too) or ``"bzip2"``.
    """

    def __init__(self, path: Path, file: BinaryIO, codec: str = "raw") -> None:
        self._path = path
        self._is_raw = codec == "raw"
        self._chunks = {"raw": _plain, "zlib": _deflated, "bzip2": _bzipped}[codec](file)
        self._rest = memoryview(b"")

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes; fewer at the end.

        :raises UnreadableInputError: the compressed stream is damaged or truncated.
        """
        parts = []
        while count and self._refill():
            parts.append(bytes(self._rest[:count]))
            self._rest = self._rest[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    def readinto(self, target: NDArray[np.uint8]) -> int:
        """Fill an array of bytes; return how many there were.

        :raises UnreadableInputError: as `read`.
        """
        done = 0
        while done < len(target) and self._refill():
            part = self._rest[: len(target) - done]
            target[done : done + len(part)] = np.frombuffer(part, np.uint8)
            self._rest = self._rest[len(part) :]
            done += len(part)
        return done

    def skip(self, maximum: int) -> int:
        """Skip up to `maximum` bytes; return how many there were.

        :raises UnreadableInputError: as `read`.
        """
        done = 0
        while done < maximum and self._refill():
            part = min(len(self._rest), maximum - done)
            self._rest = self._rest[part:]
            done += part
        return done

    def finish(self, padding: int = 0) -> None:
        """Read the rest, so that checksums are verified.

        :param padding: how many bytes may be left. None are left in a compressed stream, whatever this is.
        :raises UnreadableInputError: as `read`, or more is left.
        """
        if self.skip(_MAXIMUM_EXTRA) > (padding if self._is_raw else 0):
            raise too_much(self._path)

    def _refill(self) -> bool:
        """Return whether there are bytes in `_rest`."""
        try:
            while not len(self._rest):
                self._rest = memoryview(next(self._chunks))
        except StopIteration:
            return False
        except (EOFError, OSError, zlib.error) as error:
            raise damaged(self._path) from error
        return True


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_READ_BYTES * 8):
        yield chunk


def _deflated(file: BinaryIO) -> Iterator[bytes]:
    """Every member of a gzip file (they may be concatenated), or a zlib stream."""
    data = file.read(_READ_BYTES)
    while True:
        engine = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by the first bytes
        while not engine.eof:
            data = data or file.read(_READ_BYTES)
            if not data:
                raise EOFError
            yield engine.decompress(data)
            data = b""
        data = engine.unused_data
        if len(data) < len(GZIP_START):
            data += file.read(_READ_BYTES)
        # Anything else than a further member is padding, or was appended by a program that stores nothing in it.
        if not data.startswith(GZIP_START):
            return


def _bzipped(file: BinaryIO) -> Iterator[bytes]:
    """Every stream of a bzip2 file."""
    data = file.read(_READ_BYTES)
    while True:
        engine = bz2.BZ2Decompressor()
        while not engine.eof:
            if engine.needs_input:
                data = data or file.read(_READ_BYTES)
                if not data:
                    raise EOFError
            yield engine.decompress(data, _UNPACK_BYTES)
            data = b""
        data = engine.unused_data
        if len(data) < len(BZIP2_START):
            data += file.read(_READ_BYTES)
        if not data.startswith(BZIP2_START):
            return


def read_voxels(path: Path, stream: Stream, count: int, dtype: np.dtype[Any], padding: int = 0) -> NDArray[Any]:
    """Return the next `count` values of a stream, which is then read to its end.

    :param padding: how many bytes may follow them; see `Stream.finish`.
    :return: flat array in the byte order of this computer.
    :raises UnreadableInputError: bytes are missing or damaged, or too many.
    :raises TooLargeError: they do not fit into the memory.
    """
    try:
        array = np.empty(count, dtype)
    except MemoryError as error:
        raise too_little_memory(path) from error
    if stream.readinto(array.view(np.uint8)) < array.nbytes:
        raise damaged(path)
    stream.finish(padding)
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def too_little_memory(path: Path) -> TooLargeError:
    return TooLargeError(f"{path.name} does not fit into the memory of this computer.", "Crop it to the spine.")
