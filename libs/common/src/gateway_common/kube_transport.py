"""HTTP/1.1 for the Kubernetes client: httpx in front, aiohttp on the wire, for half the CPU a call.

Speaks httpx's errors and time-outs, so that nobody above knows what is below. Does not compress, redirect, repeat, keep
cookies or find proxies: what of these is wanted happens above.
Why and with what result: docs/decisions/2026-11-23-how-kubernetes-is-called.md.
"""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
from yarl import URL

#: httpx's own: how many connections, and for how many seconds an idle one is kept. A server that closes idle ones
#: sooner than this would do so at times under a request that was just sent.
MAX_CONNECTIONS = 100
KEEPALIVE_EXPIRY = 5.0
#: Longest header line of an answer in bytes; aiohttp's own limit is an eighth of it, less than some proxies send.
MAX_HEADER = 2**16
#: Seconds that closing waits for connections whose other end is gone and confirms nothing.
CLOSE_TIMEOUT = 1.0
#: Bytes of a body that aiohttp writes as one piece; it warns of more.
MAX_PIECE = 2**20


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx' requests through a pool of aiohttp's. To be made, used and closed in one event loop.

    A connection error means that nothing was sent; any other may have come after the server has acted.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        # What the server is asked to speak: a context that offers nothing may meet one that insists.
        context.set_alpn_protocols(["http/1.1"])
        connector = _Connector(
            ssl=context,
            limit=MAX_CONNECTIONS,
            keepalive_timeout=KEEPALIVE_EXPIRY,
            # Names are looked up for each connection, by the system: an API server may move.
            use_dns_cache=False,
            resolver=aiohttp.ThreadedResolver(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        # Repeating is the caller's: it knows what may be repeated, counts, and obeys the rate limit.
        self._session._retry_connection = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        limits = request.extensions.get("timeout") or {}
        try:
            # aiohttp has no limit for sending a body to a peer that does not read it; this is one for all until the
            # answer's head.
            async with asyncio.timeout(_sum(limits, "pool", "connect", "write", "read")):
                response = await self._session.request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=request.headers.multi_items(),
                    data=io.BytesIO(content) if len(content) > MAX_PIECE else content or None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        connect=_sum(limits, "pool", "connect"),
                        sock_connect=limits.get("connect"),
                        sock_read=limits.get("read"),
                    ),
                    server_hostname=request.extensions.get("sni_hostname"),
                )
        except aiohttp.ClientError as error:
            raise _translated(error) from error
        except TimeoutError as error:
            raise httpx.WriteTimeout("the request could not be sent in time") from error
        except asyncio.CancelledError:
            if self._is_cancelled_by_closing():
                raise httpx.ConnectError("the connections were closed") from None
            raise
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._session.close()

    def _is_cancelled_by_closing(self) -> bool:
        """aiohttp's pool cancels those who wait for a connection when it is closed: no cancellation of the caller's."""
        task = asyncio.current_task()
        return self._session.closed and task is not None and not task.cancelling()


class _Connector(aiohttp.TCPConnector):
    """A pool that cuts off what is left before its end, a cancelled call or a watch.

    aiohttp would wait for the peer's farewell in TLS. There is nothing to say to it, and it may be slow to answer.
    """

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        if should_close or protocol.should_close:
            protocol.abort()
        super()._release(key, protocol, should_close=should_close)


class _Body(httpx.AsyncByteStream):
    """An answer's body as it comes."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.ClientError as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        self._response.close()


def _translated(error: aiohttp.ClientError) -> httpx.TransportError:
    """httpx' error for aiohttp's; only what happened before there was a connection becomes one of connecting."""
    message = str(error) or type(error).__name__
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(message)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(str(error.os_error))  # its own text shows our SSLContext's address
        case aiohttp.SocketTimeoutError():
            return httpx.ReadTimeout(message)
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol(message)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return httpx.RemoteProtocolError(message)
        case _:
            return httpx.ReadError(message)


def _sum(limits: Mapping[str, float | None], *names: str) -> float | None:
    """Seconds for several steps together; no limit if one of them has none."""
    total = 0.0
    for name in names:
        seconds = limits.get(name)
        if seconds is None:
            return None
        total += seconds
    return total
