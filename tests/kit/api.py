"""The api on a Kubernetes API server and the real auth service; a test plays the controller and the schedulers."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway_api.app import create_app
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.scheduler_client import SchedulerClient
from gateway_auth.app import create_app as create_auth_app
from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_common.kube import KubeClient
from gateway_common.names import ClusterName, parse_cluster_name
from gateway_common.resources import DASKCLUSTERS
from tests.kit.clusters import as_new, dask_cluster, make_credentials, set_status
from tests.kit.credentials import basic_credentials
from tests.kit.scripted_server import Exchange, scripted_server
from tests.kit.waiting import until

PASSWORD = "secret"
CLUSTER_TOKEN = "cluster-token"
INSTANCE = "test"


class CountingTransport(httpx.AsyncBaseTransport):
    """Calls the auth service in this process, counts the calls, and can be cut."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app)
        self.paths: list[str] = []
        self.cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if self.cut:
            raise httpx.ConnectError("cut", request=request)
        return await self._transport.handle_async_request(request)


@dataclass
class Scheduler:
    """A scheduler's HTTP server: what it was sent, and what it answers."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    #: statuses of the next answers, before 200 again; 0 hangs up
    failures: list[int] = field(default_factory=list)
    #: where the api takes schedulers to listen
    port: int = 0

    async def handle(self, exchange: Exchange) -> None:
        if self.failures:
            status = self.failures.pop(0)
            if status:
                await exchange.answer(status, {})
            raise ConnectionError
        assert (exchange.method, exchange.path) == ("POST", "/api/comm")
        self.messages.append(json.loads(exchange.body))
        self.authorizations.append(exchange.headers["authorization"])
        await exchange.answer(200, {})


@dataclass
class Api:
    """One replica, and hands to play its surroundings."""

    app: FastAPI
    kube: KubeClient
    namespace: str
    auth: CountingTransport
    scheduler: Scheduler
    _open: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Somebody who has shown nothing yet but these headers."""
        transport = httpx.ASGITransport(self.app)
        client = httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)
        self._open.append(client)
        return client

    def user(self, name: str) -> httpx.AsyncClient:
        return self.client(**basic_credentials(name, PASSWORD))

    @property
    def repository(self) -> ClusterRepository:
        repository: ClusterRepository = self.app.state.heartbeats._repository
        return repository

    async def create(self, user: httpx.AsyncClient, **options: Any) -> ClusterName:
        answer = await user.post("/api/v1/clusters/", json={"cluster_options": options})
        assert answer.status_code == 201, answer.text
        return parse_cluster_name(answer.json()["name"])

    async def run(self, cluster: ClusterName, token: str = CLUSTER_TOKEN) -> None:
        """Do what the controller does until the cluster runs."""
        await make_credentials(self.kube, cluster, token)
        await set_status(self.kube, cluster, phase="Running", schedulerAddress="127.0.0.1")

    async def running_cluster(self, user: httpx.AsyncClient, **options: Any) -> ClusterName:
        """A cluster that runs, and that this replica knows to run."""
        cluster = await self.create(user, **options)
        await self.run(cluster)
        await self.repository.refresh(cluster)
        return cluster

    async def stored(self, cluster: ClusterName) -> dict[str, Any]:
        return await self.kube.get(DASKCLUSTERS, cluster.name, namespace=cluster.namespace)

    async def close(self) -> None:
        for client in self._open:
            await client.aclose()


def auth_app() -> FastAPI:
    settings = {"instance": INSTANCE, "auth": {"simple": {"password": PASSWORD}}}
    return create_auth_app(Configuration.model_validate(settings))


@asynccontextmanager
async def running_api(
    kube: KubeSettings,
    namespace: str,
    *,
    auth: ASGIApp | None = None,
    api: Mapping[str, Any] | None = None,
    namespaces: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[Api]:
    """A replica of the api that serves one namespace, or `namespaces`.

    `api` are settings of its group, `settings` all others.
    """
    configuration = Configuration.model_validate(
        {
            "instance": INSTANCE,
            "kube": kube.model_copy(update={"namespaces": list(namespaces) or [namespace]}),
            "api": {"options_timeout": 5.0, **(api or {})},
            **settings,
        }
    )
    scheduler = Scheduler()
    transport = CountingTransport(auth or auth_app())
    client = await KubeClient.connect(kube)
    async with scripted_server(scheduler.handle) as server:
        scheduler.port = int(server.url.rsplit(":", 1)[1])
        schedulers = SchedulerClient(pauses=(0.01, 0.01), port=scheduler.port)
        app = create_app(configuration, auth_transport=transport, scheduler_client=schedulers)
        async with app.router.lifespan_context(app):
            running = Api(app, client, namespace, transport, scheduler)
            try:
                await _watch_is_open(running)
                yield running
            finally:
                await running.close()
                await client.close()


@asynccontextmanager
async def two_replicas(kube: KubeSettings, namespace: str, **settings: Any) -> AsyncIterator[tuple[Api, Api]]:
    """Two replicas of the api: whoever has signed in at one is known to the other."""
    auth = auth_app()
    async with (
        running_api(kube, namespace, auth=auth, **settings) as one,
        running_api(kube, namespace, auth=auth, **settings) as other,
    ):
        yield one, other


async def _watch_is_open(api: Api) -> None:
    """Wait until the api hears of what others make.

    A test that ends before would cancel the watch in the middle of its TLS handshake, which httpcore 1.0 answers by
    forgetting the socket.
    """
    manifest = as_new(dask_cluster(namespace=api.namespace, instance=INSTANCE, user="nobody"))
    made = await api.kube.create(DASKCLUSTERS, manifest)
    await until(lambda: api.repository.cached(ClusterName(api.namespace, made["metadata"]["name"])) is not None)
