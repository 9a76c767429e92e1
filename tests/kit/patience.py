"""A user who tries again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dask_gateway import GatewayResponseError, GatewayServerError

T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]], seconds: float = 120.0) -> T:
    """Repeat a call while a service is away; raises AssertionError if it stays away for so many seconds.

    What a service answers that is there is raised at once.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await call()
        except (OSError, GatewayResponseError, GatewayServerError) as error:
            if isinstance(error, GatewayResponseError) and error.status not in (404, 502, 503, 504):
                raise
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"still failing after {seconds} s") from error
            await asyncio.sleep(0.1)
