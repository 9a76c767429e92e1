"""Helm installs the chart into a cluster whose pods are processes: what it has deployed serves, and goes on serving."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from distributed.client import Client, FutureCancelledError

from dask_gateway import BasicAuth, Gateway, GatewayCluster, GatewayResponseError, GatewayServerError
from gateway_common.resources import LEASES, PODS, SERVICES, Manifest
from gateway_local.cluster import Cluster, gateway_images
from gateway_local.resources import DEPLOYMENTS, NETWORKPOLICIES
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, RELEASE
from tests.kit.end_to_end import ROOT, run
from tests.kit.helm import Helm, helm
from tests.kit.pods import is_ready
from tests.kit.waiting import until

VALUES: Manifest = yaml.safe_load((ROOT / "tests/e2e/values.yaml").read_text())
SERVICES_OF_OURS = ("api", "auth", "controller")
EVERYTHING = (*SERVICES_OF_OURS, "traefik")
T = TypeVar("T")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(directory=tmp_path / "pods", images=gateway_images()) as cluster:
        yield cluster


@pytest.fixture
async def release(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Helm]:
    async with helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release:
        yield release


def variables(cluster: Cluster, directory: Path) -> dict[str, str]:
    """Where the end-to-end tests find the installation: at the address that NOTES.txt tells to look up."""
    service = cluster.objects.get(SERVICES, NAMESPACE, f"traefik-{FULLNAME}")
    assert service is not None
    return {
        "KUBECONFIG": str(cluster.server.kubeconfig(directory / "kubeconfig")),
        "GATEWAY_ADDRESS": f"http://{service['status']['loadBalancer']['ingress'][0]['ip']}",
        "GATEWAY_NAMESPACE": NAMESPACE,
    }


def pods_of(cluster: Cluster, service: str) -> set[str]:
    """The pods of a Deployment that are not on their way out."""
    deployment = cluster.objects.get(DEPLOYMENTS, NAMESPACE, f"{service}-{FULLNAME}")
    assert deployment is not None
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    found = cluster.objects.list(PODS, NAMESPACE, selector)
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


@pytest.mark.timeout(600)
async def test_all_end_to_end_tests_pass_on_what_helm_has_installed(
    cluster: Cluster, release: Helm, tmp_path: Path, released_environment: Path
) -> None:
    await release.install(gateway={**VALUES["gateway"], "auth": {"simple": {"password": PASSWORD}}})

    output = await run(
        *("pytest", "-q", "-p", "no:cacheprovider", "tests/e2e"),
        **variables(cluster, tmp_path),
        GATEWAY_PASSWORD=PASSWORD,
        GATEWAY_RELEASED_PYTHON=str(released_environment / "bin/python"),
        GATEWAY_UNSTARTABLE=json.dumps({"kind": "unstartable"}),
        GATEWAY_CLUSTERS_PER_USER="2",
    )

    assert "18 passed" in output, output
    assert "skipped" not in output, output


@pytest.mark.timeout(600)
async def test_an_upgrade_and_its_rollback_replace_the_services_while_a_cluster_works_on(
    cluster: Cluster, release: Helm, tmp_path: Path
) -> None:
    await release.install()
    before = {service: pods_of(cluster, service) for service in SERVICES_OF_OURS}
    known = variables(cluster, tmp_path)
    values = json.dumps({"gateway": {"loglevel": "DEBUG"}})
    there_and_back = (sys.executable, "-m", "tests.kit.helm", known["KUBECONFIG"], CHART, RELEASE, NAMESPACE, values)

    output = await run("tests.e2e.survives", "--", *there_and_back, **known)

    assert "tasks while it ran" in output
    for service in SERVICES_OF_OURS:
        assert pods_of(cluster, service).isdisjoint(before[service])
    assert await release.history() == {1: "superseded", 2: "superseded", 3: "deployed"}


async def test_the_same_upgrade_again_rolls_nothing(cluster: Cluster, release: Helm) -> None:
    await release.install()
    before = {service: pods_of(cluster, service) for service in EVERYTHING}

    await release.upgrade()

    assert {service: pods_of(cluster, service) for service in EVERYTHING} == before


async def test_whoever_limits_where_users_pods_connect_to_is_not_overruled(cluster: Cluster, release: Helm) -> None:
    """Policies add up: ours allows more than one that only lets them out of the cluster, say."""

    def policies() -> set[str]:
        return {policy["metadata"]["name"] for policy in cluster.objects.list(NETWORKPOLICIES, NAMESPACE)}

    def policy(name: str, **labels: str) -> Manifest:
        spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Egress"], "egress": []}
        metadata = {"name": name, "namespace": NAMESPACE}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    await release.install()
    installed = policies()
    cluster.objects.create(NETWORKPOLICIES, policy("of-a-shop", app="shop"))
    await release.upgrade()
    assert policies() == {*installed, "of-a-shop"}

    labels = {"app.kubernetes.io/name": "dask-gateway", "app.kubernetes.io/component": "dask-worker"}
    cluster.objects.create(NETWORKPOLICIES, policy("of-the-hub", **labels))
    await release.upgrade()
    assert installed - policies() == {f"clusters-{FULLNAME}-{NAMESPACE}"}


@pytest.mark.timeout(300)
async def test_losing_a_pod_of_each_service_is_no_more_than_a_retry(
    cluster: Cluster, release: Helm, tmp_path: Path
) -> None:
    two: Manifest = {"replicas": 2}
    await release.install(gateway={**two, "auth": two}, controller=two, traefik=two)
    address = variables(cluster, tmp_path)["GATEWAY_ADDRESS"]
    async with (
        Gateway(address, auth=BasicAuth("alice", ""), asynchronous=True) as gateway,
        gateway.new_cluster(shutdown_on_close=True) as kept,
        kept.get_client(set_as_default=False) as client,
    ):
        await kept.scale(1)
        await client.wait_for_workers(1)
        worker = await client.run(os.getpid)
        for lost in (*((service,) for service in EVERYTHING), EVERYTHING):
            over = asyncio.Event()
            async with asyncio.TaskGroup() as users:
                users.create_task(compute(client, over))
                users.create_task(ask(gateway, kept, over))
                for service in lost:
                    lose_a_pod(cluster, service)
                await compute_on_a_new_cluster(address)
                await until(lambda: all(len(ready_pods_of(cluster, service)) == 2 for service in EVERYTHING))
                over.set()
            assert await client.run(os.getpid) == worker, "the worker was replaced"


def lose_a_pod(cluster: Cluster, service: str) -> None:
    """One of those that serve, at once: nothing in it hears of it. Of the controllers the one that acts."""
    victim = leader(cluster) if service == "controller" else min(ready_pods_of(cluster, service))
    cluster.objects.delete(PODS, NAMESPACE, victim, grace_period_seconds=0)


def leader(cluster: Cluster) -> str:
    lease = cluster.objects.get(LEASES, NAMESPACE, f"dask-gateway-controller-{FULLNAME}")
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


def ready_pods_of(cluster: Cluster, service: str) -> set[str]:
    pods = (cluster.objects.get(PODS, NAMESPACE, name) for name in pods_of(cluster, service))
    return {pod["metadata"]["name"] for pod in pods if pod and is_ready(pod)}


async def compute(client: Client, over: asyncio.Event) -> None:
    """One task after the other. A lost proxy cuts the connections that it held; the client connects again by itself."""
    number = 0
    while not over.is_set():
        number += 1
        try:
            assert await client.submit(int, number) == number
        except (OSError, FutureCancelledError):
            await asyncio.sleep(0.05)


async def ask(gateway: Gateway, cluster: GatewayCluster, over: asyncio.Event) -> None:
    while not over.is_set():
        assert [report.name for report in await twice(gateway.list_clusters)] == [cluster.name]
        await asyncio.sleep(0.05)


async def compute_on_a_new_cluster(address: str) -> None:
    async with Gateway(address, auth=BasicAuth("bob", ""), asynchronous=True) as gateway:
        name = await twice(gateway.submit)
        async with await twice(lambda: gateway.connect(name, shutdown_on_close=True)) as cluster:
            await twice(lambda: gateway.scale_cluster(name, 1))
            async with cluster.get_client(set_as_default=False) as client:
                assert await client.submit(sum, range(10)) == 45


async def twice(call: Callable[[], Awaitable[T]]) -> T:
    """A user who tries again once, a second later, when a service has gone in the middle of an answer."""
    try:
        return await call()
    except (OSError, GatewayResponseError, GatewayServerError) as error:
        if isinstance(error, GatewayResponseError) and error.status not in (502, 503, 504):
            raise
        await asyncio.sleep(1)
        return await call()
