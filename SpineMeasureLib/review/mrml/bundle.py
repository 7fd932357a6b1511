"""Writing scene bundles, and reading them from a checked copy that does not refer to anything outside itself.

3D Slicer's reader follows every path that a scene names. It only gets the copy: an archive that is written here, member
by member, and whose scene file was parsed by the XML parser that VTK uses. Names, links, checksums and hidden members
of the original never reach it.
"""

from __future__ import annotations

import errno
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.parsers import expat

from ...errors import OutputError, TooLargeError, UnreadableInputError
from ...files import atomic_path, file_hash
from .members import START, UNPACKED_LIMIT, escapes, refers_elsewhere, regular

#: Maximum size of the scene file in bytes; for a whole spine it has 1 MB.
_MRML_LIMIT = 64 * 2**20
_FILES_LIMIT = 10_000
#: Kinds of file that cannot refer to other files; for NRRD see `refers_elsewhere`.
_ENDINGS = (
    ".nrrd", ".nii", ".nii.gz", ".json", ".csv", ".tsv", ".txt", ".ctbl", ".fcsv", ".vtk", ".vtp", ".ply", ".stl",
    ".tfm", ".mat", ".vp", ".png", ".jpg", ".jpeg",
)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"
#: What MRML decodes in file names, in its order.
_DECODED = (("%22", '"'), ("%3C", "<"), ("%3E", ">"), ("%27", "'"), ("%20", " "), ("%25", "%"))
_NAMES_A_FILE = re.compile(r"file|uri|url|path|folder|dir", re.IGNORECASE)
_EXTENSION = re.compile(r"[A-Za-z0-9.]{0,20}")

_SAVE = "Save it as .mrb again in 3D Slicer."
_SPACE = "Check the disk and its folder for temporary files."
_OUTSIDE = "The scene refers to files outside the bundle."


def write_bundle(scene: Any, path: Path) -> None:
    """Write a scene as a bundle.

    :raises OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        # VTK changes the working folder before it opens the file.
        if not scene.WriteToMRB(str(temporary.absolute())):
            raise OutputError(f"{path.name} could not be written.", "Check the folder and the disk.")


def read_checked(scene: Any, copy: Path, name: str) -> None:
    """Add the contents of a bundle to a scene.

    :param copy: from `copy_checked`; 3D Slicer's reader reads nothing else.
    :param name: of the bundle, for the user.
    :raises UnreadableInputError: it could not be opened although it is intact.
    """
    if not scene.ReadFromMRB(str(copy.absolute()), False):
        raise UnreadableInputError(
            f"{name} is intact, but 3D Slicer's reader could not open it.",
            "Free some space on the disk for temporary files, or save the scene as .mrb again.",
        )


def copy_checked(path: Path, target: Path, limit: int = UNPACKED_LIMIT) -> str:
    """Write a copy of a scene bundle that is safe to open.

    :param limit: maximum size of its contents, bytes.
    :return: SHA-256 of the bundle.
    :raises UnreadableInputError: it is damaged or cannot be read, contains files that are not allowed, or refers to
        files outside it.
    :raises OutputError: the copy cannot be written.
    :raises TooLargeError: its contents are too large.
    """
    try:
        scene_hash = file_hash(path)
    except OSError as error:
        raise UnreadableInputError(
            f"{path.name} could not be read: {error.strerror or 'the disk refused it'}.", "Check the file and the disk."
        ) from error
    _copy_members(path, target, limit)
    return scene_hash


def _copy_members(path: Path, target: Path, limit: int) -> None:
    try:
        with zipfile.ZipFile(path) as bundle, zipfile.ZipFile(target, "x") as copy:
            members = _checked_members(bundle, limit)
            (scene,) = (name for name in members if name.lower().endswith(".mrml"))
            text = _read(bundle, members[scene])
            check_scene(text, members, PurePosixPath(scene).parent)
            copy.writestr(zipfile.ZipInfo(scene), text)
            for name, member in members.items():
                if name != scene:
                    # Reading to the end checks the checksum; a member is never longer than it says.
                    with bundle.open(member) as source, copy.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                        _copy(name, source, file)
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a damaged bundle refers to places before its beginning
            raise _damaged() from error
        raise OutputError(f"{path.name} could not be copied: {error.strerror}.", _SPACE) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError) as error:
        raise _damaged() from error


def _damaged() -> UnreadableInputError:
    return UnreadableInputError("The file is damaged or is not a 3D Slicer scene.", "Save the scene as .mrb.")


def _checked_members(bundle: zipfile.ZipFile, limit: int) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a bundle by name.

    :raises UnreadableInputError: a file is not allowed, or there is not exactly one scene file.
    :raises TooLargeError: there are too many files, or they are too large.
    """
    members = [member for member in bundle.infolist() if not member.is_dir()]
    if len(members) > _FILES_LIMIT or sum(member.file_size for member in members) > limit:
        raise TooLargeError("The contents of the scene are too large.", "Crop the image to the spine.")
    if any(escapes(member.filename) or not regular(member) for member in members):
        raise UnreadableInputError("The scene contains links or files outside its own folder.", _SAVE)
    found = {_name(member): member for member in members}
    if len({name.lower() for name in found}) != len(members):
        raise UnreadableInputError("The scene contains two files with the same name.", _SAVE)
    scenes = [name for name in found if name.lower().endswith(".mrml")]
    if len(scenes) != 1:
        raise _damaged()
    for name in found:
        if not name.lower().endswith((".mrml", *_ENDINGS)):
            file = PurePosixPath(name).name
            raise UnreadableInputError(
                f"The scene contains {file}, a type of file that is not accepted.",
                "Delete its node in 3D Slicer and save the scene again.",
            )
    return found


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member; 3D Slicer writes UTF-8 even if the archive does not say so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _read(bundle: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MRML_LIMIT:
        raise TooLargeError(
            "The scene file is too large.", "Remove nodes that are not needed and save the scene again."
        )
    return bundle.read(member)


def _copy(name: str, source: IO[bytes], file: IO[bytes]) -> None:
    block = source.read(START)
    if refers_elsewhere(block):
        raise UnreadableInputError(_OUTSIDE, _SAVE)
    if name.lower().endswith(".nrrd") and not block.startswith(b"NRRD"):
        raise _damaged()
    while block:
        # An HDF5 file may refer to others; its contents begin at 0 or at a power of two from 512 on.
        if any(block.startswith(_HDF5, place) for place in (0, *(512 << n for n in range(11)))):
            raise UnreadableInputError(_OUTSIDE, _SAVE)
        file.write(block)
        block = source.read(START)


def check_scene(text: bytes, members: Collection[str], folder: PurePosixPath) -> None:
    """Check a scene file.

    :param members: all files of its bundle.
    :param folder: its folder in the bundle.
    :raises UnreadableInputError: it is not well-formed XML in UTF-8, declares entities, or names a file that is not in
        the bundle.
    """

    def refuse(*_: object) -> None:
        raise UnreadableInputError("The scene file contains declarations that are not allowed.", _SAVE)

    def declaration(_: str, encoding: str | None, __: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "us-ascii"):
            refuse()

    def element(tag: str, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            _check_attribute(tag, name, value, members, folder)

    if b"\0" in text:
        raise _damaged()  # not UTF-8
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.XmlDeclHandler = declaration
    parser.StartElementHandler = element
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise _damaged() from error


def _check_attribute(tag: str, name: str, value: str, members: Collection[str], folder: PurePosixPath) -> None:
    storage, lower = "storage" in tag.lower(), name.lower()
    if storage and lower.endswith("extension") and not _EXTENSION.fullmatch(value):
        raise UnreadableInputError(_OUTSIDE, _SAVE)
    if not value or not (storage and _NAMES_A_FILE.search(name)):
        return
    file = decoded(value)
    if lower.startswith("uri") or escapes(value) or escapes(file):
        raise UnreadableInputError(_OUTSIDE, _SAVE)
    if lower.startswith("file") and not _is_member(file, members, folder):
        raise UnreadableInputError(f"The scene refers to {PurePosixPath(file).name}, which it does not contain.", _SAVE)


def decoded(name: str) -> str:
    """Return a file name as MRML decodes it."""
    for code, character in _DECODED:
        name = name.replace(code, character)
    return name


def _is_member(name: str, members: Collection[str], folder: PurePosixPath) -> bool:
    # The files of a list may also be in the folder of the first one.
    return str(folder / name) in members or any(PurePosixPath(m).name == name for m in members)
