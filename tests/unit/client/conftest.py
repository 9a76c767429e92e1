"""What the client's tests share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import dask
import pytest

from tests.kit.mini_gateway import MiniGateway, mini_gateway
from tests.kit.schedulers import DaskProcesses, RunningScheduler, StartScheduler, running_scheduler


@pytest.fixture
async def gateway_api() -> AsyncIterator[MiniGateway]:
    async with mini_gateway() as gateway:
        yield gateway


@pytest.fixture
async def start_scheduler(gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartScheduler]:
    _let_schedulers_in(gateway_api, monkeypatch)
    async with AsyncExitStack() as stack:

        async def start(**arguments: Any) -> RunningScheduler:
            return await stack.enter_async_context(running_scheduler(gateway_api, **arguments))

        yield start


@pytest.fixture
async def processes(gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DaskProcesses]:
    _let_schedulers_in(gateway_api, monkeypatch)
    processes = DaskProcesses()
    yield processes
    await processes.kill()


def _let_schedulers_in(gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_GATEWAY_CLUSTER_NAME", "ns.a")
    monkeypatch.setenv("DASK_GATEWAY_API_URL", f"{gateway_api.url}/api")
    monkeypatch.setenv("DASK_GATEWAY_API_TOKEN", "secret")
    gateway_api.credentials = "nobody but schedulers"


@pytest.fixture(autouse=True)
def _no_address_configured() -> AsyncIterator[None]:
    """The machine's own configuration has no say."""
    with dask.config.set({"gateway.address": None, "gateway.proxy-address": None, "gateway.public-address": None}):
        yield


@pytest.fixture(autouse=True)
def _no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor has the image that the tests may run in."""
    for name in ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE"):
        monkeypatch.delenv(name, raising=False)
