"""A TCP proxy that chooses by the server name of a TLS handshake and passes the bytes on unread, as Traefik does."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class SniProxy:
    """``routes``: server name -> (host, port). Connections to other names are closed."""

    port: int = 0
    routes: dict[str, tuple[str, int]] = field(default_factory=dict)
    names_seen: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._route(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _route(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readexactly(5)
        hello = await reader.readexactly(struct.unpack(">H", header[3:5])[0])
        name = server_name(hello)
        self.names_seen.append(name)
        if name not in self.routes:
            return
        backend_reader, backend_writer = await asyncio.open_connection(*self.routes[name])
        backend_writer.write(header + hello)
        try:
            await asyncio.gather(_copy(reader, backend_writer), _copy(backend_reader, writer))
        finally:
            backend_writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            await asyncio.wait([task])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def server_name(hello: bytes) -> str:
    """The name in a ClientHello's server_name extension (RFC 6066), or an empty text."""
    at = 4 + 2 + 32  # handshake header, version, random
    at += 1 + hello[at]  # session id
    at += 2 + struct.unpack_from(">H", hello, at)[0]  # cipher suites
    at += 1 + hello[at]  # compression methods
    end = at + 2 + struct.unpack_from(">H", hello, at)[0]
    at += 2
    while at < end:
        kind, length = struct.unpack_from(">HH", hello, at)
        if kind == 0:
            return hello[at + 4 + 5 : at + 4 + length].decode()
        at += 4 + length
    return ""


@asynccontextmanager
async def sni_proxy(host: str = "127.0.0.1") -> AsyncIterator[SniProxy]:
    proxy = SniProxy()
    server = await asyncio.start_server(proxy.serve, host, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
