"""Deletes the records of clusters that were over long ago (K-024), and those that a user has too many of."""

import asyncio
import logging
from collections import defaultdict
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
    """Looks for records every `period` seconds.

    `max_age` is in seconds since a cluster's end, `most` how many records a user may have.
    """

    def __init__(
        self, client: KubeClient, informers: Informers, *, max_age: float, most: int, period: float, clock: Clock
    ) -> None:
        self._client = client
        self._informers = informers
        self._max_age = max_age
        self._most = most
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
        """Delete every record that is too old or too many; raises KubeError when a whole page can't be deleted."""
        unwanted = iter(find_unwanted(self._informers.clusters.values(), self._clock() - self._max_age, self._most))
        while page := list(islice(unwanted, PAGE)):
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


def find_unwanted(clusters: Iterable[Cluster], before: float, most: int) -> list[Cluster]:
    """Those that ended before a time, in seconds since the epoch, and of each user the oldest beyond `most`."""
    ended: defaultdict[str, list[Cluster]] = defaultdict(list)
    for cluster in clusters:
        if cluster.status.phase.is_terminal and not cluster.deleting:
            ended[cluster.user].append(cluster)
    unwanted: list[Cluster] = []
    for records in ended.values():
        records.sort(key=_end, reverse=True)
        unwanted += (record for number, record in enumerate(records) if number >= most or _end(record) < before)
    return unwanted


def _end(cluster: Cluster) -> float:
    return datetime.fromisoformat(cluster.status.completion_time or cluster.created).timestamp()
