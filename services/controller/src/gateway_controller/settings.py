"""What the controller makes of the configuration."""

import os
import secrets
import socket
from typing import NamedTuple

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import ALL_NAMESPACES, Configuration
from gateway_common.kube_configuration import own_namespace
from gateway_common.namespaces import safe_label

#: Seconds. A renewal that hangs is given up early enough for a second try before the lease is lost.
LEASE_REQUEST_TIMEOUT = 2.5
_LEASE_PREFIX = "dask-gateway-controller-"


class LeasePlace(NamedTuple):
    """Where the replicas' Lease is."""

    namespace: str
    name: str


def kube_settings(configuration: Configuration) -> KubeSettings:
    """How to reach Kubernetes, within the controller's own rate."""
    group = configuration.controller
    if group.k8s_api_rate_limit is None:
        return configuration.kube
    limits = {"rate_limit": group.k8s_api_rate_limit, "rate_limit_burst": group.k8s_api_rate_limit_burst}
    return configuration.kube.model_copy(update=limits)


def lease_kube_settings(configuration: Configuration) -> KubeSettings:
    """How to reach Kubernetes for the lease: a busy leader that waits for its turn would lose it."""
    return configuration.kube.model_copy(update={"rate_limit": None, "request_timeout": LEASE_REQUEST_TIMEOUT})


def lease_place(configuration: Configuration) -> LeasePlace:
    """The Lease of an instance: one name in one namespace, whatever replica asks."""
    name = _LEASE_PREFIX + safe_label(configuration.instance, 63 - len(_LEASE_PREFIX))
    kube = configuration.kube
    if configuration.controller.lease_namespace:
        return LeasePlace(configuration.controller.lease_namespace, name)
    if kube.url or kube.kubeconfig or kube.context:
        # clusters elsewhere: there need be no namespace of this pod's name
        named = [namespace for namespace in configuration.namespaces if namespace != ALL_NAMESPACES]
        return LeasePlace(named[0] if named else "default", name)
    return LeasePlace(own_namespace(), name)


def replica_identity(configuration: Configuration) -> str:
    """This replica's name in the election.

    A pod's name outlives its container, so a container that is started anew takes its lease back. A host's name may
    be shared by two processes (pods on the host's network), so there it is one of this process.
    """
    named = configuration.controller.identity or os.environ.get("POD_NAME")
    return named or f"{socket.gethostname()}_{secrets.token_hex(4)}"
