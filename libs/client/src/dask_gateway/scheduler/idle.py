"""The end of a cluster that nobody uses: after so many seconds without work it asks the gateway to stop it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from distributed.metrics import time

logger = logging.getLogger("distributed.scheduler.gateway")


def is_busy(scheduler: Any) -> bool:
    """Whether any task runs, waits, or is just being submitted. Data in memory and quiet clients are no work."""
    return bool(
        scheduler.queued
        or scheduler.unrunnable
        # A graph that is still being unpacked, in distributed since 2024.12.
        or getattr(scheduler, "_active_graph_updates", 0)
        or any(worker.processing for worker in scheduler.workers.values())
    )


class IdleClock:
    """How long a scheduler has been idle, found by looking now and then."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._since = time()
        self._transitions = scheduler.transition_counter

    def idle_seconds(self) -> float:
        """Seconds since the last work, or 0 when there is some."""
        now = time()
        if is_busy(self._scheduler):
            self._since = now
        elif self._scheduler.transition_counter != self._transitions:
            # Work came and went between two looks. Its time is in the log, unless an operator turned that off.
            log = self._scheduler.transition_log
            self._since = log[-1][-1] if log else now
        self._transitions = self._scheduler.transition_counter
        return float(max(0.0, now - self._since))


async def shut_down_when_idle(scheduler: Any, idle_timeout: float, shutdown: Callable[[], Awaitable[None]]) -> None:
    """Call ``shutdown`` after ``idle_timeout`` seconds without work, and again for as long as that fails."""
    clock = IdleClock(scheduler)
    while True:
        await asyncio.sleep(idle_timeout / 4)
        if clock.idle_seconds() <= idle_timeout:
            continue
        logger.warning("Cluster has been idle for %.2f seconds, shutting down", idle_timeout)
        try:
            await shutdown()
        except Exception as error:
            logger.warning("Failed to ask for the shutdown of this cluster: %s", error)
