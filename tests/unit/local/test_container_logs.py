"""What containers print, kept in bounded files."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway_local.apiserver.podlogs import LogRequest
from gateway_local.kubelet.logs import ContainerLog

TEN_O_CLOCK = datetime(2026, 11, 23, 10, tzinfo=UTC)


class Hours:
    """A clock that goes on by an hour each time somebody looks."""

    def __init__(self) -> None:
        self.now = TEN_O_CLOCK.timestamp() - 3600

    def __call__(self) -> float:
        self.now += 3600
        return self.now


def request(**options: Any) -> LogRequest:
    return LogRequest(namespace="dask", pod="pod", container="main", **options)


async def text(log: ContainerLog, **options: Any) -> str:
    return b"".join([line async for line in log.read(request(**options), follow=False)]).decode()


@pytest.fixture
def log(tmp_path: Path) -> ContainerLog:
    log = ContainerLog(tmp_path / "0.log", Hours())
    for line in (b"ten\nal", b"so ten\n", b"noon\n", b"no end"):
        log.data_received(line)
    log.connection_lost(None)
    return log


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "ten\nalso ten\nnoon\nno end"),
        ({"tail_lines": 2}, "noon\nno end"),
        ({"tail_lines": 0}, ""),
        ({"limit_bytes": 6}, "ten\nal"),
        ({"since": TEN_O_CLOCK.replace(hour=12)}, "noon\nno end"),
        ({"since": TEN_O_CLOCK.replace(hour=12), "tail_lines": 1}, "no end"),
        ({"tail_lines": 1, "timestamps": True}, "2026-11-23T13:00:00.000000Z no end"),
    ],
)
async def test_as_much_of_a_log_is_read_as_is_asked_for(
    log: ContainerLog, options: dict[str, Any], expected: str
) -> None:
    assert await text(log, **options) == expected


async def test_the_file_is_in_the_format_of_container_runtimes(log: ContainerLog, tmp_path: Path) -> None:
    lines = (tmp_path / "0.log").read_text().splitlines()
    assert lines[0] == "2026-11-23T10:00:00.000000Z stdout F ten"
    assert lines[-1] == "2026-11-23T13:00:00.000000Z stdout P no end"


async def test_a_progress_bar_is_one_line(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "0.log", Hours())
    log.data_received(b"10 %\r20 %\r\x0b\r\n")
    log.connection_lost(None)
    assert await text(log) == "10 %\r20 %\r\x0b\r\n"


async def test_a_log_keeps_its_newest_lines_when_it_is_full(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "0.log", Hours(), max_bytes=1000)
    for number in range(1000):
        log.data_received(b"line %d\n" % number)
    assert (await text(log)).endswith("line 998\nline 999\n")
    assert 1000 < size(tmp_path) < 2200
    log.remove()
    assert size(tmp_path) == 0


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


async def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "0.log", Hours())
    for _ in range(10):
        log.data_received(b"x" * 20_000)
    log.data_received(b"\n")
    log.connection_lost(None)
    assert await text(log) == "x" * 200_000 + "\n"


@pytest.mark.parametrize("max_bytes", [10_000, 200])
async def test_a_follower_sees_every_line_until_the_end(tmp_path: Path, max_bytes: int) -> None:
    log = ContainerLog(tmp_path / "0.log", Hours(), max_bytes=max_bytes)
    log.data_received(b"before\n")
    seen: list[bytes] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async for line in log.read(request(), follow=True):
            seen.append(line)
            begun.set()

    following = asyncio.create_task(follow())
    await begun.wait()
    for number in range(20):
        log.data_received(b"line %d\n" % number)
        await wait_for(lambda number=number: seen[-1] == b"line %d\n" % number)  # type: ignore[misc]
    log.connection_lost(None)
    await following
    assert seen == [b"before\n", *(b"line %d\n" % number for number in range(20))]


async def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # a few turns of the loop
        await asyncio.sleep(0)


async def test_following_a_log_that_is_over_ends_at_once(log: ContainerLog) -> None:
    lines = [line async for line in log.read(request(), follow=True)]
    assert lines[-1] == b"no end"
