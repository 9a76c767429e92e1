"""What the controller may observe, valid by default: a running cluster whose scheduler serves."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway_common.manifests.installation import Installation
from gateway_common.model import Condition, DaskClusterStatus, Phase, WorkersStatus
from gateway_common.names import (
    SCHEDULER_COMPONENT,
    WORKER_COMPONENT,
    scheduler_pod_name,
    secret_name,
    service_name,
    worker_pod_name,
)
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Cluster, Observed, Pod, arrange

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAME = "c0ffee"
CLUSTER_UID = "uid-of-the-cluster"
SCHEDULER_UID = "uid-of-the-scheduler"
AT_NOON = "2026-11-23T12:00:00Z"
NO_WORKERS = WorkersStatus()
ASPECTS = ("SchedulerCreated", "SchedulerScheduled", "SchedulerReady", "RoutesReady", "WorkersReady", "Ready")
INSTALLATION = Installation(instance="test", api_url="http://api.gateway:8000/api")


def condition(kind: str, status: str, reason: str, message: str = "", since: str = AT_NOON) -> Condition:
    return Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}
    )


def conditions(phase: Phase, reason: str = "", message: str = "", workers: WorkersStatus = NO_WORKERS) -> Any:
    """As they are in a phase once everything has been made, and nothing is out of the ordinary."""
    made = {
        "SchedulerCreated": ("True", "ObjectsCreated", ""),
        "SchedulerScheduled": ("True", "SchedulerScheduled", ""),
        "RoutesReady": ("True", "ObjectsCreated", ""),
    }
    if phase is Phase.RUNNING:
        summary = f"{workers.running} of {workers.desired} workers run"
        all_run = workers.running >= workers.desired
        facts = {
            **made,
            "SchedulerReady": ("True", "SchedulerRunning", ""),
            "WorkersReady": ("True", "WorkersRunning", summary) if all_run else ("False", "WorkersStarting", summary),
            "Ready": ("True", "SchedulerRunning", ""),
        }
    elif phase is Phase.PENDING:
        waits = ("False", reason, message)
        facts = {**made, "SchedulerReady": ("Unknown", "SchedulerStarting", ""), "WorkersReady": waits, "Ready": waits}
    else:
        over = ("False", reason, message)
        facts = {**made, "SchedulerReady": over, "RoutesReady": over, "WorkersReady": over, "Ready": over}
    return [condition(kind, *facts[kind]) for kind in ASPECTS]


def with_condition(of: DaskClusterStatus, kind: str, status: str, reason: str, message: str = "") -> DaskClusterStatus:
    """A status of which one condition is another."""
    changed = condition(kind, status, reason, message)
    return of.model_copy(update={"conditions": [changed if one.type == kind else one for one in of.conditions]})


def status(phase: Phase = Phase.RUNNING, *, workers: WorkersStatus = NO_WORKERS, **values: Any) -> DaskClusterStatus:
    """A status as the controller leaves it in a phase, once everything has been made and the pod has a node."""
    made = {
        "credentials": secret_name(NAME),
        "scheduler_pod": scheduler_pod_name(NAME),
        "service": service_name(NAME),
        "ingressroute": service_name(NAME),
        "ingressroutetcp": service_name(NAME),
    }
    said: dict[str, Any] = {}
    if phase is Phase.PENDING:
        said = {"reason": Reason.SCHEDULER_STARTING, "message": "The scheduler is starting"}
    elif phase is Phase.RUNNING:
        said = {
            "reason": Reason.SCHEDULER_RUNNING,
            "message": "The scheduler is running",
            "scheduler_address": "10.0.0.1",
            "workers": workers,
        }
    said |= values
    said.setdefault("conditions", conditions(phase, said.get("reason", ""), said.get("message") or "", workers))
    return DaskClusterStatus(phase=phase, **{**made, **said})


def cluster(*, config: dict[str, Any] | None = None, **values: Any) -> Cluster:
    defaults: dict[str, Any] = {
        "namespace": "dask",
        "name": NAME,
        "uid": CLUSTER_UID,
        "created": "2026-11-23T11:00:00Z",
        "config": orjson.dumps(config or {}),
        "status": status(),
    }
    return Cluster(**{**defaults, **values})


def scheduler(**values: Any) -> Pod:
    defaults: dict[str, Any] = {
        "namespace": "dask",
        "name": scheduler_pod_name(NAME),
        "uid": SCHEDULER_UID,
        "cluster": NAME,
        "component": SCHEDULER_COMPONENT,
        "owner_uid": CLUSTER_UID,
        "running": True,
        "ready": True,
        "ip": "10.0.0.1",
        "has_node": True,
    }
    return Pod(**{**defaults, **values})


def worker(slot: int, **values: Any) -> Pod:
    defaults: dict[str, Any] = {
        "namespace": "dask",
        "name": worker_pod_name(NAME, slot, values.get("group", "")),
        "uid": f"uid-of-worker-{slot}",
        "cluster": NAME,
        "component": WORKER_COMPONENT,
        "owner_uid": SCHEDULER_UID,
        "slot": slot,
        "running": True,
        "started": values.get("running", True),
    }
    return Pod(**{**defaults, **values})


def new_cluster(**values: Any) -> Cluster:
    """A cluster that the controller has never seen."""
    return cluster(**{"status": DaskClusterStatus(), **values})


def observe(
    of: Cluster | None = None, *pods: Pod, next_slot: int = 0, unsure_slots: tuple[tuple[str, int], ...] = ()
) -> Observed:
    return arrange(of or cluster(), pods, next_slot, unsure_slots)


def written(observed: Observed) -> Observed:
    """The same where its status says that its workers' names are used up, so that they may be deleted."""
    status = observed.cluster.status.model_copy(update={"next_worker_slot": observed.next_slot or None})
    return replace(observed, cluster=replace(observed.cluster, status=status))
