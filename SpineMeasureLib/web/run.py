"""One run of the model in a child process of the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..child import (
    GREETING,
    Conversation,
    Failure,
    Update,
    Workspace,
    classify,
    end_processes,
    environment,
    measure_command,
    not_started,
    process_tree,
    running,
)

#: Seconds that a cancelled child gets to clean up.
_GRACE = 5.0
#: What to do next where there is no 3D Slicer around.
_NEXT_STEPS = {
    "packages": "Install it with: pip install 'spinemeasure[web]'.",
    "weights": "Install spinemeasure again.",
    "start": "Start the server with --python and a Python that has spinemeasure installed.",
    "empty": "Check that the image is an MRI that shows the spine.",
}


class Run:
    """Segments and measures one image into a folder, which is complete or not there at the end."""

    def __init__(self, python: str, image: Path, out: Path, device: str, tell: Callable[[Update], None]) -> None:
        """:param tell: called with every sign of progress."""
        self._python = python
        self._command = measure_command(python, image, out, device=device, picture=True)
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._cancelled = False

    async def go(self) -> Failure | None:
        """Run to the end. :return: why there is no result, None where there is one."""
        failure = await self._go()
        if failure is not None and failure.kind in _NEXT_STEPS:
            return replace(failure, next_step=_NEXT_STEPS[failure.kind])
        return failure

    async def _go(self) -> Failure | None:
        workspace, conversation = Workspace(), Conversation()
        pipe = asyncio.subprocess.PIPE
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(os.environ, workspace.folder)
                )
            except OSError:
                return not_started(self._python)
            self._process = process
            if self._cancelled:
                await self.cancel()
            assert process.stdin and process.stdout and process.stderr
            with suppress(OSError):
                process.stdin.write(GREETING)
                await process.stdin.drain()
            await asyncio.gather(self._read(process.stdout, conversation), self._read_log(process.stderr, conversation))
            code = await process.wait()
            conversation.finish()
            return classify(conversation, code, crashed=code < 0, cancelled=self._cancelled)
        finally:
            self._process = None
            workspace.remove()

    async def cancel(self) -> None:
        """End the child and all that it started; `go` then returns."""
        self._cancelled = True
        process = self._process
        if process is None:
            return
        pids = process_tree(process.pid)
        if process.stdin is not None:
            process.stdin.close()
        end_processes(pids)
        for _ in range(int(_GRACE / 0.1)):
            await asyncio.sleep(0.1)
            if process.returncode is not None and not running(pids[1:]):
                return
        end_processes(pids, force=True)

    def end_now(self) -> None:
        """End the child at once; the server is going."""
        if self._process is not None:
            end_processes(process_tree(self._process.pid), force=True)

    async def _read(self, stream: asyncio.StreamReader, conversation: Conversation) -> None:
        while data := await stream.read(65536):
            for update in conversation.feed(data):
                self._tell(update)

    @staticmethod
    async def _read_log(stream: asyncio.StreamReader, conversation: Conversation) -> None:
        while data := await stream.read(65536):
            conversation.feed_log(data)
