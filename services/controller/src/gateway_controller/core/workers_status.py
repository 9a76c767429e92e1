"""How a cluster's workers are: counted by state, and in words why not all that are wanted run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway_common.config import ClusterConfig
from gateway_common.model import StartFailures, WorkerCounts, WorkersStatus
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Observed, Pod
from gateway_controller.core.pod_problem import STUBBORN, Problem
from gateway_controller.core.scaling import groups_of, wanted_workers
from gateway_controller.core.starts import sentence_of

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


def describe_workers(observed: Observed, config: ClusterConfig, failures: Sequence[StartFailures] = ()) -> Workers:
    """Pods that are on their way out count nowhere, nor do those that have ended in success.

    `failures` are those that are remembered of workers that failed to start.
    """
    present = [pod for pod in observed.workers if not pod.deleting]
    counts = _count(observed, config, present)
    if failures:
        message = "; ".join(sentence_of(entry, config.of_group(entry.group)) for entry in failures)
        return Workers(counts, ready=False, reason=failures[0].reason, message=message, is_problem=True)
    if shortage := observed.admission.shortage:
        return Workers(counts, ready=False, reason=Reason.QUOTA_EXCEEDED, message=shortage, is_problem=True)
    summary = f"{counts.running} of {counts.desired} workers run"
    if all(part.running >= part.desired for part in (counts, *counts.groups.values())):
        return Workers(counts, ready=True, reason=Reason.WORKERS_RUNNING, message=summary)
    if found := _most_frequent(present):
        problem, number = found
        message = f"{summary}; {number} can't: {problem.message}"
        return Workers(counts, ready=False, reason=problem.reason, message=message, is_problem=True)
    return Workers(counts, ready=False, reason=Reason.WORKERS_STARTING, message=summary)


def _count(observed: Observed, config: ClusterConfig, present: Sequence[Pod]) -> WorkersStatus:
    states = Counter((pod.group, _classify(pod)) for pod in present)
    groups = {
        group: WorkerCounts(
            desired=wanted_workers(observed, config, group),
            pending=states[group, "pending"],
            running=states[group, "running"],
            failed=states[group, "failed"],
        )
        for group in groups_of(observed, config)
    }
    return WorkersStatus(
        desired=sum(counts.desired for counts in groups.values()),
        pending=sum(counts.pending for counts in groups.values()),
        running=sum(counts.running for counts in groups.values()),
        failed=sum(counts.failed for counts in groups.values()),
        groups={group: counts for group, counts in groups.items() if group},
    )


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
