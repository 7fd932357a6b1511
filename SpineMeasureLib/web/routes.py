"""HTTP routes for downloads and uploads. The guard checks every request first."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from ..errors import SpineMeasureError, TooLargeError
from .downloads import KINDS
from .places import SCENE_ENDING, STUDY_ENDING, UPLOAD_LIMIT, check_image, unpack_study, upload_name


class Files(Protocol):
    """What downloads and uploads need from the review."""

    uploads: Path

    async def export(self, kind: str, folder: Path) -> Path:
        """Export one kind of file into a folder; return the file."""

    def require_free(self) -> None:
        """Raise an error while something else is being opened or measured."""

    async def open_path(self, path: Path, uploaded: Path | None = None) -> None:
        """Open a file in place of the current case; `uploaded` is the folder to remove with it."""


def add_routes(application: web.Application, files: Files, limit: int = UPLOAD_LIMIT) -> None:
    """Add ``export/KIND``, ``upload?name=NAME`` and ``paraview/`` to an application that is not running yet.

    :param limit: maximum size of an upload, bytes.
    """

    async def export(request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        if kind not in KINDS:
            raise web.HTTPNotFound(text="This export does not exist.\n")
        try:
            with tempfile.TemporaryDirectory(prefix="spinemeasure-") as folder:
                path = await files.export(kind, Path(folder))
                name, content = path.name, path.read_bytes()
        except SpineMeasureError as error:
            return web.Response(status=409, text=f"{error}\n")
        plain = re.sub(r"[^A-Za-z0-9 ._()\[\]-]", "_", name)
        headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"}
        return web.Response(body=content, content_type=KINDS[kind].content_type, headers=headers)

    async def upload(request: web.Request) -> web.StreamResponse:
        place: Path | None = None
        try:
            files.require_free()
            place = Path(tempfile.mkdtemp(dir=files.uploads))
            await files.open_path(await receive(request, place, limit), place)
            place = None  # the case owns it now
        except TooLargeError as error:
            return web.Response(status=413, text=f"{error}\n")
        except SpineMeasureError as error:
            return web.Response(status=400, text=f"{error}\n")
        finally:
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)
        return web.Response(text="Received.\n")

    async def connect(request: web.Request) -> web.StreamResponse:
        # The page first asks a launcher for its server; this is the server.
        return web.json_response({"sessionURL": f"ws://{request.host}/ws"})

    application.router.add_post("/paraview/", connect)
    application.router.add_get("/export/{kind}", export)
    application.router.add_post("/upload", upload)


async def receive(request: web.Request, place: Path, limit: int) -> Path:
    """Store the body of a request in an empty folder under the name in its query.

    :return: the file, or the folder of an unpacked DICOM study.
    :raises UnreadableInputError: the file type is not accepted, or `check_image` or `unpack_study` refuses the file.
    :raises TooLargeError: it exceeds `limit`, or `unpack_study` finds it too large.
    """
    name = upload_name(request.query.get("name", ""))
    too_large = TooLargeError(
        f"The file is larger than {limit // 2**20} MB.", "Open it with 'spinemeasure review' instead."
    )
    if (request.content_length or 0) > limit:
        raise too_large
    path, size = place / name, 0
    with path.open("wb") as file:
        async for block in request.content.iter_chunked(1 << 16):
            size += len(block)
            if size > limit:
                raise too_large
            file.write(block)
    if name.lower().endswith(STUDY_ENDING):
        study = await asyncio.to_thread(unpack_study, path)
        path.unlink()
        return study
    if not name.lower().endswith(SCENE_ENDING):
        check_image(path)
    return path
