"""One run of the model in a child process of the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..child import (
    Conversation,
    Failure,
    Job,
    Update,
    Workspace,
    classify,
    command,
    environment,
    first_line,
    not_started,
)
from ..processes import end_processes, process_tree, running

#: Seconds that a cancelled child gets to clean up.
_GRACE = 5.0
#: What to do next outside 3D Slicer.
_NEXT_STEPS = {
    "packages": "Install it with: pip install 'spinemeasure[web]'.",
    "weights": "Install spinemeasure again.",
    "start": "Start the server with --python and a Python that has spinemeasure installed.",
    "empty": "Check that the image is an MRI that shows the spine.",
}


class Run:
    """A `child.Runner` on the event loop of the server."""

    def __init__(
        self,
        python: str,
        job: Job,
        workspace: Workspace,
        on_update: Callable[[Update], None] | None,
        on_finished: Callable[[Failure | None], None] | None,
    ) -> None:
        """:param workspace: holds temporary files of the run; removed at its end.

        :param on_update: called with every sign of progress.
        :param on_finished: called at the end, with None if there is a result.
        """
        self.conversation = Conversation()
        self.cancelled = False
        self._python, self._job, self._workspace = python, job, workspace
        self._on_update, self._on_finished = on_update, on_finished
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> Run:
        """Start the child; returns this object."""
        self._tasks.append(asyncio.ensure_future(self._go()))
        return self

    def cancel(self) -> None:
        """End the child and all that it started."""
        self.cancelled = True
        if self._process is not None:
            self._tasks.append(asyncio.ensure_future(self._end(self._process)))

    def abandon(self) -> None:
        """Kill the child at once and report nothing; the server is going."""
        self.cancelled = True
        self._on_update = self._on_finished = None
        if self._process is not None:
            end_processes(process_tree(self._process.pid), force=True)

    async def _go(self) -> None:
        try:
            failure = await self._converse()
        finally:
            self._process = None
            self._workspace.remove()
        if failure is not None and failure.kind in _NEXT_STEPS:
            failure = replace(failure, next_step=_NEXT_STEPS[failure.kind])
        if self._on_finished is not None:
            self._on_finished(failure)

    async def _converse(self) -> Failure | None:
        talk, pipe = self.conversation, asyncio.subprocess.PIPE
        own = environment(os.environ, self._workspace.folder)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(self._python), stdin=pipe, stdout=pipe, stderr=pipe, env=own
            )
        except OSError:
            return not_started(self._python)
        self._process = process
        if self.cancelled:
            await self._end(process)
        assert process.stdin and process.stdout and process.stderr
        with suppress(OSError):
            process.stdin.write(first_line(self._job))
            await process.stdin.drain()
        await asyncio.gather(self._read(process.stdout), self._read_log(process.stderr))
        code = await process.wait()
        talk.finish()
        return classify(talk, code, crashed=code < 0, cancelled=self.cancelled)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        pids = process_tree(process.pid)
        if process.stdin is not None:
            process.stdin.close()
        end_processes(pids)
        for _ in range(int(_GRACE / 0.1)):
            await asyncio.sleep(0.1)
            if process.returncode is not None and not running(pids[1:]):
                return
        end_processes(pids, force=True)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            for update in self.conversation.feed(data):
                if self._on_update is not None and not self.cancelled:
                    self._on_update(update)

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            self.conversation.feed_log(data)
