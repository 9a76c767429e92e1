"""Names, labels and annotations. All names are deterministic, so that a repeated create finds what is there.

Running installations, images and operators' tools rely on them (docs/compatibility.md, K-002 to
K-018): none may change.
"""

import re
from typing import NamedTuple

from gateway_common.errors import InvalidClusterName

INSTANCE_LABEL = "gateway.dask.org/instance"
CLUSTER_LABEL = "gateway.dask.org/cluster"
#: Of worker pods in named groups; others have none.
WORKER_GROUP_LABEL = "gateway.dask.org/worker-group"
COMPONENT_LABEL = "app.kubernetes.io/component"
NAME_LABEL = "app.kubernetes.io/name"
APP_NAME = "dask-gateway"

CREDENTIALS_COMPONENT = "credentials"
SCHEDULER_COMPONENT = "dask-scheduler"
WORKER_COMPONENT = "dask-worker"

#: Written by the api when the scheduler's first heartbeat arrives: the scheduler itself says that it serves.
SCHEDULER_STARTED_ANNOTATION = "gateway.dask.org/scheduler-started-at"
#: Written by the api beside `spec.replicas`: the number of workers that the scheduler asked for last. Where the two
#: differ, somebody else has written the latter.
SCHEDULER_REPLICAS_ANNOTATION = "gateway.dask.org/scheduler-replicas"

#: On the controllers' Lease, from a leader that gave it back: what its successor must have seen before it acts.
HANDOVER_ANNOTATION = "gateway.dask.org/handover"
#: Written with it where the scheduler knows of groups of workers; those of dask-gateway 2026.3.0 don't.
SCHEDULER_GROUPS_ANNOTATION = "gateway.dask.org/scheduler-worker-groups"

#: Who a browser's user is, for one cluster's pages. Traefik is told about it, too.
DASHBOARD_COOKIE = "dask-gateway-dashboard"

SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787
SCHEDULER_API_PORT = 8788

CREDENTIALS_VOLUME = "dask-credentials"
CREDENTIALS_PATH = "/etc/dask-credentials"
CERTIFICATE_KEY = "dask.crt"
PRIVATE_KEY_KEY = "dask.pem"
API_TOKEN_KEY = "api-token"  # noqa: S105  # the name of a Secret's key, not a secret

#: Letters of a worker group's name: a pod's name has room for more than this beside the cluster's, a person's eye not.
LONGEST_WORKER_GROUP = 20

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class ClusterName(NamedTuple):
    """The name that users see: `<namespace>.<name of the DaskCluster>`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


def parse_cluster_name(text: str) -> ClusterName:
    """Split a cluster's public name; raises InvalidClusterName for any other shape.

    What passes is safe to put in a URL path: both halves are DNS labels.
    """
    namespace, dot, name = text.partition(".")
    if dot and _DNS_LABEL.fullmatch(namespace) and _DNS_LABEL.fullmatch(name):
        return ClusterName(namespace, name)
    raise InvalidClusterName(f"{text[:80]!r} is not a cluster's name: expected '<namespace>.<name>'")


def instance_selector(instance: str) -> str:
    """The label selector of everything that belongs to one installation."""
    return f"{INSTANCE_LABEL}={instance}"


def secret_name(name: str) -> str:
    return f"dask-credentials-{name}"


def scheduler_pod_name(name: str) -> str:
    return f"dask-scheduler-{name}"


def check_worker_group(name: str) -> None:
    """Raise ValueError for what is no name of a group of workers."""
    if len(name) > LONGEST_WORKER_GROUP or not _DNS_LABEL.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is no name of a group of workers: expected at most {LONGEST_WORKER_GROUP} lower-case "
            "letters, digits and '-', the first and the last no '-'"
        )


def worker_pod_name(name: str, slot: int, group: str = "") -> str:
    """Of a cluster's worker. It is the worker's name in Dask, too: schedulers tell groups by it."""
    return f"dask-worker-{name}-{group}-{slot}" if group else f"dask-worker-{name}-{slot}"


def service_name(name: str) -> str:
    """Of the Service and of both routes, which are objects of different kinds."""
    return f"dask-{name}"


def sni_host(cluster: ClusterName) -> str:
    """The TLS server name by which the proxy finds the scheduler; clients send it."""
    return f"daskgateway-{cluster}"


def dashboard_host(name: str, parent: str) -> str:
    """The host of a cluster's web pages, where each cluster has one below `parent`."""
    return f"{name}.{parent}"


def dashboard_path(cluster: ClusterName) -> str:
    """The path prefix of a cluster's web pages, below the gateway's public prefix."""
    return f"/clusters/{cluster}/"
