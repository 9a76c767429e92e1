"""Clusters that nobody uses, that hang, and whose workers are taken away, and what becomes of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dask_gateway import Gateway, GatewayCluster
from gateway_common.names import scheduler_pod_name, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.waiting import until

VALUES = """
gateway:
  backend:
    idleTimeout: 3600
    noClientTimeout: 5
    scheduler:
      livenessTimeout: 1
      extraPodConfig: {terminationGracePeriodSeconds: 1}
"""
PATIENCE_SECONDS = 120
ADAPTIVE_PERIOD = 3.0  # seconds, by default

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("gateway")
    (directory / "values.yaml").write_text(VALUES)
    settings = LocalSettings(port=0, directory=directory, config=[directory / "values.yaml"])
    async with LocalGateway(settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(gateway: LocalGateway) -> AsyncIterator[GatewayCluster]:
    async with Gateway(gateway.address, asynchronous=True) as client, await client.new_cluster() as cluster:
        yield cluster


def status(gateway: LocalGateway, cluster: GatewayCluster) -> dict[str, Any]:
    namespace, name = cluster.name.split(".")
    found: dict[str, Any] = (gateway.kubernetes.objects.get(DASKCLUSTERS, namespace, name) or {}).get("status") or {}
    return found


async def test_a_cluster_that_nobody_is_connected_to_stops_and_says_so(
    gateway: LocalGateway, cluster: GatewayCluster
) -> None:
    async with await cluster.get_client() as dask:
        assert await dask.run_on_scheduler(lambda: 1) == 1
        await asyncio.sleep(6)  # longer than it may be without anybody
        assert status(gateway, cluster)["phase"] == "Running"
    await until(lambda: status(gateway, cluster)["phase"] == "Stopped", PATIENCE_SECONDS)
    assert status(gateway, cluster)["reason"] == "NoClientTimeout"
    assert status(gateway, cluster)["message"].endswith("no-client timeout of 5 s")


async def test_a_scheduler_that_hangs_fails_its_cluster_which_says_so(
    gateway: LocalGateway, cluster: GatewayCluster
) -> None:
    await until(lambda: is_ready(gateway, cluster), PATIENCE_SECONDS)
    async with await cluster.get_client() as dask:
        hanging = asyncio.ensure_future(dask.run_on_scheduler(time.sleep, 3600))
        await until(lambda: status(gateway, cluster)["phase"] == "Failed", PATIENCE_SECONDS)
        hanging.cancel()
    assert status(gateway, cluster)["reason"] == "SchedulerFailed"
    assert "it was killed because it had not answered for 10 s" in status(gateway, cluster)["message"]


async def test_a_worker_whose_pod_is_taken_away_leaves_its_results_behind(
    gateway: LocalGateway, cluster: GatewayCluster, tmp_path: Path
) -> None:
    await cluster.scale(2)
    async with await cluster.get_client() as dask:
        await dask.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        namespace, name = cluster.name.split(".")
        leaving = worker_pod_name(name, 0)

        def once(number: int, log: Path = tmp_path / "log") -> int:
            with log.open("a") as file:
                file.write(f"{number}\n")
            return number

        results = dask.map(once, range(20), workers=[leaving], allow_other_workers=True)
        await dask.gather(results)
        gateway.kubernetes.objects.delete(PODS, namespace, leaving)
        await until(lambda: leaving not in pods(gateway, cluster), PATIENCE_SECONDS)
        assert await dask.gather(results) == list(range(20))
        assert len((tmp_path / "log").read_text().splitlines()) == 20
        # and another takes its place
        await dask.wait_for_workers(2, timeout=PATIENCE_SECONDS)


async def test_a_number_written_into_the_object_reaches_the_scheduler_and_ends_adaptive_scaling(
    gateway: LocalGateway, cluster: GatewayCluster
) -> None:
    await cluster.adapt(minimum=1, maximum=1)
    async with await cluster.get_client() as dask:
        await dask.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        write_replicas(gateway, cluster, 2)
        await dask.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        # which nothing takes back
        await asyncio.sleep(2 * ADAPTIVE_PERIOD)
        assert len(workers(gateway, cluster)) == 2

        kept = await dask.scatter({str(number): number for number in range(20)})
        write_replicas(gateway, cluster, 1)
        await until(lambda: len(workers(gateway, cluster)) == 1, PATIENCE_SECONDS)
        assert await dask.gather(kept) == {str(number): number for number in range(20)}


def write_replicas(gateway: LocalGateway, cluster: GatewayCluster, replicas: int) -> None:
    """What `kubectl scale` comes to."""
    namespace, name = cluster.name.split(".")
    gateway.kubernetes.objects.patch(DASKCLUSTERS, namespace, name, {"spec": {"replicas": replicas}})


def workers(gateway: LocalGateway, cluster: GatewayCluster) -> list[str]:
    return [name for name in pods(gateway, cluster) if name.startswith("dask-worker-")]


def is_ready(gateway: LocalGateway, cluster: GatewayCluster) -> bool:
    namespace, name = cluster.name.split(".")
    pod = gateway.kubernetes.objects.get(PODS, namespace, scheduler_pod_name(name)) or {"status": {}}
    conditions = pod["status"].get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def pods(gateway: LocalGateway, cluster: GatewayCluster) -> list[str]:
    namespace, _ = cluster.name.split(".")
    return [pod["metadata"]["name"] for pod in gateway.kubernetes.objects.list(PODS, namespace=namespace)]
