"""When a scheduler reports to its gateway: at its start, on changes, and again after failures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

logger = logging.getLogger("distributed.scheduler.gateway")

_FIRST_RETRY = 0.5  # seconds, doubled with each failure
_LAST_RETRY = 60.0  # seconds: a gateway that is back after an hour should not wait another one to hear from clusters


def retry_delay(failures: int, longest: float) -> float:
    """Seconds to wait after so many failures in a row: 0.5, 1, 2, ..."""
    return float(min(_FIRST_RETRY * 2 ** min(failures - 1, 16), _LAST_RETRY, longest))


class Heartbeat:
    """Calls ``send`` at once, then whenever asked to, and after ``max_silence`` seconds at the latest."""

    def __init__(self, send: Callable[[], Awaitable[None]], max_silence: float) -> None:
        self._send = send
        self._max_silence = max_silence
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def send_now(self) -> None:
        """Send as soon as possible; a send that is under way is followed by another."""
        self._due.set()

    def send_within(self, seconds: float) -> None:
        """Send in ``seconds`` at the latest, once however often this is called in between."""
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() <= loop.time() + seconds:
            return
        self._cancel_timer()
        self._timer = loop.call_later(seconds, self._due.set)

    async def run(self) -> None:
        """Send until cancelled."""
        failures = 0
        try:
            while True:
                self._due.clear()
                self._cancel_timer()
                try:
                    await self._send()
                except Exception as error:
                    failures += 1
                    delay = retry_delay(failures, self._max_silence)
                    logger.warning("Failed to send heartbeat, trying again in %.1f s: %s", delay, error)
                else:
                    failures = 0
                    delay = self._max_silence
                await self._wait(delay)
        finally:
            self._cancel_timer()

    async def _wait(self, delay: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._due.wait(), delay)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
