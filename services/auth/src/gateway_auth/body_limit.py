"""Refuses request bodies that are longer than any that the api has a reason to send."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Bytes. Twice the headers that Traefik lets a user send, since they come here as JSON.
MAX_BODY = 2 * 2**20


class BodyLimitMiddleware:
    """Pure ASGI. Whoever reads a body that goes on beyond the limit gets an HTTPException instead."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, f"The body must not be longer than {self._limit} bytes")
            return message

        await self._app(scope, receive_within_limit, send)
