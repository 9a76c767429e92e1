"""Numbers of workers that somebody has written into a DaskCluster, as `kubectl scale` does, reach its scheduler.

A scheduler that does not know of such a number would send away the workers that are made by it. What a scheduler asks
for is stored twice, as `spec.replicas` and as an annotation: where the two differ, somebody else has written. Every
replica of the api looks after all clusters, and tells the scheduler until it has followed: a message states the number
that is wanted, so that it may arrive more than once. What the scheduler hears last counts, whoever says it.
"""

import asyncio
import logging

from gateway_api.clusters.record import Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.scheduler_client import SchedulerClient
from gateway_common.backoff import Backoff
from gateway_common.errors import KubeError
from gateway_common.names import ClusterName

logger = logging.getLogger(__name__)

#: Schedulers that are told at the same time.
CONCURRENT_MESSAGES = 16
#: Seconds between tries.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: Seconds until a scheduler that has taken a number has reported it, if it does: it had the same number before, or more
#: than its limit.
REPORT_PATIENCE = 2.0


class ReplicasForwarder:
    """Tells schedulers how many workers somebody else has asked for. Holds a task for each that has yet to follow."""

    def __init__(
        self, repository: ClusterRepository, schedulers: SchedulerClient, *, patience: float = REPORT_PATIENCE
    ) -> None:
        self._repository = repository
        self._schedulers = schedulers
        self._patience = patience
        self._tasks: dict[ClusterName, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(CONCURRENT_MESSAGES)
        repository.tell(self._changed)

    async def close(self) -> None:
        """Leave the rest to other replicas, or to the next start."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _changed(self, name: ClusterName, record: Record | None) -> None:
        if record is not None and record.overridden and name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._forward(name))

    async def _forward(self, name: ClusterName) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        try:
            while (record := self._repository.cached(name)) is not None and record.overridden:
                if not await self._tell(name):
                    await asyncio.sleep(backoff.next())
        finally:
            del self._tasks[name]

    async def _tell(self, name: ClusterName) -> bool:
        """One try; whether nothing is left to be told."""
        try:
            async with self._slots:
                # what this replica's cache holds may have been overtaken: nobody is to be told what was wanted once
                record = await self._repository.refresh(name)
                if record is None or not record.overridden:
                    return True
                count = record.within_limit(record.replicas)
                credentials = await self._repository.credentials(record)
                if credentials is None:
                    return False
                message = {"op": "scale", "count": count}
                if not await self._schedulers.send(record.scheduler_host, credentials.token, message):
                    return False
            logger.info("Cluster %s was scaled to %d workers in Kubernetes", name, count)
            latest = await self._repository.wait_until(name, lambda seen: not seen.overridden, seconds=self._patience)
            if latest is not None and latest.overridden:
                await self._repository.settle(record, replicas=count)
            latest = self._repository.cached(name)
            return latest is None or not latest.overridden
        except KubeError as error:
            logger.warning("Cluster %s was scaled in Kubernetes, and its scheduler can't be told yet: %s", name, error)
            return False
