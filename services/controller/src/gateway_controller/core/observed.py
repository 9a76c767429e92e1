"""What the controller sees of one cluster: frozen views that hold only what a decision needs.

The views are made from manifests as they arrive, so a copy of thousands of pods stays small, and two versions of an
object that differ in nothing of interest are equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from sys import intern
from typing import Any

import orjson
from pydantic import ValidationError

from gateway_common.config import ClusterConfig, stored_cluster_config
from gateway_common.model import DaskClusterStatus, StopReason
from gateway_common.names import (
    CLUSTER_LABEL,
    COMPONENT_LABEL,
    SCHEDULER_COMPONENT,
    SCHEDULER_STARTED_ANNOTATION,
    WORKER_COMPONENT,
    WORKER_GROUP_LABEL,
    ClusterName,
    scheduler_pod_name,
)
from gateway_controller.core.drift import NO_DRIFT, Drift
from gateway_controller.core.pod_problem import Problem, exit_code, find_problem, log_container
from gateway_controller.core.runs import NEVER_RAN, Run, read_run

#: That a pod is granted for its end after its grace period, at the least.
LEAST_ALLOWANCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A DaskCluster. `config` is its spec.config as JSON: small in memory, and equal where the configuration is."""

    namespace: str
    name: str
    uid: str
    created: str
    user: str = ""
    groups: tuple[str, ...] = ()
    active: bool = True
    stop_reason: StopReason = StopReason.DELETED
    replicas: int = 0
    generation: int = 0
    #: Of each named group of workers.
    group_replicas: tuple[tuple[str, int], ...] = ()
    deleting: bool = False
    scheduler_started: bool = False
    config: bytes = b"{}"
    status: DaskClusterStatus = field(default_factory=DaskClusterStatus)

    @property
    def full_name(self) -> ClusterName:
        return ClusterName(self.namespace, self.name)

    def replicas_of(self, group: str) -> int:
        """How many workers are asked for of a group; of "": outside of groups."""
        return dict(self.group_replicas).get(group, 0) if group else self.replicas


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a cluster.

    `running` says that the Dask container runs, `started` that a worker's has run, `finished` that it never will again.
    `slot` is the number in a worker's name, -1 in other names; `group` is empty for workers outside of groups.
    `deletion_due` is when a pod that is being deleted must be gone, `stuck` says that it is later: its node is dead.
    `problem` says what keeps it from running, or how it ended if that was no success; `run` is how a worker's container
    has run. All after that is known of schedulers alone: there are many workers, and nobody asks. Times are as
    Kubernetes writes them, empty where it says none; `log_container` is empty while there is no log.
    """

    namespace: str
    name: str
    uid: str
    cluster: str
    component: str
    group: str = ""
    owner_uid: str = ""
    slot: int = -1
    created: str = ""
    deleting: bool = False
    deletion_asked: datetime | None = None
    deletion_due: datetime | None = None
    stuck: bool = False
    running: bool = False
    started: bool = False
    finished: bool = False
    problem: Problem | None = None
    run: Run = NEVER_RAN
    ready: bool = False
    ip: str = ""
    has_node: bool = False
    scheduled_at: str = ""
    ready_at: str = ""
    exit_code: int | None = None
    log_container: str = ""


class Entry(Enum):
    """Whether a cluster may have objects, as far as limits go."""

    ADMITTED = "admitted"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Admission:
    """What the limits of users, groups and all have to say about a cluster; nothing unless there are any.

    `message` says why it waits or was refused. `workers` is how many it may have (None: as many as it wants), `groups`
    how many of those groups of workers of which it may not have as many, and `shortage` says why these are fewer than
    it wants. `lifetime` is in seconds. `untouched` says that nothing can have
    been made for it.
    """

    entry: Entry = Entry.ADMITTED
    message: str = ""
    workers: int | None = None
    groups: tuple[tuple[str, int], ...] = ()
    shortage: str = ""
    lifetime: float | None = None
    untouched: bool = False

    def workers_of(self, group: str) -> int | None:
        """How many workers of a group it may have, of "": outside of groups; None: as many as it wants."""
        return dict(self.groups).get(group) if group else self.workers


NO_LIMITS = Admission()


@dataclass(frozen=True, slots=True)
class Observed:
    """One cluster at one moment.

    `strays` are pods that carry the cluster's label and do not belong to its present scheduler: what an earlier
    cluster of the same name, or a lost scheduler, has left. `next_slot` is above every worker seen so far;
    of those in `unsure_slots` nobody knows whether they have been made.
    `refusal` is the API server's explanation if it has refused the scheduler's pod for good, `admission` what limits
    say, `drift` what has to be mended of the way to it.
    """

    cluster: Cluster
    scheduler: Pod | None = None
    workers: tuple[Pod, ...] = ()
    strays: tuple[Pod, ...] = ()
    next_slot: int = 0
    unsure_slots: tuple[tuple[str, int], ...] = ()
    refusal: str = ""
    admission: Admission = NO_LIMITS
    drift: Drift = NO_DRIFT

    @property
    def pods(self) -> tuple[Pod, ...]:
        scheduler = (self.scheduler,) if self.scheduler else ()
        return (*scheduler, *self.workers, *self.strays)


def arrange(
    cluster: Cluster, pods: Iterable[Pod], next_slot: int = 0, unsure_slots: Iterable[tuple[str, int]] = ()
) -> Observed:
    """Tell a cluster's scheduler and workers from strays, by owner: names and labels may outlive their cluster."""
    scheduler: Pod | None = None
    others: list[Pod] = []
    expected = scheduler_pod_name(cluster.name)
    for pod in pods:
        if pod.name == expected and pod.owner_uid == cluster.uid:
            scheduler = pod
        else:
            others.append(pod)
    workers: list[Pod] = []
    strays: list[Pod] = []
    for pod in others:
        is_worker = scheduler and pod.component == WORKER_COMPONENT and pod.owner_uid == scheduler.uid
        (workers if is_worker else strays).append(pod)
    slots = {pod.slot for pod in others}
    next_slot = max(next_slot, cluster.status.next_worker_slot or 0, max(slots, default=-1) + 1)
    unsure = tuple(sorted(known for known in unsure_slots if known[1] < next_slot and known[1] not in slots))
    return Observed(cluster, scheduler, tuple(workers), tuple(strays), next_slot, unsure)


class Wake(Enum):
    """When a cluster is to be looked at after a change."""

    NOW = "now"
    #: What changes is only what there is to say, and that is said together with what follows.
    LATER = "later"
    NEVER = "never"


def classify_change(old: Pod | None, new: Pod | None) -> Wake:
    """Whether a change of a pod can change a decision, or only what the cluster's status says."""
    if old == new:
        return Wake.NEVER
    if new is None:
        return Wake.NOW
    if new.component != WORKER_COMPONENT:
        return Wake.LATER if old and _only_gets_a_node(old, new) else Wake.NOW
    if old is None:
        return Wake.LATER
    stopped_running = old.running and not new.running
    before, after = ((pod.deleting, pod.finished, pod.run.looping) for pod in (old, new))
    return Wake.NOW if stopped_running or before != after else Wake.LATER


def _only_gets_a_node(old: Pod, new: Pod) -> bool:
    """A scheduler on its way: next it runs, or has a problem."""
    return old.problem is None and replace(old, has_node=True, scheduled_at=new.scheduled_at) == new


def read_cluster(manifest: Mapping[str, Any]) -> Cluster:
    """A view of a DaskCluster.

    An older CustomResourceDefinition lets any content through, so what is of the wrong type counts as absent.
    """
    metadata = manifest["metadata"]
    spec = _mapping(manifest.get("spec"))
    groups = _mapping(spec.get("workerGroups"))
    return Cluster(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        user=intern(_text(spec.get("username"))),
        groups=_texts(spec.get("groups")),
        active=spec.get("active") is not False,
        stop_reason=_stop_reason(spec.get("stopReason")),
        replicas=_count(spec.get("replicas")),
        group_replicas=tuple((name, _count(_mapping(groups[name]).get("replicas"))) for name in sorted(groups)),
        generation=metadata.get("generation") or 0,
        deleting="deletionTimestamp" in metadata,
        scheduler_started=SCHEDULER_STARTED_ANNOTATION in (metadata.get("annotations") or {}),
        config=_shared(orjson.dumps(_mapping(spec.get("config")), option=orjson.OPT_SORT_KEYS)),
        status=_read_status(manifest.get("status")),
    )


def read_pod(manifest: Mapping[str, Any]) -> Pod:
    """A view of a scheduler's or worker's pod."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    labels = metadata.get("labels") or {}
    component = labels.get(COMPONENT_LABEL, "")
    is_scheduler = component == SCHEDULER_COMPONENT
    container = _dask_container(manifest)
    state = container.get("state") or {}
    ended = status.get("phase") in ("Succeeded", "Failed")
    running = "running" in state and not ended
    # A worker whose container has exited may be restarted in place (K-033); a scheduler never is (K-022).
    finished = ended or (is_scheduler and "terminated" in state)
    deletion_asked, deletion_due = _deletion(metadata)
    pod = Pod(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        cluster=intern(labels.get(CLUSTER_LABEL, "")),
        component=intern(component),
        group=intern(labels.get(WORKER_GROUP_LABEL, "")),
        owner_uid=intern(_owner_uid(metadata)),
        slot=slot_of(metadata["name"]) if component == WORKER_COMPONENT else -1,
        created=metadata.get("creationTimestamp") or "",
        deleting="deletionTimestamp" in metadata,
        deletion_asked=deletion_asked,
        deletion_due=deletion_due,
        running=running,
        started=not is_scheduler
        and (bool({"running", "terminated"} & state.keys()) or bool(container.get("restartCount"))),
        finished=finished,
        problem=find_problem(manifest, container, is_scheduler=is_scheduler),
        run=NEVER_RAN if is_scheduler else read_run(status, container),
    )
    return _with_details(pod, manifest, container) if is_scheduler else pod


def _with_details(scheduler: Pod, manifest: Mapping[str, Any], container: Mapping[str, Any]) -> Pod:
    status = manifest.get("status") or {}
    scheduled, ready = (_true_since(status, kind) for kind in ("PodScheduled", "Ready"))
    return replace(
        scheduler,
        ready=ready is not None,
        ip=status.get("podIP", ""),
        has_node=bool(manifest["spec"].get("nodeName") or status.get("containerStatuses")),
        scheduled_at=scheduled or "",
        ready_at=ready or "",
        exit_code=exit_code(status, container),
        log_container=log_container(status, container),
    )


@lru_cache(maxsize=256)
def parse_config(document: bytes) -> ClusterConfig:
    """The configuration in a view; raises InvalidConfig. Most clusters share one of a few configurations."""
    return stored_cluster_config(orjson.loads(document))


@lru_cache(maxsize=256)
def _shared(document: bytes) -> bytes:
    """The same object for equal documents: records of ended clusters are kept for a day, most alike in this."""
    return document


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(intern(text) for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _stop_reason(value: Any) -> StopReason:
    """Whoever stops a cluster with a word of their own has it deleted."""
    return StopReason(value) if value in list(StopReason) else StopReason.DELETED


def _read_status(value: Any) -> DaskClusterStatus:
    try:
        return DaskClusterStatus.model_validate(_mapping(value))
    except ValidationError:
        # Only this controller writes it. What nobody can read is found out anew from the objects that are there.
        return DaskClusterStatus()


def _dask_container(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of the container that runs Dask, which need not be the first: admission may inject sidecars."""
    statuses = (manifest.get("status") or {}).get("containerStatuses") or ()
    names = [container["name"] for container in manifest["spec"]["containers"]]
    ours = next((name for name in names if name in (SCHEDULER_COMPONENT, WORKER_COMPONENT)), names[0])
    return next((entry for entry in statuses if entry["name"] == ours), {})


def _owner_uid(metadata: Mapping[str, Any]) -> str:
    owners = metadata.get("ownerReferences")
    return owners[0]["uid"] if owners else ""


def _deletion(metadata: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """When somebody asked for it, and when it is due: `deletionTimestamp` is when the grace period will be over.

    Kubernetes' own quota grants as long again (k8s.io/kubernetes pkg/quota/v1/evaluator/core/pods.go); so do we, and
    more where there was no grace: kubelets have work to do then, too.
    """
    if "deletionTimestamp" not in metadata:
        return None, None
    end = datetime.fromisoformat(metadata["deletionTimestamp"])
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return end - grace, end + max(grace, LEAST_ALLOWANCE)


def slot_of(name: str) -> int:
    """The number in a worker's name, -1 where there is none."""
    number = name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def _true_since(status: Mapping[str, Any], kind: str) -> str | None:
    """Since when a condition is true, empty if nobody says; None: it is not."""
    for condition in status.get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            return condition.get("lastTransitionTime") or ""
    return None
