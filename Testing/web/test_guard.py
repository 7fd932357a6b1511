"""Requests without the token, from other sites, and over the limits."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.errors import NothingFoundError, SpineMeasureError, UnreadableInputError

pytest.importorskip("aiohttp", reason="aiohttp is not installed: make test-web")


class Case:
    """Takes the place of the review."""

    def __init__(self, uploads: Path) -> None:
        self.uploads = uploads
        self.opened: list[Path] = []
        self.busy = False

    async def export(self, kind: str, folder: Path) -> Path:
        if kind == "scene":
            raise NothingFoundError("No case is open.")
        path = folder / "a b [1] \u00e4\u60a3.csv"
        path.write_text("x\n", encoding="ascii")
        return path

    def require_free(self) -> None:
        if self.busy:
            raise SpineMeasureError("An image is being measured.")

    async def open_path(self, path: Path, uploaded: Path | None = None) -> None:
        if path.read_bytes() == b"junk" if path.is_file() else False:
            raise UnreadableInputError("That is not an image.")
        self.opened.append(path)


def talk(case: Case, conversation: Callable[[Any], Awaitable[None]], limit: int = 1 << 20) -> None:
    """Run a conversation with a guarded server whose token is ``secret``."""
    from aiohttp import CookieJar, web
    from aiohttp.test_utils import TestClient, TestServer

    from SpineMeasureLib.web.guard import Guard
    from SpineMeasureLib.web.routes import add_routes

    async def run() -> None:
        application = web.Application()
        Guard("secret").protect(application)
        add_routes(application, case, limit)
        async with TestClient(TestServer(application), cookie_jar=CookieJar(unsafe=True)) as client:
            await conversation(client)

    asyncio.run(run())


async def enter(client: Any) -> None:
    """Open the address with its token."""
    answer = await client.get("/?token=secret", allow_redirects=False)
    assert answer.status == 200 and 'location.replace("/index.html")' in await answer.text()
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "secret" not in cookie


def test_only_the_token_opens(tmp_path: Path) -> None:
    async def conversation(client: Any) -> None:
        for path in ("/", "/export/csv", "/?token=wrong", "/?token="):
            answer = await client.get(path)
            assert answer.status == 403 and "token" in await answer.text()
        await enter(client)
        answer = await client.get("/export/csv")
        assert answer.status == 200 and await answer.text() == "x\n"
        assert answer.headers["Content-Disposition"] == (
            "attachment; filename=\"a b [1] __.csv\"; filename*=UTF-8''a%20b%20%5B1%5D%20%C3%A4%E6%82%A3.csv"
        )
        assert answer.headers["X-Frame-Options"] == "DENY"

    talk(Case(tmp_path), conversation)


def test_other_pages_are_refused(tmp_path: Path) -> None:
    async def conversation(client: Any) -> None:
        await enter(client)
        answer = await client.get("/export/csv", headers={"Origin": "http://example.org"})
        assert answer.status == 403

    talk(Case(tmp_path), conversation)


def test_the_cookie_is_a_random_session_that_stays(tmp_path: Path) -> None:
    cookies: list[str] = []

    async def conversation(client: Any) -> None:
        for _ in range(2):
            answer = await client.get("/?token=secret")
            cookies.append(answer.headers.get("Set-Cookie", ""))
            client.session.cookie_jar.clear()
        answer = await client.get("/?token=secret")
        again = await client.get("/?token=secret")
        assert "Set-Cookie" not in again.headers
        name = cookies[0].partition("=")[0]
        for value in ("secret", "", "x"):
            client.session.cookie_jar.clear()
            assert (await client.get("/export/csv", headers={"Cookie": f"{name}={value}"})).status == 403

    talk(Case(tmp_path), conversation)
    values = [cookie.partition("=")[2].partition(";")[0] for cookie in cookies]
    assert len(set(values)) == 2 and all(len(value) >= 32 for value in values)


def test_exports_that_fail_give_the_reason(tmp_path: Path) -> None:
    async def conversation(client: Any) -> None:
        await enter(client)
        assert (await client.get("/export/passwd")).status == 404
        answer = await client.get("/export/scene")
        assert answer.status == 409 and "No case is open." in await answer.text()

    talk(Case(tmp_path), conversation)


async def in_pieces() -> AsyncIterator[bytes]:
    """Send a body of 4000 bytes without its length."""
    for _ in range(4):
        yield b"0" * 1000


def test_uploads(tmp_path: Path) -> None:
    case = Case(tmp_path)

    async def conversation(client: Any) -> None:
        assert (await client.post("/upload?name=x.nii", data=b"1")).status == 403
        await enter(client)
        assert (await client.post("/upload?name=x.nii", data=b"1")).status == 200
        assert (await client.post("/upload?name=x.sh", data=b"1")).status == 400
        assert (await client.post("/upload?name=x.nii", data=b"junk")).status == 400
        assert (await client.post("/upload?name=x.nrrd", data=b"NRRD0004\ndata file: /etc/x\n\n")).status == 400
        assert (await client.post("/upload?name=x.mha", data=b"ElementDataFile = /etc/x\n")).status == 400
        assert (await client.post("/upload?name=x.nii", data=b"0" * 2000)).status == 413
        assert (await client.post("/upload?name=x.nii", data=in_pieces())).status == 413

        case.busy = True
        answer = await client.post("/upload?name=x.nii", data=b"1")
        assert answer.status == 400 and "being measured" in await answer.text()

    talk(case, conversation, limit=1000)
    assert [path.name for path in case.opened] == ["x.nii"]
    assert len(list(tmp_path.iterdir())) == 1


def test_uploaded_study_is_opened_as_its_folder_and_a_bad_one_is_removed(tmp_path: Path) -> None:
    case = Case(tmp_path)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.dcm", b"\0" * 128 + b"DICM")

    async def conversation(client: Any) -> None:
        await enter(client)
        assert (await client.post("/upload?name=study.zip", data=b"no zip")).status == 400
        assert not list(tmp_path.iterdir())
        assert (await client.post("/upload?name=study.zip", data=made.getvalue())).status == 200

    talk(case, conversation)
    assert [path.name for path in case.opened] == ["study"]
    assert [path.name for path in case.opened[0].parent.rglob("*")] == ["study", "a.dcm"]
