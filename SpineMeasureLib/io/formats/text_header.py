"""The header of NRRD and MetaImage files: a line of text for each field, then perhaps the names of data files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .header import unusual
from .voxels import DataFiles, from_pattern

#: No header is longer than this (bytes): a segmentation of Slicer describes each of its segments in it.
_MAXIMUM_HEADER = 1 << 24


@dataclass(frozen=True)
class TextHeader:
    """Fields by their name in lower case without spaces.

    :ivar listed: names of data files, if the last field announces a ``LIST`` of them.
    :ivar end: where the header ends, bytes.
    """

    path: Path
    fields: Mapping[str, str]
    listed: tuple[str, ...]
    end: int

    def integers(self, name: str, otherwise: str = "") -> list[int]:
        """Return the whole numbers of a field."""
        try:
            return [int(word) for word in (self.fields.get(name) or otherwise).split()]
        except ValueError as error:
            raise unusual(self.path, f"its {name} is not a row of whole numbers") from error

    def dtype(self, field: str, codes: Mapping[str, str], is_big_endian: bool) -> np.dtype[Any]:
        """Return the type of values that a field names, from the codes of numpy by name."""
        named = self.fields.get(field, "none")
        if named.lower() not in codes:
            raise unusual(self.path, f"its data type ({named}) is not supported")
        return np.dtype((">" if is_big_endian else "<") + codes[named.lower()])

    def data_files(self, named: str, codec: str, skipped: int, lines: int = 0) -> DataFiles:
        """Return where the voxels are: in a named file, a pattern or ``LIST`` of files; if empty, after the header."""
        if not named:
            return DataFiles((self.path.name,), codec, self.end, lines, skipped)
        return DataFiles(self.listed or tuple(from_pattern(named)) or (named,), codec, 0, lines, skipped)


def read_text_header(path: Path, separator: str, data_field: str, ends_when_blank: bool) -> TextHeader:
    """Read a header of lines ``name separator value``; lines without the separator are left out.

    :param data_field: the field that names the data files; a list of them ends the header.
    :param ends_when_blank: whether a blank line ends the header; else `data_field` does.
    :raises UnreadableInputError: it does not end.
    """
    fields: dict[str, str] = {}
    listed: list[str] = []
    with path.open("rb") as file:
        while line := file.readline(_MAXIMUM_HEADER):
            if file.tell() > _MAXIMUM_HEADER:
                raise unusual(path, "it does not end")
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if not text and ends_when_blank:
                break
            name, found, value = text.partition(separator)
            if found and not name.startswith("#") and not value.startswith("="):  # comments, keys of applications
                fields[name.lower().replace(" ", "")] = value.strip()
            is_list = fields.get(data_field, "").upper().startswith("LIST")
            if is_list or (data_field in fields and not ends_when_blank):
                break
        end = file.tell()
        if fields.get(data_field, "").upper().startswith("LIST"):
            rest = file.read(_MAXIMUM_HEADER).decode("utf-8", "surrogateescape")
            listed = [text.strip() for text in rest.splitlines() if text.strip()]
    return TextHeader(path, fields, tuple(listed), end)
