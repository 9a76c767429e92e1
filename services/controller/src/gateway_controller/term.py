"""What a controller does while it leads: takes keys from the queue, reconciles them, deletes old records.

All that it remembers begins and ends with it: a leader that was deposed and elected again has missed what others did
meanwhile.
"""

import asyncio
import logging
from datetime import UTC, datetime

from gateway_common.clock import Clock
from gateway_common.configuration.model import Configuration
from gateway_common.errors import KubeError, TooManyRequests
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import installation_of
from gateway_common.object_store import ObjectKey
from gateway_common.quota import has_limits
from gateway_controller.admission import Admissions
from gateway_controller.cleanup import Cleanup
from gateway_controller.events import Events
from gateway_controller.informers import Informers
from gateway_controller.metrics import Metrics
from gateway_controller.queue import WorkQueue
from gateway_controller.readiness import keep_readiness_route
from gateway_controller.reconcile import Reconciler
from gateway_controller.upkeep import Upkeep

#: What only changes how workers are counted waits so many seconds for more of its kind.
LATER_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Term:
    """One time of leading. It begins when the copy of the world is complete."""

    def __init__(
        self, settings: Configuration, client: KubeClient, informers: Informers, metrics: Metrics, clock: Clock
    ) -> None:
        group = settings.controller
        self._settings = settings
        self._client = client
        self.queue = WorkQueue(base_delay=group.backoff_base_delay, max_delay=group.backoff_max_delay)
        self._parallelism = asyncio.Semaphore(group.parallelism)
        self._shutdown_timeout = group.shutdown_timeout
        self._informers = informers
        self._metrics = metrics
        self._admissions = Admissions(settings, self.queue.add) if has_limits(settings) else None

        def now() -> datetime:
            return datetime.fromtimestamp(clock(), UTC)

        self._events = Events(client, now)
        installation = installation_of(settings)
        self._upkeep = Upkeep(client, informers, installation, namespaces=settings.namespaces, wake=self.queue.add)
        self._reconciler = Reconciler(
            client, informers, installation, now, self._events, self._upkeep, self._admissions
        )
        self._cleanup = Cleanup(
            client,
            informers,
            max_age=group.completed_cluster_max_age,
            most=group.completed_clusters_per_user,
            period=group.completed_cluster_cleanup_period,
            clock=clock,
        )
        self._reconciles: set[asyncio.Task[None]] = set()

    def changed(self, key: ObjectKey) -> None:
        """A cluster, or something of it, is not what it was."""
        if self._admissions:
            self._admissions.saw(key, self._informers.clusters.get(key))
        self.queue.add(key)

    def changed_a_little(self, key: ObjectKey) -> None:
        """Nothing has to be done about it but to count anew."""
        self.queue.add_after(key, LATER_SECONDS)

    async def run(self, stopping: asyncio.Event) -> bool:
        """Look at every cluster, then at those that change, until `stopping` is set; then finish what was begun.

        What takes longer than `shutdown_timeout` is cut off; the answer is whether nothing was. Only a defect of ours
        raises.
        """
        self._reconciler.recover()
        for cluster in self._informers.clusters.values():
            self.queue.add(ObjectKey(cluster.namespace, cluster.name))
        async with asyncio.TaskGroup() as group:
            going_on = [
                group.create_task(self._cleanup.run()),
                group.create_task(self._events.run()),
                group.create_task(self._upkeep.run()),
                group.create_task(keep_readiness_route(self._client, self._settings)),
                group.create_task(self._dispatch(group)),
            ]
            await stopping.wait()
            for task in going_on:
                task.cancel()
            return await self._finish()

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._parallelism.acquire()
            key = await self.queue.get()
            task = group.create_task(self._reconcile(key))
            self._reconciles.add(task)
            task.add_done_callback(self._reconciles.discard)

    async def _finish(self) -> bool:
        if not self._reconciles:
            return True
        _, late = await asyncio.wait(self._reconciles, timeout=self._shutdown_timeout)
        if late:
            logger.info("%d reconciles are cut off: the next leader goes on with them", len(late))
        for task in late:
            task.cancel()
        return not late

    async def _reconcile(self, key: ObjectKey) -> None:
        """Reconcile one key. Whatever goes wrong with it is its own affair, and is tried again later."""
        loop = asyncio.get_running_loop()
        began, outcome = loop.time(), "success"
        try:
            requeue_after = await self._reconciler.reconcile(key)
        except KubeError as error:
            outcome = "error"
            pause = self.queue.retry(key, error.retry_after if isinstance(error, TooManyRequests) else 0.0)
            logger.warning("Cluster %s.%s is tried again in %.1f s: %s", *key, pause, error)
        except Exception:
            outcome = "defect"
            logger.exception("Cluster %s.%s is tried again in %.1f s", *key, self.queue.retry(key))
        else:
            self.queue.succeed(key)
            if requeue_after is not None:
                self.queue.add_after(key, requeue_after)
        finally:
            self._metrics.reconciled(outcome, loop.time() - began)
            self.queue.done(key)
            self._parallelism.release()
