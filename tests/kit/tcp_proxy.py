"""A TCP proxy that can be cut: the network between one client and a server, while others still reach it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class TcpProxy:
    """Passes bytes on. `port` is where it listens on 127.0.0.1."""

    port: int

    def __init__(self, host: str, port: int) -> None:
        self._backend = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """From now on nothing gets through, and nobody is told: what a broken network does."""
        self._open.clear()

    def mend(self) -> None:
        """Let everything through that was held up, as if it had been under way."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._open.wait()
                backend_reader, backend_writer = await asyncio.open_connection(*self._backend)
                try:
                    await asyncio.gather(self._copy(reader, backend_writer), self._copy(backend_reader, writer))
                finally:
                    # what is still to be sent may never be
                    backend_writer.transport.abort()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(2**16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """A proxy to a server, while the context lasts."""
    proxy = TcpProxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
        await server.wait_closed()
