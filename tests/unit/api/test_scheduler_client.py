"""What a hostile scheduler answers costs the api nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway_api import scheduler_client
from gateway_api.scheduler_client import SchedulerClient

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scheduler(answer: Answer) -> AsyncIterator[SchedulerClient]:
    """A client of one that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except ConnectionError:
            pass  # the client has had enough
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = SchedulerClient(pauses=(), port=server.sockets[0].getsockname()[1])
        try:
            yield client
        finally:
            await client.close()


async def test_nothing_is_read_but_the_status() -> None:
    gone = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        finally:
            gone.set()

    async with scheduler(endless) as client, asyncio.timeout(60):
        assert await client.send("127.0.0.1", "token", {})
        await gone.wait()


async def test_one_that_sends_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_client, "DEADLINE", 0.3)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with scheduler(drip) as client, asyncio.timeout(60):
        assert not await client.send("127.0.0.1", "token", {})
