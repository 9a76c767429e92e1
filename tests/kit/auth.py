"""The auth service in this process, with the settings of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway_auth.app import create_app
from gateway_common.clock import Clock
from gateway_common.configuration.auth import AuthGroup
from gateway_common.configuration.model import Configuration

NOW = 1_800_000_000.0
INSTANCE = "prod"


@asynccontextmanager
async def auth_client(clock: Clock = lambda: NOW, **auth: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a new service whose `auth` settings are the keyword arguments."""
    settings = Configuration(instance=INSTANCE, auth=AuthGroup.model_validate(auth))
    app = create_app(settings, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://auth") as client,
    ):
        yield client
