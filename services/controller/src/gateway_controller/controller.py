"""The running controller: informers keep a copy of the world, and whoever leads acts on it.

Every replica keeps its copy current, so that it can take over at once; one of them at a time does more than that.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from gateway_common.clock import Clock, system_clock
from gateway_common.configuration.model import Configuration
from gateway_common.kube import KubeClient
from gateway_common.names import WORKER_COMPONENT
from gateway_common.object_store import ObjectKey
from gateway_controller.core.observed import Pod
from gateway_controller.informers import Informers
from gateway_controller.leader import Work
from gateway_controller.metrics import Metrics, Snapshot
from gateway_controller.queue import WorkQueue
from gateway_controller.term import Term

#: Does the work whenever it may be done, and returns when the event was set and the work has ended: `Election.run`.
Elect = Callable[[Work, asyncio.Event], Awaitable[None]]


class Controller:
    """Reconciles all clusters of one instance. Nothing here survives a restart, and nothing has to."""

    def __init__(
        self, settings: Configuration, client: KubeClient, clock: Clock = system_clock, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._metrics.show(self._snapshot)
        self._informers = Informers(
            client,
            instance=settings.instance,
            namespaces=settings.namespaces,
            wake=self._changed,
            wake_later=self._changed_a_little,
        )
        self._synced = asyncio.Event()
        self._stopping = asyncio.Event()
        self._term: Term | None = None
        self._idle = WorkQueue()

    @property
    def is_ready(self) -> bool:
        """Whether the copy of the world is complete, so that clusters are worked on, or could be at once."""
        return self._synced.is_set()

    @property
    def is_leading(self) -> bool:
        return self._term is not None

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    @property
    def queue(self) -> WorkQueue:
        """What is to be done; always empty where another replica leads."""
        return self._term.queue if self._term else self._idle

    async def run(self, elect: Elect | None = None) -> None:
        """Work until `stop` is called. Only a defect of ours ends it before.

        `elect` decides when; without it this is the only replica there is. Cancelling cuts off whatever is under way.
        """
        async with asyncio.TaskGroup() as group:
            informers = group.create_task(self._informers.run())
            stopped = group.create_task(self._stopping.wait())
            synced = group.create_task(self._informers.wait_synced())
            await asyncio.wait((stopped, synced), return_when=asyncio.FIRST_COMPLETED)
            if synced.done():
                self._synced.set()
                await (elect(self._take_over, self._stopping) if elect else self._lead())
            for task in (informers, stopped, synced):
                task.cancel()

    def stop(self) -> None:
        """Let `run` end when what is under way is done, or has taken too long."""
        self._stopping.set()

    async def _take_over(self, note: str) -> str:
        """What another replica did until now counts, also if our watches have not brought it, or are dead.

        A leader that has left a note has said how far one must have seen; else everything is listed.
        """
        if not self._informers.have_seen(note):
            self._informers.refresh()
            await self._informers.wait_synced()
        finished = await self._lead()
        return self._informers.note() if finished else ""

    async def _lead(self) -> bool:
        self._term = Term(self._settings, self._client, self._informers, self._metrics, self._clock)
        try:
            return await self._term.run(self._stopping)
        finally:
            self._term = None

    def _changed(self, key: ObjectKey) -> None:
        if self._term:
            self._term.changed(key)

    def _changed_a_little(self, key: ObjectKey) -> None:
        if self._term:
            self._term.changed_a_little(key)

    def _snapshot(self) -> Snapshot:
        if not self._term:
            return Snapshot(leading=False, synced=self.is_ready)
        return Snapshot(
            leading=True,
            synced=self.is_ready,
            clusters=Counter(cluster.status.phase.value for cluster in self._informers.clusters.values()),
            workers=Counter(_state(pod) for pod in self._informers.pods.values() if pod.component == WORKER_COMPONENT),
            queue=self._term.queue.counts(),
        )


def _state(pod: Pod) -> str:
    if pod.deleting:
        return "stopping"
    if pod.finished:
        return "ended"
    return "running" if pod.running else "pending"
