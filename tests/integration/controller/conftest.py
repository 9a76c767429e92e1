"""A namespace on each API server: Kubernetes' own machinery where it is at hand, and the embedded one."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.kube import KubeClient
from gateway_common.resources import NAMESPACES
from tests.kit.clusters import define_kinds
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
    await define_kinds(client)
    namespace = f"dask-{uuid4().hex[:8]}"
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    world = World(client, settings, namespace)
    try:
        yield world
    finally:
        await world.close()
        await client.close()
