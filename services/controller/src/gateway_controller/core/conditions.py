"""The conditions of a cluster: what `kubectl describe` shows, and `kubectl wait --for=condition=Ready` waits for.

Their times are those of the steps themselves, where Kubernetes says when these were taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway_common.model import Condition, DaskClusterStatus, Phase
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Pod
from gateway_controller.core.status import Aspect, find_condition, has_routes, timestamp
from gateway_controller.core.workers_status import Workers

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one aspect is now. `since` is when that began, if Kubernetes says so."""

    type: Aspect
    status: Truth
    reason: str
    message: str = ""
    since: str = ""


def with_conditions(
    status: DaskClusterStatus, scheduler: Pod | None, workers: Workers | None, now: datetime
) -> DaskClusterStatus:
    """The status with conditions that say what it says, and what is known of the scheduler and the workers."""
    findings: Iterable[Finding] = _ended(status)
    if status.phase in (Phase.PENDING, Phase.RUNNING):
        findings = (
            _created(status, scheduler),
            _scheduled(status, scheduler),
            _serving(status, scheduler),
            _routes(status),
            _workers(status, workers),
            _usable(status),
        )
    return status.model_copy(update={"conditions": _merge(status.conditions, findings, timestamp(now))})


def _created(status: DaskClusterStatus, scheduler: Pod | None) -> Finding:
    if scheduler or status.scheduler_pod:
        since = scheduler.created if scheduler else ""
        return Finding(Aspect.SCHEDULER_CREATED, "True", Reason.OBJECTS_CREATED, since=since)
    return _not_yet(Aspect.SCHEDULER_CREATED, status)


def _scheduled(status: DaskClusterStatus, scheduler: Pod | None) -> Finding:
    if status.phase is Phase.RUNNING or (scheduler and scheduler.has_node):
        since = scheduler.scheduled_at if scheduler else ""
        return Finding(Aspect.SCHEDULER_SCHEDULED, "True", Reason.SCHEDULER_SCHEDULED, since=since)
    return _not_yet(Aspect.SCHEDULER_SCHEDULED, status)


def _serving(status: DaskClusterStatus, scheduler: Pod | None) -> Finding:
    """A time limit on errors counts from when this turns False, so it does for errors of the pod's own alone."""
    if status.phase is Phase.RUNNING:
        since = scheduler.ready_at if scheduler else ""
        return Finding(Aspect.SCHEDULER_READY, "True", Reason.SCHEDULER_RUNNING, since=since)
    problem = scheduler.problem if scheduler and scheduler.has_node else None
    if problem:
        message = status.message if status.reason == problem.reason else None
        return Finding(Aspect.SCHEDULER_READY, "False", problem.reason, message or problem.message)
    return Finding(Aspect.SCHEDULER_READY, "Unknown", Reason.SCHEDULER_STARTING)


def _routes(status: DaskClusterStatus) -> Finding:
    if has_routes(status):
        return Finding(Aspect.ROUTES_READY, "True", Reason.OBJECTS_CREATED)
    return _not_yet(Aspect.ROUTES_READY, status)


def _workers(status: DaskClusterStatus, workers: Workers | None) -> Finding:
    if workers is None:
        return _not_yet(Aspect.WORKERS_READY, status)
    return Finding(Aspect.WORKERS_READY, "True" if workers.ready else "False", workers.reason, workers.message)


def _usable(status: DaskClusterStatus) -> Finding:
    if status.phase is Phase.RUNNING:
        return Finding(Aspect.READY, "True", Reason.SCHEDULER_RUNNING)
    return _not_yet(Aspect.READY, status)


def _not_yet(kind: Aspect, status: DaskClusterStatus) -> Finding:
    return Finding(kind, "False", status.reason or Reason.SCHEDULER_STARTING, status.message or "")


def _ended(status: DaskClusterStatus) -> Iterable[Finding]:
    """What can't be true any more is false for the reason of the end. The steps of its start stay as they were."""
    for kind in Aspect:
        before = find_condition(status, kind)
        is_step = kind in (Aspect.SCHEDULER_CREATED, Aspect.SCHEDULER_SCHEDULED)
        if before and (before.status == "False" or (is_step and before.status == "True")) and kind is not Aspect.READY:
            yield Finding(kind, before.status, before.reason, before.message)
        else:
            yield _not_yet(kind, status)


def _merge(before: Iterable[Condition], findings: Iterable[Finding], now: str) -> list[Condition]:
    known = {entry.type: entry for entry in before}
    return [_condition(known.get(finding.type), finding, now) for finding in findings]


def _condition(before: Condition | None, finding: Finding, now: str) -> Condition:
    kept = before is not None and before.status == finding.status
    if before and kept and (before.reason, before.message) == (finding.reason, finding.message):
        return before
    return Condition(
        type=finding.type,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        last_transition_time=before.last_transition_time if before and kept else finding.since or now,
    )
