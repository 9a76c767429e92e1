"""Limits that hold: two replicas of the api, which may both find room for the last cluster, and the one controller."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_common.errors import AlreadyExists
from gateway_common.kube import KubeClient
from gateway_common.names import CLUSTER_LABEL, ClusterName, scheduler_pod_name
from gateway_common.resources import CRDS, INGRESSROUTES, INGRESSROUTETCPS, PODS
from tests.kit.api import INSTANCE, Api, two_replicas
from tests.kit.clusters import any_kind
from tests.kit.controller import RunningController
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually

CLUSTERS = "/api/v1/clusters/"


@pytest.fixture(autouse=True)
async def _kinds_of_a_controller(kube_server: KubeServer, kube: KubeSettings) -> None:
    """The embedded server has them."""
    if kube_server.embedded is None:
        client = await KubeClient.connect(kube)
        for resource in (INGRESSROUTES, INGRESSROUTETCPS):
            with suppress(AlreadyExists):
                await client.create(CRDS, any_kind(resource))
        await client.close()


@asynccontextmanager
async def gateway(kube: KubeSettings, namespace: str, **settings: Any) -> AsyncIterator[tuple[Api, Api]]:
    """Two replicas and a controller with the same settings."""
    configuration = Configuration.model_validate(
        {
            "instance": INSTANCE,
            "kube": kube.model_copy(update={"namespaces": [namespace]}),
            "clusters_api_url": "http://127.0.0.1:8000/api",
            **settings,
        }
    )
    async with two_replicas(kube, namespace, **settings) as replicas:
        controller = await RunningController.start(configuration)
        try:
            yield replicas
        finally:
            await controller.stop()


async def scheduler_pods(api: Api) -> set[str]:
    pods = await api.kube.list(PODS, namespace=api.namespace, label_selector=CLUSTER_LABEL)
    return {pod["metadata"]["name"] for pod in pods.items}


async def test_of_a_thousand_requests_at_the_same_time_exactly_as_many_succeed_as_the_limit_allows(
    kube: KubeSettings, namespace: str
) -> None:
    async with gateway(kube, namespace, limits={"user": {"clusters": 10}}) as replicas:
        users = [api.user("alice") for api in replicas]
        for user in users:
            await user.get(CLUSTERS)  # one session each

        answers = await asyncio.gather(*(users[number % 2].post(CLUSTERS, json={}) for number in range(1000)))

        assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 990}
        names = {answer.json()["name"] for answer in answers if answer.status_code == 201}
        for answer in answers:
            if answer.status_code == 409:
                assert "10 of 10 clusters are yours already" in answer.json()["error"]
        for user in users:
            assert (await user.get(CLUSTERS)).json().keys() == names
        schedulers = {scheduler_pod_name(name.partition(".")[2]) for name in names}
        assert {pod for pod in await scheduler_pods(replicas[0]) if "scheduler" in pod} >= schedulers
        # nobody's is the kit's own
        assert len(await scheduler_pods(replicas[0])) <= 10 + 2


async def test_who_stops_a_cluster_may_make_another_at_once(kube: KubeSettings, namespace: str) -> None:
    async with gateway(kube, namespace, limits={"user": {"clusters": 1}}) as replicas:
        users = [api.user("alice") for api in replicas]
        cluster = await replicas[0].create(users[0])
        for number in range(6):
            here, there = number % 2, 1 - number % 2
            assert (await users[there].delete(f"{CLUSTERS}{cluster}")).status_code == 204
            cluster = await replicas[here].create(users[here])


async def test_a_cluster_that_waits_starts_when_there_is_room(kube: KubeSettings, namespace: str) -> None:
    limits = {"user": {"clusters": 1}, "on_exceeded": "queue", "max_queued": 2}
    async with gateway(kube, namespace, limits=limits) as (one, other):
        here, there = one.user("alice"), other.user("alice")
        first = await one.create(here)
        second, third = await other.create(there), await one.create(here)
        waiting = (await here.get(f"/api/v2/clusters/{second}")).json()
        assert (waiting["status"], waiting["reason"]) == ("PENDING", "QuotaExceeded")

        full = await here.post(CLUSTERS, json={})
        assert full.status_code == 409
        assert (await here.delete(f"{CLUSTERS}{first}")).status_code == 204

        # Kubernetes' clock ticks in seconds: either may be the older one
        begun = await eventually(lambda: first_admitted(one, second, third))
        (other_one,) = {second, third} - {begun}
        assert (await one.stored(other_one))["status"]["reason"] == "QuotaExceeded"


async def first_admitted(api: Api, *clusters: ClusterName) -> ClusterName | None:
    for cluster in clusters:
        if "schedulerPod" in ((await api.stored(cluster)).get("status") or {}):
            return cluster
    return None
