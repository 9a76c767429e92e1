"""Waiting for conditions that nothing signals."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once `condition` holds; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # for conditions that no event announces
            await asyncio.sleep(0.005)


async def eventually(probe: Callable[[], Awaitable[T | None]], seconds: float = 60.0) -> T:
    """The probe's first answer that is true; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not (answer := await probe()):  # noqa: ASYNC110  # no event announces what a server holds
            await asyncio.sleep(0.01)
        return answer
