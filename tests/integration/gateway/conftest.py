"""A whole gateway on this machine, shared by the tests of this folder that only use it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.environments import find_environment

PASSWORD = "correct horse"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    settings = LocalSettings(port=0, password=PASSWORD, directory=tmp_path_factory.mktemp("gateway"))
    async with LocalGateway(settings) as running:
        yield running


@pytest.fixture(scope="session")
def released_environment() -> Path:
    """A virtual environment with dask-gateway 2026.3.0 as it was released, and nothing of ours."""
    return find_environment("released")
