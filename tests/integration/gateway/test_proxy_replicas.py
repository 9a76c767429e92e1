"""Two Traefiks of an installed chart: whichever of them goes, nobody is told that a running cluster does not exist."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway_common.names import INSTANCE_LABEL
from gateway_common.resources import INGRESSROUTES, PODS, SERVICES, Manifest
from gateway_local.apiserver.faults import Fault
from gateway_local.cluster import Cluster, gateway_images
from gateway_local.resources import DEPLOYMENTS
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, RELEASE
from tests.kit.helm import helm
from tests.kit.pods import is_ready
from tests.kit.routes import is_routed
from tests.kit.waiting import until

PROXY = f"traefik-{FULLNAME}"
PAGE = f"/clusters/{NAMESPACE}.c0ffee/health"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with (
        Cluster(directory=tmp_path / "pods", images=gateway_images()) as cluster,
        helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release,
    ):
        await release.install(traefik={"replicas": 2})
        publish_page(cluster)
        for pod in proxies(cluster).values():
            await is_routed(f"http://{pod['status']['podIP']}:8000{PAGE}")
        # with thousands of clusters it takes as long to read their routes
        cluster.server.faults.add(Fault(resource="ingressroutes", latency=3))
        yield cluster


def publish_page(cluster: Cluster) -> None:
    """A route as a cluster's pages have it, to a page that auth has and the api has not."""
    metadata = {"name": "c0ffee", "namespace": NAMESPACE, "labels": {INSTANCE_LABEL: FULLNAME}}
    rule = {
        "kind": "Rule",
        "match": f"PathPrefix(`{PAGE}`)",
        "services": [{"name": f"auth-{FULLNAME}", "port": 8001}],
        "middlewares": [{"name": "clusters-prefix@file"}],
    }
    cluster.objects.create(INGRESSROUTES, {"metadata": metadata, "spec": {"entryPoints": ["web"], "routes": [rule]}})


def proxies(cluster: Cluster) -> dict[str, Manifest]:
    """Traefik's pods by their names."""
    found = {pod["metadata"]["name"]: pod for pod in cluster.objects.list(PODS, NAMESPACE)}
    return {name: pod for name, pod in found.items() if name.startswith(PROXY)}


def are_replaced(cluster: Cluster, gone: Set[str]) -> bool:
    """Whether there are two again that are ready, and none of those."""
    present = proxies(cluster)
    return len(present) == 2 and present.keys().isdisjoint(gone) and all(map(is_ready, present.values()))


@asynccontextmanager
async def visited(cluster: Cluster) -> AsyncIterator[Counter[int]]:
    """While this lasts somebody looks at a page of a cluster, again and again, each time by a new connection.

    What was answered, by status; a connection that is lost is made again.
    """
    service = cluster.objects.get(SERVICES, NAMESPACE, PROXY)
    assert service is not None
    page = f"http://{service['status']['loadBalancer']['ingress'][0]['ip']}{PAGE}"
    answers: Counter[int] = Counter()

    async def visit() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60, headers={"connection": "close"}) as client:
            while True:
                try:
                    answers[(await client.get(page)).status_code] += 1
                except httpx.TransportError:
                    await asyncio.sleep(0.01)

    visiting = asyncio.create_task(visit())
    try:
        await until(lambda: answers[200] > 0)
        yield answers
        until_now = answers.total()
        await until(lambda: answers.total() > until_now + 50)  # some of them by whoever has come
    finally:
        visiting.cancel()
        await asyncio.wait((visiting,))


@pytest.mark.timeout(300)
async def test_a_rollout_of_the_proxy_hides_no_cluster(cluster: Cluster) -> None:
    before = proxies(cluster).keys()
    async with visited(cluster) as answers:
        restart = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
        cluster.objects.patch(DEPLOYMENTS, NAMESPACE, PROXY, restart)
        await until(lambda: are_replaced(cluster, before), seconds=120)
    assert answers.keys() == {200}, answers


@pytest.mark.timeout(300)
async def test_a_proxy_that_is_lost_hides_no_cluster(cluster: Cluster) -> None:
    lost = min(proxies(cluster))
    async with visited(cluster) as answers:
        cluster.objects.delete(PODS, NAMESPACE, lost, grace_period_seconds=0)
        await until(lambda: are_replaced(cluster, {lost}), seconds=120)
    assert answers.keys() == {200}, answers
