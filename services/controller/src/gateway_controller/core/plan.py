"""What to do about a cluster: a value that says everything and does nothing."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any

from gateway_common.config import ClusterConfig
from gateway_common.errors import InvalidConfig
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import label_selector
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.model import DaskClusterStatus, Phase
from gateway_common.names import WORKER_COMPONENT, secret_name
from gateway_common.resources import INGRESSROUTES, INGRESSROUTETCPS, PODS, SECRETS, SERVICES, Resource
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.ingress_route_tcp import build_ingress_route_tcp
from gateway_controller.core.build.service import build_service
from gateway_controller.core.deadlines import next_deadline, seconds_until
from gateway_controller.core.observed import Entry, Observed, Pod, parse_config
from gateway_controller.core.rules import Verdict, judge
from gateway_controller.core.scaling import batches, scale_workers
from gateway_controller.core.status import (
    Reason,
    has_children,
    with_address,
    with_children,
    with_completion,
    with_granted_workers,
    with_phase,
)

#: A cluster that ends for one of these has come to its intended end.
_INTENDED = (Reason.DELETED, Reason.IDLE_TIMEOUT, Reason.NO_CLIENT_TIMEOUT, Reason.MAX_LIFETIME)

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


Action = CreateCredentials | Create | Delete | DeletePods
#: Actions that are carried out side by side.
Batch = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`actions` one batch after the other until one fails; then `status`, which holds if none did.

    `requeue_after` is in seconds; None: look again when something changes.
    """

    status: DaskClusterStatus
    actions: tuple[Batch, ...] = ()
    requeue_after: float | None = None


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
        status = with_phase(status, verdict.phase, verdict.reason, verdict.message)
        return Plan(status, requeue_after=seconds_until(next_deadline(observed, now), now))
    return _keep(observed, installation, verdict, now)


def _end(observed: Observed, installation: Installation, verdict: Verdict, now: datetime) -> Plan:
    """Delete everything, and call the cluster over when no pod is left (E-17)."""
    cluster = observed.cluster
    actions, requeue_after = _take_down(observed, installation, now)
    if cluster.status.phase is not Phase.STOPPING and not observed.admission.untouched:
        actions = (*actions, (Delete(SECRETS, secret_name(cluster.name)),))
    status = with_phase(cluster.status, Phase.STOPPING, verdict.reason, verdict.message)
    if not observed.pods:
        outcome = Phase.STOPPED if verdict.reason in _INTENDED else Phase.FAILED
        status = with_completion(status, outcome, now)
    return Plan(status, actions, requeue_after)


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
        return Plan(with_phase(status, verdict.phase, Reason.INVALID_CONFIG, message), requeue_after=requeue_after)
    actions = () if has_children(status) else _create_children(observed, installation, config)
    status = with_children(status, cluster.name)
    if cluster.status.phase is not Phase.RUNNING:
        # That it runs is written first, and does not depend on workers that a quota may forbid.
        return Plan(status, actions, requeue_after)
    admission = observed.admission
    if admission.shortage:
        status = with_phase(status, Phase.RUNNING, Reason.QUOTA_EXCEEDED, admission.shortage)
    # a number without a word would be written each time that a worker is replaced
    status = with_granted_workers(status, admission.workers if admission.shortage else None)
    workers, more = _scale(observed, installation, config, now)
    return Plan(status, (*actions, *workers), 0.0 if more else requeue_after)


def _create_children(observed: Observed, installation: Installation, config: ClusterConfig) -> tuple[Batch, ...]:
    """All at once: the routes are live by the time the scheduler serves."""
    name = observed.cluster.full_name
    pod = Create(PODS, build_scheduler_pod(installation, name, config), Owner.CLUSTER)
    routes = (
        Create(SERVICES, build_service(installation, name), Owner.SCHEDULER),
        Create(INGRESSROUTES, build_ingress_route(installation, name), Owner.SCHEDULER),
        Create(INGRESSROUTETCPS, build_ingress_route_tcp(installation, name), Owner.SCHEDULER),
    )
    # The Secret comes first: a kubelet that finds none to mount waits long before it looks again.
    return ((CreateCredentials(),), *(() if observed.scheduler else ((pod,),)), routes)


def _scale(
    observed: Observed, installation: Installation, config: ClusterConfig, now: datetime
) -> tuple[tuple[Batch, ...], bool]:
    scaling = scale_workers(observed, config, now)
    steps: list[Batch] = []
    if scaling.delete:
        steps.append(tuple(Delete(PODS, pod.name, pod.uid) for pod in scaling.delete))
    if scaling.create:
        pods = iter(build_worker_pods(installation, observed.cluster.full_name, config, scaling.create))
        steps += [
            tuple(Create(PODS, pod, Owner.SCHEDULER) for pod in islice(pods, size))
            for size in batches(len(scaling.create))
        ]
    return tuple(steps), scaling.more
