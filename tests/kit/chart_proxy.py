"""A real Traefik with the chart's arguments and files, its rights, and the definitions that it brings."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway_common.manifests.installation import Installation, MiddlewareRef
from gateway_common.names import ClusterName, service_name, sni_host
from gateway_common.resources import (
    CRDS,
    ENDPOINTSLICES,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    NAMESPACES,
    PODS,
    SERVICEACCOUNTS,
    SERVICES,
)
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.ingress_route_tcp import build_ingress_route_tcp
from gateway_controller.core.build.readiness_route import build_readiness_route
from gateway_controller.core.build.service import build_service
from gateway_local.apiserver.server import ApiServer
from gateway_local.endpoints import SERVICE_NAME_LABEL
from gateway_local.ports import free_port
from gateway_local.processes import die_with_parent
from gateway_local.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from tests.kit.chart import FULLNAME, NAMESPACE, Manifest, find, pods, render
from tests.kit.scripted_server import Exchange, ScriptedServer, scripted_server
from tests.kit.tls import make_key_pair
from tests.kit.waiting import eventually

API = f"http://api-{FULLNAME}.{NAMESPACE}:8000"
_POD = f"traefik-{FULLNAME}-0"
_INSTALLED = {
    resource.kind: resource
    for resource in (CRDS, SERVICEACCOUNTS, ROLES, ROLEBINDINGS, CLUSTERROLES, CLUSTERROLEBINDINGS)
}


@dataclass
class Scheduler:
    """What speaks TLS with a certificate of its own, and says its name to whoever connects."""

    name: bytes
    #: What trusts its certificate.
    trusting: ssl.SSLContext
    port: int = 0


@dataclass
class Proxy:
    """Traefik, what is behind it, and what Kubernetes knows."""

    manifests: list[Manifest]
    kubernetes: ApiServer
    api: ScriptedServer
    dashboard: ScriptedServer
    scheduler: Scheduler
    command: list[str]
    log: Path
    ports: dict[str, int] = field(default_factory=dict)
    #: What the api says of who asks for a dashboard.
    access: int = 200

    def client(self, entry_point: str = "web", **settings: Any) -> httpx.AsyncClient:
        scheme = "https" if entry_point == "websecure" else "http"
        base = f"{scheme}://127.0.0.1:{self.ports[entry_point]}"
        return httpx.AsyncClient(base_url=base, trust_env=False, timeout=60, **settings)

    @asynccontextmanager
    async def traefik(self) -> AsyncIterator[None]:
        """Let it run. Then it is killed: it would give connections the seconds that the chart grants them."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.command, stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        try:
            yield
        finally:
            process.kill()
            await process.wait()

    def probe(self, name: str) -> str:
        """What the chart has the kubelet ask for by `startupProbe` or another, at the entry point `traefik`."""
        (container,) = pods(self.manifests)[f"traefik-{FULLNAME}"]["containers"]
        action = container[name]["httpGet"]
        assert action["port"] == "traefik"
        return str(action["path"])

    def installation(self) -> Installation:
        """What the chart tells the controller."""
        environment = self._controllers_environment()
        names = httpx.Response(200, text=environment["DASK_GATEWAY__CONTROLLER__PROXY_OWN_MIDDLEWARES"]).json()
        return Installation(
            instance=FULLNAME,
            api_url="",
            proxy_prefix="/gw",
            proxy_web_entrypoint=environment["DASK_GATEWAY_DEFAULT__CONTROLLER__PROXY_WEB_ENTRYPOINT"],
            proxy_tcp_entrypoint=environment["DASK_GATEWAY_DEFAULT__CONTROLLER__PROXY_TCP_ENTRYPOINT"],
            proxy_web_middlewares=tuple(MiddlewareRef(**name) for name in names),
        )

    def _controllers_environment(self) -> dict[str, str]:
        (container,) = pods(self.manifests)[f"controller-{FULLNAME}"]["containers"]
        return {entry["name"]: entry.get("value", "") for entry in container["env"]}

    def publish_ready_route(self) -> None:
        """What the controller makes when it leads."""
        entry_point = self._controllers_environment()["DASK_GATEWAY__CONTROLLER__PROXY_READINESS_ENTRYPOINT"]
        self.kubernetes.objects.create(
            INGRESSROUTES, build_readiness_route(self.installation(), NAMESPACE, entry_point)
        )

    def publish(self, cluster: ClusterName) -> None:
        """What the controller makes of a cluster, and where it really listens."""
        installation, objects, name = self.installation(), self.kubernetes.objects, service_name(cluster.name)
        objects.create(SERVICES, build_service(installation, cluster))
        objects.create(INGRESSROUTES, build_ingress_route(installation, cluster))
        objects.create(INGRESSROUTETCPS, build_ingress_route_tcp(installation, cluster))
        ports = {"dashboard": httpx.URL(self.dashboard.url).port, "scheduler": self.scheduler.port}
        metadata = {"name": name, "namespace": cluster.namespace, "labels": {SERVICE_NAME_LABEL: name}}
        objects.create(
            ENDPOINTSLICES,
            {
                "metadata": metadata,
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
                "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports.items()],
            },
        )

    async def greeting(self, cluster: ClusterName, entry_point: str = "web") -> bytes:
        """What a cluster's scheduler says, by its name in the handshake; nothing where there is no way to it."""
        known = {"ssl": self.scheduler.trusting, "server_hostname": sni_host(cluster)}
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[entry_point], **known)
        except OSError:  # not listening yet, or a certificate of Traefik's own
            return b""
        said = await reader.read()
        writer.close()
        return said


@asynccontextmanager
async def chart_proxy(
    program: Path, directory: Path, values: Manifest, certificate: tuple[str, str] | None = None
) -> AsyncIterator[Proxy]:
    """A proxy that is yet to be started. Nothing but its addresses is other than in a pod."""
    manifests = render(values)
    kubernetes = ApiServer(has_traefik=False, tokens=["admin"])
    async with AsyncExitStack() as running:
        api = await running.enter_async_context(scripted_server(lambda exchange: _answer_for_api(proxy, exchange)))
        dashboard = await running.enter_async_context(scripted_server(_answer_for_dashboard))
        scheduler = await running.enter_async_context(_running_scheduler(directory))
        await kubernetes.start()
        running.push_async_callback(kubernetes.stop)
        kubernetes.objects.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        for manifest in manifests:
            if resource := _INSTALLED.get(manifest["kind"]):
                kubernetes.objects.create(resource, manifest)

        dynamic = directory / "dynamic"
        dynamic.mkdir()
        for name, text in find(manifests, "ConfigMap", f"traefik-{FULLNAME}")["data"].items():
            assert API in text
            (dynamic / name).write_text(text.replace(API, api.url).replace("/etc/traefik/dynamic", str(dynamic)))
        if certificate:
            for name, pem in zip(("tls.key", "tls.crt"), certificate, strict=True):
                (dynamic / name).write_text(pem)

        (container,) = pods(manifests)[f"traefik-{FULLNAME}"]["containers"]
        listening = {port["name"]: port["containerPort"] for port in container["ports"]}
        ports = {name: free_port() for name in listening}
        arguments = [arg.replace("/etc/traefik/dynamic", str(dynamic)) for arg in container["args"]]
        for name, port in listening.items():
            arguments = [arg.replace(f".address=:{port}", f".address=127.0.0.1:{ports[name]}") for arg in arguments]
        arguments += [
            f"--providers.kubernetescrd.endpoint={kubernetes.url}",
            f"--providers.kubernetescrd.token={_token(kubernetes, manifests)}",
        ]
        log = directory / "traefik.log"
        proxy = Proxy(manifests, kubernetes, api, dashboard, scheduler, [str(program), *arguments], log, ports)
        yield proxy


def _token(kubernetes: ApiServer, manifests: list[Manifest]) -> str:
    """That of the pod's service account."""
    spec = pods(manifests)[f"traefik-{FULLNAME}"]
    kubernetes.objects.create(PODS, {"metadata": {"name": _POD, "namespace": NAMESPACE}, "spec": spec})
    return kubernetes.service_accounts.issue(NAMESPACE, spec["serviceAccountName"], _POD)


async def _answer_for_api(proxy: Proxy, exchange: Exchange) -> None:
    if exchange.path == "/dashboards/access":
        await exchange.answer(proxy.access, {"error": "not yours"}, cookie="own=1")
    else:
        await exchange.answer(200, {"path": exchange.path})


async def _answer_for_dashboard(exchange: Exchange) -> None:
    await exchange.answer(200, {"path": exchange.path, "headers": exchange.headers})


@asynccontextmanager
async def _running_scheduler(directory: Path) -> AsyncIterator[Scheduler]:
    key, certificate = make_key_pair()
    pair = directory / "scheduler.pem"
    pair.write_text(key + certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    trusting = ssl.create_default_context(cadata=certificate)
    trusting.check_hostname = False  # Traefik goes by it, and the scheduler has another
    scheduler = Scheduler(b"scheduler", trusting)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(scheduler.name)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        scheduler.port = server.sockets[0].getsockname()[1]
        yield scheduler


async def answer(client: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    """The first good answer: Traefik needs a moment to listen, and to read what it is told."""

    async def good() -> httpx.Response | None:
        try:
            said = await client.get(path, headers=headers)
        except httpx.TransportError:
            return None
        return said if said.status_code == 200 else None

    return await eventually(good)
