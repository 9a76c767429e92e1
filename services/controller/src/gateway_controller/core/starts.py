"""Workers that fail to start: which they are, how many in a row, and when others may take their place.

Level-based: the count is in the cluster's status, and a failed pod is counted when it is deleted. A controller that is
killed in between counts one less, never one too many. Until a failed pod may be deleted, nobody takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway_common.config import ClusterConfig
from gateway_common.model import DaskClusterStatus, StartFailures
from gateway_common.reasons import Reason
from gateway_controller.core.deadlines import is_overdue
from gateway_controller.core.observed import Pod

#: A worker that has run for so long has started well, whatever becomes of it.
PROVEN = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
#: What a pod or a container says of itself may be of any length.
_LONGEST_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Starts:
    """`failed` are pods to delete, `failures` what to remember of them. No worker is made before `resume`.

    `uncounted`: some of the failed can't be deleted yet. `look_again` is when this may be forgotten though nothing
    happens.
    """

    failed: tuple[Pod, ...] = ()
    failures: StartFailures | None = None
    resume: datetime | None = None
    given_up: bool = False
    uncounted: bool = False
    look_again: datetime | None = None

    def holds_back(self, now: datetime) -> bool:
        """Whether no worker may be made now."""
        return self.given_up or self.uncounted or (self.resume is not None and now < self.resume)


#: All is well.
NO_FAILURES = Starts()


def failures_of(status: DaskClusterStatus, group: str, replicas: int) -> StartFailures | None:
    """What is remembered of a group; nothing once another number of workers is wanted."""
    found = (entry for entry in status.start_failures if entry.group == group and entry.replicas == replicas)
    return next(found, None)


def has_given_up(failures: StartFailures | None, config: ClusterConfig) -> bool:
    """Whether so many have failed that no more are made."""
    limit = config.worker_start_failure_limit
    return failures is not None and 0 < limit <= failures.count


def judge_starts(
    workers: Sequence[Pod],
    known: StartFailures | None,
    config: ClusterConfig,
    now: datetime,
    *,
    group: str,
    replicas: int,
    missing: int,
    deletable: int,
) -> Starts:
    """Judge the workers of one group, of which `replicas` are asked for and `missing` are to be made.

    Those with numbers below `deletable` may be deleted now.

    A failed start is a pod that ended, or loops, or takes too long, before it had run for a minute. One that had run at
    all and was taken away by the cluster has not failed. One that ended by itself with code 0 has, if others would have
    to take its place.
    """
    present = [pod for pod in workers if not pod.deleting]
    if known and any(_datetime(known.last) < proven <= now for pod in present if (proven := _proven_at(pod))):
        known = None
    failed = [pod for pod in present if _has_failed(pod, config, now)]
    ended_well = [pod for pod in failed if pod.run.succeeded]
    # those that are not missed were retired
    retired = set(ended_well[max(missing, 0) :])
    failed = [pod for pod in failed if pod not in retired]
    counted = [pod for pod in failed if pod.slot < deletable]
    uncounted = len(counted) < len(failed)
    failures = _remember(counted, known, now, group, replicas)
    if failures is None:
        return Starts(tuple(failed), uncounted=uncounted) if failed else NO_FAILURES
    given_up = has_given_up(failures, config)
    resume = None if given_up else _datetime(failures.last) + pause_after(failures.count)
    provable = (_provable_at(pod, now) for pod in present if not pod.finished)
    look_again = min((moment for moment in provable if moment is not None), default=None)
    return Starts(tuple(failed), failures, resume, given_up, uncounted, look_again)


def pause_after(count: int) -> timedelta:
    """5 s after the first failure, twice as long after each further one."""
    doublings: int = min(count - 1, 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def sentence_of(failures: StartFailures, config: ClusterConfig) -> str:
    """What a user reads. It changes with a further failure alone: each change is written."""
    whose = f"Workers of group {failures.group}" if failures.group else "Workers"
    one_by_one = f"{failures.count} in a row, the last one: {failures.message}"
    end = ". No more are made until the cluster is scaled anew" if has_given_up(failures, config) else ""
    return f"{whose} fail to start, {one_by_one}{end}"


def _remember(
    failed: Sequence[Pod], known: StartFailures | None, now: datetime, group: str, replicas: int
) -> StartFailures | None:
    if not failed:
        return known
    return StartFailures(
        group=group,
        count=len(failed) + (known.count if known else 0),
        last=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason=_reason(failed[-1]),
        message=_explain(failed[-1]),
        replicas=replicas,
    )


def _explain(pod: Pod) -> str:
    said = pod.problem.message if pod.problem else pod.run.problem
    return (said or "it did not run in time")[:_LONGEST_MESSAGE]


def _reason(pod: Pod) -> str:
    return pod.problem.reason if pod.problem else Reason.WORKER_FAILED


def _has_failed(pod: Pod, config: ClusterConfig, now: datetime) -> bool:
    if pod.finished:
        return not _has_run_well(pod, now)
    if pod.run.looping:
        return _seconds_run(pod) < PROVEN.total_seconds()
    return is_overdue(pod, config, now)


def _has_run_well(pod: Pod, now: datetime) -> bool:
    if pod.run.disrupted and pod.started:
        return True
    if pod.run.last is not None:
        return _seconds_run(pod) >= PROVEN.total_seconds()
    # what its container did is not told: a pod of some age has run, as far as anybody knows
    return not pod.created or _datetime(pod.created) + PROVEN <= now


def _seconds_run(pod: Pod) -> float:
    return pod.run.last or 0.0


def _proven_at(pod: Pod) -> datetime | None:
    return pod.run.since + PROVEN if pod.running and pod.run.since else None


def _provable_at(pod: Pod, now: datetime) -> datetime | None:
    """When it will have run well, at the earliest; None: it has before."""
    if (proven := _proven_at(pod)) is None:
        return now + PROVEN
    return proven if proven > now else None


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
