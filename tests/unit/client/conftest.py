"""What the client's tests share."""

from collections.abc import AsyncIterator

import dask
import pytest

from tests.kit.mini_gateway import MiniGateway, mini_gateway


@pytest.fixture
async def gateway_api() -> AsyncIterator[MiniGateway]:
    async with mini_gateway() as gateway:
        yield gateway


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
