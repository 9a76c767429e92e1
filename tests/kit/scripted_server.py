"""A bare HTTP/1.1 server whose every answer a test writes itself: for servers that misbehave."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Exchange:
    """One request and the way to answer it. A handler that returns without an answer hangs up."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    _writer: asyncio.StreamWriter

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    async def answer(self, code: int, body: Any = b"", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"content-length": str(len(content)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        await self._write(_head(code, head) + content)

    async def start_stream(self) -> None:
        await self._write(_head(200, {"transfer-encoding": "chunked"}))

    async def send(self, *events: Any) -> None:
        """One chunk with these events, a line each; bytes go as they are."""
        lines = b"".join(e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in events)
        await self._write(f"{len(lines):x}\r\n".encode() + lines + b"\r\n")

    async def end_stream(self) -> None:
        await self._write(b"0\r\n\r\n")

    async def stay_silent(self) -> None:
        await asyncio.Event().wait()

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


Handler = Callable[[Exchange], Awaitable[None]]


@dataclass
class ScriptedServer:
    handler: Handler
    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    _listener: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._listener = await asyncio.start_server(self._serve, host, port, ssl=tls)
        netloc = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if tls else ''}://{netloc}:{self._listener.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and cut every connection, those that are just being made included."""
        if self._listener is None:
            return
        self._listener.close()
        await asyncio.sleep(0)  # what was accepted in this turn of the loop becomes a connection in the next
        async with asyncio.timeout(90):  # a TLS handshake whose client is silent is given up after 60 s
            # a handler may go on after its client has gone
            while self._connections or _has_connections(self._listener):
                for task in self._connections:
                    task.cancel()
                await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    exchange = await _read(reader, writer)
                    self.exchanges.append(exchange)
                    await self.handler(exchange)
        finally:
            self._connections.discard(task)
            writer.close()


def _has_connections(listener: asyncio.Server) -> bool:
    """What `wait_closed` waits for from Python 3.12.1 on."""
    return bool(getattr(listener, "_clients", None)) or getattr(listener, "_active_count", 0) > 0


@asynccontextmanager
async def scripted_server(
    handler: Handler, port: int = 0, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(handler)
    await server.start(port, host, tls)
    try:
        yield server
    finally:
        await server.stop()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Exchange(method, parts.path, dict(parse_qsl(parts.query)), headers, body, writer)


def _head(code: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} Scripted", "content-type: application/json"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
