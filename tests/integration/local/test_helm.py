"""A chart of the tests' own, installed by Helm into the embedded cluster, where its pods run as processes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_common.resources import CONFIGMAPS, NODES, PODS, SERVICES, Manifest
from gateway_local.cluster import Cluster
from gateway_local.resources import DEPLOYMENTS, JOBS, REPLICASETS
from tests.kit.helm import CHARTS, Helm, helm
from tests.kit.pods import is_ready

NAMESPACE = "web"
RELEASE = "hello"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(directory=tmp_path / "pods", images={"example/python": Path(sys.prefix)}) as cluster:
        yield cluster


@pytest.fixture
async def release(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Helm]:
    """A release that is yet to be installed."""
    async with helm(cluster, tmp_path, CHARTS / "hello", RELEASE, NAMESPACE) as release:
        yield release


def deployment(cluster: Cluster) -> Manifest:
    found = cluster.objects.get(DEPLOYMENTS, NAMESPACE, RELEASE)
    assert found is not None
    return found


def pods(cluster: Cluster) -> list[Manifest]:
    """The Deployment's pods that are not on their way out."""
    found = cluster.objects.list(PODS, NAMESPACE, f"app={RELEASE}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def names(manifests: list[Manifest]) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in manifests}


def address(cluster: Cluster) -> str:
    """Where this machine reaches the chart's service: its node port."""
    service = cluster.objects.get(SERVICES, NAMESPACE, RELEASE)
    assert service is not None
    (node,) = cluster.objects.list(NODES)
    internal = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    return f"http://{internal}:{service['spec']['ports'][0]['nodePort']}"


async def ask(cluster: Cluster, path: str = "/") -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer: dict[str, Any] = (await client.get(address(cluster) + path)).raise_for_status().json()
        return answer


@asynccontextmanager
async def asking_all_the_time(cluster: Cluster) -> AsyncIterator[list[str]]:
    """The greetings of all answers meanwhile. A request that fails fails the test."""
    greetings: list[str] = []

    async def ask_again_and_again() -> None:
        while True:
            greetings.append((await ask(cluster))["greeting"])

    asking = asyncio.create_task(ask_again_and_again())
    try:
        yield greetings
        assert not asking.done(), asking.exception()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_an_installed_chart_s_pods_run_and_serve(cluster: Cluster, release: Helm) -> None:
    await release.install()

    assert names(pods(cluster)) == names([pod for pod in pods(cluster) if is_ready(pod)])
    assert len(pods(cluster)) == 2
    answer = await ask(cluster)
    assert (answer["greeting"], answer["password"]) == ("hello", "sesame")
    assert answer["pod"] in names(pods(cluster))
    assert await release.history() == {1: "deployed"}


async def test_a_pod_asks_the_api_in_its_account_s_name_and_may_what_its_role_says(
    cluster: Cluster, release: Helm
) -> None:
    await release.install(replicas=1)

    answer = await ask(cluster, "/api")

    assert (answer["configmaps"], answer["secrets"]) == (200, 403)


async def test_a_hook_s_job_has_run_before_the_rest_is_there(cluster: Cluster, release: Helm) -> None:
    await release.install(replicas=1)

    job = cluster.objects.get(JOBS, NAMESPACE, f"{RELEASE}-before")
    assert job is not None
    assert [c["type"] for c in job["status"]["conditions"] if c["status"] == "True"] == [
        "SuccessCriteriaMet",
        "Complete",
    ]
    assert job["status"]["succeeded"] == 1
    assert job["status"]["completionTime"] <= deployment(cluster)["metadata"]["creationTimestamp"]


async def test_the_same_upgrade_again_changes_nothing(cluster: Cluster, release: Helm) -> None:
    await release.install()
    before, running = deployment(cluster), names(pods(cluster))

    await release.upgrade()

    assert deployment(cluster) == before
    assert names(pods(cluster)) == running
    assert await release.history() == {1: "superseded", 2: "deployed"}


async def test_a_changed_configuration_rolls_the_pods_and_no_request_fails(cluster: Cluster, release: Helm) -> None:
    await release.install()
    first = names(pods(cluster))

    async with asking_all_the_time(cluster) as greetings:
        await release.upgrade(greeting="good day")

    assert names(pods(cluster)).isdisjoint(first)
    assert (await ask(cluster))["greeting"] == "good day"
    assert greetings[0] == "hello"
    config = cluster.objects.get(CONFIGMAPS, NAMESPACE, RELEASE)
    assert config is not None
    assert config["data"]["greeting"] == "good day"


async def test_a_rollback_brings_the_former_pods_template_back(cluster: Cluster, release: Helm) -> None:
    await release.install(replicas=1)
    (first,) = cluster.objects.list(REPLICASETS, NAMESPACE)
    await release.upgrade(replicas=1, greeting="good day")

    await release.rollback(1)

    assert (await ask(cluster))["greeting"] == "hello"
    sizes = {r["metadata"]["name"]: r["spec"]["replicas"] for r in cluster.objects.list(REPLICASETS, NAMESPACE)}
    assert sizes.pop(first["metadata"]["name"]) == 1
    assert set(sizes.values()) == {0}
    assert await release.history() == {1: "superseded", 2: "superseded", 3: "deployed"}


async def test_an_upgrade_to_what_can_not_run_leaves_the_former_pods_serving(cluster: Cluster, release: Helm) -> None:
    await release.install()
    running = names(pods(cluster))

    with pytest.raises(Exception, match="not ready"):
        await release.upgrade(seconds=2, image="example/of-nowhere:1")

    assert running <= names(pods(cluster))
    assert (await ask(cluster))["greeting"] == "hello"


async def test_nothing_is_left_of_a_release_that_is_uninstalled(cluster: Cluster, release: Helm) -> None:
    await release.install()

    await release.uninstall()

    for resource in (DEPLOYMENTS, REPLICASETS, SERVICES):
        assert cluster.objects.list(resource, NAMESPACE) == []
    assert pods(cluster) == []
