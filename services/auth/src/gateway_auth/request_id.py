"""Gives every request an id, and an unexpected failure an answer that carries it."""

import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_common.request_id import HEADER, choose_request_id

logger = logging.getLogger(__name__)


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
        request_id = choose_request_id(Headers(scope=scope).get(HEADER))
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
            logger.exception("Request %s failed: %s %s", request_id, scope["method"], ascii(scope["path"]))
            if started:
                raise  # half an answer is out: all that is left is to cut the connection
            answer = JSONResponse({"error": "Internal server error", "request_id": request_id}, status_code=500)
            await answer(scope, receive, send_with_id)
