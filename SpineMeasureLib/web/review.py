"""One review: which case is open, runs of the model, files in and out."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..case_folder import SCENE, require_image, run_of
from ..child import Failure, Runner, Update, Workspace, measure_job
from ..errors import NothingFoundError, SpineMeasureError
from ..io.read import read_volume
from ..review.mrml.bundle import copy_checked
from ..review.session import Session
from ..volume import Volume
from .autosave import Autosave
from .downloads import KINDS, impossible, write_download
from .page_state import PageState
from .places import RESULTS, SCENE_ENDING, below, file_name, image_of, results_of, scene_at
from .run import Run
from .viewer import Viewer

#: Seconds until the sending of a state change has begun, and maximum seconds until it has ended.
_TURN_S, _SENT_S = 0.05, 1.0

#: How to get removed files back.
_AGAIN = "Save the case to rebuild its picture and segmentation; export the report and DICOM objects again."


class Review:
    """One review for all tabs of one server.

    :ivar desk: the open case.
    :ivar uploads: private folder for uploads, removed by `close`.
    """

    def __init__(self, server: Any, viewer: Viewer, root: Path, python: str, device: str = "auto") -> None:
        """:param root: the folder below which files may be opened by path.

        :param python: the interpreter that runs the model.
        """
        self.uploads = Path(tempfile.mkdtemp(prefix="spinemeasure-uploads-"))
        self._autosave = Autosave(viewer.scene, self._not_kept, self._removed)
        self._page = PageState(server, viewer, self._autosave.changed)
        self.desk = self._page.desk
        self._server, self._state = server, server.state
        self._viewer = viewer
        self._root, self._python, self._device = root, python, device
        self._source: Path | None = None
        self._uploaded: Path | None = None
        self._opening = False
        self._exporting = False
        self._run: Runner | None = None
        self._task: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Save the edits, end a run, remove uploads."""
        if self._run is not None:
            self._run.abandon()
        self._autosave.stop()
        self._page.close()
        shutil.rmtree(self.uploads, ignore_errors=True)

    def _not_kept(self, error: SpineMeasureError, edits_kept: bool) -> None:
        lost = "Your edits cannot be saved on disk: download the scene before you close this page."
        older = "Your edits are saved, but the tables beside the scene could not be updated."
        self.desk.say(older if edits_kept else lost, str(error))

    def _removed(self, names: Sequence[str]) -> None:
        self.desk.say(_removed_text(names), _AGAIN, "result")

    # -- opening

    def require_free(self) -> None:
        """Refuse while something else is being opened or measured.

        :raises SpineMeasureError: something else is being opened or measured.
        """
        if self._run is not None:
            raise SpineMeasureError("An image is being measured.", "Wait for it to finish, or cancel it.")
        if self._opening:
            raise SpineMeasureError("Another file is being opened.", "Wait for it to finish.")

    async def open_path(self, path: Path, uploaded: Path | None = None) -> None:
        """Open a scene, a folder of results, or an image, which is measured first if it has no results.

        :param uploaded: the folder of an upload, removed when another case replaces this one.
        :raises SpineMeasureError: it cannot be opened, or its results belong to another image; the current case stays.
        """
        self.require_free()
        self._opening = True
        await self._show_stage(path.name, "Opening ...")
        try:
            await self._open(path, uploaded)
        finally:
            self._opening = False
            if self._run is None:
                self._show_no_stage()

    async def _open(self, path: Path, uploaded: Path | None) -> None:
        scene = scene_at(path)
        if scene is not None:
            await self._open_scene(scene, uploaded)
            return
        volume = await asyncio.to_thread(read_volume, path)
        out = results_of(path)
        if (out / SCENE).is_file():
            require_image(out, volume)
            await self._open_scene(out / SCENE, uploaded)
        else:
            self._start(path, out, uploaded)

    def open_typed(self) -> None:
        """Open the path that was typed."""
        self._state.opening = False
        self._task = asyncio.ensure_future(self._open_typed(str(self._state.path)))

    async def _open_typed(self, text: str) -> None:
        try:
            await self.open_path(below(self._root, text))
        except SpineMeasureError as error:
            self.desk.say(error.message, error.hint)

    async def _open_scene(self, path: Path, uploaded: Path | None) -> None:
        before, uploaded_before = self._autosave.path, self._uploaded
        with tempfile.TemporaryDirectory(prefix="spinemeasure-") as folder:
            copy = Path(folder) / SCENE
            scene_hash = await asyncio.to_thread(copy_checked, path, copy)
            self._leave()
            try:
                self._show_scene(path, copy, scene_hash)
            except SpineMeasureError:
                self._page.show_nothing()
                if before is not None and before != path and before.is_file():
                    with suppress(SpineMeasureError):
                        await self._open_scene(before, uploaded_before)
                raise
        self._replace_upload(uploaded)

    def _show_scene(self, path: Path, copy: Path, scene_hash: str) -> None:
        session, kept = self._viewer.open_scene(path, copy, scene_hash)
        self._autosave.start(path, scene_hash, session)
        self._take(session, path, image_of(path.parent))
        if kept:
            self.desk.say("The edits of the last review were restored.", kind="result")

    def _take(self, session: Session, path: Path, source: Path | None) -> None:
        self._source = source
        self._page.open(session, _title(path), _measured_with(path.parent), impossible(source))

    def _leave(self) -> None:
        """Close the current case and save its edits."""
        self._autosave.stop()
        self._page.close()

    def _replace_upload(self, place: Path | None) -> None:
        """Remove the files of the upload that was open before."""
        if self._uploaded not in (None, place):
            shutil.rmtree(self._uploaded, ignore_errors=True)
        self._uploaded = place

    # -- measuring an image

    def _start(self, image: Path, out: Path, uploaded: Path | None) -> None:
        self.desk.dismiss()
        with self._state as state:
            state.update({"stage": "Starting", "cancellable": True})

        def finished(failure: Failure | None) -> None:
            self._task = asyncio.ensure_future(self._measured(failure, image, out, uploaded))

        job = measure_job(image, out, device=self._device, ends=self.desk.preferred_ends, picture=True)
        self._run = Run(self._python, job, Workspace(), self._progress, finished).start()

    async def _measured(self, failure: Failure | None, image: Path, out: Path, uploaded: Path | None) -> None:
        try:
            if failure is None:
                await self._show_stage(image.name, "Building the scene ...", 1.0)
                volume = await asyncio.to_thread(read_volume, image)
                self._show_results(volume, image, out)
                self._replace_upload(uploaded)
        except SpineMeasureError as error:
            failure = Failure("input", error.message, error.hint)
        finally:
            self._run = None
            self._show_no_stage()
        if failure is None:
            self.desk.say("Please check the levels and the flagged values.", kind="result")
            return
        if self.desk.session is None:
            self._page.show_nothing()
        if uploaded is not None and uploaded != self._uploaded:
            shutil.rmtree(uploaded, ignore_errors=True)
        self.desk.say(failure.message, failure.next_step, "result" if failure.kind == "cancelled" else "error")

    def _show_results(self, volume: Volume, image: Path, out: Path) -> None:
        self._leave()
        session = self._viewer.build(volume, out, "Spine")
        path = out / SCENE
        self._autosave.start(path, "", session)
        self._autosave.save(self._viewer.write)
        self._take(session, path, image)

    async def _show_stage(self, name: str, stage: str, progress: float = 0.0) -> None:
        """Show a stage that cannot be cancelled, and wait until the page shows it."""
        with self._state as state:
            state.update({
                "running": True, "cancellable": False, "run_name": name, "stage": stage, "progress": progress
            })  # fmt: skip
        # Tasks that start in the next turns of the loop send the state.
        await asyncio.sleep(_TURN_S)
        await asyncio.wait([self._server.network_completion], timeout=_SENT_S)

    def _show_no_stage(self) -> None:
        with self._state as state:
            state.update({"running": False, "cancellable": False, "stage": "", "progress": 0.0})

    def _progress(self, update: Update) -> None:
        with self._state as state:
            state.progress = round(update.overall, 3)
            state.stage = f"{update.stage.capitalize()} {update.message}".strip()

    async def cancel(self) -> None:
        """End the run."""
        if self._run is not None and self._state.cancellable:
            with self._state as state:
                state.update({"stage": "Cancelling ...", "cancellable": False})
            self._run.cancel()

    # -- files

    async def export(self, kind: str, folder: Path) -> Path:
        """Export the case as it is now into a folder; return the file.

        :param kind: one of `downloads.KINDS`.
        :raises NothingFoundError: no case is open.
        :raises SpineMeasureError: another export is in progress; see also `write_download`.
        """
        session = self.desk.session
        if session is None:
            raise NothingFoundError("No case is open.", "Open one first.")
        if self._exporting:
            raise SpineMeasureError("Another export is in progress.", "Wait for it to finish.")
        self._set_exporting(True)
        try:
            written, warnings = await write_download(kind, session, self._viewer, self._source, folder)
            if warnings:
                self.desk.say(" ".join(warnings), kind="result")
            return written.rename(folder / (file_name(self._case_name()) + KINDS[kind].ending))
        finally:
            self._set_exporting(False)

    def _case_name(self) -> str:
        title = str(self._state.title)
        name = title[: -len(SCENE_ENDING)] if title.lower().endswith(SCENE_ENDING) else title
        return name.removesuffix(RESULTS)

    def _set_exporting(self, exporting: bool) -> None:
        self._exporting = exporting
        with self._state as state:
            state.exporting = exporting

    def save(self) -> None:
        """Save the edits in the scene file itself."""
        path = self._autosave.path
        if path is None:
            return
        removed: list[str] = []
        if self.desk.attempt(lambda: removed.extend(self._autosave.save(self._viewer.write))):
            saved = f"{path.name} was saved."
            if removed:
                self.desk.say(f"{saved} {_removed_text(removed)}", _AGAIN, "result")
            else:
                self.desk.say(saved, kind="result")


def _removed_text(names: Sequence[str]) -> str:
    return f"Removed from the folder because they are out of date: {', '.join(names)}."


def _title(scene: Path) -> str:
    return scene.parent.name if scene.name == SCENE else scene.name


def _measured_with(folder: Path) -> str:
    """Return what a folder was measured with: a label map, or a model and its device; empty if unknown."""
    run = run_of(folder)
    if "labels" in run:
        return f"label map {run['labels']}"
    model = [str(run[name]) for name in ("model", "model_version") if name in run]
    return " ".join(model) + (f" on {run['device']}" if "device" in run else "")
