"""Requests and messages that no browser sends: the server keeps running and prints one line instead of a traceback."""

from __future__ import annotations

import asyncio
import http.cookiejar
import random
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from .server import Server


def session_of(server: Server) -> str:
    """Return the cookie of a browser that presented the token."""
    jar = http.cookiejar.CookieJar()
    urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(server.address).close()
    (cookie,) = jar
    return f"{cookie.name}={cookie.value}"


def send(server: Server, data: bytes, wait: float = 0.3) -> bytes:
    """Send raw bytes; return the beginning of the answer, or nothing if there is none in time."""
    place = urlsplit(server.origin)
    with socket.create_connection((place.hostname, place.port), timeout=wait) as connection:
        try:
            connection.sendall(data)
            return connection.recv(200)
        except (ConnectionError, TimeoutError):
            return b""


def request(path: str = "/index.html", method: str = "GET", body: bytes = b"", **headers: bytes) -> bytes:
    """Build a request with any bytes in its headers; ``_`` in their names stands for ``-``."""
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1")]
    lines += [name.replace("_", "-").encode() + b": " + value for name, value in {"Host": b"x", **headers}.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def still_serves(server: Server, session: str) -> None:
    """Check that the server responds and exports, and has not printed a traceback."""
    for path in ("/index.html", "/export/csv"):
        asked = urllib.request.Request(server.origin + path, headers={"Cookie": session})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 200 and answer.read()
    printed = "".join(server.lines)
    assert "Traceback" not in printed and '  File "' not in printed and "callback exception" not in printed, printed


GARBAGE = (
    b"\xff\xfe\x80",
    b"\xc3",
    "\u60a3".encode(),
    b"a" * 6000,
    b"a" * 70_000,
    b"[",
    b"http://[::",
    b"%",
    b"=;=;,",
    b"",
)


def test_headers_of_any_bytes(lone_server: Server) -> None:
    session = session_of(lone_server)
    name = session.partition("=")[0].encode()
    for garbage in GARBAGE:
        answer = send(lone_server, request(Cookie=name + b"=" + garbage), 30)
        assert b" 403 " in answer or b" 400 " in answer or b" 431 " in answer, (garbage[:9], answer)
        for header in ("Host", "Origin", "Cookie", "Content_Type", "Upgrade", "Sec_WebSocket_Key", "Range"):
            for path in ("/", "/ws", "/index.html", "/export/csv", "/paraview/", "/upload?name=x.nii"):
                cookie = {} if header == "Cookie" else {"Cookie": session.encode()}
                send(lone_server, request(path, "GET", **{**cookie, header: garbage}))
                send(lone_server, request(path, "POST", **{**cookie, header: garbage, "Content_Length": b"0"}))
    still_serves(lone_server, session)


def test_paths_methods_and_bodies_of_any_kind(lone_server: Server) -> None:
    session = session_of(lone_server)
    cookie = {"Cookie": session.encode()}
    paths = (
        "/?token=%ff", "/?token=\xff", "/?token=", "/" + "a" * 9000, "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "/export/%00", "/export/..%2f", "/upload", "/upload?name=%00.nii", "/upload?name=%ff.nii", "//", "*", "http://[",
    )  # fmt: skip
    for path in paths:
        for method in ("GET", "POST", "PUT", "OPTIONS", "TRACE", "CONNECT", "BREW", "\xff", "get"):
            answer = send(lone_server, request(path, method, **cookie))
            assert b"root:" not in answer
    for body in (
        request("/upload?name=x.nii", "POST", b"zz\r\n", **cookie, Transfer_Encoding=b"chunked"),
        request("/upload?name=x.nii", "POST", b"5\r\nab", **cookie, Transfer_Encoding=b"chunked"),
        request("/upload?name=x.nii", "POST", b"cut off", **cookie, Content_Length=b"1000"),
        request("/upload?name=x.nii", "POST", b"not gzip", **cookie, Content_Length=b"8", Content_Encoding=b"gzip"),
        request("/upload?name=x.nii", "POST", b"", **cookie, Content_Length=b"-1"),
        request("/upload?name=x.nii", "POST", b"", **cookie, Content_Length=b"99999999999999"),
        request("/paraview/", "POST", b"{", **cookie, Content_Length=b"1"),
        b"\0" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\r\n" * 500, b"GET / HTTP/9.9\r\n\r\n",
    ):  # fmt: skip
        send(lone_server, body)
    still_serves(lone_server, session)


def test_junk_uploads_are_refused(lone_server: Server) -> None:
    session = session_of(lone_server)
    for name in ("x.nii", "x.nii.gz", "x.nrrd", "x.mha", "x.mrb", "x.zip", "x.txt", ""):
        body = b"junk " * 100
        for _ in range(2):
            answer = send(
                lone_server,
                request(f"/upload?name={name}", "POST", body, Cookie=session.encode(), Content_Length=b"500"),
                60,
            )
            assert b" 400 " in answer, (name, answer)
    still_serves(lone_server, session)


def test_messages_of_any_kind(lone_server: Server) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    import msgpack

    session = session_of(lone_server)
    rng = random.Random(1)
    hello = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "wslink-secret"}]}
    strange: tuple[Any, ...] = (
        {}, [], None, 1, "x", {"id": 1}, {"id": "x"}, {"id": None, "method": None}, {"id": "rpc:1", "method": "none"},
        {"id": "rpc:1", "method": "trame.trigger", "args": ["act", ["none"]]},
        {"id": "rpc:1", "method": "trame.trigger", "args": ["act", [{"a": 1}]]},
        {"id": "rpc:1", "method": "trame.trigger", "args": ["click", [{"a": 1}]]},
        {"id": "rpc:1", "method": "trame.trigger", "args": ["none", 5]},
        {"id": "rpc:1", "method": "trame.trigger", "args": 5, "kwargs": 5},
        *({"id": "rpc:1", "method": "trame.state.update", "args": [[{"key": key, "value": value}]]}
          for key in ("level", "group", "level_filter", "status_filter", "opacity", "segments_as", "scope", "selected",
                      "reviewer", "message", "new_name", "path", "snap", "snap_to_edges", "labels", "only_level",
                      "ends", "live", "rows", "levels", "title")
          for value in (None, 5, "x", [["a"]], {"a": {}}, float("nan"), "\0")),
    )  # fmt: skip

    async def talk() -> None:
        async with aiohttp.ClientSession() as client:
            for message in (b"", b"\xff" * 50, rng.randbytes(2000), "text", *map(msgpack.packb, strange)):
                address = lone_server.origin.replace("http", "ws") + "/ws"
                async with client.ws_connect(address, headers={"Cookie": session}) as ws:
                    header = msgpack.packb(hello)
                    await ws.send_bytes(chunk(header))
                    await ws.receive(timeout=20)
                    if isinstance(message, str):
                        await ws.send_str(message)
                    else:
                        await ws.send_bytes(message)
                        await ws.send_bytes(chunk(message))
                    await ws.send_bytes(chunk(msgpack.packb({"id": "rpc:2", "method": "none"})))

    asyncio.run(talk())
    still_serves(lone_server, session)


def chunk(message: bytes) -> bytes:
    """Frame a message as wslink does: after its id, offset and total size."""
    header: bytes = b"\x00" * 4 + (0).to_bytes(4, "little") + len(message).to_bytes(4, "little")
    return header + message
