"""How a cluster's workers are: counted by state, and in words why not all that are wanted run."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway_common.config import ClusterConfig
from gateway_common.model import WorkersStatus
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Observed, Pod
from gateway_controller.core.pod_problem import STUBBORN, Problem
from gateway_controller.core.scaling import wanted_workers

#: Problems of a worker that count it as failed; with any other it may still come to run.
FAILING = STUBBORN | {Reason.WORKER_FAILED, Reason.EVICTED, Reason.NODE_LOST}


@dataclass(frozen=True, slots=True)
class Workers:
    """Counts, and whether all is well; `is_problem` tells a reason to complain from one to wait a little."""

    counts: WorkersStatus
    ready: bool
    reason: str
    message: str
    is_problem: bool = False


def describe_workers(observed: Observed, config: ClusterConfig) -> Workers:
    """Pods that are on their way out count nowhere, nor do those that have ended in success."""
    present = [pod for pod in observed.workers if not pod.deleting]
    states = Counter(_classify(pod) for pod in present)
    counts = WorkersStatus(
        desired=wanted_workers(observed, config),
        pending=states["pending"],
        running=states["running"],
        failed=states["failed"],
    )
    if shortage := observed.admission.shortage:
        return Workers(counts, ready=False, reason=Reason.QUOTA_EXCEEDED, message=shortage, is_problem=True)
    summary = f"{counts.running} of {counts.desired} workers run"
    if counts.running >= counts.desired:
        return Workers(counts, ready=True, reason=Reason.WORKERS_RUNNING, message=summary)
    if found := _most_frequent(present):
        problem, number = found
        message = f"{summary}; {number} can't: {problem.message}"
        return Workers(counts, ready=False, reason=problem.reason, message=message, is_problem=True)
    return Workers(counts, ready=False, reason=Reason.WORKERS_STARTING, message=summary)


def _classify(pod: Pod) -> str:
    if pod.running:
        return "running"
    if pod.problem and pod.problem.reason in FAILING:
        return "failed"
    return "ended" if pod.finished else "pending"


def _most_frequent(pods: Iterable[Pod]) -> tuple[Problem, int] | None:
    """The problem that most of those that do not run have; of several the first by name, so that it stays the same."""
    problems = Counter(pod.problem for pod in pods if pod.problem and not pod.running)
    ordered = sorted(problems.items(), key=lambda item: (-item[1], item[0].reason, item[0].message))
    return ordered[0] if ordered else None
