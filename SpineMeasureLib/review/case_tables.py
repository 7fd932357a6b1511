"""The files of a case folder whose scene is under review: they are updated together.

Tables, labels and run.json are written at every edit. Files that take long are removed then, and written again when the
scene is saved (picture, segmentation) or by a separate command (report, DICOM objects).
"""

from __future__ import annotations

import csv
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
from ..export.columns import SHOWN_FIRST
from ..export.tables import write_labels
from ..files import UNFINISHED, file_hash, json_object
from ..grid import on_grid_of
from ..io.same_image import is_stated_image, stated_grid
from ..io.write import write_volume
from ..measure.definitions import EndsOn
from ..segmentation import SpineSegmentation, segmentation_on
from .case.state import now
from .keep import restore
from .mrml.app import mrml_application
from .mrml.bundle import copy_checked, read_checked, write_bundle
from .mrml.save import copy_segmentation
from .output import case_id, image_of
from .session import Session


class CaseTables:
    """Keeps the files of one case folder in agreement with its session."""

    def __init__(self, folder: Path, scene_hash: str) -> None:
        """:param scene_hash: SHA-256 of the scene file in the folder."""
        self._folder = folder
        self._scene_hash = scene_hash
        run = run_of(folder)
        #: False if 3D Slicer saved the scene: segments may have been painted on since the labels were written.
        self._labels_hold = stated_hashes(run).get(SCENE, scene_hash) == scene_hash and not run.get(UNFINISHED)
        self._head = ""
        self._segmentation: SpineSegmentation | None = None

    @classmethod
    def around(cls, scene_path: Path, scene_hash: str) -> CaseTables | None:
        """Return the files beside a scene; None if the scene is not in a case folder."""
        if scene_path.name != SCENE or not is_case_folder(scene_path.parent):
            return None
        return cls(scene_path.parent, scene_hash)

    def follow(self, session: Session, kept: str) -> list[str]:
        """Write tables, labels and run.json, and the edits since the scene was saved.

        :param kept: from `keep.kept_text`.
        :return: names of the files that were removed because they are outdated.
        :raises OutputError: a file cannot be written; the folder is unchanged then.
        :raises GeometryMismatchError: the scene shows another image.
        """

        def keep(new: Path) -> None:
            (new / KEPT).write_text(kept, encoding="utf-8")

        return self._write(session, keep, draw=False)

    def save(self, session: Session, write_scene: Callable[[Path], None]) -> list[str]:
        """Write the scene and everything that a run writes; otherwise as `follow`.

        :param write_scene: writes the scene of the session into a file.
        """

        def write(new: Path) -> Path:
            write_scene(new / SCENE)
            return new / SCENE

        removed = self._write(session, write, draw=True)
        # They belong to the scene that was replaced; until now they were the only copy of the edits.
        (self._folder / KEPT).unlink(missing_ok=True)
        return removed

    def rewrite(self, session: Session, edits_kept: bool) -> list[str]:
        """Write everything that a run writes, except the scene file, which stays; otherwise as `follow`.

        :param edits_kept: whether the session shows edits that are kept beside the scene.
        """
        return self._write(session, lambda new: None if edits_kept else self._folder / SCENE, draw=True)

    def _write(self, session: Session, add: Callable[[Path], Path | None], draw: bool) -> list[str]:
        """Write the files.

        :param add: writes further files into a folder; returns the scene file, if any, that shows this session.
        :param draw: whether to update the picture; otherwise it is removed if it is outdated.
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
            scene = add(new)
            if scene is not None:
                copy_segmentation(scene, new / SEGMENTATION)
            if draw:
                self._draw(session, new, changed)
            outdated.update([OVERVIEW, *self._documents()] if changed else ())
            outdated.update([SEGMENTATION, *WRITTEN_LABELS] if renamed else ())
            edited = renamed or _values(new / TABLE) != _values(folder / TABLE)
            run |= _reviewed(run, renamed) if edited else {}
            removed = sorted(n for n in outdated if (folder / n).is_file() and not (new / n).is_file())
            write_run(new, run, self._staying(new, outdated))
            scene_hash = file_hash(new / SCENE) if (new / SCENE).is_file() else self._scene_hash
        self._scene_hash, self._labels_hold = scene_hash, True
        return removed

    def _named(self, session: Session, run: dict[str, Any]) -> SpineSegmentation:
        """Return the structures as they are named now, on the voxels of the image."""
        head = str(session.nodes.case.GetParameter("case"))
        if self._segmentation is None or head != self._head:
            image = image_of(session)
            stated = run.get("input", {})
            if not self._labels_hold and not is_stated_image(stated, image):
                raise GeometryMismatchError(
                    f"The scene in {self._folder.name} shows a different image from its tables.", "Measure that image."
                )
            # In the storage order of the image file, which a scene does not keep.
            self._segmentation = segmentation_on(stated_grid(stated) or image, session.segmentation())
            self._head = head
        return self._segmentation

    def _draw(self, session: Session, new: Path, changed: bool) -> None:
        if session.rows and find_spec("matplotlib") and (changed or not (self._folder / OVERVIEW).is_file()):
            from ..export.overview import write_overview

            assert self._segmentation is not None
            image = on_grid_of(self._segmentation.as_volume(), image_of(session))
            write_overview(image, self._segmentation, session.rows, new / OVERVIEW)

    def _documents(self) -> list[str]:
        # A PDF without the page from which it is printed is not ours.
        printed = (self._folder / "report.html").is_file()
        return [name for name in DOCUMENTS if printed or name != "report.pdf"]

    def _staying(self, new: Path, outdated: set[str]) -> dict[str, str]:
        """Return SHA-256 by name of the files that stay."""
        stated = {**stated_hashes(run_of(self._folder)), SCENE: self._scene_hash}
        stated.pop(KEPT, None)  # its edits are in the session
        names = {*stated, KEPT, LABELS, OVERVIEW, SEGMENTATION} - outdated - {file.name for file in new.iterdir()}
        if (new / SCENE).is_file():
            names -= {KEPT}
        there = {name: self._folder / name for name in names if (self._folder / name).is_file()}
        return {name: stated[name] if name in stated else file_hash(path) for name, path in there.items()}


def _names(path: Path) -> object:
    """Return the names in labels.json and how certain they are; None if it cannot be read."""
    content = (json_object(path) or {}) if path.is_file() else {}
    labels = content.get("labels")
    if not isinstance(labels, dict):
        return None
    names = {value: entry.get("name") for value, entry in labels.items() if isinstance(entry, dict)}
    return names, content.get("level_verified"), content.get("anchor")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _values(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table without what is shown first, which is a preference and not an edit."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: cell for name, cell in row.items() if name != SHOWN_FIRST} for row in csv.DictReader(file)]


def _reviewed(run: dict[str, Any], renamed: bool) -> dict[str, object]:
    """Return what changes in run.json with values or names."""
    if not renamed or "warnings_before_review" in run:
        return {"reviewed": now()}
    # The warnings name levels, or say that the names are a guess.
    return {"reviewed": now(), "warnings": [], "warnings_before_review": run.get("warnings", [])}


def tables_from_scene(folder: Path, ends: EndsOn | None = None) -> list[str]:
    """Write the files of a case folder from its scene, including the edits that are kept beside it.

    :param ends: what the heights that are shown first are between from now on, also in the scene; None for no change.
    :return: names of the files that were removed because they are outdated.
    :raises InputNotFoundError: the folder does not exist, is not a case folder, or does not contain a scene.
    :raises UnreadableInputError: run.json, the scene or the kept edits are damaged, or the scene is not safe to open.
    :raises TooLargeError: the contents of the scene are too large.
    :raises NothingFoundError: the scene does not contain exactly one case of the measured image.
    :raises DependencyError: slicer-core is not installed.
    :raises OutputError: a file cannot be written; the folder is unchanged then.
    """
    path = folder / SCENE
    _require_case(folder)
    application = mrml_application()
    if not application.owned:
        raise OutputError("Case folders are not written inside 3D Slicer.", "Use the command line.")
    scene = application.scene
    scene.Clear(0)
    sessions: list[Session] = []
    try:
        with tempfile.TemporaryDirectory(prefix="spinemeasure-") as temporary:
            copy = Path(temporary) / SCENE
            scene_hash = copy_checked(path, copy)
            read_checked(scene, copy, SCENE)
        edits_kept = restore(scene, path, scene_hash)
        sessions = Session.find(scene)
        session, tables = _case_of(folder, sessions), CaseTables(folder, scene_hash)
        if ends in (None, session.ends) or not session.has_both_ends:
            return tables.rewrite(session, edits_kept)
        session.show_ends(ends)
        return tables.save(session, lambda place: write_bundle(scene, place))
    finally:
        for session in sessions:
            session.close()
        scene.Clear(0)


def _require_case(folder: Path) -> None:
    name = "Specify an output folder of 'spinemeasure measure'."
    if not folder.exists():
        raise InputNotFoundError(f"There is no file or folder {folder.name}.", "Check the path.")
    if not (folder / RUN).is_file():
        raise InputNotFoundError(f"There is no {RUN} in {folder.name}.", name)
    if not is_case_folder(folder):
        raise UnreadableInputError(f"{RUN} in {folder.name} is damaged or was not written by this program.", name)
    if not (folder / SCENE).is_file():
        raise InputNotFoundError(f"There is no {SCENE} in {folder.name}.", "Measure the case again.")


def _case_of(folder: Path, sessions: list[Session]) -> Session:
    """Return the one case that shows the image of a folder."""
    stated = run_of(folder).get("input", {})
    fitting = [session for session in sessions if is_stated_image(stated, image_of(session))]
    if len(fitting) != 1:
        found = "no case" if not fitting else f"{len(fitting)} cases"
        raise NothingFoundError(
            f"The scene in {folder.name} contains {found} of the image that was measured.", "Measure the case again."
        )
    return fitting[0]
