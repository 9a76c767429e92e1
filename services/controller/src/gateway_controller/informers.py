"""The controller's copy of the DaskClusters and pods of its instance, and which change wakes which cluster."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from gateway_common.informer import Informer
from gateway_common.kube import KubeClient
from gateway_common.names import instance_selector
from gateway_common.object_store import ObjectKey
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_controller.core.observed import Cluster, Pod, Wake, classify_change, read_cluster, read_pod

T = TypeVar("T")
Waker = Callable[[ObjectKey], None]


class Informers:
    """`clusters` by key, `pods` by key and by their cluster's key.

    `wake` is called with the key of a cluster to be looked at now, `wake_later` with one to be looked at in a while.
    """

    def __init__(
        self, client: KubeClient, *, instance: str, namespaces: Sequence[str], wake: Waker, wake_later: Waker
    ) -> None:
        self._wake = wake
        self._wake_later = wake_later
        self._known_clusters: dict[ObjectKey, Cluster] = {}
        self._known_pods: dict[ObjectKey, Pod] = {}
        self._next_slots: dict[ObjectKey, int] = {}
        self._unsure_slots: dict[ObjectKey, set[tuple[str, int]]] = {}
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
        """Wait until the copy is complete: what is missing in it before may well be there.

        Of a namespace that may not be read it is never complete, see `is_complete`.
        """
        await self.clusters.wait_synced()
        await self.pods.wait_synced()

    def is_complete(self, namespace: str) -> bool:
        """Whether all that is in a namespace is known."""
        return self.clusters.is_synced(namespace) and self.pods.is_synced(namespace)

    def refresh(self) -> None:
        """Read everything again at once; `wait_synced` says when that is done."""
        self.clusters.refresh()
        self.pods.refresh()

    def note(self) -> str:
        """How far this copy has come, in what it has read and in the answers to its own writes, for `have_seen`."""
        return orjson.dumps({"daskclusters": self.clusters.newest(), "pods": self.pods.newest()}).decode()

    def have_seen(self, note: str) -> bool:
        """Whether the watches have come as far as another copy was when it made this note; not if it can't be read."""
        try:
            newest = orjson.loads(note)
            return self.clusters.has_seen(newest["daskclusters"]) and self.pods.has_seen(newest["pods"])
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            return False

    def next_slot(self, cluster: ObjectKey) -> int:
        """A number above those of all workers that this process has seen, gone ones too.

        The scheduler may still know a worker of that name whose node has died: no two workers share one.
        """
        return self._next_slots.get(cluster, 0)

    def unsure_slots(self, cluster: ObjectKey) -> set[tuple[str, int]]:
        """Groups and numbers of workers of which it is not known whether they have been made."""
        return self._unsure_slots.get(cluster, set())

    def doubt_slot(self, cluster: ObjectKey, group: str, slot: int) -> None:
        """The answer to a worker's creation was lost. Asking for the same one again makes sure that there is one."""
        self._unsure_slots.setdefault(cluster, set()).add((group, slot))

    def _cluster_changed(self, key: ObjectKey, new: Cluster | None) -> None:
        if _replace(self._known_clusters, key, new) != new:
            self._wake(key)
        if new is None:
            self._forget_slots(key)

    def _pod_changed(self, key: ObjectKey, new: Pod | None) -> None:
        old = _replace(self._known_pods, key, new)
        pod = new or old
        if not pod or not pod.cluster:
            return
        cluster = cluster_of(pod)
        if new is None:
            self._forget_slots(cluster)
        elif pod.slot >= self._next_slots.get(cluster, 0):
            self._next_slots[cluster] = pod.slot + 1
        self.unsure_slots(cluster).discard((pod.group, pod.slot))
        match classify_change(old, new):
            case Wake.NOW:
                self._wake(cluster)
            case Wake.LATER:
                self._wake_later(cluster)

    def _forget_slots(self, cluster: ObjectKey) -> None:
        """Once nothing is left of a cluster. Replicas that only stand by learn of its end in no other way."""
        if self.clusters.get(cluster) is None and not self.pods.by_index(cluster):
            self._next_slots.pop(cluster, None)
            self._unsure_slots.pop(cluster, None)


def cluster_of(pod: Pod) -> ObjectKey:
    """The key of the cluster that a pod says it belongs to."""
    return ObjectKey(pod.namespace, pod.cluster)


def _replace(known: dict[ObjectKey, T], key: ObjectKey, new: T | None) -> T | None:
    """Put the new value in the old one's place, and return the old one."""
    old = known.pop(key, None)
    if new is not None:
        known[key] = new
    return old
