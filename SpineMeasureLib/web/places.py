"""Which files may be opened: those below the start folder, and uploads of known kinds after a check."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from ..case_folder import RUN, SCENE, require_finished, require_image
from ..errors import InputNotFoundError, NothingFoundError, SpineMeasureError, TooLargeError, UnreadableInputError
from ..io.dicom.files import START_BYTES, begins_as_dicom
from ..io.read import read_volume
from ..review.mrml.bundle import copy_checked
from ..review.mrml.members import START, UNPACKED_LIMIT, escapes, refers_elsewhere, regular

SCENE_ENDING = ".mrb"
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
STUDY_ENDING = ".zip"
UPLOAD_ENDINGS = (SCENE_ENDING, STUDY_ENDING, *IMAGE_ENDINGS)
#: Suffix of the folder of results beside an image.
RESULTS = "_spine"
#: Maximum size of an upload, bytes.
UPLOAD_LIMIT = 512 * 2**20
#: Maximum number of files in an uploaded study.
_FILES_LIMIT = 20_000

#: Maximum length of a name without its extension: names of results are longer, and file systems allow 255 bytes.
_NAME_BYTES = 160
#: In a MetaImage: the voxels are in the same file.
_LOCAL = re.compile(rb"^\s*ElementDataFile\s*=\s*LOCAL\s*$", re.MULTILINE | re.IGNORECASE)

_ZIP_AGAIN = "Create a new ZIP file of the DICOM folder."


def below(root: Path, text: str) -> Path:
    """Return the file or folder that a user typed.

    :param text: relative to `root`, or absolute.
    :raises SpineMeasureError: it is outside `root` after following links.
    :raises InputNotFoundError: it does not exist.
    """
    try:
        path = (root / text.strip()).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputNotFoundError("That is not a valid path.", "Check the path.") from error
    if not path.is_relative_to(root.resolve()):
        raise SpineMeasureError(
            "That file is outside the start folder of this server.",
            "Upload it, or restart the server with a --root that contains it.",
        )
    _require_exists(path)
    return path


def _require_exists(path: Path) -> None:
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")


def scene_at(path: Path) -> Path | None:
    """Return the scene at a path to a scene or a folder of results; None if it is an image.

    :raises UnfinishedCaseError: the folder has no scene, because its writing was interrupted.
    :raises NothingFoundError: the complete folder has no scene.
    :raises UnreadableInputError: the scene is not a bundle.
    """
    if path.is_dir() and (path / SCENE).is_file():
        return path / SCENE
    if path.is_dir() and (path / RUN).is_file():
        require_finished(path)
        raise NothingFoundError(f"The folder {path.name} contains no {SCENE}.", "Open its image instead.")
    if path.suffix.lower() == ".mrml":
        raise UnreadableInputError(
            "A .mrml file refers to other files.", "In 3D Slicer, save the scene as .mrb and open that."
        )
    return path if path.name.lower().endswith(SCENE_ENDING) else None


def require_openable(path: Path) -> None:
    """Refuse what cannot be opened, as far as can be checked before the server starts.

    :raises InputNotFoundError: the path does not exist.
    :raises SpineMeasureError: see `scene_at`, `copy_checked`, `read_volume` and `require_image`.
    """
    _require_exists(path)
    scene = scene_at(path)
    if scene is None:
        volume, out = read_volume(path), results_of(path)
        if not (out / SCENE).is_file():
            return
        require_image(out, volume)
        scene = out / SCENE
    with tempfile.TemporaryDirectory(prefix="spinemeasure-") as folder:
        copy_checked(scene, Path(folder) / SCENE)


def results_of(image: Path) -> Path:
    """Return the folder of results beside an image."""
    ending = next((e for e in IMAGE_ENDINGS if image.name.lower().endswith(e)), "")
    return image.with_name(image.name[: len(image.name) - len(ending)] + RESULTS)


def image_of(results: Path) -> Path | None:
    """Return the image beside a folder of results, or None; the inverse of `results_of`."""
    stem = results.name.removesuffix(RESULTS)
    if stem in ("", results.name):
        return None
    beside = [results.with_name(stem + ending) for ending in ("", *IMAGE_ENDINGS)]
    in_any_case = {path.name.lower(): path for path in sorted(results.parent.iterdir())}
    found = next((path for path in beside if path.exists()), None)
    return found or next((in_any_case[p.name.lower()] for p in beside if p.name.lower() in in_any_case), None)


def file_name(text: str) -> str:
    """Turn a text in any script into a file name without extension that every file system accepts."""
    plain = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in text)
    return plain.encode()[:_NAME_BYTES].decode("utf-8", "ignore").strip(" .") or "_"


def upload_name(name: str) -> str:
    """Return the name under which an upload is stored, without folders; see `file_name`.

    :raises UnreadableInputError: the file type is not accepted.
    """
    last = name.encode("utf-8", "replace").decode().replace("\\", "/").rpartition("/")[2].lstrip(" .")
    ending = next((e for e in UPLOAD_ENDINGS if last.lower().endswith(e) and len(last) > len(e)), None)
    if ending is None:
        raise UnreadableInputError("This file type is not accepted.", f"Upload one of: {', '.join(UPLOAD_ENDINGS)}.")
    return file_name(last[: -len(ending)]) + last[-len(ending) :]


def check_image(path: Path) -> None:
    """Refuse an uploaded image whose voxels are in another file, which would be a file of the server.

    :raises UnreadableInputError: they are.
    """
    with path.open("rb") as file:
        start = file.read(START)
    if refers_elsewhere(start) or (path.suffix.lower() == ".mha" and not _LOCAL.search(start)):
        raise UnreadableInputError("The voxels of the image are in another file.", "Save it as a single file.")


def unpack_study(path: Path, limit: int = UNPACKED_LIMIT) -> Path:
    """Unpack the DICOM files of an uploaded archive into a folder beside it; skip all other files.

    :param limit: maximum unpacked size, bytes.
    :return: the folder, named after the archive.
    :raises UnreadableInputError: it is not a valid archive, is encrypted, contains no DICOM file, or contains a link or
        a path outside its own folder.
    :raises TooLargeError: its unpacked size or its number of files exceeds the limit.
    """
    folder = path.with_name(path.name[: -len(STUDY_ENDING)])
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > _FILES_LIMIT or sum(member.file_size for member in members) > limit:
                raise TooLargeError("The archive is too large.", "Zip only the series to measure.")
            if any(escapes(member.filename) or not regular(member) for member in members):
                raise UnreadableInputError("The archive contains links, or files outside its own folder.", _ZIP_AGAIN)
            # zipfile reads no more bytes than the member declares.
            found = [_unpack(archive, member, folder) for member in members]
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise UnreadableInputError("The archive cannot be unpacked: damaged or encrypted.", _ZIP_AGAIN) from error
    if not any(found):
        raise UnreadableInputError("The archive contains no DICOM files.", _ZIP_AGAIN)
    return folder


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> bool:
    """Unpack a member if it is a DICOM file; return whether it was."""
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
