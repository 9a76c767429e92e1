"""The end of a cluster that nobody uses: too long without work, or without anybody, it asks the gateway to stop it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.metrics import time

logger = logging.getLogger("distributed.scheduler.gateway")

_SHORTEST_PAUSE = 0.01  # seconds: clocks and timers differ by less
_LONGEST_RETRY = 60.0  # seconds
_WORKERS_CLIENT = "Client-worker-"  # what a task that submits tasks is connected by, for as long as its worker lives


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


class ClientClock(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped here
    """How long nobody has been connected to a scheduler. The clients of its own tasks are nobody."""

    name = "dask-gateway-clients"

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._since = time()

    def add_client(self, scheduler: Any, client: str) -> None:
        """Somebody connected, however shortly."""
        self._restart(client)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Somebody left."""
        self._restart(client)

    def unconnected_seconds(self) -> float:
        """Seconds since somebody was connected, or since the start, or 0 when somebody is."""
        if not all(client.startswith(_WORKERS_CLIENT) for client in self._scheduler.client_comms):
            return 0.0
        return float(max(0.0, time() - self._since))

    def _restart(self, client: str) -> None:
        if not client.startswith(_WORKERS_CLIENT):
            self._since = time()


async def shut_down_unused(
    unused_seconds: Callable[[], float], limit: float, shutdown: Callable[[], Awaitable[None]], complaint: str
) -> None:
    """Call ``shutdown`` when ``unused_seconds`` exceeds ``limit``, and again for as long as it does.

    ``complaint`` is logged then, with the limit in place of its ``%.2f``.
    """
    while True:
        left = limit - unused_seconds()
        if left >= 0:
            await asyncio.sleep(max(min(left, limit / 4), _SHORTEST_PAUSE))
            continue
        logger.warning(complaint, limit)
        try:
            await shutdown()
        except Exception as error:
            logger.warning("Failed to ask for the shutdown of this cluster: %s", error)
        await asyncio.sleep(min(limit / 4, _LONGEST_RETRY))
