"""Workers that somebody else than the scheduler ends, as on spot nodes: what they hold is moved to others first.

A nanny that is told to end (:mod:`dask_gateway.scheduler.nanny_plugin`) says so here, and waits for the answer.
"""

import asyncio
import logging
import pickle
import pkgutil
from typing import Any

from distributed.core import Status
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.metrics import time

from dask_gateway.scheduler.nanny_plugin import OPERATION, GracefulDeparture
from dask_gateway.scheduler.workers import WorkerLedger

logger = logging.getLogger("distributed.scheduler.gateway")

_CALM = 0.25  # seconds without another departure
_LONGEST_GATHERING = 5.0  # seconds
_NEXT_BATCH = 2.0  # seconds after which others need not wait for what is being moved


class _AsText:
    """Pickles to what makes the nanny plugin wherever Python and distributed are, be ours installed there or not."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __reduce__(self) -> tuple[Any, ...]:
        names = {"__name__": "dask_gateway_nanny_plugin", "source": self._source}
        return eval, (f"exec(source) or {GracefulDeparture.__name__}()", names)


def pickled_nanny_plugin() -> bytes:
    """The plugin as distributed sends it to nannies."""
    source = pkgutil.get_data(__package__, "nanny_plugin.py")
    assert source is not None
    return pickle.dumps(_AsText(source.decode()))


class Departures(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped here
    """Moves data away from workers that are about to be ended."""

    name = "dask-gateway-departures"

    def __init__(self, scheduler: Any, workers: WorkerLedger) -> None:
        self._scheduler = scheduler
        self._workers = workers
        self._leaving: set[str] = set()
        self._arrivals = 0
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._mover: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself holds tasks weakly
        self._nobody_stays: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self) -> None:
        """Listen to nannies, and have all of them say when they end."""
        self._scheduler.add_plugin(self)
        self._scheduler.handlers[OPERATION] = self.depart
        try:
            plugin, name = pickled_nanny_plugin(), GracefulDeparture.name
            await self._scheduler.register_nanny_plugin(comm=None, plugin=plugin, name=name, idempotent=False)
        except Exception:
            logger.warning("Workers of this scheduler will not move their data when they are ended", exc_info=True)

    def give_up(self) -> None:
        """Let go all that wait: there is nobody who could take what they hold."""
        self._nobody_stays.set_result(None)
        self._nobody_stays = asyncio.get_running_loop().create_future()

    async def depart(self, address: str, seconds: float) -> str:
        """Return when the worker holds nothing that others need, or can't be helped, at the latest after ``seconds``.

        It then counts as removed, so that what it was running is not held against those tasks: distributed gives up a
        task that was running on four workers that vanished.
        """
        worker = self._scheduler.workers.get(address)
        if worker is None:
            return "OK"
        self._leaving.add(address)
        self._arrivals += 1
        self._workers.start_closing([worker.name])
        try:
            if self._somebody_stays():
                await self._move_data(address, seconds)
            else:
                # as when a cluster is stopped, which is to be quick
                self.give_up()
            if self._scheduler.status is not Status.running:
                return "This scheduler ends"  # and has told all workers
            stimulus = f"gateway-departure-{time()}"
            await self._scheduler.remove_worker(address, stimulus_id=stimulus, expected=True, close=False)
        finally:
            self._leaving.discard(address)
        return "OK"

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """The last one that could have taken data may have left."""
        if self._leaving and not self._somebody_stays():
            self.give_up()

    def _somebody_stays(self) -> bool:
        return any(worker.address not in self._leaving for worker in self._scheduler.running)

    async def _move_data(self, address: str, seconds: float) -> None:
        moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._mover is None or self._mover.done():
            self._mover = self._spawn(self._move_in_batches())
        self._asking[address] = moved
        try:
            await asyncio.wait((moved, self._nobody_stays), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asking.pop(address, None)

    async def _move_in_batches(self) -> None:
        while self._asking:
            await self._gather()
            batch, self._asking = self._asking, {}
            await asyncio.wait((self._spawn(self._retire(batch)),), timeout=_NEXT_BATCH)

    async def _gather(self) -> None:
        """Wait until nobody else comes.

        A cluster that is stopped ends all its workers within a moment. To begin with moving their data would take
        distributed, which compares all workers for each key, longer than the stop.
        """
        deadline, seen = time() + _LONGEST_GATHERING, -1
        while self._arrivals != seen and time() < deadline:
            seen = self._arrivals
            await asyncio.sleep(_CALM)

    async def _retire(self, batch: "dict[str, asyncio.Future[None]]") -> None:
        """Never cancelled, which distributed would log as an error: it ends when its workers are removed."""
        try:
            await self._scheduler.retire_workers(workers=list(batch), remove=False)
        except Exception:
            logger.warning("Moving the data of departing workers failed", exc_info=True)
        for moved in batch.values():
            if not moved.done():
                moved.set_result(None)

    def _spawn(self, coroutine: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
