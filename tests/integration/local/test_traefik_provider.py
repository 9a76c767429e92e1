"""Traefik, a real process, takes its routes from the embedded API server by its kubernetescrd provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway_common.resources import ENDPOINTSLICES, INGRESSROUTES, SERVICES
from gateway_local.ports import free_port
from gateway_local.traefik import find_traefik
from tests.kit.kube import TOKEN, KubeHttp, KubeServer, embedded_kubernetes, kube_http


@asynccontextmanager
async def backend(text: bytes) -> AsyncIterator[int]:
    """An HTTP server that always answers the same; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
        writer.write(head + text)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def traefik(server: KubeServer, port: int, log: Path) -> AsyncIterator[None]:
    command = [
        str(find_traefik()),
        "--global.checknewversion=false",
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"--providers.kubernetescrd.endpoint={server.url}",
        f"--providers.kubernetescrd.token={TOKEN}",
        "--providers.providersthrottleduration=50ms",
    ]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


async def publish(kube: KubeHttp, path: str, port: int) -> None:
    """A route to a service whose only endpoint is a port of this machine."""
    meta = {"name": "web"}
    spec = {"clusterIP": "None", "ports": [{"name": "http", "port": 80, "targetPort": port}]}
    await kube.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    endpoints = {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }
    await kube.create(ENDPOINTSLICES, endpoints)
    route = {"kind": "Rule", "match": f"PathPrefix(`{path}`)", "services": [{"name": "web", "port": 80}]}
    manifest = {
        "apiVersion": INGRESSROUTES.api_version,
        "kind": INGRESSROUTES.kind,
        "metadata": meta,
        "spec": {"entryPoints": ["web"], "routes": [route]},
    }
    await kube.create(INGRESSROUTES, manifest)


async def wait_for_text(client: httpx.AsyncClient, url: str, code: int, seconds: float = 30.0) -> str:
    """The answer's text once the proxy answers with that status."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                response = await client.get(url)
                if response.status_code == code:
                    return response.text
            except httpx.TransportError:
                pass  # it does not listen yet
            await asyncio.sleep(0.02)


@pytest.fixture
async def kube_server(tmp_path: Path) -> AsyncIterator[KubeServer]:
    async with embedded_kubernetes(tmp_path) as server:
        yield server


async def test_routes_come_go_and_survive_broken_watches(kube_server: KubeServer, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        backend(b"first") as first,
        kube_http(kube_server, "default") as kube,
        traefik(kube_server, port, tmp_path / "traefik.log"),
        httpx.AsyncClient(trust_env=False, timeout=5) as client,
    ):
        assert await wait_for_text(client, f"{url}/app", 404)
        await publish(kube, "/app", first)
        assert await wait_for_text(client, f"{url}/app", 200) == "first"

        # what changes while its watches are down is seen when they are up again
        assert kube_server.embedded is not None
        assert kube_server.embedded.faults.drop_watches() > 0
        await kube.delete(INGRESSROUTES, "web")
        await wait_for_text(client, f"{url}/app", 404)
    assert "level=error" not in (tmp_path / "traefik.log").read_text().lower()
