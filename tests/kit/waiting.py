"""Waiting for conditions that nothing signals."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once `condition` holds; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # for conditions that no event announces
            await asyncio.sleep(0.005)
