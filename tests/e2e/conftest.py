"""What the tests of an installation share; installation.py says which variables they read."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway_common.configuration.groups import KubeSettings
from gateway_common.kube import KubeClient
from tests.e2e.installation import Installation, read_installation


@pytest.fixture(scope="session")
def installation() -> Installation:
    return read_installation()


@pytest_asyncio.fixture
async def kubernetes(installation: Installation) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(KubeSettings(kubeconfig=installation.kubeconfig))
    yield client
    await client.close()
