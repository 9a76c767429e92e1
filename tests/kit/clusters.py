"""DaskClusters as other parts of the gateway make and change them, valid by default."""

import asyncio
import base64
from contextlib import suppress
from typing import Any
from uuid import uuid4

from gateway_common.crd import crd
from gateway_common.errors import AlreadyExists, NotFound
from gateway_common.kube import KubeClient
from gateway_common.names import (
    API_TOKEN_KEY,
    CERTIFICATE_KEY,
    CLUSTER_LABEL,
    INSTANCE_LABEL,
    PRIVATE_KEY_KEY,
    ClusterName,
    secret_name,
)
from gateway_common.resources import (
    CRDS,
    DASKCLUSTERS,
    HTTPROUTES,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    SECRETS,
    TLSROUTES,
    Resource,
)

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"


def dask_cluster(
    *,
    namespace: str = "dask",
    name: str = "",
    instance: str = "test",
    user: str = "alice",
    options: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A DaskCluster as the API server would answer it."""
    name = name or uuid4().hex
    manifest: dict[str, Any] = {
        "apiVersion": DASKCLUSTERS.api_version,
        "kind": DASKCLUSTERS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid4()),
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "labels": {INSTANCE_LABEL: instance, CLUSTER_LABEL: name},
        },
        "spec": {"username": user, "options": options or {}, "config": config or {}, **(spec or {})},
    }
    if annotations:
        manifest["metadata"]["annotations"] = annotations
    if status is not None:
        manifest["status"] = status
    return manifest


def as_new(manifest: dict[str, Any]) -> dict[str, Any]:
    """The object as it is before the API server has seen it."""
    given = ("uid", "resourceVersion", "creationTimestamp")
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in given}
    return {**manifest, "metadata": metadata}


async def set_status(kube: KubeClient, cluster: ClusterName, **status: Any) -> None:
    """Write a cluster's status, as the controller does."""
    await kube.patch(DASKCLUSTERS, cluster.name, {"status": status}, namespace=cluster.namespace, subresource="status")


async def make_credentials(kube: KubeClient, cluster: ClusterName, token: str) -> None:
    """Make a cluster's Secret, as the controller does."""
    data = {CERTIFICATE_KEY: CERTIFICATE, PRIVATE_KEY_KEY: PRIVATE_KEY, API_TOKEN_KEY: token}
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_name(cluster.name), "namespace": cluster.namespace},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }
    await kube.create(SECRETS, manifest, namespace=cluster.namespace)


def any_kind(resource: Resource) -> dict[str, Any]:
    """A CustomResourceDefinition that lets any content through."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            # Kubernetes asks for it in groups that it guards
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()},
            "versions": [
                {"name": resource.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


async def define_kinds(client: KubeClient) -> None:
    """Define DaskClusters, and the kinds of routes where the server has none, and wait until they are served.

    Kubernetes serves a kind a moment after it has taken its definition; until then it answers 404.
    """
    routes = (INGRESSROUTES, INGRESSROUTETCPS, HTTPROUTES, TLSROUTES)
    definitions = {DASKCLUSTERS: crd(), **{resource: any_kind(resource) for resource in routes}}
    for definition in definitions.values():
        with suppress(AlreadyExists):
            await client.create(CRDS, definition)
    async with asyncio.timeout(60):
        for resource in definitions:
            while not await _is_served(client, resource):  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.02)


async def _is_served(client: KubeClient, resource: Resource) -> bool:
    try:
        await client.list(resource, namespace="default")
    except NotFound:
        return False
    return True
