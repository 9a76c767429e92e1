"""The running controller: informers wake keys, workers reconcile them.

`run` is all that an instance does once it may act: whoever decides which of several instances that is calls it, and
cancels it.
"""

import asyncio
import logging
from datetime import UTC, datetime

from gateway_common.clock import Clock, system_clock
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
from gateway_controller.queue import WorkQueue
from gateway_controller.reconcile import Reconciler

#: What only changes how workers are counted waits so long for more of its kind.
LATER_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Controller:
    """Reconciles all clusters of one instance. Nothing here survives a restart, and nothing has to."""

    def __init__(self, settings: Configuration, client: KubeClient, clock: Clock = system_clock) -> None:
        group = settings.controller
        self.queue = WorkQueue(base_delay=group.backoff_base_delay, max_delay=group.backoff_max_delay)
        self._parallelism = asyncio.Semaphore(group.parallelism)
        self._informers = Informers(
            client,
            instance=settings.instance,
            namespaces=settings.namespaces,
            wake=self._changed,
            wake_later=lambda key: self.queue.add_after(key, LATER_SECONDS),
        )
        self._admissions = Admissions(settings, self.queue.add) if has_limits(settings) else None

        def now() -> datetime:
            return datetime.fromtimestamp(clock(), UTC)

        self._events = Events(client, now)
        self._reconciler = Reconciler(
            client, self._informers, installation_of(settings), now, self._events, self._admissions
        )
        self._cleanup = Cleanup(
            client,
            self._informers,
            max_age=group.completed_cluster_max_age,
            period=group.completed_cluster_cleanup_period,
            clock=clock,
        )
        self._synced = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the copy of the world is complete, so that clusters are being worked on."""
        return self._synced.is_set()

    async def run(self) -> None:
        """Work until cancelled. Only a defect of ours ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informers.run())
            await self._informers.wait_synced()
            self._reconciler.recover()
            self._synced.set()
            group.create_task(self._cleanup.run())
            group.create_task(self._events.run())
            while True:
                await self._parallelism.acquire()
                key = await self.queue.get()
                group.create_task(self._work(key))

    def _changed(self, key: ObjectKey) -> None:
        if self._admissions:
            self._admissions.saw(key, self._informers.clusters.get(key))
        self.queue.add(key)

    async def _work(self, key: ObjectKey) -> None:
        """Reconcile one key. Whatever goes wrong with it is its own affair, and is tried again later."""
        try:
            requeue_after = await self._reconciler.reconcile(key)
        except KubeError as error:
            pause = self.queue.retry(key, error.retry_after if isinstance(error, TooManyRequests) else 0.0)
            logger.warning("Cluster %s.%s is tried again in %.1f s: %s", *key, pause, error)
        except Exception:
            logger.exception("Cluster %s.%s is tried again in %.1f s", *key, self.queue.retry(key))
        else:
            self.queue.succeed(key)
            if requeue_after is not None:
                self.queue.add_after(key, requeue_after)
        finally:
            self.queue.done(key)
            self._parallelism.release()
