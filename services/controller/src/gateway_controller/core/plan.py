"""What to do about a cluster: a value that says everything and does nothing."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any

from gateway_common.config import ClusterConfig
from gateway_common.errors import InvalidConfig, KubeError
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import label_selector
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.model import DaskClusterStatus, Phase, WorkersStatus
from gateway_common.names import WORKER_COMPONENT, secret_name
from gateway_common.reasons import INTENDED_ENDS, Reason
from gateway_common.resources import PODS, SECRETS, Resource
from gateway_controller.core.build.access import build_access
from gateway_controller.core.conditions import with_conditions
from gateway_controller.core.deadlines import deletion_deadline, next_deadline, seconds_until
from gateway_controller.core.observed import Entry, Observed, Pod, parse_config
from gateway_controller.core.refusals import classify_refusal
from gateway_controller.core.rules import Verdict, judge
from gateway_controller.core.scaling import Scaling, batches, scale_workers, used_up
from gateway_controller.core.status import (
    has_children,
    with_address,
    with_children,
    with_completion,
    with_failure,
    with_granted_workers,
    with_phase,
    with_start_failures,
    with_used_slots,
)
from gateway_controller.core.workers_status import Workers, describe_workers

#: How long the scheduler of a cluster that ends waits for its workers at the most.
WORKERS_LEAVE_FIRST_SECONDS = 2.0


class Owner(Enum):
    """What an object is deleted with. A lost scheduler takes all but its Secret along."""

    CLUSTER = "cluster"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class CreateCredentials:
    """Make a key pair and a token, and the Secret of them."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object, or adopt the one that is there."""

    resource: Resource
    manifest: dict[str, Any]
    owner: Owner


@dataclass(frozen=True, slots=True)
class Renew:
    """Make an object that is there what it would be made now."""

    resource: Resource
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object if it is there; with `uid`, that very one."""

    resource: Resource
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class DeletePods:
    """Delete every pod that the selector selects; `uids` are those of them that are known."""

    selector: str
    uids: frozenset[str]


Action = CreateCredentials | Create | Renew | Delete | DeletePods
#: Actions that are carried out side by side.
Batch = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`actions` one batch after the other until one fails; then `status`, which holds if none did.

    `requeue_after` is in seconds; None: look again when something changes. `log_container` is that container of the
    scheduler's pod whose log is worth keeping before the pod goes.
    """

    status: DaskClusterStatus
    actions: tuple[Batch, ...] = ()
    requeue_after: float | None = None
    log_container: str = ""


def plan(observed: Observed, installation: Installation, now: datetime) -> Plan:
    """Decide what to do about a cluster as it is at `now`."""
    status = observed.cluster.status
    if observed.cluster.deleting:
        # Its children go with it.
        return Plan(status)
    verdict = judge(observed, now)
    if verdict.phase.is_terminal:
        # A create whose answer was lost may come to light after the end.
        return Plan(status, _delete_pods(observed, installation, observed.pods))
    if verdict.phase is Phase.STOPPING:
        return _end(observed, installation, verdict, now)
    if observed.admission.entry is Entry.WAITING:
        status = _say(observed, with_phase(status, verdict.phase, verdict.reason, verdict.message), None, now)
        return Plan(status, requeue_after=seconds_until(next_deadline(observed, now), now))
    return _keep(observed, installation, verdict, now)


def _end(observed: Observed, installation: Installation, verdict: Verdict, now: datetime) -> Plan:
    """Delete everything, and call the cluster over when no pod is left (E-17)."""
    cluster = observed.cluster
    actions, requeue_after = _take_down(observed, installation, now)
    if requeue_after is None:
        requeue_after = seconds_until(deletion_deadline(observed.pods, now), now)
    status = with_phase(cluster.status, Phase.STOPPING, verdict.reason, verdict.message)
    log_container = ""
    if cluster.status.phase is not Phase.STOPPING:
        status = _say(observed, status, None, now)
        if observed.scheduler and verdict.reason not in INTENDED_ENDS:
            status = with_failure(status, observed.scheduler.exit_code)
            log_container = observed.scheduler.log_container
    if not observed.pods:
        # The Secret goes last: were it gone before it is written that the cluster stops, and the reason for that gone
        # by the next look, a cluster would run that nobody can reach.
        if not observed.admission.untouched:
            actions = (*actions, (Delete(SECRETS, secret_name(cluster.name)),))
        outcome = Phase.STOPPED if verdict.reason in INTENDED_ENDS else Phase.FAILED
        status = with_completion(status, outcome, now)
    return Plan(status, actions, requeue_after, log_container)


def _take_down(observed: Observed, installation: Installation, now: datetime) -> tuple[tuple[Batch, ...], float | None]:
    """Workers first, then the scheduler: when to look again, if the scheduler has to wait.

    A nanny that is told to end while its worker is ending by itself, for want of a scheduler, waits eight seconds for
    it (distributed 2026.8.0). Told while the scheduler serves, it is gone in half a second.
    """
    scheduler = observed.scheduler
    leaving = [pod for pod in observed.workers if not pod.finished]
    if scheduler is None or scheduler.deleting or scheduler.finished or not leaving:
        return _delete_pods(observed, installation, observed.pods), None
    waited = min(_seconds_since(pod.deletion_asked, now) for pod in leaving)
    if waited >= WORKERS_LEAVE_FIRST_SECONDS:
        return _delete_pods(observed, installation, observed.pods), None
    actions = _delete_pods(observed, installation, tuple(leaving), WORKER_COMPONENT)
    return actions, WORKERS_LEAVE_FIRST_SECONDS - waited


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    # clocks of different machines differ
    return max((now - moment).total_seconds(), 0.0) if moment else 0.0


def _delete_pods(
    observed: Observed, installation: Installation, pods: tuple[Pod, ...], component: str = ""
) -> tuple[Batch, ...]:
    if all(pod.deleting for pod in pods):
        return ()
    selector = label_selector(installation, observed.cluster.full_name, component)
    return ((DeletePods(selector, frozenset(pod.uid for pod in pods)),),)


def _keep(observed: Observed, installation: Installation, verdict: Verdict, now: datetime) -> Plan:
    """Make what is missing, and the workers of a cluster that runs."""
    cluster = observed.cluster
    requeue_after = seconds_until(next_deadline(observed, now), now)
    status = with_phase(cluster.status, verdict.phase, verdict.reason, verdict.message)
    if verdict.phase is Phase.RUNNING and observed.scheduler:
        status = with_address(status, observed.scheduler.ip)
    try:
        config = parse_config(cluster.config)
    except InvalidConfig as error:
        # It has a scheduler, so it was right once: everything stays as it is, and says what can't be done.
        message = f"Nothing more can be made, the cluster's configuration is wrong: {error}"
        status = _say(observed, with_phase(status, verdict.phase, Reason.INVALID_CONFIG, message), None, now)
        return Plan(status, requeue_after=requeue_after)
    proxy = installation.proxy_kind
    if has_children(status, proxy):
        actions = _mend(observed, installation)
    else:
        actions = _create_children(observed, installation, config)
    status = with_children(status, cluster.name, proxy)
    if verdict.phase is not Phase.RUNNING:
        return Plan(_say(observed, status, None, now), actions, requeue_after)
    scalings = scale_workers(observed, config, now)
    failures = [scaling.starts.failures for scaling in scalings if scaling.starts.failures]
    described = describe_workers(observed, config, failures)
    if described.is_problem:
        status = with_phase(status, Phase.RUNNING, described.reason, described.message)
    # a number without a word would be written each time that a worker is replaced
    admission = observed.admission
    granted = (admission.workers, admission.groups) if admission.shortage else (None, ())
    status = with_start_failures(with_granted_workers(status, *granted), failures)
    status = _say(observed, status, described, now)
    if cluster.status.phase is not Phase.RUNNING:
        # That it runs is written first, and does not depend on workers that a quota may forbid.
        return Plan(status, actions, requeue_after)
    workers = [batch for scaling in scalings for batch in _scale(scaling, observed, installation, config)]
    if any(pod.slot >= used_up(observed) for scaling in scalings for pod in scaling.delete):
        status = with_used_slots(status, observed.next_slot)
    if any(scaling.more for scaling in scalings):
        return Plan(status, (*actions, *workers), 0.0)
    moments = [scaling.look_again for scaling in scalings if scaling.look_again is not None]
    again = [requeue_after, *((moment - now).total_seconds() for moment in moments)]
    return Plan(status, (*actions, *workers), min((pause for pause in again if pause is not None), default=None))


def _say(observed: Observed, status: DaskClusterStatus, workers: Workers | None, now: datetime) -> DaskClusterStatus:
    """The status with everything in it that follows from the rest of it."""
    counts = workers.counts if workers else None
    update = {"observed_generation": observed.cluster.generation or None, "workers": counts}
    return with_conditions(status.model_copy(update=update), observed.scheduler, workers, now)


def refused(observed: Observed, error: KubeError, now: datetime) -> DaskClusterStatus:
    """The status of a cluster for which the API server refuses something: its phase stays, it says what is wrong.

    A cluster that is ending says why it ends.
    """
    status = observed.cluster.status
    if status.phase is Phase.STOPPING or status.phase.is_terminal:
        return status
    reason, message = classify_refusal(error), str(error)
    workers = None
    if status.phase is Phase.RUNNING:
        workers = Workers(_counts(observed), ready=False, reason=reason, message=message, is_problem=True)
    return _say(observed, with_phase(status, status.phase, reason, message), workers, now)


def _counts(observed: Observed) -> WorkersStatus:
    try:
        return describe_workers(observed, parse_config(observed.cluster.config)).counts
    except InvalidConfig:
        return WorkersStatus()


def _create_children(observed: Observed, installation: Installation, config: ClusterConfig) -> tuple[Batch, ...]:
    """All at once: the routes are live by the time the scheduler serves."""
    name = observed.cluster.full_name
    pod = Create(PODS, build_scheduler_pod(installation, name, config), Owner.CLUSTER)
    access = build_access(installation, name).items()
    routes = tuple(Create(resource, manifest, Owner.SCHEDULER) for resource, manifest in access)
    # The Secret comes first: a kubelet that finds none to mount waits long before it looks again.
    return ((CreateCredentials(),), *(() if observed.scheduler else ((pod,),)), routes)


def _mend(observed: Observed, installation: Installation) -> tuple[Batch, ...]:
    """What leads to a cluster is made again, or made anew, if it is not as it should be."""
    drift = observed.drift
    if not drift:
        return ()
    access = build_access(installation, observed.cluster.full_name)
    return (
        (
            *(Create(resource, access[resource], Owner.SCHEDULER) for resource in access if resource in drift.missing),
            *(Renew(resource, access[resource]) for resource in access if resource in drift.outdated),
        ),
    )


def _scale(
    scaling: Scaling, observed: Observed, installation: Installation, config: ClusterConfig
) -> tuple[Batch, ...]:
    steps: list[Batch] = []
    if leaving := [pod for pod in scaling.delete if pod.slot < used_up(observed)]:
        steps.append(tuple(Delete(PODS, pod.name, pod.uid) for pod in leaving))
    if scaling.create:
        name, group = observed.cluster.full_name, scaling.group
        pods = iter(build_worker_pods(installation, name, config, scaling.create, group))
        steps += [
            tuple(Create(PODS, pod, Owner.SCHEDULER) for pod in islice(pods, size))
            for size in batches(len(scaling.create))
        ]
    return tuple(steps)
