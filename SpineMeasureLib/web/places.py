"""Which files may be opened: those below the folder of the case, and uploads of known kinds that hold no surprises."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from ..case_folder import RUN, require_finished
from ..errors import InputNotFoundError, NothingFoundError, SpineMeasureError, TooLargeError, UnreadableInputError
from ..io.dicom.files import START_BYTES, begins_as_dicom
from ..io.read import read_volume
from ..results import require_image
from ..review.mrml.bundle import copy_checked
from ..review.mrml.members import START, UNPACKED_LIMIT, escapes, refers_elsewhere, regular
from ..review.mrml.process import SCENE

SCENE_ENDING = ".mrb"
IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
STUDY_ENDING = ".zip"
UPLOAD_ENDINGS = (SCENE_ENDING, STUDY_ENDING, *IMAGE_ENDINGS)
#: A folder of results has the name of its image with this.
RESULTS = "_spine"
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


def scene_at(path: Path) -> Path | None:
    """The scene to open at a path, which is itself one or a folder of results; None if it is an image.

    :raises UnfinishedCaseError: it is a folder of results without a scene, whose writing was interrupted.
    :raises NothingFoundError: it is one whose writing was not.
    :raises UnreadableInputError: it is a scene that is not a bundle.
    """
    if path.is_dir() and (path / SCENE).is_file():
        return path / SCENE
    if path.is_dir() and (path / RUN).is_file():
        require_finished(path)
        raise NothingFoundError(f"The folder {path.name} contains no {SCENE}.", "Open its image instead.")
    if path.suffix.lower() == ".mrml":
        raise UnreadableInputError(
            "A .mrml file refers to files beside it.", "In 3D Slicer, save the scene as .mrb and open that."
        )
    return path if path.name.lower().endswith(SCENE_ENDING) else None


def require_openable(path: Path) -> None:
    """Refuse what a review could not open, as far as that can be known without showing it.

    :raises InputNotFoundError: there is nothing at the path.
    :raises SpineMeasureError: see `scene_at`, `copy_checked`, `read_volume` and `require_image`.
    """
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
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
    """The folder beside an image into which it is measured."""
    ending = next((e for e in IMAGE_ENDINGS if image.name.lower().endswith(e)), "")
    return image.with_name(image.name[: len(image.name) - len(ending)] + RESULTS)


def image_of(results: Path) -> Path | None:
    """The image beside a folder of results, or None; the reverse of `results_of`."""
    stem = results.name.removesuffix(RESULTS)
    if stem in ("", results.name):
        return None
    beside = [results.with_name(stem + ending) for ending in ("", *IMAGE_ENDINGS)]
    in_any_case = {path.name.lower(): path for path in sorted(results.parent.iterdir())}
    found = next((path for path in beside if path.exists()), None)
    return found or next((in_any_case[p.name.lower()] for p in beside if p.name.lower() in in_any_case), None)


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
