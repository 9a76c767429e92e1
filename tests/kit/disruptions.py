"""What Kubernetes does to pods that nobody asked it to end: preemption, evictions by its API, nodes that are lost.

Each writes what the real one writes before the pod goes: the condition DisruptionTarget, in the words of Kubernetes
(1.34: pkg/scheduler/framework/preemption, pkg/registry/core/pod/storage/eviction.go, pkg/controller/tainteviction,
pkg/controller/podgc). A kubelet's own evictions are `NodeAgent.evict`.
"""

from typing import Any

from gateway_common.resources import NODES, PODS
from gateway_local.apiserver.objects import Objects

Manifest = dict[str, Any]
_NOW = "2026-11-23T12:00:00Z"


def preempt(objects: Objects, namespace: str, name: str) -> None:
    """Make room for a pod that is more important."""
    message = "default-scheduler: preempting to accommodate a higher priority pod"
    _disrupt(objects, namespace, name, "PreemptionByScheduler", message)
    objects.delete(PODS, namespace, name)


def evict_by_api(objects: Objects, namespace: str, name: str) -> None:
    """As `kubectl drain` and node autoscalers do."""
    _disrupt(objects, namespace, name, "EvictionByEvictionAPI", "Eviction API: evicting")
    objects.delete(PODS, namespace, name)


def lose_node(objects: Objects, node: str) -> None:
    """A node that has not answered for five minutes: its pods are to go, and nobody there hears of it.

    Freeze its kubelet before. The pods stay, being deleted, until the node comes back or `collect_lost_pods`.
    """
    why = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    unknown = {"type": "Ready", "status": "Unknown", "lastTransitionTime": _NOW, **why}
    objects.patch(NODES, "", node, {"status": {"conditions": [unknown]}}, "status")
    message = "Taint manager: deleting due to NoExecute taint"
    for pod in _pods_of(objects, node):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        _disrupt(objects, namespace, name, "DeletionByTaintManager", message)
        objects.delete(PODS, namespace, name)


def collect_lost_pods(objects: Objects, node: str) -> None:
    """The node's object is deleted, as cloud providers do with machines that are no more, and its pods with it."""
    objects.delete(NODES, "", node)
    for pod in _pods_of(objects, node):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        _disrupt(objects, namespace, name, "DeletionByPodGC", "PodGC: node no longer exists", phase="Failed")
        objects.delete(PODS, namespace, name, grace_period_seconds=0)


def _pods_of(objects: Objects, node: str) -> list[Manifest]:
    return [pod for pod in objects.list(PODS) if pod["spec"].get("nodeName") == node]


def _disrupt(objects: Objects, namespace: str, name: str, reason: str, message: str, **status: str) -> None:
    pod = objects.get(PODS, namespace, name)
    assert pod is not None
    conditions = (pod.get("status") or {}).get("conditions") or []
    others = [condition for condition in conditions if condition["type"] != "DisruptionTarget"]
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": _NOW,
    }
    objects.patch(PODS, namespace, name, {"status": {**status, "conditions": [*others, target]}}, "status")
