"""Start and stop the server of the review."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DependencyError, SpineMeasureError
from .places import require_openable

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Seconds until the private page for the browser is removed.
_OPENING_S = 60.0


@dataclass(frozen=True)
class Options:
    """Options of the server.

    :ivar path: folder of results, scene bundle or image to open.
    :ivar root: the folder below which other files may be opened by path.
    :ivar host: address to listen on.
    :ivar port: 0 for any free port.
    :ivar python: the interpreter that runs the model.
    :ivar token: access token; empty for a random one.
    :ivar browser: whether to open a browser.
    """

    path: Path
    root: Path
    host: str = "127.0.0.1"
    port: int = 0
    python: str = sys.executable
    device: str = "auto"
    token: str = ""
    browser: bool = False


def serve(options: Options, say: Callable[[str], None] = print) -> None:
    """Serve until the process is asked to end.

    :param say: prints the address when the server is ready, then warnings and errors.
    :raises SpineMeasureError: the path cannot be opened; see `places.require_openable`.
    :raises DependencyError: trame-slicer or a system library is not installed.
    """
    require_openable(options.path)
    _check_graphics()
    # trame and wslink read the command line and print messages.
    sys.argv = sys.argv[:1]
    os.environ["WSLINK_READY_MSG"] = ""
    # Pictures are already compressed: doing it again costs more than it saves.
    os.environ.setdefault("WSLINK_WS_COMPRESS", "0")
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    try:
        from trame.app import get_server

        from .guard import Guard
        from .log import log_to
        from .opening import OpeningPage
        from .page import build_page, serve_index
        from .review import Review
        from .routes import add_routes
        from .viewer import Viewer
    except ImportError as error:
        raise DependencyError(
            f"The review in a browser needs the package '{error.name}', which is not installed.",
            "Install it in a separate environment: pip install 'spinemeasure[web]'.",
        ) from error
    server = get_server(client_type="vue3")
    server.state.trame__title = "SpineMeasure"
    log_to(say)
    opening = OpeningPage()
    guard = Guard(options.token, entered=opening.remove)
    viewer = Viewer(server)
    review = Review(server, viewer, options.root, options.python, options.device)
    build_page(server, viewer, review)

    def bind(bound: Any) -> None:
        guard.protect(bound.app)
        add_routes(bound.app, review)
        serve_index(bound.app)

    async def ready(**_: object) -> None:
        asyncio.get_running_loop().set_exception_handler(_report)
        address = f"http://{options.host}:{server.port}/?token={guard.token}"
        say(f"The review is at {address}")
        if options.browser:
            asyncio.get_running_loop().call_later(_OPENING_S, opening.remove)
            await asyncio.to_thread(opening.open, address)
        try:
            await review.open_path(options.path)
        except SpineMeasureError as error:
            say(f"Error: {error}")
            review.desk.say(error.message, error.hint)

    server.controller.on_server_bind.add(bind)
    server.controller.on_server_ready.add_task(ready)
    how = {"open_browser": False, "show_connection_info": False}
    try:
        # A signal ends the server.
        with suppress(KeyboardInterrupt, SystemExit):
            server.start(port=options.port, host=options.host, timeout=0, **how)
    finally:
        opening.remove()
        review.close()


def _check_graphics() -> None:
    # Without it the first rendering would crash the interpreter.
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libEGL.so.1")
        except OSError as error:
            raise DependencyError(
                "The views need the system library EGL, which is not installed.",
                "On Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri.",
            ) from error


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # A tab may be closed while a picture is being sent to it.
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)
