"""What a DaskCluster's status says, and how a change of it is written."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway_common.configuration.proxy import ProxyKind
from gateway_common.model import Condition, DaskClusterStatus, Phase, SchedulerFailure, StartFailures
from gateway_common.names import scheduler_pod_name, secret_name, service_name
from gateway_common.reasons import Reason

#: Kubernetes cuts a condition's message at 32 KiB; an answer of an admission webhook may be of any length.
LONGEST_MESSAGE = 1024

#: Within these a start usually comes to what will be written anyway; who waits for longer is told how far it is.
SCHEDULER_STARTS_SECONDS = 60.0
WORKERS_START_SECONDS = 30.0
#: Changes that come together, as of many workers that are lost with their node.
SETTLED_SECONDS = 1.0

#: The fields that name a cluster's routes. A cluster whose installation has changed its proxy has both pairs.
_ROUTE_FIELDS: Mapping[ProxyKind, tuple[str, str]] = {
    "traefik": ("ingressroute", "ingressroutetcp"),
    "gatewayAPI": ("httproute", "tlsroute"),
}


class Aspect(StrEnum):
    """The types of conditions, in the order of a start."""

    #: The scheduler's pod has been made.
    SCHEDULER_CREATED = "SchedulerCreated"
    #: It has a node.
    SCHEDULER_SCHEDULED = "SchedulerScheduled"
    #: The scheduler has come to serve, and lives. Unknown while it starts as it should; False: there is a problem.
    SCHEDULER_READY = "SchedulerReady"
    #: Service and routes have been made.
    ROUTES_READY = "RoutesReady"
    #: As many workers run as are wanted and allowed.
    WORKERS_READY = "WorkersReady"
    #: The cluster can be used.
    READY = "Ready"


def find_condition(status: DaskClusterStatus, kind: Aspect) -> Condition | None:
    """What the status says of one aspect."""
    return next((entry for entry in status.conditions if entry.type == kind), None)


def with_phase(status: DaskClusterStatus, phase: Phase, reason: str | None, message: str | None) -> DaskClusterStatus:
    """The status in a phase, for a reason. What else it holds stays: it says what has been made."""
    short = message[:LONGEST_MESSAGE] if message else message
    return status.model_copy(update={"phase": phase, "reason": reason, "message": short})


def with_children(status: DaskClusterStatus, cluster_name: str, proxy: ProxyKind) -> DaskClusterStatus:
    """The status of a cluster whose objects have all been made."""
    name = service_name(cluster_name)
    return status.model_copy(
        update={
            "credentials": secret_name(cluster_name),
            "scheduler_pod": scheduler_pod_name(cluster_name),
            "service": name,
            **dict.fromkeys(_ROUTE_FIELDS[proxy], name),
        }
    )


def with_granted_workers(
    status: DaskClusterStatus, workers: int | None, groups: Iterable[tuple[str, int]] = ()
) -> DaskClusterStatus:
    """The status with how many workers there is room for, outside of groups and in those that are short.

    None: for all that are wanted.
    """
    return status.model_copy(update={"granted_workers": workers, "granted_groups": dict(groups)})


def with_address(status: DaskClusterStatus, address: str) -> DaskClusterStatus:
    """The status with the scheduler's address; an address that is not known just now is the one from before."""
    return status.model_copy(update={"scheduler_address": address or status.scheduler_address})


def with_start_failures(status: DaskClusterStatus, failures: list[StartFailures]) -> DaskClusterStatus:
    """The status with what is to be remembered of workers that failed to start."""
    return status.model_copy(update={"start_failures": failures})


def has_children(status: DaskClusterStatus, proxy: ProxyKind) -> bool:
    """Whether the status says that all objects but the workers have been made, with the routes for this proxy."""
    routes = (getattr(status, name) for name in _ROUTE_FIELDS[proxy])
    return None not in (status.credentials, status.scheduler_pod, status.service, *routes)


def has_routes(status: DaskClusterStatus) -> bool:
    """Whether the status says that the way to the cluster has been made, for whichever proxy."""
    return any(has_children(status, proxy) for proxy in _ROUTE_FIELDS)


def with_used_slots(status: DaskClusterStatus, next_slot: int) -> DaskClusterStatus:
    """The status of a cluster whose workers have had numbers below `next_slot`."""
    return status.model_copy(update={"next_worker_slot": next_slot or None})


def with_completion(status: DaskClusterStatus, phase: Phase, now: datetime) -> DaskClusterStatus:
    """The status of a cluster that is over; its reason stays."""
    ended = {"phase": phase, "completion_time": timestamp(now)}
    return with_granted_workers(status, None).model_copy(update=ended)


def with_failure(status: DaskClusterStatus, exit_code: int | None, log: str | None = None) -> DaskClusterStatus:
    """The status with what is kept of a scheduler that failed, if there is anything."""
    if exit_code is None and not log:
        return status
    return status.model_copy(update={"scheduler_failure": SchedulerFailure(exit_code=exit_code, log=log or None)})


def with_log(status: DaskClusterStatus, log: str) -> DaskClusterStatus:
    """The status with the last lines of the log of a scheduler that failed."""
    failure = status.scheduler_failure
    return with_failure(status, failure.exit_code if failure else None, log)


def last_part(text: str, size: int) -> str:
    """The last lines of a text that fit into so many bytes of UTF-8; part of a line if even one is too long."""
    data = text.rstrip().encode()
    if len(data) <= size:
        return data.decode()
    tail = data[-size:].decode(errors="ignore")
    _, newline, lines = tail.partition("\n")
    return lines if newline and lines else tail


def patience(old: DaskClusterStatus, new: DaskClusterStatus) -> float:
    """For how many seconds after the last change of a cluster its new status may wait for more of its kind.

    The phase, the reason for it until the cluster runs, and what has been made are written at once. How steps and
    workers get on waits: longer where more will follow, so that a start with all its workers is three writes.
    """
    details = {"conditions", "workers", "message", "observed_generation"}
    if new.phase is Phase.RUNNING:
        details.add("reason")
    if old.model_copy(update={name: getattr(new, name) for name in details}) != new:
        return 0.0
    if new.phase is not Phase.RUNNING:
        return SCHEDULER_STARTS_SECONDS
    workers = find_condition(new, Aspect.WORKERS_READY)
    return WORKERS_START_SECONDS if workers and workers.reason == Reason.WORKERS_STARTING else SETTLED_SECONDS


def timestamp(now: datetime) -> str:
    """As Kubernetes writes times, in UTC."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def status_patch(uid: str, old: DaskClusterStatus, new: DaskClusterStatus) -> list[dict[str, Any]] | None:
    """A JSON patch that replaces the status of the very cluster with this uid; None if nothing changed.

    A cluster that was deleted and made again under the same name meanwhile has not lived through any of this.
    """
    if new == old:
        return None
    written = new.model_dump(mode="json", by_alias=True, exclude_none=True)
    value = {name: part for name, part in written.items() if part not in ([], {})}
    return [{"op": "test", "path": "/metadata/uid", "value": uid}, {"op": "add", "path": "/status", "value": value}]
