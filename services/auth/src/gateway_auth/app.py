"""The composition root: the only place that knows which parts the service is made of."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from gateway_auth.authenticators.chain import Chain
from gateway_auth.authenticators.loading import choose_login, load_authenticators
from gateway_auth.body_limit import BodyLimitMiddleware
from gateway_auth.endpoints import router
from gateway_auth.errors import add_error_handlers
from gateway_auth.request_id import RequestIdMiddleware
from gateway_auth.service import AuthService
from gateway_auth.signer import Signer, SigningKey, load_signing_keys
from gateway_auth.throttle import Throttle
from gateway_common.clock import Clock, system_clock
from gateway_common.configuration.auth import AuthGroup
from gateway_common.configuration.model import Configuration

logger = logging.getLogger(__name__)


def create_app(settings: Configuration, *, clock: Clock = system_clock) -> FastAPI:
    """The service as an ASGI application; raises InvalidSigningKey and InvalidConfig."""
    signer = Signer(_signing_keys(settings.auth), audience=settings.instance, lifetime=settings.auth.session_lifetime)
    app = FastAPI(
        title="Dask Gateway authentication",
        description="Says who a user is and signs the session token that proves it to the other services.",
        version=version("dask-gateway-auth"),
        # their pages load scripts from elsewhere; people read the document itself, and only the api faces them
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    authenticators = load_authenticators(settings.auth, clock)
    login = choose_login(settings.auth, authenticators)
    app.state.service = AuthService(Chain(authenticators), login, signer, Throttle(settings.auth.throttle), clock)
    app.include_router(router)
    add_error_handlers(app)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RequestIdMiddleware)
    return app


def _signing_keys(settings: AuthGroup) -> list[SigningKey]:
    if settings.signing_keys:
        return load_signing_keys(settings.signing_keys)
    logger.warning("No signing key is set: sessions end with this process, and only one replica can run.")
    return [SigningKey.generate()]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: AuthService = app.state.service
    await service.start()
    try:
        yield
    finally:
        await service.close()
