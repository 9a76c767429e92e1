"""The api on each Kubernetes API server: the real machinery where it is at hand, and the embedded one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from uuid import uuid4

import pytest

from gateway_common.audit import configure_audit
from gateway_common.configuration.groups import KubeSettings
from gateway_common.crd import crd
from gateway_common.errors import AlreadyExists, NotFound
from gateway_common.kube import KubeClient
from gateway_common.resources import CRDS, DASKCLUSTERS, NAMESPACES
from tests.kit.api import Api, running_api
from tests.kit.kube import KubeServer


@pytest.fixture
def kube(kube_server: KubeServer) -> KubeSettings:
    return KubeSettings(kubeconfig=kube_server.kubeconfig)


@pytest.fixture
async def namespace(kube: KubeSettings) -> AsyncIterator[str]:
    """A backend namespace of its own, where DaskClusters can be made."""
    name = f"dask-{uuid4().hex[:8]}"
    client = await KubeClient.connect(kube)
    with suppress(AlreadyExists):
        await client.create(CRDS, crd())
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await _served(client, name)
    yield name
    await client.close()


@pytest.fixture
async def api(kube: KubeSettings, namespace: str) -> AsyncIterator[Api]:
    async with running_api(kube, namespace, cluster_options="tests.kit.api_options:options") as running:
        yield running


async def _served(client: KubeClient, namespace: str) -> None:
    """Return when the new kind is served, a moment after its definition is there."""
    async with asyncio.timeout(60):
        while True:
            with suppress(NotFound):
                await client.list(DASKCLUSTERS, namespace=namespace)
                return


@pytest.fixture
def audited() -> Iterator[None]:
    """The audit log is written; its entries are records of `dask_gateway.audit`."""
    configure_audit(enabled=True)
    yield
    configure_audit(enabled=False)
