"""A namespace on each API server: Kubernetes' own machinery where it is at hand, and the embedded one."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.crd import crd
from gateway_common.errors import AlreadyExists
from gateway_common.kube import KubeClient
from gateway_common.resources import CRDS, INGRESSROUTES, INGRESSROUTETCPS, NAMESPACES, Resource
from tests.kit.clusters import any_kind
from tests.kit.controller import World
from tests.kit.kube import KubeServer


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests play with workers that never run, and need not wait for what is told of them."""
    monkeypatch.setattr("gateway_controller.core.status.WORKERS_START_SECONDS", 2.0)


@pytest.fixture
async def world(kube_server: KubeServer) -> AsyncIterator[World]:
    settings = KubeSettings(kubeconfig=kube_server.kubeconfig)
    client = await KubeClient.connect(settings)
    definitions = [crd()] if kube_server.embedded else [crd(), any_kind(INGRESSROUTES), any_kind(INGRESSROUTETCPS)]
    for definition in definitions:
        await _ensure(client, CRDS, definition)
    namespace = f"dask-{uuid4().hex[:8]}"
    await _ensure(client, NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    world = World(client, settings, namespace)
    try:
        yield world
    finally:
        await world.close()
        await client.close()


async def _ensure(client: KubeClient, resource: Resource, manifest: dict[str, Any]) -> None:
    try:
        await client.create(resource, manifest)
    except AlreadyExists:
        return
