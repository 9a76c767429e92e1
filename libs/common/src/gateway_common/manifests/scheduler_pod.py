"""The scheduler's Pod (K-011, S-030)."""

from math import ceil

from gateway_common.config import ClusterConfig
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.manifests.pod import build_container, build_pod, reserved_environment, resource_amounts
from gateway_common.names import (
    DASHBOARD_PORT,
    SCHEDULER_API_PORT,
    SCHEDULER_COMPONENT,
    SCHEDULER_PORT,
    ClusterName,
    scheduler_pod_name,
)
from gateway_common.resources import Manifest

#: The scheduler's ports by name.
SCHEDULER_PORTS = {"scheduler": SCHEDULER_PORT, "dashboard": DASHBOARD_PORT, "api": SCHEDULER_API_PORT}

_HEALTH = {"path": "/api/health", "port": SCHEDULER_API_PORT}
#: Of the liveness probe, and how long one look may take: schedulers that unpack a large graph answer late.
_LIVENESS_SECONDS = 10
#: From the start of its container until a scheduler has served once, at the most.
_STARTUP_SECONDS = 600


def build_scheduler_pod(installation: Installation, cluster: ClusterName, config: ClusterConfig) -> Manifest:
    limit_cores = config.scheduler_cores_limit or config.scheduler_cores
    limit_memory = config.scheduler_memory_limit or config.scheduler_memory
    container = build_container(
        config,
        name=SCHEDULER_COMPONENT,
        args=_scheduler_args(config),
        environment=config.environment,
        reserved=[*reserved_environment(installation, cluster), *_limits_of_use(config)],
        requests=resource_amounts(config.scheduler_cores, config.scheduler_memory),
        limits=resource_amounts(limit_cores, limit_memory),
        more={
            "ports": [{"name": name, "containerPort": port} for name, port in SCHEDULER_PORTS.items()],
            # The period is what a user waits on average once the scheduler serves, twice over.
            "readinessProbe": {"httpGet": _HEALTH, "periodSeconds": 1, "failureThreshold": 3},
            **_liveness(config),
        },
        extra=config.scheduler_extra_container_config,
    )
    metadata = build_metadata(
        installation,
        cluster,
        scheduler_pod_name(cluster.name),
        SCHEDULER_COMPONENT,
        config.scheduler_extra_pod_labels,
        config.scheduler_extra_pod_annotations,
    )
    return build_pod(
        cluster,
        config,
        metadata=metadata,
        container=container,
        restart_policy="Never",
        is_restricted=installation.restricted_pods,
        extra=config.scheduler_extra_pod_config,
    )


def _liveness(config: ClusterConfig) -> Manifest:
    if not config.scheduler_liveness_timeout:
        return {}
    liveness = {
        "httpGet": _HEALTH,
        "periodSeconds": _LIVENESS_SECONDS,
        "timeoutSeconds": _LIVENESS_SECONDS,
        "failureThreshold": ceil(config.scheduler_liveness_timeout / _LIVENESS_SECONDS),
    }
    # Python may import for longer than a scheduler may hang.
    patience = ceil(max(config.scheduler_liveness_timeout, _STARTUP_SECONDS))
    startup = {"httpGet": _HEALTH, "periodSeconds": 1, "failureThreshold": patience}
    return {"startupProbe": startup, "livenessProbe": liveness}


def _limits_of_use(config: ClusterConfig) -> list[Manifest]:
    """What released preloads do not know is no option: an unknown one would end them."""
    if not config.no_client_timeout:
        return []
    return [{"name": "DASK_GATEWAY_NO_CLIENT_TIMEOUT", "value": str(config.no_client_timeout)}]


def _scheduler_args(config: ClusterConfig) -> list[str]:
    return [
        *config.scheduler_cmd,
        "--protocol",
        "tls",
        "--host",
        "",
        "--port",
        str(SCHEDULER_PORT),
        "--dashboard-address",
        f":{DASHBOARD_PORT}",
        "--dg-api-address",
        f":{SCHEDULER_API_PORT}",
        "--preload",
        "dask_gateway.scheduler_preload",
        # A heartbeat on change only (S-010): the pod's status says that the scheduler lives.
        "--dg-heartbeat-period",
        "0",
        "--dg-adaptive-period",
        str(config.adaptive_period),
        "--dg-idle-timeout",
        str(config.idle_timeout),
    ]
