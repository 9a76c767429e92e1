"""Brings one cluster nearer to what its spec asks for: observe, plan, execute, and one status write at the end.

Level-based: what has happened before does not matter, only what is there.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway_common.errors import Conflict, KubeError, KubeUnavailable, TooManyRequests
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.object_store import ObjectKey
from gateway_controller.admission import Admissions
from gateway_controller.core.observed import Observed
from gateway_controller.core.plan import Plan, plan
from gateway_controller.core.status import with_problem
from gateway_controller.execute import Executor, SchedulerRejected
from gateway_controller.informers import Informers
from gateway_controller.observe import Observer


class Reconciler:
    """What a worker of the queue does with a key."""

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        installation: Installation,
        now: Callable[[], datetime],
        admissions: Admissions | None = None,
    ) -> None:
        self._installation = installation
        self._now = now
        self._observer = Observer(client, informers, admissions)
        self._executor = Executor(client, informers, self._observer, installation, now)

    def recover(self) -> None:
        """To be called once, when the informers have seen everything."""
        self._observer.recover()

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Returns in how many seconds to look again; None: when something changes. Raises KubeError: try again."""
        observed = await self._observer.observe(key)
        if observed is None:
            return None
        try:
            decided = await self._carry_out(observed)
        except (Conflict, KubeUnavailable, TooManyRequests):
            # It passes, and says nothing about this cluster.
            raise
        except KubeError as error:
            await self._executor.write_status(observed.cluster, with_problem(observed.cluster.status, error))
            raise
        await self._executor.write_status(observed.cluster, decided.status)
        return decided.requeue_after

    async def _carry_out(self, observed: Observed) -> Plan:
        decided = plan(observed, self._installation, self._now())
        try:
            await self._executor.execute(observed, decided.actions)
        except SchedulerRejected as error:
            decided = plan(replace(observed, refusal=str(error)), self._installation, self._now())
            await self._executor.execute(observed, decided.actions)
        return decided
