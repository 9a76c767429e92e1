"""Any service may be killed while a cluster starts: the cluster runs all the same, is made once, and is gone after."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import BasicAuth, Gateway
from gateway_common.names import CLUSTER_LABEL
from gateway_common.resources import INGRESSROUTES, INGRESSROUTETCPS, PODS, SECRETS, SERVICES, Resource
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.patience import patiently

CHILDREN = (PODS, SECRETS, SERVICES, INGRESSROUTES, INGRESSROUTETCPS)
PATIENCE_SECONDS = 120


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LocalGateway]:
    """One gateway a test, since its parts are killed."""
    async with LocalGateway(LocalSettings(port=0, directory=tmp_path)) as running:
        yield running


class Creations:
    """Counts how often each object was made, by listening to the API server itself."""

    def __init__(self, gateway: LocalGateway) -> None:
        self.names: Counter[tuple[str, str]] = Counter()
        self._objects = gateway.kubernetes.objects
        self._tasks = [asyncio.create_task(self._count(resource)) for resource in CHILDREN]

    async def _count(self, resource: Resource) -> None:
        async for kind, manifest in self._objects.watch(resource):
            if kind == "ADDED" and CLUSTER_LABEL in manifest["metadata"].get("labels", {}):
                self.names[resource.kind, manifest["metadata"]["name"]] += 1

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.mark.parametrize("victim", ["api", "auth", "controller", "traefik"])
async def test_a_cluster_survives_a_kill_in_the_middle_of_its_start(gateway: LocalGateway, victim: str) -> None:
    creations = Creations(gateway)
    client = Gateway(gateway.address, auth=BasicAuth("alice", ""), asynchronous=True)
    async with client:
        name = await client.submit()
        await until(lambda: bool(children(gateway, PODS)), "the scheduler's pod is made")
        gateway.processes[victim].kill()

        cluster = await patiently(lambda: client.connect(name))
        async with cluster:
            await patiently(lambda: client.scale_cluster(name, 2))
            async with await cluster.get_client() as dask:
                await dask.wait_for_workers(2, timeout=PATIENCE_SECONDS)
                assert await dask.submit(sum, range(4)) == 6

        assert gateway.processes[victim].restarts >= 1
        assert Counter(kind for kind, _ in creations.names) == Counter(
            {resource.kind: 1 for resource in CHILDREN} | {"Pod": 3}
        )
        assert set(creations.names.values()) == {1}

        await patiently(lambda: client.stop_cluster(name))
    await until(lambda: not any(children(gateway, resource) for resource in CHILDREN), "nothing is left over")
    await creations.stop()


def children(gateway: LocalGateway, resource: Resource) -> list[str]:
    found = gateway.kubernetes.objects.list(resource, label_selector=CLUSTER_LABEL)
    return [manifest["metadata"]["name"] for manifest in found]


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"did not happen within {PATIENCE_SECONDS} s: {what}"
        await asyncio.sleep(0.02)
