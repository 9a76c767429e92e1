"""The composition root: what the api is made of."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway_api import http_errors
from gateway_api.admins import Admins
from gateway_api.auth_client import AuthClient
from gateway_api.clusters.endpoints import described_router
from gateway_api.clusters.endpoints import router as clusters_router
from gateway_api.clusters.limits import Limits
from gateway_api.clusters.pod_check import PodCheck
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.clusters.service import ClusterService
from gateway_api.clusters.tokens import ClusterTokens
from gateway_api.dashboards.access import DashboardAccess
from gateway_api.dashboards.endpoints import router as dashboards_router
from gateway_api.dashboards.visit import Places
from gateway_api.docs import add_docs
from gateway_api.envelope import Envelope
from gateway_api.health.endpoints import router as health_router
from gateway_api.health.service import HealthService
from gateway_api.heartbeats.endpoints import router as heartbeats_router
from gateway_api.heartbeats.forwarding import ReplicasForwarder
from gateway_api.heartbeats.service import HeartbeatService
from gateway_api.me.endpoints import router as me_router
from gateway_api.openapi import describe_security
from gateway_api.options.endpoints import router as options_router
from gateway_api.options.service import OptionsService
from gateway_api.scheduler_client import SchedulerClient
from gateway_api.sessions.service import SessionService
from gateway_api.sessions.tokens import SessionTokens
from gateway_common.clock import Clock, system_clock
from gateway_common.configuration.model import Configuration
from gateway_common.errors import KubeUnavailable
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import installation_of

logger = logging.getLogger(__name__)

ROUTERS = (
    clusters_router,
    described_router,
    heartbeats_router,
    options_router,
    me_router,
    health_router,
    dashboards_router,
)
DESCRIPTION = """
Dask clusters on Kubernetes, for many users.

A cluster is created from *options*, is *pending* until its scheduler runs, and then has workers as its user or its
scheduler asks for. Every error is a JSON object whose `error` is text for people.
"""


def create_app(
    settings: Configuration,
    *,
    clock: Clock = system_clock,
    auth_transport: httpx.AsyncBaseTransport | None = None,
    scheduler_client: SchedulerClient | None = None,
) -> FastAPI:
    """The service as an ASGI application; raises InvalidConfig.

    Nothing is connected before its lifespan begins. `auth_transport` carries the calls to auth.
    """
    prefix = settings.prefix
    options = OptionsService(settings)
    app = FastAPI(
        title="Dask Gateway",
        description=DESCRIPTION,
        version=version("dask-gateway-api"),
        docs_url=None,
        redoc_url=None,
        # a path with a slash too many or too few is another path
        redirect_slashes=False,
        servers=[{"url": prefix or "/"}],
        lifespan=partial(_lifespan, settings, options, clock, auth_transport, scheduler_client or SchedulerClient()),
    )
    app.state.prefix = prefix
    app.state.places = Places(prefix, settings.api.public_url, settings.dashboards.parent)
    app.state.proxies = settings.api.proxies
    app.state.clock = clock
    app.state.max_body_size = settings.api.max_body_size
    for router in ROUTERS:
        # flat, because matching a router within a router costs as much as the rest of the request
        app.router.routes.extend(router.routes)
    add_docs(app, prefix)
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    http_errors.add_error_handlers(app)
    app.add_middleware(Envelope, error_answer=http_errors.unexpected)
    return app


@asynccontextmanager
async def _lifespan(
    settings: Configuration,
    options: OptionsService,
    clock: Clock,
    auth_transport: httpx.AsyncBaseTransport | None,
    schedulers: SchedulerClient,
    app: FastAPI,
) -> AsyncIterator[None]:
    """Connect, fill the cache, serve, and close everything in reverse."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(schedulers.close)
        kube = await KubeClient.connect(settings.kube)
        stack.push_async_callback(kube.close)
        auth = AuthClient(settings.api.auth_url, timeout=settings.api.auth_timeout, transport=auth_transport)
        stack.push_async_callback(auth.close)

        repository = ClusterRepository(kube, instance=settings.instance, namespaces=settings.namespaces)
        limits = Limits(settings, repository)
        forwarder = ReplicasForwarder(repository, schedulers)
        stack.push_async_callback(forwarder.close)
        watching = asyncio.create_task(repository.run(), name="cluster cache")
        stack.push_async_callback(_cancel, watching)

        tokens = SessionTokens(auth, audience=settings.instance, clock=clock)
        sessions = app.state.sessions = SessionService(auth, tokens, clock)
        admins = app.state.admins = Admins(settings.admin)
        app.state.limits = limits
        app.state.dashboards = DashboardAccess(app.state.places, sessions, auth, repository, admins, clock)
        app.state.cluster_tokens = ClusterTokens(repository)
        app.state.options = options
        app.state.clusters = ClusterService(
            repository,
            options,
            schedulers,
            admins=admins,
            limits=limits,
            pods=PodCheck(kube, installation_of(settings)) if settings.api.validate_pods else None,
        )
        app.state.forwarder = forwarder
        app.state.heartbeats = HeartbeatService(repository, clock)
        app.state.health = HealthService(app.version, serving=lambda: not watching.done())
        app.state.waiters = repository.waiters
        await _synced(repository, settings.api.startup_timeout)
        logger.info("Serving the clusters of %s in %s", settings.instance, ", ".join(settings.namespaces))
        yield


async def _synced(repository: ClusterRepository, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await repository.wait_synced()
    except TimeoutError:
        raise KubeUnavailable(f"Kubernetes did not list the clusters within {seconds:g} seconds") from None


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("The cluster cache had failed", exc_info=error)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=app.servers,
        )
        app.openapi_schema = describe_security(document)
    return app.openapi_schema
