"""One review: what is open, runs of the model, files in and out."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..child import Failure, Update
from ..errors import NothingFoundError, SpineMeasureError
from ..files import file_hash
from ..results import note_scene, require_image
from ..review.process import SCENE
from ..volume import read_volume
from .actions import Actions
from .desk import Desk
from .downloads import write_download
from .keeper import Keeper
from .places import IMAGE_ENDINGS, SCENE_ENDING, below
from .run import Run
from .viewer import Viewer

#: A folder of results has the name of its image with this.
_RESULTS = "_spine"


class Review:
    """One review for all tabs of one server.

    :ivar desk: the open case.
    :ivar actions: its edits.
    :ivar uploads: private folder, removed by `close`.
    """

    def __init__(self, server: Any, viewer: Viewer, root: Path, python: str, device: str = "auto") -> None:
        """:param root: the folder below which files may be opened by path.

        :param python: the interpreter that runs the model.
        """
        self.uploads = Path(tempfile.mkdtemp(prefix="spinemeasure-uploads-"))
        self._keeper = Keeper(viewer.scene, self._not_kept)
        self.desk = Desk(server, viewer, self._keeper.changed)
        self.actions = Actions(self.desk)
        self._state = server.state
        self._viewer = viewer
        self._root, self._python, self._device = root, python, device
        self._source: Path | None = None
        self._exporting = False
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None
        server.controller.trigger("act")(self.actions.act)

    def close(self) -> None:
        """Keep what was done, end a run, remove uploads."""
        if self._run is not None:
            self._run.end_now()
        self._keeper.stop()
        self.desk.leave()
        shutil.rmtree(self.uploads, ignore_errors=True)

    def _not_kept(self, error: SpineMeasureError) -> None:
        self.desk.tell("Your edits cannot be kept on disk: download the scene before you close this page.", str(error))

    # -- opening

    async def open_path(self, path: Path) -> None:
        """Open a scene, a folder of results, or an image, which is measured first unless it was before.

        :raises SpineMeasureError: it cannot be opened, or what lies there was measured on another image; the present
            case stays.
        """
        if self._run is not None:
            raise SpineMeasureError("An image is being measured.", "Wait for its end, or cancel it.")
        if path.is_dir() and (path / SCENE).is_file():
            self._open_scene(path / SCENE)
        elif path.is_dir() and (path / "run.json").is_file():
            raise NothingFoundError(f"The folder {path.name} holds no {SCENE}.", "Open its image instead.")
        elif path.name.lower().endswith(SCENE_ENDING):
            self._open_scene(path)
        else:
            out = results_of(path)
            if (out / SCENE).is_file():
                require_image(out, read_volume(path))
                self._open_scene(out / SCENE)
            else:
                self._start(path, out)

    def open_typed(self) -> None:
        """Open the path that was typed in."""
        self._state.opening = False
        self._task = asyncio.ensure_future(self._open_typed(str(self._state.path)))

    async def _open_typed(self, text: str) -> None:
        try:
            await self.open_path(below(self._root, text))
        except SpineMeasureError as error:
            self.desk.tell(error.message, error.hint)

    def _open_scene(self, path: Path) -> None:
        before = self._keeper.path
        self._keeper.stop()
        self.desk.leave()
        try:
            self._show_scene(path)
        except SpineMeasureError:
            if before is not None and before != path and before.is_file():
                self._show_scene(before)
            else:
                self.desk.show_nothing()
            raise

    def _show_scene(self, path: Path) -> None:
        session, scene_hash, kept = self._viewer.open_scene(path)
        self._keeper.start(path, scene_hash)
        self._source = image_of(path.parent)
        self.desk.take(session, _title(path), _told_of_run(path.parent))
        self.desk.tell("Edits of the last review were brought back." if kept else "", error=False)

    # -- measuring an image

    def _start(self, image: Path, out: Path) -> None:
        self.desk.tell("")
        with self._state as state:
            state.update({"running": True, "progress": 0.0, "stage": "Starting", "run_name": image.name})
        self._run = Run(self._python, image, out, self._device, self._progress)
        self._task = asyncio.ensure_future(self._measure(self._run, image, out))

    async def _measure(self, run: Run, image: Path, out: Path) -> None:
        failure: Failure | None = None
        try:
            failure = await run.go()
            if failure is None:
                self._show_results(image, out)
        except SpineMeasureError as error:
            failure = Failure("input", error.message, error.hint)
        finally:
            self._run = None
            with self._state as state:
                state.update({"running": False, "stage": "", "progress": 0.0})
        if failure is not None:
            self.desk.tell(failure.message, failure.next_step, failure.kind != "cancelled")
        else:
            self.desk.tell("Please check the levels and the flagged values.", error=False)

    def _show_results(self, image: Path, out: Path) -> None:
        volume = read_volume(image)
        self._keeper.stop()
        self.desk.leave()
        session = self._viewer.build(volume, out, "Spine")
        path = out / SCENE
        self._viewer.write(path)
        written = file_hash(path)
        note_scene(out, written)
        self._keeper.start(path, written)
        self._source = image
        self.desk.take(session, _title(path), _told_of_run(out))

    def _progress(self, update: Update) -> None:
        with self._state as state:
            state.progress = round(update.overall, 3)
            state.stage = f"{update.stage.capitalize()} {update.message}".strip()

    async def cancel(self) -> None:
        """End the run."""
        if self._run is not None:
            with self._state as state:
                state.stage = "Cancelling ..."
            await self._run.cancel()

    # -- files

    async def export(self, kind: str, folder: Path) -> Path:
        """Write one of `downloads.KINDS` of the case as it is now into a folder.

        :raises NothingFoundError: no case is open.
        :raises SpineMeasureError: another file is being made; see also `write_download`.
        """
        session = self.desk.session
        if session is None:
            raise NothingFoundError("No case is open.", "Open one first.")
        if self._exporting:
            raise SpineMeasureError("Another file is being made.", "Wait until it is there.")
        self._set_exporting(True)
        try:
            return await write_download(kind, session, self._viewer, self._source, folder)
        finally:
            self._set_exporting(False)

    def _set_exporting(self, exporting: bool) -> None:
        self._exporting = exporting
        with self._state as state:
            state.exporting = exporting

    def save(self) -> None:
        """Write the edits into the scene file itself."""
        path = self._keeper.path
        if path is None:
            return
        try:
            self._viewer.write(path)
            self._keeper.saved()
            self.desk.tell(f"{path.name} was saved.", error=False)
        except SpineMeasureError as error:
            self.desk.tell(error.message, error.hint)


def results_of(image: Path) -> Path:
    """The folder beside an image into which it is measured."""
    ending = next((e for e in IMAGE_ENDINGS if image.name.lower().endswith(e)), "")
    return image.with_name(image.name[: len(image.name) - len(ending)] + _RESULTS)


def image_of(results: Path) -> Path | None:
    """The image beside a folder of results, or None; the reverse of `results_of`."""
    stem = results.name.removesuffix(_RESULTS)
    if stem in ("", results.name):
        return None
    beside = [results.with_name(stem + ending) for ending in ("", *IMAGE_ENDINGS)]
    in_any_case = {path.name.lower(): path for path in sorted(results.parent.iterdir())}
    found = next((path for path in beside if path.exists()), None)
    return found or next((in_any_case[p.name.lower()] for p in beside if p.name.lower() in in_any_case), None)


def _title(scene: Path) -> str:
    return scene.parent.name if scene.name == SCENE else scene.name


def _told_of_run(folder: Path) -> str:
    """What a folder was measured with: a label map, or a model and its device; empty where that is not known."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if "labels" in run:
            return f"label map {run['labels']}"
        told = [str(run[name]) for name in ("model", "model_version") if name in run]
        return " ".join(told) + (f" on {run['device']}" if "device" in run else "")
    except (OSError, ValueError, TypeError):
        return ""
