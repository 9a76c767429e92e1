"""What a ReplicaSet needs: more pods, or fewer and which. No I/O, no clock.

k8s.io/kubernetes/pkg/controller/replicaset, and ActivePods in pkg/controller/controller_utils.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway_common.resources import Manifest
from gateway_local.workloads.conditions import Verdict, with_verdict, without_zeros
from gateway_local.workloads.pods import is_active, ready_since

_PHASES = ("Pending", "Unknown", "Running")


@dataclass(frozen=True, slots=True)
class Replication:
    """How many pods to create, the names of those to delete, and when to look again, in seconds (None: at a change)."""

    create: int
    delete: Sequence[str]
    requeue_after: float | None = None


def plan(replica_set: Manifest, pods: Sequence[Manifest], now: float) -> Replication:
    """What to do about the pods that the ReplicaSet owns."""
    active = [pod for pod in pods if is_active(pod)]
    wanted = replica_set["spec"]["replicas"]
    if "deletionTimestamp" in replica_set["metadata"]:
        return Replication(0, ())
    surplus = sorted(active, key=_worth)[: max(0, len(active) - wanted)]
    return Replication(
        create=max(0, wanted - len(active)),
        delete=[pod["metadata"]["name"] for pod in surplus],
        requeue_after=_next_available(replica_set, active, now),
    )


def build_status(replica_set: Manifest, pods: Sequence[Manifest], failure: str, now: float) -> Manifest:
    """The status; `failure` is why pods can't be created, "" when they can."""
    active = [pod for pod in pods if is_active(pod)]
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = [pod for pod in active if labels.items() <= (pod["metadata"].get("labels") or {}).items()]
    before = (replica_set.get("status") or {}).get("conditions") or []
    verdict = Verdict("True", "FailedCreate", failure) if failure else None
    conditions = with_verdict(before, "ReplicaFailure", verdict, now)
    return {
        "replicas": len(active),
        "observedGeneration": replica_set["metadata"]["generation"],
        **without_zeros(
            fullyLabeledReplicas=len(labelled),
            readyReplicas=sum(ready_since(pod) is not None for pod in active),
            availableReplicas=sum(_available_in(replica_set, pod, now) == 0 for pod in active),
        ),
        **({"conditions": conditions} if conditions else {}),
    }


def _worth(pod: Manifest) -> tuple[bool, int, bool, float]:
    """The least come first: not on a node, not running, not ready, ready for a shorter time."""
    since = ready_since(pod)
    phase = (pod.get("status") or {}).get("phase", "Pending")
    rank = _PHASES.index(phase) if phase in _PHASES else 0
    return bool(pod["spec"].get("nodeName")), rank, since is not None, -(since or 0.0)


def _next_available(replica_set: Manifest, pods: Sequence[Manifest], now: float) -> float | None:
    waits = [wait for pod in pods if (wait := _available_in(replica_set, pod, now))]
    return min(waits) if waits else None


def _available_in(replica_set: Manifest, pod: Manifest, now: float) -> float | None:
    """Seconds until a ready pod counts as available; None for one that is not ready."""
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, since + float(replica_set["spec"].get("minReadySeconds", 0)) - now)
