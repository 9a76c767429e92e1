"""Tells Kubernetes what happens to clusters, as Events. Best effort: nothing waits for them or depends on them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from gateway_common.errors import AlreadyExists, KubeError
from gateway_common.kube import KubeClient
from gateway_common.model import DaskClusterStatus
from gateway_common.object_store import ObjectKey
from gateway_common.resources import EVENTS, Manifest
from gateway_controller.core.build.event import build_event
from gateway_controller.core.observed import Cluster

#: Events that wait to be sent; when there are more, the oldest are dropped.
MOST_WAITING = 2000

logger = logging.getLogger(__name__)


class Events:
    """Sends one Event after the other, each reason once for each cluster, so that none can flood Kubernetes."""

    def __init__(self, client: KubeClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._waiting: deque[Manifest] = deque(maxlen=MOST_WAITING)
        self._some = asyncio.Event()
        self._told: dict[ObjectKey, frozenset[str]] = {}

    def tell(self, cluster: Cluster, status: DaskClusterStatus) -> None:
        """The cluster has this status from now on."""
        key = ObjectKey(cluster.namespace, cluster.name)
        event = build_event(cluster, status, self._now())
        told = self._told.get(key, frozenset())
        if event is None or event["metadata"]["name"] in told:
            return
        self._told[key] = told | {event["metadata"]["name"]}
        self._waiting.append(event)
        self._some.set()

    def forget(self, key: ObjectKey) -> None:
        """The cluster is gone."""
        self._told.pop(key, None)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                await self._send(self._waiting.popleft())

    async def _send(self, event: Manifest) -> None:
        try:
            with suppress(AlreadyExists):
                await self._client.create(EVENTS, event)
        except KubeError as error:
            logger.info("The event %s was not sent: %s", event["reason"], error)
        except Exception:
            logger.exception("The event %s was not sent", event["reason"])
