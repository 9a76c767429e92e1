"""A network in this process between clients of the Kubernetes API and the embedded API server: slow, lossy, deadly.

It takes the place of sockets, at the seam where `gateway_common.kube_calls` meets `kube_transport`. What a process has
sent is carried out even if the process dies before the answer comes, as with a real kernel. Time is the event loop's.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from gateway_common.kube import KubeClient
from gateway_common.kube_calls import Caller, CallHook, Channel
from gateway_common.kube_errors import error_from_transport
from gateway_local.apiserver.http import Application

_TIMEOUT = 30.0
Message = dict[str, Any]


@dataclass(kw_only=True)
class Weather:
    """What the network does to messages; may change while it runs.

    `latency` is the most seconds that a request or its answer takes, `lag` that a watch's events take. `loss` is the
    chance that a request is carried out and its answer gets lost. While `refuses` no connection comes about.
    """

    latency: float = 0.0
    lag: float = 0.0
    loss: float = 0.0
    refuses: bool = False


class Network:
    """All connections to one API server."""

    def __init__(self, application: Application, rng: random.Random) -> None:
        self.application = application
        self.rng = rng
        self.weather = Weather()
        #: Seconds of the loop's time at which somebody tried to send a request.
        self.attempts: list[float] = []
        #: Answers that got lost.
        self.lost = 0
        self._exchanges: dict[Exchange, asyncio.Task[None]] = {}

    async def connect(self, *, on_call: CallHook | None = None) -> "MortalProcess":
        """A client with connections of its own, as a process has them."""
        process = MortalProcess(self)
        requests, watches = [await Channel.open(process.open_session) for _ in range(2)]
        process.client = KubeClient(Caller(requests, watches, timeout=_TIMEOUT, on_call=on_call))
        return process

    def cut(self) -> None:
        """Reset every connection."""
        for exchange in self._exchanges:
            exchange.reset()

    def silence(self) -> None:
        """Let nothing more come over the connections that are open now, as when a firewall has forgotten them."""
        for exchange in self._exchanges:
            exchange.is_silent = True

    async def close(self) -> None:
        tasks = list(self._exchanges.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def serve(self, scope: Message, body: bytes) -> "Exchange":
        """Let the server work on a request, whatever becomes of its sender."""
        exchange = Exchange(self, scope, body)
        task = asyncio.create_task(exchange.run())
        self._exchanges[exchange] = task
        task.add_done_callback(lambda _: self._exchanges.pop(exchange))
        return exchange

    async def delay(self, most: float) -> None:
        if most:
            await asyncio.sleep(self.rng.uniform(0.0, most))


class Exchange:
    """One request and its answer, from the server's side of the network."""

    def __init__(self, network: Network, scope: Message, body: bytes) -> None:
        self._network = network
        self._scope = scope
        self._body: bytes | None = body
        self.is_silent = False
        self._left = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()

    async def run(self) -> None:
        await self._network.delay(self._network.weather.latency)
        await self._network.application(self._scope, self._receive, self._send)

    def leave(self) -> None:
        """The client hangs up."""
        self._left.set()

    def reset(self) -> None:
        """The connection breaks."""
        self._messages.put_nowait(None)
        self.leave()

    async def next(self) -> Message:
        """What the server sends next; raises httpx.ReadError when the connection breaks."""
        message = await self._messages.get()
        if message is None:
            raise httpx.ReadError("connection reset by peer")
        return message

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self.is_silent:
            self._messages.put_nowait(dict(message))


class MortalProcess:
    """The connections of one process. After `die` nothing is sent or received any more, by whomever."""

    client: KubeClient

    def __init__(self, network: Network) -> None:
        self.network = network
        self.is_dead = False

    async def open_session(self) -> "_Session":
        return _Session(self)

    def die(self) -> None:
        self.is_dead = True

    async def survive(self) -> None:
        """Returns to the living only."""
        if self.is_dead:
            await asyncio.get_running_loop().create_future()


class _Session:
    """See `gateway_common.kube_calls.Session`."""

    def __init__(self, process: MortalProcess) -> None:
        self._process = process
        self._network = process.network

    async def close(self) -> None:
        """There is nothing to close."""

    @asynccontextmanager
    async def send(self, method: str, path: str, **options: Any) -> AsyncGenerator[httpx.Response, None]:
        try:
            async with self._send(method, path, **options) as response:
                yield response
        except httpx.TransportError as error:
            raise error_from_transport(error) from error

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        *,
        stream: bool,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout,  # noqa: ASYNC109  # httpx' own
    ) -> AsyncGenerator[httpx.Response, None]:
        network = self._network
        await self._process.survive()
        network.attempts.append(asyncio.get_running_loop().time())
        if network.weather.refuses:
            await network.delay(network.weather.latency)
            raise httpx.ConnectError("connection refused")
        exchange = network.serve(_scope(method, path, params, headers), content or b"")
        try:
            async with _limit(timeout.read):
                head = await exchange.next()
                content = None if stream else await _rest(exchange)
                await network.delay(network.weather.latency)
            await self._process.survive()
            if content is None:
                body = _Stream(self._process, exchange, timeout.read)
                yield httpx.Response(head["status"], headers=head["headers"], stream=body)
                return
            if network.rng.random() < network.weather.loss:
                network.lost += 1
                raise httpx.ReadError("connection reset by peer")
            yield httpx.Response(head["status"], headers=head["headers"], content=content)
        finally:
            exchange.leave()


class _Stream(httpx.AsyncByteStream):
    """A watch's events as they come."""

    def __init__(self, process: MortalProcess, exchange: Exchange, seconds: float | None) -> None:
        self._process, self._exchange, self._seconds = process, exchange, seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        network = self._process.network
        while True:
            async with _limit(self._seconds):
                message = await self._exchange.next()
                await network.delay(network.weather.lag)
            await self._process.survive()
            if message["body"]:
                yield message["body"]
            if not message.get("more_body"):
                return


@asynccontextmanager
async def _limit(seconds: float | None) -> AsyncGenerator[None, None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise httpx.ReadTimeout("nothing came") from None


async def _rest(exchange: Exchange) -> bytes:
    pieces = []
    while True:
        message = await exchange.next()
        pieces.append(message["body"])
        if not message.get("more_body"):
            return b"".join(pieces)


def _scope(method: str, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str] | None) -> Message:
    lines = {"User-Agent": "dask-gateway", **(headers or {})}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": urlencode(params or {}).encode(),
        "headers": [(key.lower().encode(), value.encode()) for key, value in lines.items()],
    }
