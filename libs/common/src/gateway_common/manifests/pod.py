"""What the scheduler's and the workers' pods have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway_common.config import ClusterConfig
from gateway_common.manifests.installation import Installation
from gateway_common.merge import deep_merge
from gateway_common.names import (
    API_TOKEN_KEY,
    CERTIFICATE_KEY,
    CREDENTIALS_PATH,
    PRIVATE_KEY_KEY,
    ClusterName,
    secret_name,
)
from gateway_common.resources import PODS, Manifest

_VOLUME = "dask-credentials"
_CERTIFICATE = f"{CREDENTIALS_PATH}/{CERTIFICATE_KEY}"
_PRIVATE_KEY = f"{CREDENTIALS_PATH}/{PRIVATE_KEY_KEY}"
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"


def reserved_environment(installation: Installation, cluster: ClusterName) -> list[Manifest]:
    """What Dask and the preload need to find and trust each other (S-033)."""
    values = {
        "DASK_GATEWAY_API_URL": installation.api_url,
        "DASK_GATEWAY_CLUSTER_NAME": str(cluster),
        "DASK_GATEWAY_API_TOKEN": f"{CREDENTIALS_PATH}/{API_TOKEN_KEY}",
        f"{_TLS}CA_FILE": _CERTIFICATE,
        f"{_TLS}SCHEDULER__CERT": _CERTIFICATE,
        f"{_TLS}SCHEDULER__KEY": _PRIVATE_KEY,
        f"{_TLS}WORKER__CERT": _CERTIFICATE,
        f"{_TLS}WORKER__KEY": _PRIVATE_KEY,
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def build_container(
    config: ClusterConfig,
    *,
    name: str,
    args: Sequence[str],
    environment: Mapping[str, str],
    reserved: Sequence[Manifest],
    requests: Manifest,
    limits: Manifest,
    more: Manifest,
    extra: Manifest,
) -> Manifest:
    """A Dask container: `more` is what this kind of pod adds, `extra` is the operator's and is merged in last.

    The command stands in `args`, so that the image's entrypoint (an init, usually) stays in charge (S-032).
    """
    container: Manifest = {
        "name": name,
        "image": config.image,
        "args": list(args),
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": requests, "limits": limits},
        "volumeMounts": [{"name": _VOLUME, "mountPath": f"{CREDENTIALS_PATH}/", "readOnly": True}],
        **more,
    }
    if config.image_pull_policy:
        container["imagePullPolicy"] = config.image_pull_policy
    merged = deep_merge(container, extra)
    names = {entry["name"] for entry in reserved}
    kept = [entry for entry in merged.get("env") or () if entry.get("name") not in names]
    # Kubernetes takes the last of two entries with one name, so the reserved ones stand last, and alone.
    return {**merged, "name": name, "env": [*kept, *reserved]}


def build_pod(
    cluster: ClusterName,
    config: ClusterConfig,
    *,
    metadata: Manifest,
    container: Manifest,
    restart_policy: str,
    extra: Manifest,
) -> Manifest:
    """A pod around its container; `extra` is the operator's pod spec and is merged in last."""
    spec: Manifest = {
        "containers": [container],
        "volumes": [{"name": _VOLUME, "secret": {"secretName": secret_name(cluster.name)}}],
        "restartPolicy": restart_policy,
        "automountServiceAccountToken": False,
        # Variables for every Service of the namespace would cost a start the more, the more clusters there are.
        "enableServiceLinks": False,
    }
    if config.image_pull_secrets:
        spec["imagePullSecrets"] = config.image_pull_secrets
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": metadata,
        "spec": deep_merge(spec, extra),
    }


def resource_amounts(cores: float, memory: int) -> dict[str, Any]:
    """CPUs and bytes as Kubernetes quantities (K-013)."""
    return {"cpu": f"{cores:.3f}", "memory": str(memory)}
