"""Kubernetes API servers, for whichever folder of tests needs one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kit.kube import KubeServer, embedded_kubernetes, real_kubernetes, why_no_real_kubernetes


@pytest.fixture(scope="session")
def real_kube_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """Kubernetes' own API machinery, one for the whole run."""
    if reason := why_no_real_kubernetes():
        pytest.skip(reason)
    with real_kubernetes(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture
async def embedded_kube_server(tmp_path: Path) -> AsyncIterator[KubeServer]:
    async with embedded_kubernetes(tmp_path) as server:
        yield server


@pytest.fixture(params=["embedded", "real"])
def kube_server(request: pytest.FixtureRequest) -> KubeServer:
    """Each test that takes it runs on both."""
    server: KubeServer = request.getfixturevalue(f"{request.param}_kube_server")
    return server
