"""What every kubelet does: register its node, follow the pods that are bound to it, and stand still when frozen.

The seam between kubelets is the abstract methods: `Kubelet` starts processes in them, `SimulatedKubelet` does not.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping

from gateway_common.clock import Clock, to_rfc3339
from gateway_common.resources import NODES, PODS, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.following import Loops
from gateway_local.kubelet.addresses import AddressRange
from gateway_local.kubelet.status import PodFacts, build_status

#: Requests are promises about a cluster's nodes. One machine holds whatever its user starts on it, so the node claims
#: far more than any machine has, and only whoever sets a capacity gets Unschedulable pods.
GENEROUS = {"cpu": "100000", "memory": "1000Ti", "pods": "100000"}


LOW_ON_MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "
"""What a kubelet says of a pod that it evicts to save its node."""


class NodeAgent(ABC):
    """Base of the kubelets.

    Parameters
    ----------
    capacity
        What the node says it has. It bounds what the scheduler puts here, not what processes use.
    """

    def __init__(self, objects: Objects, *, node_name: str, capacity: Mapping[str, str], clock: Clock) -> None:
        self.node_name = node_name
        self._objects = objects
        self._capacity = dict(capacity)
        self._clock = clock
        self._addresses: AddressRange
        self._pods: dict[str, Manifest] = {}
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._loops = Loops()

    async def start(self) -> None:
        """Register the node and look after its pods from now on."""
        self._addresses = AddressRange.claim()
        await self._prepare()
        self._register()
        self._loops.follow(self._objects, PODS, self._pod_changed)

    async def stop(self) -> None:
        """End. The pods' objects stay as they are."""
        await self._loops.stop()
        await self._release()
        self._addresses.close()

    def freeze(self) -> None:
        """From now on report nothing and react to nothing, as a machine that hangs. Processes go on running."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Go on, and catch up on what was missed."""
        self._thawed.set()
        bound = {pod["metadata"]["uid"]: pod for pod in self._objects.list(PODS) if self._is_ours(pod)}
        for uid in self._pods.keys() - bound.keys():
            self._pod_gone(self._pods.pop(uid))
        for pod in bound.values():
            self._pod_changed("MODIFIED", pod)
        self._resume()

    @abstractmethod
    async def evict(self, namespace: str, name: str, message: str = LOW_ON_MEMORY) -> None:
        """Throw a pod out, as a node that runs short of something does: it ends Failed, and its object stays.

        `KeyError` for a pod that is not on this node.
        """

    @property
    def frozen(self) -> bool:
        return not self._thawed.is_set()

    @abstractmethod
    async def _prepare(self) -> None:
        """Before the first pod."""

    @abstractmethod
    def _pod_bound(self, pod: Manifest) -> None:
        """A pod of this node is there, or has changed, or is to go: `deletionTimestamp` says so."""

    @abstractmethod
    def _pod_gone(self, pod: Manifest) -> None:
        """A pod's object is no more."""

    @abstractmethod
    def _resume(self) -> None:
        """After a thaw."""

    @abstractmethod
    async def _release(self) -> None:
        """After the last pod, while the addresses are still ours."""

    def _pod_changed(self, change: str, pod: Manifest) -> None:
        if self.frozen or not self._is_ours(pod):
            return
        uid = pod["metadata"]["uid"]
        if change == "DELETED":
            if self._pods.pop(uid, None):
                self._pod_gone(pod)
            return
        self._pods[uid] = pod
        self._pod_bound(pod)

    def _bound_pod(self, namespace: str, name: str) -> Manifest:
        pod = self._objects.get(PODS, namespace, name)
        if pod is None or pod["metadata"]["uid"] not in self._pods:
            raise KeyError(f"no pod {namespace}/{name} runs on this node")
        return pod

    def _is_ours(self, pod: Manifest) -> bool:
        return bool(pod["spec"].get("nodeName") == self.node_name)

    def _write_status(self, pod: Manifest, facts: PodFacts) -> None:
        """Report, unless nothing changed or the pod is gone meanwhile."""
        metadata = pod["metadata"]
        current = self._objects.get(PODS, metadata["namespace"], metadata["name"])
        if current is None or current["metadata"]["uid"] != metadata["uid"]:
            return
        previous = current.get("status") or {}
        status = build_status(facts, previous, self._clock())
        if any(previous.get(key) != value for key, value in status.items()):
            self._objects.patch(PODS, metadata["namespace"], metadata["name"], {"status": status}, "status")

    def _remove(self, pod: Manifest) -> None:
        """Tell the API that nothing of the pod is left on this node."""
        metadata = pod["metadata"]
        try:
            self._objects.delete(
                PODS, metadata["namespace"], metadata["name"], grace_period_seconds=0, uid=metadata["uid"]
            )
        except StatusError as error:
            if error.code not in (404, 409):  # somebody else removed it, or made a new one of this name
                raise

    def _register(self) -> None:
        now = to_rfc3339(self._clock())
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        labels = {"kubernetes.io/hostname": self.node_name, "kubernetes.io/os": "linux"}
        status = {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": [ready],
            "addresses": [
                {"type": "InternalIP", "address": self._addresses.node_address},
                {"type": "Hostname", "address": self.node_name},
            ],
            "nodeInfo": {"operatingSystem": "linux", "architecture": os.uname().machine},
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node_name, "labels": labels}}
        if self._objects.get(NODES, "", self.node_name) is None:
            self._objects.create(NODES, node)
        self._objects.patch(NODES, "", self.node_name, {"status": status}, "status")
