"""Which files may be opened: those below the folder of the case, and uploads of known kinds that hold no surprises."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..dicom_files import START_BYTES, begins_as_dicom
from ..errors import InputNotFoundError, SpineMeasureError, TooLargeError, UnreadableInputError

SCENE_ENDING = ".mrb"
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
STUDY_ENDING = ".zip"
UPLOAD_ENDINGS = (SCENE_ENDING, STUDY_ENDING, *IMAGE_ENDINGS)
#: Largest upload, and largest contents of an uploaded scene or study, bytes.
UPLOAD_LIMIT = 512 * 2**20
_UNPACKED_LIMIT = 4 * 2**30
#: Most files of an uploaded study.
_FILES_LIMIT = 20_000

_ZIP_AGAIN = "Zip the DICOM folder itself again."

#: References of a scene to files, which in a bundle are relative.
_FILE_NAMES = re.compile(r"\b(?:fileName|fileListMember\d*|uri)\s*=\s*\"([^\"]*)\"")


def below(root: Path, text: str) -> Path:
    """The file or folder that a reader asks for.

    :param text: relative to `root`, or absolute.
    :raises SpineMeasureError: it lies outside of `root`, links followed.
    :raises InputNotFoundError: it is not there.
    """
    try:
        path = (root / text.strip()).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputNotFoundError("That is no path.", "Check the path.") from error
    if not path.is_relative_to(root.resolve()):
        raise SpineMeasureError(
            "That file lies outside of the folder that this server was started on.",
            "Upload it, or start the server on it.",
        )
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
    return path


def upload_name(name: str) -> str:
    """The name under which an upload is stored: no folders, no unusual characters.

    :raises UnreadableInputError: files of its kind are not taken.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    if not any(plain.lower().endswith(ending) and len(plain) > len(ending) for ending in UPLOAD_ENDINGS):
        raise UnreadableInputError("Files of this kind are not taken.", f"Upload one of: {', '.join(UPLOAD_ENDINGS)}.")
    return plain[-120:]


def check_bundle(path: Path) -> None:
    """Check a scene bundle that somebody uploaded before it is unpacked.

    :raises UnreadableInputError: it is no bundle, or refers to files outside of itself.
    :raises TooLargeError: its contents are.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            members = bundle.infolist()
            if sum(member.file_size for member in members) > _UNPACKED_LIMIT:
                raise TooLargeError("The contents of the scene are too large.", "Crop the image to the spine.")
            if not all(_relative(member.filename) for member in members):
                raise UnreadableInputError("The scene holds files outside of its own folder.", "Save it again.")
            scenes = [member for member in members if member.filename.lower().endswith(".mrml")]
            if len(scenes) != 1:
                raise UnreadableInputError("The file is no scene of 3D Slicer.", "Save the scene as .mrb.")
            text = bundle.read(scenes[0]).decode("utf-8", "replace")
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise UnreadableInputError(
            "The file is no scene of 3D Slicer, or damaged.", "Save the scene as .mrb."
        ) from error
    if not all(_relative(name) for name in _FILE_NAMES.findall(text)):
        raise UnreadableInputError("The scene refers to files outside of itself.", "Save it as .mrb again.")


def unpack_study(path: Path, limit: int = _UNPACKED_LIMIT) -> Path:
    """Unpack the DICOM files of an archive that somebody uploaded into a folder beside it; every other file is left.

    :param limit: of what it holds, bytes.
    :return: the folder, named as the archive.
    :raises UnreadableInputError: it is no archive, damaged or encrypted, holds no DICOM file, or a link, or a file
        outside of its own folder.
    :raises TooLargeError: it holds too much, or too many files.
    """
    folder = path.with_name(path.name[: -len(STUDY_ENDING)])
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > _FILES_LIMIT or sum(member.file_size for member in members) > limit:
                raise TooLargeError("The archive holds too much.", "Zip the one series that is to be measured.")
            if not all(_relative(member.filename) and not _link(member) for member in members):
                raise UnreadableInputError("The archive holds links, or files outside of its own folder.", _ZIP_AGAIN)
            # A file never gets longer than its member says: zipfile reads no more than that.
            found = [_unpack(archive, member, folder) for member in members]
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise UnreadableInputError("The archive cannot be unpacked: damaged or encrypted.", _ZIP_AGAIN) from error
    if not any(found):
        raise UnreadableInputError("The archive holds no DICOM files.", _ZIP_AGAIN)
    return folder


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> bool:
    """Unpack a member if it is a DICOM file."""
    with archive.open(member) as source:
        start = source.read(START_BYTES)
        if not begins_as_dicom(member.filename, start):
            return False
        target = folder / member.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(start)
            shutil.copyfileobj(source, file)
    return True


def _link(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind not in (0, stat.S_IFREG)


def _relative(name: str) -> bool:
    name = name.replace("\\", "/").replace("%2F", "/").replace("%2f", "/")
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and ":" not in name
