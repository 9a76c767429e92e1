"""What a DaskCluster's status says, and how a change of it is written."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway_common.errors import KubeError
from gateway_common.model import DaskClusterStatus, Phase
from gateway_common.names import scheduler_pod_name, secret_name, service_name

#: Kubernetes cuts a condition's message at 32 KiB; an answer of an admission webhook may be of any length.
LONGEST_MESSAGE = 1024


class Reason(StrEnum):
    """Why a cluster is in its phase."""

    SCHEDULER_STARTING = "SchedulerStarting"
    SCHEDULER_RUNNING = "SchedulerRunning"
    DELETED = "Deleted"
    IDLE_TIMEOUT = "IdleTimeout"
    NO_CLIENT_TIMEOUT = "NoClientTimeout"
    INVALID_NAME = "InvalidName"
    INVALID_CONFIG = "InvalidConfig"
    SCHEDULER_REJECTED = "SchedulerRejected"
    SCHEDULER_FAILED = "SchedulerFailed"
    SCHEDULER_LOST = "SchedulerLost"
    QUOTA_EXCEEDED = "QuotaExceeded"
    MAX_LIFETIME = "MaxLifetime"
    START_TIMEOUT = "StartTimeout"


def with_phase(status: DaskClusterStatus, phase: Phase, reason: str | None, message: str | None) -> DaskClusterStatus:
    """The status in a phase, for a reason. What else it holds stays: it says what has been made."""
    short = message[:LONGEST_MESSAGE] if message else message
    return status.model_copy(update={"phase": phase, "reason": reason, "message": short})


def with_children(status: DaskClusterStatus, cluster_name: str) -> DaskClusterStatus:
    """The status of a cluster whose objects have all been made."""
    name = service_name(cluster_name)
    return status.model_copy(
        update={
            "credentials": secret_name(cluster_name),
            "scheduler_pod": scheduler_pod_name(cluster_name),
            "service": name,
            "ingressroute": name,
            "ingressroutetcp": name,
        }
    )


def with_granted_workers(status: DaskClusterStatus, workers: int | None) -> DaskClusterStatus:
    """The status with how many workers there is room for; None: for all that are wanted."""
    return status.model_copy(update={"granted_workers": workers})


def with_address(status: DaskClusterStatus, address: str) -> DaskClusterStatus:
    """The status with the scheduler's address; an address that is not known just now is the one from before."""
    return status.model_copy(update={"scheduler_address": address or status.scheduler_address})


def has_children(status: DaskClusterStatus) -> bool:
    """Whether the status says that all objects but the workers have been made."""
    return None not in (
        status.credentials,
        status.scheduler_pod,
        status.service,
        status.ingressroute,
        status.ingressroutetcp,
    )


def with_completion(status: DaskClusterStatus, phase: Phase, now: datetime) -> DaskClusterStatus:
    """The status of a cluster that is over; its reason stays."""
    ended = {"phase": phase, "granted_workers": None, "completion_time": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return status.model_copy(update=ended)


def with_problem(status: DaskClusterStatus, error: KubeError) -> DaskClusterStatus:
    """The status of a cluster for which the API server refuses something: its phase stays, it says what is wrong.

    A cluster that is ending says why it ends.
    """
    if status.phase is Phase.STOPPING or status.phase.is_terminal:
        return status
    return with_phase(status, status.phase, type(error).__name__, str(error))


def status_patch(uid: str, old: DaskClusterStatus, new: DaskClusterStatus) -> list[dict[str, Any]] | None:
    """A JSON patch that replaces the status of the very cluster with this uid; None if nothing changed.

    A cluster that was deleted and made again under the same name meanwhile has not lived through any of this.
    """
    if new == old:
        return None
    value = new.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [{"op": "test", "path": "/metadata/uid", "value": uid}, {"op": "add", "path": "/status", "value": value}]
