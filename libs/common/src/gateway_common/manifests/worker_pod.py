"""The workers' Pods (K-012, S-031)."""

from collections.abc import Iterable

from gateway_common.config import ClusterConfig
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.manifests.pod import build_container, build_pod, reserved_environment, resource_amounts
from gateway_common.names import (
    DASHBOARD_PORT,
    SCHEDULER_PORT,
    WORKER_COMPONENT,
    WORKER_GROUP_LABEL,
    ClusterName,
    service_name,
    worker_pod_name,
)
from gateway_common.resources import Manifest

_WORKER_NAME = "DASK_GATEWAY_WORKER_NAME"
#: How much time there is to move a worker's data when its pod is ended, in seconds; 30 where it is not set.
_GRACE_PERIOD = "DASK_GATEWAY_GRACE_PERIOD"
#: A nanny that forks its worker has not imported everything twice. An environment of the user's may say otherwise.
_DEFAULT_ENVIRONMENT = {"DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "fork"}


def build_worker_pods(
    installation: Installation, cluster: ClusterName, config: ClusterConfig, slots: Iterable[int], group: str = ""
) -> list[Manifest]:
    """One Pod a slot; they differ in nothing but their name. `config` is the cluster's, whatever the group."""
    template = _build_template(installation, cluster, config.of_group(group), group)
    return [
        {**template, "metadata": {**template["metadata"], "name": worker_pod_name(cluster.name, slot, group)}}
        for slot in slots
    ]


def _build_template(installation: Installation, cluster: ClusterName, config: ClusterConfig, group: str) -> Manifest:
    limit_cores = config.worker_cores_limit or config.worker_cores
    limit_memory = config.worker_memory_limit or config.worker_memory
    pod_name = {"name": _WORKER_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container = build_container(
        config,
        name=WORKER_COMPONENT,
        args=_worker_args(cluster, config, limit_memory),
        environment={**_DEFAULT_ENVIRONMENT, **config.environment},
        reserved=[*reserved_environment(installation, cluster), pod_name, *_grace_period(config)],
        requests=resource_amounts(config.worker_cores, config.worker_memory),
        limits=resource_amounts(limit_cores, limit_memory),
        more={},
        extra=config.worker_extra_container_config,
    )
    metadata = build_metadata(
        installation,
        cluster,
        worker_pod_name(cluster.name, 0, group),
        WORKER_COMPONENT,
        config.worker_extra_pod_labels,
        config.worker_extra_pod_annotations,
    )
    if group:
        metadata["labels"][WORKER_GROUP_LABEL] = group
    else:
        # whatever the operator's labels say: the controller counts by it
        metadata["labels"].pop(WORKER_GROUP_LABEL, None)
    return build_pod(
        cluster,
        config,
        metadata=metadata,
        container=container,
        restart_policy="OnFailure",
        is_restricted=installation.restricted_pods,
        extra=config.worker_extra_pod_config,
    )


def _grace_period(config: ClusterConfig) -> list[Manifest]:
    seconds = config.worker_extra_pod_config.get("terminationGracePeriodSeconds")
    return [] if seconds is None else [{"name": _GRACE_PERIOD, "value": str(seconds)}]


def _worker_args(cluster: ClusterName, config: ClusterConfig, memory_limit: int) -> list[str]:
    return [
        *config.worker_cmd,
        f"tls://{service_name(cluster.name)}.{cluster.namespace}:{SCHEDULER_PORT}",
        "--dashboard-address",
        f":{DASHBOARD_PORT}",
        "--name",
        # Kubernetes puts the value in: the one shell-like thing that it does to arguments.
        f"$({_WORKER_NAME})",
        "--nthreads",
        str(config.worker_threads or max(int(config.worker_cores), 1)),
        "--memory-limit",
        str(memory_limit),
        *_resource_args(config),
    ]


def _resource_args(config: ClusterConfig) -> list[str]:
    if not config.worker_resources:
        return []
    return ["--resources", " ".join(f"{name}={amount:.15g}" for name, amount in config.worker_resources.items())]
