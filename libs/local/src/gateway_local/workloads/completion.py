"""What a Job does next: more pods, or the end, and what its status says. No I/O, no clock.

The rules of k8s.io/kubernetes/pkg/controller/job for Jobs without an index, without pod failure and success policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway_common.clock import from_rfc3339, to_rfc3339
from gateway_common.resources import Manifest
from gateway_local.workloads.conditions import Verdict, find, with_verdict, without_zeros
from gateway_local.workloads.pods import is_active, ready_since

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
_ENDS = ("Complete", "Failed")


@dataclass(frozen=True, slots=True)
class Step:
    """How many pods to create, the names of those to delete, when to look again (seconds), and the status."""

    status: Manifest
    create: int = 0
    delete: Sequence[str] = ()
    requeue_after: float | None = None


def is_finished(job: Manifest) -> bool:
    """Whether it has succeeded or failed for good."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(condition["type"] in _ENDS and condition["status"] == "True" for condition in conditions)


def seconds_kept(job: Manifest, now: float) -> float | None:
    """How long a finished Job stays; None: until somebody deletes it."""
    lifetime = job["spec"].get("ttlSecondsAfterFinished")
    if lifetime is None:
        return None
    ended = next(c for c in job["status"]["conditions"] if c["type"] in _ENDS)
    return max(0.0, from_rfc3339(ended["lastTransitionTime"]) + float(lifetime) - now)


def plan(job: Manifest, pods: Sequence[Manifest], now: float) -> Step:
    """What to do about the pods of a Job that is not finished."""
    active = [pod for pod in pods if is_active(pod)]
    succeeded, failed = _in_phase(pods, "Succeeded"), _in_phase(pods, "Failed")
    spec, before = job["spec"], job.get("status") or {}
    status: Manifest = {
        "startTime": before.get("startTime") or to_rfc3339(now),
        "conditions": before.get("conditions") or [],
        "ready": sum(ready_since(pod) is not None for pod in active),
        "terminating": sum("deletionTimestamp" in pod["metadata"] for pod in pods),
        "uncountedTerminatedPods": {},
        **without_zeros(active=len(active), succeeded=len(succeeded), failed=len(failed)),
    }
    if (end := _end(job, active, len(succeeded), len(failed), status, now)) is not None:
        return Step(_ended(status, end, now), delete=[pod["metadata"]["name"] for pod in active])
    if spec.get("suspend"):
        return Step(status, delete=[pod["metadata"]["name"] for pod in active])
    missing = _missing(spec, len(active), len(succeeded))
    pause = _pause(failed, now) if missing else 0.0
    deadline = _seconds_left(spec, status, now)
    waits = [wait for wait in (pause or None, deadline) if wait is not None]
    return Step(status, create=0 if pause else missing, requeue_after=min(waits) if waits else None)


def _missing(spec: Manifest, active: int, succeeded: int) -> int:
    completions, parallelism = spec.get("completions"), int(spec["parallelism"])
    if completions is None:  # a queue of work: one success ends it
        return max(0, parallelism - active) if not succeeded else 0
    return max(0, min(int(completions) - succeeded, parallelism) - active)


def _end(
    job: Manifest, active: Sequence[Manifest], succeeded: int, failed: int, status: Manifest, now: float
) -> tuple[str, Verdict] | None:
    """The condition that ends the Job, if it has come to that."""
    spec = job["spec"]
    if failed + sum(map(_restarts, active)) > spec["backoffLimit"]:
        message = "Job has reached the specified backoff limit"
        return "Failed", Verdict("True", "BackoffLimitExceeded", message)
    left = _seconds_left(spec, status, now)
    if left is not None and left <= 0:
        return "Failed", Verdict("True", "DeadlineExceeded", "Job was active longer than specified deadline")
    completions = spec.get("completions")
    if succeeded >= completions if completions is not None else succeeded and not active:
        message = "Reached expected number of succeeded pods"
        return "Complete", Verdict("True", "CompletionsReached", message)
    return None


def _ended(status: Manifest, end: tuple[str, Verdict], now: float) -> Manifest:
    type_, verdict = end
    announced = "SuccessCriteriaMet" if type_ == "Complete" else "FailureTarget"
    conditions = with_verdict(status["conditions"], announced, verdict, now)
    status = {**status, "conditions": with_verdict(conditions, type_, verdict, now), "ready": 0}
    status.pop("active", None)
    return status | ({"completionTime": to_rfc3339(now)} if type_ == "Complete" else {})


def _seconds_left(spec: Manifest, status: Manifest, now: float) -> float | None:
    limit = spec.get("activeDeadlineSeconds")
    return None if limit is None else from_rfc3339(status["startTime"]) + float(limit) - now


def _pause(failed: Sequence[Manifest], now: float) -> float:
    """Seconds to wait before the next try: 10 after the first failure, twice as long after each further one."""
    if not failed:
        return 0.0
    last = max(from_rfc3339(_ended_at(pod)) for pod in failed)
    return max(0.0, last + min(_FIRST_PAUSE * 2.0 ** (len(failed) - 1), _LONGEST_PAUSE) - now)


def _ended_at(pod: Manifest) -> str:
    ready = find(pod["status"].get("conditions") or (), "Ready")
    return str(ready["lastTransitionTime"] if ready else pod["metadata"]["creationTimestamp"])


def _in_phase(pods: Sequence[Manifest], phase: str) -> list[Manifest]:
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") == phase]


def _restarts(pod: Manifest) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return sum(int(status.get("restartCount", 0)) for status in statuses)
