"""What the page does: the session behind it, its state by name (see `page.DEFAULTS`), runs, files."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..child import Failure, Update
from ..errors import NothingFoundError, SpineMeasureError
from ..measure.types import Measurement
from ..review.keep import file_hash, keep, kept_path
from ..review.output import output_path, write_everything, write_table
from ..review.panel import (
    ALL_LEVELS,
    GROUPS,
    STATUSES,
    in_group,
    keys_shown,
    level_note,
    main_key,
    next_flagged,
    quantities_shown,
    step,
    summary,
)
from ..review.session import Key, Session
from ..review.volume_node import volume_from_node
from ..volume import read_volume
from .page import SHORTCUTS
from .places import IMAGE_ENDINGS, SCENE_ENDING, SCENE_NAME, below
from .run import Run
from .strip import in_chart, strip_chart
from .table import id_of, key_of, page_row
from .viewer import Viewer

#: Seconds after the last change until it is on disk, and until the table is sorted and filtered anew.
_KEEP_AFTER, _FOLD_AFTER = 0.2, 0.6


class Review:
    """One review for all tabs of one server.

    :ivar session: the case that is shown, None before one is.
    :ivar current: the row that the views show.
    :ivar uploads: private folder, removed by `close`.
    """

    def __init__(self, server: Any, viewer: Viewer, root: Path, python: str, device: str = "auto") -> None:
        """:param root: the folder below which files may be opened by path.

        :param python: the interpreter that runs the model.
        """
        self.session: Session | None = None
        self.current: Key | None = None
        self.uploads = Path(tempfile.mkdtemp(prefix="spinemeasure-uploads-"))
        self._state = server.state
        self._viewer = viewer
        self._root, self._python, self._device = root, python, device
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._scene_path: Path | None = None
        self._scene_hash = ""
        self._level = ""
        self._keys: list[Key] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        server.controller.trigger("act")(self.act)
        server.controller.trigger("tell")(self.tell_page)
        for names, react in (
            (("group", "level_filter", "status_filter"), self._filter_changed),
            (("level",), self._level_chosen),
            (("snap",), self._snap_changed),
            (("opacity",), self._opacity_changed),
        ):
            server.state.change(*names)(react)

    # -- life

    def close(self) -> None:
        """Keep what was done, end a run, remove uploads."""
        if self._run is not None:
            self._run.end_now()
        self._flush()
        self._leave_case()
        shutil.rmtree(self.uploads, ignore_errors=True)

    def _leave_case(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self.session is not None:
            self.session.close()
        self.session, self.current, self._scene_path, self._level, self._keys = None, None, None, "", []

    # -- opening

    async def open_path(self, path: Path) -> None:
        """Open a scene, a folder of results, or an image, which is measured first unless it was before.

        :raises SpineMeasureError: it cannot be opened; the present case stays where that is known at once.
        """
        if self._run is not None:
            raise SpineMeasureError("An image is being measured.", "Wait for its end, or cancel it.")
        if path.is_dir() and (path / SCENE_NAME).is_file():
            self._open_scene(path / SCENE_NAME)
        elif path.is_dir() and (path / "run.json").is_file():
            raise NothingFoundError(f"The folder {path.name} holds no {SCENE_NAME}.", "Open its image instead.")
        elif path.name.lower().endswith(SCENE_ENDING):
            self._open_scene(path)
        else:
            out = results_of(path)
            if (out / SCENE_NAME).is_file():
                self._open_scene(out / SCENE_NAME)
            else:
                self._start(path, out)

    def open_typed(self) -> None:
        """Open the path that was typed in."""

        def open_it() -> None:
            path = below(self._root, str(self._state.path))
            self._task = asyncio.ensure_future(self._open_or_tell(path))

        self._change(open_it)

    async def _open_or_tell(self, path: Path) -> None:
        try:
            await self.open_path(path)
        except SpineMeasureError as error:
            self._tell(error.message, error.hint)

    def _open_scene(self, path: Path) -> None:
        self._flush()
        self._leave_case()
        self._tell("")
        try:
            session, scene_hash, kept = self._viewer.open_scene(path)
        except SpineMeasureError:
            self._viewer.clear()
            self._show_nothing()
            raise
        self._adopt(session, path, scene_hash)
        with self._state as state:
            state.kept = "Edits of the last review were brought back." if kept else ""

    def _adopt(self, session: Session, path: Path, scene_hash: str) -> None:
        self.session, self._scene_path, self._scene_hash = session, path, scene_hash
        session.snap_to_plane = bool(self._state.snap)
        session.observe(self._changed)
        self._viewer.show(session)
        self._viewer.fill(session, float(self._state.opacity))
        with self._state as state:
            state.title = path.parent.name if path.name == SCENE_NAME else path.name
            state.device_text = _told_of_run(path.parent)
            state.has_case = True
            state.level_filter = ALL_LEVELS
            self._fill()
        if session.levels:
            self.go_to_level(session.levels[len(session.levels) // 2])

    def _show_nothing(self) -> None:
        with self._state as state:
            state.update({"has_case": False, "title": "", "rows": [], "live": {}, "levels": [], "chart": ""})
            state.update({"summary": "", "level_note": "", "can_undo": False, "can_redo": False})

    # -- measuring an image

    def _start(self, image: Path, out: Path) -> None:
        self._tell("")
        with self._state as state:
            state.update({"running": True, "progress": 0.0, "stage": "Starting", "title": image.name})
        self._run = Run(self._python, image, out, self._device, self._progress)
        self._task = asyncio.ensure_future(self._measure(self._run, image, out))

    async def _measure(self, run: Run, image: Path, out: Path) -> None:
        failure: Failure | None = None
        try:
            failure = await run.go()
            if failure is None:
                self._flush()
                self._leave_case()
                session = self._viewer.build(read_volume(image), out, "Spine")
                self._viewer.write(out / SCENE_NAME)
                self._adopt(session, out / SCENE_NAME, file_hash(out / SCENE_NAME))
        except SpineMeasureError as error:
            failure = Failure("input", error.message, error.hint)
        finally:
            self._run = None
            with self._state as state:
                state.update({"running": False, "stage": "", "progress": 0.0})
        if failure is not None:
            self._tell(failure.message, failure.next_step, failure.kind != "cancelled")
        else:
            self._tell("Please check the levels and the flagged values.", "", False)

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

    # -- the page follows

    def _changed(self, keys: frozenset[Key]) -> None:
        """Bring the page up to date; called while a line is dragged, when only what changed is sent."""
        session = self.session
        if session is None:
            return
        with self._state as state:
            if not keys or [m.key for m in session.rows] != self._keys:
                self._fill()
            else:
                shown = {row["id"] for row in state.rows}
                changed = {id_of(key): page_row(session, key) for key in keys if id_of(key) in shown}
                state.live = {**state.live, **changed}
                if any(in_chart(quantity, method) for _, quantity, method in keys):
                    state.chart = strip_chart(session)
                self._show_counts()
                self._later("fold", _FOLD_AFTER, self._fold)
        self._later("keep", _KEEP_AFTER, self._keep)

    def _fill(self) -> None:
        """The whole table, and the lines that its filter leaves."""
        session, state = self.session, self._state
        if session is None:
            return
        group = state.group if state.group in GROUPS else "Lines"
        level = state.level_filter if state.level_filter in session.levels else ALL_LEVELS
        wanted = set(state.status_filter or ()) & set(STATUSES)
        keys = keys_shown(session, group, level)
        if wanted:
            keys = [key for key in keys if session.status(key) in wanted]
        self._keys = [m.key for m in session.rows]
        state.rows = [page_row(session, key) for key in keys]
        state.live = {}
        state.levels = list(session.levels)
        state.selected = [i for i in state.selected if i in {row["id"] for row in state.rows}]
        state.level_note = level_note(session)
        state.chart = strip_chart(session)
        session.show(levels=None if level == ALL_LEVELS else [level], quantities=quantities_shown(group))
        self._show_counts()
        self._viewer.render()

    def _fold(self) -> None:
        with self._state:
            self._fill()

    def _show_counts(self) -> None:
        session = self.session
        assert session is not None
        self._state.summary = summary(session)
        self._state.can_undo, self._state.can_redo = session.can_undo, session.can_redo

    def _tell(self, message: str, hint: str = "", error: bool = True) -> None:
        with self._state as state:
            state.message, state.message_hint, state.message_error = message, hint, error

    def tell_page(self, message: object) -> None:
        """Show what a script of the page has to say."""
        self._tell(str(message)[:500])

    def _filter_changed(self, **_: object) -> None:
        self._fill()

    def _level_chosen(self, level: object = "", **_: object) -> None:
        if self.session is not None and level != self._level and level in self.session.levels:
            self.go_to_level(str(level))

    def _snap_changed(self, snap: object = True, **_: object) -> None:
        if self.session is not None:
            self.session.snap_to_plane = bool(snap)

    def _opacity_changed(self, opacity: object = 0.3, **_: object) -> None:
        if self.session is not None and isinstance(opacity, (int, float)):
            self._viewer.fill(self.session, min(1.0, max(0.0, float(opacity))))

    # -- going about

    def go_to_level(self, level: str) -> None:
        """Show a level in all views."""
        if self.session is not None:
            self._set_level(level)
            if self._state.level_filter != ALL_LEVELS:
                self._state.level_filter = level
            self.go_to(main_key(self.session, level))

    def go_to(self, key: Key | None, add: bool = False) -> None:
        """Turn the views to a value's plane, highlight its line, select its row.

        :param add: keep the rows that are selected, and take this one out where it is.
        """
        if self.session is None or key is None:
            return
        self.current = key
        row = id_of(key)
        with self._state as state:
            self._set_level(key[0])
            state.current = row
            others = [i for i in state.selected if i != row] if add else []
            state.selected = others if add and row in state.selected else [*others, row]
            self._viewer.go_to(self.session, key)

    def _set_level(self, level: str) -> None:
        self._level = level
        self._state.level = level
        self._state.new_name = level if self.session is not None and level in self.session.discs else ""

    def click_row(self, row_id: object, add: object = False) -> None:
        """A row of the table was clicked."""
        key = self._known(row_id)
        if key is not None:
            self.go_to(key, bool(add))

    def _known(self, row_id: object) -> Key | None:
        try:
            key = key_of(row_id)
            if self.session is not None:
                self.session.row(key)
                return key
        except KeyError:
            pass
        return None

    def previous_level(self) -> None:
        """One level towards the head."""
        self._step_level(-1)

    def next_level(self) -> None:
        """One level towards the feet."""
        self._step_level(1)

    def _step_level(self, by: int) -> None:
        if self.session is not None and self.session.levels:
            self.go_to_level(step(self.session.levels, self._level, by))

    def next_flagged(self) -> None:
        """Go to the next doubtful value, also where a filter hides it."""
        session = self.session
        key = next_flagged(session, self.current) if session is not None else None
        if key is None:
            return
        with self._state as state:
            if not in_group(key, state.group if state.group in GROUPS else "Lines"):
                state.group = "All values"
            state.level_filter, state.status_filter = ALL_LEVELS, []
            self._fill()
        self.go_to(key)

    # -- editing

    def act(self, name: object) -> None:
        """What a key of the keyboard does."""
        if name in SHORTCUTS.values():
            getattr(self, str(name))()

    def _change(self, action: Callable[[], object]) -> None:
        """Do something to the session; a refusal is told in the page."""
        try:
            action()
        except SpineMeasureError as error:
            self._tell(error.message, error.hint)
        if self.session is not None:
            with self._state:
                self._show_counts()
            self._viewer.render()

    def _chosen(self) -> list[Key]:
        """The values that accept, withdraw and reset apply to."""
        if self.session is None:
            return []
        scope, rows = self._state.scope, self.session.rows
        if scope == "case":
            return _keys(rows)
        if scope == "level":
            return _keys(m for m in rows if m.level == self._level)
        return [key for row in self._state.selected if (key := self._known(row)) is not None]

    def accept(self) -> None:
        """Accept what the scope says."""
        session, keys = self.session, self._chosen()
        if session is not None:
            self._change(lambda: session.accept(keys, str(self._state.reviewer or "")[:200]))

    def withdraw(self) -> None:
        """Take the acceptance of what the scope says back."""
        session, keys = self.session, self._chosen()
        if session is not None:
            self._change(lambda: session.withdraw(keys))

    def reset(self) -> None:
        """Bring the automatic lines of what the scope says back."""
        session, keys, scope = self.session, self._chosen(), self._state.scope
        if session is None:
            return
        if scope == "case":
            self._change(session.reset_all)
        elif scope == "level":
            self._change(lambda: session.reset_level(self._level))
        else:
            self._change(lambda: [session.reset(key) for key in keys])

    def undo(self) -> None:
        """Undo one step."""
        if self.session is not None:
            self._change(self.session.undo)

    def redo(self) -> None:
        """Redo one step."""
        if self.session is not None:
            self._change(self.session.redo)

    def rename(self) -> None:
        """The disc of the current level gets the chosen name, and every other level follows."""
        session, level, name = self.session, self._level, str(self._state.new_name)
        if session is not None:
            self._rename(lambda: session.rename_disc(level, name))

    def shift_up(self) -> None:
        """Every level is the one above."""
        session = self.session
        if session is not None:
            self._rename(lambda: session.shift_levels(-1))

    def shift_down(self) -> None:
        """Every level is the one below."""
        session = self.session
        if session is not None:
            self._rename(lambda: session.shift_levels(1))

    def _rename(self, action: Callable[[], None]) -> None:
        session = self.session
        assert session is not None
        place = session.levels.index(self._level) if self._level in session.levels else 0
        self._change(action)
        if session.levels:
            self.go_to_level(session.levels[min(place, len(session.levels) - 1)])

    # -- files

    def export(self, kind: str, folder: Path) -> Path:
        """Write ``csv``, ``json``, ``scene`` or ``picture`` of the case as it is now into a folder.

        :raises NothingFoundError: no case is open, or it lacks what the file shows.
        :raises OutputError: it cannot be written.
        """
        session = self.session
        if session is None:
            raise NothingFoundError("No case is open.", "Open one first.")
        if kind == "csv":
            return write_table(session, folder)
        if kind == "json":
            return write_everything(session, folder)
        if kind == "scene":
            path = output_path(session, folder, ".mrb")
            self._viewer.write(path)
            return path
        from ..export.overview import write_overview

        path = output_path(session, folder, ".png")
        volume = volume_from_node(session.nodes.volume)
        write_overview(volume, session.segmentation(), session.rows, path)
        return path

    def save(self) -> None:
        """Write the edits into the scene file itself."""

        def write() -> None:
            path = self._scene_path
            if path is not None:
                self._viewer.write(path)
                self._scene_hash = file_hash(path)
                kept_path(path).unlink(missing_ok=True)
                self._tell(f"{path.name} was saved.", "", False)

        self._change(write)

    def _later(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do something once, when nothing asked for it for some time."""
        waiting = self._timers.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._now, name, action)

    def _now(self, name: str, action: Callable[[], None]) -> None:
        self._timers.pop(name, None)
        action()

    def _flush(self) -> None:
        """Keep what waits to be kept."""
        if self._timers.get("keep") is not None:
            self._timers.pop("keep").cancel()
            self._keep()

    def _keep(self) -> None:
        if self._scene_path is None:
            return
        try:
            keep(self._viewer.scene, self._scene_path, self._scene_hash)
        except SpineMeasureError as error:
            self._tell("Your edits cannot be kept on disk: download the scene before you close this page.", str(error))


def results_of(image: Path) -> Path:
    """The folder beside an image into which it is measured."""
    ending = next((e for e in IMAGE_ENDINGS if image.name.lower().endswith(e)), "")
    return image.with_name(image.name[: len(image.name) - len(ending)] + "_spine")


def _keys(rows: Iterable[Measurement]) -> list[Key]:
    return [m.key for m in rows]


def _told_of_run(folder: Path) -> str:
    """Which model measured a folder, on which device; empty where that is not known."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        told = [str(run[name]) for name in ("model", "model_version") if name in run]
        return " ".join(told) + (f" on {run['device']}" if "device" in run else "")
    except (OSError, ValueError, TypeError):
        return ""
