"""How the container of a worker has run, read from its pod's status."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: A container that never began has the beginning of Unix time, or nothing, in place of one (containerd, CRI-O).
_NEVER_BEGAN = 1970


@dataclass(frozen=True, slots=True)
class Run:
    """What is told of a worker's runs.

    `since` is when the present run began. `last` is how many seconds the last one that is over took; None: nobody says.
    `looping`: the container ends again and again, and the kubelet waits longer and longer before it is started anew.
    `succeeded`: the pod ended with code 0. `disrupted`: the cluster took the pod away, or would not have it: evicted,
    preempted, on a node that shut down. `problem` says in words why a pod ended or loops.
    """

    since: datetime | None = None
    last: float | None = None
    looping: bool = False
    succeeded: bool = False
    disrupted: bool = False
    problem: str = ""


#: Most pods that don't run yet share it.
NEVER_RAN = Run()


def read_run(status: Mapping[str, Any], container: Mapping[str, Any]) -> Run:
    """The runs of a worker, given its pod's status and that of its own container."""
    state = container.get("state") or {}
    over = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    began = (state.get("running") or {}).get("startedAt")
    phase = status.get("phase")
    loop = _crash_loop((*(status.get("initContainerStatuses") or ()), container))
    if began is None and over is None and loop is None and phase not in ("Succeeded", "Failed"):
        return NEVER_RAN
    ended_by = loop or over
    return Run(
        since=datetime.fromisoformat(began) if began else None,
        last=_seconds(over) if over else None,
        looping=loop is not None,
        succeeded=phase == "Succeeded",
        disrupted=phase == "Failed" and _is_disrupted(status),
        problem=_problem(status, ended_by) if loop or phase in ("Succeeded", "Failed") else "",
    )


def _crash_loop(containers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last end of the container that loops; empty if nobody tells it."""
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            return (container.get("lastState") or {}).get("terminated") or {}
    return None


def _seconds(over: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(over[key]) if over.get(key) else None for key in ("startedAt", "finishedAt"))
    if began is None or ended is None or began.year <= _NEVER_BEGAN:
        return 0.0
    return max((ended - began).total_seconds(), 0.0)


def _is_disrupted(status: Mapping[str, Any]) -> bool:
    """Only the kubelet and controllers give a pod itself a reason (Evicted, NodeShutdown, OutOfcpu, ...)."""
    return bool(status.get("reason")) or any(
        condition["type"] == "DisruptionTarget" and condition["status"] == "True"
        for condition in status.get("conditions") or ()
    )


def _problem(status: Mapping[str, Any], over: Mapping[str, Any] | None) -> str:
    if reason := status.get("reason"):
        return ": ".join(filter(None, (f"its pod was {reason}", status.get("message"))))
    if over and "exitCode" in over:
        reason = over.get("reason")
        return f"it exited with code {over['exitCode']}" + (f" ({reason})" if reason else "")
    return f"its pod is {status.get('phase')}" if over is None else "its container ends again and again"
