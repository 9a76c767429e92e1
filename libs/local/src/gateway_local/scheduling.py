"""Binds pods to nodes: the part of Kubernetes' scheduler that decides whether a pod fits, and says why not.

A pod goes to the first node that it fits: nodeSelector, cordons, and requests against what is left of the node's
allocatable. Affinity, taints, priorities and preemption are not considered.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from gateway_common.clock import Clock, system_clock, to_rfc3339
from gateway_common.resources import NODES, PODS, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.following import Loops
from gateway_local.quantities import parse_quantity

Amounts = Mapping[str, Decimal]
Key = tuple[str, str]

_NO_VICTIMS = "No preemption victims found for incoming pod"
_NO_HELP = "Preemption is not helpful for scheduling"
_OVER = ("Succeeded", "Failed")


class Scheduler:
    """Binds every unbound pod, as soon as it fits somewhere."""

    def __init__(self, objects: Objects, clock: Clock = system_clock) -> None:
        self._objects = objects
        self._loops = Loops()
        self._clock = clock
        self._nodes: dict[str, Manifest] = {}
        self._used: dict[str, Counter[str]] = {}
        self._bound: dict[Key, tuple[str, Amounts]] = {}
        self._pending: dict[Key, Manifest] = {}

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        self._loops.follow(self._objects, NODES, self._node_changed)
        self._loops.follow(self._objects, PODS, self._pod_changed)

    async def stop(self) -> None:
        await self._loops.stop()

    def _node_changed(self, change: str, node: Manifest) -> None:
        name = node["metadata"]["name"]
        if change == "DELETED":
            self._nodes.pop(name, None)
            return
        before = self._nodes.get(name)
        self._nodes[name] = node
        if before is None or _offer(before) != _offer(node):
            self._retry()

    def _pod_changed(self, change: str, pod: Manifest) -> None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._pending.pop(key, None)
        if change == "DELETED" or (pod.get("status") or {}).get("phase") in _OVER:
            if self._release(key):
                self._retry()
        elif node := pod["spec"].get("nodeName"):
            self._take(key, node, pod)
        elif "deletionTimestamp" not in pod["metadata"]:
            self._schedule(key, pod)

    def _schedule(self, key: Key, pod: Manifest) -> None:
        problems = []
        for name, node in self._nodes.items():
            problem = classify_misfit(pod, node, self._used.get(name, Counter()))
            if not problem:
                self._take(key, name, pod)
                self._patch(key, {"spec": {"nodeName": name}})
                return
            problems.append(problem)
        self._pending[key] = pod
        self._say_unschedulable(key, pod, unschedulable_message(problems))

    def _retry(self) -> None:
        for key, pod in list(self._pending.items()):
            del self._pending[key]
            self._schedule(key, pod)

    def _take(self, key: Key, node: str, pod: Manifest) -> None:
        if key not in self._bound:
            amounts = requests_of(pod)
            self._bound[key] = (node, amounts)
            self._used.setdefault(node, Counter()).update(amounts)

    def _release(self, key: Key) -> bool:
        if key not in self._bound:
            return False
        node, amounts = self._bound.pop(key)
        self._used[node].subtract(amounts)
        return bool(self._pending)

    def _say_unschedulable(self, key: Key, pod: Manifest, message: str) -> None:
        conditions = (pod.get("status") or {}).get("conditions") or []
        before: Manifest = next((c for c in conditions if c["type"] == "PodScheduled"), {})
        if before.get("message") == message:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": before.get("lastTransitionTime") or to_rfc3339(self._clock()),
        }
        others = [c for c in conditions if c["type"] != "PodScheduled"]
        self._patch(key, {"status": {"conditions": [*others, condition]}}, "status")

    def _patch(self, key: Key, patch: Manifest, subresource: str = "") -> None:
        try:
            self._objects.patch(PODS, *key, patch, subresource)
        except StatusError as error:
            if error.code != 404:  # deleted since; that it was is the next thing to be told
                raise


def classify_misfit(pod: Manifest, node: Manifest, used: Mapping[str, Decimal | int]) -> str:
    """Why the pod does not fit the node, in the scheduler's words; "" when it fits."""
    if (node.get("spec") or {}).get("unschedulable"):
        return "node(s) were unschedulable"
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return "node(s) didn't match Pod's node affinity/selector"
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    for resource, amount in requests_of(pod).items():
        if amount and amount > parse_quantity(allocatable.get(resource, 0)) - used.get(resource, 0):
            return "Too many pods" if resource == "pods" else f"Insufficient {resource}"
    return ""


def unschedulable_message(problems: Iterable[str]) -> str:
    """One sentence for all nodes, as the scheduler writes it into the PodScheduled condition."""
    counts = Counter(problems)
    if not counts:
        return "no nodes available to schedule pods"
    available = f"0/{counts.total()} nodes are available"
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    preemption = Counter(_NO_VICTIMS if _is_shortage(reason) else _NO_HELP for reason in counts.elements())
    outlook = ", ".join(sorted(f"{count} {reason}" for reason, count in preemption.items()))
    return f"{available}: {reasons}. preemption: {available}: {outlook}."


def _is_shortage(problem: str) -> bool:
    """Whether others leaving would help."""
    return problem.startswith(("Insufficient", "Too many"))


def requests_of(pod: Manifest) -> dict[str, Decimal]:
    """What a pod needs of a node: the sum of its containers, or the largest init container if that is more."""
    spec = pod["spec"]
    total: Counter[str] = Counter()
    for container in spec.get("containers") or []:
        total.update(_container_requests(container))
    needed: dict[str, Decimal] = {name: Decimal(amount) for name, amount in total.items()}
    for container in spec.get("initContainers") or []:
        for name, amount in _container_requests(container).items():
            needed[name] = max(needed.get(name, Decimal(0)), amount)
    return needed | {"pods": Decimal(1)}


def _container_requests(container: Manifest) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse_quantity(amount) for name, amount in amounts.items()}


def _offer(node: Manifest) -> tuple[object, ...]:
    return (
        (node.get("status") or {}).get("allocatable"),
        node["metadata"].get("labels"),
        (node.get("spec") or {}).get("unschedulable"),
    )
