"""What is around every request: the access log, headers that are added late, the answer to the unexpected."""

from collections.abc import Callable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_api.access_log import log_request

_HEADERS_KEY = "gateway_api.response_headers"

#: Makes the answer to an exception that nobody handled, and logs it.
ErrorAnswer = Callable[[Scope, Exception], ASGIApp]


def add_response_header(scope: Scope, name: str, value: str) -> None:
    """Add a header to the answer of this request, whichever answer that will be."""
    scope[_HEADERS_KEY].append((name.lower().encode("latin-1"), value.encode("latin-1")))


class Envelope:
    """Pure ASGI, because it runs for every request: Starlette's own base class costs as much as the request."""

    def __init__(self, app: ASGIApp, error_answer: ErrorAnswer) -> None:
        self._app = app
        self._error_answer = error_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        late_headers: list[tuple[bytes, bytes]] = []
        scope[_HEADERS_KEY] = late_headers
        started_at = perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if late_headers:
                    message["headers"] = [*message["headers"], *late_headers]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            answer = self._error_answer(scope, error)
            if status:
                raise  # half an answer is out: all that is left is to cut the connection
            await answer(scope, receive, send_with_headers)
        finally:
            # no status: the caller or the server gave the request up
            log_request(status or 499, scope["method"], scope["path"], perf_counter() - started_at)
