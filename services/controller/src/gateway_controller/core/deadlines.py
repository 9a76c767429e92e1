"""When a cluster's time, or that of something in it, is up; None where nothing is limited or begun."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gateway_common.config import ClusterConfig
from gateway_common.errors import InvalidConfig
from gateway_common.model import Phase
from gateway_controller.core.observed import Observed, Pod, parse_config
from gateway_controller.core.pod_problem import HOPELESS, STUBBORN
from gateway_controller.core.status import Aspect, find_condition

#: Later than this nothing is due: dates end with the year 9999.
LONGEST = timedelta(days=36525)


def lifetime_end(observed: Observed) -> datetime | None:
    """By the cluster's own configuration or by a limit, whichever comes first; counted from its creation."""
    config = _config(observed)
    own = config.max_lifetime if config else 0.0
    seconds = min(own or float("inf"), observed.admission.lifetime or float("inf"))
    return _after(observed.cluster.created, seconds)


def scheduler_deadline(observed: Observed) -> datetime | None:
    """When a scheduler must serve; counted from its pod's creation, so that waiting for room takes nothing off."""
    config = _config(observed)
    if config is None or observed.scheduler is None or observed.cluster.status.phase is not Phase.PENDING:
        return None
    return _after(observed.scheduler.created, config.scheduler_start_timeout)


def start_error_deadline(observed: Observed, now: datetime) -> datetime | None:
    """When a scheduler's pod must be out of an error that rarely passes by itself: at once where it never does.

    Counted from when a controller first saw an error: what the status says of that survives a restart.
    """
    config, scheduler = _config(observed), observed.scheduler
    if config is None or scheduler is None or observed.cluster.status.phase is not Phase.PENDING:
        return None
    problem, seconds = scheduler.problem, config.scheduler_start_error_timeout
    if problem is None or problem.reason not in STUBBORN or not seconds:
        return None
    if problem.reason in HOPELESS:
        return now
    known = find_condition(observed.cluster.status, Aspect.SCHEDULER_READY)
    since = known.last_transition_time if known and known.status == "False" else now.isoformat()
    return _after(since, seconds)


def worker_deadline(pod: Pod, config: ClusterConfig) -> datetime | None:
    """When a worker must have run for the first time: what restarts in place later has a node and an image.

    `config` is that of the worker's group.
    """
    if not config.worker_start_timeout or pod.started or pod.deleting:
        return None
    return _after(pod.created, config.worker_start_timeout)


def is_overdue(pod: Pod, config: ClusterConfig, now: datetime) -> bool:
    """Whether another worker should take this one's place."""
    deadline = worker_deadline(pod, config)
    return deadline is not None and deadline <= now


def deletion_deadline(pods: Iterable[Pod], now: datetime) -> datetime | None:
    """When the next of these pods counts as stuck, if it is still there."""
    return min((pod.deletion_due for pod in pods if pod.deletion_due and pod.deletion_due > now), default=None)


def next_deadline(observed: Observed, now: datetime) -> datetime | None:
    """When to look at a living cluster again, even if nothing happens. What was due before is being dealt with."""
    deadlines = [
        deletion_deadline(observed.pods, now),
        lifetime_end(observed),
        scheduler_deadline(observed),
        start_error_deadline(observed, now),
    ]
    config = _config(observed)
    if config is not None:
        of_group = {group: config.of_group(group) for group in ("", *config.worker_groups)}
        if any(of_one.worker_start_timeout for of_one in of_group.values()):
            deadlines += [worker_deadline(pod, of_group.get(pod.group, config)) for pod in observed.workers]
    return min((deadline for deadline in deadlines if deadline is not None and deadline > now), default=None)


def seconds_until(moment: datetime | None, now: datetime) -> float | None:
    """None: never."""
    return max((moment - now).total_seconds(), 0.0) if moment else None


def _config(observed: Observed) -> ClusterConfig | None:
    try:
        return parse_config(observed.cluster.config)
    except InvalidConfig:
        return None


def _after(created: str, seconds: float) -> datetime | None:
    """Zero and more than a lifetime mean: never."""
    if not created or not 0 < seconds < LONGEST.total_seconds():
        return None
    return datetime.fromisoformat(created).astimezone(UTC) + timedelta(seconds=seconds)
