"""The rules for a scheduler's report. Knows no HTTP and no Kubernetes."""

from gateway_api.clusters.record import LIVE, Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.heartbeats.schemas import Heartbeat
from gateway_common.clock import Clock


class HeartbeatService:
    """Turns reports into what is wanted of the controller."""

    def __init__(self, repository: ClusterRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    async def receive(self, record: Record, heartbeat: Heartbeat) -> None:
        """Note that the scheduler has started, and how many workers it wants within the cluster's limit."""
        if record.status not in LIVE:
            return
        groups = None
        if heartbeat.groups is not None:
            known = set(record.worker_groups)
            groups = {
                name: record.within_limit(count, name) for name, count in heartbeat.groups.items() if name in known
            }
        replicas = record.within_limit(heartbeat.count)
        await self._repository.report(record, replicas=replicas, groups=groups, now=self._clock())
