"""The files of a case folder around a scene that is under review: they follow the session, all together.

Tables, labels and run.json are written at every edit. What takes long is taken away then and written again when the
scene is saved (picture, segmentation) or by its own command (report, DICOM objects). No Qt here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..case_folder import (
    DOCUMENTS,
    KEPT,
    LABEL_NAMES,
    LABELS,
    OVERVIEW,
    RUN,
    SCENE,
    SEGMENTATION,
    TABLE,
    WRITTEN_LABELS,
    is_case_folder,
    provenance_of,
    run_of,
    stated_hashes,
    write_run,
    write_values,
    writing,
)
from ..errors import (
    GeometryMismatchError,
    InputNotFoundError,
    NothingFoundError,
    OutputError,
    UnreadableInputError,
)
from ..export.tables import write_labels
from ..files import UNFINISHED, file_hash, json_object
from ..grid import on_grid_of
from ..io.same_image import is_stated_image, stated_grid
from ..io.write import write_volume
from ..segmentation import SpineSegmentation, segmentation_on
from ..volume import Volume
from .case.state import now
from .keep import bring_back
from .mrml.app import mrml_application
from .mrml.bundle import copy_checked, read_checked
from .mrml.save import copy_segmentation
from .mrml.volume_node import volume_from_node
from .output import case_id
from .session import Session


class CaseTables:
    """Writes the files of one case folder as its session says."""

    def __init__(self, folder: Path, scene_hash: str) -> None:
        """:param scene_hash: SHA-256 of the scene file in the folder."""
        self._folder = folder
        self._scene_hash = scene_hash
        run = run_of(folder)
        #: False where 3D Slicer saved the scene: segments may have been painted on since the labels were written.
        self._labels_hold = stated_hashes(run).get(SCENE, scene_hash) == scene_hash and not run.get(UNFINISHED)
        self._head = ""
        self._segmentation: SpineSegmentation | None = None

    @classmethod
    def around(cls, scene_path: Path, scene_hash: str) -> CaseTables | None:
        """The files beside a scene; None where the scene is not that of a case folder."""
        if scene_path.name != SCENE or not is_case_folder(scene_path.parent):
            return None
        return cls(scene_path.parent, scene_hash)

    def follow(self, session: Session, kept: str) -> list[str]:
        """Write tables, labels and run.json as the session says, and beside the scene what was done since it was saved.

        :param kept: `keep.kept_text`.
        :return: names of the files that were taken away because they show something else.
        :raises OutputError: a file cannot be written; the folder is as it was then.
        :raises GeometryMismatchError: the scene shows another image.
        """

        def write_more(new: Path, changed: bool, renamed: bool) -> list[str]:
            (new / KEPT).write_text(kept, encoding="utf-8")
            return [*([SEGMENTATION] if renamed else []), *([OVERVIEW] if changed else [])]

        return self._write(session, write_more)

    def save(self, session: Session, write_scene: Callable[[Path], None]) -> list[str]:
        """Write the scene, and beside it all that a run writes; otherwise as `follow`.

        :param write_scene: writes the scene of the session into a file.
        """

        def write_more(new: Path, changed: bool, renamed: bool) -> list[str]:
            write_scene(new / SCENE)
            copy_segmentation(new / SCENE, new / SEGMENTATION)
            return self._draw(session, new, changed)

        removed = self._write(session, write_more)
        # Kept for the scene that was replaced; until then it was all that was left of the edits.
        (self._folder / KEPT).unlink(missing_ok=True)
        return removed

    def rewrite(self, session: Session, edits_kept: bool) -> list[str]:
        """Write all that a run writes beside the scene file, which stays; otherwise as `follow`.

        :param edits_kept: whether the session shows edits that are kept beside the scene.
        """

        def write_more(new: Path, changed: bool, renamed: bool) -> list[str]:
            removed = self._draw(session, new, changed)
            if edits_kept:
                return [*removed, *([SEGMENTATION] if renamed else [])]
            copy_segmentation(self._folder / SCENE, new / SEGMENTATION)
            return removed

        return self._write(session, write_more)

    def _write(self, session: Session, write_more: Callable[[Path, bool, bool], list[str]]) -> list[str]:
        """:param write_more: writes further files, given whether values or names, or names alone, are others now; and
        returns names of files that are outdated.
        """
        folder, run = self._folder, run_of(self._folder)
        segmentation = self._named(session, run)
        outdated: set[str] = set()
        with writing(folder, outdated) as new:
            write_labels(segmentation, new / LABEL_NAMES)
            renamed = not self._labels_hold or _names(new / LABEL_NAMES) != _names(folder / LABEL_NAMES)
            if renamed or not (folder / LABELS).is_file():
                write_volume(segmentation.as_volume(), new / LABELS)
            run |= {"level_verified": segmentation.level_verified, "anchor": segmentation.anchor}
            if session.rows:
                run.setdefault("case_id", case_id(session))  # folders of version 0.1 have none
                write_values(new, session.rows, provenance_of(run), run["case_id"])
            changed = renamed or _bytes(new / TABLE) != _bytes(folder / TABLE)
            outdated.update(write_more(new, changed, renamed), self._documents() if changed else ())
            outdated.update(WRITTEN_LABELS if renamed else ())
            run |= _reviewed(run, renamed) if changed else {}
            removed = sorted(n for n in outdated if (folder / n).is_file() and not (new / n).is_file())
            write_run(new, run, self._staying(new, outdated))
            scene_hash = file_hash(new / SCENE) if (new / SCENE).is_file() else self._scene_hash
        self._scene_hash, self._labels_hold = scene_hash, True
        return removed

    def _named(self, session: Session, run: dict[str, Any]) -> SpineSegmentation:
        """The structures as they are named now, on the voxels of the image."""
        head = str(session.nodes.case.GetParameter("case"))
        if self._segmentation is None or head != self._head:
            image = _image(session)
            stated = run.get("input", {})
            if not self._labels_hold and not is_stated_image(stated, image):
                raise GeometryMismatchError(
                    f"The scene in {self._folder.name} shows another image than its tables.", "Measure that image."
                )
            # In the order of the image's own file, which a scene does not keep.
            self._segmentation = segmentation_on(stated_grid(stated) or image, session.segmentation())
            self._head = head
        return self._segmentation

    def _draw(self, session: Session, new: Path, changed: bool) -> list[str]:
        if session.rows and find_spec("matplotlib") and (changed or not (self._folder / OVERVIEW).is_file()):
            from ..export.overview import write_overview

            assert self._segmentation is not None
            image = on_grid_of(self._segmentation.as_volume(), _image(session))
            write_overview(image, self._segmentation, session.rows, new / OVERVIEW)
        return [OVERVIEW] if changed else []

    def _documents(self) -> list[str]:
        # A PDF without the page from which it is printed is somebody else's.
        printed = (self._folder / "report.html").is_file()
        return [name for name in DOCUMENTS if printed or name != "report.pdf"]

    def _staying(self, new: Path, outdated: set[str]) -> dict[str, str]:
        """SHA-256 of the files that stay."""
        stated = {**stated_hashes(run_of(self._folder)), SCENE: self._scene_hash}
        stated.pop(KEPT, None)  # what is kept is in the session
        names = {*stated, KEPT, LABELS, OVERVIEW, SEGMENTATION} - outdated - {file.name for file in new.iterdir()}
        if (new / SCENE).is_file():
            names -= {KEPT}
        there = {name: self._folder / name for name in names if (self._folder / name).is_file()}
        return {name: stated[name] if name in stated else file_hash(path) for name, path in there.items()}


def _image(session: Session) -> Volume:
    node = session.nodes.volume
    if node is None:
        raise NothingFoundError("The image of this case was deleted.", "Open the image again.")
    return volume_from_node(node)


def _names(path: Path) -> object:
    """What labels.json calls each value, and whether that is sure; None where it cannot be read."""
    content = (json_object(path) or {}) if path.is_file() else {}
    labels = content.get("labels")
    if not isinstance(labels, dict):
        return None
    names = {value: entry.get("name") for value, entry in labels.items() if isinstance(entry, dict)}
    return names, content.get("level_verified"), content.get("anchor")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _reviewed(run: dict[str, Any], renamed: bool) -> dict[str, object]:
    """What changes in run.json with values or names."""
    if not renamed or "warnings_before_review" in run:
        return {"reviewed": now()}
    # The warnings name levels, or say that the names are a guess.
    return {"reviewed": now(), "warnings": [], "warnings_before_review": run.get("warnings", [])}


def tables_from_scene(folder: Path) -> list[str]:
    """Write the files of a case folder as its scene says, with the edits that are kept beside it.

    :return: names of the files that were taken away because they show something else.
    :raises InputNotFoundError: the folder is not there, is not that of a case, or contains no scene.
    :raises UnreadableInputError: run.json, the scene or the kept edits are damaged, or the scene is not safe to open.
    :raises TooLargeError: the contents of the scene are.
    :raises NothingFoundError: the scene contains no case of the image that was measured, or several.
    :raises DependencyError: slicer-core is not installed.
    :raises OutputError: a file cannot be written; the folder is as it was then.
    """
    path = folder / SCENE
    _require_case(folder)
    application = mrml_application()
    if not application.owned:
        raise OutputError("Inside 3D Slicer no case folder is written.", "Use the command line.")
    scene = application.scene
    scene.Clear(0)
    sessions: list[Session] = []
    try:
        with tempfile.TemporaryDirectory(prefix="spinemeasure-") as temporary:
            copy = Path(temporary) / SCENE
            scene_hash = copy_checked(path, copy)
            read_checked(scene, copy, SCENE)
        edits_kept = bring_back(scene, path, scene_hash)
        sessions = Session.find(scene)
        return CaseTables(folder, scene_hash).rewrite(_case_of(folder, sessions), edits_kept)
    finally:
        for session in sessions:
            session.close()
        scene.Clear(0)


def _require_case(folder: Path) -> None:
    name = "Name an output folder of 'spinemeasure measure'."
    if not folder.exists():
        raise InputNotFoundError(f"There is no file or folder {folder.name}.", "Check the path.")
    if not (folder / RUN).is_file():
        raise InputNotFoundError(f"There is no {RUN} in {folder.name}.", name)
    if not is_case_folder(folder):
        raise UnreadableInputError(f"{RUN} in {folder.name} is damaged, or not of this program.", name)
    if not (folder / SCENE).is_file():
        raise InputNotFoundError(f"There is no {SCENE} in {folder.name}.", "Measure the case again.")


def _case_of(folder: Path, sessions: list[Session]) -> Session:
    """The one case that shows the image of a folder."""
    stated = run_of(folder).get("input", {})
    fitting = []
    for session in sessions:
        image = _image(session)
        if is_stated_image(stated, image):
            fitting.append(session)
    if len(fitting) != 1:
        found = "no case" if not fitting else f"{len(fitting)} cases"
        raise NothingFoundError(
            f"The scene in {folder.name} contains {found} of the image that was measured.", "Measure the case again."
        )
    return fitting[0]
