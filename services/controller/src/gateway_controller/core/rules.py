"""Which phase a cluster is in, and why: an ordered list of small functions, of which the first that applies decides.

A phase never moves back: rules about what is over or ending come before those about what lives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway_common.errors import InvalidClusterName, InvalidConfig
from gateway_common.model import Phase, StopReason
from gateway_common.names import parse_cluster_name, service_name
from gateway_common.reasons import Reason
from gateway_controller.core.deadlines import lifetime_end, scheduler_deadline, start_error_deadline
from gateway_controller.core.observed import Cluster, Entry, Observed, Pod, parse_config

#: Of a DNS label, which a Service's name is.
LONGEST_SERVICE_NAME = 63

CAN_NOT_START_YET = "The scheduler can't start yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase that a cluster is in from now on, in a word and in words for people."""

    phase: Phase
    reason: str | None
    message: str | None


Rule = Callable[[Observed, datetime], Verdict | None]


def over_or_ending(observed: Observed, _: datetime) -> Verdict | None:
    """What has ended stays so, for the reason that was given then."""
    status = observed.cluster.status
    if status.phase.is_terminal or status.phase is Phase.STOPPING:
        return Verdict(status.phase, status.reason, status.message)
    return None


def stop_requested(observed: Observed, _: datetime) -> Verdict | None:
    """The user, or the scheduler of an unused cluster on the user's behalf, has given it back."""
    cluster = observed.cluster
    if cluster.active:
        return None
    return Verdict(Phase.STOPPING, Reason(cluster.stop_reason), _stop_message(cluster))


def name_invalid(observed: Observed, _: datetime) -> Verdict | None:
    """A hand-made cluster may have a name of which no Service's name can be made."""
    cluster = observed.cluster
    try:
        parse_cluster_name(str(cluster.full_name))
    except InvalidClusterName as error:
        return Verdict(Phase.STOPPING, Reason.INVALID_NAME, str(error))
    name = service_name(cluster.name)
    if len(name) > LONGEST_SERVICE_NAME:
        message = (
            f"The cluster's name is too long: its Service {name} would have more than {LONGEST_SERVICE_NAME} letters"
        )
        return Verdict(Phase.STOPPING, Reason.INVALID_NAME, message)
    return None


def config_invalid(observed: Observed, _: datetime) -> Verdict | None:
    """There is nothing to start. A cluster that has a scheduler lives on, whatever was written into its spec since."""
    if observed.scheduler or observed.cluster.status.scheduler_pod:
        return None
    try:
        parse_config(observed.cluster.config)
    except InvalidConfig as error:
        return Verdict(Phase.STOPPING, Reason.INVALID_CONFIG, f"The cluster's configuration is wrong: {error}")
    return None


def over_quota(observed: Observed, _: datetime) -> Verdict | None:
    """Limits leave no room for it, and it may not wait."""
    if observed.admission.entry is not Entry.REFUSED:
        return None
    return Verdict(Phase.STOPPING, Reason.QUOTA_EXCEEDED, observed.admission.message)


def scheduler_rejected(observed: Observed, _: datetime) -> Verdict | None:
    """The same pod would be refused again."""
    if not observed.refusal:
        return None
    message = f"Kubernetes refuses the scheduler's pod: {observed.refusal}"
    return Verdict(Phase.STOPPING, Reason.POD_REJECTED, message)


def scheduler_finished(observed: Observed, _: datetime) -> Verdict | None:
    """Whatever its exit code: the cluster's state was in that process (K-021, K-022)."""
    scheduler = observed.scheduler
    if scheduler is None or not scheduler.finished:
        return None
    problem = scheduler.problem
    if problem is None:
        return Verdict(Phase.STOPPING, Reason.SCHEDULER_FAILED, "The scheduler ended")
    return Verdict(Phase.STOPPING, problem.reason, f"The scheduler ended: {problem.message}")


def scheduler_lost(observed: Observed, _: datetime) -> Verdict | None:
    """It was there once, and somebody else than this controller has deleted it."""
    scheduler = observed.scheduler
    lost = scheduler.deleting if scheduler else observed.cluster.status.scheduler_pod is not None
    if not lost:
        return None
    problem = scheduler.problem if scheduler else None
    if problem and problem.reason in (Reason.EVICTED, Reason.NODE_LOST):
        return Verdict(Phase.STOPPING, problem.reason, f"The scheduler was lost: {problem.message}")
    return Verdict(Phase.STOPPING, Reason.SCHEDULER_LOST, "The scheduler's pod was deleted")


def lifetime_over(observed: Observed, now: datetime) -> Verdict | None:
    """However busy it is, or however long it has waited for room."""
    end = lifetime_end(observed)
    if end is None or now < end:
        return None
    message = "The cluster was stopped: it reached the longest time that a cluster may last"
    return Verdict(Phase.STOPPING, Reason.MAX_LIFETIME, message)


def start_fails(observed: Observed, now: datetime) -> Verdict | None:
    """A scheduler's pod in an error that does not pass: nobody should wait for it."""
    deadline, scheduler = start_error_deadline(observed, now), observed.scheduler
    if deadline is None or now < deadline or scheduler is None or scheduler.problem is None:
        return None
    message = _known_message(observed, scheduler, "The scheduler can't start")
    return Verdict(Phase.STOPPING, scheduler.problem.reason, message)


def start_timed_out(observed: Observed, now: datetime) -> Verdict | None:
    """A scheduler that does not come to serve: what the last thing is that it was waiting for."""
    deadline, scheduler = scheduler_deadline(observed), observed.scheduler
    if deadline is None or scheduler is None or now < deadline:
        return None
    message = _known_message(observed, scheduler, "The scheduler did not start in time")
    return Verdict(Phase.STOPPING, Reason.START_TIMEOUT, message)


def waiting_for_room(observed: Observed, _: datetime) -> Verdict | None:
    """Limits leave no room for it now."""
    if observed.admission.entry is not Entry.WAITING:
        return None
    return Verdict(Phase.PENDING, Reason.QUOTA_EXCEEDED, observed.admission.message)


def scheduler_serving(observed: Observed, _: datetime) -> Verdict | None:
    """Its pod is ready, or it has said so itself. It stays Running through a failed probe: it may only be busy."""
    scheduler = observed.scheduler
    if scheduler is None:
        return None
    serving = scheduler.running and scheduler.ip and (scheduler.ready or observed.cluster.scheduler_started)
    if serving or observed.cluster.status.phase is Phase.RUNNING:
        return Verdict(Phase.RUNNING, Reason.SCHEDULER_RUNNING, "The scheduler is running")
    return None


def starting(observed: Observed) -> Verdict:
    """What it waits for, if that is anything out of the ordinary."""
    scheduler = observed.scheduler
    if scheduler and scheduler.problem:
        message = _known_message(observed, scheduler, CAN_NOT_START_YET)
        return Verdict(Phase.PENDING, scheduler.problem.reason, message)
    return Verdict(Phase.PENDING, Reason.SCHEDULER_STARTING, "The scheduler is starting")


def _known_message(observed: Observed, scheduler: Pod, opening: str) -> str:
    """What keeps a scheduler from serving, in words.

    A kubelet before 1.32 says why an image can't be pulled for a moment only, and for minutes that it will try again.
    """
    status, problem = observed.cluster.status, scheduler.problem
    said = (status.message or "").removeprefix(f"{CAN_NOT_START_YET}: ")
    if problem and status.reason == problem.reason and said.startswith(f"{problem.message}: "):
        return f"{opening}: {said}"
    return f"{opening}: {problem.message if problem else _step(scheduler)}"


def _step(scheduler: Pod) -> str:
    if not scheduler.has_node:
        return "its pod has no node yet"
    return "it runs, but does not serve yet" if scheduler.running else "its container does not run yet"


def _stop_message(cluster: Cluster) -> str:
    try:
        config = parse_config(cluster.config)
        idle, unconnected = (
            f" of {limit:.10g} s" if limit else "" for limit in (config.idle_timeout, config.no_client_timeout)
        )
    except InvalidConfig:
        # spoilt since: the scheduler was told the seconds when it started
        idle = unconnected = ""
    match cluster.stop_reason:
        case StopReason.IDLE_TIMEOUT:
            return f"The cluster was idle for longer than its idle timeout{idle}"
        case StopReason.NO_CLIENT_TIMEOUT:
            return f"Nobody was connected to the cluster for longer than its no-client timeout{unconnected}"
        case StopReason.DELETED:
            return "The cluster was asked to stop"


RULES: tuple[Rule, ...] = (
    over_or_ending,
    stop_requested,
    name_invalid,
    config_invalid,
    over_quota,
    scheduler_rejected,
    scheduler_finished,
    scheduler_lost,
    lifetime_over,
    waiting_for_room,
    scheduler_serving,
    start_fails,
    start_timed_out,
)


def judge(observed: Observed, now: datetime) -> Verdict:
    """The verdict of the first rule that applies."""
    return next((verdict for rule in RULES if (verdict := rule(observed, now))), None) or starting(observed)
