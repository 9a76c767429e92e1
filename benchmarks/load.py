"""A load generator for one process of its own: keep-alive connections that repeat one request.

It writes and reads bytes and parses nothing but the status line and Content-Length, so that on a machine of two
cores it takes as little as possible from the server that it measures.

    python -m benchmarks.load HOST PORT CONNECTIONS COUNT  < request bytes
"""

import asyncio
import sys
import time
from itertools import count

CONNECTIONS = 16


async def generate(port: int, request: bytes, total: int) -> float:
    """Do so in a process of its own, to a port of this machine; the seconds it took."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "benchmarks.load", "127.0.0.1", str(port), str(CONNECTIONS), str(total)],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(request)
    return float(output)


async def run(host: str, port: int, request: bytes, connections: int, total: int) -> float:
    """Send `total` requests over `connections` connections; the seconds it took. Raises on anything but a 2xx."""
    tickets = count()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_one_connection(host, port, request, tickets, total))
    return time.perf_counter() - started


async def _one_connection(host: str, port: int, request: bytes, tickets: "count[int]", total: int) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=2**24)
    while next(tickets) < total:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    host, port, connections, total = sys.argv[1], *map(int, sys.argv[2:])
    print(asyncio.run(run(host, port, sys.stdin.buffer.read(), connections, total)))
