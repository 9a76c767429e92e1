"""What the controller sees of one cluster: frozen views that hold only what a decision needs.

The views are made from manifests as they arrive, so a copy of thousands of pods stays small, and two versions of an
object that differ in nothing of interest are equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    ClusterName,
    scheduler_pod_name,
)
from gateway_controller.core.liveness import explain_liveness_kill


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
    deleting: bool = False
    scheduler_started: bool = False
    config: bytes = b"{}"
    status: DaskClusterStatus = field(default_factory=DaskClusterStatus)

    @property
    def full_name(self) -> ClusterName:
        return ClusterName(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a cluster.

    `running` says that the Dask container runs, `started` that a worker's has run, `finished` that it never will again.
    `slot` is the number in a worker's name, -1 in other names. `failure` says in words how it ended, `lacking` what it
    still lacks to run. A worker's `ready`, `ip`, `failure` and `lacking` are left out: nobody asks for them, and there
    are many workers.
    """

    namespace: str
    name: str
    uid: str
    cluster: str
    component: str
    owner_uid: str = ""
    slot: int = -1
    created: str = ""
    deleting: bool = False
    deletion_asked: datetime | None = None
    running: bool = False
    started: bool = False
    finished: bool = False
    ready: bool = False
    ip: str = ""
    failure: str = ""
    lacking: str = ""


class Entry(Enum):
    """Whether a cluster may have objects, as far as limits go."""

    ADMITTED = "admitted"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Admission:
    """What the limits of users, groups and all have to say about a cluster; nothing unless there are any.

    `message` says why it waits or was refused. `workers` is how many it may have (None: as many as it wants), and
    `shortage` says why these are fewer than it wants. `lifetime` is in seconds. `untouched` says that nothing can have
    been made for it.
    """

    entry: Entry = Entry.ADMITTED
    message: str = ""
    workers: int | None = None
    shortage: str = ""
    lifetime: float | None = None
    untouched: bool = False


NO_LIMITS = Admission()


@dataclass(frozen=True, slots=True)
class Observed:
    """One cluster at one moment.

    `strays` are pods that carry the cluster's label and do not belong to its present scheduler: what an earlier
    cluster of the same name, or a lost scheduler, has left. `next_slot` is above every worker seen so far.
    `refusal` is the API server's explanation if it has refused the scheduler's pod for good, `admission` what limits
    say.
    """

    cluster: Cluster
    scheduler: Pod | None = None
    workers: tuple[Pod, ...] = ()
    strays: tuple[Pod, ...] = ()
    next_slot: int = 0
    refusal: str = ""
    admission: Admission = NO_LIMITS

    @property
    def pods(self) -> tuple[Pod, ...]:
        scheduler = (self.scheduler,) if self.scheduler else ()
        return (*scheduler, *self.workers, *self.strays)


def arrange(cluster: Cluster, pods: Iterable[Pod], next_slot: int = 0) -> Observed:
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
    highest = max((pod.slot for pod in others), default=-1)
    return Observed(cluster, scheduler, tuple(workers), tuple(strays), max(next_slot, highest + 1))


def pod_matters(old: Pod | None, new: Pod | None) -> bool:
    """Whether a change of a pod can change a decision. A worker that starts to run changes none."""
    if old is None or new is None or new.component != WORKER_COMPONENT:
        return old != new
    stopped_running = old.running and not new.running
    return stopped_running or (old.deleting, old.finished) != (new.deleting, new.finished)


def read_cluster(manifest: Mapping[str, Any]) -> Cluster:
    """A view of a DaskCluster.

    An older CustomResourceDefinition lets any content through, so what is of the wrong type counts as absent.
    """
    metadata = manifest["metadata"]
    spec = _mapping(manifest.get("spec"))
    replicas = spec.get("replicas")
    return Cluster(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        user=intern(_text(spec.get("username"))),
        groups=_texts(spec.get("groups")),
        active=spec.get("active") is not False,
        stop_reason=_stop_reason(spec.get("stopReason")),
        replicas=max(replicas, 0) if isinstance(replicas, int) else 0,
        deleting="deletionTimestamp" in metadata,
        scheduler_started=SCHEDULER_STARTED_ANNOTATION in (metadata.get("annotations") or {}),
        config=orjson.dumps(_mapping(spec.get("config")), option=orjson.OPT_SORT_KEYS),
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
    return Pod(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        cluster=intern(labels.get(CLUSTER_LABEL, "")),
        component=intern(component),
        owner_uid=intern(_owner_uid(metadata)),
        slot=_slot(metadata["name"]) if component == WORKER_COMPONENT else -1,
        created=metadata.get("creationTimestamp") or "",
        deleting="deletionTimestamp" in metadata,
        deletion_asked=_deletion_asked(metadata),
        running=running,
        started=not is_scheduler and (running or "terminated" in state or bool(container.get("restartCount"))),
        finished=finished,
        ready=is_scheduler and _is_ready(status),
        ip=status.get("podIP", "") if is_scheduler else "",
        failure=_explain(manifest, state) if is_scheduler and finished else "",
        lacking=_explain_waiting(manifest, state) if is_scheduler and not running and not finished else "",
    )


@lru_cache(maxsize=256)
def parse_config(document: bytes) -> ClusterConfig:
    """The configuration in a view; raises InvalidConfig. Most clusters share one of a few configurations."""
    return stored_cluster_config(orjson.loads(document))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


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


def _deletion_asked(metadata: Mapping[str, Any]) -> datetime | None:
    """When somebody asked for it: `deletionTimestamp` is when the grace period will be over."""
    if "deletionTimestamp" not in metadata:
        return None
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return datetime.fromisoformat(metadata["deletionTimestamp"]) - grace


def _slot(name: str) -> int:
    number = name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in status.get("conditions") or ()
    )


def _explain(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    status = manifest.get("status") or {}
    if reason := status.get("reason"):
        return ": ".join(filter(None, (f"its pod was {reason}", status.get("message"))))
    if exit_state := state.get("terminated"):
        if hung := explain_liveness_kill(manifest, SCHEDULER_COMPONENT, exit_state):
            return hung
        reason = exit_state.get("reason")
        return f"it exited with code {exit_state.get('exitCode')}" + (f" ({reason})" if reason else "")
    return f"its pod is {status.get('phase')}"


def _explain_waiting(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Which step on the way to a running container has not been done, and why not if somebody says so."""
    status = manifest.get("status") or {}
    if not manifest["spec"].get("nodeName"):
        conditions = status.get("conditions") or ()
        why = next((entry.get("message") for entry in conditions if entry["type"] == "PodScheduled"), None)
        return ": ".join(filter(None, ("its pod has no node yet", why)))
    waiting = state.get("waiting") or {}
    return ": ".join(filter(None, ("its container does not run yet", waiting.get("reason"), waiting.get("message"))))
