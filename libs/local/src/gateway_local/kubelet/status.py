"""A pod's status from the records of its containers: phase, conditions, container statuses. Pure.

The rules are those of k8s.io/kubernetes/pkg/kubelet (getPhase in kubelet_pods.go, status/generate.go): controllers
and people read the same words here as on a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway_common.clock import to_rfc3339
from gateway_common.resources import Manifest
from gateway_local.kubelet.states import ContainerRecord, Running, Terminated, Waiting


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What is known of a pod on its node."""

    restart_policy: str
    init: Sequence[ContainerRecord]
    containers: Sequence[ContainerRecord]
    pod_ip: str
    host_ip: str
    started_at: float
    readiness_gates: Sequence[str] = ()
    eviction: str = ""
    """Why the node has thrown the pod out, in words; empty: it has not."""


def build_status(facts: PodFacts, previous: Manifest, now: float) -> Manifest:
    """The status to write. `previous` is the one in the API, whose unchanged conditions keep their times."""
    phase = "Failed" if facts.eviction else classify_phase(facts)
    status: Manifest = {
        "phase": phase,
        "conditions": _conditions(facts, phase, previous.get("conditions") or [], now),
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "startTime": to_rfc3339(facts.started_at),
        "containerStatuses": [record.manifest() for record in facts.containers],
    }
    if facts.pod_ip:
        status |= {"podIP": facts.pod_ip, "podIPs": [{"ip": facts.pod_ip}]}
    if facts.eviction:
        status |= {"reason": "Evicted", "message": facts.eviction}
    if facts.init:
        status["initContainerStatuses"] = [record.manifest() for record in facts.init]
    return status


def classify_phase(facts: PodFacts) -> str:
    """Pending, Running, Succeeded or Failed."""
    for record in facts.init:
        if isinstance(record.state, Terminated) and record.state.exit_code == 0:
            continue
        if facts.restart_policy == "Never" and isinstance(record.state, Terminated):
            return "Failed"
        return "Pending"
    ended = [record.ended for record in facts.containers]
    if any(isinstance(c.state, Waiting) and c.last is None for c in facts.containers):
        return "Pending"
    if any(isinstance(c.state, Running) for c in facts.containers) or facts.restart_policy == "Always":
        return "Running"
    if all(end is not None and end.exit_code == 0 for end in ended):
        return "Succeeded"
    return "Failed" if facts.restart_policy == "Never" else "Running"


def _conditions(facts: PodFacts, phase: str, previous: Sequence[Manifest], now: float) -> list[Manifest]:
    initialized = all(isinstance(c.state, Terminated) and c.state.exit_code == 0 for c in facts.init)
    unready = [c.name for c in facts.containers if not c.ready]
    gates = {c["type"] for c in previous if c.get("status") == "True"}
    gated = [gate for gate in facts.readiness_gates if gate not in gates]
    containers_ready = _containers_ready(phase, unready)
    ready = containers_ready
    if gated and not unready:
        ready = ("False", "ReadinessGatesNotReady", f"the status of pod readiness gate {gated} is not True")
    verdicts = {
        "PodReadyToStartContainers": ("True" if facts.pod_ip else "False", "", ""),
        "Initialized": _initialized(phase, initialized, facts.init),
        "Ready": ready,
        "ContainersReady": containers_ready,
        "PodScheduled": ("True", "", ""),
    }
    if facts.eviction:
        verdicts["DisruptionTarget"] = ("True", "TerminationByKubelet", facts.eviction)
    others = [condition for condition in previous if condition["type"] not in verdicts]
    return others + [_condition(type_, verdict, previous, now) for type_, verdict in verdicts.items()]


def _containers_ready(phase: str, unready: Sequence[str]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "False", "PodCompleted", ""
    if phase == "Failed":
        return "False", "PodFailed", ""
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _initialized(phase: str, initialized: bool, init: Sequence[ContainerRecord]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "True", "PodCompleted", ""
    if initialized:
        return "True", "", ""
    incomplete = [c.name for c in init if not (isinstance(c.state, Terminated) and c.state.exit_code == 0)]
    return "False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"


def _condition(type_: str, verdict: tuple[str, str, str], previous: Sequence[Manifest], now: float) -> Manifest:
    status, reason, message = verdict
    before = next((c for c in previous if c["type"] == type_), None)
    since = before.get("lastTransitionTime") if before and before.get("status") == status else None
    return {
        "type": type_,
        "status": status,
        "lastTransitionTime": since or to_rfc3339(now),
        **({"reason": reason} if reason else {}),
        **({"message": message} if message else {}),
    }
