"""Checks of archive members and other files from untrusted sources."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import PurePosixPath

#: Maximum size of the contents of a scene or study, bytes.
UNPACKED_LIMIT = 4 * 2**30
#: An NRRD header must end within this many bytes.
START = 2**20
_DETACHED = re.compile(rb"\s*data\s*file\s*:", re.IGNORECASE)


def regular(member: zipfile.ZipInfo) -> bool:
    """Return True for a regular file: neither a link nor a device."""
    return stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)


def escapes(name: str) -> bool:
    """Return True for a name that, on any system, leads outside the folder that it is relative to.

    A colon is part of a drive, an address or a file stream.
    """
    name = name.replace("\\", "/")
    return (
        name.startswith(("/", "~"))
        or ":" in name
        or ".." in PurePosixPath(name).parts
        or any(ord(character) < 32 for character in name)
    )


def refers_elsewhere(start: bytes) -> bool:
    """Return True for an NRRD file whose header names another file or does not end within `start`, its first bytes."""
    if not start.startswith(b"NRRD"):
        return False
    for line in start.split(b"\n")[:-1]:
        if not line.rstrip(b"\r"):
            return False
        if _DETACHED.match(line):
            return True
    return True
