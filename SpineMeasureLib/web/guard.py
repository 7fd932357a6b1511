"""Access control: only browsers that opened the address with the access token, and only from this server's pages."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REFUSED = "The access token is missing. Open the address that 'spinemeasure review' printed.\n"
#: A page that leads to the review, because browsers do not send a strict cookie with a redirect from another site.
#: `location.replace` also keeps the address with the token out of the history.
_ENTRANCE = """<!DOCTYPE html><title>SpineMeasure</title><script>location.replace("/index.html")</script>
<noscript>SpineMeasure needs JavaScript.</noscript>
"""
#: Path of the page's WebSocket.
_SOCKET = "/ws"


class Guard:
    """The access token of one server, and the sessions of the browsers that presented it.

    :ivar token: required in the first request of a browser, which then gets a cookie with a random session.
    """

    def __init__(self, token: str = "", entered: Callable[[], None] = lambda: None) -> None:
        """:param entered: called when a browser presents the token."""
        self.token = token or secrets.token_urlsafe(24)
        self._sessions: list[str] = []
        self._entered = entered

    def protect(self, application: web.Application) -> None:
        """Check every request, WebSockets included. Call this before the application runs."""

        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            answer = await self._answer(request, handler)
            if not answer.prepared:
                for name, value in _HEADERS.items():
                    answer.headers.setdefault(name, value)
            return answer

        application.middlewares.insert(0, web.middleware(check))

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if _same(request.query.get("token", ""), self.token):
            return self._enter(request)
        if not self._known(request) or not _same_origin(request):
            return web.Response(status=403, text=_REFUSED)
        if request.path == _SOCKET and not web.WebSocketResponse().can_prepare(request).ok:
            return web.Response(status=400, text="This address accepts only WebSocket connections.\n")
        return await handler(request)

    def _enter(self, request: web.Request) -> web.StreamResponse:
        answer = web.Response(text=_ENTRANCE, content_type="text/html")
        if not self._known(request):
            self._sessions.append(secrets.token_urlsafe(24))
            answer.set_cookie(_cookie(request), self._sessions[-1], httponly=True, samesite="Strict", path="/")
        self._entered()
        return answer

    def _known(self, request: web.Request) -> bool:
        offered = request.cookies.get(_cookie(request), "")
        return any(_same(offered, session) for session in self._sessions)


def _same(offered: str, secret: str) -> bool:
    # Bytes that are not text arrive as surrogates, which cannot be encoded.
    return hmac.compare_digest(offered.encode("utf-8", "replace"), secret.encode())


def _cookie(request: web.Request) -> str:
    # Cookies are stored by host, not by port: two servers on one computer need different names.
    address = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return f"spinemeasure-{address[1] if address else 0}"


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return False
