"""Each test of this folder runs against the embedded API server and against real API machinery."""

import uuid
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from gateway_common.configuration.groups import KubeSettings
from gateway_common.kube import KubeClient
from gateway_common.resources import CRDS, NAMESPACES, Resource
from tests.contract.kube.widgets import WIDGETS, widget_definition
from tests.kit.kube import KubeHttp, KubeServer, kube_http


@pytest.fixture
async def kube(kube_server: KubeServer) -> AsyncIterator[KubeHttp]:
    """Plain HTTP to the server, in a namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    async with kube_http(kube_server, name) as http:
        await http.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield http


@pytest.fixture
async def widgets(kube: KubeHttp) -> Resource:
    """A custom resource with a schema, status, defaults and limits."""
    response = await kube.client.post(CRDS.path(), json=widget_definition())
    assert response.status_code in (201, 409), response.text
    await kube.wait_for_answer(kube.path(WIDGETS), 200)
    return WIDGETS


@pytest.fixture
def namespace(kube: KubeHttp) -> str:
    return kube.namespace


@pytest.fixture
def kube_settings(kube_server: KubeServer) -> KubeSettings:
    if kube_server.embedded is None:
        return KubeSettings(kubeconfig=kube_server.kubeconfig)
    return KubeSettings(url=kube_server.url, token=SecretStr(kube_server.token))


@pytest.fixture
async def client(kube_settings: KubeSettings) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(kube_settings)
    try:
        yield client
    finally:
        await client.close()
