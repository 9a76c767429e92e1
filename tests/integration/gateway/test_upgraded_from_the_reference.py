"""dask-gateway 2026.3.0, with a cluster at work, is upgraded in place to what our chart installs, and back again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_common.names import CLUSTER_LABEL
from gateway_common.resources import (
    CONFIGMAPS,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    PODS,
    SECRETS,
    SERVICES,
    Manifest,
    Resource,
)
from gateway_local.cluster import Cluster, gateway_images, traefik_image
from gateway_local.kubelet import Image
from gateway_local.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, DEPLOYMENTS
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, RELEASE
from tests.kit.helm import CHARTS, helm
from tests.kit.waiting import until

REFERENCE = CHARTS / "dask-gateway-2026.3.0"
#: With distributed as it is today, 2026.3.0 has to be told its commands.
COMMANDS = """
c.KubeClusterConfig.scheduler_cmd = ["dask", "scheduler"]
c.KubeClusterConfig.worker_cmd = ["dask", "worker"]
"""
PREFIX = "/services/dask-gateway"
VALUES: Manifest = {
    "gateway": {
        "auth": {"simple": {"password": PASSWORD}},
        "prefix": PREFIX,
        "extraConfig": {"commands": COMMANDS},
    }
}
SCRIPT = Path(__file__).with_name("stays.py")


@pytest.fixture
async def cluster(tmp_path: Path, released_environment: Path) -> AsyncIterator[Cluster]:
    released = {
        "ghcr.io/dask/dask-gateway-server:2026.3.0": Image(released_environment),
        "ghcr.io/dask/dask-gateway:2026.3.0": Image(released_environment),
        "docker.io/traefik:3.3.5": traefik_image(released_environment / "bin/traefik"),
    }
    async with Cluster(directory=tmp_path / "pods", images={**gateway_images(), **released}) as cluster:
        yield cluster


@asynccontextmanager
async def user_at_work(python: Path, address: str, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(python, "-W", "ignore", SCRIPT, "--address", address, "--password", PASSWORD, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        said = await process.stdout.readline()
        assert said == b"at work\n", (said + await process.stdout.read()).decode()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.timeout(300)
async def test_nothing_is_lost(cluster: Cluster, tmp_path: Path, released_environment: Path) -> None:
    async with helm(cluster, tmp_path, REFERENCE, RELEASE, NAMESPACE) as reference:
        await reference.install(**VALUES)
    address = f"http://{proxy_address(cluster)}{PREFIX}"
    old_pods = pods_of_the_gateway(cluster)

    async with (
        helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release,
        user_at_work(released_environment / "bin/python", address) as user,
    ):
        await release.upgrade(**VALUES)
        await until(lambda: old_pods.isdisjoint(pods_of_the_gateway(cluster)))
        output, _ = await user.communicate(b"all of the old gateway is gone\n")
        assert user.returncode == 0, output.decode()

        assert not leftovers(cluster)
        await until(lambda: not what_clusters_have(cluster))
        before = pods_of_the_gateway(cluster)
        assert how_controllers_are_replaced(cluster) == "Recreate", "the old one knows of no leader"
        await release.upgrade(**VALUES)
        assert pods_of_the_gateway(cluster) == before
        assert how_controllers_are_replaced(cluster) == "RollingUpdate"


@pytest.mark.timeout(300)
async def test_there_is_a_way_back(cluster: Cluster, tmp_path: Path, released_environment: Path) -> None:
    """Clusters that our controller has made are kept by that of 2026.3.0; their dashboards it can't show."""
    async with helm(cluster, tmp_path, REFERENCE, RELEASE, NAMESPACE) as reference:
        await reference.install(**VALUES)
    address = f"http://{proxy_address(cluster)}{PREFIX}"
    async with helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release:
        await release.upgrade(**VALUES)
        our_pods = pods_of_the_gateway(cluster)
        async with user_at_work(released_environment / "bin/python", address, "--no-dashboard") as user:
            # our Traefik lets the user's connection go on for 50 s
            await release.rollback(1, seconds=120)
            await until(lambda: our_pods.isdisjoint(pods_of_the_gateway(cluster)))
            output, _ = await user.communicate(b"all of our gateway is gone\n")
            assert user.returncode == 0, output.decode()
    await until(lambda: not what_clusters_have(cluster))


def proxy_address(cluster: Cluster) -> str:
    service = cluster.objects.get(SERVICES, NAMESPACE, f"traefik-{FULLNAME}")
    assert service is not None
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def how_controllers_are_replaced(cluster: Cluster) -> str:
    deployment = cluster.objects.get(DEPLOYMENTS, NAMESPACE, f"controller-{FULLNAME}")
    assert deployment is not None
    return str(deployment["spec"]["strategy"]["type"])


def names(cluster: Cluster, resource: Resource, namespace: str | None = None, selector: str = "") -> set[str]:
    return {found["metadata"]["name"] for found in cluster.objects.list(resource, namespace, selector)}


def pods_of_the_gateway(cluster: Cluster) -> set[str]:
    return names(cluster, PODS, NAMESPACE, f"!{CLUSTER_LABEL}")


def leftovers(cluster: Cluster) -> set[str]:
    """What only the chart of 2026.3.0 has: rights in the whole cluster, and its files."""
    ours = {f"traefik-{FULLNAME}"}
    files = {name for name in names(cluster, CONFIGMAPS, NAMESPACE) if name.endswith(FULLNAME)} - ours
    rights = {
        name
        for resource in (CLUSTERROLES, CLUSTERROLEBINDINGS)
        for name in names(cluster, resource)
        if name.endswith(FULLNAME)
    }
    return files | rights


def what_clusters_have(cluster: Cluster) -> set[str]:
    kinds = (PODS, SECRETS, SERVICES, INGRESSROUTES, INGRESSROUTETCPS)
    return {name for resource in kinds for name in names(cluster, resource, selector=CLUSTER_LABEL)}
