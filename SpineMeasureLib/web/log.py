"""One line in the terminal for each error of the server's libraries, instead of a traceback for every odd request."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable


class OneLine(logging.Handler):
    """Reports an error in the handling of a request or message in one line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record, unless the request was not HTTP or it is the traceback of the last one."""
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage().strip().partition("\n")[0]
        if _not_http(error) or text.startswith(("Traceback", "Exception raised")):
            return
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
            text = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{place}"
        self._say(f"A request failed: {text[:300]}")


def log_to(say: Callable[[str], None]) -> None:
    """Send the messages of the server's libraries to `say`."""
    for name in ("aiohttp", "wslink", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [OneLine(say)], False


def _not_http(error: BaseException | None) -> bool:
    from aiohttp import web_exceptions
    from aiohttp.http_exceptions import HttpProcessingError

    return isinstance(error, (HttpProcessingError, web_exceptions.HTTPException, ConnectionError))
