"""Gives every request an id, and an unexpected failure an answer that carries it."""

import logging
import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# a caller's id is kept so that one id goes through all services, unless it could forge a log line
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestIdMiddleware:
    """Pure ASGI, outside of all other middleware.

    Every answer carries the request's id. An exception that nobody handled is logged with the id and becomes
    a JSON 500 that says nothing but the id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            logger.exception("Request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if started:
                raise  # half an answer is out: all that is left is to cut the connection
            answer = JSONResponse({"error": "Internal server error", "request_id": request_id}, status_code=500)
            await answer(scope, receive, send_with_id)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _ACCEPTABLE.fullmatch(given) else uuid4().hex
