"""Deletes the records of clusters that were over long ago (K-024)."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from gateway_common.clock import Clock
from gateway_common.errors import Conflict, KubeError, NotFound
from gateway_common.kube import KubeClient
from gateway_common.resources import DASKCLUSTERS
from gateway_controller.core.observed import Cluster
from gateway_controller.informers import Informers

#: Deleted side by side; the next ones when these are done, so that users' clusters are not kept waiting.
PAGE = 8

logger = logging.getLogger(__name__)


class Cleanup:
    """Looks for old records every `period` seconds; `max_age` is in seconds since a cluster's end."""

    def __init__(
        self, client: KubeClient, informers: Informers, *, max_age: float, period: float, clock: Clock
    ) -> None:
        self._client = client
        self._informers = informers
        self._max_age = max_age
        self._period = period
        self._clock = clock

    async def run(self) -> None:
        """Go on until cancelled. What can't be deleted now is found again next time."""
        while True:
            try:
                await self.sweep()
            except KubeError as error:
                logger.warning("Cannot delete old records: %s", error)
            await asyncio.sleep(self._period)

    async def sweep(self) -> None:
        """Delete every record that is too old now; raises KubeError when a whole page of them can't be deleted."""
        before = self._clock() - self._max_age
        old = iter([cluster for cluster in self._informers.clusters.values() if _ended_before(cluster, before)])
        while page := list(islice(old, PAGE)):
            await self._delete(page)

    async def _delete(self, page: Iterable[Cluster]) -> None:
        results = await asyncio.gather(*map(self._delete_one, page), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        for error in failed:
            # one that a webhook protects does not keep the others
            if len(failed) == len(results) or not isinstance(error, KubeError):
                raise error
            logger.warning("Cannot delete an old record: %s", error)

    async def _delete_one(self, cluster: Cluster) -> None:
        try:
            await self._client.delete(DASKCLUSTERS, cluster.name, namespace=cluster.namespace, uid=cluster.uid)
        except (NotFound, Conflict):
            return
        logger.info("Deleted the record of cluster %s", cluster.full_name)


def _ended_before(cluster: Cluster, timestamp: float) -> bool:
    status = cluster.status
    if not status.phase.is_terminal or cluster.deleting:
        return False
    return datetime.fromisoformat(status.completion_time or cluster.created).timestamp() < timestamp
