"""What containers print: one bounded file for each run, in the format of the container runtime interface.

A line of it is `<time> stdout F <text>`, as kubelets write below /var/log/pods, so that times can be asked for; with a
`P` for the `F` the line goes on.
Both streams of a process share a pipe, which keeps their order; all lines are marked `stdout`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from gateway_common.clock import Clock
from gateway_local.apiserver.podlogs import LogRequest

#: kubelet's default for containerLogMaxSize. Twice as much is kept: the current file and the one before.
MAX_BYTES = 10 << 20
#: A line that long is written in parts, as container runtimes do.
_MAX_LINE = 16 << 10
#: How long a pipe may stay open after the end of the container.
_CLOSING_SECONDS = 1.0


class ContainerLog(asyncio.Protocol):
    """The output of one run of a container. As a protocol it reads the pipe that the container writes to."""

    def __init__(self, path: Path, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._partial = b""
        self._grown = asyncio.Event()
        self._closed = asyncio.Event()
        self._file = self._open()
        self._rotations = 0

    def data_received(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._append(b"F", lines)
        if len(self._partial) >= _MAX_LINE:
            self._append(b"P", [self._partial])
            self._partial = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._partial:
            self._append(b"P", [self._partial])
        self._file.close()
        self._closed.set()
        self._wake()

    async def wait_closed(self) -> None:
        """Until all that the container printed is in the file; but not long.

        A process that wiped its environment and left its session can outlive its container, and keeps the pipe open.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._closed.wait()

    def remove(self) -> None:
        """Delete the files."""
        self._file.close()
        for path in (self._older, self._path):
            path.unlink(missing_ok=True)

    def tail(self, lines: int, size: int) -> str:
        """The end of the log, at most so many lines and bytes."""
        kept = deque((text for _, text in self._entries()), maxlen=lines)
        return b"".join(kept)[-size:].decode(errors="replace")

    async def read(self, request: LogRequest, *, follow: bool) -> AsyncIterator[bytes]:
        """The lines that are asked for; with `follow`, until the container has ended."""
        left = request.limit_bytes
        async for stamp, text in self._lines(request, follow):
            line = stamp + b" " + text if request.timestamps else text
            if left is not None:
                line = line[:left]
                left -= len(line)
            if line:
                yield line
            if left == 0:
                return

    async def _lines(self, request: LogRequest, follow: bool) -> AsyncIterator[tuple[bytes, bytes]]:
        grown, rotations, position = self._grown, self._rotations, self._path.stat().st_size
        entries = self._entries()
        if request.since is not None:
            since = request.since
            entries = (entry for entry in entries if datetime.fromisoformat(entry[0].decode()) >= since)
        if request.tail_lines is not None:
            entries = iter(deque(entries, maxlen=request.tail_lines))
        for entry in entries:
            yield entry
        while follow and not (self._closed.is_set() and grown is self._grown):
            await grown.wait()
            grown = self._grown
            if rotations != self._rotations:
                rest, position = _tail(self._older, position), 0
                rotations = self._rotations
            else:
                rest = b""
            fresh = _tail(self._path, position)
            position += len(fresh)
            for entry in _parse(rest + fresh):
                yield entry

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        return _parse(b"".join(path.read_bytes() for path in (self._older, self._path) if path.exists()))

    def _append(self, tag: bytes, lines: list[bytes]) -> None:
        if not lines or self._file.closed:
            return
        stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        self._file.write(b"".join(b"%s stdout %s %s\n" % (stamp, tag, line) for line in lines))
        self._file.flush()
        if self._file.tell() > self._max_bytes:
            self._file.close()
            self._path.replace(self._older)
            self._file = self._open()
            self._rotations += 1
        self._wake()

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _open(self) -> BinaryIO:
        return self._path.open("ab")

    @property
    def _older(self) -> Path:
        return self._path.with_suffix(".log.older")


class Output(asyncio.Protocol):
    """The end of what a short command prints, in memory."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = b""
        self._closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._data = (self._data + data)[-self._max_bytes :]

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    async def text(self) -> str:
        """All of it, once the command has ended."""
        await self._closed.wait()
        return self._data.decode(errors="replace")


def _tail(path: Path, position: int) -> bytes:
    with path.open("rb") as file:
        file.seek(position)
        return file.read()


def _parse(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The time of each line, and its text as it was printed."""
    # not splitlines: carriage returns are text, of progress bars mostly
    for line in data.split(b"\n")[:-1]:
        stamp, _, tag, text = line.split(b" ", 3)
        yield stamp, text + b"\n" if tag == b"F" else text
