"""What the scheduler's and the workers' pods have in common."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway_common.config import ClusterConfig
from gateway_common.config_parts import is_credentials_path
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.security import restricted
from gateway_common.merge import deep_merge
from gateway_common.names import (
    API_TOKEN_KEY,
    CERTIFICATE_KEY,
    CREDENTIALS_PATH,
    CREDENTIALS_VOLUME,
    PRIVATE_KEY_KEY,
    ClusterName,
    secret_name,
)
from gateway_common.quantities import millicores
from gateway_common.resources import PODS, Manifest

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

    `extra` wins, but for the container's name, the credentials and the variables that Dask needs (E-12). The command
    stands in `args`, so that the image's entrypoint (an init, usually) stays in charge (S-032).
    """
    container: Manifest = {
        "name": name,
        "image": config.image,
        "args": list(args),
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": requests, "limits": limits},
        **more,
    }
    if config.image_pull_policy:
        container["imagePullPolicy"] = config.image_pull_policy
    merged = deep_merge(container, extra)
    credentials = {"name": CREDENTIALS_VOLUME, "mountPath": f"{CREDENTIALS_PATH}/", "readOnly": True}
    mounts = _entries(merged, "volumeMounts", lambda mount: is_credentials_path(mount.get("mountPath")))
    return {
        **merged,
        "name": name,
        "env": _environment(config, merged, reserved),
        "volumeMounts": [credentials, *mounts],
    }


def _environment(config: ClusterConfig, container: Manifest, reserved: Sequence[Manifest]) -> list[Manifest]:
    """Reserved variables win over those from Secrets, and these over all others: each of them stands there once.

    The ones from Secrets come first, because a value may refer to what stands before it: `$(PASSWORD)`.
    """
    ours = {entry["name"] for entry in reserved}
    secrets = [
        {"name": name, "valueFrom": {"secretKeyRef": key.model_dump(exclude_defaults=True)}}
        for name, key in config.environment_secrets.items()
        if name not in ours
    ]
    taken = ours | {entry["name"] for entry in secrets}
    return [*secrets, *_entries(container, "env", lambda entry: entry.get("name") in taken), *reserved]


def _entries(part: Manifest, name: str, is_ours: Callable[[Manifest], bool]) -> list[Any]:
    """A list without what stands in the place of ours; in what was stored unchecked there may be no list at all.

    What is no object stays: Kubernetes says what is wrong with it.
    """
    entries = part.get(name)
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if not (isinstance(entry, dict) and is_ours(entry))]


def build_pod(
    cluster: ClusterName,
    config: ClusterConfig,
    *,
    metadata: Manifest,
    container: Manifest,
    restart_policy: str,
    is_restricted: bool,
    extra: Manifest,
) -> Manifest:
    """A pod around its container; `extra` is the operator's pod spec and is merged in last.

    `extra` wins, but the container and the credentials stay (E-12).
    """
    spec: Manifest = {
        "containers": [],
        "volumes": [],
        "restartPolicy": restart_policy,
        "automountServiceAccountToken": False,
        # Variables for every Service of the namespace would cost a start the more, the more clusters there are.
        "enableServiceLinks": False,
    }
    if config.image_pull_secrets:
        spec["imagePullSecrets"] = config.image_pull_secrets
    merged = deep_merge(spec, extra)
    credentials = {"name": CREDENTIALS_VOLUME, "secret": {"secretName": secret_name(cluster.name)}}
    volumes = _entries(merged, "volumes", lambda volume: volume.get("name") == CREDENTIALS_VOLUME)
    containers = _entries(merged, "containers", lambda other: other.get("name") == container["name"])
    if is_restricted:
        contexts = (_mapping(part.get("securityContext")) for part in (container, merged))
        container = {**container, "securityContext": restricted(*contexts)}
    own = {"containers": [container, *containers], "volumes": [credentials, *volumes]}
    return {"apiVersion": PODS.api_version, "kind": PODS.kind, "metadata": metadata, "spec": {**merged, **own}}


def _mapping(value: Any) -> Manifest:
    """What was stored unchecked may be anything: Kubernetes says what is wrong with it."""
    return value if isinstance(value, dict) else {}


def resource_amounts(cores: float, memory: int) -> dict[str, Any]:
    """CPUs and bytes as Kubernetes quantities (K-013)."""
    return {"cpu": f"{millicores(cores) / 1000:.3f}", "memory": str(memory)}
