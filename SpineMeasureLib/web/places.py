"""Which files may be opened: those below the folder of the case, and uploads of known kinds that hold no surprises."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from pathlib import Path

from ..dicom_files import START_BYTES, begins_as_dicom
from ..errors import InputNotFoundError, SpineMeasureError, TooLargeError, UnreadableInputError
from .members import START, UNPACKED_LIMIT, escapes, refers_elsewhere, regular

SCENE_ENDING = ".mrb"
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
STUDY_ENDING = ".zip"
UPLOAD_ENDINGS = (SCENE_ENDING, STUDY_ENDING, *IMAGE_ENDINGS)
#: Maximum size of an upload, bytes.
UPLOAD_LIMIT = 512 * 2**20
#: Most files of an uploaded study.
_FILES_LIMIT = 20_000

#: Maximum length of a name without its ending: results get a longer one, and file systems take 255 bytes.
_NAME_BYTES = 160
#: How a MetaImage says that its data follows.
_LOCAL = re.compile(rb"^\s*ElementDataFile\s*=\s*LOCAL\s*$", re.MULTILINE | re.IGNORECASE)

_ZIP_AGAIN = "Zip the DICOM folder itself again."


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


def file_name(text: str) -> str:
    """A text, in any script, as the beginning of a file's name: without what some file systems refuse."""
    plain = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in text)
    return plain.encode()[:_NAME_BYTES].decode("utf-8", "ignore").strip(" .") or "_"


def upload_name(name: str) -> str:
    """The name under which an upload is stored, without folders; see `file_name`.

    :raises UnreadableInputError: files of its kind are not accepted.
    """
    last = name.encode("utf-8", "replace").decode().replace("\\", "/").rpartition("/")[2].lstrip(" .")
    ending = next((e for e in UPLOAD_ENDINGS if last.lower().endswith(e) and len(last) > len(e)), None)
    if ending is None:
        raise UnreadableInputError(
            "Files of this kind are not accepted.", f"Upload one of: {', '.join(UPLOAD_ENDINGS)}."
        )
    return file_name(last[: -len(ending)]) + last[-len(ending) :]


def check_image(path: Path) -> None:
    """Refuse an uploaded image whose data is in another file: that would be one of this computer.

    :raises UnreadableInputError: it is.
    """
    with path.open("rb") as file:
        start = file.read(START)
    if refers_elsewhere(start) or (path.suffix.lower() == ".mha" and not _LOCAL.search(start)):
        raise UnreadableInputError("The image keeps its data in another file.", "Save it as a single file.")


def unpack_study(path: Path, limit: int = UNPACKED_LIMIT) -> Path:
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
            if any(escapes(member.filename) or not regular(member) for member in members):
                raise UnreadableInputError("The archive holds links, or files outside of its own folder.", _ZIP_AGAIN)
            # A file never gets longer than its member says: zipfile reads no more than that.
            found = [_unpack(archive, member, folder) for member in members]
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise UnreadableInputError("The archive cannot be unpacked: damaged or encrypted.", _ZIP_AGAIN) from error
    if not any(found):
        raise UnreadableInputError("The archive contains no DICOM files.", _ZIP_AGAIN)
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
