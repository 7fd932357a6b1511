"""Who may talk to the server: a browser that opened the address with the access token, and only its own pages."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REFUSED = "This address needs its access token. Open the address that 'spinemeasure review' printed.\n"


class Guard:
    """The access token of one server.

    :ivar token: what the address must carry once; a cookie carries it afterwards.
    """

    def __init__(self, token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(24)

    def protect(self, application: web.Application) -> None:
        """Let every request of an application that is not running yet, sockets included, pass here first."""

        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._check(request, handler)

        application.middlewares.insert(0, web.middleware(check))

    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._matches(request.query.get("token")):
            answer: web.StreamResponse = web.Response(status=302, headers={"Location": "/index.html"})
            answer.set_cookie(_cookie(request), self.token, httponly=True, samesite="Strict", path="/")
        elif not self._matches(request.cookies.get(_cookie(request))) or not _same_origin(request):
            answer = web.Response(status=403, text=_REFUSED)
        else:
            answer = await handler(request)
        if not answer.prepared:
            for name, value in _HEADERS.items():
                answer.headers.setdefault(name, value)
        return answer

    def _matches(self, offered: str | None) -> bool:
        return offered is not None and hmac.compare_digest(offered.encode(), self.token.encode())


def _cookie(request: web.Request) -> str:
    # Browsers keep cookies by host, not by port: two servers of one computer must not share a name.
    return f"spinemeasure-{request.url.port}"


def _same_origin(request: web.Request) -> bool:
    origin: Any = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
