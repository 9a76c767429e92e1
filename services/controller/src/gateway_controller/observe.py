"""Gathers what is known of one cluster from the informers.

It asks the API server only before it calls a pod lost, and for the log of a scheduler that failed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway_common.errors import KubeError, NotFound
from gateway_common.kube import KubeClient
from gateway_common.model import Phase
from gateway_common.names import scheduler_pod_name
from gateway_common.object_store import ObjectKey
from gateway_common.resources import PODS
from gateway_controller.admission import Admissions
from gateway_controller.core.deadlines import deletion_deadline, seconds_until
from gateway_controller.core.observed import Cluster, Observed, Pod, arrange
from gateway_controller.core.status import last_part
from gateway_controller.informers import Informers

#: Of the log of a scheduler that failed, what is kept in its cluster's record, and how long that may take.
LOG_LINES = 40
LOG_BYTES = 4096
LOG_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Observer:
    """Views of clusters, in which pods whose deletion was just asked for count as being deleted.

    That is a hint which a restart may lose: it spares calls, and nothing depends on it.
    """

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        now: Callable[[], datetime],
        admissions: Admissions | None = None,
    ) -> None:
        self._client = client
        self._informers = informers
        self._now = now
        self._admissions = admissions
        #: Uids by the cluster's key; dropped when the cluster is gone.
        self._deleted: dict[ObjectKey, frozenset[str]] = {}

    async def observe(self, key: ObjectKey) -> Observed | None:
        """What is known of a cluster now; None if there is no such cluster."""
        cluster = self._informers.clusters.get(key)
        if cluster is None:
            self._deleted.pop(key, None)
            if self._admissions:
                self._admissions.gone(key, sum(not pod.stuck for pod in self._pods(key)))
            return None
        observed = self._arrange(cluster, key)
        if _seems_lost(observed) and await self._find_scheduler(cluster):
            observed = self._arrange(cluster, key)
        return self._admissions.look(observed) if self._admissions else observed

    def left_behind(self, key: ObjectKey) -> float | None:
        """In how many seconds the next pod of a cluster that is gone counts as stuck; None: there is none."""
        now = self._now()
        return seconds_until(deletion_deadline(self._informers.pods.by_index(key), now), now)

    def recover(self) -> None:
        """Find out who was admitted before this process began."""
        if self._admissions:
            clusters = self._informers.clusters.values()
            self._admissions.recover(
                [arrange(cluster, self._pods(ObjectKey(cluster.namespace, cluster.name))) for cluster in clusters]
            )

    def expect_deletion(self, key: ObjectKey, uids: frozenset[str]) -> None:
        """These pods were deleted just now: they count as on their way out before the watch says so."""
        self._deleted[key] = self._deleted.get(key, frozenset()) | uids

    def _arrange(self, cluster: Cluster, key: ObjectKey) -> Observed:
        informers = self._informers
        return arrange(cluster, self._pods(key), informers.next_slot(key), informers.unsure_slots(key))

    def _pods(self, key: ObjectKey) -> list[Pod]:
        pods = self._informers.pods.by_index(key)
        if deleted := self._deleted.get(key):
            # Those that the watch has caught up with are forgotten.
            deleted &= {pod.uid for pod in pods if not pod.deleting}
            self._deleted[key] = deleted
            pods = [replace(pod, deleting=True) if pod.uid in deleted else pod for pod in pods]
        now = self._now()
        return [replace(pod, stuck=True) if pod.deletion_due and pod.deletion_due <= now else pod for pod in pods]

    async def read_log(self, observed: Observed, container: str) -> str:
        """The last lines of a scheduler's log; empty if they can't be had now: nobody waits long for them."""
        scheduler = observed.scheduler
        if scheduler is None:
            return ""
        try:
            async with asyncio.timeout(LOG_SECONDS):
                text = await self._client.pod_log(
                    scheduler.name, namespace=scheduler.namespace, container=container, tail_lines=LOG_LINES
                )
        except (KubeError, TimeoutError) as error:
            logger.info("The log of %s/%s was not read: %s", scheduler.namespace, scheduler.name, error)
            return ""
        return last_part(text, LOG_BYTES)

    async def _find_scheduler(self, cluster: Cluster) -> bool:
        """Look with the API server's own eyes: a wrong guess would cost the user the cluster."""
        name = scheduler_pod_name(cluster.name)
        try:
            manifest = await self._client.get(PODS, name, namespace=cluster.namespace)
        except NotFound:
            return False
        self._informers.pods.absorb(manifest)
        return self._informers.pods.get(ObjectKey(cluster.namespace, name)) is not None


def _seems_lost(observed: Observed) -> bool:
    cluster = observed.cluster
    lives = cluster.active and not cluster.deleting and cluster.status.phase in (Phase.PENDING, Phase.RUNNING)
    return lives and observed.scheduler is None and cluster.status.scheduler_pod is not None
