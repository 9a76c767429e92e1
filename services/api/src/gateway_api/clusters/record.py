"""A cluster as the api knows it: what its rules need, and the bytes that a client gets.

The JSON of a cluster is made here, when its object changes, and never when somebody asks for it. Released
clients pass its keys to a constructor: one key too many breaks every one of them (R-030). No I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from pydantic import ValidationError

from gateway_common.clock import from_rfc3339
from gateway_common.config import stored_cluster_config
from gateway_common.errors import InvalidConfig
from gateway_common.model import DaskClusterStatus, Phase
from gateway_common.names import (
    SCHEDULER_GROUPS_ANNOTATION,
    SCHEDULER_REPLICAS_ANNOTATION,
    SCHEDULER_STARTED_ANNOTATION,
    ClusterName,
    dashboard_path,
    service_name,
)
from gateway_common.quota import own_room
from gateway_common.reasons import INTENDED_ENDS
from gateway_common.resources import DASKCLUSTERS


class ClusterStatus(StrEnum):
    """A cluster's state in the words of the REST API (R-030)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


#: What `GET /api/v1/clusters/` lists by default (R-020).
LIVE = frozenset({ClusterStatus.PENDING, ClusterStatus.RUNNING})
#: What a DaskCluster can hold in `spec.replicas`.
MOST_WORKERS = 1_000_000
#: Nothing more happens to these.
FINISHED = frozenset({ClusterStatus.STOPPED, ClusterStatus.FAILED})

_STATUS_OF_PHASE = {phase.value: ClusterStatus[phase.name] for phase in Phase}


class Credentials:
    """What the cluster's Secret holds: the TLS pair for its owner, the token that its scheduler shows us."""

    __slots__ = ("tail", "token", "uid")

    def __init__(self, uid: str, certificate: str, private_key: str, token: str) -> None:
        self.uid = uid
        self.token = token
        #: the end of the cluster's JSON
        self.tail = b',"tls_cert":%b,"tls_key":%b}' % (orjson.dumps(certificate), orjson.dumps(private_key))


class Record:
    """One DaskCluster.

    Attributes
    ----------
    body
        The cluster's JSON (R-030), or None while it lacks the credentials that a running cluster's has.
    entry
        What stands before `body` in a list of clusters: the name as a JSON key.
    config
        `spec.config` as stored.
    groups
        Those of its user's groups whose limits count for it.
    workers, granted
        How many workers are wanted of each of its groups of workers, and how many of these limits leave room for; those
        outside of groups stand at "".
    scheduler_has_groups
        Whether its scheduler knows of groups of workers.
    admitted
        Whether the controller has found room for it: its objects are being made, or it is further than that.
    replicas
        How many workers are wanted, by its scheduler or by whoever else wrote that.
    reported
        How many its scheduler asked for last; None: nobody has noted that.
    granted
        How many workers limits leave room for, as far as the controller has said so; else as many as are wanted.
    failed_to_start
        Whether it has failed, or is about to have, without ever having been running.
    """

    __slots__ = (
        "_details",
        "_head",
        "active",
        "admitted",
        "body",
        "config",
        "entry",
        "failed_to_start",
        "granted",
        "groups",
        "message",
        "name",
        "reason",
        "replicas",
        "reported",
        "scheduler_address",
        "scheduler_has_groups",
        "scheduler_started",
        "status",
        "uid",
        "user",
        "workers",
    )

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        metadata = manifest["metadata"]
        spec = manifest.get("spec") or {}
        status = manifest.get("status") or {}
        self.name = ClusterName(metadata["namespace"], metadata["name"])
        self.uid: str = metadata["uid"]
        self.user: str = spec.get("username", "")
        self.active: bool = spec.get("active", True)
        self.replicas: int = spec.get("replicas", 0)
        wanted = {name: group.get("replicas", 0) for name, group in (spec.get("workerGroups") or {}).items()}
        self.workers: Mapping[str, int] = {"": self.replicas, **wanted}
        most = {"": status.get("grantedWorkers", self.replicas), **(status.get("grantedGroups") or {})}
        self.granted: Mapping[str, int] = {
            group: min(count, most.get(group, count)) for group, count in self.workers.items()
        }
        self.config: Mapping[str, Any] = spec.get("config") or {}
        self.groups: Sequence[str] = spec.get("groups") or ()
        self.reason: str | None = status.get("reason")
        self.message: str | None = status.get("message")
        self.scheduler_address: str = status.get("schedulerAddress") or ""
        annotations = metadata.get("annotations") or {}
        self.scheduler_started = SCHEDULER_STARTED_ANNOTATION in annotations
        self.scheduler_has_groups = SCHEDULER_GROUPS_ANNOTATION in annotations
        self.reported = _number(annotations.get(SCHEDULER_REPLICAS_ANNOTATION))
        self.status = classify_status(status.get("phase"), self.active)
        self.admitted = self.status is ClusterStatus.RUNNING or "schedulerPod" in status
        self.failed_to_start = _failed_to_start(status)
        self.entry = orjson.dumps(str(self.name)) + b":"
        self._head = self._without_credentials(metadata, spec, status)
        self._details = self._described(status)
        self.body = None if self.status is ClusterStatus.RUNNING else self.body_without_credentials

    def _without_credentials(
        self, metadata: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]
    ) -> bytes:
        running = self.status is ClusterStatus.RUNNING
        fields = {
            "name": str(self.name),
            "dashboard_route": f"{dashboard_path(self.name)}status" if running else None,
            "status": self.status,
            "start_time": _milliseconds(metadata.get("creationTimestamp")),
            "stop_time": _milliseconds(status.get("completionTime")),
            "options": spec.get("options") or {},
        }
        return orjson.dumps(fields)[:-1]

    @property
    def body_without_credentials(self) -> bytes:
        """The cluster's JSON where it has no credentials: not yet, or not any more."""
        return self._head + b',"tls_cert":null,"tls_key":null}'

    @property
    def overridden(self) -> bool:
        """Whether somebody else has said how many workers it is to have, and its scheduler has yet to follow."""
        running = self.status is ClusterStatus.RUNNING
        return running and self.reported is not None and self.reported != self.replicas

    @property
    def scheduler_host(self) -> str:
        """Where its scheduler listens: by its Service's name until its address is known."""
        return self.scheduler_address or f"{service_name(self.name.name)}.{self.name.namespace}"

    @property
    def max_workers(self) -> int | None:
        """How many workers its limits leave room for outside of groups; None: no limit."""
        return self.max_workers_of("")

    def max_workers_of(self, group: str) -> int | None:
        """How many workers of a group its own limits leave room for beside those that are wanted of others."""
        others = {other: count for other, count in self.workers.items() if other != group}
        try:
            return own_room(stored_cluster_config(dict(self.config)), others, group)
        except InvalidConfig:
            # made by hand or by another version; the one field that says it outright still counts
            limit = self.config.get("cluster_max_workers")
            return limit if isinstance(limit, int) else None

    @property
    def worker_groups(self) -> list[str]:
        """The names of its groups of workers."""
        return sorted(self.config.get("worker_groups") or ())

    def within_limit(self, count: int, group: str = "") -> int:
        """A number of workers, as far as its limits allow."""
        limit = self.max_workers_of(group)
        return min(count, MOST_WORKERS if limit is None else limit)

    def described(self, body: bytes) -> bytes:
        """The cluster's JSON in version 2 of the REST API, made of that in version 1."""
        return body[:-1] + b"," + self._details

    def _described(self, status: Mapping[str, Any]) -> bytes:
        try:
            known = DaskClusterStatus.model_validate(status)
        except ValidationError:
            # an older CustomResourceDefinition lets any content through
            known = DaskClusterStatus()
        more = {
            "user": self.user,
            "reason": self.reason,
            "message": self.message,
            "workers": self.replicas,
            "conditions": [one.model_dump(exclude={"observed_generation"}) for one in known.conditions],
            "workers_by_state": known.workers and known.workers.model_dump(),
            "scheduler_failure": known.scheduler_failure and known.scheduler_failure.model_dump(),
        }
        return orjson.dumps(more)[1:]

    def complete(self, credentials: Credentials) -> bytes:
        """Make `body` with the credentials in it."""
        self.body = self._head + credentials.tail
        return self.body


def classify_status(phase: str | None, active: bool) -> ClusterStatus:
    """What users are told. A cluster that is to stop is stopping from then on, not when the controller sees it.

    A phase that is not there yet, or that only a later version knows, counts as pending.
    """
    status = _STATUS_OF_PHASE.get(phase or "", ClusterStatus.PENDING)
    if not active and status in LIVE:
        return ClusterStatus.STOPPING
    return status


def _failed_to_start(status: Mapping[str, Any]) -> bool:
    """By what only our controller writes: a reason, and an address as soon as a cluster runs."""
    ended = status.get("phase") in (Phase.STOPPING, Phase.FAILED)
    reason = status.get("reason")
    return ended and bool(reason) and reason not in INTENDED_ENDS and not status.get("schedulerAddress")


@dataclass(frozen=True, slots=True)
class NewCluster:
    """What is to be made. `groups` are those of the user's groups whose limits count."""

    name: ClusterName
    user: str
    groups: Sequence[str]
    options: Mapping[str, Any]
    config: Mapping[str, Any]


def build_dask_cluster(new: NewCluster, labels: Mapping[str, str]) -> dict[str, Any]:
    """The DaskCluster of a new cluster (K-002). A scheduler asks for no workers at first."""
    spec: dict[str, Any] = {
        "username": new.user,
        "options": dict(new.options),
        "config": dict(new.config),
        "replicas": 0,
    }
    if new.groups:
        spec["groups"] = list(new.groups)
    return {
        "apiVersion": DASKCLUSTERS.api_version,
        "kind": DASKCLUSTERS.kind,
        "metadata": {
            "name": new.name.name,
            "labels": dict(labels),
            "annotations": {SCHEDULER_REPLICAS_ANNOTATION: "0"},
        },
        "spec": spec,
    }


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None


def _milliseconds(time: str | None) -> int | None:
    return None if time is None else int(from_rfc3339(time) * 1000)
