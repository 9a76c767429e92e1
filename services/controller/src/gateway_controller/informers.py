"""The controller's copy of the DaskClusters and pods of its instance, and which change wakes which cluster."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway_common.informer import Informer
from gateway_common.kube import KubeClient
from gateway_common.names import instance_selector
from gateway_common.object_store import ObjectKey
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_controller.core.observed import Cluster, Pod, pod_matters, read_cluster, read_pod

T = TypeVar("T")
Wake = Callable[[ObjectKey], None]


class Informers:
    """`clusters` by key, `pods` by key and by their cluster's key. `wake` is called with a cluster's key."""

    def __init__(self, client: KubeClient, *, instance: str, namespaces: Sequence[str], wake: Wake) -> None:
        self._wake = wake
        self._known_clusters: dict[ObjectKey, Cluster] = {}
        self._known_pods: dict[ObjectKey, Pod] = {}
        self._next_slots: dict[ObjectKey, int] = {}
        self._unsure_slots: dict[ObjectKey, set[int]] = {}
        selector = instance_selector(instance)
        self.clusters: Informer[Cluster] = Informer(
            client,
            DASKCLUSTERS,
            namespaces=namespaces,
            label_selector=selector,
            transform=read_cluster,
            on_change=self._cluster_changed,
        )
        self.pods: Informer[Pod] = Informer(
            client,
            PODS,
            namespaces=namespaces,
            label_selector=selector,
            transform=read_pod,
            index=cluster_of,
            on_change=self._pod_changed,
        )

    async def run(self) -> None:
        """Keep the copy current until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.clusters.run())
            group.create_task(self.pods.run())

    async def wait_synced(self) -> None:
        """Wait until the copy is complete: what is missing in it before may well be there."""
        await self.clusters.wait_synced()
        await self.pods.wait_synced()

    def next_slot(self, cluster: ObjectKey) -> int:
        """A number above those of all workers that this process has seen, gone ones too.

        The scheduler may still know a worker of that name whose node has died: no two workers share one.
        """
        return self._next_slots.get(cluster, 0)

    def unsure_slots(self, cluster: ObjectKey) -> set[int]:
        """Numbers of workers of which it is not known whether they have been made."""
        return self._unsure_slots.get(cluster, set())

    def doubt_slot(self, cluster: ObjectKey, slot: int) -> None:
        """The answer to a worker's creation was lost. Asking for the same one again makes sure that there is one."""
        self._unsure_slots.setdefault(cluster, set()).add(slot)

    def forget_slots(self, cluster: ObjectKey) -> None:
        """The cluster is gone."""
        self._next_slots.pop(cluster, None)
        self._unsure_slots.pop(cluster, None)

    def _cluster_changed(self, key: ObjectKey, new: Cluster | None) -> None:
        if _replace(self._known_clusters, key, new) != new:
            self._wake(key)

    def _pod_changed(self, key: ObjectKey, new: Pod | None) -> None:
        old = _replace(self._known_pods, key, new)
        pod = new or old
        if not pod or not pod.cluster:
            return
        cluster = cluster_of(pod)
        if pod.slot >= self._next_slots.get(cluster, 0):
            self._next_slots[cluster] = pod.slot + 1
        self.unsure_slots(cluster).discard(pod.slot)
        if pod_matters(old, new):
            self._wake(cluster)


def cluster_of(pod: Pod) -> ObjectKey:
    """The key of the cluster that a pod says it belongs to."""
    return ObjectKey(pod.namespace, pod.cluster)


def _replace(known: dict[ObjectKey, T], key: ObjectKey, new: T | None) -> T | None:
    """Put the new value in the old one's place, and return the old one."""
    old = known.pop(key, None)
    if new is not None:
        known[key] = new
    return old
