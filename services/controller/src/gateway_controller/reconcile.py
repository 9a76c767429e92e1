"""Brings one cluster nearer to what its spec asks for: observe, plan, execute, and one status write at the end.

Level-based: what has happened before does not matter, only what is there.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway_common.errors import Conflict, KubeError, KubeUnavailable, TooManyRequests
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.model import DaskClusterStatus
from gateway_common.object_store import ObjectKey
from gateway_controller.admission import Admissions
from gateway_controller.core.observed import Observed
from gateway_controller.core.plan import Plan, plan, refused
from gateway_controller.core.status import patience, with_log, with_used_slots
from gateway_controller.events import Events
from gateway_controller.execute import Executor, SchedulerRejected
from gateway_controller.informers import Informers
from gateway_controller.observe import Observer
from gateway_controller.pace import Pace
from gateway_controller.upkeep import Upkeep

#: Seconds until the next look at a cluster in a namespace that may not be read, or is just being read.
INCOMPLETE_SECONDS = 1.0


class Reconciler:
    """What a worker of the queue does with a key."""

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        installation: Installation,
        now: Callable[[], datetime],
        events: Events,
        upkeep: Upkeep,
        admissions: Admissions | None = None,
    ) -> None:
        self._informers = informers
        self._installation = installation
        self._now = now
        self._events = events
        self._upkeep = upkeep
        self._pace = Pace()
        self._observer = Observer(client, informers, now, admissions)
        self._executor = Executor(client, informers, self._observer, installation, now, events)

    def recover(self) -> None:
        """To be called once, when the informers have seen everything."""
        self._observer.recover()

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Returns in how many seconds to look again; None: when something changes. Raises KubeError: try again."""
        if not self._informers.is_complete(key.namespace):
            # with half a picture, pods would be made that are there
            return INCOMPLETE_SECONDS
        observed = await self._observer.observe(key)
        if observed is None:
            self._pace.forget(key)
            self._events.forget(key)
            self._upkeep.forget(key)
            return self._observer.left_behind(key)
        observed = replace(observed, drift=self._upkeep.drift(key))
        try:
            decided = await self._carry_out(key, observed)
        except (Conflict, KubeUnavailable, TooManyRequests):
            # It passes, and says nothing about this cluster.
            raise
        except KubeError as error:
            # At once: whoever waits a little here is tried again meanwhile, and would wait for ever.
            await self._executor.write_status(observed.cluster, refused(observed, error, self._now()))
            raise
        pause = await self._write(key, observed, decided.status)
        return min((seconds for seconds in (pause, decided.requeue_after) if seconds is not None), default=None)

    async def _carry_out(self, key: ObjectKey, observed: Observed) -> Plan:
        decided = plan(observed, self._installation, self._now())
        log = await self._observer.read_log(observed, decided.log_container) if decided.log_container else ""
        try:
            await self._execute(key, observed, decided)
        except SchedulerRejected as error:
            decided = plan(replace(observed, refusal=str(error)), self._installation, self._now())
            await self._execute(key, observed, decided)
        return replace(decided, status=with_log(decided.status, log)) if log else decided

    async def _execute(self, key: ObjectKey, observed: Observed, decided: Plan) -> None:
        if decided.actions:
            await self._executor.execute(observed, decided.actions)
            self._upkeep.mended(key, observed.drift)
            self._pace.touch(key, self._now().timestamp())

    async def _write(self, key: ObjectKey, observed: Observed, status: DaskClusterStatus) -> float | None:
        """Write a status if it changed: now, or, where that can wait, in so many seconds."""
        cluster = observed.cluster
        if status == cluster.status:
            return None
        now = self._now().timestamp()
        if pause := self._pace.pause(key, patience(cluster.status, status), now):
            return pause
        self._pace.touch(key, now)
        # A write that is made anyway says at no cost which names of workers are used up.
        await self._executor.write_status(cluster, with_used_slots(status, observed.next_slot))
        return None
