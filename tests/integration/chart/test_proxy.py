"""A real Traefik, told what the chart tells it: the ways to the api and to dashboards, and TLS."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_common.manifests.installation import Installation, MiddlewareRef
from gateway_common.names import ClusterName, service_name
from gateway_common.resources import ENDPOINTSLICES, INGRESSROUTES, NAMESPACES, SERVICES
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.readiness_route import build_readiness_route
from gateway_controller.core.build.service import build_service
from gateway_local.apiserver.server import ApiServer
from gateway_local.endpoints import SERVICE_NAME_LABEL
from gateway_local.ports import free_port
from gateway_local.processes import SupervisedProcess
from gateway_local.traefik import find_traefik
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, Manifest, find, pods, render
from tests.kit.kube import TOKEN
from tests.kit.scripted_server import Exchange, ScriptedServer, scripted_server
from tests.kit.tls import make_key_pair
from tests.kit.waiting import eventually

CLUSTER = ClusterName(NAMESPACE, "c0ffee")
_API = f"http://api-{FULLNAME}.{NAMESPACE}:8000"


@pytest.fixture(params=["newest", "oldest"], autouse=True)
def traefik(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Traefik that the chart is for: that of its default tag, and 3.3, which 2026.3.0 came with."""
    if request.param == "oldest":
        program = CHART.parents[1] / ".venv-released/bin/traefik"
        if not program.exists():
            pytest.skip("Traefik 3.3 is not installed: `make .venv-released/.ready` does it")
        monkeypatch.setattr(f"{__name__}.find_traefik", lambda: program)


@dataclass
class Proxy:
    """Traefik, an api and a dashboard behind it, and what Kubernetes knows of the dashboard."""

    api: ScriptedServer
    dashboard: ScriptedServer
    ports: dict[str, int] = field(default_factory=dict)
    #: What the api says of who asks for a dashboard.
    access: int = 200

    def client(self, entry_point: str = "web", **settings: Any) -> httpx.AsyncClient:
        scheme = "https" if entry_point == "websecure" else "http"
        base = f"{scheme}://127.0.0.1:{self.ports[entry_point]}"
        return httpx.AsyncClient(base_url=base, trust_env=False, timeout=60, **settings)

    async def answer_for_api(self, exchange: Exchange) -> None:
        if exchange.path == "/dashboards/access":
            await exchange.answer(self.access, {"error": "not yours"}, cookie="own=1")
        else:
            await exchange.answer(200, {"path": exchange.path})


async def answer_for_dashboard(exchange: Exchange) -> None:
    await exchange.answer(200, {"path": exchange.path, "headers": exchange.headers})


@asynccontextmanager
async def running_proxy(
    directory: Path,
    values: Manifest,
    certificate: tuple[str, str] | None = None,
    there_before: Callable[[ApiServer, ScriptedServer], None] = lambda kubernetes, dashboard: None,
) -> AsyncIterator[Proxy]:
    """With the arguments and the files of the chart's pod; only addresses are those of this machine."""
    manifests = render(values)
    kubernetes = ApiServer(tokens=[TOKEN])
    async with AsyncExitStack() as running:
        proxy = Proxy(ScriptedServer(answer_for_dashboard), ScriptedServer(answer_for_dashboard))
        proxy.api = await running.enter_async_context(scripted_server(proxy.answer_for_api))
        proxy.dashboard = await running.enter_async_context(scripted_server(answer_for_dashboard))
        await kubernetes.start()
        running.push_async_callback(kubernetes.stop)
        kubernetes.objects.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        there_before(kubernetes, proxy.dashboard)

        dynamic = directory / "dynamic"
        dynamic.mkdir()
        for name, text in find(manifests, "ConfigMap", f"traefik-{FULLNAME}")["data"].items():
            assert _API in text
            (dynamic / name).write_text(text.replace(_API, proxy.api.url).replace("/etc/traefik/dynamic", str(dynamic)))
        if certificate:
            for name, pem in zip(("tls.key", "tls.crt"), certificate, strict=True):
                (dynamic / name).write_text(pem)

        (container,) = pods(manifests)[f"traefik-{FULLNAME}"]["containers"]
        listening = {port["name"]: port["containerPort"] for port in container["ports"]}
        proxy.ports = {name: free_port() for name in listening}
        arguments = [arg.replace("/etc/traefik/dynamic", str(dynamic)) for arg in container["args"]]
        for name, port in listening.items():
            arguments = [
                arg.replace(f".address=:{port}", f".address=127.0.0.1:{proxy.ports[name]}") for arg in arguments
            ]
        arguments += [
            f"--providers.kubernetescrd.endpoint={kubernetes.url}",
            f"--providers.kubernetescrd.token={TOKEN}",
        ]
        traefik = SupervisedProcess("traefik", [str(find_traefik()), *arguments], log=directory / "traefik.log")
        await traefik.start()
        running.push_async_callback(traefik.stop)
        _make_dashboard(kubernetes, manifests, proxy.dashboard)
        yield proxy


def _make_dashboard(kubernetes: ApiServer, manifests: list[Manifest], dashboard: ScriptedServer) -> None:
    """What the controller makes of a cluster, and where it really listens."""
    (container,) = pods(manifests)[f"controller-{FULLNAME}"]["containers"]
    environment = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    names = httpx.Response(200, text=environment["DASK_GATEWAY__CONTROLLER__PROXY_WEB_MIDDLEWARES"]).json()
    installation = Installation(
        instance=FULLNAME,
        api_url="",
        proxy_prefix="/gw",
        proxy_web_entrypoint=environment["DASK_GATEWAY_DEFAULT__CONTROLLER__PROXY_WEB_ENTRYPOINT"],
        proxy_web_middlewares=tuple(MiddlewareRef(**name) for name in names),
    )
    _make_cluster(kubernetes, installation, CLUSTER, dashboard)


def _make_cluster(
    kubernetes: ApiServer, installation: Installation, cluster: ClusterName, dashboard: ScriptedServer
) -> None:
    kubernetes.objects.create(SERVICES, build_service(installation, cluster))
    kubernetes.objects.create(INGRESSROUTES, build_ingress_route(installation, cluster))
    name = service_name(cluster.name)
    kubernetes.objects.create(
        ENDPOINTSLICES,
        {
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {SERVICE_NAME_LABEL: name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            "ports": [{"name": "dashboard", "port": httpx.URL(dashboard.url).port, "protocol": "TCP"}],
        },
    )


async def answer(client: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    """The first good answer: Traefik needs a moment to listen, and to read what it is told."""

    async def good() -> httpx.Response | None:
        try:
            said = await client.get(path, headers=headers)
        except httpx.TransportError:
            return None
        return said if said.status_code == 200 else None

    return await eventually(good)


async def dashboard(client: httpx.AsyncClient, page: str, **headers: str) -> httpx.Response:
    """The first answer of the dashboard: the api has all that has no route yet."""

    async def shown() -> httpx.Response | None:
        said = await answer(client, page, **headers)
        return said if "headers" in said.json() else None

    return await eventually(shown)


async def test_the_api_and_private_dashboards_are_below_the_prefix(tmp_path: Path) -> None:
    async with running_proxy(tmp_path, {"gateway": {"prefix": "/gw"}}) as proxy, proxy.client() as client:
        for path in ("/gw/api/health", "/gw/docs", "/gw/oauth_callback", "/gw/signed-out"):
            said = await answer(client, path)
            assert said.json() == {"path": path.removeprefix("/gw")}
        assert (await client.get("/elsewhere")).status_code == 404

        page = f"/gw/clusters/{CLUSTER}/status"
        credentials = {"cookie": "dask-gateway-dashboard=secret; own=1", "authorization": "Basic secret"}
        shown = await dashboard(client, page, **credentials, **{"x-forwarded-uri": "/gw/clusters/gw.other/status"})
        assert shown.json()["path"] == "/status"
        assert "secret" not in shown.text
        assert shown.json()["headers"]["cookie"] == "own=1"
        assert shown.headers["content-security-policy"] == "frame-ancestors 'self'"
        assert shown.headers["x-content-type-options"] == "nosniff"
        asked = [exchange for exchange in proxy.api.exchanges if exchange.path == "/dashboards/access"][-1]
        assert asked.headers["x-forwarded-uri"] == page, "the caller's word does not count"
        assert "secret" in asked.headers["cookie"]

        proxy.access = 403
        refused = await client.get(page)
        assert (refused.status_code, refused.json()) == (403, {"error": "not yours"})


async def test_dashboards_can_be_left_to_what_is_in_front(tmp_path: Path) -> None:
    values = {"gateway": {"prefix": "/gw", "dashboards": {"private": False, "frameAncestors": []}}}
    async with running_proxy(tmp_path, values) as proxy, proxy.client() as client:
        shown = await dashboard(client, f"/gw/clusters/{CLUSTER}/status", cookie="session=1")
        assert shown.json()["headers"]["cookie"] == "session=1"
        assert shown.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert not [exchange for exchange in proxy.api.exchanges if exchange.path == "/dashboards/access"]


async def test_with_a_certificate_everything_is_https(tmp_path: Path) -> None:
    key, certificate = make_key_pair()
    values = {"gateway": {"prefix": "/gw"}, "traefik": {"tls": {"secretName": "cert"}}}
    trusting = ssl.create_default_context(cadata=certificate)
    async with (
        running_proxy(tmp_path, values, (key, certificate)) as proxy,
        proxy.client("websecure", verify=trusting) as secure,
        proxy.client() as plain,
    ):
        assert (await answer(secure, "/gw/api/health")).json() == {"path": "/api/health"}
        assert (await dashboard(secure, f"/gw/clusters/{CLUSTER}/status")).json()["path"] == "/status"
        sent = await plain.get("/gw/api/health", headers={"host": "dask.example.org"})
        assert sent.status_code in (301, 308)
        assert sent.headers["location"] == "https://dask.example.org/gw/api/health"

        # renewed: the Secret's files change, and Traefik reads them again
        renewed = make_key_pair("renewed")
        (tmp_path / "dynamic/tls.key").write_text(renewed[0])
        (tmp_path / "dynamic/tls.crt").write_text(renewed[1])
        async with proxy.client("websecure", verify=ssl.create_default_context(cadata=renewed[1])) as again:
            await answer(again, "/gw/api/health")


async def test_a_proxy_that_says_it_is_ready_has_read_the_routes_of_all_clusters(tmp_path: Path) -> None:
    installation = Installation(instance=FULLNAME, api_url="")
    others = [ClusterName(NAMESPACE, f"c{number}") for number in range(300)]

    def many_clusters(kubernetes: ApiServer, dashboard: ScriptedServer) -> None:
        kubernetes.objects.create(INGRESSROUTES, build_readiness_route(installation, NAMESPACE, "traefik"))
        for cluster in others:
            _make_cluster(kubernetes, installation, cluster, dashboard)

    values = {"gateway": {"prefix": "/gw"}}
    (container,) = pods(render(values))[f"traefik-{FULLNAME}"]["containers"]
    probe = container["readinessProbe"]["httpGet"]
    async with (
        running_proxy(tmp_path, values, there_before=many_clusters) as proxy,
        proxy.client(probe["port"]) as kubelet,
        proxy.client() as user,
    ):
        await answer(kubelet, probe["path"])
        assert {(await user.get(f"/clusters/{cluster}/status")).status_code for cluster in others} == {200}


async def test_a_proxy_that_has_read_no_routes_is_not_ready(tmp_path: Path) -> None:
    values = {"gateway": {"prefix": "/gw"}}
    async with running_proxy(tmp_path, values) as proxy, proxy.client("traefik") as kubelet, proxy.client() as user:
        await answer(kubelet, "/ping")
        await dashboard(user, f"/gw/clusters/{CLUSTER}/status")
        assert (await kubelet.get("/ready")).status_code == 404
