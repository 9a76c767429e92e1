"""A live view of a scheduler's workers, as the scheduler itself reports it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from distributed.core import rpc

from dask_gateway.report import GatewaySecurity

logger = logging.getLogger("distributed.client")


class WorkerStatusWatch:
    """A connection over which a scheduler tells which workers come and go.

    ``scheduler_info`` starts as the scheduler's identity; its ``workers`` are current while the connection lasts.
    """

    def __init__(self, scheduler: Any, on_change: Callable[[], None]) -> None:
        self.scheduler = scheduler
        self.scheduler_info: dict[str, Any] = {}
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, address: str | None, security: GatewaySecurity | None, on_change: Callable[[], None]
    ) -> "WorkerStatusWatch":
        """Connect and subscribe. Without an answer the cluster is still of use, so that is logged and no error."""
        connection_args = security.get_connection_args("client") if security is not None else {}
        watch = cls(rpc(address, connection_args=connection_args), on_change)
        comm = None
        try:
            comm = await watch.scheduler.live_comm()
            await comm.write({"op": "subscribe_worker_status"})
            watch.scheduler_info = await comm.read()
        except Exception as error:
            logger.warning("Failed to subscribe to worker updates from %s: %s", address, error)
            if comm is not None:
                await comm.close()
        else:
            watch._task = asyncio.ensure_future(watch._follow(comm))
        return watch

    async def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.scheduler.close_rpc()

    async def _follow(self, comm: Any) -> None:
        try:
            while True:
                for change, subject in await comm.read():
                    self._apply(change, subject)
                self._on_change()
        except OSError:
            pass  # the scheduler is gone
        finally:
            await comm.close()

    def _apply(self, change: str, subject: Any) -> None:
        workers = self.scheduler_info.setdefault("workers", {})
        if change == "add":
            workers.update(subject.pop("workers"))
            self.scheduler_info.update(subject)
        elif change == "remove":
            workers.pop(subject, None)
