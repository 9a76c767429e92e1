"""A rate limit for calls: so many a second on average, and a burst at once."""

import asyncio
import time
from collections.abc import Callable


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` a second; a call takes one.

    Calls are let through in the order in which they came: each reserves the next free moment.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._tokens = self._burst
        self._counted_at = clock()

    def reserve(self) -> float:
        """Take a token, if need be one of the future; answers the seconds until it is there."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)

    async def take(self) -> None:
        """Wait for a token."""
        delay = self.reserve()
        if delay > 0:
            await asyncio.sleep(delay)
