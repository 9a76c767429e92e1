"""Ways into the cluster's network: node ports, load balancers, and Traefik in a pod, which is not Python."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_common.resources import (
    INGRESSROUTES,
    MIDDLEWARES,
    NODES,
    PODS,
    SERVICEACCOUNTS,
    SERVICES,
    Manifest,
    Resource,
)
from gateway_common.traefik_crds import traefik_definitions
from gateway_local.cluster import Cluster, gateway_images
from gateway_local.resources import ROLEBINDINGS, ROLES
from tests.kit.pods import container, is_ready, pod

NAMESPACE = "default"
TRAEFIK_IMAGE = "docker.io/traefik:v3.6.6"

#: Answers every request with the status that it is given, the pod's name, and the host that it was asked as.
SERVER = (
    "import http.server, socket, sys\n"
    "class Answer(http.server.BaseHTTPRequestHandler):\n"
    "    protocol_version = 'HTTP/1.1'\n"
    "    def do_GET(self):\n"
    "        body = (socket.gethostname() + ' as ' + self.headers['Host']).encode()\n"
    "        self.send_response(int(sys.argv[1]))\n"
    "        self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def log_message(self, *_):\n"
    "        pass\n"
    "http.server.ThreadingHTTPServer(('', 8000), Answer).serve_forever()\n"
)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    images = {**gateway_images(), "example/python": Path(sys.prefix)}
    definitions = traefik_definitions()
    async with Cluster(directory=tmp_path / "pods", images=images, definitions=definitions) as cluster:
        yield cluster


def create(cluster: Cluster, resource: Resource, name: str, **parts: Any) -> Manifest:
    return cluster.objects.create(resource, {"metadata": {"name": name, "namespace": NAMESPACE}, **parts})


async def serve(cluster: Cluster, name: str, app: str = "web", status: int = 200) -> None:
    """Run a pod that answers requests, until it does."""
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    if status != 200:
        probe = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
    answering = container("python", "-c", SERVER, str(status), readinessProbe=probe)
    cluster.objects.create(PODS, pod(answering, name=name, labels={"app": app}))
    await wait(cluster, PODS, name, is_ready)


def open_service(cluster: Cluster, app: str = "web", **spec: Any) -> None:
    ports = [{"name": "http", "port": 18_080, "targetPort": 8000}]
    create(cluster, SERVICES, app, spec={"selector": {"app": app}, "ports": ports, **spec})


async def wait(cluster: Cluster, resource: Resource, name: str, condition: Callable[[Manifest], Any]) -> Manifest:
    async with asyncio.timeout(30):
        async for _, manifest in cluster.objects.watch(resource, NAMESPACE):
            if manifest["metadata"]["name"] == name and condition(manifest):
                return manifest
    raise AssertionError("a watch does not end")


def ingress_of(service: Manifest) -> list[Manifest]:
    found: list[Manifest] = service["status"]["loadBalancer"].get("ingress") or []
    return found


async def load_balancer(cluster: Cluster, name: str = "web") -> str:
    service = await wait(cluster, SERVICES, name, ingress_of)
    return f"http://{ingress_of(service)[0]['ip']}:18080"


def node_port(cluster: Cluster, name: str = "web") -> str:
    service = cluster.objects.get(SERVICES, NAMESPACE, name)
    (node,) = cluster.objects.list(NODES)
    assert service is not None
    address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    return f"http://{address}:{service['spec']['ports'][0]['nodePort']}"


async def answer_of(url: str, until: Callable[[httpx.Response], bool] = lambda response: response.is_success) -> str:
    """The answer to a request, as soon as there is the one that is waited for. Each has a connection of its own."""
    async with asyncio.timeout(30):
        while True:
            async with httpx.AsyncClient(trust_env=False) as client:
                try:
                    response = await client.get(url)
                except httpx.TransportError:
                    response = None
            if response is not None and until(response):
                return response.text
            await asyncio.sleep(0.02)


async def test_a_load_balancer_s_address_and_a_node_s_port_lead_to_the_pods(cluster: Cluster) -> None:
    open_service(cluster, type="LoadBalancer")
    await serve(cluster, "one")

    for address in (await load_balancer(cluster), node_port(cluster)):
        assert await answer_of(address) == f"one as {address.removeprefix('http://')}"


async def test_every_ready_pod_gets_its_share(cluster: Cluster) -> None:
    open_service(cluster, type="NodePort")
    await serve(cluster, "one")
    await serve(cluster, "two")

    for name in ("one", "two"):
        assert await answer_of(node_port(cluster), lambda response, name=name: response.text.startswith(name))


async def test_without_a_ready_pod_connections_are_closed(cluster: Cluster) -> None:
    open_service(cluster, type="LoadBalancer")
    address = await load_balancer(cluster)

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(address)
    await serve(cluster, "late")
    assert (await answer_of(address)).startswith("late")


async def test_a_service_that_closes_itself_to_the_outside_is_no_longer_listened_for(cluster: Cluster) -> None:
    open_service(cluster, type="LoadBalancer")
    await serve(cluster, "one")
    address = await load_balancer(cluster)
    await answer_of(address)

    cluster.objects.delete(SERVICES, NAMESPACE, "web")

    await until_refused(address)


async def until_refused(url: str) -> None:
    """Until nobody listens there."""
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                await client.get(url)
            except httpx.ConnectError:
                return
            except httpx.TransportError:
                await asyncio.sleep(0.02)


def run_traefik(cluster: Cluster) -> None:
    """Traefik as a chart runs it: arguments, a service account, a Service."""
    create(cluster, SERVICEACCOUNTS, "traefik")
    rules = [
        {"apiGroups": [""], "resources": ["services", "secrets", "configmaps"], "verbs": ["list", "watch", "get"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"apiGroups": ["traefik.io"], "resources": ["*"], "verbs": ["list", "watch", "get"]},
    ]
    create(cluster, ROLES, "traefik", rules=rules)
    create(
        cluster,
        ROLEBINDINGS,
        "traefik",
        roleRef={"apiGroup": ROLES.group, "kind": "Role", "name": "traefik"},
        subjects=[{"kind": "ServiceAccount", "name": "traefik", "namespace": NAMESPACE}],
    )
    arguments = [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--ping=true",
        "--entryPoints.web.address=:8000",
        "--providers.kubernetescrd=true",
        f"--providers.kubernetescrd.namespaces={NAMESPACE}",
        "--providers.kubernetescrd.disableclusterscoperesources=true",
        "--providers.providersthrottleduration=100ms",
    ]
    probe = {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1}
    traefik = {"name": "main", "image": TRAEFIK_IMAGE, "args": arguments, "readinessProbe": probe}
    cluster.objects.create(PODS, pod(traefik, name="traefik", labels={"app": "traefik"}, serviceAccountName="traefik"))
    open_service(cluster, "traefik", type="LoadBalancer")


def route(cluster: Cluster, *middlewares: str) -> None:
    rule = {
        "kind": "Rule",
        "match": "PathPrefix(`/`)",
        "services": [{"name": "web", "port": 18_080}],
        "middlewares": [{"name": name} for name in middlewares],
    }
    create(cluster, INGRESSROUTES, "web", spec={"entryPoints": ["web"], "routes": [rule]})


async def test_traefik_routes_to_pods_by_what_its_account_may_read(cluster: Cluster) -> None:
    run_traefik(cluster)
    open_service(cluster)
    await serve(cluster, "one")
    route(cluster)

    assert (await answer_of(await load_balancer(cluster, "traefik"))).startswith("one")


@pytest.mark.parametrize("verdict", [200, 403])
async def test_traefik_asks_a_service_by_its_name(cluster: Cluster, verdict: int) -> None:
    run_traefik(cluster)
    for app in ("web", "guard"):
        open_service(cluster, app)
    await serve(cluster, "one")
    await serve(cluster, "guard", "guard", verdict)
    address = f"http://guard.{NAMESPACE}:18080/"
    create(cluster, MIDDLEWARES, "guard", spec={"forwardAuth": {"address": address}})
    route(cluster, "guard")

    entrance = await load_balancer(cluster, "traefik")
    answer = await answer_of(entrance, lambda response: response.status_code == verdict)

    asked = "one" if verdict == 200 else "guard"
    assert answer.startswith(asked)
