"""What the controller may observe, valid by default: a running cluster whose scheduler serves."""

from datetime import UTC, datetime
from typing import Any

import orjson

from gateway_common.manifests.installation import Installation
from gateway_common.model import DaskClusterStatus, Phase
from gateway_common.names import (
    SCHEDULER_COMPONENT,
    WORKER_COMPONENT,
    scheduler_pod_name,
    secret_name,
    service_name,
    worker_pod_name,
)
from gateway_controller.core.observed import Cluster, Observed, Pod, arrange
from gateway_controller.core.status import Reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAME = "c0ffee"
CLUSTER_UID = "uid-of-the-cluster"
SCHEDULER_UID = "uid-of-the-scheduler"
INSTALLATION = Installation(instance="test", api_url="http://api.gateway:8000/api")


def status(phase: Phase = Phase.RUNNING, **values: Any) -> DaskClusterStatus:
    """A status as the controller leaves it in a phase, once everything has been made."""
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
        }
    return DaskClusterStatus(phase=phase, **{**made, **said, **values})


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


def observe(of: Cluster | None = None, *pods: Pod, next_slot: int = 0) -> Observed:
    return arrange(of or cluster(), pods, next_slot)
